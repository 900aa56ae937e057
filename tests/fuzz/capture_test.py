#!/usr/bin/python3
"""Recordings become inputs: packets are put together as TCP does, cut where messages end, and kept when they show something new."""
import pathlib
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import capture  # noqa: E402
import dissect  # noqa: E402
import pcap  # noqa: E402

PE, RR = "10.9.0.1", "10.9.0.100"
SYN, SYN_ACK, ACK = 0x02, 0x12, 0x10
ETHERNET, COOKED, COOKED2 = 1, 113, 276
REACH = bytes.fromhex("800e20 0001 80 0c 0000000000000000 0a000001 00 70 000641 0000fde800000065 0a0000".replace(" ", ""))
ATTRIBUTES = bytes.fromhex("400101004002004005040000 0064c0100800 02fde800000065".replace(" ", ""))


def packet(source, destination, segment, protocol=6, link=ETHERNET):
    ip = bytes(map(int, source.split("."))), bytes(map(int, destination.split(".")))
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0x4000, 64, protocol, 0) + ip[0] + ip[1]
    return {ETHERNET: bytes(12) + b"\x08\0", COOKED: bytes(14) + b"\x08\0", COOKED2: b"\x08\0" + bytes(18)}[link] + head + segment


def packet6(source, destination, segment):
    addresses = bytes.fromhex(source) + bytes.fromhex(destination)
    return bytes(12) + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(segment), 6, 64) + addresses + segment


def tcp(source, destination, sequence, flags, payload=b""):
    return struct.pack(">HHIIBBHHH", source, destination, sequence & 0xffffffff, 0, 5 << 4, flags, 1000, 0, 0) + payload


def file(packets, link=ETHERNET, order="<"):
    out = struct.pack(order + "IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, link)
    for i, p in enumerate(packets):
        out += struct.pack(order + "IIII", 100 + i, 500000, len(p), len(p)) + p
    return out


def connection(pe_sends, rr_sends=(), first=1000, port=40000, link=ETHERNET, pe=PE):
    """Packets of a connection from the PE: segments are (offset, octets)."""
    back = first + 4000
    out = [packet(pe, RR, tcp(port, 1790, first - 1, SYN), link=link), packet(RR, pe, tcp(1790, port, back - 1, SYN_ACK), link=link)]
    out += [packet(pe, RR, tcp(port, 1790, first + at, ACK, octets), link=link) for at, octets in pe_sends]
    return out + [packet(RR, pe, tcp(1790, port, back + at, ACK, octets), link=link) for at, octets in rr_sends]


def message(kind, body=b""):
    return b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body


def open_message(capabilities, asn=65000):
    caps = b"".join(bytes([code, len(value)]) + value for code, value in capabilities)
    return message(1, struct.pack(">BHH", 4, asn, 90) + b"\x0a\x09\0\1" + bytes([len(caps) + 2, 2, len(caps)]) + caps)


def update(attributes):
    return message(2, b"\0\0" + struct.pack(">H", len(attributes)) + attributes)


VPN, FOUR = (1, b"\0\1\0\x80"), (65, b"\0\0\xfd\xe8")
OPEN = open_message([VPN, FOUR])
UPDATE = update(REACH + ATTRIBUTES)
END_OF_RIB = update(b"\x80\x0f\3\0\1\x80")


def of_target(seeds, target):
    return [content for t, content in seeds if t == target]


class Packets(unittest.TestCase):
    def sent(self, segments, **options):
        streams, _ = pcap.read(file(connection(segments, **options)))
        self.assertEqual([(s[0], s[1]) for s in streams], [((PE, 40000), (RR, 1790)), ((RR, 1790), (PE, 40000))])
        return streams[0][2]

    def test_in_order(self):
        self.assertEqual(self.sent([(0, b"abc"), (3, b"def")]), b"abcdef")

    def test_out_of_order_again_and_overlapping(self):
        self.assertEqual(self.sent([(3, b"def"), (0, b"abc"), (3, b"def"), (2, b"cdefgh")]), b"abcdefgh")

    def test_a_longer_segment_replaces_a_shorter_one(self):
        self.assertEqual(self.sent([(0, b"ab"), (0, b"abcd"), (0, b"a")]), b"abcd")

    def test_nothing_behind_a_gap(self):
        self.assertEqual(self.sent([(0, b"abc"), (4, b"ef")]), b"abc")

    def test_sequence_numbers_begin_again(self):
        self.assertEqual(self.sent([(0, b"abc"), (3, b"def"), (6, b"g")], first=0xfffffffe), b"abcdefg")

    def test_both_directions(self):
        streams, _ = pcap.read(file(connection([(0, b"ask")], [(0, b"answer")])))
        self.assertEqual([s[2:] for s in streams], [(b"ask", b"answer"), (b"answer", b"ask")])

    def test_a_port_used_again(self):
        packets = connection([(0, b"one")], [(0, b"1")]) + connection([(0, b"two")], [(0, b"2")], first=9000)
        self.assertEqual([s[2:] for s in pcap.read(file(packets))[0] if s[0][0] == PE], [(b"one", b"1"), (b"two", b"2")])

    def test_a_syn_sent_again(self):
        packets = connection([(0, b"abc"), (3, b"def")])
        streams, _ = pcap.read(file(packets[:3] + packets[:1] + packets[3:]))
        self.assertEqual([s[2] for s in streams], [b"abcdef", b""])

    def test_a_stream_without_its_beginning(self):
        self.assertEqual(pcap.read(file(connection([(0, b"abc")])[2:]))[0], [])

    def test_link_types_and_byte_orders(self):
        for link in (ETHERNET, COOKED, COOKED2):
            for order in "<>":
                streams, _ = pcap.read(file(connection([(0, b"abc")], link=link), link, order))
                self.assertEqual(streams[0][2], b"abc")

    def test_ipv6(self):
        ends = "20010db8" + "0" * 23 + "1", "20010db8" + "0" * 23 + "2"
        streams, _ = pcap.read(file([packet6(*ends, tcp(1, 2, 7, SYN)), packet6(*ends, tcp(1, 2, 8, ACK, b"six"))]))
        self.assertEqual(streams, [(("2001:db8::1", 1), ("2001:db8::2", 2), b"six", b"")])

    def test_datagrams(self):
        datagram = struct.pack(">HHHH", 49152, 4784, 11, 0) + b"bfd" + b"padding"
        _, datagrams = pcap.read(file([packet(PE, RR, datagram, 17)]))
        self.assertEqual(datagrams, [(100.5, (PE, 49152), (RR, 4784), b"bfd")])

    def test_a_file_cut_short(self):
        self.assertEqual(pcap.read(file(connection([(0, b"abc"), (3, b"def")]))[:-2])[0][0][2], b"abc")

    def test_no_pcap_file(self):
        for data in (b"", b"x" * 24):
            with self.assertRaises(ValueError):
                pcap.read(data)
        with self.assertRaisesRegex(ValueError, "link type 105"):
            pcap.read(file([], 105))


class Cutting(unittest.TestCase):
    def seeds(self, sent, back=OPEN):
        return dissect.seeds_of_stream(sent, back)

    def test_messages_end_where_their_length_says(self):
        self.assertEqual(list(dissect.messages(OPEN + UPDATE + message(4) + UPDATE[:-1])), [OPEN, UPDATE, message(4)])
        for bad in (b"GET / HTTP/1.1\r\n\r\n..", b"\xff" * 16 + b"\0\x12\4", b"\xff" * 18):
            self.assertEqual(list(dissect.messages(bad)), [])
            self.assertEqual(self.seeds(bad), [])

    def test_every_target(self):
        seeds = self.seeds(OPEN + message(4) + UPDATE + END_OF_RIB)
        self.assertEqual(of_target(seeds, "framer"), [b"\x24" + OPEN + message(4) + UPDATE + END_OF_RIB])
        self.assertEqual(of_target(seeds, "open"), [OPEN[19:]])
        self.assertEqual(of_target(seeds, "update"), [b"\0" + UPDATE[19:], b"\0" + END_OF_RIB[19:]])
        self.assertEqual(of_target(seeds, "attributes"), [b"\1\1\0", b"\2\1", b"\5\1\0\0\0\x64", b"\x10\1" + ATTRIBUTES[-8:]])
        self.assertEqual(of_target(seeds, "vpn_nlri"), [b"\0" + REACH[-15:]])
        body, end = UPDATE[19:], END_OF_RIB[19:]
        self.assertEqual(of_target(seeds, "session"), [b"\0\0" + struct.pack(">H", len(body)) + body + b"\x17\0" + struct.pack(">H", len(end)) + end + b"\x17"])

    def test_families(self):
        def unreach(family, nlri):
            value = struct.pack(">HB", *family) + nlri
            return update(bytes([0x80, 15, len(value)]) + value)
        for family, nlri, target, want in (((2, 128), b"\x58\x80\0\0" + bytes(8), "vpn_nlri", b"\3\x58\x80\0\0" + bytes(8)),
                                           ((1, 132), b"\0", "rtc_nlri", b"\0\0"), ((25, 70), b"\3\1\0", "evpn_nlri", b"\3\1\0")):
            self.assertEqual(of_target(self.seeds(OPEN + unreach(family, nlri)), target), [want])

    def options(self, mine, theirs, asn=65000, sent=UPDATE):
        return of_target(self.seeds(open_message(mine, asn) + sent, open_message(theirs)), "update")[0][0]

    def test_options_are_what_both_ends_negotiated(self):
        paths = lambda n: (69, b"\0\1\x80" + bytes([n]))  # noqa: E731
        next_hop = (5, b"\0\1\0\x80\0\2")
        self.assertEqual(self.options([VPN, FOUR], [VPN, FOUR]), 0)
        self.assertEqual(self.options([VPN, FOUR], [VPN]), 0x01)
        self.assertEqual(self.options([VPN], [VPN], asn=65100), 0x03)
        self.assertEqual(self.options([VPN, FOUR, paths(2)], [VPN, FOUR, paths(1)]), 0x04)
        self.assertEqual(self.options([VPN, FOUR, paths(3)], [VPN, FOUR, paths(3)]), 0x04)
        self.assertEqual(self.options([VPN, FOUR, paths(1)], [VPN, FOUR, paths(3)]), 0)
        self.assertEqual(self.options([VPN, FOUR, paths(3)], [VPN, FOUR, paths(2)]), 0)
        self.assertEqual(self.options([VPN, FOUR, next_hop], [VPN, FOUR, next_hop]), 0x08)
        self.assertEqual(self.options([VPN, FOUR, (1, b"\0\1\0\1")], [VPN, FOUR, (1, b"\0\1\0\1")]), 0x10)
        self.assertEqual(self.options([FOUR], [FOUR]), 0x10)

    def test_path_ids_of_another_family(self):
        six = (69, b"\0\2\x80\3")
        self.assertEqual(self.options([VPN, FOUR, six], [VPN, FOUR, six]), 0)

    def test_the_other_end_was_not_heard(self):
        seeds = self.seeds(open_message([VPN, FOUR, (69, b"\0\1\x80\2")]) + UPDATE, b"")
        self.assertEqual(of_target(seeds, "update")[0][0], 0x04)

    def test_long_open(self):
        body = OPEN[19:28] + b"\xff\xff" + struct.pack(">HBH", 9, 2, 6) + bytes([1, 4]) + VPN[1]
        self.assertEqual(dissect.capabilities(body), [VPN])

    def test_a_long_stream_ends_with_a_whole_message(self):
        stream = OPEN + UPDATE * 100
        framer = of_target(self.seeds(stream), "framer")[0][1:]
        self.assertTrue(stream.startswith(framer) and (len(framer) - len(OPEN)) % len(UPDATE) == 0 and len(framer) <= dissect.MAX_STREAM < len(framer) + len(UPDATE))

    def test_notifications_and_refreshes(self):
        seeds = self.seeds(OPEN + message(5, b"\0\1\0\x80") + message(3, b"\6\2"))
        self.assertEqual(of_target(seeds, "framer")[1:], [b"\0" + message(5, b"\0\1\0\x80"), b"\0" + message(3, b"\6\2")])
        self.assertEqual(of_target(seeds, "session"), [b"\0\x06\x17"])

    def test_bfd_packets_are_for_the_target(self):
        down, init, up = (bytes([0x20, state, 3, 24]) + struct.pack(">II", 4711, yours) + bytes(12) for state, yours in ((0x40, 0), (0x80, 99), (0xc0, 99)))
        seeds = dissect.seeds_of_datagrams([(1.0, down), (2.0, down), (2.25, init), (9.0, up), (9.3, up), (9.6, up)])
        packets = [down, down, init[:8] + b"\0\0\0\7" + init[12:], up[:8] + b"\0\0\0\7" + up[12:]]
        self.assertEqual(seeds, [("bfd", b"".join(bytes([delay, 24]) + p for delay, p in zip((0, 100, 25, 255), packets)))])

    def test_bmp_and_mrt(self):
        initiation, end = b"\3" + struct.pack(">IB", 6, 4), b"\3" + struct.pack(">IB", 8, 5) + b"xx"
        self.assertEqual(list(dissect.bmp_messages(initiation + end + end[:5])), [initiation, end])
        self.assertEqual(list(dissect.bmp_messages(end)), [])
        record = bytes(4) + struct.pack(">HHI", 13, 1, 3) + b"abc"
        self.assertEqual(list(dissect.mrt_records(record + record[:-1])), [record])


class Growing(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def grow(self, target, *candidates):
        capture.Corpus(self.path, target).grow(candidates)
        return sorted(f.name for f in (self.path / target).glob("*"))

    def test_only_what_daemons_sent(self):
        scripted = connection([(0, OPEN + END_OF_RIB + END_OF_RIB)], pe="10.9.0.4")
        daemon = connection([(0, OPEN + UPDATE)], [(0, OPEN + END_OF_RIB)])
        seeds = capture.seeds_of_packets(file(scripted + daemon), {PE: "frr"})
        self.assertEqual({daemon for daemon, _, _ in seeds}, {"frr"})
        self.assertEqual([content for _, target, content in seeds if target == "update"], [b"\0" + UPDATE[19:]])

    def test_a_folder_of_a_test(self):
        record = bytes(4) + struct.pack(">HHI", 13, 1, 3) + b"abc"
        for folder in ("frr", "heliod/mrt"):
            (self.path / folder).mkdir(parents=True)
            (self.path / folder / "x.mrt").write_bytes(record)
        (self.path / "record.pcap").write_bytes(file(connection([(0, OPEN)])))
        (self.path / "senders").write_text("10.9.0.9 bird\n%s gobgp\n" % PE)
        found = [(daemon, target) for daemon, target, _ in capture.seeds_of_test(self.path)]
        self.assertEqual(found, [("gobgp", "framer"), ("gobgp", "open"), ("frr", "mrt"), ("heliod", "mrt")])

    def test_bmp_of_a_daemon_and_of_the_reflector(self):
        initiation = b"\3" + struct.pack(">IB", 6, 4)
        packets = connection([(0, initiation)]) + connection([(0, initiation)], pe="10.9.0.7")
        self.assertEqual(capture.seeds_of_packets(file(packets), {PE: "frr"}), [("frr", "bmp", initiation), ("heliod", "bmp", initiation)])

    def test_the_same_again_and_its_like(self):
        one, like = bytes(1) + UPDATE[19:], bytes(1) + UPDATE[19:-1] + b"\x66"
        self.assertEqual(self.grow("update", ("frr-8.4", one), ("frr-8.4", like), ("frr-8.4", one)), ["frr-8.4-update-01"])
        self.assertEqual(self.grow("update", ("frr-8.4", like)), ["frr-8.4-update-01"])

    def test_something_new_gets_the_next_number(self):
        one, other = bytes(1) + UPDATE[19:], bytes(1) + END_OF_RIB[19:]
        self.grow("update", ("frr-8.4", one))
        self.assertEqual(self.grow("update", ("frr-8.4", other)), ["frr-8.4-update-01", "frr-8.4-update-02"])

    def test_another_version_says_that_it_was_tried(self):
        one, like = bytes(1) + UPDATE[19:], bytes(1) + UPDATE[19:-1] + b"\x66"
        self.grow("update", ("frr-8.4", one))
        self.assertEqual(self.grow("update", ("frr-9.1", like)), ["frr-8.4-update-01", "frr-9.1-update-01"])

    def test_hand_made_inputs(self):
        (self.path / "update").mkdir()
        (self.path / "update/vpnv4").write_bytes(bytes(1) + UPDATE[19:])
        self.assertEqual(self.grow("update", ("frr-8.4", bytes(1) + UPDATE[19:])), ["vpnv4"])
        self.assertEqual(self.grow("update", ("frr-8.4", bytes(1) + UPDATE[19:-1] + b"\x66")), ["frr-8.4-update-01", "vpnv4"])

    def test_there_are_limits(self):
        def records(label, kinds):
            return [(label, bytes(4) + struct.pack(">HHI", 13, kind, 0)) for kind in kinds]
        too_long = ("x-1", bytes(4) + struct.pack(">HHI", 13, 999, 9000) + bytes(9000))
        self.assertEqual(len(self.grow("mrt", *records("x-1", range(40)), too_long)), capture.MAX_FILES)
        self.assertEqual(len(self.grow("mrt", *records("x-1", range(40, 50)))), capture.MAX_FILES)
        self.assertEqual(len(self.grow("mrt", *records("x-2", range(40, 50)))), capture.MAX_FILES + 10)

    def test_every_recorded_input_can_be_looked_at(self):
        for folder in (capture.HERE / "corpus").iterdir():
            if folder.name in dissect.TARGETS:
                for file_ in folder.glob("*-%s-[0-9][0-9]" % folder.name):
                    self.assertTrue(dissect.features(folder.name, file_.read_bytes()), file_)


if __name__ == "__main__":
    unittest.main()
