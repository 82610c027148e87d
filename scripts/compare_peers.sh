#!/usr/bin/env bash
# Gives the same work to other tools, to bare loops and to us, in one run, several rounds in turn.
#
#   scripts/compare_peers.sh [--rounds N] [--out DIR] [--seconds S] [--size BYTES] [--tools 'A B'] [WHAT...]
#
# WHAT is any of: rate cpu pacing rtt; all of them if none is named. N is 3, S is 1, BYTES is 1316, DIR is
# results/<date>-<host>-peers. Tools are iperf2 sockperf mgen nuttcp udpbench, bare:KIND of benches/bare_loop.rs, and
# ours:ENGINE or ours:SENDER>RECEIVER; all that are there if none is named.
#
# Needs root, iproute2, jq, python3, and tcpdump for `pacing`; nothing is installed. Builds with cargo unless MCAST_BENCH
# and BARE_LOOP name the two programs. Touches nothing but two network namespaces of its own, and removes them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$here"
# shellcheck source=scripts/peers.sh
source scripts/peers.sh

fail() { printf 'error: %s\n' "$1" >&2; exit "${2:-1}"; }
usage() { sed -n '2,11{s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; fail "$1" 2; }
number() { [[ $2 =~ ^[1-9][0-9]*$ ]] || usage "$1 wants a whole number, not '$2'"; }

rounds=3 seconds=1 size=1316 wanted='' out=results/$(date -u +%F)-$(hostname)-peers what=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --rounds | --seconds | --size | --out | --tools) [[ $# -ge 2 ]] || usage "$1 wants a value" ;;&
        --rounds | --seconds | --size) number "$1" "$2" ;;&
        --rounds) rounds=$2; shift 2 ;;
        --seconds) seconds=$2; shift 2 ;;
        --size) size=$2; shift 2 ;;
        --out) out=$2; shift 2 ;;
        --tools) wanted=$2; shift 2 ;;
        rate | cpu | pacing | rtt) what+=("$1"); shift ;;
        *) usage "no such argument: $1" ;;
    esac
done
[[ ${#what[@]} -gt 0 ]] || what=(rate cpu pacing rtt)
does() { [[ " ${what[*]} " = *" $1 "* ]]; }

for need in ip:iproute2 jq:jq python3:python3 taskset:util-linux; do
    command -v "${need%:*}" >/dev/null || fail "this needs ${need%:*}: apt-get install ${need#*:}"
done
does pacing && { command -v tcpdump >/dev/null || fail "pacing is observed with tcpdump: apt-get install tcpdump"; }
[[ $(id -u) -eq 0 ]] || fail "network namespaces need root: sudo $0"
[[ $(nproc) -ge 2 ]] || fail "sender and receiver want a core each, and this machine has one"

ours=${MCAST_BENCH:-${CARGO_TARGET_DIR:-target}/release/mcast-bench}
bare=${BARE_LOOP:-}
[[ -n ${MCAST_BENCH:-} ]] || cargo build --release --locked
[[ -n $bare ]] || bare=$(cargo build --release --locked --bench bare_loop --message-format=json |
    jq -r 'select(.executable != null and .target.name == "bare_loop").executable')

group=239.255.77.77 tx_address=198.18.0.1 rx_address=198.18.0.2
# The common rate of `cpu`, which all can do, and the size of round trips.
common_rate=50000 rtt_size=94
# The same for all: as much as it takes for a core that stands still for some milliseconds to lose nothing at millions
# of datagrams a second. The limit of the host is raised for it, and set back at the end.
buffer=$((64 << 20))
limit=/proc/sys/net/core/rmem_max
was_limit=$(cat "$limit")
tx_cpu=$(($(nproc) - 1)) rx_cpu=$(($(nproc) - 2))
tx_ns=mb$$-sender rx_ns=mb$$-receiver
raw=$out/raw
mkdir -p "$raw"
values=$out/values.tsv
: >"$values"
: >"$out/log.txt"
say() { printf '%s  %s\n' "$(date -u +%T)" "$*" | tee -a "$out/log.txt" >&2; }
# value WHAT SETTING TOOL ROUND NUMBER
value() { (IFS=$'\t'; echo "$*") >>"$values"; }

# --- the bed

# shellcheck disable=SC2317 # called by the trap
clean_up() {
    trap - EXIT INT TERM HUP
    for name in send recv dump; do stop "$name" KILL; done
    for name in "$tx_ns" "$rx_ns"; do ip netns delete "$name" 2>/dev/null || true; done
    echo "$was_limit" >"$limit"
    rm -f "$raw"/*.pid "$raw"/*.pcap
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
[[ $was_limit -ge $buffer ]] || echo "$buffer" >"$limit"

ip netns add "$tx_ns"
ip netns add "$rx_ns"
ip -n "$tx_ns" link add eth0 type veth peer name eth0 netns "$rx_ns"
for host in "$tx_ns $tx_address" "$rx_ns $rx_address"; do
    ip -n "${host% *}" -batch - <<BATCH
link set lo up
link set eth0 addrgenmode none
link set eth0 up
address add ${host#* }/24 dev eth0
route add 224.0.0.0/4 dev eth0
BATCH
done
for name in "$tx_ns" "$rx_ns"; do
    for _ in {1..100}; do
        ip -n "$name" link show dev eth0 | grep -q 'state UP' && break
        sleep 0.02
    done
done

# --- processes: each pinned, bounded in time, and its CPU time taken

# start NAME NAMESPACE CPU FILES COMMAND...: in the background. FILES-NAME.out is what it prints, FILES-NAME.cpu its CPU
# seconds, FILES-NAME.cmd the command.
start() {
    local name=$1 namespace=$2 cpu=$3 files=$4
    shift 4
    printf '%s\n' "$*" >"$files-$name.cmd"
    rm -f "$raw/$name.pid"
    (
        TIMEFORMAT='%3U %3S'
        # shellcheck disable=SC2016 # the inner shell's
        { time ip netns exec "$namespace" bash -c 'echo $$ >"$0"; exec timeout --kill-after=1 "$@"' \
            "$raw/$name.pid" $((seconds * 2 + 12)) taskset -c "$cpu" "$@" >"$files-$name.out" 2>&1 || true; } 2>"$files-$name.cpu"
    ) &
    jobs_of[$name]=$!
}
declare -A jobs_of=()

# stop NAME SIGNAL: `timeout` hands it on.
stop() {
    if [[ -n ${jobs_of[$1]:-} ]] && kill -0 "${jobs_of[$1]}" 2>/dev/null && [[ -s $raw/$1.pid ]]; then
        kill -"$2" "$(cat "$raw/$1.pid")" 2>/dev/null || true
    fi
}
finish() { wait "${jobs_of[$1]}" 2>/dev/null || true; }

# until_true SECONDS COMMAND...: whether it came true in time.
until_true() {
    local turn turns=$(($1 * 20))
    shift
    for ((turn = 0; turn < turns; turn++)); do
        "$@" && return
        sleep 0.05
    done
    return 1
}
ends() { ! kill -0 "${jobs_of[$1]}" 2>/dev/null; }
groups_of() { ip -n "$rx_ns" maddress show dev eth0 | grep -c inet || true; }
ready() { if [[ $1 = nuttcp ]]; then ip netns exec "$rx_ns" ss -ltn | grep -q :5000; else [[ $(groups_of) -gt $at_rest ]]; fi; }
at_rest=$(groups_of)

# counters: of the receiving host: frames, bytes, datagrams read, and those that the kernel dropped on both.
counters() {
    local tx rx
    tx=$(ip -n "$tx_ns" -s -j link show dev eth0 | jq '.[0].stats64.tx.dropped')
    rx=$(ip -n "$rx_ns" -s -j link show dev eth0 | jq -r '.[0].stats64.rx | "\(.packets) \(.bytes) \(.dropped)"')
    # shellcheck disable=SC2016 # awk's
    ip netns exec "$rx_ns" awk -v tx="$tx" -v rx="$rx" '$1 == "Udp:" && $2 ~ /[0-9]/ {
        split(rx, link, " "); print link[1], link[2], $2, $4 + tx + link[3] }' /proc/net/snmp
}
# drained: whether the receiving host has read all it will; the last count is kept in `seen`.
drained() {
    local now
    now=$(counters)
    [[ $now = "$seen" ]] && return
    seen=$now
    return 1
}

# --- one trial

# trial TOOL RATE SECONDS PURPOSE FILES: sets sent, took, received, dropped (as the kernel counts), cpu (seconds of both
# ends), and is_lossless.
trial() {
    local tool=$1 files=$5 before after packets bytes read
    local -a receiver sender
    receive_with "$tool"
    send_with "$tool" "$2" "$3" "$4"
    before=$(counters)
    start recv "$rx_ns" "$rx_cpu" "$files" "${receiver[@]}"
    until_true 4 ready "$tool" || say "$tool: its receiver does not get ready"
    start send "$tx_ns" "$tx_cpu" "$files" "${sender[@]}"
    finish send
    seen=''
    until_true 2 drained || true
    if stops_itself "$tool"; then until_true 3 ends recv || true; fi
    stop recv INT
    until_true 2 ends recv || stop recv KILL
    finish recv
    after=$(counters)
    read -r packets bytes read dropped < <(awk -v a="$before" -v b="$after" 'BEGIN {
        split(a, x, " "); split(b, y, " "); OFMT = "%.0f"
        print y[1] - x[1], y[2] - x[2], y[3] - x[3], y[4] - x[4] }')
    read -r sent took received < <(told_by "$tool" "$files")
    # A super-packet is one packet with one set of headers: bytes tell the datagrams.
    if [[ $sent = - ]]; then sent=$(((bytes - packets * 42) / size)); fi
    if [[ $received = - && $tool = mgen ]]; then received=$read; fi
    if [[ $took = - ]]; then took=$3; fi
    cpu=$(awk '{ sum += $1 + $2 } END { print sum }' "$files"-{send,recv}.cpu)
    is_lossless=no
    if [[ $received != - && $sent -gt 0 && $received -ge $sent && $dropped -eq 0 ]]; then is_lossless=yes; fi
    if [[ $received != - && $received -ge $sent && $dropped -gt 0 ]]; then
        say "$tool: says that nothing was lost, and the kernel dropped $dropped"
    fi
    printf 'asked %s sent %s in %s s received %s, kernel: %s packets %s bytes in, %s dropped, CPU %s s\n' \
        "$2" "$sent" "$took" "$received" "$packets" "$bytes" "$dropped" "$cpu" >"$files.txt"
}
per_second() { awk -v n="$sent" -v t="$took" 'BEGIN { printf "%d", n / t }'; }

# lossless TOOL RATE FILES: two chances, the same for all, because a virtual machine may stand still for a moment.
lossless() {
    for chance in a b; do
        trial "$1" "$2" "$seconds" rate "$3$chance"
        [[ $is_lossless = yes ]] && return
        [[ $sent -gt 0 ]] || return 1
    done
    return 1
}

# --- what is measured; each takes TOOL ROUND

# As fast as it goes; if that loses, between nothing and that, six times halved.
measure_rate() {
    local tool=$1 round=$2 files best=0 low=0 high asked step best_cpu=
    files=$raw/$round-rate-$(file_name "$tool")
    take_best() { best=$(per_second) best_cpu=$(awk -v c="$cpu" -v n="$sent" 'BEGIN { print c * 1e6 / n }'); }
    if lossless "$tool" 0 "$files-max"; then
        take_best
    else
        [[ $sent -gt 0 ]] || { say "$tool: sent nothing: $(tail -1 "$files-maxa-send.out")"; return; }
        high=$(per_second)
        for step in {1..6}; do
            asked=$(((low + high) / 2))
            if lossless "$tool" "$asked" "$files-$step"; then
                low=$asked
                [[ $(per_second) -gt $best ]] && take_best
            else
                high=$asked
            fi
        done
    fi
    value rate "$size" "$tool" "$round" "$best"
    [[ -z $best_cpu ]] || value cpu max "$tool" "$round" "$best_cpu"
    say "round $round: $tool: $best datagrams/s without loss"
}

measure_cpu() {
    trial "$1" "$common_rate" $((2 * seconds)) cpu "$raw/$2-cpu-$(file_name "$1")"
    # A tool that has not done the work is not compared.
    if awk -v n="$sent" -v t="$took" -v r="$common_rate" 'BEGIN { exit !(n > 0.95 * r * t) }'; then
        value cpu "$common_rate" "$1" "$2" "$(awk -v c="$cpu" -v n="$sent" 'BEGIN { print c * 1e6 / n }')"
    else
        say "round $2: $1: sent $sent in $took s instead of $common_rate a second: no figure of its CPU time"
    fi
}

# Observed by the kernel's stamps of a packet socket at the receiving interface, on the other core. Nobody else receives
# there, but nuttcp's server, without which it sends nothing.
measure_pacing() {
    local tool=$1 round=$2 rate files
    local -a receiver sender
    paces "$tool" || return 0
    for rate in 10000 50000 100000 200000; do
        files=$raw/$round-pacing-$(file_name "$tool")-$rate
        start dump "$rx_ns" "$rx_cpu" "$files" tcpdump -i eth0 --time-stamp-precision=nano -s 64 -B 65536 -n \
            -w "$files.pcap" 'udp and dst net 224.0.0.0/4'
        until_true 4 grep -qs 'listening on' "$files-dump.out" || say "tcpdump does not get ready"
        if [[ $tool = nuttcp ]]; then
            receive_with "$tool"
            start recv "$rx_ns" "$rx_cpu" "$files" "${receiver[@]}"
            until_true 4 ready "$tool" || true
        fi
        send_with "$tool" "$rate" "$seconds" pacing
        start send "$tx_ns" "$tx_cpu" "$files" "${sender[@]}"
        finish send
        if [[ $tool = nuttcp ]]; then until_true 2 ends recv || stop recv KILL; finish recv; fi
        stop dump INT
        until_true 5 ends dump || stop dump KILL
        finish dump
        python3 scripts/compare_peers.py gaps "$files.pcap" "$rate" "$size" "$tool" "$round" >>"$values" ||
            say "round $round: $tool: no gaps at $rate datagrams/s"
        rm -f "$files.pcap"
    done
}

measure_rtt() {
    local tool=$1 round=$2 mode files p50 p99
    local -a receiver sender
    for mode in blocking spinning; do
        files=$raw/$round-rtt-$(file_name "$tool")-$mode
        answer_with "$tool" "$mode" "$seconds"
        ask_with "$tool" "$mode" "$seconds"
        start recv "$rx_ns" "$rx_cpu" "$files" "${receiver[@]}"
        until_true 4 ready "$tool" || true
        start send "$tx_ns" "$tx_cpu" "$files" "${sender[@]}"
        finish send
        stop recv INT
        until_true 4 ends recv || stop recv KILL
        finish recv
        read -r p50 p99 < <(half_trip_of "$tool" "$files") || true
        if [[ ${p99:-} =~ ^[0-9.]+$ ]]; then
            value rtt-p50 "$mode" "$tool" "$round" "$p50"
            value rtt-p99 "$mode" "$tool" "$round" "$p99"
        else
            say "round $round: $tool: no round trips, $mode: $(tail -1 "$files-send.out")"
        fi
    done
}

# gather STEM: makes one file of the many that the trials of a tool left.
gather() {
    local part
    for part in "$1"[-.]*; do
        [[ -e $part ]] || continue
        printf '== %s\n' "${part##*/}"
        cat "$part"
        printf '\n'
        rm "$part"
    done >"$raw/gathered"
    mv "$raw/gathered" "$1.txt"
}

file_name() { tr ':>' '__' <<<"$1"; }

# --- which tools, and the rounds

# Engines as the help lists them; those that are no ordinary sockets also send to an ordinary receiver.
engines() {
    # The hint that names them all.
    { "$ours" send -e '?' 2>&1 || true; } | sed -n 's/.*these are: //p' | tr -d ' ' | tr ',' '\n' |
        while read -r engine; do
            case $engine in
                memory | orauto) ;;
                af_*) echo "ours:$engine"; echo "ours:$engine>mmsg" ;;
                *) echo "ours:$engine" ;;
            esac
        done
}
tools=() round_trippers=()
for tool in ${wanted:-iperf2 sockperf mgen nuttcp udpbench bare:mmsg bare:gso bare:io_uring bare:af_packet bare:af_xdp $(engines)}; do
    if command -v "$(command_of "$tool")" >/dev/null; then tools+=("$tool"); else
        say "SKIPPED: $tool is not there: $(package_of "$tool")"
    fi
done
[[ ${#tools[@]} -gt 0 ]] || fail "none of these tools is there"
for tool in sockperf bare ours; do
    [[ " ${tools[*]}" = *" $tool"* ]] || continue
    if [[ $tool = ours ]] && ! "$ours" ping --help >/dev/null 2>&1; then
        does rtt && say "SKIPPED: round trips of ours: this build has no ping"
        continue
    fi
    round_trippers+=("$tool")
done

{
    echo "date       $(date -u +%F)"
    echo "program    $("$ours" --version), commit $(git rev-parse --short HEAD 2>/dev/null || echo 'not told')"
    echo "kernel     $(uname -sr)"
    lscpu | grep -E '^(Model name|CPU\(s\)|Thread|L[123]|Hypervisor|Virtualization)' || true
    echo "cores      sender $tx_cpu, receiver $rx_cpu"
    echo "buffers    $buffer bytes"
    echo "load       $(cut -d' ' -f1-3 /proc/loadavg) before the run"
    echo "run        $rounds rounds, $seconds s a trial, $size bytes: ${what[*]}"
    for tool in "${tools[@]}"; do echo "$tool   $(version_of "$tool")"; done
} >"$out/environment.txt" 2>/dev/null

for ((round = 1; round <= rounds; round++)); do
    for kind in rate cpu pacing rtt; do
        does "$kind" || continue
        turn=("${tools[@]}")
        if [[ $kind = rtt ]]; then turn=("${round_trippers[@]}"); fi
        for ((n = 0; n < ${#turn[@]}; n++)); do
            # Each round begins with another tool.
            tool=${turn[(n + (round - 1) * ${#turn[@]} / rounds) % ${#turn[@]}]}
            "measure_$kind" "$tool" "$round"
            gather "$raw/$round-$kind-$(file_name "$tool")"
        done
    done
done

python3 scripts/compare_peers.py summary "$out"
echo "$out" >&2
