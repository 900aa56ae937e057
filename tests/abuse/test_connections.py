"""Connections that come to nothing: silent ones, floods, half an OPEN, SYNs without an end, no descriptors left."""
import os
import random
import resource
import socket
import struct
import subprocess
import time

import bgp
from abuse import abuse, check, descriptors, wait_until
from crowd import clients, strangers
from harness import Skip


@abuse("HOSTILE-INPUT §3 connection flood: 500 silent connections, 200 PEs, one PE 100 times, 200 strangers; a new PE has its session within 5 s")
def silent_connections(a):
    a.start()
    with a.during("500 silent connections", median=0.5):
        a.connect(clients(200) + ["127.1.30.1"] * 100 + strangers(200))
        a.crowd.run(seconds=a.size(3, 60))
        a.newcomer()
    a.over(counts=[("connections_refused_total", {"reason": "stranger"}, 200), ("connections_refused_total", {"reason": "superseded"}, 99)],
           log=["connection from 127.66.* refused: no neighbour and no listen range has this address", "connection from 127.1.30.1 dropped: "])


@abuse("HOSTILE-INPUT §3 connection flood: PEs and strangers connect and leave as fast as they can")
def connection_flood(a):
    a.start()
    addresses, made, end = clients(200) + strangers(50), 0, time.monotonic() + a.size(4, 60)
    with a.during("connection flood"):
        while time.monotonic() < end:
            for line in a.connect(random.Random(made).sample(addresses, 50)):
                made += 1
                if made % 2:
                    a.crowd.drop(line, reset=made % 4 == 1)
            a.crowd.run(seconds=0.005)
            if len(a.crowd.lines) > 400:
                a.crowd.close()
        a.newcomer()
    a.notes["connections"] = made
    a.over(counts=[("connections_refused_total", {"reason": "stranger"}, made // 12)], log=["connection from 127.66.* refused"], lines=a.size(1000, 2000))


@abuse("[security] session-rate: what comes faster is refused, counted and said; who was there stays, who waits a moment gets in")
def session_rate(a):
    a.start(tail="[security]\nsession-rate = 50\n")
    with a.during("flood above the session rate"):
        end = time.monotonic() + a.size(2, 20)
        while time.monotonic() < end:
            a.connect(clients(40))
            a.crowd.run(seconds=0.02)
            a.crowd.close()
        time.sleep(1)
        a.newcomer()
    a.over(counts=[("connections_refused_total", {"reason": "rate"}, 100)], log=["connection from 127.1.* refused: .*session-rate"])


@abuse("RFC 4271 §8.2.2: half an OPEN, an OPEN and nothing more, an OPEN an octet at a time, octets that are no BGP")
def half_open(a):
    a.start()
    half, only_open, slow, noise = (clients(60, 60 * i) for i in range(4))
    dice = random.Random(1)
    with a.during("240 half-open sessions"):
        for line in a.connect(half):
            line.send(line.opening[:dice.randrange(1, len(line.opening))])
        for line in a.connect(only_open):
            line.send(line.opening)
        dripping = a.connect(slow)
        for line in a.connect(noise):
            line.send(dice.randbytes(dice.randrange(19, 5000)))
        for step in range(a.size(20, 60)):
            for line in dripping:
                if not line.closed:
                    a.crowd.send(line, line.opening[step:step + 1])
            a.crowd.run(seconds=0.15 if not a.long else 1)
        a.newcomer()
        check(all(l.notification and l.notification[0] == 1 for l in a.crowd.lines if l.address in noise), "octets without BGP's marker are answered with 1/1 (RFC 4271 §6.1)")
    a.over(counts=[("notifications_total", {"direction": "out", "code": "1"}, 50)], lines=a.size(800, 3000), log=["Message Header Error"])


def syn(source, port, target, target_port):
    """An IPv4 packet with a SYN; the kernel fills in the checksum of the IP header."""
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, socket.inet_aton(source), socket.inet_aton(target))
    tcp = struct.pack(">HHIIBBHHH", port, target_port, 1, 0, 0x50, 2, 1024, 0, 0)
    padded = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack(">HH", 6, len(tcp)) + tcp
    total = sum(struct.unpack(">%dH" % (len(padded) // 2), padded))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ip + tcp[:16] + struct.pack(">H", ~total & 0xFFFF) + tcp[18:]


@abuse("RFC 4987: SYNs from addresses that never answer; the kernel's queue is full, sessions come up nevertheless")
def syn_flood(a):
    if not a.isolated or os.geteuid() != 0:
        raise Skip("needs root and a network namespace")
    # What the kernel answers comes back on lo, for nobody: no RST ends what the SYN began.
    subprocess.run("ip addr add 10.9.0.100/32 dev lo && ip route add 198.18.0.0/15 dev lo", shell=True, check=True)
    a.start(listen=(("127.0.0.1", 1790), ("10.9.0.100", 1790)))
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    dice = random.Random(2)
    waiting = lambda: subprocess.run(["ss", "-Htan", "state", "syn-recv"], capture_output=True, text=True).stdout.count("\n")
    with a.during("SYN flood"):
        most, end = 0, time.monotonic() + a.size(3, 30)
        while time.monotonic() < end:
            for _ in range(500):
                raw.sendto(syn("198.18.%d.%d" % (dice.randrange(256), dice.randrange(256)), dice.randrange(1024, 65536), "10.9.0.100", 1790), ("10.9.0.100", 0))
            most = max(most, waiting())
            time.sleep(0.05)
        check(most > 100, "the SYNs did not arrive: %d half-open connections" % most)
        a.notes["syn_recv"] = most
        a.newcomer()
    raw.close()
    a.over(lines=20)


@abuse("HOSTILE-INPUT §3: no descriptors left: said, counted, sessions stay, the silent ones go first, all is well when there are some again")
def descriptors_exhausted(a):
    a.start(tail="[security]\nmax-pending-sessions = 5000\n")
    pid = a.heliod.child.pid
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors(pid) + 40, 20000))
    with a.during("no descriptors left"):
        a.connect(clients(300))
        a.crowd.run(seconds=a.size(2, 20))
        a.newcomer()
        check(descriptors(pid) >= a.before.descriptors + 30, "the descriptors were not used up: %d" % descriptors(pid))
    a.crowd.close()
    wait_until(lambda: descriptors(pid) <= a.before.descriptors + 3, "descriptors back", 20)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (20000, 20000))
    a.newcomer("127.1.8.2")
    a.over(counts=[("descriptors_exhausted_total", {}, 1), ("connections_refused_total", {"reason": "pending"}, 100)],
           log=["no descriptors left"])


@abuse("H7: with nothing else going on, a change of the pair takes less than 5 ms in the median")
def idle(a):
    a.start()
    with a.during("nothing else", median=0.005):
        time.sleep(a.size(3, 30))
    a.over(lines=0, mib=8)
