"""EVPN routes reflected by their route targets (RFC 7432, RFC 9136; RFC 4684 for the filter): scripted PEs, GoBGP and FRR."""
import struct

import bgp
from daemons import Frr, Gobgp, command, run_json
from harness import ALL_FAMILIES, EVPN_NAME, RTC_NAME, check, quiet, test, wait_until

FAMILIES = ALL_FAMILIES + (EVPN_NAME,)
BOTH = (bgp.RTC, bgp.EVPN)
ESI = bytes.fromhex("00112233445566778899")
TAG = struct.pack(">I", 7)
LABEL = struct.pack(">I", 100 << 4)[1:]

ENCAPSULATION = bytes.fromhex("030c000000000008")   # VXLAN (RFC 9012)
MAC_MOBILITY = bytes.fromhex("0600000000000005")    # sequence 5 (RFC 7432 §7.7)
ESI_LABEL = bytes.fromhex("0601000000000641")
ROUTER_MAC = bytes.fromhex("060300005e005301")
ES_IMPORT = bytes.fromhex("060200005e005301")


def routes(rd="65000:1"):
    """One route of each type of RFC 7432 and 9136, and one of a type that the reflector does not know."""
    return [
        bgp.evpn_nlri(1, rd, ESI, TAG, LABEL),
        bgp.mac_ip(rd, "00:00:5e:00:53:01", esi=ESI, tag=7),
        bgp.mac_ip(rd, "00:00:5e:00:53:01", "192.0.2.1", esi=ESI, tag=7, labels=(100, 101)),
        bgp.evpn_nlri(3, rd, TAG, b"\x20", bgp.ip("10.1.0.1")),
        bgp.evpn_nlri(4, rd, ESI, b"\x80", bgp.ip("2001:db8::1")),
        bgp.evpn_nlri(5, rd, bytes(10), TAG, b"\x18", bgp.ip("10.0.0.0"), bgp.ip("0.0.0.0"), LABEL),
        bgp.evpn_nlri(5, rd, bytes(10), TAG, b"\x40", bgp.ip("2001:db8::"), bgp.ip("::"), LABEL),
        bgp.evpn_nlri(10, rd, TAG, b"\x20", bgp.ip("192.0.2.1"), b"\x20", bgp.ip("232.1.1.1"), b"\x20", bgp.ip("10.1.0.1")),  # S-PMSI (RFC 9572)
    ]


def whole(route):
    """The octets of a received route, put together again from key and payload."""
    kind, rd, key, payload = route.key[1], route.key[2], route.key[3], route.labels[0]
    front = 10 if kind in (2, 5) else 0
    body = rd + payload[:front] + key + payload[front:]
    return bytes([kind, len(body)]) + body


@test("RFC 7432 §7, §14, RFC 9136 §3.1, RFC 4456 §8, RFC 7606 §5.4: every route type comes out octet for octet, with its attributes")
def reflection(t):
    t.reflector(families=FAMILIES, shards=1)
    one, two = t.peer("127.1.0.1", families=BOTH), t.peer("127.1.0.2", "65000:1", families=BOTH)
    check(bgp.EVPN in one.open.families, "the family in our OPEN", one.open.families)
    pmsi = (bgp.PMSI, bytes.fromhex("00060006410a010001"), None)
    sent = routes()
    one.announce_evpn(b"".join(sent), ["65000:1"], ext=(ENCAPSULATION, MAC_MOBILITY, ESI_LABEL, ROUTER_MAC, ES_IMPORT), extra=(pmsi,))
    two.wait(lambda: len(two.evpn_routes()) == len(sent), "all routes")
    check(sorted(whole(r) for r in two.evpn_routes().values()) == sorted(sent), "octets of the routes", two.evpn_routes())
    for route in two.evpn_routes().values():
        check(route.next_hop_address == "10.1.0.1", "next hop", route.next_hop_address)
        check(route.value(bgp.PMSI) == pmsi[1], "PMSI tunnel", route.attributes)
        check(route.value(bgp.EXT_COMMUNITY) == bgp.rt("65000:1") + ENCAPSULATION + MAC_MOBILITY + ESI_LABEL + ROUTER_MAC + ES_IMPORT,
              "extended communities", route.value(bgp.EXT_COMMUNITY).hex())
        check(route.originator == "127.1.0.1" and route.cluster_list == ["10.255.0.1"], "reflection attributes")
    check(not one.evpn_routes(), "routes back to their source")
    # They came together, so they go together.
    updates = [b for k, b in two.messages if k == bgp.UPDATE and bgp.MP_REACH in bgp.Update(b).attributes and bgp.Update(b).announced[0].family == bgp.EVPN]
    check(len(updates) == 1, "%d UPDATEs for routes of one attribute set" % len(updates))
    # Label and ESI are no part of the key: another payload replaces the route.
    changed = bgp.mac_ip("65000:1", "00:00:5e:00:53:01", esi=bytes(10), tag=7, labels=(200,))
    mark = two.mark()
    one.announce_evpn(changed, ["65000:1"])
    two.wait(lambda: whole(two.evpn_route(changed)) == changed, "the new payload")
    check(len(two.evpn_routes()) == len(sent) and not two.events_since(mark, "withdraw"), "a change of payload is no withdrawal")
    # A withdrawal names the key; what else it carries does not count.
    one.withdraw_evpn(bgp.mac_ip("65000:1", "00:00:5e:00:53:01", esi=b"\xee" * 10, tag=7, labels=(1, 2)) + sent[-1])
    two.wait(lambda: len(two.evpn_routes()) == len(sent) - 2, "withdrawals")
    one.close()
    two.wait(lambda: not two.evpn_routes(), "withdrawals after the session went")


@test("RFC 4684 §6 with RFC 7432: EVPN and VPN routes follow the same memberships; End-of-RIB after the routes; without RTC everything")
def by_route_target(t):
    t.reflector(families=FAMILIES)
    source = t.peer("127.1.0.9", families=(bgp.VPNV4, bgp.EVPN))
    red, blue = routes("65000:1"), routes("65000:2")
    source.announce_evpn(b"".join(red), ["65000:1"])
    source.announce_evpn(b"".join(blue), ["65000:2", "65000:3"])
    source.announce("65000:1", "10.0.0.0/24", ["65000:1"])
    pe = t.peer("127.1.0.1", "65000:1", families=(bgp.VPNV4, bgp.RTC, bgp.EVPN))
    pe.wait_eor(bgp.EVPN, bgp.VPNV4)
    check(len(pe.evpn_routes()) == len(red) and len(pe.vpn_routes()) == 1, "the routes of 65000:1 before End-of-RIB", pe.adj_in)
    pe.rtc("65000:3")
    pe.wait(lambda: len(pe.evpn_routes()) == len(red) + len(blue), "the routes of a new membership")
    pe.rtc_withdraw("65000:1")
    pe.wait(lambda: len(pe.evpn_routes()) == len(blue) and not pe.vpn_routes(), "withdrawals when a membership ends")
    everything = t.peer("127.1.0.2", families=(bgp.EVPN,))
    everything.wait_eor(bgp.EVPN)
    check(len(everything.evpn_routes()) == len(red) + len(blue), "a PE without RTC")
    plain = t.peer("127.1.0.3", "65000:1", "65000:2")      # VPNv4, VPNv6, RTC
    plain.wait_eor(bgp.VPNV4)
    quiet(plain)
    check(not plain.evpn_routes(), "EVPN routes for a peer that did not negotiate it")
    # Routes change their targets: from one member to another.
    mark = pe.mark()
    source.announce_evpn(red[0], ["65000:3"])
    pe.wait(lambda: pe.evpn_route(red[0]), "a route that got the target")
    source.announce_evpn(red[0], ["65000:4"])
    pe.wait(lambda: not pe.evpn_route(red[0]), "a route that lost it")
    check([e.kind for e in pe.events_since(mark, family=bgp.EVPN)] == ["announce", "withdraw"], "and nothing else", pe.events_since(mark))


@test("RFC 4271 §9.1, RFC 7432 §15: of several paths with one key the best is sent; the MAC mobility sequence is not compared; RFC 4456 §6 roles")
def best_path(t):
    t.reflector(families=FAMILIES)
    a, b, n = t.peer("127.1.0.1", families=BOTH), t.peer("127.1.0.2", families=BOTH), t.peer("127.2.0.1", families=BOTH)
    watch, mesh = t.peer("127.1.0.3", "65000:1", families=BOTH), t.peer("127.2.0.2", "65000:1", families=BOTH)
    nlri = bgp.mac_ip("65000:1", "00:00:5e:00:53:01")
    other = bgp.mac_ip("65000:1", "00:00:5e:00:53:01", esi=ESI, labels=(200,))
    a.announce_evpn(nlri, ["65000:1"], ext=(MAC_MOBILITY,))
    watch.wait(lambda: watch.evpn_route(nlri), "the only path")
    b.announce_evpn(other, ["65000:1"], local_pref=200)   # a lower sequence, none at all
    watch.wait(lambda: whole(watch.evpn_route(nlri)) == other, "higher LOCAL_PREF wins")
    b.withdraw_evpn(other)
    watch.wait(lambda: whole(watch.evpn_route(nlri)) == nlri, "the path that is left")
    check(watch.evpn_route(nlri).value(bgp.EXT_COMMUNITY).endswith(MAC_MOBILITY), "with its sequence number")
    n.announce_evpn(other, ["65000:1"], local_pref=300)
    watch.wait(lambda: whole(watch.evpn_route(nlri)) == other, "a non-client's path to a client")
    mesh.wait(lambda: not mesh.evpn_route(nlri), "not from a non-client to another")


@test("RFC 2918 §4, RFC 7313 §4: ROUTE-REFRESH of EVPN, both ways; BoRR and EoRR sweep")
def refresh(t):
    t.reflector(families=FAMILIES)
    source, pe = t.peer("127.1.0.9", families=BOTH), t.peer("127.1.0.1", "65000:1", families=BOTH)
    sent = routes()
    source.announce_evpn(b"".join(sent), ["65000:1"])
    pe.wait(lambda: len(pe.evpn_routes()) == len(sent), "all routes")
    quiet(pe)
    mark = pe.mark()
    pe.send(bgp.route_refresh(bgp.EVPN))
    pe.wait(lambda: [e for e in pe.events_since(mark, "refresh") if e.subtype == 2], "EoRR")
    again = pe.events_since(mark, "announce", family=bgp.EVPN)
    check(len(again) == len(sent), "all routes again, once", again)
    source.send(bgp.route_refresh(bgp.EVPN, 1))
    source.announce_evpn(b"".join(sent[:3]), ["65000:1"])
    source.send(bgp.route_refresh(bgp.EVPN, 2))
    pe.wait(lambda: len(pe.evpn_routes()) == 3, "what was not said again is gone")


@test("RFC 7432 §7: many routes in many RDs over three shards, a slow reader, a late PE; helioctl shows them")
def many(t):
    running = t.reflector(families=FAMILIES, shards=3)
    source = t.peer("127.1.0.9", families=BOTH)
    for rd in range(1, 41):
        entries = [bgp.mac_ip("65000:%d" % rd, "02:00:00:00:%02x:%02x" % (n >> 8, n & 255), "10.%d.%d.1" % (rd, n) if n % 2 else "") for n in range(100)]
        source.announce_evpn(b"".join(entries[:50]), ["65000:%d" % (rd % 4)])
        source.announce_evpn(b"".join(entries[50:]), ["65000:%d" % (rd % 4)])
    pe = t.peer("127.1.0.1", "65000:1", families=BOTH)
    pe.wait(lambda: len(pe.evpn_routes()) == 1000, lambda: "1000 routes, has %d" % len(pe.evpn_routes()))
    shown = running.show("routes", "--family", "evpn", "--rd", "65000:5", "--limit", "200")
    texts = {r["prefix"] for r in shown["routes"]}
    check(len(texts) == 100 and "[2]:[0]:[48]:[02:00:00:00:00:01]:[32]:[10.5.1.1]" in texts, "routes of an RD", sorted(texts)[:5])
    families = {f["family"]: f for f in running.show("summary")["families"]}
    check(families["evpn"]["prefixes"] == 4000 and families["evpn"]["paths"] == 4000, "summary", families)
    me = running.show("peer", "127.1.0.1")
    counts = {f["family"]: f["sent"] for f in me["families"]}
    check(counts.get("evpn") == 1000, "what the PE was sent", counts)
    source.close()
    pe.wait(lambda: not pe.evpn_routes(), "withdrawals")


@test("RFC 7432, RFC 4684: GoBGP PEs exchange MAC/IP, multicast and prefix routes by the targets of their VRFs")
def gobgp(t):
    t.reflector(families=FAMILIES, rtc="initial-wait = 2")
    one, two, three = (Gobgp(t, "pe%d" % n, "127.1.0.1%d" % n, "127.0.0.1", families=("l2vpn-evpn", "rtc")) for n in (1, 2, 3))
    two.add_vrf("red", "65000:2", "65000:100")
    three.add_vrf("blue", "65000:3", "65000:200")
    rib = lambda *words: command(one.ctl("global", "rib", "add", "-a", "evpn", *words))
    rib("macadv", "00:00:5e:00:53:01", "10.0.0.1", "etag", "0", "label", "100", "rd", "65000:1", "rt", "65000:100", "encap", "vxlan")
    rib("multicast", "10.0.0.1", "etag", "0", "rd", "65000:1", "rt", "65000:100", "encap", "vxlan")
    rib("prefix", "10.9.0.0/24", "etag", "0", "label", "100", "rd", "65000:1", "rt", "65000:100", "encap", "vxlan")
    rib("macadv", "00:00:5e:00:53:02", "10.0.0.2", "etag", "0", "label", "100", "rd", "65000:1", "rt", "65000:200", "encap", "vxlan")
    wait_until(lambda: len(two.global_routes("evpn")) == 3, lambda: "three routes at pe2: %s" % two.global_routes("evpn"))
    wait_until(lambda: len(three.global_routes("evpn")) == 1, lambda: "one route at pe3: %s" % three.global_routes("evpn"))
    check(any("00:00:5e:00:53:02" in key for key in three.global_routes("evpn")), "the right one", three.global_routes("evpn"))
    command(one.ctl("global", "rib", "del", "-a", "evpn", "macadv", "00:00:5e:00:53:01", "10.0.0.1", "etag", "0", "label", "100", "rd", "65000:1"))
    wait_until(lambda: len(two.global_routes("evpn")) == 2, lambda: "two routes at pe2: %s" % two.global_routes("evpn"))


@test("RFC 7432: FRR takes routes of types 1 to 5, and withdrawals")
def frr(t):
    t.reflector(families=FAMILIES)
    pe = Frr(t, "127.1.0.30", "127.0.0.1", families=("l2vpn evpn",))
    source = t.peer("127.1.0.9", families=(bgp.EVPN,))
    # FRR 8.4 ends the session over an Ethernet segment route with an IPv6 address, and over types beyond 5.
    sent = [r for r in routes()[:6] if r[0] != 4] + [bgp.evpn_nlri(4, "65000:1", ESI, b"\x20", bgp.ip("10.1.0.1"))]
    source.announce_evpn(b"".join(sent), ["65000:1"], ext=(ENCAPSULATION,))

    def seen():
        table = run_json(pe.vty("show bgp l2vpn evpn json")) or {}
        return {key for rd, entry in table.items() if isinstance(entry, dict) for key in entry if key.startswith("[")}

    wait_until(lambda: len(seen()) == len(sent), lambda: "%d routes at FRR: %s" % (len(sent), sorted(seen())))
    check("[2]:[7]:[48]:[00:00:5e:00:53:01]:[32]:[192.0.2.1]" in seen() and "[3]:[7]:[32]:[10.1.0.1]" in seen(), "routes", sorted(seen()))
    source.withdraw_evpn(sent[1] + sent[3])
    wait_until(lambda: len(seen()) == len(sent) - 2, lambda: "withdrawals at FRR: %s" % sorted(seen()))


@test("RFC 7606 §5.3, RFC 4760 §7: an EVPN route that cannot be read turns the family off, not the session; VPN service goes on")
def malformed(t):
    t.reflector(families=FAMILIES)
    pe = t.peer("127.1.0.1", "65000:1", families=(bgp.VPNV4, bgp.RTC, bgp.EVPN))
    source = t.peer("127.1.0.9", families=(bgp.VPNV4, bgp.RTC, bgp.EVPN))
    sent = routes()
    source.announce_evpn(b"".join(sent), ["65000:1"])
    source.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=7)
    pe.wait(lambda: len(pe.evpn_routes()) == len(sent) and len(pe.vpn_routes()) == 1, "all routes")
    source.announce_evpn(sent[0] + b"\x03\x05abcde", ["65000:1"])
    pe.wait(lambda: not pe.evpn_routes(), "what the peer sent of the family is gone")
    source.announce_evpn(sent[1], ["65000:1"])                   # ignored from here on
    source.announce("65000:1", "10.0.1.0/24", ["65000:1"], label=8)
    pe.wait_route("65000:1", "10.0.1.0/24", 8)
    quiet(pe, source)
    check(not pe.evpn_routes() and source.notification is None and not source.closed, "the session stands, the family is off")
