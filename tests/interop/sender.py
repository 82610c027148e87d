"""A plain sender of multicast, as people write it.

sender.py GROUP PORT INTERFACE ADDRESS COUNT
"""

import socket
import struct
import sys

group, port, interface, address, count = sys.argv[1:]
family = socket.AF_INET6 if ":" in group else socket.AF_INET
sender = socket.socket(family, socket.SOCK_DGRAM)
if family == socket.AF_INET6:
    index = struct.pack("@I", socket.if_nametoindex(interface))
    sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 3)
else:
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 3)
for number in range(int(count)):
    sender.sendto(b"plain %d" % number, (group, int(port)))
