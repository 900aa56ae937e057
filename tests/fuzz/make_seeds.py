#!/usr/bin/env python3
"""Writes the hand-made seed inputs of the wire fuzz targets into tests/fuzz/corpus/<target>/.

Each seed is hex with what it is for; the leading octets are the target's options (see the targets' file heads).
Findings of fuzz runs, and what real daemons sent (capture.py), are files in the same folders beside these.
"""
import pathlib

MARKER = "ff" * 16
REACH = "800e20 0001 80 0c 0000000000000000 0a000001 00 70 000641 0000fde800000065 0a0000"
REACH6 = "800e2d 0002 80 18 0000000000000000 20010db8000000000000000000000001 00 78 000641 0000fde800000065 20010db8"
REACH_RTC = "800e16 0001 84 04 0a000001 00 60 0000fde8 0002fde800000065"
UNREACH = "800f12 0001 80 70 800000 0000fde800000065 0a0000"
BASE = "400101 00 400200 400504 00000064"
RT = "c01008 0002fde800000065"


def octets(text):
    return bytes.fromhex(text.replace(" ", ""))


def message(kind, body):
    payload = octets(body)
    return octets(MARKER) + (19 + len(payload)).to_bytes(2, "big") + bytes([kind]) + payload


def update(attributes, nlri="", withdrawn=""):
    a, w = octets(attributes), octets(withdrawn)
    return len(w).to_bytes(2, "big") + w + len(a).to_bytes(2, "big") + a + octets(nlri)


def open_body(capabilities, prefix="04 fde8 005a 0a000001"):
    c = octets(capabilities)
    return octets(prefix) + bytes([len(c) + 2, 2, len(c)]) + c


UPDATES = {
    "vpnv4": (0, update(REACH + BASE + RT)),
    "vpnv6": (0, update(REACH6 + BASE + RT)),
    "rtc": (0, update(REACH_RTC + BASE)),
    "withdraw": (0, update(UNREACH)),
    "both": (0, update(REACH + UNREACH + BASE)),
    "end-of-rib": (0, update("800f03 0001 80")),
    "end-of-rib-ipv4": (0x10, update("")),
    "plain-ipv4": (0x10, update(BASE + "400304 0a000001", "18 0a0000", "20 0a000001")),
    "reflected": (0, update(REACH + BASE + RT + "800904 0a000002 800a08 0a0000fe 0a0000fd")),
    "two-octet-as": (1, update(REACH + "400101 00 400206 0202 fde9 5ba0 400504 00000064 c01106 0201 fa56ea00 c00706 5ba0 0a000001 c01208 fa56ea00 0a000001")),
    "external": (2, update(REACH + "400101 00 400206 0201 0000fde9" + RT)),
    "add-path": (4, update("800e24 0001 80 0c 0000000000000000 0a000001 00 00000007 70 000641 0000fde800000065 0a0000" + BASE)),
    "ipv6-next-hop": (8, update("800e2c 0001 80 18 0000000000000000 20010db8000000000000000000000001 00 70 000641 0000fde800000065 0a0000" + BASE)),
    "all-attributes": (0, update(REACH + "400101 00 400206 0201 0000fde9 400304 0a000001 800404 00000001 400504 00000064 400600 c00708 0000fde8 0a000001"
                                 "c00804 ffffff01 800904 0a000002 800a04 0a0000fe" + RT + "c01605 00 06 000641 c01709 0008 0005 02 03 010203"
                                 "c01914 0002 20010db8000000000000000000000001 0001 801a0b 01 000b 00000000000000ff c0200c 0000fde8 00000001 00000002"
                                 "c02304 0000fde8 c0280a 01 0007 00 0000 00000064 c08007 0000fde8 400600 c0fe03 010203 80fd01 01")),
    "prefix-sid-zero": (0, update(REACH + BASE + "c02809 000000000000000000")),
    "empty-extended-as-path": (0, update(REACH + "400101 00 50020000 400504 00000064")),
    "overrun": (0, update(REACH + BASE + "c00808 ffffff01")),
    "disable-vpnv6": (0x20, update("800e1f 0002 80 18 000000000000000000000000000000000000000000000000 00 57 00" + UNREACH + BASE)),
    "evpn": (0, update("900e0024 0019 46 04 0a000001 00 01 19 0000fde800000065 00112233445566778899 00000007 000641" + BASE + RT)),
    "evpn-withdraw": (0, update("800f16 0019 46 03 11 0000fde800000065 00000007 20 0a010001")),
    "two-nlri": (0, update("800e32 0001 80 0c 0000000000000000 0a000001 00 70 000641 0000fde800000065 0a0000"
                           "88 000640 0003e9 0000fde800000065 0a0001" + BASE)),
}

OPENS = {
    "usual": open_body("0104 00010080 0104 00020080 0104 00010084 0200 4600 0600 4104 0000fde8 4006 0078 00018000 4909 03 706531 04 6c61622e"),
    "every-capability": open_body("0104 00190046 0506 0001 0080 0002 0901 03 4508 00018003 00028001 4707 0001 80 80 015180 4b06 05 68656c696f 8003 010203"),
    "none": octets("04 fde8 005a 0a000001 00"),
    "extended": octets("04 fde8 005a 0a000001 ff ff0005 020002 0200"),
    "separate-parameters": octets("04 fde8 005a 0a000001 0c 0206 0104 00010080 0202 0200"),
    "ends-at-option-length": octets("04 fde8 005a 0a000001 01"),
    "extended-short": octets("04 fde8 005a 0a000001 ff ff00"),
    "capability-beyond-option": octets("04 fde8 005a 0a000001 05 0206 0104 00"),
    "fqdn-overrun": open_body("4903 01 61 09"),
}

ATTRIBUTES = {
    "as-path": "02 01 0202 0000fde9 fa56ea00 0102 0000fdea 0000fdeb",
    "as-path-confederation": "02 01 0301 0000fdf2 0201 0000fde9",
    "as-path-two-octet": "02 00 0202 fde9 5ba0",
    "as4-merge": "00 00 06 0202 fde9 5ba0 0201 fa56ea00",
    "as4-merge-confederation": "00 00 0a 0301 fdf2 0202 fde9 5ba0 0201 fa56ea00",
    "aggregator": "07 01 fa56ea00 0a000001",
    "aggregator-two-octet": "07 00 5ba0 0a000001",
    "communities": "08 01 ffffff01 ffff0006",
    "extended-communities": "10 01 0002fde800000065 0102c00002010001 0202fa56ea000001",
    "aigp": "1a 01 07 0004 ff 01 000b 0000000000000100",
    "tunnel-encap": "17 01 0008 0006 80 0003 010203",
    "prefix-sid-srv6": "28 01 05 0022 00 01 001e 00 20010db8000000000000000000000001 00 0013 00 01 0006 201000103810",
    "attr-set": "80 01 0000fde8 400600 40020a 0202 0000fde9 fa56ea00",
}

VPN_NLRI = {
    "vpnv4": "00 70 000641 0000fde800000065 0a0000 78 000641 0001c00002010007 0a000001 58 000641 0000fde800000065",
    "vpnv6": "01 98 000641 0000fde800000065 20010db800000001 d8 000641 0002fa56ea000005 20010db8000000000000000000000001",
    "withdraw-forms": "02 70 800000 0000fde800000065 0a0000 70 000000 0000fde800000065 0a0000 70 000001 0000fde800000065 0a0000 88 000640 0003e9 0000fde800000065 0a0000",
    "stack": "00 88 000640 0003e9 0000fde800000065 0a0000 a0 000640 000650 0003e9 0000fde800000065 0a0000",
    "no-s-bit": "00 70 000640 0000fde800000065 0a0000",
    "path-ids": "04 00000007 70 000641 0000fde800000065 0a0000",
    "withdraw-vpnv6": "03 78 800000 0000fde800000065 20010db8 98 000640 000101 0000fde800000065 20010db8",
    "too-short": "00 57 000641 0000fde800000065",
}

RTC_NLRI = {
    "default": "00 00",
    "as-only": "00 20 0000fde8",
    "full": "00 60 0000fde8 0002fde800000065 60 fa56ea00 0202fa56ea000001",
    "partial": "00 40 0000fde8 0002fde8 21 0000fde8 ff 5f 0000fde8 0002fde800000065",
    "invalid": "00 1f 00000000 20 0000fde8",
    "path-ids": "01 00000005 20 0000fde8 00000006 00",
    "too-long": "00 61 0000fde8 0002fde80000006500",
}

EVPN_NLRI = {
    "types-1-to-5": "01 19 0000fde800000065 00112233445566778899 00000007 000641"
                    "02 21 0000fde800000065 00112233445566778899 00000007 30 00005e005301 00 000641"
                    "02 28 0000fde800000065 00112233445566778899 00000007 30 00005e005301 20 c0000201 000641 000651"
                    "03 11 0000fde800000065 00000007 20 0a010001 04 23 0000fde800000065 00112233445566778899 80 20010db8000000000000000000000001"
                    "05 22 0000fde800000065 00000000000000000000 00000007 18 0a000000 00000000 000641",
    "prefix-ipv6": "05 3a 0000fde800000065 00000000000000000000 00000007 40 20010db8000000000000000000000000 00000000000000000000000000000000 000641",
    "multicast": "06 18 0000fde800000065 00000007 00 20 e0000116 20 0a010001 02 08 27 0000fde800000065 00112233445566778899 00000007 00 20 e0000116 20 0a010001 00000000 0a 02",
    "unknown": "0b 04 01020304 ff 00",
    "cut": "02 21 0000fde800000065 00112233445566778899",
    "wrong-length": "01 18 0000fde800000065 00112233445566778899 00000007 0006",
}

FRAMES = {
    "keepalives": b"\x00" + message(4, "") + message(4, ""),
    "session": b"\x0e" + message(1, "04fde8005a0a00000100") + message(4, "") + message(2, update("").hex()) + message(3, "0602"),
    "extended": b"\x01" + message(2, "0000" + "1388" + "00" * 5000),
    "shutdown-text": b"\x00" + message(3, "0602 0f 6d61696e74656e616e6365 20 c3bc 0a"),
    "hard-reset": b"\x00" + message(3, "0609 0602 03616263"),
    "max-prefixes": b"\x00" + message(3, "0601 000180 00000064"),
    "refresh": b"\x00" + message(5, "00010080") + message(5, "00010180") + message(5, "00010280") + message(5, "000100800140ffff"),
    "bad-marker": b"\x00" + octets("ff" * 15 + "fe" + "001304"),
    "bad-length": b"\x00" + octets(MARKER + "001204"),
    "bad-type": b"\x00" + octets(MARKER + "0013ff"),
}


BFD_UP = "20 c0 03 18 00001267 00000007 000493e0 000493e0 00000000"
BFD = {
    "up": BFD_UP,
    "poll": BFD_UP.replace("c0", "e0"),
    "authenticated": BFD_UP.replace("c0 03 18", "c4 03 1a") + "0102",
    "handshake": "00 18 20 40 03 18 00001267 00000000 000f4240 000493e0 00000000 0a 18 20 80 03 18 00001267 00000007 000f4240 000493e0 00000000"
                 "0a 18" + BFD_UP.replace("c0", "d0") + "14 18" + BFD_UP + "ff 00",
    "demand": "00 18" + BFD_UP.replace("c0", "80") + "01 18" + BFD_UP.replace("c0", "d2") + "50 18" + BFD_UP.replace("c0", "e2"),
    "admin-down": "00 18" + BFD_UP.replace("c0", "80") + "05 18" + BFD_UP.replace("20 c0", "27 00"),
}


def ipv4(destination, ttl=64, protocol=17, payload="03e80035000c0000" + "00" * 4, source="0a000001"):
    body = octets(payload)
    header = octets("4500 %04x 0000 4000 %02x %02x 0000" % (20 + len(body), ttl, protocol)) + octets(source) + octets(destination)
    total = sum(int.from_bytes(header[i:i + 2], "big") for i in range(0, 20, 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return (header[:10] + (0xffff - total).to_bytes(2, "big") + header[12:] + body).hex()


def labels(*stack):
    return "".join("%08x" % (label << 12 | (0x100 if i + 1 == len(stack) else 0) | ttl) for i, (label, ttl) in enumerate(stack))


IPV6 = "60000000 0008 11 40 20010db8000000000000000000000001 %s 03e8003500080000"
# Bits 0-1 of the first octet: interface (0, 1 core; 2, 3 customers); bits 2-3: 0 IPv4, 1 IPv6, 2 MPLS; 0x10 uniform, 0x40 small MTU.
FORWARDING = {
    "push": "12" + ipv4("0a010001"),
    "tunnel": "12" + ipv4("0a020001"),
    "expired": "12" + ipv4("0a010001", ttl=1),
    "too-big": "52" + ipv4("0a010001", payload="00" * 90),
    "vpn6": "17" + IPV6 % "20010db8000000000000000000000002",
    "swap": "18" + labels((16, 60), (31, 60)) + ipv4("0a000009"),
    "php": "18" + labels((17, 60), (31, 200)) + ipv4("0a000009"),
    "egress": "38" + labels((31, 60)) + ipv4("0a000009"),
    "per-ce": "18" + labels((42, 60)) + ipv4("0a000009"),
    "per-ce-not-bottom": "18" + labels((41, 60), (31, 60)) + ipv4("0a000009"),
    "entropy": "18" + labels((7, 60), (99, 0), (32, 60)) + ipv4("0a000009"),
    "expired-label": "18" + labels((16, 1), (31, 9)) + ipv4("0a000009"),
    "explicit-null": "18" + labels((0, 60), (31, 60)) + ipv4("0a000009"),
    "option-b": "18" + labels((19, 60)) + ipv4("0a000009"),
    "into-tunnel": "18" + labels((20, 60)) + ipv4("0a000009"),
    "gre": "10" + ipv4("0aff0001", protocol=47, payload="00008847" + labels((31, 60)) + ipv4("0a000009")),
    "mpls-in-ip": "10" + ipv4("0aff0001", protocol=137, payload=labels((32, 60)) + ipv4("0a000009")),
}


BMP_PEER = "00 00 0000000000000000 000000000000000000000000 c000020b 0000fde8 c000020b 6553f100 00000005"
BMP_PEER6 = "00 90 0000000000000000 20010db8000000000000000000000001 0000fde8 c000020b 6553f100 00000005"
BMP_LOC_RIB = "03 00 0000000000000000 00000000000000000000000000000000 0000fde8 0a000001 00000000 00000000"
OPEN_HEX = MARKER + "001d 01 04 fde8 005a 0a000001 00"
EOR_HEX = MARKER + "001e 02 0000 0007 900f0003 0001 80"


def bmp(kind, body):
    payload = octets(body)
    return b"\x03" + (6 + len(payload)).to_bytes(4, "big") + bytes([kind]) + payload


def mrt(kind, subtype, body):
    payload = octets(body)
    return octets("6553f100") + kind.to_bytes(2, "big") + subtype.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload


BMP = {
    "initiation": bmp(4, "0001 0001 64 0002 0003 727231"),
    "session": bmp(4, "0002 0003 727231") + bmp(3, BMP_PEER + "000000000000000000000000c0000201 00b3 9c40" + OPEN_HEX + OPEN_HEX + "0000 0001 78")
               + bmp(0, BMP_PEER + EOR_HEX) + bmp(2, BMP_PEER + "03" + MARKER + "0015 03 06 02") + bmp(5, "0001 0002 0000"),
    "ipv6": bmp(3, BMP_PEER6 + "20010db8000000000000000000000002 00b3 9c40" + OPEN_HEX + OPEN_HEX),
    "loc-rib": bmp(3, BMP_LOC_RIB + "00000000000000000000000000000000 0000 0000" + OPEN_HEX + OPEN_HEX + "0003 0006 676c6f62616c") + bmp(0, BMP_LOC_RIB + EOR_HEX),
    "statistics": bmp(1, BMP_PEER + "00000003 0007 0008 0000000000000007 0009 000b 0001 80 0000000000000005 03e7 0003 010203"),
    "mirroring": bmp(6, BMP_PEER + "0000 0002 ffff"),
    "cut": bmp(0, BMP_PEER + EOR_HEX)[:-1],
}
MRT_NEXT_HOP = "800e0d 0c 0000000000000000 0a000001"
MRT_HEAD = "0000fde9 0000fde8 0000 0001 c0000202 c0000201"
MRT = {
    "peer-index": mrt(13, 1, "0a000001 0001 76 0002 02 0a000002 c0000202 0000fde8 03 00000003 20010db8000000000000000000000003 fa56ea00"),
    "vpnv4": mrt(13, 6, "00000007 0001 80 70 000641 0000fde800000065 0a0000 0001 0001 6553f100 0014" + MRT_NEXT_HOP + BASE[:6] + "00"),
    "path-id": mrt(13, 12, "00000001 0001 84 00000009 60 0000fde8 0002fde800000065 0001 0000 00000000 0007 800e05 04 0a000001"),
    "evpn": mrt(13, 6, "00000001 0019 46 03 11 0000fde800000065 00000007 20 0a010001 0001 0000 00000000 0007 800e05 04 0a000001"),
    "messages": mrt(17, 4, "000000fa" + MRT_HEAD + EOR_HEX) + mrt(17, 1, "000000fa fde9 5ba0 0000 0001 c0000202 c0000201" + EOR_HEX)
                + mrt(17, 5, "00000001" + MRT_HEAD + "0005 0006") + mrt(16, 9, MRT_HEAD + EOR_HEX),
    "short-time": mrt(17, 4, "0000"),
    "lying-count": mrt(13, 6, "00000007 0001 84 00 ffff 0001 00000000 0004 800e0509"),
}


def main():
    corpus = pathlib.Path(__file__).parent / "corpus"
    sets = {
        "update": {name: bytes([options]) + body for name, (options, body) in UPDATES.items()},
        "open": OPENS,
        "attributes": {name: octets(text) for name, text in ATTRIBUTES.items()},
        "vpn_nlri": {name: octets(text) for name, text in VPN_NLRI.items()},
        "rtc_nlri": {name: octets(text) for name, text in RTC_NLRI.items()},
        "evpn_nlri": {name: octets(text) for name, text in EVPN_NLRI.items()},
        "framer": FRAMES,
        "bfd": {name: octets(text) for name, text in BFD.items()},
        "forwarding": {name: octets(text) for name, text in FORWARDING.items()},
        "bmp": BMP,
        "mrt": MRT,
    }
    for target, seeds in sets.items():
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in seeds.items():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
