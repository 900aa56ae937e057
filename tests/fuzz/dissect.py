"""Recorded octets as inputs of the fuzz targets: `seeds_of_stream` and `seeds_of_datagrams` cut, `features` says what an input shows.

An input is the same octets that the daemon sent, behind the option octets that its target wants (see the head of each
*_fuzz.cpp); the options are what the two ends negotiated in their OPENs. Nothing here judges a message: what cannot be
cut further is passed on whole, the targets want malformed inputs too.
RFC 4271 §4 (messages), 4760 §3, §4 (MP_REACH, MP_UNREACH), 5492 (capabilities), 9072 (long OPENs), 7911, 8950, 7854 §4, 6396 §2.
"""
import struct

MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
AS_PATH, MP_REACH, MP_UNREACH, EXT_COMMUNITY, AS4_PATH = 2, 14, 15, 16, 17
IPV4, VPNV4, VPNV6, RTC, EVPN = (1, 1), (1, 128), (2, 128), (1, 132), (25, 70)
TARGETS = ("framer", "open", "update", "attributes", "vpn_nlri", "rtc_nlri", "evpn_nlri", "session", "bfd", "bmp", "mrt")
MAX_STREAM = 4096     # of a seed for framer or session: the head of a stream, in whole messages
MAX_OPERATIONS = 48   # the session target stops after 64
BFD_PORTS = (3784, 4784)


# ---------------------------------------------------------------- cutting

def messages(stream):
    """The whole BGP messages at the head of a stream."""
    while len(stream) >= 19 and stream[:16] == MARKER:
        length = struct.unpack(">H", stream[16:18])[0]
        if not 19 <= length <= len(stream):
            return
        yield stream[:length]
        stream = stream[length:]


def capabilities(body):
    """[(code, value)] of an OPEN's body."""
    parameters, head = body[10:], 2
    if body[9:11] == b"\xff\xff":  # RFC 9072 §2
        parameters, head = body[13:], 3
    out = []
    while len(parameters) >= head:
        size = int.from_bytes(parameters[1:head], "big")
        kind, value, parameters = parameters[0], parameters[head:head + size], parameters[head + size:]
        while kind == 2 and len(value) >= 2:
            out.append((value[0], value[2:2 + value[1]]))
            value = value[2 + value[1]:]
    return out


def as_number(body, offered):
    return next((int.from_bytes(v, "big") for c, v in offered if c == 65), struct.unpack(">H", body[1:3])[0])


class Negotiated:
    """What holds for the UPDATEs of one direction; without the other end's OPEN, whatever this one offers."""

    def __init__(self, stream, back):
        bodies = [next((m[19:] for m in messages(s) if m[18] == OPEN and len(m) >= 29), None) for s in (stream, back)]
        sent = bodies[0] or b"\4" + bytes(9)
        answered = bodies[1] or sent
        ours, theirs = capabilities(sent), capabilities(answered)

        def both(code):
            return all(any(c == code for c, _ in offered) for offered in (ours, theirs))

        def families(offered, code, size, wanted):
            values = [v[i:i + size] for c, v in offered if c == code for i in range(0, len(v) - size + 1, size)]
            return {(struct.unpack(">H", v[:2])[0], v[2]) for v in values if wanted(v)}

        self.four_octet_as = both(65)
        self.extended = both(6)
        self.external = as_number(sent, ours) != as_number(answered, theirs)
        self.ipv6_next_hop = both(5)
        # A speaker of no multiprotocol extensions speaks IPv4 unicast (RFC 4760 §8).
        spoken = [{(struct.unpack(">H", v[:2])[0], v[3]) for c, v in offered if c == 1 and len(v) == 4} or {IPV4} for offered in (ours, theirs)]
        self.unicast = any(safi == 1 for _, safi in spoken[0] & spoken[1])
        mine = families(ours, 69, 4, lambda v: v[3] & 2)
        self.path_ids = mine if bodies[1] is None else mine & families(theirs, 69, 4, lambda v: v[3] & 1)

    def update_options(self, family):
        return (not self.four_octet_as) | self.external << 1 | (family in self.path_ids) << 2 | self.ipv6_next_hop << 3 | self.unicast << 4

    def peer_kind(self):
        """The first octet of the session target: 0 a client, 2 an external peer, and what was negotiated."""
        return (2 if self.external else 0) | self.extended << 2 | (VPNV4 in self.path_ids) << 3 | (not self.four_octet_as) << 4


def attributes(body):
    """[(flags, type, value)] of an UPDATE's body."""
    at = 2 + struct.unpack(">H", body[:2])[0]
    end = at + 2 + int.from_bytes(body[at:at + 2], "big")
    data, out = body[at + 2:end], []
    while len(data) >= 3:
        head = 4 if data[0] & 0x10 else 3
        size = int.from_bytes(data[2:head], "big")
        out.append((data[0], data[1], data[head:head + size]))
        data = data[head + size:]
    return out


def nlri_fields(parts):
    """[(family, is a withdrawal, octets)] of the MP attributes."""
    out = []
    for _, kind, value in parts:
        if kind == MP_REACH and len(value) >= 5:
            out.append((struct.unpack(">HB", value[:3]), False, value[5 + value[3]:]))
        elif kind == MP_UNREACH and len(value) >= 3:
            out.append((struct.unpack(">HB", value[:3]), True, value[3:]))
    return out


# ---------------------------------------------------------------- inputs

def seeds_of_stream(stream, back):
    """[(target, input)] of what a daemon sent on one connection; `back` is what it was sent."""
    all_messages = list(messages(stream))
    if not all_messages:
        return []
    agreed, out = Negotiated(stream, back), []
    head = b""
    for message in all_messages:
        if len(head) + len(message) > MAX_STREAM:
            break
        head += message
    # The upper bits say how the target cuts the stream: pieces of a BGP header, so that messages come in several.
    out.append(("framer", bytes([agreed.extended | 18 << 1]) + head))
    for message in all_messages:
        if message[18] == OPEN:
            out.append(("open", message[19:]))
        elif message[18] == UPDATE and len(message) >= 23:
            out.extend(seeds_of_update(message[19:], agreed))
        elif message[18] in (NOTIFICATION, ROUTE_REFRESH):
            out.append(("framer", bytes([agreed.extended]) + message))
    session = session_seed(all_messages, agreed)
    return out + ([("session", session)] if session else [])


def seeds_of_update(body, agreed):
    parts = attributes(body)
    fields = nlri_fields(parts)
    out = [("update", bytes([agreed.update_options(fields[0][0] if fields else IPV4)]) + body)]
    for _, kind, value in parts:
        if kind not in (MP_REACH, MP_UNREACH):
            out.append(("attributes", bytes([kind, agreed.four_octet_as | agreed.external << 1]) + value))
    for family, withdrawal, octets in fields:
        path_ids = family in agreed.path_ids
        if not octets:
            continue
        if family in (VPNV4, VPNV6):
            out.append(("vpn_nlri", bytes([(family == VPNV6) | withdrawal << 1 | path_ids << 2]) + octets))
        elif family == RTC:
            out.append(("rtc_nlri", bytes([path_ids]) + octets))
        elif family == EVPN:
            out.append(("evpn_nlri", octets))
    return out


def session_seed(all_messages, agreed):
    """The daemon's UPDATEs and ROUTE-REFRESHs, in their order, from the third peer of the session target; rounds in between."""
    out, operations = bytes([agreed.peer_kind()]), 0
    refreshed = {VPNV4: 0, VPNV6: 1, RTC: 2}
    for message in all_messages:
        body = message[19:]
        if message[18] == UPDATE:
            out += b"\x00" + struct.pack(">H", len(body)) + body
        elif message[18] == ROUTE_REFRESH and len(body) == 4 and body[2] == 0 and (body[0] << 8 | body[1], body[3]) in refreshed:
            out += bytes([refreshed[body[0] << 8 | body[1], body[3]] << 4 | 6])
        else:
            continue
        operations += 2
        out += b"\x17"  # operation 7: two rounds
        if operations >= MAX_OPERATIONS or len(out) > MAX_STREAM:
            break
    return out if operations else None


def seeds_of_datagrams(datagrams):
    """BFD packets of one daemon, [(seconds, payload)], as one input: its changes of state, and the packet before each.

    Your Discriminator becomes 7, the one of the target's own session, so that the packets are for it.
    """
    kept = [i for i in range(len(datagrams)) if i == 0 or datagrams[i][1][:2] != datagrams[i - 1][1][:2]]
    kept = sorted({j for i in kept for j in (i - 1, i) if j >= 0})[:24]
    out, before = b"", None
    for i in kept:
        seconds, payload = datagrams[i]
        if len(payload) < 24:
            continue
        delay = 0 if before is None else min(255, max(0, round((seconds - before) * 100)))
        before = seconds
        if payload[8:12] != bytes(4):
            payload = payload[:8] + struct.pack(">I", 7) + payload[12:]
        out += bytes([delay, len(payload)]) + payload
    return [("bfd", out)] if out else []


def bmp_messages(stream):
    """The whole BMP messages of a stream that begins with an Initiation (RFC 7854 §4.1, §4.3); nothing of any other stream."""
    if len(stream) < 6 or stream[0] != 3 or stream[5] != 4:
        return
    while len(stream) >= 6 and stream[0] == 3:
        length = struct.unpack(">I", stream[1:5])[0]
        if not 6 <= length <= len(stream):
            return
        yield stream[:length]
        stream = stream[length:]


def mrt_records(data):
    """The whole records of an MRT file (RFC 6396 §2)."""
    while len(data) >= 12:
        length = 12 + struct.unpack(">I", data[8:12])[0]
        if length > len(data):
            return
        yield data[:length]
        data = data[length:]


# ---------------------------------------------------------------- what an input shows

def size_class(number):
    """0, 1, 2-3, 4-7, …"""
    return int(number).bit_length()


def of_value(kind, value, width=4):
    """What a decoder branches on in the values of some attributes."""
    if kind in (AS_PATH, AS4_PATH):
        out = set()
        while len(value) >= 2:
            out.add(("segment", value[0], size_class(value[1])))
            value = value[2 + value[1] * width:]
        return out or {("segment", None)}
    if kind == EXT_COMMUNITY:
        return {("extended community", value[i:i + 2]) for i in range(0, len(value), 8)}
    if kind == 8:
        return {("well-known community", value[i:i + 4]) for i in range(0, len(value), 4) if value[i:i + 2] == b"\xff\xff"}
    return {("value", kind, value)} if kind in (1, 40) else set()


def of_nlri(family, withdrawal, path_ids, octets):
    """Lengths, kinds of RD or of EVPN route, label fields, and how many in a message."""
    out, count = set(), 0
    while octets:
        if path_ids:
            octets = octets[4:]
        if not octets:
            break
        if family == EVPN:
            size = 2 + (octets[1] if len(octets) > 1 else 0)
            out.add(("route", family, octets[0], size, withdrawal))
        else:
            size = 1 + (octets[0] + 7) // 8
            out.add(("length", family, octets[0], withdrawal))
            if family in (VPNV4, VPNV6):
                out.add(("label", family, withdrawal, octets[1:4] in (b"\x80\0\0", b"\0\0\0"), octets[3:4] and octets[3] & 1))
                out.add(("rd", family, octets[4:6]))
            elif family == RTC:
                out.add(("rt", octets[5:7]))
        octets, count = octets[size:], count + 1
    return out | {("routes", family, withdrawal, path_ids, size_class(count))}


def of_update(options, body):
    parts = attributes(body)
    fields = nlri_fields(parts)
    out = {("options", options), ("order", tuple(kind for _, kind, _ in parts)), ("old", size_class(struct.unpack(">H", body[:2])[0]))}
    for flags, kind, value in parts:
        out.add(("attribute", flags, kind, size_class(len(value))))
        out |= of_value(kind, value, 2 if options & 1 else 4)
        if kind == MP_REACH:
            out.add(("next hop", value[:4]))
    for family, withdrawal, octets in fields:
        out |= of_nlri(family, withdrawal, bool(options & 4), octets)
    return out


def of_message(message):
    kind, body = message[18], message[19:]
    detail = body[:2] if kind == NOTIFICATION else body[:4] if kind == ROUTE_REFRESH else size_class(len(message))
    return kind, detail


def features(target, content):
    """What is to be seen in an input, as a set: inputs that show nothing new are not kept."""
    if target == "open":
        offered = capabilities(content)
        return ({("extended", content[9:11] == b"\xff\xff"), ("hold time", content[3:5]), ("codes", tuple(code for code, _ in offered))} |
                {("capability", code, value if code in (1, 2, 5, 6, 64, 69, 70, 71) else size_class(len(value))) for code, value in offered})
    if target == "update":
        return of_update(content[0], content[1:])
    if target == "attributes":
        kind, value = content[0], content[2:]
        return {("attribute", kind, content[1], size_class(len(value)))} | of_value(kind, value, 4 if content[1] & 1 else 2)
    if target == "vpn_nlri":
        options = content[0]
        return of_nlri(VPNV6 if options & 1 else VPNV4, bool(options & 2), bool(options & 4), content[1:])
    if target == "rtc_nlri":
        return of_nlri(RTC, False, bool(content[0] & 1), content[1:])
    if target == "evpn_nlri":
        return of_nlri(EVPN, False, False, content)
    if target == "framer":
        kinds = [of_message(m) for m in messages(content[1:])]
        return set(kinds) | {("extended", content[0] & 1), ("first", tuple(kind for kind, _ in kinds[:4]))}
    if target == "session":
        return of_session(content)
    if target == "bfd":
        return of_bfd(content)
    if target == "bmp":
        return {f for m in bmp_parts(content) for f in of_bmp(m)}
    return {f for r in mrt_records(content) for f in of_mrt(r)}


def of_session(content):
    out, rest = {("kind", content[0])}, content[1:]
    while rest:
        size = 1
        if rest[0] & 15 == 0 and len(rest) >= 3:
            size = 3 + struct.unpack(">H", rest[1:3])[0]
            body = rest[3:size]
            if len(body) >= 4:
                out |= of_update(content[0] >> 4 & 1 | content[0] >> 1 & 4, body)
        elif rest[0] & 15 == 6:
            out.add(("refresh", rest[0] >> 4))
        rest = rest[size:]
    return out


def of_bfd(content):
    out, before, rest = set(), None, content
    while len(rest) >= 4:
        out.add(("packet", rest[2:4]))
        out.add(("change", before, rest[3]))
        before, rest = rest[3], rest[2 + rest[1]:]
    return out


def bmp_parts(content):
    """BMP messages without asking for an Initiation in front."""
    while len(content) >= 6 and struct.unpack(">I", content[1:5])[0] >= 6:
        length = struct.unpack(">I", content[1:5])[0]
        yield content[:length]
        content = content[length:]


def of_bmp(message):
    kind, body = message[5], message[6:]
    out = {("message", kind, size_class(len(body)))}
    if kind in (4, 5):
        return out
    out.add(("peer", kind, body[:2]))
    if kind == 0 and len(body) >= 65:
        # The UPDATE inside is looked at by other targets.
        out |= {("routes", family, withdrawal) for family, withdrawal, _ in nlri_fields(attributes(body[61:]))}
    elif kind == 1:
        rest = body[46:]
        while len(rest) >= 4:
            out.add(("statistic", rest[:2]))
            rest = rest[4 + struct.unpack(">H", rest[2:4])[0]:]
    elif kind == 2:
        out.add(("down", body[42:43]))
    return out


def of_mrt(record):
    kind, subtype = struct.unpack(">HH", record[4:8])
    out = {("record", kind, subtype, size_class(len(record)))}
    if kind == 13 and subtype in (6, 12):
        out.add(("family", record[16:19], subtype))
    return out
