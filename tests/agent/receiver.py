"""A server that knows of nothing: binds a datagram socket, counts the notes that come in by their kind, and
answers every eighth good one of a UDP client, who waits for that.

receiver.py UNIX-PATH|PORT. An empty datagram ends it; it then prints what it has counted as JSON."""

import collections
import json
import socket
import sys


def kind(message):
    """Of a test.Note: text (eight digits, or ten that break a rule) and number."""
    size = message[1]
    text, number = message[2 : 2 + size], message[3 + size]
    return ("+" if number < 5 else "-") + ("+" if size < 10 else "-"), int(text)


def main(address):
    unix = not address.isdigit()
    server = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(address if unix else ("127.0.0.1", int(address)))
    print("ready", flush=True)
    counts, expected, faults = collections.Counter(), 0, 0
    while True:
        message, sender = server.recvfrom(65536)
        if not message:
            break
        which, sequence = kind(message)
        counts[which] += 1
        if which == "++":
            faults += sequence != expected
            expected = sequence + 1
            if not unix and sequence % 8 == 7:
                server.sendto(b"%d" % sequence, sender)
    drops = 0
    if not unix:
        local = "0100007F:%04X" % int(address)
        with open("/proc/net/udp") as table:
            drops = next(int(line.split()[-1]) for line in table if line.split()[1] == local)
    print(json.dumps({"counts": counts, "next": expected, "faults": faults, "drops": drops}), flush=True)


main(sys.argv[1])
