"""FRR 8.4, BIRD 2.0.12 and OpenBGPD 7.7 as VPNv4/VPNv6 clients without RT-Constrain (issue H1, proof 2)."""
import bgp
from daemons import Bird, Frr, Gobgp, OpenBgpd
from harness import ALL_FAMILIES, check, group_toml, range_toml, test, wait_until

RR, FRR, BIRD, OPENBGPD, SCRIPTED, FEEDER = "10.9.0.100", "10.9.0.1", "10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5"
GOBGP = "10.10.0.1"
LISTEN = ((RR, 1790),)


def lab(t):
    """Addresses outside 127/8 on lo: FRR drops VPN next hops in 127/8 (field note 3.4)."""
    t.addresses(RR, FRR, BIRD, OPENBGPD, SCRIPTED, FEEDER, GOBGP, "2001:db8:9::2")
    # GoBGP before 3.36 ends in a nil pointer when it holds the default membership and is sent a specific one: default only.
    gobgp = group_toml("gobgp", families=ALL_FAMILIES, extra='rt-constrain = { advertise = "default", initial-wait = 2 }')
    return t.reflector(listen=LISTEN, groups=group_toml("clients", families=ALL_FAMILIES) + gobgp + range_toml("10.9.0.0/16", "clients") +
                       range_toml("10.10.0.0/16", "gobgp"))


def scripted(t, *targets, **options):
    options.setdefault("families", (bgp.VPNV4, bgp.VPNV6))
    return t.peer(SCRIPTED, *targets, target=RR, **options)


@test("RFC 4364 §4.3.1, 4659 §3.2; wire 2.1-2.4, 2.9, 2.16, field note 3.4: FRR announces, receives and withdraws")
def frr(t):
    lab(t)
    pe = scripted(t)
    frr = Frr(t, FRR, RR, routes=[("10.1.0.0/24", "65000:1", 101, "65000:1"), ("10.2.0.0/24", "65000:2", 102, "65000:2"),
                                  ("2001:db8:1::/48", "65000:1", 103, "65000:1")])
    wait_until(frr.established, "FRR established")
    first = pe.wait_route("65000:1", "10.1.0.0/24", 101, deadline=20)
    check(first.rts == {"65000:1"} and first.next_hop_address == FRR, "FRR's route arrived changed", first)
    check(first.originator == FRR and first.cluster_list == ["10.255.0.1"], "ORIGINATOR_ID and CLUSTER_LIST", first.originator, first.cluster_list)
    pe.wait_route("65000:2", "10.2.0.0/24", 102)
    pe.wait_route("65000:1", "2001:db8:1::/48", 103)

    pe.announce("65000:9", ["10.50.%d.0/24" % i for i in range(40)], ["65000:9"], label=900, next_hop=SCRIPTED, med=7)
    pe.announce("65000:9", "2001:db8:50::/48", ["65000:9"], label=901, next_hop="2001:db8:9::2")
    wait_until(lambda: len([k for k in frr.routes() if k[0] == "65000:9"]) == 40, lambda: "FRR has %s" % sorted(frr.routes()))
    wait_until(lambda: ("65000:9", "2001:db8:50::/48") in frr.routes("ipv6"), lambda: "FRR has %s" % sorted(frr.routes("ipv6")))
    path = frr.routes()[("65000:9", "10.50.7.0/24")]
    check(path["nexthops"][0]["ip"] == SCRIPTED and path.get("metric") == 7, "next hop and MED at FRR", path)

    pe.withdraw("65000:9", "10.50.7.0/24")
    wait_until(lambda: ("65000:9", "10.50.7.0/24") not in frr.routes(), "withdrawal applied by FRR")
    check(len([k for k in frr.routes() if k[0] == "65000:9"]) == 39, "only that route went away", sorted(frr.routes()))
    frr.configure("address-family ipv4 vpn", "no network 10.2.0.0/24 rd 65000:2 label 102")
    pe.wait_gone("65000:2", "10.2.0.0/24")  # FRR's withdraw label is 0x000000 (3.1)
    check(pe.route("65000:1", "10.1.0.0/24"), "only that route went away")
    frr.process.stop()
    pe.wait_gone("65000:1", "10.1.0.0/24").wait_gone("65000:1", "2001:db8:1::/48")


@test("RFC 4364 §4.3.1, 8950; wire 2.2, 2.4, field notes 3.1, 3.6: BIRD announces, receives and withdraws")
def bird(t):
    lab(t)
    pe = scripted(t)
    routes = [("10.1.0.0/24", "65000:1", 201, "65000:1"), ("10.2.0.0/24", "65000:2", 202, "65000:2"), ("2001:db8:1::/48", "65000:1", 203, "65000:1")]
    bird = Bird(t, BIRD, RR, routes=routes)
    wait_until(bird.established, "BIRD established")
    first = pe.wait_route("65000:1", "10.1.0.0/24", 201, deadline=20)
    check(first.rts == {"65000:1"} and first.next_hop_address == Bird.GATEWAY4, "BIRD's route arrived changed", first)
    pe.wait_route("65000:2", "10.2.0.0/24", 202)
    pe.wait_route("65000:1", "2001:db8:1::/48", 203)

    pe.announce("65000:9", ["10.50.%d.0/24" % i for i in range(40)], ["65000:9", "65000:10"], label=900, next_hop=SCRIPTED, large=[(65000, 1, 2)])
    pe.announce("65000:9", "2001:db8:50::/48", ["65000:9"], label=901, next_hop="2001:db8:9::4")
    wait_until(lambda: len([k for k in bird.routes() if k[0] == "65000:9"]) == 40, lambda: "BIRD has %s" % sorted(bird.routes()))
    wait_until(lambda: ("65000:9", "2001:db8:50::/48") in bird.routes(6), lambda: "BIRD has %s" % sorted(bird.routes(6)))
    text = bird.routes()[("65000:9", "10.50.7.0/24")]
    for part in ("(rt, 65000, 9) (rt, 65000, 10)", "BGP.next_hop: " + SCRIPTED, "(65000, 1, 2)", "BGP.originator_id: " + SCRIPTED, "BGP.cluster_list: 10.255.0.1",
                 "BGP.mpls_label_stack: 900"):
        check(part in text, "BIRD's view lacks '%s'" % part, text)

    pe.withdraw("65000:9", "10.50.7.0/24")
    wait_until(lambda: ("65000:9", "10.50.7.0/24") not in bird.routes(), "withdrawal applied by BIRD")
    bird.reconfigure([routes[0], routes[2]])
    pe.wait_gone("65000:2", "10.2.0.0/24")  # BIRD's withdraw label is 0x000001 (3.1)
    bird.reconfigure([("10.1.0.0/24", "65000:1", 299, "65000:5"), routes[2]])
    moved = pe.wait_route("65000:1", "10.1.0.0/24", 299)
    check(moved.rts == {"65000:5"}, "new label and RT together", moved)
    bird.process.stop()
    pe.wait_gone("65000:1", "10.1.0.0/24")


@test("RFC 4364 §4.3.1; field note 3.3: OpenBGPD passes on what it is fed; it never applies a VPN withdrawal, replacement works")
def openbgpd(t):
    lab(t)
    pe = scripted(t)
    daemon = OpenBgpd(t, OPENBGPD, RR, feeder=FEEDER)
    feeder = t.peer(FEEDER, target=OPENBGPD, port=1791, asn=65200, families=(bgp.VPNV4, bgp.VPNV6), router_id="10.200.0.1")
    wait_until(lambda: daemon.established(RR), "OpenBGPD established")
    feeder.announce("65200:1", ["10.1.%d.0/24" % i for i in range(20)], ["65200:1"], label=301, next_hop=FEEDER)
    feeder.announce("65200:1", "2001:db8:1::/48", ["65200:1"], label=303, next_hop="2001:db8:9::2")
    first = pe.wait_route("65200:1", "10.1.7.0/24", 301, deadline=15)
    check(first.rts == {"65200:1"} and first.as_path() == [(2, [65200])], "OpenBGPD's route arrived changed", first, first.as_path())
    pe.wait_route("65200:1", "2001:db8:1::/48", 303)

    pe.announce("65000:9", ["10.50.%d.0/24" % i for i in range(40)], ["65000:9"], label=900, next_hop=SCRIPTED)
    wait_until(lambda: len([k for k in daemon.routes() if "10.50." in k]) == 40, lambda: "OpenBGPD has %s" % sorted(daemon.routes()))
    entry = next(v for k, v in daemon.routes().items() if "10.50.7.0/24" in k)
    check(entry["true_nexthop"] == SCRIPTED or entry["exit_nexthop"] == SCRIPTED, "next hop at OpenBGPD", entry)
    pe.announce("65000:9", "10.50.7.0/24", ["65000:9"], label=900, next_hop=SCRIPTED, local_pref=77)
    wait_until(lambda: any("10.50.7.0/24" in k and v["localpref"] == 77 for k, v in daemon.routes().items()), "replacement applied by OpenBGPD")
    check(daemon.established(RR), "the session held")
    feeder.announce("65200:1", "10.1.7.0/24", ["65200:2"], label=301, next_hop=FEEDER)
    pe.wait_route("65200:1", "10.1.7.0/24", 301, lambda r: r.rts == {"65200:2"})
    daemon.process.stop()
    pe.wait_gone("65200:1", "10.1.7.0/24").wait_gone("65200:1", "2001:db8:1::/48")


@test("RFC 4684 §6, DESIGN §3 advertise: FRR, BIRD, OpenBGPD and a GoBGP PE with RTC together; wire 2.9, 2.16, pitfall 1.9")
def mixed(t):
    lab(t)
    daemon = OpenBgpd(t, OPENBGPD, RR, feeder=FEEDER)
    frr = Frr(t, FRR, RR, routes=[("10.1.0.0/24", "65000:1", 101, "65000:100"), ("10.1.1.0/24", "65000:1", 101, "65000:200")])
    bird = Bird(t, BIRD, RR, routes=[("10.2.0.0/24", "65000:2", 201, "65000:100"), ("10.2.1.0/24", "65000:2", 201, "65000:200")])
    gobgp = Gobgp(t, "gobgp", GOBGP, RR)
    gobgp.add_vrf("red", "65000:4", "65000:100")
    gobgp.add_vrf("lonely", "65000:5", "65000:999")
    gobgp.add_route("red", "10.4.0.0/24")
    gobgp.add_route("lonely", "10.5.0.0/24")
    # The PE with RTC gets RT 100 of all and RT 200 of none.
    wanted = {("65000:1", "10.1.0.0/24"), ("65000:2", "10.2.0.0/24"), ("65000:4", "10.4.0.0/24")}
    wait_until(lambda: gobgp.vrf_routes("red") == wanted, lambda: "GoBGP has %s" % sorted(gobgp.vrf_routes("red")))
    check(not [k for k in gobgp.global_routes() if ":10.1.1." in k or ":10.2.1." in k], "GoBGP holds routes of RT 200", sorted(gobgp.global_routes()))
    # The others get everything, also the route of an RT that no RTC PE imports: the default membership draws it out (3.2).
    everything = {("65000:1", "10.1.0.0/24"), ("65000:1", "10.1.1.0/24"), ("65000:2", "10.2.0.0/24"), ("65000:2", "10.2.1.0/24"),
                  ("65000:4", "10.4.0.0/24"), ("65000:5", "10.5.0.0/24")}
    wait_until(lambda: set(frr.routes()) == everything, lambda: "FRR has %s" % sorted(frr.routes()))
    others = {k for k in everything if k[0] != "65000:2"}
    wait_until(lambda: set(bird.routes()) == others, lambda: "BIRD has %s" % sorted(bird.routes()))
    wait_until(lambda: len(daemon.routes()) == 6, lambda: "OpenBGPD has %s" % sorted(daemon.routes()))
    # FRR loses a route: everyone that applies withdrawals drops it.
    frr.configure("address-family ipv4 vpn", "no network 10.1.0.0/24 rd 65000:1 label 101")
    gone = ("65000:1", "10.1.0.0/24")
    wait_until(lambda: gone not in gobgp.vrf_routes("red") and gone not in bird.routes(), "withdrawal at GoBGP and BIRD")
