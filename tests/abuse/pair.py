#!/usr/bin/python3
"""The untouched pair: PE A announces, changes and withdraws markers, PE B receives them; a process of its own.

    pair.py --target 127.0.0.1 --port 1790 --a 127.1.9.1 --b 127.1.9.2 [--hold 90] [--interval 0.02]

Every change is of a prefix that has no other change under way, so B must hear exactly one message of it: an announcement with
the label of that change, or a withdrawal. Anything else - twice, wrong, not asked for, a session that ends - is a problem.
Commands come as lines on standard input, answers as lines of JSON: `sample` (figures since the last one), `finish` (no further
changes; all of them delivered, B's table equal to A's), `quit`.
"""
import argparse
import json
import pathlib
import random
import selectors
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
sys.dont_write_bytecode = True
import bgp

TARGET = "65000:31337"  # no abuse uses it
RD = "65000:31337"
PREFIXES = ["10.77.%d.0/24" % i for i in range(250)]
FINISH = 40.0


class Session:
    """One side: a socket with messages cut from its stream, and its keepalives."""

    def __init__(self, address, options):
        self.address, self.hold, self.buffer, self.octets = address, options.hold, b"", 0
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind((address, 0))
        self.socket.settimeout(15)
        self.socket.connect((options.target, options.port))
        caps = bgp.capabilities((bgp.VPNV4, bgp.RTC), 65000)
        self.send(bgp.open_message(65000, self.hold, address, caps))
        while not any(kind == bgp.OPEN for kind, _ in self.messages()):
            self.fill()
        self.send(bgp.message(bgp.KEEPALIVE))
        nlri = bgp.rtc_nlri(65000, TARGET)
        self.send(bgp.update(bgp.path_attributes() + bgp.mp_reach(bgp.RTC, bgp.ip(address), nlri)) +
                  bgp.end_of_rib(bgp.RTC) + bgp.end_of_rib(bgp.VPNV4))
        self.next_keepalive = time.monotonic() + self.hold / 3
        self.heard = time.monotonic()

    def send(self, octets):
        self.socket.sendall(octets)
        self.octets += len(octets)

    def fill(self):
        data = self.socket.recv(262144)
        if not data:
            raise OSError("the reflector closed the session of %s" % self.address)
        self.buffer += data
        self.heard = time.monotonic()

    def messages(self):
        while len(self.buffer) >= 19:
            size, kind = struct.unpack(">HB", self.buffer[16:19])
            if len(self.buffer) < size:
                return
            body, self.buffer = self.buffer[19:size], self.buffer[size:]
            yield kind, body

    def keep_alive(self, now):
        if now >= self.next_keepalive:
            self.send(bgp.message(bgp.KEEPALIVE))
            self.next_keepalive = now + self.hold / 3
        if now - self.heard > self.hold:
            raise OSError("%s heard nothing for its hold time of %d s" % (self.address, self.hold))


class Pair:
    def __init__(self, options):
        self.options, self.random = options, random.Random(7)
        self.said, self.has, self.pending = {}, {}, {}  # by key: label; by key: (label or None, when)
        self.keys = [bgp.vpn_key(RD, p) for p in PREFIXES]
        self.times, self.problems, self.eors = [], [], 0
        self.position = self.label = self.changes = 0
        self.changing, self.finish_by = True, None
        self.a, self.b = Session(options.a, options), Session(options.b, options)
        self.next_change = time.monotonic()

    # ------------------------------------------------------------ A

    def change(self, now):
        """The next prefix that has nothing under way: announced, announced with another label, or withdrawn."""
        for _ in range(len(PREFIXES)):
            self.position = (self.position + 1) % len(PREFIXES)
            key = self.keys[self.position]
            if key not in self.pending:
                break
        else:
            return
        prefix = PREFIXES[self.position]
        self.changes += 1
        if key in self.said and self.random.random() < 0.5:
            del self.said[key]
            octets = bgp.update(bgp.mp_unreach(bgp.VPNV4, bgp.vpn_nlri(RD, prefix, raw_labels=bgp.WITHDRAW_LABEL)))
        else:
            self.label = self.label % 900000 + 16
            self.said[key] = self.label
            octets = bgp.update(bgp.path_attributes([TARGET]) + bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.77.0.1"), bgp.vpn_nlri(RD, prefix, (self.label,))))
        self.pending[key] = (self.said.get(key), now)
        self.a.send(octets)

    # ------------------------------------------------------------ B

    def take(self, session, kind, body, now):
        if kind == bgp.NOTIFICATION:
            return self.problem("%s was sent NOTIFICATION %d/%d" % (session.address, body[0], body[1]))
        if kind != bgp.UPDATE:
            return None
        update = bgp.Update(body)
        for key in update.withdrawn:
            if key[0] == bgp.VPNV4:
                self.heard(session, key, None, now)
        for route in update.announced:
            if route.family == bgp.VPNV4:
                self.heard(session, route.key, route.labels[0], now)
        return None

    def heard(self, session, key, label, now):
        what = "%s %s" % (bgp.format_key(key), "withdrawn" if label is None else "with label %d" % label)
        if session is self.a:
            return self.problem("A was sent %s" % what)
        waiting = self.pending.get(key)
        if waiting is None or waiting[0] != label:
            return self.problem("B was sent %s, expected %s" % (what, "nothing" if waiting is None else waiting[0]))
        del self.pending[key]
        self.times.append(now - waiting[1])
        if label is None:
            self.has.pop(key, None)
        else:
            self.has[key] = label
        return None

    def problem(self, text):
        if len(self.problems) < 10:
            self.problems.append(text)

    # ------------------------------------------------------------ commands

    def answer(self, **more):
        times, self.times = sorted(self.times), []
        at = lambda q: times[min(len(times) - 1, int(q * len(times)))] * 1000 if times else None
        now = time.monotonic()
        print(json.dumps(dict(more, count=len(times), median=at(0.5), p99=at(0.99), max=at(1), pending=len(self.pending),
                              oldest=max((now - at for _, at in self.pending.values()), default=0), problems=self.problems)), flush=True)

    def command(self, word):
        if word == "sample":
            self.answer()
        elif word == "finish":
            self.changing, self.finish_by = False, time.monotonic() + FINISH
        elif word in ("quit", ""):
            sys.exit(0)

    def finish(self, now):
        if self.pending and now < self.finish_by:
            return
        self.finish_by = None
        if self.pending:
            self.problem("%d changes never reached B" % len(self.pending))
        if self.has != self.said:
            self.problem("B has %d markers, A announces %d, %d differ" % (len(self.has), len(self.said), len(set(self.has.items()) ^ set(self.said.items()))))
        self.answer(routes=len(self.has), changes=self.changes, octets=self.a.octets + self.b.octets)

    def run(self):
        poll = selectors.DefaultSelector()
        for session in (self.a, self.b):
            poll.register(session.socket, selectors.EVENT_READ, session)
        poll.register(sys.stdin, selectors.EVENT_READ, None)
        self.answer(ready=True)
        while True:
            now = time.monotonic()
            for key, _ in poll.select(max(0, min(self.next_change - now, 0.05)) if self.changing else 0.05):
                if key.data is None:
                    self.command(sys.stdin.readline().strip())
                    continue
                try:
                    key.data.fill()
                    now = time.monotonic()
                    for kind, body in key.data.messages():
                        self.take(key.data, kind, body, now)
                except (OSError, bgp.Violation) as error:
                    self.problem("%s: %s" % (key.data.address, error))
                    poll.unregister(key.data.socket)
            now = time.monotonic()
            try:
                self.a.keep_alive(now), self.b.keep_alive(now)
                if self.changing and now >= self.next_change:
                    self.change(now)
                    self.next_change = now + self.options.interval
            except OSError as error:
                self.problem(str(error))
                self.changing = False
            if self.finish_by is not None:
                self.finish(now)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1790)
    parser.add_argument("--a", default="127.1.9.1")
    parser.add_argument("--b", default="127.1.9.2")
    parser.add_argument("--hold", type=int, default=90)
    parser.add_argument("--interval", type=float, default=0.02)
    Pair(parser.parse_args()).run()


if __name__ == "__main__":
    main()
