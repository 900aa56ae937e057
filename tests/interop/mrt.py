"""Reads MRT files (RFC 6396, RFC 8050): written from the RFCs, independent of the reflector's own reader."""
import struct

import bgp

PEER_INDEX_TABLE, RIB_GENERIC, RIB_GENERIC_ADDPATH = 1, 6, 12


class Record:
    def __init__(self, seconds, micros, kind, subtype, body):
        self.time, self.kind, self.subtype, self.body = seconds + micros / 1e6, kind, subtype, body


def records(octets):
    at = 0
    while at < len(octets):
        seconds, kind, subtype, length = struct.unpack_from("!IHHI", octets, at)
        body = octets[at + 12:at + 12 + length]
        assert len(body) == length, "cut off at %d" % at
        micros = 0
        if kind == 17:
            (micros,), body = struct.unpack_from("!I", body), body[4:]
            assert micros < 1000000
        yield Record(seconds, micros, kind, subtype, body)
        at += 12 + length


def address(octets):
    import ipaddress
    return str(ipaddress.ip_address(octets))


def peer_table(body):
    """[(address, AS, router id)] by index."""
    (view_length,) = struct.unpack_from("!H", body, 4)
    at = 6 + view_length
    (count,) = struct.unpack_from("!H", body, at)
    at += 2
    peers = []
    for _ in range(count):
        kind = body[at]
        size, width = (16 if kind & 1 else 4), (4 if kind & 2 else 2)
        router_id, where = address(body[at + 1:at + 5]), address(body[at + 5:at + 5 + size])
        asn = int.from_bytes(body[at + 5 + size:at + 5 + size + width], "big")
        peers.append((where, asn, router_id))
        at += 5 + size + width
    assert at == len(body)
    return peers


def attributes(octets):
    """{type: (flags, value)}"""
    out, at = {}, 0
    while at < len(octets):
        flags, kind = octets[at], octets[at + 1]
        wide = flags & 0x10
        length = int.from_bytes(octets[at + 2:at + (4 if wide else 3)], "big")
        at += 4 if wide else 3
        assert kind not in out
        out[kind] = (flags, octets[at:at + length])
        at += length
    assert at == len(octets)
    return out


class Entry:
    def __init__(self, family, nlri, path_id, peer, originated, attrs):
        self.family, self.nlri, self.path_id, self.peer, self.originated, self.attributes = family, nlri, path_id, peer, originated, attrs
        hop = attrs[14][1]
        assert hop[0] == len(hop) - 1, "of MP_REACH the next hop alone (RFC 6396 4.3.4)"
        self.next_hop = hop[1:]


def nlri_size(family, octets):
    return 2 + octets[1] if family == bgp.EVPN else 1 + (octets[0] + 7) // 8


def rib(octets):
    """(peers, [Entry]) of a TABLE_DUMP_V2 file."""
    peers, out, sequence = None, [], 0
    for record in records(octets):
        assert record.kind == 13, record.kind
        if record.subtype == PEER_INDEX_TABLE:
            assert peers is None, "one table of peers"
            peers = peer_table(record.body)
            continue
        assert peers is not None and record.subtype in (RIB_GENERIC, RIB_GENERIC_ADDPATH), record.subtype
        number, afi, safi = struct.unpack_from("!IHB", record.body)
        assert number == sequence, "sequence numbers count"
        sequence += 1
        at, path_id = 7, None
        if record.subtype == RIB_GENERIC_ADDPATH:
            (path_id,) = struct.unpack_from("!I", record.body, at)
            at += 4
        size = nlri_size((afi, safi), record.body[at:])
        nlri = record.body[at:at + size]
        at += size
        (count,) = struct.unpack_from("!H", record.body, at)
        at += 2
        for _ in range(count):
            peer, originated, length = struct.unpack_from("!HIH", record.body, at)
            out.append(Entry((afi, safi), nlri, path_id, peers[peer][0], originated, attributes(record.body[at + 8:at + 8 + length])))
            at += 8 + length
        assert at == len(record.body)
    return peers, out


def updates(octets):
    """[(time, "message" | "state", peer, peer AS, payload, path ids)] of a BGP4MP_ET file."""
    out = []
    for record in records(octets):
        assert record.kind == 17, record.kind
        width = 2 if record.subtype in (1, 8) else 4
        peer_as = int.from_bytes(record.body[:width], "big")
        interface, afi = struct.unpack_from("!HH", record.body, 2 * width)
        assert interface == 0 and afi in (1, 2)
        size, at = (4 if afi == 1 else 16), 2 * width + 4
        peer = address(record.body[at:at + size])
        rest = record.body[at + 2 * size:]
        if record.subtype == 5:
            out.append((record.time, "state", peer, peer_as, struct.unpack("!HH", rest), False))
        else:
            assert record.subtype in (1, 4, 8, 9), record.subtype
            assert struct.unpack_from("!H", rest, 16)[0] == len(rest) and rest[:16] == b"\xff" * 16
            out.append((record.time, "message", peer, peer_as, rest, record.subtype in (8, 9)))
    return out
