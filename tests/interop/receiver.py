"""A plain receiver of multicast, as people write it. Prints the first bytes and the length of each datagram.

receiver.py READY_FILE GROUP PORT INTERFACE ADDRESS STRUCTURE BIND COUNT LENGTH

STRUCTURE: mreq (8 bytes: group, address), mreqn (12 bytes: group, address, index), mreq6 (IPv6: group, index).
BIND: group or any. Ends after COUNT datagrams of LENGTH bytes, or when nothing comes for ten seconds.
"""

import socket
import struct
import sys

ready_file, group, port, interface, address, structure, bind, count, length = sys.argv[1:]
port, count, length = int(port), int(count), int(length)
index = socket.if_nametoindex(interface)
family = socket.AF_INET6 if structure == "mreq6" else socket.AF_INET
receiver = socket.socket(family, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
name = group if bind == "group" else ""
receiver.bind((name, port, 0, index) if family == socket.AF_INET6 else (name, port))
if structure == "mreq6":
    membership = socket.inet_pton(family, group) + struct.pack("@I", index)
    receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
else:
    membership = socket.inet_aton(group) + socket.inet_aton(address)
    if structure == "mreqn":
        membership += struct.pack("@i", index)
    assert len(membership) == {"mreq": 8, "mreqn": 12}[structure]
    receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
receiver.settimeout(10)
with open(ready_file, "w") as file:
    file.write("ready\n")
while count > 0:
    payload = receiver.recv(65536)
    print(payload[:34].hex(), len(payload))
    count -= len(payload) == length
