#!/usr/bin/env bash
# Two hosts on one machine: network namespaces, joined by a veth pair or, with --bridge, by a bridge.
#
#   scripts/netns.sh [--bridge]                                  open a lab, say how to use it, wait for Enter
#   scripts/netns.sh [--bridge] run 'ON SENDER' 'ON RECEIVER'    run a command on each, then clean up
#
# `run` starts the receiver's command, waits until it has joined a group (3 seconds at most), and runs the
# sender's. Each may take 120 seconds, or LAB_LIMIT. It exits as the sender's command did, or if that is 0 as
# the receiver's.
#
# Nothing outside the namespaces is touched, and nothing stays behind.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() { sed -n '2,11{s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
fail() { printf 'error: %s\n' "$1" >&2; exit 1; }

bridge=no
mode=open
while [[ $# -gt 0 ]]; do
    case $1 in
        --bridge) bridge=yes; shift ;;
        run) [[ $# -eq 3 ]] || usage; mode=run; on_sender=$2; on_receiver=$3; break ;;
        *) usage ;;
    esac
done

command -v ip >/dev/null || fail "this needs the program ip: install iproute2"
[[ $(id -u) -eq 0 ]] || fail "network namespaces need root: sudo $0"

limit=${LAB_LIMIT:-120}
sender=mb$$-sender
receiver=mb$$-receiver
switch=mb$$-switch
said=$(mktemp)
sender_pid=
receiver_pid=

# shellcheck disable=SC2317 # called by the trap
clean_up() {
    trap - EXIT INT TERM HUP
    for pid in $sender_pid $receiver_pid; do
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    # A shell that is still open in a namespace keeps that alive, but not the link.
    ip -n "$sender" link delete eth0 2>/dev/null || true
    for name in "$sender" "$receiver" "$switch"; do
        ip netns delete "$name" 2>/dev/null || true
    done
    rm -f "$said"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# host NAME NUMBER: takes the network of a host up.
host() {
    ip -n "$1" -batch - <<BATCH
link set lo up
link set eth0 addrgenmode none
link set eth0 up
address add 198.18.0.$2/24 dev eth0
address add fd00:18::$2/64 dev eth0 nodad
address add fe80::$2/64 dev eth0 nodad
route add 224.0.0.0/4 dev eth0
BATCH
}

# has_link NAME: a device is up before its queue is, and loses what it is asked to send in between.
has_link() {
    for _ in {1..100}; do
        ip -n "$1" link show dev eth0 | grep -q 'state UP' && return
        sleep 0.02
    done
    fail "no link in $1"
}

groups_of() { ip -n "$1" maddress show dev eth0 | grep -c 'inet' || true; }

# inside NAME COMMAND: runs it, no longer than the limit. `timeout` hands signals on to it.
inside() {
    exec ip netns exec "$1" env "PATH=${CARGO_TARGET_DIR:-$here/target}/release:$PATH" \
        timeout --kill-after=2 "$limit" bash -c "$2"
}

ip netns add "$sender"
ip netns add "$receiver"
if [[ $bridge = yes ]]; then
    ip netns add "$switch"
    ip -n "$switch" link add br0 type bridge
    for name in "$sender" "$receiver"; do
        port=${name#*-}
        ip -n "$switch" link add "$port" type veth peer name eth0 netns "$name"
        ip -n "$switch" link set "$port" master br0 up
    done
    ip -n "$switch" link set br0 up
else
    ip -n "$sender" link add eth0 type veth peer name eth0 netns "$receiver"
fi
host "$sender" 1
host "$receiver" 2
has_link "$sender"
has_link "$receiver"

if [[ $mode = open ]]; then
    cat <<TEXT
Two hosts: $sender (198.18.0.1) and $receiver (198.18.0.2), joined by $(
        [[ $bridge = yes ]] && echo "a bridge in $switch" || echo "a veth pair"
    ).

In a second terminal:  sudo ip netns exec $receiver $here/target/release/mcast-bench recv --iface eth0
In a third terminal:   sudo ip netns exec $sender $here/target/release/mcast-bench send --iface eth0
A shell on a host:     sudo ip netns exec $sender bash

Enter or Ctrl-C takes it all away.
TEXT
    read -r || true
    exit 0
fi

at_rest=$(groups_of "$receiver")
(inside "$receiver" "$on_receiver") >"$said" 2>&1 &
receiver_pid=$!
for _ in {1..60}; do
    [[ $(groups_of "$receiver") -gt $at_rest ]] && break
    kill -0 "$receiver_pid" 2>/dev/null || break
    sleep 0.05
done

code=0
printf '== sender: %s\n' "$on_sender"
# In the background, because a trap waits for what runs in front.
(inside "$sender" "$on_sender") 2>&1 &
sender_pid=$!
wait "$sender_pid" || code=$?
sender_pid=
receiver_code=0
wait "$receiver_pid" || receiver_code=$?
receiver_pid=
printf '\n== receiver: %s\n' "$on_receiver"
cat "$said"
exit $((code != 0 ? code : receiver_code))
