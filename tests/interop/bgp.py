"""A second, independent BGP codec for the interop tests: messages, attributes, VPN and RT membership NLRIs.

Written from the RFCs alone and sharing nothing with rr/wire, so that both agree only when both are right. The
decoder is strict: it raises `Violation` for anything a correct speaker would not send. The encoder says whatever it
is told, also what is malformed.
RFC 4271 (messages), 4760 (MP), 4364/4659 (VPN), 4684 (RTC), 6793 (4-octet AS), 7313, 7911 (ADD-PATH), 8277, 8654, 8950, 9072.
"""
import ipaddress
import struct

VPNV4, VPNV6, RTC, IPV4, IPV6, EVPN = (1, 128), (2, 128), (1, 132), (1, 1), (2, 1), (25, 70)
FAMILY_NAMES = {EVPN: "evpn", VPNV4: "vpnv4", VPNV6: "vpnv6", RTC: "rtc", IPV4: "ipv4", IPV6: "ipv6"}
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
MARKER = b"\xff" * 16

ORIGIN, AS_PATH, NEXT_HOP, MED, LOCAL_PREF, ATOMIC, AGGREGATOR, COMMUNITY = 1, 2, 3, 4, 5, 6, 7, 8
ORIGINATOR_ID, CLUSTER_LIST, MP_REACH, MP_UNREACH, EXT_COMMUNITY = 9, 10, 14, 15, 16
AS4_PATH, AS4_AGGREGATOR, PMSI, TUNNEL_ENCAP, IPV6_EXT, AIGP, LARGE, OTC, PREFIX_SID = 17, 18, 22, 23, 25, 26, 32, 35, 40
OPTIONAL, TRANSITIVE, PARTIAL, EXTENDED = 0x80, 0x40, 0x20, 0x10
FLAGS = {ORIGIN: 0x40, AS_PATH: 0x40, NEXT_HOP: 0x40, MED: 0x80, LOCAL_PREF: 0x40, ATOMIC: 0x40, AGGREGATOR: 0xC0,
         COMMUNITY: 0xC0, ORIGINATOR_ID: 0x80, CLUSTER_LIST: 0x80, MP_REACH: 0x80, MP_UNREACH: 0x80,
         EXT_COMMUNITY: 0xC0, AS4_PATH: 0xC0, AS4_AGGREGATOR: 0xC0, PMSI: 0xC0, TUNNEL_ENCAP: 0xC0, IPV6_EXT: 0xC0,
         AIGP: 0x80, LARGE: 0xC0, OTC: 0xC0, PREFIX_SID: 0xC0}
WITHDRAW_LABEL = b"\x80\x00\x00"  # RFC 8277 §2.4, field note 3.1
strict = True  # False only when the reflector is another implementation, with habits of its own (field note 3.1)


class Violation(Exception):
    """The other side sent something the RFCs do not allow."""


# ---------------------------------------------------------------- values

def ip(text):
    return ipaddress.ip_address(text).packed


def _admin_pair(text, types):
    """'65000:1', '192.0.2.1:7', '4200000000:1' or '65000L:1' as the 8 octets with the given type words."""
    admin, number = text.rsplit(":", 1)
    if "." in admin:
        return types[1] + ip(admin) + struct.pack(">H", int(number))
    if admin.endswith("L") or int(admin) > 65535:
        return types[2] + struct.pack(">IH", int(admin.rstrip("L")), int(number))
    return types[0] + struct.pack(">HI", int(admin), int(number))


def rd(text):
    return _admin_pair(text, (b"\0\0", b"\0\1", b"\0\2"))


def rt(text):
    return _admin_pair(text, (b"\0\2", b"\1\2", b"\2\2"))


def format_rd(octets):
    kind = struct.unpack(">H", octets[:2])[0]
    if kind == 0:
        return "%d:%d" % struct.unpack(">HI", octets[2:])
    if kind == 1:
        return "%s:%d" % (ipaddress.ip_address(octets[2:6]), struct.unpack(">H", octets[6:])[0])
    if kind == 2:
        return "%d:%d" % struct.unpack(">IH", octets[2:])
    return octets.hex()


def is_route_target(octets):
    return octets[:2] in (b"\0\2", b"\1\2", b"\2\2")


def format_rt(octets):
    return format_rd(b"\0" + octets[0:1] + octets[2:])


def label_field(label, bottom=True):
    return struct.pack(">I", label << 4 | int(bottom))[1:]


def vpn_nlri(rd_text, prefix, labels=(16,), raw_labels=None, path_id=None):
    """One VPN NLRI; `raw_labels` replaces the encoded label stack octet for octet; `path_id` goes in front (RFC 7911 §3)."""
    net = ipaddress.ip_network(prefix)
    stack = raw_labels if raw_labels is not None else b"".join(
        label_field(l, i == len(labels) - 1) for i, l in enumerate(labels))
    octets = net.network_address.packed[:(net.prefixlen + 7) // 8]
    in_front = b"" if path_id is None else struct.pack(">I", path_id)
    return in_front + bytes([len(stack) * 8 + 64 + net.prefixlen]) + stack + rd(rd_text) + octets


def rtc_nlri(origin_as=0, target=b"", bits=None):
    """RFC 4684 §4: '' is the default route; `target` a text RT or leading octets of one."""
    if origin_as == 0 and not target and bits is None:
        return b"\0"
    octets = struct.pack(">I", origin_as) + (rt(target) if isinstance(target, str) else target)
    bits = len(octets) * 8 if bits is None else bits
    return bytes([bits]) + octets[:(bits + 7) // 8]


def evpn_nlri(kind, rd_text, *fields):
    """RFC 7432 §7: type, length, RD, then the fields as octets."""
    body = (rd(rd_text) if rd_text is not None else b"") + b"".join(fields)
    return bytes([kind, len(body)]) + body


def mac_ip(rd_text, mac, address="", esi=bytes(10), tag=0, labels=(100,)):
    octets = ip(address) if address else b""
    return evpn_nlri(2, rd_text, esi, struct.pack(">I", tag), b"\x30", bytes.fromhex(mac.replace(":", "")), bytes([len(octets) * 8]), octets,
                     b"".join(struct.pack(">I", l << 4)[1:] for l in labels))


# ---------------------------------------------------------------- messages out

def message(kind, body=b""):
    return MARKER + struct.pack(">HB", len(body) + 19, kind) + body


def capability(code, value=b""):
    return bytes([code, len(value)]) + value


def capabilities(families, asn, route_refresh=True, enhanced_refresh=True, four_octet_as=True, extended_messages=False,
                 extended_next_hop=(), graceful_restart=None, extra=b""):
    out = b"".join(capability(1, struct.pack(">HBB", afi, 0, safi)) for afi, safi in families)
    if route_refresh:
        out += capability(2)
    if enhanced_refresh:
        out += capability(70)
    if extended_messages:
        out += capability(6)
    if extended_next_hop:
        out += capability(5, b"".join(struct.pack(">HHH", afi, safi, 2) for afi, safi in extended_next_hop))
    if four_octet_as:
        out += capability(65, struct.pack(">I", asn))
    if graceful_restart is not None:
        out += capability(64, graceful_restart)
    return out + extra


def add_path_capability(receive=(), send=()):
    """RFC 7911 §4: 1 receive, 2 send, 3 both."""
    families = list(dict.fromkeys(tuple(receive) + tuple(send)))
    return capability(69, b"".join(struct.pack(">HBB", afi, safi, ((afi, safi) in receive) + 2 * ((afi, safi) in send)) for afi, safi in families))


def open_message(asn, hold_time, router_id, caps, version=4, parameters=None):
    if parameters is None:
        parameters = bytes([2, len(caps)]) + caps if caps else b""
    my_as = asn if asn < 65536 else 23456
    return message(OPEN, struct.pack(">BHH", version, my_as, hold_time) + ip(router_id) + bytes([len(parameters)]) + parameters)


def attribute(kind, value, flags=None):
    flags = FLAGS.get(kind, 0xC0) if flags is None else flags
    if len(value) > 255 or flags & EXTENDED:
        return bytes([flags | EXTENDED, kind]) + struct.pack(">H", len(value)) + value
    return bytes([flags, kind, len(value)]) + value


def as_path(segments, width=4):
    """`segments`: a list of AS numbers (one AS_SEQUENCE), or of (type, [AS…]) pairs."""
    if segments and not isinstance(segments[0], tuple):
        segments = [(2, list(segments))]
    out = b""
    for kind, numbers in segments:
        out += bytes([kind, len(numbers)]) + b"".join(n.to_bytes(width, "big") for n in numbers)
    return out


def path_attributes(rts=(), origin=0, path=(), local_pref=100, med=None, originator=None, cluster_list=(), communities=(),
                    large=(), ext=(), extra=(), as_width=4):
    """The encoded attributes of a route except MP_REACH. `extra`: (type, value, flags) tuples appended as they are."""
    out = []
    if origin is not None:
        out.append(attribute(ORIGIN, bytes([origin])))
    if path is not None:
        out.append(attribute(AS_PATH, as_path(path, as_width)))
    if med is not None:
        out.append(attribute(MED, struct.pack(">I", med)))
    if local_pref is not None:
        out.append(attribute(LOCAL_PREF, struct.pack(">I", local_pref)))
    if communities:
        out.append(attribute(COMMUNITY, b"".join(struct.pack(">HH", *c) for c in communities)))
    if originator:
        out.append(attribute(ORIGINATOR_ID, ip(originator)))
    if cluster_list:
        out.append(attribute(CLUSTER_LIST, b"".join(ip(c) for c in cluster_list)))
    ext_octets = b"".join(rt(r) for r in rts) + b"".join(ext)
    if ext_octets:
        out.append(attribute(EXT_COMMUNITY, ext_octets))
    if large:
        out.append(attribute(LARGE, b"".join(struct.pack(">III", *c) for c in large)))
    out.extend(attribute(*e) for e in extra)
    return b"".join(out)


def vpn_next_hop(*addresses):
    return b"".join(bytes(8) + ip(a) for a in addresses)


def mp_reach(family, next_hop, nlri, flags=None):
    return attribute(MP_REACH, struct.pack(">HB", *family) + bytes([len(next_hop)]) + next_hop + b"\0" + nlri, flags)


def mp_unreach(family, nlri=b""):
    return attribute(MP_UNREACH, struct.pack(">HB", *family) + nlri)


def update(attributes=b"", withdrawn=b"", nlri=b""):
    return message(UPDATE, struct.pack(">H", len(withdrawn)) + withdrawn + struct.pack(">H", len(attributes)) + attributes + nlri)


def end_of_rib(family):
    return update(mp_unreach(family))


def route_refresh(family, subtype=0):
    return message(ROUTE_REFRESH, struct.pack(">HBB", family[0], subtype, family[1]))


def notification(code, subcode, data=b""):
    return message(NOTIFICATION, bytes([code, subcode]) + data)


# ---------------------------------------------------------------- messages in

def decode_capabilities(parameters):
    """The capabilities of an OPEN as a list of (code, value); RFC 5492 optional parameters, RFC 9072 form too."""
    out, extended = [], False
    if len(parameters) >= 4 and parameters[0] == 255 and parameters[1] == 255:
        extended, parameters = True, parameters[4:]
    while parameters:
        head = 3 if extended else 2
        size = struct.unpack(">H", parameters[1:3])[0] if extended else parameters[1]
        kind, value, parameters = parameters[0], parameters[head:head + size], parameters[head + size:]
        if kind != 2 or len(value) != size:
            raise Violation("optional parameter %d of %d octets" % (kind, size))
        while value:
            code, length = value[0], value[1]
            if len(value) < 2 + length:
                raise Violation("capability %d runs over its parameter" % code)
            out.append((code, value[2:2 + length]))
            value = value[2 + length:]
    return out


class Open:
    def __init__(self, body):
        self.version, self.my_as, self.hold_time = struct.unpack(">BHH", body[:5])
        self.router_id = str(ipaddress.ip_address(body[5:9]))
        parameters = body[10:]
        if body[9] != 255 and body[9] != len(parameters):
            raise Violation("OPEN parameter length %d, %d octets follow" % (body[9], len(parameters)))
        if body[9] == 255 and parameters and parameters[0] == 255:
            parameters = b"\xff" + parameters  # decode_capabilities expects the 255/255 pair of RFC 9072
        self.capabilities = decode_capabilities(parameters)

    def values(self, code):
        return [v for c, v in self.capabilities if c == code]

    @property
    def families(self):
        return [struct.unpack(">HxB", v) for v in self.values(1)]


class Route:
    """One announcement as received: next hop octets, label stack and the attributes as {type: (flags, value)}."""

    def __init__(self, family, key, labels, next_hop, attributes):
        self.family, self.key, self.labels, self.next_hop, self.attributes = family, key, labels, next_hop, attributes

    def value(self, kind, default=None):
        return self.attributes[kind][1] if kind in self.attributes else default

    def number(self, kind):
        return int.from_bytes(self.attributes[kind][1], "big") if kind in self.attributes else None

    @property
    def rts(self):
        value = self.value(EXT_COMMUNITY, b"")
        octets = [value[i:i + 8] for i in range(0, len(value), 8)]
        return {format_rt(o) for o in octets if is_route_target(o)}

    @property
    def next_hop_address(self):
        octets = self.next_hop[8:] if self.family in (VPNV4, VPNV6) else self.next_hop
        return str(ipaddress.ip_address(octets[:16]))

    @property
    def originator(self):
        value = self.value(ORIGINATOR_ID)
        return str(ipaddress.ip_address(value)) if value else None

    @property
    def cluster_list(self):
        value = self.value(CLUSTER_LIST, b"")
        return [str(ipaddress.ip_address(value[i:i + 4])) for i in range(0, len(value), 4)]

    def as_path(self, width=4):
        value, out = self.value(AS_PATH, b""), []
        while value:
            kind, count = value[0], value[1]
            numbers = [int.from_bytes(value[2 + i * width:2 + (i + 1) * width], "big") for i in range(count)]
            out.append((kind, numbers))
            value = value[2 + count * width:]
        return out

    def __repr__(self):
        return "%s labels=%s nh=%s rts=%s" % (format_key(self.key), self.labels, self.next_hop.hex(), sorted(self.rts))


def format_key(key):
    family = key[0]
    if family == EVPN:
        return "evpn %d %s %s" % (key[1], format_rd(key[2]) if key[2] else "-", key[3].hex())
    if family == RTC:
        return "rtc " + key[1].hex() + "/%d" % key[2]
    octets = key[3] + bytes((4 if family == VPNV4 else 16) - len(key[3]))
    return "%s %s/%d" % (format_rd(key[1]), ipaddress.ip_address(octets), key[2])


def vpn_key(rd_text, prefix):
    net = ipaddress.ip_network(prefix)
    return (VPNV4 if net.version == 4 else VPNV6, rd(rd_text), net.prefixlen, net.network_address.packed[:(net.prefixlen + 7) // 8])


def rtc_key(origin_as=0, target=b"", bits=None):
    nlri = rtc_nlri(origin_as, target, bits)
    return (RTC, nlri[1:], nlri[0])


def _decode_vpn(family, data, withdraw, add_path):
    """Yields (key, labels). RFC 8277 §2.4: a withdrawal carries one compatibility field, 0x800000 or any. With ADD-PATH the key
    ends with the path id."""
    limit = 32 if family == VPNV4 else 128
    while data:
        path_id = ()
        if add_path:
            path_id, data = struct.unpack(">I", data[:4]), data[4:]
        bits, size = data[0], (data[0] + 7) // 8
        body, data = data[1:1 + size], data[1 + size:]
        if len(body) != size or size < 11:
            raise Violation("VPN NLRI of %d bits with %d octets" % (bits, len(body)))
        labels, at = [], 0
        while True:
            field = int.from_bytes(body[at:at + 3], "big")
            labels.append(field >> 4)
            at += 3
            if withdraw or field & 1:
                break
            if at + 11 > size:
                raise Violation("label stack without bottom of stack in " + body.hex())
        length = bits - at * 8 - 64
        if not 0 <= length <= limit:
            raise Violation("VPN prefix length %d" % length)
        prefix = body[at + 8:]
        if length % 8 and prefix[-1] & (0xFF >> length % 8):
            raise Violation("host bits set in " + body.hex())
        if withdraw and body[:3] != WITHDRAW_LABEL and strict:
            raise Violation("withdrawal with label field %s (RFC 8277 §2.4 says 0x800000)" % body[:3].hex())
        yield (family, body[at:at + 8], length, prefix) + path_id, labels


def _decode_rtc(data):
    while data:
        bits, size = data[0], (data[0] + 7) // 8
        body, data = data[1:1 + size], data[1 + size:]
        if len(body) != size or 0 < bits < 32 or bits > 96:
            raise Violation("RT membership NLRI of %d bits" % bits)
        if bits % 8 and body[-1] & (0xFF >> bits % 8):
            raise Violation("bits beyond the length set in RT membership " + body.hex())
        yield (RTC, body, bits), []


def _decode_evpn(data):
    """Yields (key, [payload]): what RFC 7432 §7 and RFC 9136 §3.1 leave out of the key is payload. Types beyond 5: all key."""
    while data:
        kind, size = data[0], data[1]
        body, data = data[2:2 + size], data[2 + size:]
        if len(body) != size:
            raise Violation("EVPN route of %d octets with %d" % (size, len(body)))
        if not 1 <= kind <= 5:
            yield (EVPN, kind, b"", body), [b""]
            continue
        at = {1: 22, 2: 30 + body[29] // 8 if kind == 2 else 0, 3: size, 4: size, 5: 27 if size == 34 else 39}[kind]
        front = 10 if kind in (2, 5) else 0
        if kind == 1 and size != 25 or kind == 2 and (body[22] != 48 or size - at not in (3, 6)) or kind == 5 and size not in (34, 58):
            raise Violation("EVPN route of type %d with %s" % (kind, body.hex()))
        yield (EVPN, kind, body[:8], body[8 + front:at]), [body[8:8 + front] + body[at:]]


def _decode_nlri(family, data, withdraw=False, add_path=()):
    if family in (VPNV4, VPNV6):
        return list(_decode_vpn(family, data, withdraw, family in add_path))
    if family == RTC:
        return list(_decode_rtc(data))
    if family == EVPN:
        return list(_decode_evpn(data))
    raise Violation("family %s was not negotiated" % (family,))


class Update:
    """A decoded UPDATE: `withdrawn` keys, `announced` Routes, `end_of_rib` family or None."""

    def __init__(self, body, internal=True, as_width=4, add_path=()):
        self.withdrawn, self.announced, self.end_of_rib, self.attributes = [], [], None, {}
        withdrawn_size = struct.unpack(">H", body[:2])[0]
        attr_size = struct.unpack(">H", body[2 + withdrawn_size:4 + withdrawn_size])[0]
        data = body[4 + withdrawn_size:]
        if withdrawn_size or len(data) != attr_size:
            raise Violation("IPv4 unicast routes in the old fields, or wrong lengths")
        if not data:
            raise Violation("IPv4 unicast End-of-RIB: not negotiated")
        order = []
        while data:
            flags, kind = data[0], data[1]
            size, head = (struct.unpack(">H", data[2:4])[0], 4) if flags & EXTENDED else (data[2], 3)
            value, data = data[head:head + size], data[head + size:]
            if len(value) != size:
                raise Violation("attribute %d runs over the message" % kind)
            if kind in self.attributes:
                raise Violation("attribute %d twice" % kind)
            if kind in FLAGS and flags & 0xC0 != FLAGS[kind]:
                raise Violation("attribute %d with flags %02x" % (kind, flags))
            if flags & 0x0F or (flags & 0xC0) == 0 or (flags & PARTIAL and flags & 0xC0 != 0xC0):
                raise Violation("attribute %d with flags %02x" % (kind, flags))
            self.attributes[kind] = (flags, value)
            order.append(kind)
        if MP_UNREACH in self.attributes:
            value = self.attributes[MP_UNREACH][1]
            family = struct.unpack(">HB", value[:3])
            self.withdrawn = [key for key, _ in _decode_nlri(family, value[3:], withdraw=True, add_path=add_path)]
            if not value[3:] and len(order) == 1:
                self.end_of_rib = family
        if MP_REACH in self.attributes:
            self._decode_reach(self.attributes[MP_REACH][1], internal, as_width, add_path)

    def _decode_reach(self, value, internal, as_width, add_path):
        family, size = struct.unpack(">HB", value[:3]), value[3]
        next_hop, rest = value[4:4 + size], value[4 + size:]
        legal = (4, 16) if family in (RTC, EVPN) else (12, 24, 48)
        if size not in legal or len(next_hop) != size or rest[:1] != b"\0":
            raise Violation("next hop of %d octets for family %s" % (size, family))
        if family not in (RTC, EVPN) and next_hop[:8] != bytes(8):
            raise Violation("next hop with RD " + next_hop[:8].hex())
        attrs = {k: v for k, v in self.attributes.items() if k not in (MP_REACH, MP_UNREACH)}
        for kind in (ORIGIN, AS_PATH) + ((LOCAL_PREF,) if internal else ()):
            if kind not in attrs:
                raise Violation("mandatory attribute %d is missing" % kind)
        forbidden = () if not strict else (NEXT_HOP,) if internal else (NEXT_HOP, LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST)
        for kind in forbidden:
            if kind in attrs:
                raise Violation("attribute %d must not be sent here" % kind)
        check_values(attrs, as_width)
        for key, labels in _decode_nlri(family, rest[1:], add_path=add_path):
            self.announced.append(Route(family, key, labels, next_hop, attrs))
        if not self.announced:
            raise Violation("MP_REACH without NLRI")


def check_values(attrs, as_width):
    """Length and value rules of known attributes (RFC 4271 §5, 1997, 4360, 4456, 8092)."""
    sizes = {ORIGIN: 1, MED: 4, LOCAL_PREF: 4, ATOMIC: 0, ORIGINATOR_ID: 4}
    for kind, (_, value) in attrs.items():
        if kind in sizes and len(value) != sizes[kind]:
            raise Violation("attribute %d of %d octets" % (kind, len(value)))
    for kind, unit in ((COMMUNITY, 4), (CLUSTER_LIST, 4), (EXT_COMMUNITY, 8), (LARGE, 12), (IPV6_EXT, 20)):
        if kind in attrs and (len(attrs[kind][1]) % unit or not attrs[kind][1]):
            raise Violation("attribute %d of %d octets" % (kind, len(attrs[kind][1])))
    if as_width == 4 and (AS4_PATH in attrs or AS4_AGGREGATOR in attrs):
        raise Violation("AS4_PATH or AS4_AGGREGATOR sent to a speaker of 4-octet AS numbers (RFC 6793 §4.1)")
    value = attrs[AS_PATH][1]
    while value:
        if value[0] not in (1, 2, 3, 4) or value[1] == 0 or len(value) < 2 + value[1] * as_width:
            raise Violation("AS_PATH segment " + value[:2].hex())
        value = value[2 + value[1] * as_width:]
