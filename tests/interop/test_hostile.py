"""Malformed input: what must not reset a session, what must, and that nobody else notices (RFC 7606, HOSTILE-INPUT)."""
import os
import struct

import bgp
from harness import check, group_toml, quiet, range_toml, reflector_toml, test, wait_until

VPN = (bgp.VPNV4,)
ROUTE = ("65000:1", "10.0.0.0/24")
ATTRIBUTE = bgp.attribute


def parts(**replace):
    """The attributes of a good route by type; `replace` by name, None leaves one out."""
    made = {"origin": ATTRIBUTE(bgp.ORIGIN, b"\0"), "as_path": ATTRIBUTE(bgp.AS_PATH, b""), "local_pref": ATTRIBUTE(bgp.LOCAL_PREF, b"\0\0\0\x64"),
            "ext": ATTRIBUTE(bgp.EXT_COMMUNITY, bgp.rt("65000:1")), "extra": b""}
    made.update(replace)
    return b"".join(v for v in made.values() if v is not None)


def reach(prefix=ROUTE[1], label=100, next_hop=None):
    return bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1") if next_hop is None else next_hop, bgp.vpn_nlri(ROUTE[0], prefix, (label,)))


# Treat-as-withdraw (RFC 7606 §2): the route that was there goes, the session stays.
WITHDRAW = [
    ("7.1 ORIGIN of 2 octets", parts(origin=ATTRIBUTE(bgp.ORIGIN, b"\0\0"))),
    ("7.1 ORIGIN undefined", parts(origin=ATTRIBUTE(bgp.ORIGIN, b"\7"))),
    ("7.2 AS_PATH segment type 9", parts(as_path=ATTRIBUTE(bgp.AS_PATH, b"\x09\1\0\0\0\1"))),
    ("7.2 AS_PATH segment overrun", parts(as_path=ATTRIBUTE(bgp.AS_PATH, b"\2\3\0\0\0\1"))),
    ("7.2 AS_PATH segment of length 0", parts(as_path=ATTRIBUTE(bgp.AS_PATH, b"\2\0"))),
    ("7.2 AS_PATH one octet left", parts(as_path=ATTRIBUTE(bgp.AS_PATH, b"\2\1\0\0\0\1\2"))),
    ("RFC 7607 AS 0 in AS_PATH", parts(as_path=ATTRIBUTE(bgp.AS_PATH, b"\2\1\0\0\0\0"))),
    ("7.4 MED of 3 octets", parts(extra=ATTRIBUTE(bgp.MED, b"\0\0\1"))),
    ("7.5 LOCAL_PREF of 2 octets", parts(local_pref=ATTRIBUTE(bgp.LOCAL_PREF, b"\0\1"))),
    ("7.8 COMMUNITIES of 5 octets", parts(extra=ATTRIBUTE(bgp.COMMUNITY, bytes(5)))),
    ("7.8 COMMUNITIES of 0 octets", parts(extra=ATTRIBUTE(bgp.COMMUNITY, b""))),
    ("7.9 ORIGINATOR_ID of 3 octets", parts(extra=ATTRIBUTE(bgp.ORIGINATOR_ID, bytes(3)))),
    ("7.10 CLUSTER_LIST of 6 octets", parts(extra=ATTRIBUTE(bgp.CLUSTER_LIST, bytes(6)))),
    ("7.10 CLUSTER_LIST of 0 octets", parts(extra=ATTRIBUTE(bgp.CLUSTER_LIST, b""))),
    ("7.14 EXTENDED COMMUNITIES of 7 octets", parts(ext=ATTRIBUTE(bgp.EXT_COMMUNITY, bytes(7)))),
    ("7.14 EXTENDED COMMUNITIES of 0 octets", parts(ext=ATTRIBUTE(bgp.EXT_COMMUNITY, b""))),
    ("7.15 IPv6 EXTENDED COMMUNITIES of 19 octets", parts(extra=ATTRIBUTE(bgp.IPV6_EXT, bytes(19)))),
    ("RFC 8092 §6 LARGE_COMMUNITY of 11 octets", parts(extra=ATTRIBUTE(bgp.LARGE, bytes(11)))),
    ("RFC 8092 §6 LARGE_COMMUNITY of 0 octets", parts(extra=ATTRIBUTE(bgp.LARGE, b""))),
    ("RFC 9234 §5 OTC of 1024 octets", parts(extra=ATTRIBUTE(bgp.OTC, bytes(1024)))),
    ("RFC 9012 §13, CVE-2023-38802: TUNNEL_ENCAP TLV overruns", parts(extra=ATTRIBUTE(bgp.TUNNEL_ENCAP, b"\0\1\xff\xff\1"))),
    ("3.c ORIGIN with optional flag", parts(origin=ATTRIBUTE(bgp.ORIGIN, b"\0", 0xC0))),
    ("3.c AS_PATH non-transitive", parts(as_path=ATTRIBUTE(bgp.AS_PATH, b"", 0x00))),
    ("3.c EXTENDED COMMUNITIES well-known", parts(ext=ATTRIBUTE(bgp.EXT_COMMUNITY, bgp.rt("65000:1"), 0x40))),
    ("3.d ORIGIN missing", parts(origin=None)),
    ("3.d AS_PATH missing", parts(as_path=None)),
    ("4 attribute overruns the total length", parts(extra=b"\xc0\xc8\xff\1")),
    ("4 two octets of an attribute header left", parts(extra=b"\xc0\xc8")),
]

# Attribute discard: the route stays, without the attribute.
DISCARD = [
    ("7.6 ATOMIC_AGGREGATE of 1 octet", bgp.ATOMIC, parts(extra=ATTRIBUTE(bgp.ATOMIC, b"\0"))),
    ("7.7 AGGREGATOR of 7 octets", bgp.AGGREGATOR, parts(extra=ATTRIBUTE(bgp.AGGREGATOR, bytes(7)))),
    ("RFC 7607 AGGREGATOR of AS 0", bgp.AGGREGATOR, parts(extra=ATTRIBUTE(bgp.AGGREGATOR, bytes(4) + bgp.ip("10.0.0.1")))),
    ("RFC 8669 §5, May 2025: PREFIX_SID all zero octets", bgp.PREFIX_SID, parts(extra=ATTRIBUTE(bgp.PREFIX_SID, bytes(10)))),
    ("RFC 8669 §5: PREFIX_SID TLV overruns", bgp.PREFIX_SID, parts(extra=ATTRIBUTE(bgp.PREFIX_SID, b"\1\0\x50\0\0"))),
    ("RFC 7311 §3.2: AIGP TLV too short", bgp.AIGP, parts(extra=ATTRIBUTE(bgp.AIGP, b"\1\0\2"))),
]

# Kept as it is: unknown or unused attributes are never parsed (VU#347067, CVE-2023-38802, CVE-2023-4481, FRR 19336).
OPAQUE = [
    ("attribute 28 (Entropy Label) corrupt", 28, b"\xff" * 7),
    ("attribute 128 not an ATTR_SET of old VNC", 128, b"\0\0\0\1" + b"\x40\1\1\0"),
    ("attribute 255 of 2000 octets", 255, b"\xa5" * 2000),
]


@test("RFC 7606 §2, §3, §4, §7, RFC 7607, 8092, 9234: malformed attributes withdraw the route and leave the session")
def treat_as_withdraw(t):
    t.reflector()
    bad, observer = t.peer("127.1.0.1", families=VPN), t.peer("127.1.0.2", families=VPN)
    bad.announce("65000:2", "10.1.0.0/24", ["65000:1"], label=55)
    for number, (name, attributes) in enumerate(WITHDRAW):
        bad.send(bgp.update(parts() + reach(label=1000 + number)))
        observer.wait_route(*ROUTE, 1000 + number)
        # MP_REACH first (RFC 7606 §5.1), so that the routes are known whatever follows.
        bad.send(bgp.update(reach(label=77) + attributes))
        try:
            observer.wait_gone(*ROUTE, deadline=3)
        except AssertionError:
            check(False, "%s: the route is still there (label %s), notification %s" % (name, observer.route(*ROUTE).labels, bad.notification))
        check(not bad.closed, "%s: the session was reset: %s" % (name, bad.notification))
    check(observer.route("65000:2", "10.1.0.0/24"), "an unrelated route of the peer was touched")


@test("RFC 7606 §2, §7.6, 7.7, RFC 7607, 7311, 8669; HOSTILE-INPUT §1: attribute discard, unknown attributes untouched")
def discard_and_opaque(t):
    t.reflector()
    bad, observer = t.peer("127.1.0.1", families=VPN), t.peer("127.1.0.2", families=VPN)
    for number, (name, kind, attributes) in enumerate(DISCARD):
        bad.send(bgp.update(reach(label=1000 + number) + attributes))
        try:
            route = observer.wait_route(*ROUTE, 1000 + number, deadline=3)
        except AssertionError:
            check(False, "%s: the route did not come, notification %s" % (name, bad.notification))
        check(kind not in route.attributes, "%s: the attribute was passed on" % name, route.attributes)
    for number, (name, kind, value) in enumerate(OPAQUE):
        bad.send(bgp.update(reach(label=2000 + number) + parts(extra=ATTRIBUTE(kind, value))))
        try:
            route = observer.wait_route(*ROUTE, 2000 + number, deadline=3)
        except AssertionError:
            check(False, "%s: the route did not come, notification %s" % (name, bad.notification))
        check(route.value(kind) == value, "%s: changed on the way" % name, route.attributes.get(kind))
    # A duplicate attribute: the first one counts (3.g).
    bad.send(bgp.update(reach(label=3000) + parts(extra=ATTRIBUTE(bgp.MED, b"\0\0\0\1") + ATTRIBUTE(bgp.MED, b"\0\0\0\2"))))
    check(observer.wait_route(*ROUTE, 3000).number(bgp.MED) == 1, "the first of two MEDs")
    # AS4_PATH ahead of AS_PATH and malformed (CVE-2026-41643); only withdrawn routes and no attributes (CVE-2023-41358, 47234).
    bad.send(bgp.update(ATTRIBUTE(bgp.AS4_PATH, b"\2\x09\0") + reach(label=3001) + parts()))
    observer.wait_route(*ROUTE, 3001)
    bad.send(bgp.update(ATTRIBUTE(200, b"\1", 0xC0)))
    bad.send(bgp.update(bgp.mp_unreach((25, 70), b"\1\2\3") + bgp.mp_reach((1, 133), b"", b"\0") + parts()))
    bad.send(bgp.update(bgp.mp_unreach(bgp.VPNV6, bgp.vpn_nlri("65000:1", "2001:db8::/32"))))
    quiet(observer)
    check(not bad.closed and observer.route(*ROUTE), "families that were not negotiated are ignored (HOSTILE-INPUT: CVE-2020-3397, 2023-41909)", bad.notification)


def broken_total_length():
    body = struct.pack(">HH", 0, 500) + parts()
    return bgp.message(bgp.UPDATE, body)


# What resets the session, with the NOTIFICATION expected.
RESET = [
    ("total attribute length beyond the message (RFC 4271 §6.3)", broken_total_length(), 3, 1),
    ("withdrawn length beyond the message", bgp.message(bgp.UPDATE, b"\xff\xff\0\0"), 3, 1),
    ("two MP_REACH attributes (RFC 7606 §3.g)", bgp.update(reach() + reach(label=7) + parts()), 3, 1),
    ("two MP_UNREACH attributes", bgp.update(bgp.mp_unreach(bgp.VPNV4) + bgp.mp_unreach(bgp.VPNV4)), 3, 1),
    ("malformed ORIGIN beside an empty MP_UNREACH (RFC 7606 §5.2, CVE-2023-47235)", bgp.update(bgp.mp_unreach(bgp.VPNV4) + ATTRIBUTE(bgp.ORIGIN, b"\0\0\0")), 3, None),
    ("unknown well-known attribute (RFC 4271 §6.3)", bgp.update(reach() + parts(extra=ATTRIBUTE(99, b"\0", 0x40))), 3, 2),
    ("MP_REACH of 3 octets (CVE-2023-46752)", bgp.update(ATTRIBUTE(bgp.MP_REACH, b"\0\1\x80") + parts()), 3, None),
    ("marker not all ones (RFC 4271 §6.1)", b"\0" * 16 + b"\0\x13\4", 1, 1),
    ("length 18", bgp.MARKER + b"\0\x12\4", 1, 2),
    ("OPEN of 4097 octets, never extended (RFC 8654 §4)", bgp.MARKER + b"\x10\x01\1" + bytes(4078), 1, 2),
    ("KEEPALIVE of 20 octets", bgp.MARKER + b"\0\x14\4\0", 1, 2),
    ("message type 9", bgp.message(9), 1, 3),
    ("OPEN in Established", None, 5, 3),
    ("ROUTE-REFRESH of 3 octets (RFC 7313 §5)", bgp.message(bgp.ROUTE_REFRESH, b"\0\1\0"), None, None),
]


DISABLE = [
    ("MP_REACH with VPN next hop of 5 octets (RFC 7606 §7.11)", bgp.update(reach(next_hop=bytes(5)) + parts())),
    ("VPN NLRI of 87 bits (RFC 7606 §5.3)", bgp.update(bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), bytes([87]) + bytes(11)) + parts())),
    ("VPN NLRI of 121 bits", bgp.update(bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), bytes([121]) + b"\0\6\x41" + bytes(13)) + parts())),
    ("VPN NLRI cut off", bgp.update(bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), bgp.vpn_nlri(*ROUTE)[:-1]) + parts())),
]


@test("RFC 7606 §2, §3.j, §5.3, §7.11, RFC 4760 §7: a family that cannot be read is ignored until the session restarts; the other one and the session go on")
def family_disabled(t):
    both = (bgp.VPNV4, bgp.VPNV6)
    heliod = t.reflector()
    observer = t.peer("127.1.0.9", families=both)
    for number, (name, octets) in enumerate(DISABLE):
        address = "127.1.1.%d" % (number + 1)
        bad = t.peer(address, families=both)
        bad.send(bgp.update(parts() + reach(label=100 + number)))
        bad.announce("65000:9", "2001:db8:9::/48", ["65000:1"], label=7)
        observer.wait_route(*ROUTE, 100 + number)
        bad.send(octets)
        observer.wait_gone(*ROUTE)
        bad.send(bgp.update(parts() + reach(label=100 + number)))
        bad.announce("65000:9", "2001:db8:9::/48", ["65000:1"], label=8 + number)
        observer.wait_route("65000:9", "2001:db8:9::/48", 8 + number)
        check(observer.route(*ROUTE) is None, "%s: a route of the disabled family came through" % name)
        check(not bad.closed and bad.notification is None, "%s: the session ended" % name, bad.notification)
        shown = heliod.show("peer", address)
        check([f["disabled"] for f in shown["families"] if f["family"] == "vpnv4"] == [True], "%s: not shown as disabled" % name, shown["families"])
        check(shown["last_bad_message"] == octets.hex(), "%s: the message is not shown" % name, shown["last_bad_message"])
        bad.close()
        observer.wait_gone("65000:9", "2001:db8:9::/48")
        again = t.peer(address, families=both)
        again.send(bgp.update(parts() + reach(label=200 + number)))
        observer.wait_route(*ROUTE, 200 + number)
        again.close()
        observer.wait_gone(*ROUTE)


@test("RFC 4271 §6.1-6.3, RFC 7606 §3, §5.2, RFC 6608: what resets the session, and only that session")
def session_resets(t):
    t.reflector()
    source, observer = t.peer("127.1.0.8", families=VPN), t.peer("127.1.0.9", families=VPN)
    source.announce("65000:9", "10.9.0.0/24", ["65000:1"], label=9)
    observer.wait_route("65000:9", "10.9.0.0/24", 9)
    for number, (name, octets, code, subcode) in enumerate(RESET):
        bad = t.peer("127.1.1.%d" % (number + 1), families=VPN)
        bad.send(bgp.update(parts() + reach(label=100 + number)))
        observer.wait_route(*ROUTE, 100 + number)
        bad.send(octets or bad.open_octets())
        try:
            bad.wait(lambda: bad.notification, name, deadline=4)
        except AssertionError:
            check(False, "%s: no NOTIFICATION (closed: %s)" % (name, bad.closed))
        got = bad.notification[:2]
        check(code is None or (got[0] == code and subcode in (None, got[1])), "%s: NOTIFICATION %d/%d, expected %s/%s" % (name, *got, code, subcode))
        observer.wait_gone(*ROUTE)
    quiet(observer)
    check(not source.closed and not observer.closed and observer.route("65000:9", "10.9.0.0/24"), "others noticed")


@test("HOSTILE-INPUT §3 error flood: 3000 malformed UPDATEs do not delay another pair, and the log stays small")
def error_flood(t):
    heliod = t.reflector(watch=False)
    bad, c1, c2 = (t.peer("127.1.0.%d" % i, families=VPN) for i in (1, 2, 3))
    log_before = heliod.log.stat().st_size
    bad.send(bgp.update(reach() + WITHDRAW[0][1]) * 3000)
    c1.announce("65000:3", "10.3.0.0/24", ["65000:1"])
    c2.wait_route("65000:3", "10.3.0.0/24", deadline=2)
    quiet(c2)
    check(not bad.closed, "the session was reset", bad.notification)
    check(heliod.log.stat().st_size - log_before < 300000, "the log grew by %d octets" % (heliod.log.stat().st_size - log_before))


@test("RFC 4271 §6, HOSTILE-INPUT §3 flap storm: 20 clients connect, announce and vanish five times; nothing is left")
def flap_storm(t):
    t.reflector(watch=False)
    observer = t.peer("127.1.0.250", families=VPN)
    for round_number in range(5):
        flappers = [t.peer("127.1.2.%d" % (i + 1), families=VPN) for i in range(20)]
        for i, peer in enumerate(flappers):
            peer.announce("65000:%d" % i, ["10.%d.0.0/16" % n for n in range(20)], ["65000:1"], label=100 + round_number)
        observer.wait(lambda: len(observer.vpn_routes()) == 400 and all(r.labels == [100 + round_number] for r in observer.vpn_routes().values()), "400 routes")
        for i, peer in enumerate(flappers):
            peer.reset() if i % 2 else peer.close()
        observer.wait(lambda: not observer.vpn_routes(), "no routes")


def change_while_nobody_waits(source, good):
    """Twenty rounds of changes, each of which `good` must have within seconds. Returns the prefixes by block."""
    blocks = [["10.%d.%d.0/24" % (block, i) for i in range(50)] for block in range(200)]
    for round_number in range(20):
        for block, prefixes in enumerate(blocks):
            # Attributes that differ make messages that differ: about 11 MB for the peer that does not read.
            source.announce("65000:%d" % block, prefixes, ["65000:1"], label=100 + round_number, med=round_number, extra=[(200, bytes([block]) * 2000, 0xC0)])
        source.announce("65000:999", "10.99.0.0/24", ["65000:1"], label=100 + round_number)
        good.wait_route("65000:999", "10.99.0.0/24", 100 + round_number, deadline=5)
    return blocks


@test("HOSTILE-INPUT §3 slow peer, DESIGN §1 backpressure; wire 2.16: a peer that stops reading delays nobody and ends right when it reads again")
def slow_reader(t):
    heliod = t.reflector(watch=False)
    source, good = t.peer("127.1.0.1", families=VPN), t.peer("127.1.0.2", families=VPN)
    slow = t.peer("127.1.0.3", families=VPN, receive_buffer=4096)
    slow.stop_reading()
    blocks = change_while_nobody_waits(source, good)
    source.withdraw("65000:0", blocks[0])
    last = 100 + 19
    expected = lambda p: len(p.vpn_routes()) == 199 * 50 + 1 and all(r.labels == [last] for r in p.vpn_routes().values())
    good.wait(lambda: expected(good), "the last state", deadline=10)
    slow.resume_reading()
    slow.wait(lambda: expected(slow), "the last state after reading again", deadline=20)
    check(not slow.closed and heliod.alive(), "the slow peer was closed", slow.notification)


@test("HOSTILE-INPUT §3 slow peer: `slow-peer` of a group closes a peer that is left behind, or whose oldest change is too old, and only that one")
def slow_peer_policy(t):
    groups = (group_toml("patient", extra="[peer-groups.slow-peer]\naction = \"catch-up\"\n") +
              group_toml("strict", extra="[peer-groups.slow-peer]\naction = \"close\"\n") +
              group_toml("timed", extra="[peer-groups.slow-peer]\nmax-lag = 1\n") +
              range_toml("127.1.0.0/24", "patient") + range_toml("127.1.1.0/24", "strict") + range_toml("127.1.2.0/24", "timed"))
    heliod = t.reflector(watch=False, groups=groups, tail='[slow-peer]\nqueue-limit = "1MiB"\nstall-time = "50ms"\n')
    source, good = t.peer("127.1.0.1", families=VPN), t.peer("127.1.0.2", families=VPN)
    slow = [t.peer(address, families=VPN, receive_buffer=4096) for address in ("127.1.0.3", "127.1.1.3", "127.1.2.3")]
    for peer in slow:
        peer.stop_reading()
    blocks = change_while_nobody_waits(source, good)
    wait_until(lambda: heliod.text().count("slow-peer") >= 2, "two sessions closed for being slow", 10)
    for peer in slow:
        peer.resume_reading()
    patient, strict, timed = slow
    patient.wait(lambda: len(patient.vpn_routes()) == 200 * 50 + 1, "all routes", deadline=20)
    for peer in (strict, timed):
        # The NOTIFICATION does not fit into the socket of a peer that does not read; the log has it (RFC 4486: Cease, Out of Resources).
        wait_until(lambda: peer.closed, "the end of the session of %s" % peer, 20)
        check("peer=%s group=%s session closed reason=slow-peer sent: Cease/Out of Resources" % (peer.address, "strict" if peer is strict else "timed") in heliod.text(),
              "no reason in the log", heliod.text()[-500:])
    check(not patient.closed and not good.closed and heliod.alive(), "another peer was closed")


@test("RFC 6793 §4.2.2, RFC 4271 §4: with a four-octet AS of ours a path that two-octet neighbours cannot be sent is kept from them, in VPN and RT membership routes alike")
def as4_path_of_our_own(t):
    asn = 4200000001
    heliod = t.reflector(config=reflector_toml(groups=group_toml("clients", peer_as=asn, extra='role = "client"') + group_toml("external", peer_as=64999) + range_toml("127.1.0.0/16", "clients") +
                                               range_toml("127.3.0.0/16", "external")).replace("as = 65000\n", "as = %d\n" % asn, 1))
    both = (bgp.VPNV4, bgp.RTC)
    client, other = (t.peer("127.1.0.%d" % n, "65000:1", families=both, asn=asn, reflector_as=asn) for n in (1, 2))
    # Of one membership the best external path counts (RFC 4684 §3.1), so each has its own.
    old, new = (t.peer("127.3.0.%d" % (1 + four), "65000:%d" % (1 + four), families=both, asn=64999, reflector_as=asn, four_octet_as=four) for four in (False, True))
    for p in (old, new):
        p.wait_eor()
    long = [(2, [64512] * 220)] * 4
    client.announce("65000:1", "10.0.0.0/24", ["65000:1", "65000:2"], path=[65010])
    client.rtc("65000:7", path=[65010])
    for p in (old, new):
        p.wait_route("65000:1", "10.0.0.0/24")
        p.wait_rtc("65000:7", origin_as=asn)
    # 3.6 kB of AS_PATH; two-octet neighbours would need 1.8 kB of it and 3.6 kB of AS4_PATH. What they had goes.
    client.announce("65000:1", "10.0.0.0/24", ["65000:1", "65000:2"], path=long)
    client.rtc("65000:7", path=long)
    client.announce("65000:1", "10.0.1.0/24", ["65000:1"], path=[65010])
    check(len(new.wait_route("65000:1", "10.0.0.0/24", test=lambda r: len(r.value(bgp.AS_PATH)) > 3000).as_path()) >= 4, "the four-octet neighbour has it")
    other.wait_route("65000:1", "10.0.1.0/24")
    old.wait_route("65000:1", "10.0.1.0/24")
    old.wait_gone("65000:1", "10.0.0.0/24")
    old.wait(lambda: not old.has_rtc("65000:7", origin_as=asn), "withdrawal of the membership that cannot be said")
    check(heliod.alive() and not old.notification and not client.notification, "all sessions stay", old.notification, client.notification)


def processor_seconds(heliod):
    return sum(int(n) for n in open("/proc/%d/stat" % heliod.child.pid).read().rsplit(")", 1)[1].split()[11:13]) / os.sysconf("SC_CLK_TCK")


@test("RFC 4684 §3.2, RFC 4456 §8: a client that names one cluster after the other in its memberships makes no work for the others and leaves nothing behind")
def clusters_without_end(t):
    heliod = t.reflector(rtc='advertise = "specific"')
    hostile, other = t.peer("127.1.0.1"), t.peer("127.1.0.2", "65000:1")
    targets = ["65000:%d" % n for n in range(100, 12100)]
    for at in range(0, len(targets), 200):
        hostile.rtc(*targets[at:at + 200])
    other.wait(lambda: sum(1 for k in list(other.adj_in) if k[0] == bgp.RTC) >= len(targets), "the memberships", 30)

    def used(first, count, clusters):
        before = processor_seconds(heliod)
        for n in range(count):
            hostile.rtc("65000:9", med=n, originator="10.9.9.9", cluster_list=["20.%d.%d.1" % (n // 250, n % 250)] if clusters else ["20.0.0.1"])
        hostile.announce("65000:5", "10.5.%d.0/24" % first, ["65000:1"])
        other.wait_route("65000:5", "10.5.%d.0/24" % first, deadline=60)
        return processor_seconds(heliod) - before
    used(1, 10, False)
    usual, strange = used(2, 1500, False), used(3, 1500, True)
    check(strange < 0.3 + 4 * usual, "a cluster that is new costs what any change costs", usual, strange)
    wait_until(lambda: heliod.show("peer", "127.1.0.1")["state"] == "Established", "the session stays", 5)


@test("RFC 4684 §4: thousands of memberships of 95 bits, and thousands of route targets: another one is looked up, not compared with all")
def partial_memberships(t):
    heliod = t.reflector()
    source, asks = t.peer("127.1.0.1", families=VPN), t.peer("127.1.0.2")
    for n in range(4000):
        source.announce("65000:1", "10.%d.%d.0/24" % (n // 250, n % 250), ["64000:%d" % n])
    wait_until(lambda: heliod.show("summary")["families"][0]["prefixes"] == 4000, "the routes", 30)
    partial = lambda n: bytes([95]) + (65000).to_bytes(4, "big") + bgp.rt("64000:%d" % n)  # noqa: E731
    for at in range(0, 16000, 200):
        asks.rtc(nlri=b"".join(partial(1000000 + 2 * n) for n in range(at, at + 200)))
    asks.rtc(nlri=partial(10))
    for n in (10, 11):  # both are in 95 bits
        asks.wait_route("65000:1", "10.0.%d.0/24" % n, deadline=60)
    quiet(asks)
    check(len(asks.vpn_routes()) == 2, "and no others", len(asks.vpn_routes()))

    def used(nlri_of):
        """Processor time of 60 memberships, one after the other."""
        before = processor_seconds(heliod)
        for n in range(60):
            asks.rtc(nlri=nlri_of(n))
            asks.wait(lambda: len(asks.vpn_routes()) > here + n, "what was asked for", 60)  # noqa: B023
        return processor_seconds(heliod) - before
    here = 2
    usual = used(lambda n: asks.membership("64000:%d" % (1000 + n)))
    here = 62
    strange = used(lambda n: partial(2000 + 2 * n))
    check(strange < 0.3 + 4 * usual, "one of 95 bits costs what any costs", usual, strange)
    asks.wait(lambda: len(asks.vpn_routes()) == 182, "each partial one is of two route targets", 60)
    asks.rtc_withdraw(nlri=partial(10))
    asks.wait(lambda: len(asks.vpn_routes()) == 180, "the two go", 60)
    quiet(asks)
    check(len(asks.vpn_routes()) == 180, "the others stay", len(asks.vpn_routes()))
