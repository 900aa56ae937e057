"""What PEs expect on the wire (FIELD-NOTES part 2), said by a raw scripted peer because no daemon can say it."""
import struct

import bgp
from harness import check, quiet, test

VPN, BOTH = (bgp.VPNV4,), (bgp.VPNV4, bgp.VPNV6)


def pair(t, families=BOTH, **options):
    t.reflector(**options)
    return t.peer("127.1.0.1", families=families), t.peer("127.1.0.2", families=families)


@test("RFC 8277 §2.4; wire 2.4, field note 3.1: every form of withdraw label that PEs send")
def withdraw_labels(t):
    c1, c2 = pair(t)
    forms = {"800000": "0x800000 (RFC 8277)", "000000": "FRR 8.4", "000001": "BIRD 2.0.12", "000641": "the announced label", "000640": "announced, no S bit",
             "fffff1": "another label", "000640000c81": "a stack of two", "000640000c80012c01": "a stack of three"}
    for prefix in ("10.0.0.0/24", "0.0.0.0/0", "2001:db8::/32"):
        for octets, who in forms.items():
            labels = (100, 200, 300)[:len(octets) // 6] if octets.startswith("000640") and len(octets) > 6 else (100,)
            c1.announce("65000:1", prefix, ["65000:1"], labels=labels)
            c2.wait_route("65000:1", prefix, test=lambda r: r.labels == list(labels))
            c1.withdraw("65000:1", prefix, raw_labels=bytes.fromhex(octets))
            try:
                c2.wait_gone("65000:1", prefix, deadline=3)
            except AssertionError as error:
                check(False, "withdrawal of %s with label field %s (%s) was not applied" % (prefix, octets, who), error)


@test("RFC 3107 §3, 8277 §2.3; wire 2.1, 2.5: label stacks and lone labels without S bit are kept")
def label_stacks(t):
    c1, c2 = pair(t)
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], labels=(100, 200))
    c1.announce("65000:1", "10.0.1.0/24", ["65000:1"], labels=(100, 200, 300))
    c1.announce("65000:1", "2001:db8::/32", ["65000:1"], labels=(16, 1048575))
    c2.wait_route("65000:1", "10.0.0.0/24", test=lambda r: r.labels == [100, 200])
    c2.wait_route("65000:1", "10.0.1.0/24", test=lambda r: r.labels == [100, 200, 300])
    c2.wait_route("65000:1", "2001:db8::/32", test=lambda r: r.labels == [16, 1048575])
    c1.announce("65000:1", "10.0.1.0/24", ["65000:1"], labels=(100, 200, 301))
    c2.wait_route("65000:1", "10.0.1.0/24", test=lambda r: r.labels == [100, 200, 301])
    c1.withdraw("65000:1", "10.0.1.0/24")
    c2.wait_gone("65000:1", "10.0.1.0/24")
    for label in (0, 3, 15, 16, 1048575):
        c1.announce("65000:2", "10.0.0.0/24", ["65000:1"], label=label)
        c2.wait_route("65000:2", "10.0.0.0/24", label)


@test("RFC 4271 §9.1.4, §4.3, RFC 8277 §2.4; wire 2.5, 2.6: implicit withdrawal, relabelling, prefix in withdraw and reach of one message")
def one_message(t):
    c1, c2 = pair(t)
    a, b = ("65000:1", "10.0.0.0/24"), ("65000:1", "10.0.1.0/24")
    c1.announce(*a, ["65000:1"], label=100)
    c2.wait_route(*a, 100)
    c1.announce(*a, ["65000:1"], label=101)
    c2.wait_route(*a, 101)                                   # a label alone is a change
    attributes = bgp.path_attributes(["65000:1"])
    reach = lambda *nlri: bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), b"".join(nlri))
    nlri = lambda route, label: bgp.vpn_nlri(*route, (label,))
    unreach = lambda *routes: bgp.mp_unreach(bgp.VPNV4, b"".join(bgp.vpn_nlri(*r, raw_labels=bgp.WITHDRAW_LABEL) for r in routes))
    mark = c2.mark()
    c1.send(bgp.update(unreach(a) + attributes + reach(nlri(a, 102))))
    c2.wait_route(*a, 102)
    c1.send(bgp.update(attributes + reach(nlri(a, 103), nlri(b, 200)) + unreach(a)))   # MP_UNREACH last: reach still wins
    c2.wait_route(*a, 103)
    c2.wait_route(*b, 200)
    c1.send(bgp.update(unreach(b) + attributes + reach(nlri(a, 104))))                 # relabel one, withdraw the other
    c2.wait_gone(*b)
    c2.wait_route(*a, 104)
    c1.send(bgp.update(attributes + reach(nlri(a, 105), nlri(a, 106))))                # twice in one message: the last one
    c2.wait_route(*a, 106)
    quiet(c2)
    check(c2.route(*a).labels == [106], "final label", c2.route(*a))
    lost = [e for e in c2.events_since(mark, "withdraw") if e.key == bgp.vpn_key(*a)]
    check(not lost, "a relabelled prefix was withdrawn in between")
    c1.send(bgp.update(unreach(a, a, b)))
    c2.wait_gone(*a)
    check(c1.notification is None, "withdrawing twice or what was never there is no error")


@test("RFC 4659 §3.2.1, RFC 8950 §3-4; wire 2.2, 2.15: next hops of 12, 24 and 48 octets; IPv6 next hops of VPNv4 only to peers that can")
def next_hops(t):
    t.reflector()
    ipv6 = dict(families=BOTH, extended_next_hop=(bgp.VPNV4,))
    c1, able, unable = t.peer("127.1.0.1", **ipv6), t.peer("127.1.0.2", **ipv6), t.peer("127.1.0.3", families=BOTH)
    v6, link_local = "2001:db8::1", "fe80::1"
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=1, next_hop="192.0.2.9")
    c1.announce("65000:1", "2001:db8:1::/48", ["65000:1"], label=2, next_hop=v6)
    c1.announce("65000:1", "2001:db8:2::/48", ["65000:1"], label=3, raw_next_hop=bgp.vpn_next_hop(v6, link_local))
    c1.announce("65000:1", "2001:db8:3::/48", ["65000:1"], label=4, next_hop="::ffff:192.0.2.9")
    for p in (able, unable):
        check(p.wait_route("65000:1", "10.0.0.0/24", 1).next_hop == bgp.vpn_next_hop("192.0.2.9"), "12 octets at %s" % p)
        check(p.wait_route("65000:1", "2001:db8:1::/48", 2).next_hop == bgp.vpn_next_hop(v6), "24 octets at %s" % p)
        check(p.wait_route("65000:1", "2001:db8:2::/48", 3).next_hop in (bgp.vpn_next_hop(v6, link_local), bgp.vpn_next_hop(v6)), "48 octets at %s" % p,
              p.route("65000:1", "2001:db8:2::/48").next_hop.hex())
        check(p.wait_route("65000:1", "2001:db8:3::/48", 4).next_hop == bgp.vpn_next_hop("::ffff:192.0.2.9"), "IPv4-mapped at %s" % p)
    c1.announce("65000:2", "10.0.0.0/24", ["65000:1"], label=5, next_hop=v6)
    check(able.wait_route("65000:2", "10.0.0.0/24", 5).next_hop == bgp.vpn_next_hop(v6), "IPv6 next hop of VPNv4")
    quiet(unable)
    check(unable.route("65000:2", "10.0.0.0/24") is None, "an IPv6 next hop for VPNv4 went to a peer without the capability")
    # From an IPv4 to an IPv6 next hop: the one who cannot use it must lose the route, and get it back.
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=6, next_hop=v6)
    able.wait_route("65000:1", "10.0.0.0/24", 6)
    unable.wait_gone("65000:1", "10.0.0.0/24")
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=7, next_hop="192.0.2.9")
    unable.wait_route("65000:1", "10.0.0.0/24", 7)
    # A peer connecting later gets the same answer from the walk.
    late = t.peer("127.1.0.4", families=BOTH)
    late.wait_eor()
    check(late.route("65000:2", "10.0.0.0/24") is None and late.route("65000:1", "10.0.0.0/24"), "walk for a late peer", list(late.vpn_routes()))


@test("RFC 4271 §5, §9, RFC 4760 §3; wire 2.1, 2.3, field notes 3.4, 3.8: NEXT_HOP beside MP_REACH, extended lengths, unknown attributes, order of attributes")
def attributes_kept(t):
    c1, c2 = pair(t, families=VPN)
    plain = dict(local_pref=100)
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], extra=[(bgp.NEXT_HOP, bgp.ip("10.9.9.9"), 0x40)], **plain)
    route = c2.wait_route("65000:1", "10.0.0.0/24")
    check(bgp.NEXT_HOP not in route.attributes and route.next_hop_address == "10.1.0.1", "NEXT_HOP ignored and not passed on", route.attributes)
    c1.announce("65000:1", "10.0.1.0/24", ["65000:1"], path=None, extra=[(bgp.AS_PATH, b"", 0x50)])          # FRR: 50 02 00 00
    check(c2.wait_route("65000:1", "10.0.1.0/24").as_path() == [], "empty AS_PATH with extended length")
    kept = [(200, b"", 0xC0), (201, bytes(range(256)) * 4, 0xC0), (202, b"\1\2", 0xE0), (128, b"\0\0\xfd\xe8\x40\1\1\0", 0xC0)]
    c1.announce("65000:1", "10.0.2.0/24", ["65000:1"], extra=kept + [(203, b"\7", 0x80), (204, b"\7", 0x90)])
    route = c2.wait_route("65000:1", "10.0.2.0/24")
    for kind, value, _ in kept[:3]:
        flags, got = route.attributes.get(kind, (0, None))
        check(got == value and flags & 0xE0 == 0xE0, "unknown transitive attribute %d kept byte for byte, Partial set" % kind, hex(flags), got)
    check(route.value(128) == kept[3][1], "ATTR_SET kept (RFC 6368)", route.value(128))
    check(203 not in route.attributes and 204 not in route.attributes, "unknown non-transitive attributes dropped")
    known = [(bgp.PMSI, b"\0\6\0\0\0" + bgp.ip("10.1.0.1"), 0xC0), (bgp.LARGE, struct.pack(">III", 1, 2, 3), 0xC0), (bgp.AIGP, b"\1\0\x0b" + bytes(7) + b"\5", 0x80),
             (bgp.IPV6_EXT, b"\0\2" + bgp.ip("2001:db8::1") + b"\0\7", 0xC0), (bgp.OTC, struct.pack(">I", 65001), 0xC0),
             (bgp.PREFIX_SID, b"\1\0\7" + bytes(7), 0xC0), (bgp.TUNNEL_ENCAP, b"\0\2\0\0", 0xC0), (bgp.COMMUNITY, b"\xff\xff\xff\x01", 0xC0)]
    c1.announce("65000:1", "10.0.3.0/24", ["65000:1"], extra=known)
    route = c2.wait_route("65000:1", "10.0.3.0/24")
    for kind, value, flags in known:
        check(route.attributes.get(kind) is not None and route.value(kind) == value, "attribute %d kept on reflection" % kind, route.attributes.get(kind))
    # Attributes in any order, MP_REACH last or first, are one and the same route.
    octets = [bgp.attribute(bgp.EXT_COMMUNITY, bgp.rt("65000:1")), bgp.attribute(bgp.LOCAL_PREF, b"\0\0\0\x64"), bgp.attribute(bgp.AS_PATH, b""),
              bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), bgp.vpn_nlri("65000:1", "10.0.4.0/24", (9,))), bgp.attribute(bgp.ORIGIN, b"\0")]
    c1.send(bgp.update(b"".join(octets)))
    c2.wait_route("65000:1", "10.0.4.0/24", 9)
    mark = c2.mark()
    c1.send(bgp.update(b"".join(octets[::-1])))
    quiet(c2)
    check(not c2.events_since(mark), "the same attributes in another order are no change", c2.events_since(mark))


@test("RFC 6793 §4; DESIGN §2 encoding classes: peers with 2-octet AS numbers")
def two_octet_as(t):
    t.reflector()
    new, new2 = t.peer("127.1.0.1", families=VPN), t.peer("127.1.0.2", families=VPN)
    old = t.peer("127.1.0.3", families=VPN, four_octet_as=False)
    new.announce("65000:1", "10.0.0.0/24", ["65000:1"], path=[4200000001, 65001, 4200000002], extra=[(bgp.AGGREGATOR, struct.pack(">I", 4200000001) + bgp.ip("10.0.0.7"), 0xC0)])
    new2.wait_route("65000:1", "10.0.0.0/24")
    route = old.wait_route("65000:1", "10.0.0.0/24")
    check(route.as_path(2) == [(2, [23456, 65001, 23456])], "AS_TRANS for a 2-octet speaker", route.as_path(2))
    check(route.value(bgp.AS4_PATH) == bgp.as_path([4200000001, 65001, 4200000002]), "AS4_PATH", route.value(bgp.AS4_PATH))
    check(route.value(bgp.AGGREGATOR) == b"\x5b\xa0" + bgp.ip("10.0.0.7"), "AGGREGATOR with AS_TRANS", route.value(bgp.AGGREGATOR))
    check(route.value(bgp.AS4_AGGREGATOR) == struct.pack(">I", 4200000001) + bgp.ip("10.0.0.7"), "AS4_AGGREGATOR", route.attributes)
    new.announce("65000:1", "10.0.1.0/24", ["65000:1"], path=[65001, 65002])
    route = old.wait_route("65000:1", "10.0.1.0/24")
    check(route.as_path(2) == [(2, [65001, 65002])] and bgp.AS4_PATH not in route.attributes, "no AS4_PATH where all fit two octets", route.attributes)
    old.announce("65000:2", "10.0.0.0/24", ["65000:1"], path=[65010, 23456, 23456], extra=[(bgp.AS4_PATH, bgp.as_path([4200000009, 4200000008]), 0xC0)])
    route = new.wait_route("65000:2", "10.0.0.0/24")
    check(route.as_path() == [(2, [65010, 4200000009, 4200000008])], "AS_PATH and AS4_PATH merged", route.as_path())
    # From a 4-octet speaker AS4_PATH is discarded.
    new.announce("65000:3", "10.0.0.0/24", ["65000:1"], path=[65001], extra=[(bgp.AS4_PATH, bgp.as_path([4200000009]), 0xC0)])
    check(new2.wait_route("65000:3", "10.0.0.0/24").as_path() == [(2, [65001])], "AS4_PATH of a 4-octet speaker")


@test("RFC 2918, RFC 7313 §3.2, §4; wire 2.12: refresh resends everything asked for, between BoRR and EoRR where negotiated")
def route_refresh(t):
    t.reflector()
    c1 = t.peer("127.1.0.1", families=BOTH)
    pe = t.peer("127.1.0.2", "65000:1", families=BOTH + (bgp.RTC,))
    plain = t.peer("127.1.0.3", families=BOTH, enhanced_refresh=False)
    c1.announce("65000:1", ["10.0.%d.0/24" % i for i in range(100)], ["65000:1"])
    c1.announce("65000:2", ["10.1.%d.0/24" % i for i in range(100)], ["65000:2"])
    c1.announce("65000:1", "2001:db8::/32", ["65000:1"])
    pe.wait(lambda: len(pe.vpn_routes()) == 101, "the filtered set")
    plain.wait(lambda: len(plain.vpn_routes()) == 201, "everything")
    mark = pe.mark()
    pe.send(bgp.route_refresh(bgp.VPNV4))
    pe.wait(lambda: [e for e in pe.events_since(mark, "refresh") if e.subtype == 2], "EoRR")
    events = pe.events_since(mark)
    check(events[0].kind == "refresh" and events[0].subtype == 1 and events[0].family == bgp.VPNV4, "BoRR first", events[:2])
    keys = [e.key for e in events if e.kind == "announce"]
    check(len(keys) == 100 == len(set(keys)) and all(k[0] == bgp.VPNV4 for k in keys), "the filtered set of that family, once", len(keys))
    mark = plain.mark()
    plain.send(bgp.route_refresh(bgp.VPNV4))
    plain.wait(lambda: len(plain.events_since(mark, "announce")) == 200, "all routes again")
    quiet(plain)
    check(not plain.events_since(mark, "refresh"), "BoRR or EoRR to a peer that did not negotiate RFC 7313", plain.events_since(mark, "refresh"))
    check(len(plain.events_since(mark, "announce")) == 200, "each route once", len(plain.events_since(mark, "announce")))
    # Families that were not negotiated and unknown subtypes (RFC 7313 §5) are ignored. Without RFC 7313 the octet is reserved.
    marks = plain.mark(), pe.mark()
    plain.send(bgp.route_refresh(bgp.RTC)).send(bgp.route_refresh((1, 1)))
    pe.send(bgp.route_refresh(bgp.VPNV4, 77))
    quiet(plain, pe)
    for p, mark in zip((plain, pe), marks):
        check(not p.events_since(mark) and not p.closed, "answer to a refresh that should be ignored", p.events_since(mark)[:3])
    mark = plain.mark()
    plain.send(bgp.route_refresh(bgp.VPNV6, 77))
    plain.wait(lambda: plain.events_since(mark, "announce"), "answer to a refresh with a reserved octet set (RFC 2918 §3)")


@test("HOSTILE-INPUT §3 refresh flood; wire 2.12, 2.13: 500 refreshes do not delay another pair")
def refresh_flood(t):
    t.reflector()
    c1, c2, flooder = (t.peer("127.1.0.%d" % i, families=VPN) for i in (1, 2, 3))
    for block in range(20):
        c1.announce("65000:%d" % block, ["10.%d.%d.0/24" % (block, i) for i in range(100)], ["65000:1"])
    flooder.wait(lambda: len(flooder.vpn_routes()) == 2000, "2000 routes")
    c2.wait(lambda: len(c2.vpn_routes()) == 2000, "2000 routes")
    mark = flooder.mark()
    flooder.send(bgp.route_refresh(bgp.VPNV4) * 500)
    c1.announce("65000:99", "10.99.0.0/24", ["65000:1"])
    c2.wait_route("65000:99", "10.99.0.0/24", deadline=2)
    quiet(flooder, seconds=0.5, deadline=20)
    answers = len(flooder.events_since(mark, "announce"))
    check(2000 <= answers <= 100 * 2001, "refreshes are coalesced: %d routes for 500 requests" % answers)


@test("RFC 8654 §4, RFC 4271 §4; wire 2.16, 2.20: message sizes, packing of announcements and withdrawals")
def sizes_and_packing(t):
    t.reflector()
    c1, small = t.peer("127.1.0.1", families=VPN, extended_messages=True), t.peer("127.1.0.2", families=VPN)
    large = t.peer("127.1.0.3", families=VPN, extended_messages=True)
    for i in range(10):
        c1.announce("65000:1", ["10.%d.%d.0/24" % (i, n) for n in range(200)], ["65000:1"])
    for p in (small, large):
        p.wait(lambda: len(p.vpn_routes()) == 2000, "2000 routes")
    updates = sum(1 for kind, _ in small.messages if kind == bgp.UPDATE)
    check(updates < 100, "2000 routes with one attribute set came in %d UPDATEs" % updates)
    before = updates
    c1.close()
    for p in (small, large):
        p.wait(lambda: not p.vpn_routes(), "withdrawal of 2000 routes")
    updates = sum(1 for kind, _ in small.messages if kind == bgp.UPDATE) - before
    check(updates < 60, "2000 withdrawals came in %d UPDATEs (wire 2.20: about 400 in 4 kB)" % updates)
    # Attributes that do not fit in 4096 octets: only for those who negotiated RFC 8654; the other keeps nothing stale.
    c1 = t.peer("127.1.0.1", families=VPN, extended_messages=True)
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=1)
    small.wait_route("65000:1", "10.0.0.0/24", 1)
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=2, extra=[(200, bytes(5000), 0xC0)])
    large.wait_route("65000:1", "10.0.0.0/24", 2)
    small.wait_gone("65000:1", "10.0.0.0/24")
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=3, extra=[(200, bytes(3900), 0xC0)])
    for p in (small, large):
        p.wait_route("65000:1", "10.0.0.0/24", 3)


@test("RFC 4724 §2, RFC 4684 §6; wire 2.7: one End-of-RIB per negotiated family, after the initial routes, none early")
def end_of_rib(t):
    t.reflector()
    c1 = t.peer("127.1.0.1", families=BOTH)
    c1.announce("65000:1", ["10.0.%d.0/24" % i for i in range(250)], ["65000:1"])
    c1.announce("65000:1", ["2001:db8:%x::/48" % i for i in range(200)], ["65000:1"])
    settled = t.peer("127.1.0.9", families=BOTH)
    settled.wait(lambda: len(settled.vpn_routes()) == 450, "the table")
    for i, families in enumerate((BOTH, VPN, (bgp.VPNV6,), BOTH + (bgp.RTC,))):
        pe = t.peer("127.1.0.%d" % (20 + i), "" if bgp.RTC in families else None, families=families) if bgp.RTC in families else \
            t.peer("127.1.0.%d" % (20 + i), families=families)
        pe.wait_eor()
        for family in families:
            at = next(n for n, e in enumerate(pe.history) if e.kind == "eor" and e.family == family)
            late = [e for e in pe.history[at + 1:] if e.family == family]
            check(not late, "routes after the End-of-RIB of %s" % bgp.FAMILY_NAMES[family], late[:3])
        expected = sum(250 if f == bgp.VPNV4 else 200 if f == bgp.VPNV6 else 0 for f in families)
        check(len(pe.vpn_routes()) == expected, "the whole table before the End-of-RIBs", len(pe.vpn_routes()))
        check(sorted(pe.eors) == sorted(families), "each family once, no other", pe.eors)
