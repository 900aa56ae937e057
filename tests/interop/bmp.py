"""A BMP station (RFC 7854, RFC 8671, RFC 9069) in Python: decodes everything strictly and keeps, for each peer and RIB, what it was
told. Written from the RFCs, independent of the reflector's own codec."""
import ipaddress
import socket
import struct
import threading
import time

import bgp

ROUTE_MONITORING, STATISTICS, PEER_DOWN, PEER_UP, INITIATION, TERMINATION = 0, 1, 2, 3, 4, 5
PRE, POST, LOC, OUT = "pre-policy", "post-policy", "loc-rib", "adj-rib-out"


class BmpPeer:
    def __init__(self, octets):
        self.kind, self.flags = octets[0], octets[1]
        assert self.kind in (0, 3), "peer type %d" % self.kind
        assert octets[2:10] == bytes(8), "distinguisher"
        address = octets[10:26]
        if self.kind == 3:
            assert address == bytes(16) and self.flags & 0x7f == 0, "RFC 9069 4.1"
            self.address, self.rib = "loc-rib", LOC
        else:
            if not self.flags & 0x80:
                assert address[:12] == bytes(12), "RFC 7854 4.2: the 12 most significant octets are zero"
                address = address[12:]
            self.address = str(ipaddress.ip_address(address))
            assert self.flags & 0x2f == 0, "flags %02x" % self.flags
            self.rib = OUT if self.flags & 0x10 else POST if self.flags & 0x40 else PRE
        self.asn, self.router_id = struct.unpack("!I", octets[26:30])[0], str(ipaddress.ip_address(octets[30:34]))
        seconds, micros = struct.unpack("!II", octets[34:42])
        assert micros < 1000000
        self.time = seconds + micros / 1e6


def tlvs(octets):
    out = []
    while octets:
        kind, size = struct.unpack_from("!HH", octets)
        assert len(octets) >= 4 + size
        out.append((kind, octets[4:4 + size]))
        octets = octets[4 + size:]
    return out


class Session:
    """What is known of a peer since its Peer Up."""

    def __init__(self, sent, received, information, ports, local):
        self.sent, self.received, self.information, self.ports, self.local = bgp.Open(sent[19:]), bgp.Open(received[19:]), information, ports, local
        self.ribs, self.ends = {}, set()
        # Path ids: what the peer sends, we take (RFC 7911).
        def ids(o, bit):
            return {(a, s) for value in o.values(69) for a, s, b in [struct.unpack_from("!HBB", value, i) for i in range(0, len(value), 4)] if b & bit}
        self.paths_in = tuple(ids(self.sent, 1) & ids(self.received, 2))
        self.paths_out = tuple(ids(self.sent, 2) & ids(self.received, 1))


class Station:
    def __init__(self, address="127.9.0.1", port=11019, receive_buffer=None):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.listener.bind((address, port))
        self.listener.listen()
        self.lock = threading.RLock()
        self.connections, self.violation, self.closing, self.cutting = 0, None, False, False
        self.may_read = threading.Event()
        self.may_read.set()
        self.connected = None
        self.forget()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def forget(self):
        self.sessions, self.downs, self.messages, self.statistics, self.initiation, self.termination, self.updates = {}, [], 0, [], None, None, 0

    # ------------------------------------------------------------ reading

    def _serve(self):
        while not self.closing:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.forget()
                self.connections += 1
                self.cutting = False
                self.connected = connection
            try:
                self._read(connection)
            except AssertionError as error:
                import traceback
                self.violation = "%s\n%s" % (error, traceback.format_exc())
            except bgp.Violation as error:
                self.violation = str(error)
            except OSError:
                pass
            with self.lock:
                self.connected = None
            connection.close()

    def _read(self, connection):
        buffer = b""
        while True:
            self.may_read.wait()
            data = connection.recv(1 << 16)
            if not data:
                assert not buffer or self.closing or self.cutting, "ended within a message"
                return
            buffer += data
            with self.lock:
                while len(buffer) >= 6:
                    version, length, kind = struct.unpack_from("!BIB", buffer)
                    assert version == 3 and 6 <= length <= 70000, "header %s" % buffer[:6].hex()
                    if len(buffer) < length:
                        break
                    self._message(kind, buffer[6:length])
                    buffer = buffer[length:]

    def _message(self, kind, body):
        self.messages += 1
        assert self.termination is None, "nothing follows the Termination"
        if kind == INITIATION:
            assert self.messages == 1, "the first message"
            self.initiation = dict(tlvs(body))
            assert {1, 2} <= set(self.initiation), "sysDescr and sysName (RFC 7854 4.3)"
            return
        assert self.initiation is not None, "Initiation comes first"
        if kind == TERMINATION:
            self.termination = dict(tlvs(body))
            return
        peer, rest = BmpPeer(body[:42]), body[42:]
        if kind == PEER_UP:
            assert peer.rib in (PRE, LOC), "Peer Up is sent once for all RIBs (RFC 8671 5)"
            assert peer.address not in self.sessions, "Peer Up twice"
            at = 20
            def message():
                nonlocal at
                size = struct.unpack_from("!H", rest, at + 16)[0]
                octets = rest[at:at + size]
                assert octets[:16] == b"\xff" * 16 and octets[18] == 1, "an OPEN"
                at += size
                return octets
            sent, received = message(), message()
            self.sessions[peer.address] = Session(sent, received, tlvs(rest[at:]), struct.unpack_from("!HH", rest, 16), rest[:16])
            self.sessions[peer.address].peer = peer
        elif kind == PEER_DOWN:
            assert self.sessions.pop(peer.address, None), "Peer Down without Peer Up"
            self.downs.append((peer.address, rest[0], rest[1:]))
        elif kind == STATISTICS:
            assert peer.address in self.sessions, "statistics of a peer that is down"
            assert peer.kind == 3 or not peer.flags & 0x10, "RFC 8671 6.2: the O flag is zero"
            (count,) = struct.unpack_from("!I", rest)
            values = tlvs(rest[4:])
            assert len(values) == count
            out = {}
            for number, value in values:
                key = (number, struct.unpack_from("!HB", value)) if len(value) == 11 else number
                out[key] = int.from_bytes(value[-8:], "big")
            self.statistics.append((peer.address, out))
        elif kind == ROUTE_MONITORING:
            session = self.sessions.get(peer.address)
            assert session, "routes of %s, which is down" % peer.address
            self._update(session, peer, rest)
        else:
            assert False, "message type %d" % kind

    def _update(self, session, peer, octets):
        size = struct.unpack_from("!H", octets, 16)[0]
        assert size == len(octets) and octets[18] == 2, "one UPDATE"
        self.updates += 1
        paths = () if peer.rib == LOC else session.paths_out if peer.rib == OUT else session.paths_in
        internal = peer.rib == LOC or peer.rib == POST or peer.asn == 65000
        update = bgp.Update(octets[19:], internal=internal, add_path=paths)
        rib = session.ribs.setdefault(peer.rib, {})
        if update.end_of_rib:
            session.ends.add((peer.rib, update.end_of_rib))
        for key in update.withdrawn:
            rib.pop(key, None)
        for route in update.announced:
            route.time = peer.time
            rib[route.key] = route

    # ------------------------------------------------------------ asking

    def rib(self, peer, rib=PRE):
        with self.lock:
            session = self.sessions.get(peer)
            return dict(session.ribs.get(rib, {})) if session else {}

    def ends(self, peer):
        with self.lock:
            session = self.sessions.get(peer)
            return set(session.ends) if session else set()

    def disconnect(self):
        with self.lock:
            self.cutting = True
            if self.connected:
                try:
                    self.connected.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.closing = True
        self.may_read.set()
        self.disconnect()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(5)
