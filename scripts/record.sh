#!/usr/bin/env bash
# Takes the recorded runs of results/ on this machine, into results/<date>-NAME/.
#
#   scripts/record.sh NAME [RUNS]        NAME names the machine in public; RUNS is 3
#
# Needs root (network namespaces), and jq for the summary. Takes about ten minutes. What each run is for, and
# what may bias it, is in results/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf 'error: %s\n' "$1" >&2; exit 1; }

[[ $# -ge 1 && $1 =~ ^[a-z0-9-]+$ ]] || fail "usage: $0 NAME [RUNS], with NAME of a-z, 0-9 and -"
name=$1
runs=${2:-3}
[[ $(id -u) -eq 0 ]] || fail "network namespaces need root: sudo $0 $*"
command -v jq >/dev/null || fail "the summary needs jq"

if [[ -z ${RECORD_INSIDE:-} ]]; then
    cargo build --release --locked
    cargo bench --locked --no-run
    # Nobody else's traffic reaches a loopback of our own, and reports carry NAME instead of the host's name.
    exec env RECORD_INSIDE=1 unshare --net --uts "$0" "$name" "$runs"
fi
printf '%s' "$name" >/proc/sys/kernel/hostname
ip link set lo up

out=results/$(date -u +%F)-$name
mkdir -p "$out"
export PATH=${CARGO_TARGET_DIR:-$PWD/target}/release:$PATH
CRITERION_HOME=$(mktemp -d)
export CRITERION_HOME
trap 'rm -rf "$CRITERION_HOME"' EXIT
tx_cpu=$(($(nproc) - 1))
rx_cpu=$((tx_cpu > 0 ? tx_cpu - 1 : 0))

# idle: the share of time, in per cent, in which all cores did nothing during half a second.
idle() {
    local before after all=0 n
    read -ra before < <(grep '^cpu ' /proc/stat)
    sleep 0.5
    read -ra after < <(grep '^cpu ' /proc/stat)
    for n in {1..8}; do all=$((all + after[n] - before[n])); done
    echo $((100 * (after[4] - before[4] + after[5] - before[5]) / (all > 0 ? all : 1)))
}

# used: ticks that other programs have used on this machine, and ticks that were stolen from it by its host. What
# our own programs have used contains what was stolen from them.
used() {
    local all own
    read -ra all < <(grep '^cpu ' /proc/stat)
    read -ra own <"/proc/$$/stat"
    echo "$((all[1] + all[2] + all[3] + all[6] + all[7] + all[8] - own[13] - own[14] - own[15] - own[16])) ${all[8]}"
}

# take TITLE COMMAND...: waits for a quiet moment (a minute at most), runs it and keeps what it prints. When other
# programs took more than 3 % of a core meanwhile, it is done again, whatever came out: three times at most.
take() {
    local title=$1 free code began took others others_after stolen stolen_after
    shift
    printf '%s\n' "$*" >"$out/$title.cmd"
    for _ in {1..4}; do
        for _ in {1..60}; do
            free=$(idle)
            [[ $free -ge 95 ]] && break
            sleep 0.5
        done
        code=0
        read -r others stolen < <(used)
        began=${EPOCHREALTIME/./}
        "$@" >"$out/$title.txt" 2>&1 || code=$?
        took=$((${EPOCHREALTIME/./} - began))
        read -r others_after stolen_after < <(used)
        # A hundred ticks are a second.
        others=$((1000000 * (others_after - others) / took))
        stolen=$((1000000 * (stolen_after - stolen) / took))
        printf '%s  %-16s exit %s; of a core, other programs took %s %%, the host of this machine %s %%\n' \
            "$(date -u +%T)" "$title" "$code" "$others" "$stolen" | tee -a "$out/log.txt" >&2
        if [[ $others -le 3 ]]; then break; fi
    done
}

reports() { # reports TITLE: all that are kept of a run
    echo "--report human --report json:$out/$1.json --report hdr:$out/$1.hgrm --report hlog:$out/$1.hlog"
}

on_hosts() { # on_hosts TITLE 'SENDER FLAGS' 'RECEIVER FLAGS'
    take "$1" scripts/netns.sh run \
        "mcast-bench send -I eth0 --cpu $tx_cpu $2 --quiet $(reports "$1-send")" \
        "mcast-bench recv -I eth0 --cpu $rx_cpu $3 --quiet $(reports "$1-recv")"
}

bench() { # bench TITLE COMMAND...: keeps criterion's figures; drops its chatter and how they differ from the last
    take "$@"
    grep -E '^[a-z_]+/|time: |thrpt: ' "$out/$1.txt" | grep -vE '%\]|^ *change:' >"$out/$1.figures" || true
    mv "$out/$1.figures" "$out/$1.txt"
}

{
    echo "date       $(date -u +%F)"
    echo "program    $(mcast-bench --version), commit $(git rev-parse --short HEAD)"
    echo "compiler   $(rustc --version)"
    echo "kernel     $(uname -sr)"
    lscpu | grep -E '^(Model name|CPU\(s\)|Thread|L[123]|Hypervisor|Virtualization)' || true
    echo "clock      $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
    echo "governor   $(cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor 2>/dev/null || echo 'not told')"
    for key in rmem_max wmem_max rmem_default wmem_default; do
        echo "$key   $(cat /proc/sys/net/core/$key 2>/dev/null || echo 'not told')"
    done
} >"$out/environment.txt"
: >"$out/log.txt"

quick=(--warm-up-time 1 --measurement-time 3)
for n in $(seq "$runs"); do
    # shellcheck disable=SC2046 # flags are words
    take "loopback-$n" mcast-bench run --quiet $(reports "loopback-$n")
    on_hosts "veth-100k-$n" "--rate 100k --size 1316 --time 10s" "--fail-if 'loss>0'"
    on_hosts "veth-max-$n" "--rate max --size 1316 --time 10s" ""
    bench "engine_tx-$n" scripts/netns.sh run \
        "MCAST_BENCH_IFACE=eth0 cargo bench --offline --locked --bench engine_tx -- ${quick[*]}" true
    bench "engine_rx-$n" cargo bench --offline --locked --bench engine_rx -- "${quick[@]}"
    bench "trial_memory-$n" cargo bench --offline --locked --bench trial_memory -- "${quick[@]}"
done

# The median of the runs, and their least and most.
spread() { sort -g | awk '{ v[NR] = $1 } END {
    if (NR) printf "%s (%s to %s)", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2, v[1], v[NR] }'; }
row() { # row WHAT FILES JQ; N in the name of the files is the number of the run
    printf '| %s | %s |\n' "$1" "$(for n in $(seq "$runs"); do jq -r "$3" "$out/${2/N/$n}.json"; done | spread)"
}
{
    echo "# Medians of $runs runs (least to most)"
    echo
    echo "| What | Median |"
    echo "|---|---|"
    for side in "loopback-N loopback-N" "veth-100k-N-send veth-100k-N-recv" "veth-max-N-send veth-max-N-recv"; do
        read -r tx rx <<<"$side"
        label=${tx%%-N*}
        row "$label: intended, datagrams" "$tx" '.sender.intended'
        row "$label: offered, datagrams" "$tx" '.sender.offered'
        row "$label: offered, datagrams/s" "$tx" '.sender.offered_load_pps | round'
        row "$label: lateness p99, ns" "$tx" '.sender.lateness_ns.p99'
        row "$label: received, datagrams" "$rx" '.totals.received'
        row "$label: lost, datagrams" "$rx" '.totals.lost'
        row "$label: dropped by the receiver itself" "$rx" '.totals.lost_by.receiver_socket + .totals.lost_by.receiver_host'
        row "$label: delay p50, ns" "$rx" '.one_way_delay_ns.p50'
        row "$label: delay p99, ns" "$rx" '.one_way_delay_ns.p99'
        row "$label: delay p99.9, ns" "$rx" '.one_way_delay_ns.p99_9'
        row "$label: invalid runs' reasons" "$rx" '.invalid_reasons | length'
    done
    # Criterion prints a name, then "time: [low middle high]" on its line or the next.
    for bench in engine_tx engine_rx trial_memory; do
        for n in $(seq "$runs"); do
            awk '/^[a-z_]+\// { name = $0; sub(/ +time:.*/, "", name); gsub(/ /, "~", name) } /time:/ { match($0, /\[.*\]/); split(substr($0, RSTART + 1), f, " ")
                scale = f[4] == "ns" ? 1 : f[4] == "ms" ? 1e6 : f[4] == "s" ? 1e9 : 1e3; print name, f[3] * scale }' \
                "$out/$bench-$n.txt"
        done | sort | awk '{ if ($1 != last) order[++k] = last = $1; all[$1] = all[$1] " " $2 }
            END { for (i = 1; i <= k; i++) print order[i] all[order[i]] }' | while read -r what values; do
            printf '| %s, ns a batch | %s |\n' "${what//\~/ }" "$(tr ' ' '\n' <<<"$values" | spread)"
        done
    done
} >"$out/summary.md"
echo "$out" >&2
