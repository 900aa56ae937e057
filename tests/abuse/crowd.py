"""Many light BGP sessions in one thread: connections that are driven as far as the test says and misbehave from there.

A Line is one connection; Crowd.run() moves octets both ways for all of them until a condition holds. What arrives is cut into
messages and counted; with `keep` the VPN routes are kept as a table {NLRI without label: label octets}.
"""
import errno
import selectors
import socket
import struct
import time

import bgp
from harness import Failure

READ = selectors.EVENT_READ
BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE


def nlri_of(data):
    """(key, label) of each VPN NLRI with one label; quick, for tables of a million."""
    at, out = 0, []
    while at < len(data):
        end = at + 1 + (data[at] + 7) // 8
        out.append((data[at:at + 1] + data[at + 4:end], data[at + 1:at + 4]))
        at = end
    return out


class Line:
    def __init__(self, address, families=(bgp.VPNV4,), hold=90, keep=False, receive_buffer=None, target=("127.0.0.1", 1790), asn=65000, **caps):
        self.address, self.families, self.keep, self.target = address, families, keep, target
        self.out, self.inbox = bytearray(), b""
        self.counts = [0] * 256
        self.routes, self.withdrawals, self.eors = {}, 0, set()
        self.notification = self.open = None
        self.closed, self.reads, self.next_keepalive, self.hold = False, True, None, hold
        self.opening = bgp.open_message(asn, hold, address, bgp.capabilities(families, asn, **caps))
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 0))
        refused = self.socket.connect_ex(self.target)
        if refused not in (0, errno.EINPROGRESS):
            raise OSError(refused, "connect from %s" % address)

    @property
    def established(self):
        return self.counts[bgp.KEEPALIVE] > 0

    def send(self, octets):
        self.out += octets
        return self

    def handshake(self):
        """OPEN and the first KEEPALIVE at once: RFC 4271 §8 takes them one after the other."""
        return self.send(self.opening + bgp.message(bgp.KEEPALIVE))

    def end(self, reset=False):
        self.closed = True
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def take(self, data):
        self.inbox += data
        at = 0
        while len(self.inbox) - at >= 19:
            size, kind = struct.unpack_from(">HB", self.inbox, at + 16)
            if len(self.inbox) - at < size:
                break
            self.counts[kind] += 1
            body = self.inbox[at + 19:at + size]
            if kind == bgp.NOTIFICATION:
                self.notification = (body[0], body[1])
            elif kind == bgp.OPEN:
                self.open = bgp.Open(body)
            elif kind == bgp.UPDATE and self.keep:
                self.update(body)
            at += size
        self.inbox = self.inbox[at:]

    def update(self, body):
        data, attributes = body[4:], 0
        while data:
            size, head = (struct.unpack_from(">H", data, 2)[0], 4) if data[0] & bgp.EXTENDED else (data[2], 3)
            kind, value, data = data[1], data[head:head + size], data[head + size:]
            attributes += 1
            family = struct.unpack_from(">HB", value) if kind in (bgp.MP_REACH, bgp.MP_UNREACH) else None
            if kind == bgp.MP_UNREACH and len(value) == 3 and attributes == 1 and not data:
                self.eors.add(family)
            elif kind == bgp.MP_UNREACH and family == bgp.VPNV4:
                for key, _ in nlri_of(value[3:]):
                    self.withdrawals += 1
                    self.routes.pop(key, None)
            elif kind == bgp.MP_UNREACH:
                self.withdrawals += len(value) > 3
            elif kind == bgp.MP_REACH and family == bgp.VPNV4:
                self.routes.update(nlri_of(value[5 + value[3]:]))


class Crowd:
    def __init__(self):
        self.lines, self.poll = [], selectors.DefaultSelector()

    def connect(self, addresses, **options):
        made = [Line(a, **options) for a in addresses]
        for line in made:
            self.add(line)
        return made

    def add(self, line):
        self.lines.append(line)
        self.poll.register(line.socket, BOTH, line)
        return line

    def establish(self, addresses, deadline=20, **options):
        """Sessions that are Established; those that were refused on the way are tried again."""
        end, made = time.monotonic() + deadline, {}
        while True:
            for address in addresses:
                if address not in made or made[address].closed:
                    made[address] = self.add(Line(address, **options)).handshake()
            self.run(lambda: all(l.established or l.closed for l in made.values()), max(0.1, end - time.monotonic()), must=False)
            if all(l.established and not l.closed for l in made.values()):
                return [made[a] for a in addresses]
            if time.monotonic() > end:
                bad = [l for l in made.values() if not l.established or l.closed]
                raise Failure("%d of %d sessions did not come up; %s: closed %s, NOTIFICATION %s" % (len(bad), len(made), bad[0].address, bad[0].closed, bad[0].notification))
            time.sleep(0.05)

    def run(self, condition=None, seconds=10.0, must=True):
        """Moves octets until the condition holds or the time is over, which fails when it `must`."""
        end = time.monotonic() + seconds
        while True:
            if condition and condition():
                return True
            now = time.monotonic()
            if now > end:
                if condition and must:
                    raise Failure("the crowd of %d did not get there within %.0f s" % (len(self.lines), seconds))
                return False
            self.keep_alive(now)
            if not self.poll.get_map():
                time.sleep(0.01)
                continue
            for key, events in self.poll.select(min(0.05, end - now)):
                self.move(key.data, events)

    def move(self, line, events):
        try:
            if events & READ and line.reads:
                data = line.socket.recv(262144)
                if not data:
                    return self.drop(line)
                line.take(data)
            if events & selectors.EVENT_WRITE:
                if line.out:
                    del line.out[:line.socket.send(memoryview(line.out)[:262144].tobytes())]
                self.interest(line)
        except BlockingIOError:
            pass
        except OSError:
            self.drop(line)
        return None

    def interest(self, line):
        wanted = (READ if line.reads else 0) | (selectors.EVENT_WRITE if line.out else 0)
        known = self.poll.get_map().get(line.socket) if line.socket.fileno() >= 0 else None
        if wanted and known:
            self.poll.modify(line.socket, wanted, line)
        elif wanted:
            self.poll.register(line.socket, wanted, line)
        elif known:
            self.poll.unregister(line.socket)

    def send(self, line, octets):
        line.send(octets)
        if not line.closed:
            self.interest(line)

    def stop_reading(self, line):
        line.reads = False
        self.interest(line)

    def resume_reading(self, line):
        line.reads = True
        self.interest(line)

    def drop(self, line, reset=False):
        if line.closed:
            return
        try:
            self.poll.unregister(line.socket)
        except KeyError:
            pass
        line.end(reset)

    def keep_alive(self, now):
        for line in self.lines:
            if line.established and not line.closed and now >= (line.next_keepalive or 0):
                if line.next_keepalive is not None:
                    self.send(line, bgp.message(bgp.KEEPALIVE))
                line.next_keepalive = now + line.hold / 3

    def forget_closed(self):
        self.lines = [l for l in self.lines if not l.closed]

    def close(self, reset=False):
        for line in self.lines:
            self.drop(line, reset)
        self.lines = []


def clients(count, start=0):
    """Addresses of clients, none of them the pair's."""
    return ["127.1.%d.%d" % (16 + (start + i) // 250, (start + i) % 250 + 1) for i in range(count)]


def strangers(count):
    return ["127.66.%d.%d" % (i // 250, i % 250 + 1) for i in range(count)]
