"""A scripted BGP speaker: one TCP session whose every message the test decides, with an Adj-RIB-In of what came back.

A reader thread decodes all that arrives with the strict codec of bgp.py and keeps a history in order; a violation of
the RFCs by the other side fails the test. Waiting always has a deadline. Keepalives are sent by themselves.
"""
import socket
import struct
import threading
import time

import bgp

DEADLINE = 12.0  # seconds that any single wait may take


class Failure(AssertionError):
    """A check of a test that did not hold."""


class Event:
    """One thing the peer received: kind is 'announce', 'withdraw', 'eor', 'refresh'."""

    def __init__(self, kind, key=None, route=None, family=None, subtype=None):
        self.at, self.kind, self.key, self.route, self.family, self.subtype = time.monotonic(), kind, key, route, family, subtype

    def __repr__(self):
        what = bgp.format_key(self.key) if self.key else bgp.FAMILY_NAMES.get(self.family)
        return "%s %s%s" % (self.kind, what, "" if self.subtype is None else " subtype %d" % self.subtype)


class Peer:
    def __init__(self, address, target="127.0.0.1", port=1790, asn=65000, router_id=None, hold_time=90,
                 families=(bgp.VPNV4, bgp.RTC), reflector_as=65000, receive_buffer=None, paths_in=(), paths_out=(), **caps):
        """`paths_in`, `paths_out`: families in which path ids are received and sent (RFC 7911), if the reflector agrees."""
        self.arguments = dict(caps, address=address, target=target, port=port, asn=asn, router_id=router_id, hold_time=hold_time,
                              families=families, reflector_as=reflector_as, receive_buffer=receive_buffer, paths_in=paths_in, paths_out=paths_out)
        if paths_in or paths_out:
            caps = dict(caps, extra=caps.get("extra", b"") + bgp.add_path_capability(paths_in, paths_out))
        self.paths_in, self.paths_out = tuple(paths_in), tuple(paths_out)
        self.address, self.target, self.port, self.asn, self.hold_time = address, target, port, asn, hold_time
        self.router_id = router_id or (address if ":" not in address else "10.6.0.1")
        self.families, self.caps, self.receive_buffer = tuple(families), caps, receive_buffer
        self.internal = asn == reflector_as
        self.as_width = 4 if caps.get("four_octet_as", True) else 2
        self.changed = threading.Condition()
        self.adj_in, self.history, self.messages, self.eors = {}, [], [], []
        self.open = self.notification = self.violation = None
        self.established = self.closed = False
        self.socket = None
        self.may_read = threading.Event()
        self.may_read.set()

    def __repr__(self):
        return "peer %s" % self.address

    # ------------------------------------------------------------ session

    def connect(self):
        """TCP only."""
        kind = socket.AF_INET6 if ":" in self.target else socket.AF_INET
        self.socket = socket.socket(kind, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self.socket.bind((self.address, 0))
        self.socket.settimeout(DEADLINE)
        self.socket.connect((self.target, self.port))
        return self.attach(self.socket)

    def attach(self, connected):
        """Takes over a socket that is already connected, e.g. one the reflector opened towards us."""
        self.socket = connected
        self.socket.settimeout(None)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def open_octets(self, **changes):
        caps = bgp.capabilities(self.families, self.asn, **self.caps)
        fields = dict(asn=self.asn, hold_time=self.hold_time, router_id=self.router_id, caps=caps)
        fields.update(changes)
        return bgp.open_message(**fields)

    def start(self, patience=3):
        """Connects and brings the session to Established; tries again while an older session of ours is still there."""
        end = time.monotonic() + patience
        while True:
            try:
                return self.connect().handshake()
            except (Failure, OSError):
                collided = self.notification is not None and self.notification[:2] == (6, 7)
                refused = self.notification is None and self.open is None
                if time.monotonic() > end or not (collided or refused):
                    raise
            self.close()
            time.sleep(0.1)
            self.__init__(**self.arguments)

    def handshake(self):
        self.send(self.open_octets())
        self.wait(lambda: self.open, "an OPEN")
        self.send(bgp.message(bgp.KEEPALIVE))
        self.wait(lambda: self.established, "Established")
        threading.Thread(target=self._keep_alive, daemon=True).start()
        return self

    def send(self, octets):
        self.socket.sendall(octets)
        return self

    def close(self):
        """Ends the TCP session without a NOTIFICATION."""
        self.closed = True
        self.may_read.set()
        if self.socket:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.socket.close()

    def stop_reading(self):
        """From now on nothing is taken from the socket, as from a PE whose control plane hangs."""
        self.may_read.clear()

    def resume_reading(self):
        self.may_read.set()

    def reset(self):
        """Ends the TCP session with RST: whatever was queued in between is lost."""
        self.closed = True
        self.may_read.set()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.shutdown(socket.SHUT_RD)  # the reader thread lets go of the socket; nothing is sent yet
        self.reader.join()
        self.socket.close()

    # ------------------------------------------------------------ saying

    def announce(self, rd, prefix, rts=(), label=16, labels=None, next_hop=None, raw_labels=None, raw_next_hop=None, path_id=1, **attributes):
        """Announces one VPN prefix, or a list of them with the same attributes."""
        prefixes = [prefix] if isinstance(prefix, str) else prefix
        family = bgp.VPNV6 if ":" in prefixes[0] else bgp.VPNV4
        nlri = b"".join(bgp.vpn_nlri(rd, p, labels or (label,), raw_labels, path_id if family in self.paths_out else None) for p in prefixes)
        hop = raw_next_hop if raw_next_hop is not None else bgp.vpn_next_hop(next_hop or self._next_hop(family))
        if not self.internal:
            attributes.setdefault("path", [self.asn])
            attributes.setdefault("local_pref", None)
        attributes.setdefault("as_width", self.as_width)
        return self.send(bgp.update(bgp.path_attributes(rts, **attributes) + bgp.mp_reach(family, hop, nlri)))

    def _next_hop(self, family):
        if family == bgp.VPNV6:
            return "2001:db8::%d" % int(self.router_id.split(".")[-1])
        return "10.6.0.1" if ":" in self.address else "10.1." + self.address.split(".", 2)[2]

    def announce_evpn(self, nlri, rts=(), next_hop="10.1.0.1", **attributes):
        """Announces EVPN routes, given as octets."""
        if not self.internal:
            attributes.setdefault("path", [self.asn])
            attributes.setdefault("local_pref", None)
        attributes.setdefault("as_width", self.as_width)
        return self.send(bgp.update(bgp.path_attributes(rts, **attributes) + bgp.mp_reach(bgp.EVPN, bgp.ip(next_hop), nlri)))

    def withdraw_evpn(self, nlri):
        return self.send(bgp.update(bgp.mp_unreach(bgp.EVPN, nlri)))

    def evpn_routes(self):
        return {k: r for k, r in list(self.adj_in.items()) if k[0] == bgp.EVPN}

    def evpn_route(self, nlri):
        """The route with the key of the given octets."""
        return self.adj_in.get(next(bgp._decode_evpn(nlri))[0])

    def withdraw(self, rd, prefix, raw_labels=bgp.WITHDRAW_LABEL, path_id=1):
        prefixes = [prefix] if isinstance(prefix, str) else prefix
        family = bgp.VPNV6 if ":" in prefixes[0] else bgp.VPNV4
        nlri = b"".join(bgp.vpn_nlri(rd, p, raw_labels=raw_labels, path_id=path_id if family in self.paths_out else None) for p in prefixes)
        return self.send(bgp.update(bgp.mp_unreach(family, nlri)))

    def rtc(self, *targets, origin_as=None, nlri=None, **attributes):
        """Announces RT memberships; a target '' is the default route. `nlri`: octets instead."""
        if nlri is None:
            nlri = b"".join(self.membership(t, origin_as) for t in targets)
        if not self.internal:
            attributes.setdefault("path", [self.asn])
            attributes.setdefault("local_pref", None)
        attributes.setdefault("as_width", self.as_width)
        return self.send(bgp.update(bgp.path_attributes(**attributes) + bgp.mp_reach(bgp.RTC, bgp.ip(self._next_hop(bgp.VPNV4)), nlri)))

    def rtc_withdraw(self, *targets, origin_as=None, nlri=None):
        if nlri is None:
            nlri = b"".join(self.membership(t, origin_as) for t in targets)
        return self.send(bgp.update(bgp.mp_unreach(bgp.RTC, nlri)))

    def membership(self, target, origin_as=None):
        return b"\0" if target == "" else bgp.rtc_nlri(self.asn if origin_as is None else origin_as, target)

    def eor(self, *families):
        for family in families or self.families:
            self.send(bgp.end_of_rib(family))
        return self

    def join(self, *targets):
        """Memberships, then every End-of-RIB: the usual start of a PE."""
        if targets:
            self.rtc(*targets)
        return self.eor()

    # ------------------------------------------------------------ hearing

    def wait(self, condition, what, deadline=DEADLINE):
        end = time.monotonic() + deadline
        with self.changed:
            while not condition():
                left = end - time.monotonic()
                if self.violation:
                    raise Failure("%s was sent a violation: %s" % (self, self.violation))
                if left <= 0 or self.closed:
                    raise Failure("%s: no %s %s; last heard: %s; has: %s; notification: %s" % (
                        self, what, "before the session ended" if self.closed else "within %.0f s" % deadline, self.history[-6:], [bgp.format_key(k) for k in list(self.adj_in)[:8]], self.notification))
                self.changed.wait(min(left, 0.2))
        return self

    def route(self, rd, prefix):
        return self.adj_in.get(bgp.vpn_key(rd, prefix))

    def paths(self, rd, prefix):
        """{path id: Route} of a prefix, for families of `paths_in`."""
        key = bgp.vpn_key(rd, prefix)
        return {k[4]: r for k, r in list(self.adj_in.items()) if k[:4] == key}

    def wait_paths(self, rd, prefix, labels, deadline=DEADLINE):
        """The paths of a prefix once their labels are these."""
        self.wait(lambda: sorted(r.labels[0] for r in self.paths(rd, prefix).values()) == sorted(labels), "paths %s of %s %s" % (labels, rd, prefix), deadline)
        return self.paths(rd, prefix)

    def wait_route(self, rd, prefix, label=None, test=None, deadline=DEADLINE):
        """The route once it is there, and, if asked, has the label and satisfies the test."""
        def there():
            route = self.route(rd, prefix)
            return route and (label is None or route.labels == [label]) and (test is None or test(route))
        self.wait(there, "route %s %s%s" % (rd, prefix, "" if label is None else " with label %d" % label), deadline)
        return self.route(rd, prefix)

    def wait_gone(self, rd, prefix, deadline=DEADLINE):
        return self.wait(lambda: self.route(rd, prefix) is None, "withdrawal of %s %s" % (rd, prefix), deadline)

    def wait_rtc(self, target="", origin_as=65000, deadline=DEADLINE):
        key = bgp.rtc_key(0 if target == "" else origin_as, target and bgp.rt(target))
        self.wait(lambda: key in self.adj_in, "membership of %s" % (target or "default"), deadline)
        return self.adj_in[key]

    def has_rtc(self, target="", origin_as=65000):
        return bgp.rtc_key(0 if target == "" else origin_as, target and bgp.rt(target)) in self.adj_in

    def wait_eor(self, *families):
        return self.wait(lambda: all(f in self.eors for f in families or self.families), "End-of-RIB")

    def wait_notification(self, code, subcode=None, deadline=DEADLINE):
        self.wait(lambda: self.notification, "NOTIFICATION %d/%s" % (code, subcode), deadline)
        if self.notification[0] != code or (subcode is not None and self.notification[1] != subcode):
            raise Failure("%s: NOTIFICATION %d/%d, expected %d/%s" % (self, self.notification[0], self.notification[1], code, subcode))
        return self

    def vpn_routes(self):
        return {k: r for k, r in list(self.adj_in.items()) if k[0] in (bgp.VPNV4, bgp.VPNV6)}

    def mark(self):
        """A position in the history, for events_since: behind the End-of-RIBs, which may come some time after the first routes."""
        self.wait_eor(*(f for f in self.families if f in self.open.families))
        return len(self.history)

    def events_since(self, mark, *kinds, family=None):
        return [e for e in self.history[mark:] if (not kinds or e.kind in kinds) and (family is None or e.family == family)]

    def check(self):
        if self.violation:
            raise Failure("%s was sent a violation: %s" % (self, self.violation))

    # ------------------------------------------------------------ threads

    def _keep_alive(self):
        while not self.closed:
            try:
                self.send(bgp.message(bgp.KEEPALIVE))
            except OSError:
                return
            time.sleep(max(1, self.hold_time // 3))

    def _read(self):
        buffer = b""
        while not self.closed:
            self.may_read.wait()
            try:
                data = self.socket.recv(262144)
            except OSError:
                data = b""
            if not data:
                break
            buffer += data
            with self.changed:
                try:
                    buffer = self._consume(buffer)
                except (bgp.Violation, IndexError, struct.error, ValueError) as error:
                    self.violation = self.violation or "%s: %s; in %s" % (type(error).__name__, error, buffer[:400].hex())
                    buffer = b""
                self.changed.notify_all()
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def _consume(self, buffer):
        while len(buffer) >= 19:
            size, kind = struct.unpack(">HB", buffer[16:19])
            limit = 65535 if self.caps.get("extended_messages") and kind not in (bgp.OPEN, bgp.KEEPALIVE) else 4096
            if buffer[:16] != bgp.MARKER or not 19 <= size <= limit:
                raise bgp.Violation("message header " + buffer[:19].hex())
            if len(buffer) < size:
                break
            self._on_message(kind, buffer[19:size])
            buffer = buffer[size:]
        return buffer

    def _on_message(self, kind, body):
        self.messages.append((kind, body))
        if kind == bgp.OPEN:
            self.open = bgp.Open(body)
        elif kind == bgp.KEEPALIVE:
            self.established = True
        elif kind == bgp.NOTIFICATION:
            self.notification = (body[0], body[1], body[2:])
        elif kind == bgp.ROUTE_REFRESH:
            afi, subtype, safi = struct.unpack(">HBB", body)
            self.history.append(Event("refresh", family=(afi, safi), subtype=subtype))
        elif kind == bgp.UPDATE:
            self._on_update(bgp.Update(body, self.internal, self.as_width, self.paths_in))
        else:
            raise bgp.Violation("message type %d" % kind)

    def _on_update(self, update):
        if update.end_of_rib:
            self.eors.append(update.end_of_rib)
            self.history.append(Event("eor", family=update.end_of_rib))
        for key in update.withdrawn:
            if key[0] not in self.families:
                raise bgp.Violation("withdrawal of family %s, which was not negotiated" % (key[0],))
            self.adj_in.pop(key, None)
            self.history.append(Event("withdraw", key, family=key[0]))
        for route in update.announced:
            if route.family not in self.families:
                raise bgp.Violation("route of family %s, which was not negotiated" % (route.family,))
            self.adj_in[route.key] = route
            self.history.append(Event("announce", route.key, route, family=route.family))


def quiet(*peers, seconds=0.3, deadline=DEADLINE):
    """Waits until none of the peers has heard an UPDATE or refresh for `seconds`: the ground for 'was not sent'."""
    end = time.monotonic() + deadline
    last, since = None, time.monotonic()
    while True:
        now, state = time.monotonic(), [len(p.history) for p in peers]
        if state != last:
            last, since = state, now
        if now - since >= seconds:
            break
        if now > end:
            raise Failure("no quiet within %.0f s: %s" % (deadline, [p.history[-3:] for p in peers]))
        time.sleep(0.02)
    for p in peers:
        p.check()
