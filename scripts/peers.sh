# shellcheck shell=bash disable=SC2034,SC2154 # sourced by compare_peers.sh, which uses what is set here, and sets what is used
# How each tool is given the same work, and what it says came of it.
#
# A tool is a peer's name, `bare:KIND` (benches/bare_loop.rs), or `ours:SENDER` or `ours:SENDER>RECEIVER` (engines).
# Uses of compare_peers.sh: group, size, buffer, tx_address, rx_address, ours, bare, raw.

# command_of TOOL: the program whose absence skips the tool.
command_of() {
    case $1 in
        iperf2) echo iperf ;;
        ours:*) echo "$ours" ;;
        bare:*) echo "$bare" ;;
        *) echo "$1" ;;
    esac
}

# package_of TOOL: what to install.
package_of() {
    case $1 in
        iperf2) echo "apt-get install iperf" ;;
        udpbench) echo "build https://github.com/bluhm/udpbench" ;;
        *) echo "apt-get install $1" ;;
    esac
}

version_of() {
    case $1 in
        iperf2) iperf -v 2>&1 | head -1 ;;
        sockperf) sockperf --version 2>&1 | grep -o 'version.*' | head -1 ;;
        mgen) timeout 1 mgen help 2>&1 | grep -o 'version.*' | head -1 ;;
        nuttcp) nuttcp -V 2>&1 | head -1 ;;
        udpbench) echo "version not told" ;;
        ours:*) "$ours" --version ;;
        bare:*) echo "this repository, benches/bare_loop.rs" ;;
    esac
}

# paces TOOL: whether it can send one datagram at a time. GSO is trains by nature.
paces() { [[ $1 != udpbench && $1 != *:gso* && $1 != bare:af_* ]]; }

# receive_with TOOL: sets `receiver`.
receive_with() {
    case $1 in
        iperf2) receiver=(iperf -s -u -B "$group%eth0" -l "$size" -w "$buffer") ;;
        sockperf) receiver=(sockperf sr -i "$group" -p 5777 --mc-rx-if "$rx_address" --buffer-size "$buffer" --dont-reply -g) ;;
        mgen) receiver=(mgen event "JOIN $group INTERFACE eth0" event "LISTEN UDP 5777" rxbuffer "$buffer" nolog) ;;
        nuttcp) receiver=(nuttcp -S -1 --nofork) ;;
        udpbench) receiver=(udpbench -I "$rx_address" -b "$buffer" -l "$size" -m 64 -p 5777 -t 30 recv "$group") ;;
        bare:io_uring | bare:af_*) receiver=("$bare" recv mmsg eth0 "$size" "$buffer") ;;
        bare:*) receiver=("$bare" recv "${1#bare:}" eth0 "$size" "$buffer") ;;
        ours:*)
            local engine=${1#ours:}
            receiver=("$ours" recv -I eth0 -g "$group" -e "${engine#*>}" -w "$buffer" --loss-threshold 200ms
                --quiet -i 0 --report json)
            ;;
    esac
}

# send_with TOOL RATE SECONDS PURPOSE: sets `sender`. RATE 0 is as fast as possible; PURPOSE is rate, cpu or pacing:
# what a tool can trade between them, it does as is best for it.
send_with() {
    local rate=$2 seconds=$3
    case $1 in
        iperf2)
            [[ $rate = 0 ]] && rate=20000000
            sender=(iperf -c "$group" -u -l "$size" -b "${rate}pps" -t "$seconds" -w "$buffer" -T 1)
            ;;
        sockperf)
            [[ $rate = 0 ]] && rate=max
            sender=(sockperf tp -i "$group" -p 5777 --mc-tx-if "$tx_address" --buffer-size "$buffer" --mc-ttl 1
                -m "$size" -t "$seconds" --mps "$rate")
            ;;
        mgen)
            # Without a limit it is too busy to hear that it shall end.
            if [[ $rate = 0 ]]; then sender=(timeout --foreground --signal=KILL "$seconds" mgen) rate=-1; else sender=(mgen); fi
            sender+=(event "ON 1 UDP DST $group/5777 PERIODIC [$rate $size] INTERFACE eth0"
                event "$seconds OFF 1" txbuffer "$buffer" ttl 1 nolog)
            if [[ $4 = pacing ]]; then sender+=(precise on); fi
            ;;
        nuttcp)
            # Its size of buffers is in units of 1,024. The group follows from the receiver's address.
            sender=(nuttcp -u -m1 "-l$size" "-w$((buffer / 1024))k" "-T$seconds" -fparse)
            [[ $rate = 0 ]] && sender+=(-Ru) || sender+=("-R${rate}p")
            sender+=("$rx_address")
            ;;
        udpbench)
            sender=(udpbench -I "$tx_address" -b "$buffer" -l "$size" -m 64 -p 5777 -T 1 -L 0 -t "$seconds")
            [[ $rate = 0 ]] || sender+=(-P "$rate")
            sender+=(send "$group")
            ;;
        bare:*) sender=("$bare" send "${1#bare:}" eth0 "$size" "$seconds" "$rate") ;;
        ours:*)
            local engine=${1#ours:}
            [[ $rate = 0 ]] && rate=max
            sender=("$ours" send -I eth0 -g "$group" -e "${engine%>*}" -s "$size" -r "$rate" -t "${seconds}s"
                --quiet -i 0 --report json)
            # Trains are what the engine is for; the bare loop has them of this length, too.
            if [[ $rate != max && ${engine%>*} = gso && $4 != pacing ]]; then sender+=(--burst 40); fi
            if [[ $rate != max && $4 = cpu ]]; then sender+=(--pace sleep --catch-up); fi
            if [[ $rate != max && $4 = pacing ]]; then sender+=(--pace spin); fi
            ;;
    esac
}

# stops_itself TOOL: whether the receiver ends when the sender has ended.
stops_itself() { [[ $1 != iperf2 && $1 != sockperf && $1 != mgen ]]; }

# told_by TOOL FILES: prints "sent seconds received", in datagrams; - for what the tool does not say. FILES-send.out
# and FILES-recv.out are what its two ends printed.
told_by() {
    local tx=$2-send.out rx=$2-recv.out sent='-' seconds='-' received='-' lost total
    case $1 in
        iperf2)
            # [  1] 0.0000-1.0034 sec  102 MBytes  851 Mbits/sec  0.001 ms  603/81090 (0.74%)
            read -r lost total < <(grep -o '[0-9]*/ *[0-9]* *([^)]*%)' "$rx" | tail -1 | tr '/(' '  ') || true
            sent=$(sed -n 's/.*Sent \([0-9]*\) datagrams.*/\1/p' "$tx" | tail -1)
            seconds=$(sed -n 's/.*-\([0-9.]*\) sec.*/\1/p' "$tx" | tail -1)
            # Its server does not count the sender's last datagrams.
            if [[ -n ${lost:-} ]]; then received=$((sent - lost)); fi
            ;;
        sockperf)
            read -r sent seconds < <(sed -n 's/.*Total of \([0-9]*\) messages sent in \([0-9.]*\) sec.*/\1 \2/p' "$tx") || true
            received=$(sed -n 's/.*Total \([0-9]*\) messages received.*/\1/p' "$rx")
            ;;
        mgen) ;;
        nuttcp)
            received=$(sed -n 's/.* pkt=\([0-9]*\) .*/\1/p' "$tx")
            lost=$(sed -n 's/.* drop=\([0-9]*\) .*/\1/p' "$tx")
            seconds=$(sed -n 's/.*real_seconds=\([0-9.]*\) .*/\1/p' "$tx")
            # `pkt` is what should have come.
            if [[ -n $received ]]; then sent=$received received=$((received - lost)); fi
            ;;
        udpbench)
            read -r sent seconds < <(sed -n 's/^send:.*packets \([0-9]*\),.*duration \([0-9.]*\),.*/\1 \2/p' "$tx") || true
            received=$(sed -n 's/^recv:.*packets \([0-9]*\),.*/\1/p' "$rx")
            ;;
        bare:*)
            read -r sent seconds < <(sed -n 's/^sent \([0-9]*\) datagrams in \([0-9.]*\) s/\1 \2/p' "$tx") || true
            received=$(sed -n 's/^received \([0-9]*\) datagrams/\1/p' "$rx")
            ;;
        ours:*)
            read -r sent seconds < <(jq -r '"\(.sender.offered) \(.sender.offered / .sender.offered_load_pps)"' "$tx") || true
            # The unknown tail would hide a loss: without a total there is no count.
            received=$(jq -r 'if .totals.sent then .totals.unique else "-" end' "$rx" || true)
            ;;
    esac
    echo "${sent:--} ${seconds:--} ${received:--}"
}

# answer_with TOOL MODE SECONDS and ask_with: set `receiver` and `sender` for round trips; MODE is blocking or spinning.
answer_with() {
    case $1 in
        sockperf)
            receiver=(sockperf sr -i "$group" -p 5777 --mc-rx-if "$rx_address" --mc-tx-if "$rx_address" --mc-ttl 1)
            if [[ $2 = spinning ]]; then receiver+=(--nonblocked); fi
            ;;
        bare) receiver=("$bare" echo "$2" eth0 "$rtt_size" "$(($3 + 2))") ;;
        ours)
            # As the others, without the kernel's stamps: these cost a third of a microsecond each way.
            receiver=("$ours" echo -I eth0 -g "$group" --loop off --quiet -i 0 --timestamps application)
            if [[ $2 = spinning ]]; then receiver+=(--spin); fi
            ;;
    esac
}

ask_with() {
    case $1 in
        sockperf)
            sender=(sockperf pp -i "$group" -p 5777 --mc-tx-if "$tx_address" --mc-rx-if "$tx_address" --mc-ttl 1
                -m "$rtt_size" -t "$3")
            if [[ $2 = spinning ]]; then sender+=(--nonblocked); fi
            ;;
        bare) sender=("$bare" ping "$2" eth0 "$rtt_size" "$3") ;;
        ours)
            sender=("$ours" ping -I eth0 -g "$group" --loop off --closed -s "$rtt_size" -t "${3}s" --quiet -i 0
                --timestamps application --report json)
            if [[ $2 = spinning ]]; then sender+=(--spin); fi
            ;;
    esac
}

# half_trip_of TOOL FILES: prints "p50 p99" of half a round trip, in us.
half_trip_of() {
    local tx=$2-send.out
    case $1 in
        sockperf)
            sed -n 's/.*percentile \(50\|99\)\.000 = *\([0-9.]*\).*/\1 \2/p' "$tx" | sort -n | awk '{ printf "%s ", $2 }'
            ;;
        bare) sed -n 's/.*p50 \([0-9.]*\) us, p99 \([0-9.]*\) us.*/\1 \2/p' "$tx" ;;
        ours) jq -r '.totals.half_rtt_ns | "\(.p50 / 1000) \(.p99 / 1000)"' "$tx" || true ;;
    esac
}
