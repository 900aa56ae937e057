"""BMP (RFC 7854, RFC 8671, RFC 9069): a scripted station checks every message; pmbmpd and tshark read the same; slow stations and restarts."""
import json
import subprocess
import time

import bgp
import bmp
from bmp import LOC, OUT, POST, PRE, Station
from daemons import need
from harness import ALL_FAMILIES, EVPN_NAME, check, reflector_toml, test, wait_until
from test_evpn import routes as evpn_routes
from test_mrt import ALL, loaded

FAMILIES = ALL_FAMILIES + (EVPN_NAME,)


def stations_toml(*stations, extra=""):
    return "".join('[[bmp.stations]]\naddress = "%s"\npolicies = [%s]\n%s\n' % (address, ", ".join('"%s"' % p for p in policies), extra) for address, policies in stations)


def reflector(t, policies=(PRE, POST, LOC), extra="", address="127.9.0.1", **options):
    tail = options.pop("tail", "")
    return t.reflector(config=reflector_toml(families=FAMILIES, tail=stations_toml((address, policies), extra=extra) + tail, **options))


def station(t, **options):
    made = Station(**options)
    t.bmp_stations = getattr(t, "bmp_stations", []) + [made]
    return made


def finish(heliod, *stations):
    for one in stations:
        check(one.violation is None, "a violation heard by the station", one.violation)
        one.close()


def up_to_date(heliod, count=1):
    wait_until(lambda: sum(s["state"] == "up" for s in heliod.show("bmp")["stations"]) == count, lambda: "stations up to date: %s" % heliod.show("bmp"))


def paths_of(heliod, peer, family):
    """{RD prefix} of what the reflector itself says that it has from the peer."""
    lines = heliod.control("show", "routes", "--from", peer, "--family", family, "--all", "-j").splitlines()
    return {(r["rd"], r["prefix"]) for r in map(json.loads, lines) if "prefix" in r}


def names(rib, family):
    import ipaddress
    return {(bgp.format_rd(k[1]), "%s/%d" % (ipaddress.ip_address(k[3] + bytes((4 if family == bgp.VPNV4 else 16) - len(k[3]))), k[2])) for k in rib if k[0] == family}


def same_as_rib(heliod, listening, peers):
    for peer in peers:
        for family, name in ((bgp.VPNV4, "vpnv4"), (bgp.VPNV6, "vpnv6")):
            has = paths_of(heliod, peer, name)
            for rib in (PRE, POST):
                told = names(listening.rib(peer, rib), family)
                check(told == has, "%s %s of %s at the station" % (name, rib, peer), "missing %s" % sorted(has - told)[:5], "too many %s" % sorted(told - has)[:5])


@test("RFC 7854 §4, §5, RFC 9069 §4, H5 H: a station that comes late is told everything: Peer Up with both OPENs, routes as received, Loc-RIB, End-of-RIBs")
def initial_dump(t):
    heliod = reflector(t)
    one, two, mesh, external = loaded(t, heliod)
    listening = station(t)
    up_to_date(heliod)
    check(listening.initiation[1].startswith(b"Heliograph "), "sysDescr", listening.initiation)
    for peer in (one, two, mesh, external):
        session = listening.sessions[peer.address]
        check(session.received.capabilities == bgp.Open(peer.open_octets()[19:]).capabilities, "the OPEN of %s" % peer.address)
        check(session.sent.capabilities == peer.open.capabilities and session.sent.router_id == "10.255.0.1", "our OPEN")
        check(session.ports == (1790, peer.socket.getsockname()[1]) and session.peer.asn == peer.asn and session.peer.router_id == peer.router_id, "who it is", session.ports)
        ends = listening.ends(peer.address)
        check({(PRE, f) for f in ALL} | {(POST, f) for f in ALL} <= ends, "End-of-RIBs of %s" % peer.address, ends)
    same_as_rib(heliod, listening, [p.address for p in (one, two, mesh, external)])
    rib = listening.rib("127.1.0.1")
    route = rib[bgp.vpn_key("65000:1", "10.0.3.0/24")]
    check(route.labels == [100] and route.number(bgp.MED) == 7 and route.originator is None and not route.cluster_list and route.next_hop_address == "10.1.0.1",
          "as received: neither ORIGINATOR_ID nor CLUSTER_LIST of ours", route.attributes)
    check(abs(route.time - time.time()) < 60, "timestamp", route.time)
    check(listening.rib("127.2.0.1")[bgp.vpn_key("65000:2", "10.9.0.0/24")].cluster_list == ["10.255.0.9"], "the reflector before us stays")
    outside = listening.rib("127.3.0.1")[bgp.vpn_key("65100:1", "10.8.0.0/24")]
    check(outside.number(bgp.LOCAL_PREF) is None and outside.as_path() == [(2, [65100, 65101])], "external, before policy", outside.attributes)
    check(listening.rib("127.3.0.1", POST)[bgp.vpn_key("65100:1", "10.8.0.0/24")].number(bgp.LOCAL_PREF) == 100, "external, behind policy")
    check(len([k for k in listening.rib("127.1.0.2") if k[0] == bgp.EVPN]) == len(evpn_routes()), "EVPN")
    check({bgp.format_key(k) for k in listening.rib("127.1.0.2") if k[0] == bgp.RTC} ==
          {bgp.format_key(bgp.rtc_key(65000, bgp.rt(x))) for x in ("65000:1", "65000:2")}, "RT memberships", listening.rib("127.1.0.2").keys())
    best = listening.rib("loc-rib", LOC)
    check(best[bgp.vpn_key("65000:1", "10.0.0.0/24")].labels == [100], "Loc-RIB: the best path", best[bgp.vpn_key("65000:1", "10.0.0.0/24")])
    check(len(best) == 43 + 1 + len(evpn_routes()), "one path per prefix", len(best))
    session = listening.sessions["loc-rib"]
    check(session.information == [(3, b"global")] and session.sent.capabilities == session.received.capabilities, "Loc-RIB Peer Up (RFC 9069 4.4, 5.2)", session.information)
    check(set(session.sent.families) == {bgp.VPNV4, bgp.VPNV6, bgp.EVPN} and {f for r, f in listening.ends("loc-rib")} == {bgp.VPNV4, bgp.VPNV6, bgp.EVPN}, "its families")
    finish(heliod, listening)


@test("RFC 7854 §4.6, §4.9, §4.10, RFC 9069 §5: changes as they happen: announced, withdrawn, best path, sessions up and down with their NOTIFICATIONs")
def changes(t):
    heliod = reflector(t)
    listening = station(t)
    up_to_date(heliod)
    one, two = t.peer("127.1.0.1", "65000:1", families=ALL), t.peer("127.1.0.2", "65000:1", families=ALL)
    key = bgp.vpn_key("65000:1", "10.0.0.0/24")
    one.announce("65000:1", ["10.0.0.0/24", "10.0.1.0/24"], ["65000:1"], label=100)
    two.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=200, local_pref=200)
    wait_until(lambda: listening.rib("loc-rib", LOC).get(key) and listening.rib("loc-rib", LOC)[key].labels == [200], "the better path")
    wait_until(lambda: all(key in listening.rib(p, r) for p in ("127.1.0.1", "127.1.0.2") for r in (PRE, POST)), "both paths of the Adj-RIBs-In")
    wait_until(lambda: {(PRE, f) for f in ALL} <= listening.ends("127.1.0.1"), "its End-of-RIBs")
    two.withdraw("65000:1", "10.0.0.0/24")
    wait_until(lambda: listening.rib("loc-rib", LOC)[key].labels == [100] and key not in listening.rib("127.1.0.2") and key not in listening.rib("127.1.0.2", POST), "withdrawn")
    one.rtc_withdraw("65000:1")
    wait_until(lambda: not [k for k in listening.rib("127.1.0.1") if k[0] == bgp.RTC], "RT membership withdrawn")
    # A looped route is not in the RIB: what the peer had there is gone.
    one.announce("65000:1", "10.0.1.0/24", ["65000:1"], label=100, cluster_list=["10.255.0.1"])
    wait_until(lambda: bgp.vpn_key("65000:1", "10.0.1.0/24") not in listening.rib("127.1.0.1"), "a looped route")
    # Sweeps of a refresh are told, too.
    one.send(bgp.route_refresh(bgp.VPNV4, 1)).send(bgp.route_refresh(bgp.VPNV4, 2))
    wait_until(lambda: key not in listening.rib("127.1.0.1") and key not in listening.rib("127.1.0.1", POST) and key not in listening.rib("loc-rib", LOC), "swept (RFC 7313)")
    two.send(bgp.notification(6, 2))
    wait_until(lambda: [d for d in listening.downs if d[0] == "127.1.0.2"], "Peer Down")
    address, reason, data = listening.downs[-1]
    check(reason == 3 and data == bgp.notification(6, 2), "reason 3 with its NOTIFICATION", reason, data.hex())
    heliod.control("peer", "127.1.0.1", "down", "--reason", "x")
    wait_until(lambda: [d for d in listening.downs if d[0] == "127.1.0.1"], "Peer Down")
    address, reason, data = listening.downs[-1]
    check(reason == 1 and data[18] == 3 and data[19:21] == bytes([6, 2]), "reason 1 with our NOTIFICATION", reason, data.hex())
    third = t.peer("127.1.0.3", families=(bgp.VPNV4,))
    third.announce("65000:1", "10.3.0.0/24", ["65000:1"])
    wait_until(lambda: listening.rib("127.1.0.3"), "a third peer")
    third.reset()
    wait_until(lambda: [d for d in listening.downs if d[0] == "127.1.0.3"], "Peer Down")
    check(listening.downs[-1][1:] == (4, b""), "reason 4: gone without a word", listening.downs[-1])
    wait_until(lambda: not listening.rib("loc-rib", LOC), "the Loc-RIB is empty")
    finish(heliod, listening)


@test("RFC 7854 §4.8, §4.5, RFC 9069 §5.5: Statistics Reports; Termination at the end; another interval by configuration")
def statistics(t):
    heliod = reflector(t, extra="stats-interval = 1")
    loaded(t, heliod)
    listening = station(t)
    wait_until(lambda: len({a for a, _ in listening.statistics}) == 5, "statistics of everybody")
    with listening.lock:
        latest = dict(listening.statistics)
    check(latest["127.1.0.1"][7] == 40 + 1 + 1 and latest["127.1.0.1"][(9, bgp.VPNV4)] == 40 and latest["127.1.0.1"][(9, bgp.RTC)] == 1, "Adj-RIB-In", latest["127.1.0.1"])
    check(latest["loc-rib"][8] == 43 + 1 + len(evpn_routes()) and latest["loc-rib"][(10, bgp.VPNV6)] == 1, "Loc-RIB", latest["loc-rib"])
    heliod.end()
    t.reflectors.remove(heliod)
    wait_until(lambda: listening.termination is not None, "Termination")
    check(listening.termination == {1: b"\0\0"}, "administratively closed", listening.termination)
    check(not listening.downs, "the end of the daemon is no Peer Down", listening.downs)
    finish(heliod, listening)


@test("H5 H: routes with path ids, as the OPENs of Peer Up say (RFC 7911), and an import policy: pre-policy has what post-policy has not")
def policies_and_path_ids(t):
    paths = '[[families]]\nname = "l3vpn-ipv4-unicast"\nadd-paths = { receive = true, send-max = 2 }\n[[families]]\nname = "rt-constrain"\n'
    policy = ('[[policy.sets]]\nname = "bad"\nroute-targets = ["65000:666"]\n[[policy.statements]]\nname = "no-bad"\nmatch = { any-route-target-in = "bad" }\naction = "reject"\n'
              '[[policy.statements]]\nname = "prefer"\naction = "accept"\nset = { local-preference = 300 }\n')
    from harness import group_toml, range_toml
    config = reflector_toml(families=(), groups=paths + group_toml("clients", families=("l3vpn-ipv4-unicast", "rt-constrain"), extra='import-policy = ["no-bad", "prefer"]\n') +
                            range_toml("127.1.0.0/16", "clients") + policy, tail=stations_toml(("127.9.0.1", (PRE, POST, LOC))))
    heliod = t.reflector(config=config)
    early = station(t)
    up_to_date(heliod)
    one = t.peer("127.1.0.1", "65000:1", families=(bgp.VPNV4, bgp.RTC), paths_in=(bgp.VPNV4,), paths_out=(bgp.VPNV4,))
    for path_id in (1, 2):
        one.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=100 + path_id, path_id=path_id)
    one.announce("65000:1", "10.6.0.0/24", ["65000:666"], path_id=1)
    one.announce("65000:1", "10.7.0.0/24", ["65000:1"], path_id=1)
    one.announce("65000:1", "10.7.0.0/24", ["65000:666"], path_id=1)  # accepted, then rejected

    def right(listening):
        pre, post = listening.rib("127.1.0.1"), listening.rib("127.1.0.1", POST)
        a, bad, turned = (bgp.vpn_key("65000:1", p) for p in ("10.0.0.0/24", "10.6.0.0/24", "10.7.0.0/24"))
        return (all(a + (i,) in pre and a + (i,) in post for i in (1, 2)) and bad + (1,) in pre and bad + (1,) not in post and turned + (1,) in pre and turned + (1,) not in post and
                pre[a + (1,)].number(bgp.LOCAL_PREF) == 100 and post[a + (1,)].number(bgp.LOCAL_PREF) == 300 and bad not in listening.rib("loc-rib", LOC) and
                turned not in listening.rib("loc-rib", LOC) and listening.rib("loc-rib", LOC)[a].number(bgp.LOCAL_PREF) == 300)
    wait_until(lambda: right(early), lambda: "live: %s %s %s" % (early.rib("127.1.0.1"), early.rib("127.1.0.1", POST), early.rib("loc-rib", LOC)))
    early.disconnect()
    wait_until(lambda: early.connections == 2, "again", 10)
    up_to_date(heliod)
    check(right(early), "the initial dump", early.rib("127.1.0.1"), early.rib("127.1.0.1", POST), early.rib("loc-rib", LOC))
    finish(heliod, early)


@test("H5 H: a station that restarts while routes move has the RIB afterwards, over two shards; one that is not there disturbs nobody")
def resync(t):
    heliod = reflector(t, shards=2, tail=stations_toml(("127.9.0.2", (PRE,))))
    listening = station(t)
    peers = [t.peer("127.1.0.%d" % (i + 1), families=(bgp.VPNV4,)) for i in range(3)]
    for n in range(120):
        peer = peers[n % 3]
        rd = "65000:%d" % (n % 7)
        block = ["10.%d.%d.0/24" % (n % 11, i) for i in range(200)]
        peer.announce(rd, block, ["65000:1"], label=16 + n)
        if n % 4 == 3:
            peer.withdraw(rd, block[:100])
        if n in (30, 70, 100):
            wait_until(lambda: listening.connected, "connected", 20)
            listening.disconnect()
        time.sleep(0.02)
    wait_until(lambda: listening.connections >= 4, "reconnected", 20)
    up_to_date(heliod)
    wait_until(lambda: all(names(listening.rib(p.address), bgp.VPNV4) == paths_of(heliod, p.address, "vpnv4") for p in peers), "quiet", 20, 0.5)
    same_as_rib(heliod, listening, [p.address for p in peers])
    shown = {s["address"]: s for s in heliod.show("bmp")["stations"]}
    check(shown["127.9.0.2"]["state"] == "connecting" and "refused" in shown["127.9.0.2"]["last_error"], "a station that is not there", shown)
    check(shown["127.9.0.1"]["sessions"] >= 3 and shown["127.9.0.1"]["dropped_messages"] == 0, "sessions are counted", shown)
    check("up" in heliod.control("show", "bmp"), "in words")
    finish(heliod, listening)


@test("H5 H: a station that never reads: its queue is bounded, it starts over, reflection goes on; when it reads again it has the RIB")
def slow_station(t):
    heliod = reflector(t, policies=(PRE, POST), extra='queue-limit = "1MiB"', shards=1)
    listening = station(t, receive_buffer=4096)
    one, two = t.peer("127.1.0.1", families=(bgp.VPNV4,)), t.peer("127.1.0.2", "65000:1")
    up_to_date(heliod)
    listening.may_read.clear()

    def shown():
        return heliod.show("bmp")["stations"][0]
    for n in range(400):
        one.announce("65000:1", ["10.%d.%d.0/24" % (n % 8, i) for i in range(250)], ["65000:1"], label=16 + n)
        check(n % 20 or shown()["queue_bytes"] <= 1 << 20, "the queue is bounded")
        if n % 20 == 0 and shown()["overflows"]:
            break
    full = wait_until(lambda: (lambda s: s if s["overflows"] else None)(shown()), lambda: "the queue overflows: %s" % shown())
    check(full["dropped_messages"] > 0 and "starts over" in (full["last_error"] or ""), "counted and said", full)
    one.announce("65000:1", "10.99.0.0/24", ["65000:1"])
    two.wait(lambda: two.route("65000:1", "10.99.0.0/24"), "reflection goes on")
    listening.may_read.set()
    wait_until(lambda: listening.connections >= 2 and shown()["state"] == "up", lambda: "up again: %s" % shown(), 40)
    wait_until(lambda: names(listening.rib("127.1.0.1"), bgp.VPNV4) == paths_of(heliod, "127.1.0.1", "vpnv4"), "the RIB", 20, 0.5)
    # What it had in its own buffers when it was cut off ends within a message; that is no fault of the stream.
    if listening.violation and "within a message" in listening.violation:
        listening.violation = None
    finish(heliod, listening)


@test("H5 E, H: a reload takes stations in, changes them and lets them go; MRT updates the same; sessions stay")
def reload(t):
    bare = reflector_toml(families=FAMILIES)
    heliod = t.reflector(config=bare)
    one, two, mesh, external = loaded(t, heliod)
    listening = station(t)

    def reload_with(tail):
        heliod.config.write_text(bare + tail)
        heliod.control("config", "reload")
    reload_with(stations_toml(("127.9.0.1", (PRE, LOC))))
    up_to_date(heliod)
    check(names(listening.rib("127.1.0.1"), bgp.VPNV4) == paths_of(heliod, "127.1.0.1", "vpnv4") and listening.sessions["127.1.0.1"].ports[0] == 1790, "who was there before is told",
          listening.rib("127.1.0.1"))
    reload_with(stations_toml(("127.9.0.1", (POST,))) + '[mrt]\ndirectory = "mrt"\nupdates = true\nupdates-interval = 1\n')
    wait_until(lambda: listening.connections == 2, "connected anew")
    up_to_date(heliod)
    check(listening.rib("127.1.0.1", POST) and not listening.rib("127.1.0.1"), "other policies")
    one.announce("65000:1", "10.55.0.0/24", ["65000:1"])
    wait_until(lambda: bgp.vpn_key("65000:1", "10.55.0.0/24") in listening.rib("127.1.0.1", POST), "told to both who watch")
    wait_until(lambda: [f for f in (heliod.folder / "mrt").glob("updates.*.mrt") if b"\x0a\x37\0" in f.read_bytes()], "and recorded")
    reload_with('[mrt]\ndirectory = "mrt"\n')
    wait_until(lambda: listening.termination is not None, "let go")
    check(heliod.show("bmp")["stations"] == [] and not heliod.show("mrt")["updates"], "nothing is left")
    two.withdraw("65000:1", "10.0.0.0/24")
    wait_until(lambda: ("65000:1", "10.0.0.0/24") not in paths_of(heliod, "127.1.0.2", "vpnv4"), "the reflector goes on")
    check(not any(p.closed or p.notification for p in (one, two, mesh, external)), "sessions stay")
    finish(heliod, listening)


@test("H5 E, H: a reload that changes one station leaves the connection of the other alone; after many of them all are told right")
def reload_of_one(t):
    bare = reflector_toml(families=FAMILIES)
    heliod = t.reflector(config=bare)
    loaded(t, heliod)
    stays, changes = station(t), station(t, address="127.9.0.2")

    def reload_with(*stations):
        heliod.config.write_text(bare + stations_toml(*stations))
        heliod.control("config", "reload")
    reload_with(("127.9.0.1", (PRE, LOC)), ("127.9.0.2", (PRE,)))
    up_to_date(heliod, 2)
    for round_, policies in enumerate(((LOC,), (PRE, LOC), (PRE,)) * 2):
        reload_with(("127.9.0.1", (PRE, LOC)), ("127.9.0.2", policies))
        wait_until(lambda: changes.connections == round_ + 2, "the other one is connected anew")
        up_to_date(heliod, 2)
        check(stays.connections == 1 and stays.termination is None, "the first one stays")
        check((names(changes.rib("127.1.0.1"), bgp.VPNV4) == paths_of(heliod, "127.1.0.1", "vpnv4")) == (PRE in policies), "what it asked for", policies, changes.rib("127.1.0.1"))
        check(len(heliod.show("bmp")["stations"]) == 2, "two stations", heliod.show("bmp"))
    reload_with(("127.9.0.1", (PRE, LOC)))
    wait_until(lambda: changes.termination is not None, "the other one is let go")
    check(stays.connections == 1 and [s["address"] for s in heliod.show("bmp")["stations"]] == ["127.9.0.1"], "one is left")
    for n in range(20):  # more than there are slots: then all are connected anew, once
        reload_with(("127.9.0.1", (PRE, LOC)), ("127.9.0.2", ((LOC,), (PRE,))[n % 2]))
    up_to_date(heliod, 2)
    check(stays.connections == 2, "the first one once more", stays.connections)
    check(names(stays.rib("127.1.0.1"), bgp.VPNV4) == paths_of(heliod, "127.1.0.1", "vpnv4") == names(changes.rib("127.1.0.1"), bgp.VPNV4), "and told all")
    finish(heliod, stays)
    finish(heliod, changes)


def told(routes):
    """What matters of routes: labels, next hop and attributes by key; without RT memberships, of which Adj-RIB-Out tells nothing."""
    return {k: (r.labels, r.next_hop, sorted(r.attributes.items())) for k, r in list(routes.items()) if k[0] != bgp.RTC}


def as_sent(listening, peers, what, deadline=20):
    """The station's Adj-RIB-Out of each peer is the peer's Adj-RIB-In."""
    def differs():
        return next((("%s: %d here, %d there" % (p, len(told(listening.rib(p.address, OUT))), len(told(p.adj_in)))) for p in peers if told(listening.rib(p.address, OUT)) != told(p.adj_in)), None)
    wait_until(lambda: differs() is None, lambda: "%s: %s" % (what, differs()), deadline, 0.2)


@test("RFC 8671 §4, §5.1, §6; H5 H: Adj-RIB-Out: what each peer is sent, those that were there before and those that come, through changes, refreshes and lost sessions")
def adj_rib_out(t):
    heliod = reflector(t, policies=(OUT,), extra="stats-interval = 1")
    one, two, mesh, external = loaded(t, heliod)
    peers = [one, two, mesh, external]
    wait_until(lambda: len(told(two.adj_in)) > 40 and len(told(one.adj_in)) > 5, lambda: "what peers have: %s" % [len(told(p.adj_in)) for p in peers])
    listening = station(t)
    up_to_date(heliod)
    as_sent(listening, peers, "the beginning")
    check(not listening.rib("127.1.0.2") and not listening.rib("loc-rib", LOC), "nothing else was asked for")
    families = {f for _, f in listening.ends("127.1.0.2")}
    check(bgp.VPNV4 in families and bgp.RTC not in families and {rib for rib, _ in listening.ends("127.1.0.2")} == {OUT}, "End-of-RIBs", listening.ends("127.1.0.2"))
    one.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=555)
    one.withdraw("65000:1", "10.0.1.0/24")
    one.announce("65000:1", "10.60.0.0/24", ["65000:9"])
    wait_until(lambda: two.route("65000:1", "10.0.0.0/24").labels == [555], "the change")
    as_sent(listening, peers, "changes")
    two.rtc("65000:9")
    wait_until(lambda: two.route("65000:1", "10.60.0.0/24"), "the new membership")
    as_sent(listening, peers, "a membership")
    heliod.control("peer", "127.1.0.2", "clear", "soft", "out")
    late = t.peer("127.1.0.8", families=(bgp.VPNV4,))
    peers.append(late)
    wait_until(lambda: len(told(late.adj_in)) > 40, "the table of the new peer")
    as_sent(listening, peers, "a peer that comes late, and one that is sent everything again")
    mesh.close()
    peers.remove(mesh)
    wait_until(lambda: not two.route("65000:2", "10.9.0.0/24"), "the routes of the lost session")
    as_sent(listening, peers, "a lost session")
    wait_until(lambda: any(a == "127.1.0.8" and s.get(15) == len(told(late.adj_in)) == s.get((17, bgp.VPNV4)) for a, s in listening.statistics), lambda: "statistics: %s" % listening.statistics[-4:])
    finish(heliod, listening)


@test("RFC 8671 §5.1; H5 H: Adj-RIB-Out with path ids, filters and two shards, while routes move and the station comes and goes")
def adj_rib_out_churn(t):
    paths = '[[families]]\nname = "l3vpn-ipv4-unicast"\nadd-paths = { receive = true, send-max = 2 }\n[[families]]\nname = "rt-constrain"\n'
    from harness import group_toml, range_toml
    config = reflector_toml(families=(), shards=2, groups=paths + group_toml("clients", families=("l3vpn-ipv4-unicast", "rt-constrain")) + range_toml("127.1.0.0/16", "clients"), tail=stations_toml(("127.9.0.1", (OUT,))))
    heliod = t.reflector(config=config, watch=False)  # tshark does not know of path ids in what it has not seen negotiated
    listening = station(t)
    sources = [t.peer("127.1.0.%d" % (i + 1), families=(bgp.VPNV4,)) for i in range(2)]
    filtered, every = t.peer("127.1.0.5", "65000:1", "65000:3", families=(bgp.VPNV4, bgp.RTC)), t.peer("127.1.0.6", families=(bgp.VPNV4,), paths_in=(bgp.VPNV4,))
    peers = sources + [filtered, every]
    for n in range(120):
        rd = "65000:%d" % (n % 7)
        block = ["10.%d.%d.0/24" % (n % 11, i) for i in range(200)]
        sources[n % 2].announce(rd, block, ["65000:%d" % (n % 5)], label=16 + n)
        if n % 4 == 3:
            sources[n % 2].withdraw(rd, block[:100])
        if n in (20, 50, 80, 110):
            wait_until(lambda: listening.connected, "connected", 20)
            listening.disconnect()
        if n == 60:
            filtered.rtc("65000:2")
        time.sleep(0.02)
    wait_until(lambda: listening.connections >= 5, "reconnected", 30)
    up_to_date(heliod)
    check(len(told(filtered.adj_in)) > 500 and len(told(every.adj_in)) > len(told(sources[0].adj_in)), "something to compare", [len(told(p.adj_in)) for p in peers])
    as_sent(listening, peers, "quiet", 30)
    finish(heliod, listening)


@test("RFC 8671 §5.1; H5 H: a station that reads slowly is told the Adj-RIB-Outs of a table that is larger than its queue, and one that does not read holds up nobody")
def adj_rib_out_slow(t):
    heliod = reflector(t, policies=(OUT,), extra='queue-limit = "1MiB"', shards=2)
    source, two, three = t.peer("127.1.0.1", families=(bgp.VPNV4,)), t.peer("127.1.0.2", "65000:1", families=(bgp.VPNV4, bgp.RTC)), t.peer("127.1.0.3", families=(bgp.VPNV4,))
    for n in range(150):
        source.announce("65000:%d" % n, ["10.%d.%d.0/24" % (n, i) for i in range(150)], ["65000:1"], extra=[(200, bytes([n]) * 1500, 0xC0)])
    wait_until(lambda: len(told(two.adj_in)) == len(told(three.adj_in)) == 22500, "the table", 20)
    listening = station(t, receive_buffer=4096)
    listening.may_read.clear()
    for n in range(150):  # more than its queue has room for
        source.announce("65000:%d" % n, ["10.%d.%d.0/24" % (n, i) for i in range(150)], ["65000:1"], label=77, extra=[(200, bytes([n]) * 1500, 0xC0)])
    wait_until(lambda: three.route("65000:149", "10.149.149.0/24").labels == [77], "peers do not wait for it", 10)
    check(all(s["queue_bytes"] < 4 << 20 for s in heliod.show("bmp")["stations"]), "its queue is bounded", heliod.show("bmp"))
    listening.may_read.set()
    as_sent(listening, [source, two, three], "when it reads", 40)
    finish(heliod, listening)


@test("H5 H: pmacct's pmbmpd, an independent station, logs what was announced; tshark finds nothing malformed in what was sent")
def pmbmpd(t):
    need("pmbmpd", "tcpdump", "tshark")
    folder = t.folder / "pmacct"
    folder.mkdir()
    (folder / "pmbmpd.conf").write_text("bmp_daemon_ip: 127.9.0.1\nbmp_daemon_port: 11019\nbmp_daemon_msglog_file: %s/msglog.json\nbmp_daemon_max_peers: 10\n" % folder)
    t.process(["pmbmpd", "-f", folder / "pmbmpd.conf"], "pmbmpd.log")
    pcap = t.folder / "bmp.pcap"
    capture = t.process(["tcpdump", "-i", "lo", "-U", "--immediate-mode", "-s", "262144", "-Z", "root", "-w", str(pcap), "tcp port 11019"], "bmpdump.log")
    capture.wait_log("listening on")
    heliod = reflector(t, policies=(PRE, POST, LOC, OUT))
    one, two, mesh, external = loaded(t, heliod)
    up_to_date(heliod)
    one.withdraw("65000:1", "10.0.5.0/24")
    mesh.close()

    def log():
        file = folder / "msglog.json"
        return [json.loads(line) for line in file.read_text().splitlines() if line.startswith("{")] if file.exists() else []
    wait_until(lambda: any(e.get("bmp_msg_type") == "peer_down" for e in log()), lambda: "Peer Down in pmbmpd's log: %s" % [e.get("bmp_msg_type") for e in log()][-20:])
    wait_until(lambda: any(e.get("log_type") == "withdraw" and e.get("ip_prefix") == "10.0.5.0/24" for e in log()), "the withdrawal")
    events = log()
    kinds = {e.get("bmp_msg_type") for e in events}
    check({"init", "peer_up", "route_monitor", "peer_down"} <= kinds, "kinds of messages", kinds)
    ups = {e["peer_ip"] for e in events if e.get("bmp_msg_type") == "peer_up"}
    check({"127.1.0.1", "127.1.0.2", "127.2.0.1", "127.3.0.1"} <= ups, "Peer Ups", ups)
    seen = [e for e in events if e.get("bmp_msg_type") == "route_monitor" and e.get("ip_prefix") == "10.0.7.0/24" and e.get("peer_ip") == "127.1.0.1"]
    check(seen and seen[0]["rd"].endswith("65000:1") and seen[0].get("ecomms") == "RT:65000:1", "a VPN route with RD and RT", seen[:3])
    out = [e for e in events if e.get("bmp_msg_type") == "route_monitor" and e.get("is_out") == 1]
    check(out and all(e["is_post"] == 1 for e in out) and any(e.get("ip_prefix") == "10.8.0.0/24" and e["peer_ip"] == "127.1.0.1" and e["rd"].endswith("65100:1") for e in out), "Adj-RIB-Out (RFC 8671)", out[:3])
    time.sleep(0.2)
    capture.stop()
    done = subprocess.run(["tshark", "-n", "-r", str(pcap), "-d", "tcp.port==11019,bmp", "-V"], capture_output=True, text=True, timeout=120)
    # tshark 4.0 takes the table name behind the OPENs of the Loc-RIB's Peer Up (RFC 9069 §4.4) for another BGP message: once, there.
    check(done.returncode == 0 and done.stdout.count("[Malformed Packet: BGP]") == 1 and "BGP Monitoring Protocol, Type Route Monitoring" in done.stdout, "tshark",
          [l for l in done.stdout.splitlines() if "Malformed" in l][:5], done.stderr)
    before = done.stdout.split("[Malformed Packet: BGP]")[0].splitlines()[-1:]
    check(before == ["                    AS Number: 65000"] and "Optional Parameters Length: 26" in done.stdout.split("[Malformed Packet: BGP]")[0][-2500:], "where", before)
