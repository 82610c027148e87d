#!/usr/bin/env bash
# Takes the pictures of the README from a real run, into results/pictures/: the live view, and the HTML report.
#
#   scripts/pictures.sh
#
# Two hosts and a switch that it makes itself (network namespaces), and in the switch a queue that is too short for what
# two senders put into it together: the loss and the delay are real. Needs root, iproute2, tmux, python3 and chromium.
# Takes about a minute. Nothing outside the namespaces is touched, and nothing stays behind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'error: %s\n' "$1" >&2; exit 1; }

[[ $# -eq 0 ]] || fail "no argument is taken, not even $1; what this does is at the top of $0"
[[ $(id -u) -eq 0 ]] || fail "network namespaces need root: sudo $0"
for program in ip tc tmux python3 chromium; do
    command -v "$program" >/dev/null ||
        fail "this needs $program; on Debian: apt install iproute2 tmux python3 chromium fonts-dejavu-core"
done
cargo build --release --locked
tool=$(realpath "${CARGO_TARGET_DIR:-target}/release/mcast-bench")

seconds=40
columns=112
lines=38
sender=mb$$-sender
receiver=mb$$-receiver
switch=mb$$-switch
pictures=$PWD/results/pictures
work=$(mktemp -d)

# shellcheck disable=SC2317 # called by the trap
clean_up() {
    trap - EXIT INT TERM
    tmux -S "$work/tmux" kill-server 2>/dev/null || true
    for pid in $(jobs -p); do
        kill -TERM "$pid" 2>/dev/null || true
    done
    wait
    for name in "$sender" "$receiver" "$switch"; do
        ip netns delete "$name" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# host NAME NUMBER: puts a host behind the switch.
host() {
    ip netns add "$1"
    ip -n "$switch" link add "port$2" type veth peer name eth0 netns "$1"
    ip -n "$switch" link set "port$2" master br0 up
    ip -n "$1" link set lo up
    ip -n "$1" address add "198.18.0.$2/24" dev eth0
    ip -n "$1" link set eth0 up
}

# send FLAGS...: a load on the sending host.
send() {
    ip netns exec "$sender" timeout "$((seconds + 20))" "$tool" send --quiet --iface eth0 --pace sleep \
        --time "${seconds}s" "$@" >/dev/null &
}

# until_true COMMAND...: repeats it, for as long as a run takes at most.
until_true() {
    for ((tries = 0; tries < 10 * (seconds + 20); tries++)); do
        "$@" && return
        sleep 0.1
    done
    fail "waited in vain: $*"
}

shows() { tmux -S "$work/tmux" capture-pane -p | grep -q "$1"; }

# photograph PAGE WIDTH HEIGHT SCALE NAME: as a browser shows it in the light.
photograph() {
    local page=$1 size=$2,$3 scale=$4 name=$5
    chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --hide-scrollbars --blink-settings=preferredColorScheme=1 \
        --user-data-dir="$work/profile-$name" --window-size="$size" --force-device-scale-factor="$scale" \
        --screenshot="$work/$name.png" "file://$page" >"$work/$name.log" 2>&1 ||
        { cat "$work/$name.log" >&2; fail "chromium took no picture of $page"; }
    mv "$work/$name.png" "$pictures/$name.png"
    printf '%s: %s bytes\n' "results/pictures/$name.png" "$(stat -c %s "$pictures/$name.png")"
}

ip netns add "$switch"
ip -n "$switch" link add br0 type bridge mcast_snooping 0
ip -n "$switch" link set br0 up
host "$sender" 1
host "$receiver" 2
tc -n "$switch" qdisc add dev port2 root tbf rate 100mbit burst 16k limit 150k
mkdir -p "$pictures"

# Reports name the host and the command; neither is to be that of whoever takes pictures.
cat >"$work/receive" <<COMMANDS
printf receiver >/proc/sys/kernel/hostname
cd $work
export PATH=$(dirname "$tool"):\$PATH
mcast-bench recv --iface eth0 --group 233.252.0.1+1 --live --interval 500ms --ready-file ready --report html:report.html
echo \$? >code
COMMANDS
env -u NO_COLOR ip netns exec "$receiver" unshare --uts tmux -S "$work/tmux" -f /dev/null -u \
    new-session -d -x "$columns" -y "$lines" bash "$work/receive"
until_true test -e "$work/ready"
send --group 233.252.0.1 --rate 6k
send --group 233.252.0.2 --rate 3500 --schedule on-off:1s/6s
until_true shows "00:$((seconds - 8))"
tmux -S "$work/tmux" capture-pane -e -p | scripts/terminal_picture.py "$columns" "$lines" >"$work/live.svg"
until_true test -s "$work/code"
[[ $(<"$work/code") -eq 0 ]] || fail "this run is no model: the machine was too busy for it to be valid; try again"

read -r width height < <(sed -n '1s/.*width="\([0-9]*\)" height="\([0-9]*\)".*/\1 \2/p' "$work/live.svg")
photograph "$work/live.svg" "$width" "$height" 2 live
photograph "$work/report.html" 1280 1500 1 report
