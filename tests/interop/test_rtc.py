"""RT-Constrain as a protocol of its own: start of a session, reflection of memberships, the default route (RFC 4684 §3.2, §6)."""
import time

import bgp
from harness import VPN4, RTC_NAME, check, group_toml, quiet, range_toml, test

RR = "10.255.0.1"
VPN = (bgp.VPNV4,)


def source(t, *rts, count=20, address="127.1.0.9"):
    """A client without RTC that announces `count` routes for each route target."""
    peer = t.peer(address, families=VPN)
    for i, rt in enumerate(rts):
        peer.announce("65000:9", ["10.%d.%d.0/24" % (i, n) for n in range(count)], [rt], label=100 + i)
    return peer


def prefixes(peer, second):
    """How many routes 10.<second>.x.0/24 the peer has."""
    return sum(1 for k in peer.vpn_routes() if k[3][:2] == bytes([10, second]))


@test("RFC 4684 §6, RFC 4724 §2; pitfalls 1.7, 1.9; wire 2.7: no VPN route before the peer's RTC End-of-RIB, End-of-RIBs in order")
def hold_until_end_of_rib(t):
    t.reflector()
    source(t, "65000:1", "65000:2", count=200)
    pe = t.peer("127.1.0.1", join=False)
    pe.wait_eor(bgp.RTC)                      # ours comes at once, even without graceful restart
    quiet(pe, seconds=0.6)
    check(not pe.vpn_routes() and bgp.VPNV4 not in pe.eors, "VPN routes or their End-of-RIB before the peer's RTC End-of-RIB")
    pe.rtc("65000:1")
    quiet(pe, seconds=0.6)
    check(not pe.vpn_routes(), "VPN routes after a membership alone, before the End-of-RIB")
    pe.eor(bgp.RTC)
    pe.wait_eor(bgp.VPNV4)
    check(prefixes(pe, 0) == 200, "End-of-RIB of VPNv4 after all routes, got %d" % prefixes(pe, 0))
    quiet(pe)
    check(prefixes(pe, 1) == 0 and not pe.events_since(0, "withdraw"), "foreign routes, or a flood and its withdrawal", pe.events_since(0, "withdraw")[:5])
    check(pe.eors.count(bgp.VPNV4) == 1 and pe.eors.count(bgp.RTC) == 1, "each End-of-RIB once", pe.eors)
    # An empty set is a valid answer: nothing, but an End-of-RIB.
    empty = t.peer("127.1.0.2")
    empty.wait_eor(bgp.RTC, bgp.VPNV4)
    check(not empty.vpn_routes(), "routes for a peer that asked for nothing", empty.vpn_routes())


@test("RFC 4684 §6; pitfall 1.7: initial-wait ends the hold; only what was asked for is sent")
def initial_wait(t):
    t.reflector(rtc='advertise = "auto"\ninitial-wait = 2')
    source(t, "65000:1", "65000:2")
    pe = t.peer("127.1.0.1", join=False)
    started = time.monotonic()
    pe.rtc("65000:1")
    pe.wait(lambda: prefixes(pe, 0) == 20, "routes after initial-wait")
    waited = time.monotonic() - started
    check(1.0 < waited < 5, "the hold lasted %.1f s instead of 2" % waited)
    pe.wait_eor(bgp.VPNV4)
    quiet(pe)
    check(prefixes(pe, 1) == 0, "a route target that was not asked for")
    pe.rtc("65000:2")
    pe.wait(lambda: prefixes(pe, 1) == 20, "routes of a membership that came after the wait")


@test("RFC 4684 §3.2 i; pitfalls 1.4, 1.20; DESIGN §3: to clients ORIGINATOR_ID = RR, own next hop, also back to the originator")
def reflection_to_clients(t):
    t.reflector(rtc='advertise = "specific"')
    c1, c2 = t.peer("127.1.0.1", "65000:1"), t.peer("127.1.0.2")
    n1 = t.peer("127.2.0.1")
    for p in (c1, c2):
        route = p.wait_rtc("65000:1")
        check(route.originator == RR, "ORIGINATOR_ID at %s" % p, route.originator)
        check(route.next_hop_address == "127.0.0.1", "next hop at %s" % p, route.next_hop_address)
        check(route.as_path() == [] and route.number(bgp.LOCAL_PREF) == 100, "attributes at %s" % p, route.attributes)
    route = n1.wait_rtc("65000:1")
    check(route.originator == "127.1.0.1" and route.cluster_list == [RR], "plain reflection to a non-client", route.originator, route.cluster_list)
    quiet(c1, c2, n1)
    for p in (c1, c2, n1):
        check(not p.has_rtc(""), "a default route that nobody needs at %s" % p)
    # A second PE with the same membership changes nothing for anybody: the Adj-RIB-Out suppresses equal routes.
    marks = [p.mark() for p in (c1, c2)]
    c3 = t.peer("127.1.0.3", "65000:1")
    c3.wait_rtc("65000:1")
    quiet(c1, c2)
    check(not any(p.events_since(m, family=bgp.RTC) for p, m in zip((c1, c2), marks)), "equal RTC routes sent again", c2.events_since(marks[1]))
    # The first one leaves: still wanted, still advertised.
    c1.close()
    quiet(c2, c3)
    check(c2.has_rtc("65000:1") and c3.has_rtc("65000:1"), "the membership of the other PE went away with the first")
    c3.rtc_withdraw("65000:1")
    c2.wait(lambda: not c2.has_rtc("65000:1"), "withdrawal of the last membership")
    c3.wait(lambda: not c3.has_rtc("65000:1"), "withdrawal of the last membership at its originator")


@test("RFC 4684 §3.2 ii; pitfall 1.5: to a non-client the client's path, even when a non-client's is best")
def rule_two(t):
    t.reflector(rtc='advertise = "specific"')
    n1, n2, c1 = t.peer("127.2.0.1"), t.peer("127.2.0.2"), t.peer("127.1.0.1")
    n1.rtc("65000:1", local_pref=200)
    c1.wait_rtc("65000:1")
    quiet(n1, n2)
    check(not n2.has_rtc("65000:1") and not n1.has_rtc("65000:1"), "non-client to non-client")
    c1.rtc("65000:1")
    for p in (n1, n2):
        route = p.wait_rtc("65000:1")
        check(route.originator == "127.1.0.1", "%s should see the client's path" % p, route.originator)
    c1.rtc_withdraw("65000:1")
    for p in (n1, n2):
        p.wait(lambda: not p.has_rtc("65000:1"), "withdrawal with the client's path")
    quiet(c1)
    check(c1.has_rtc("65000:1"), "the client still learns what the non-client wants")


@test("RFC 4684 §3.1, §3.2: memberships across an eBGP session")
def external(t):
    t.reflector(rtc='advertise = "specific"')
    c1, n1 = t.peer("127.1.0.1", "65000:1"), t.peer("127.2.0.1")
    e1 = t.peer("127.3.0.1", asn=65100)
    route = e1.wait_rtc("65000:1")
    check(route.as_path() == [(2, [65000])], "own AS in front", route.as_path())
    e1.rtc("65000:7")
    for p in (c1, n1):
        route = p.wait_rtc("65000:7", origin_as=65100)
        check(route.as_path() == [(2, [65100])], "AS_PATH at %s" % p, route.as_path())
    c1.announce("65000:1", "10.0.0.0/24", ["65000:7"], label=7)
    e1.wait_route("65000:1", "10.0.0.0/24", 7)
    e1.close()
    c1.wait(lambda: not c1.has_rtc("65000:7", origin_as=65100), "withdrawal after the eBGP peer went")


@test("DESIGN §3 advertise = auto; field note 3.2, pitfall 1.4: the default route while a VPN peer is not filtered, and no flapping")
def default_auto(t):
    t.reflector()
    c1, n1 = t.peer("127.1.0.1", "65000:1"), t.peer("127.2.0.1")
    c1.wait_rtc("65000:1")
    quiet(c1, n1)
    check(not c1.has_rtc(""), "a default route with all peers filtered")
    legacy = t.peer("127.1.0.5", families=VPN)
    route = c1.wait_rtc("")
    check(route.as_path() == [] and route.next_hop_address == "127.0.0.1", "attributes of the default route", route, route.attributes)
    n1.wait_rtc("")
    mark = c1.mark()
    for _ in range(3):
        legacy.close()
        quiet(c1, seconds=0.2)
        legacy = t.peer("127.1.0.5", families=VPN)
    quiet(c1)
    check(not c1.events_since(mark, family=bgp.RTC), "the default route flaps with the legacy peer", c1.events_since(mark))
    # It comes to a PE that connects later, too, before its VPN routes are due.
    late = t.peer("127.1.0.6", "65000:1")
    late.wait_rtc("")
    check(late.history[0].family == bgp.RTC, "RTC first", late.history[:3])


def advertise_mode(t, mode, default, specific):
    t.reflector(rtc='advertise = "%s"' % mode)
    c1, c2 = t.peer("127.1.0.1", "65000:1"), t.peer("127.1.0.2")
    t.peer("127.1.0.5", families=VPN)
    if specific:
        c2.wait_rtc("65000:1")
    if default:
        c1.wait_rtc("")
        c2.wait_rtc("")
    quiet(c1, c2)
    for p in (c1, c2):
        check(p.has_rtc("") == default and p.has_rtc("65000:1") == specific, "memberships at %s" % p, [bgp.format_key(k) for k in p.adj_in])


@test("DESIGN §3 advertise = specific")
def advertise_specific(t):
    advertise_mode(t, "specific", False, True)


@test("DESIGN §3 advertise = default")
def advertise_default(t):
    advertise_mode(t, "default", True, False)


@test("DESIGN §3 advertise = both")
def advertise_both(t):
    advertise_mode(t, "both", True, True)


@test("DESIGN §3: advertise of a peer group overrides the global one")
def advertise_per_group(t):
    families = (VPN4, RTC_NAME)
    t.reflector(families=families, rtc='advertise = "specific"', groups=(
        group_toml("specific", families=families) + group_toml("default", families=families, extra='rt-constrain = { advertise = "default" }') +
        range_toml("127.1.0.0/16", "specific") + range_toml("127.2.0.0/16", "default")))
    one, two = t.peer("127.1.0.1", "65000:1"), t.peer("127.2.0.1", "65000:2")
    one.wait_rtc("65000:2")
    two.wait_rtc("")
    quiet(one, two)
    check(not one.has_rtc("") and not two.has_rtc("65000:1"), "memberships", one.adj_in, two.adj_in)


@test("RFC 4684 §6, DESIGN §3: a received default asks for everything and is never propagated")
def received_default(t):
    t.reflector(rtc='advertise = "specific"')
    source(t, "65000:1", "65000:2")
    c1, c2, n1 = t.peer("127.1.0.1", ""), t.peer("127.1.0.2"), t.peer("127.2.0.1", "")
    e1 = t.peer("127.3.0.1", asn=65100)
    for p in (c1, n1):
        p.wait(lambda: prefixes(p, 0) == 20 and prefixes(p, 1) == 20, "everything")
    quiet(c1, c2, n1, e1)
    for p in (c1, c2, n1, e1):
        check(not p.has_rtc(""), "a received default was passed on to %s" % p)
    check(not c2.vpn_routes(), "routes for a peer that asked for nothing")


@test("RFC 7313 §4; pitfall 1.21: BoRR and EoRR on the RTC family sweep memberships that were not said again")
def refresh_sweep(t):
    t.reflector()
    source(t, "65000:1", "65000:2", "65000:3")
    pe = t.peer("127.1.0.1", "65000:1", "65000:2")
    pe.wait(lambda: prefixes(pe, 0) == 20 and prefixes(pe, 1) == 20, "both customers")
    mark = pe.mark()
    pe.send(bgp.route_refresh(bgp.RTC, 1))
    pe.rtc("65000:1", "65000:3")
    pe.wait(lambda: prefixes(pe, 2) == 20, "the new one")
    check(prefixes(pe, 1) == 20, "nothing goes before EoRR")
    pe.send(bgp.route_refresh(bgp.RTC, 2))
    pe.wait(lambda: prefixes(pe, 1) == 0, "withdrawal of what was not said again")
    quiet(pe)
    kept = [e for e in pe.events_since(mark, family=bgp.VPNV4) if e.key[3][:2] == bytes([10, 0])]
    check(not kept, "routes that stayed wanted were touched", kept[:4])


@test("RFC 2918 §4, RFC 7313; wire 2.12: ROUTE-REFRESH for the RTC family")
def refresh_answer(t):
    t.reflector(rtc='advertise = "specific"')
    c1, c2 = t.peer("127.1.0.1", "65000:1", "65000:2"), t.peer("127.1.0.2")
    c2.wait_rtc("65000:1")
    c2.wait_rtc("65000:2")
    mark = c2.mark()
    c2.send(bgp.route_refresh(bgp.RTC))
    c2.wait(lambda: [e for e in c2.events_since(mark, "refresh") if e.subtype == 2], "EoRR")
    events = c2.events_since(mark, family=bgp.RTC)
    check([e.subtype for e in events if e.kind == "refresh"] == [1, 2] and events[0].kind == "refresh", "BoRR, routes, EoRR", events)
    check(sum(1 for e in events if e.kind == "announce") == 2, "both memberships again", events)


@test("RFC 4684 §3.1: external-paths = 1 sends VPN routes to the external peer with the best membership path only, own AS in the path is a loop")
def external_paths(t):
    t.reflector(rtc='advertise = "specific"\nexternal-paths = 1', groups=(
        group_toml("clients") + group_toml("a", peer_as=65100) + group_toml("b", peer_as=65200) +
        range_toml("127.1.0.0/16", "clients") + range_toml("127.3.0.0/16", "a") + range_toml("127.4.0.0/16", "b")))
    source(t, "65000:1")
    a, b = t.peer("127.3.0.1", asn=65100), t.peer("127.4.0.1", asn=65200)
    b.rtc("65000:1", origin_as=65400, path=[65200, 65300, 65400])
    b.wait(lambda: prefixes(b, 0) == 20, "the only path")
    a.rtc("65000:1", origin_as=65400, path=[65100, 65400])
    a.wait(lambda: prefixes(a, 0) == 20, "the better path")
    b.wait(lambda: prefixes(b, 0) == 0, "the second path carries nothing")
    a.rtc("65000:1", origin_as=65400, path=[65100, 65000, 65400])
    a.wait(lambda: prefixes(a, 0) == 0, "a membership with our own AS in its path is no membership")
    b.wait(lambda: prefixes(b, 0) == 20, "the other takes over")
