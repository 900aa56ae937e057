"""What tcpdump wrote as TCP streams and UDP datagrams: `read` takes a classic pcap file apart, `streams` puts segments together.

A stream is one direction of one connection from its SYN to the first octet that was not captured. Streams whose SYN is
missing are left out: where their first message begins is not known. IP fragments are not put together; daemons on one
machine send none.
"""
import ipaddress
import struct

# Link types (tcpdump.org/linktypes.html): length of the header in front of IP and where the EtherType is.
LINKS = {1: (14, 12), 113: (16, 14), 276: (20, 0)}  # Ethernet (lo), Linux cooked v1 and v2 (`-i any`)
TCP, UDP = 6, 17
SYN, ACK = 0x02, 0x10


def address(octets):
    return str(ipaddress.ip_address(octets))


def records(data):
    """(seconds, octets) of each packet, and the link type first. A file that ends within a record ends there: tcpdump was stopped."""
    for order in "<>":
        magic, link = struct.unpack(order + "I16xI", data[:24]) if len(data) >= 24 else (0, 0)
        unit = {0xa1b2c3d4: 1e-6, 0xa1b23c4d: 1e-9}.get(magic)
        if unit:
            break
    else:
        raise ValueError("not a pcap file")
    if link not in LINKS:
        raise ValueError("link type %d is not known here" % link)
    yield link
    at = 24
    while len(data) - at >= 16:
        seconds, fraction, captured, _ = struct.unpack(order + "IIII", data[at:at + 16])
        packet = data[at + 16:at + 16 + captured]
        if len(packet) < captured:
            return
        yield seconds + fraction * unit, packet
        at += 16 + captured


def transport(packet, link):
    """(source, destination, protocol, what IP carries) of a packet, or None."""
    head, kind = LINKS[link]
    if len(packet) < head:
        return None
    ether_type, ip = packet[kind:kind + 2], packet[head:]
    if ether_type == b"\x08\x00" and len(ip) >= 20:
        total, fragment = struct.unpack(">H2xH", ip[2:8])
        if fragment & 0x3fff:
            return None
        # Segments that a device would have cut (TSO) may come with a length of 0.
        end = total or len(ip)
        return address(ip[12:16]), address(ip[16:20]), ip[9], ip[(ip[0] & 15) * 4:end]
    if ether_type == b"\x86\xdd" and len(ip) >= 40:
        return address(ip[8:24]), address(ip[24:40]), ip[6], ip[40:40 + struct.unpack(">H", ip[4:6])[0]]
    return None


class Half:
    """One direction of a connection: octets by their distance from the first one; `back` is the other direction."""

    def __init__(self, ends, first):
        self.ends, self.first, self.parts, self.back = ends, first, {}, None

    def add(self, sequence, payload):
        at = (sequence - self.first) & 0xffffffff
        if at < 1 << 31 and len(payload) > len(self.parts.get(at, b"")):
            self.parts[at] = payload

    def octets(self):
        out = b""
        for at, payload in sorted(self.parts.items()):
            if at > len(out):
                break
            out += payload[len(out) - at:]
        return out


def on_segment(halves, current, ends, segment):
    """Takes one TCP segment; `current` has the latest half of a pair of ends."""
    sequence, flags = struct.unpack(">I", segment[4:8])[0], segment[13]
    if flags & SYN:
        first = (sequence + 1) & 0xffffffff
        if ends in current and current[ends].first == first:
            return  # sent again
        half = current[ends] = Half(ends, first)
        halves.append(half)
        if flags & ACK and ends[::-1] in current:
            half.back = current[ends[::-1]]
            half.back.back = half
    elif ends in current:
        current[ends].add(sequence, segment[(segment[12] >> 4) * 4:])


def read(data):
    """(streams, datagrams) of a pcap file. Streams: [(source, destination, octets sent, octets that came back)], ends as
    (address, port); datagrams: [(seconds, source, destination, payload)]."""
    packets = records(data)
    link = next(packets)
    halves, current, datagrams = [], {}, []
    for seconds, packet in packets:
        parts = transport(packet, link)
        if not parts or len(parts[3]) < 8:
            continue
        source, destination, protocol, body = parts
        ports = struct.unpack(">HH", body[:4])
        ends = (source, ports[0]), (destination, ports[1])
        if protocol == UDP:
            datagrams.append((seconds, *ends, body[8:struct.unpack(">H", body[4:6])[0]]))
        elif protocol == TCP and len(body) >= 20:
            on_segment(halves, current, ends, body)
    return [(*h.ends, h.octets(), h.back.octets() if h.back else b"") for h in halves], datagrams
