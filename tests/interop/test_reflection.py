"""Reflection between client, non-client and eBGP peers under the foreign configuration (RFC 4456, RFC 4271 §5)."""
import bgp
from harness import check, group_toml, quiet, range_toml, test

VPN = (bgp.VPNV4,)
VPN_NAMES = ("l3vpn-ipv4-unicast",)
RR = "10.255.0.1"


def six(t, **options):
    """c1 c2 clients, n1 n2 non-clients, e1 e2 eBGP; none with RTC, so each wants everything."""
    t.reflector(**options)
    names = {"c1": "127.1.0.1", "c2": "127.1.0.2", "n1": "127.2.0.1", "n2": "127.2.0.2", "e1": "127.3.0.1", "e2": "127.3.0.2"}
    return {n: t.peer(a, families=VPN, asn=65100 if n[0] == "e" else 65000) for n, a in names.items()}


def matrix(t, shards):
    peers = six(t, shards=shards)
    numbers = {name: i for i, name in enumerate(peers)}
    for name, peer in peers.items():
        path = [65100, 65300] if name[0] == "e" else [65300]
        peer.announce("65000:%d" % numbers[name], "10.0.0.0/24", ["65000:1"], label=100 + numbers[name], med=50, path=path)
    for source in peers:
        route_of = {n: (lambda p=peers[n]: p.route("65000:%d" % numbers[source], "10.0.0.0/24")) for n in peers}
        for name, peer in peers.items():
            if name == source or (name[0] == "n" and source[0] == "n") or (name[0] == "e" and source[0] == "e"):
                continue
            route = peer.wait_route("65000:%d" % numbers[source], "10.0.0.0/24", 100 + numbers[source])
            where = "%s's route at %s" % (source, name)
            check(route.next_hop_address == "10.1." + peers[source].address.split(".", 2)[2], where + ": next hop unchanged", route)
            check(route.rts == {"65000:1"}, where + ": route target kept", route)
            if name[0] == "e":
                check(route.as_path() == [(2, [65000, 65300])], where + ": own AS prepended", route.as_path())
                check(route.number(bgp.MED) is None, where + ": MED of a neighbouring AS is not passed to another AS (RFC 4271 §5.1.4)")
                continue
            check(route.number(bgp.MED) == 50, where + ": MED kept")
            check(route.number(bgp.LOCAL_PREF) == 100, where + ": LOCAL_PREF", route.attributes)
            if source[0] == "e":
                check(route.as_path() == [(2, [65100, 65300])], where + ": AS_PATH kept inside the AS", route.as_path())
                check(route.originator is None and not route.cluster_list, where + ": eBGP route is not reflected but advertised (RFC 4456 §8)",
                      route.originator, route.cluster_list)
            else:
                check(route.as_path() == [(2, [65300])], where + ": AS_PATH kept", route.as_path())
                check(route.originator == peers[source].address and route.cluster_list == [RR], where + ": ORIGINATOR_ID, CLUSTER_LIST",
                      route.originator, route.cluster_list)
        quiet(*peers.values())
        check(route_of[source]() is None, "%s got its own route back" % source)
        if source[0] == "n":
            check(route_of["n1"]() is None and route_of["n2"]() is None, "non-client to non-client")
    for name, peer in peers.items():
        check(not peer.events_since(0, "withdraw"), "%s was sent withdrawals" % name, peer.events_since(0, "withdraw"))
        announced = [e.key for e in peer.events_since(0, "announce")]
        check(len(announced) == len(set(announced)), "%s was sent a route twice" % name, announced)
    peers["c1"].withdraw("65000:0", "10.0.0.0/24")
    for name in ("c2", "n1", "n2", "e1", "e2"):
        peers[name].wait_gone("65000:0", "10.0.0.0/24")


@test("RFC 4456 §6, §8, RFC 4271 §5.1.2-5.1.5; wire 2.1, 2.3, 2.8: who gets whose route, with which attributes; one shard")
def matrix_one_shard(t):
    matrix(t, 1)


@test("RFC 4456 §6, §8, RFC 4271 §5.1.2-5.1.5; wire 2.1, 2.3, 2.8: the same with three shards")
def matrix_three_shards(t):
    matrix(t, 3)


@test("RFC 4456 §8; wire 2.8: ORIGINATOR_ID never overwritten, CLUSTER_LIST prepended; both loop checks")
def loops(t):
    t.reflector()
    c1, c2, n1 = (t.peer(a, families=VPN) for a in ("127.1.0.1", "127.1.0.2", "127.2.0.1"))
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], originator="10.77.0.1", cluster_list=["10.77.0.2", "10.77.0.3"])
    for p in (c2, n1):
        route = p.wait_route("65000:1", "10.0.0.0/24")
        check(route.originator == "10.77.0.1" and route.cluster_list == [RR, "10.77.0.2", "10.77.0.3"], "at %s" % p, route.originator, route.cluster_list)
    c1.announce("65000:1", "10.0.1.0/24", ["65000:1"], originator=RR)
    c1.announce("65000:1", "10.0.2.0/24", ["65000:1"], originator="10.77.0.1", cluster_list=["10.77.0.2", RR])
    # A path that loops replaces what the peer said before: nothing is left of it.
    c1.announce("65000:1", ["10.0.3.0/24", "10.0.4.0/24"], ["65000:1"])
    c2.wait_route("65000:1", "10.0.3.0/24")
    c2.wait_route("65000:1", "10.0.4.0/24")
    c1.announce("65000:1", "10.0.3.0/24", ["65000:1"], originator=RR)
    c1.announce("65000:1", "10.0.4.0/24", ["65000:1"], cluster_list=[RR])
    for p in (c2, n1):
        p.wait_gone("65000:1", "10.0.3.0/24").wait_gone("65000:1", "10.0.4.0/24")
    quiet(c2, n1)
    check(not c2.route("65000:1", "10.0.1.0/24") and not c2.route("65000:1", "10.0.2.0/24"), "looped routes were reflected")
    c1.announce("65000:1", "10.0.4.0/24", ["65000:1"], label=77)
    c2.wait_route("65000:1", "10.0.4.0/24", 77)


@test("RFC 4271 §9.1.2; wire 2.19: AS loop check on eBGP, not on reflected iBGP routes")
def as_loop(t):
    t.reflector()
    c1, c2 = (t.peer(a, families=VPN) for a in ("127.1.0.1", "127.1.0.2"))
    e1 = t.peer("127.3.0.1", families=VPN, asn=65100)
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], path=[65001, 65000])
    c2.wait_route("65000:1", "10.0.0.0/24")
    e1.announce("65000:1", "10.0.1.0/24", ["65000:1"], path=[65100, 65000, 65001])
    e1.announce("65000:1", "10.0.2.0/24", ["65000:1"], path=[65100, 65001])
    c2.wait_route("65000:1", "10.0.2.0/24")
    quiet(c2)
    check(c2.route("65000:1", "10.0.1.0/24") is None, "a route with our AS in its AS_PATH was taken from eBGP")


@test("RFC 4271 §5.1.5, RFC 7606 §7.5, 7.9, 7.10: LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST from eBGP are discarded")
def ebgp_attributes(t):
    t.reflector()
    c1, c2 = (t.peer(a, families=VPN) for a in ("127.1.0.1", "127.1.0.2"))
    e1 = t.peer("127.3.0.1", families=VPN, asn=65100)
    e1.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=500, local_pref=900, originator=RR, cluster_list=[RR])
    route = c2.wait_route("65000:1", "10.0.0.0/24", 500)
    check(route.number(bgp.LOCAL_PREF) == 100 and route.originator is None and not route.cluster_list, "discarded", route.attributes)
    c1.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=501, local_pref=101)
    c2.wait_route("65000:1", "10.0.0.0/24", 501)
    e1.wait_route("65000:1", "10.0.0.0/24", 501)


@test("RFC 4456 §6, RFC 4271 §9.2; DESIGN §2 Distribution: the best path moves between sources")
def best_moves(t):
    t.reflector()
    c1, c2, c3, n1, n2 = (t.peer(a, families=VPN) for a in ("127.1.0.1", "127.1.0.2", "127.1.0.3", "127.2.0.1", "127.2.0.2"))
    x = ("65000:1", "10.0.0.0/24")
    c1.announce(*x, ["65000:1"], label=101)
    for p in (c2, c3, n1, n2):
        p.wait_route(*x, 101)
    c2.announce(*x, ["65000:1"], label=102, local_pref=200)
    for p in (c1, c3, n1, n2):
        p.wait_route(*x, 102)
    c2.wait_gone(*x)             # it had c1's path; the best is now its own
    c2.withdraw(*x)
    for p in (c2, c3, n1, n2):
        p.wait_route(*x, 101)
    c1.wait_gone(*x)
    n1.announce(*x, ["65000:1"], label=103, local_pref=300)
    for p in (c1, c2, c3):
        p.wait_route(*x, 103)
    n1.wait_gone(*x)
    n2.wait_gone(*x)             # best is from a non-client now: not for a non-client
    n1.close()
    for p in (c2, c3, n2):
        p.wait_route(*x, 101)
    c1.wait_gone(*x)
    c1.close()
    for p in (c2, c3, n2):
        p.wait_gone(*x)


@test("RFC 4364 §4.1; wire 2.5, 2.10; DESIGN §4.4: RDs keep prefixes apart; two PEs with one RD keep their labels")
def isolation(t):
    t.reflector()
    c1, c2, c3 = (t.peer(a, families=(bgp.VPNV4, bgp.VPNV6)) for a in ("127.1.0.1", "127.1.0.2", "127.1.0.3"))
    rds = ["65000:1", "65000:2", "10.0.0.1:1", "4200000000:1", "65000L:1", "0:0", "65535:4294967295"]
    for i, rd in enumerate(rds):
        c1.announce(rd, "10.0.0.0/24", ["65000:1"], label=100 + i)
        c1.announce(rd, "2001:db8::/32", ["65000:1"], label=200 + i)
    for i, rd in enumerate(rds):
        c3.wait_route(rd, "10.0.0.0/24", 100 + i)
        c3.wait_route(rd, "2001:db8::/32", 200 + i)
    c1.withdraw("65000:1", "10.0.0.0/24")
    c3.wait_gone("65000:1", "10.0.0.0/24")
    quiet(c3)
    check(len(c3.vpn_routes()) == 2 * len(rds) - 1, "a withdrawal under one RD touched another", list(c3.vpn_routes()))
    c2.announce("65000:2", "10.0.0.0/24", ["65000:1"], label=999, local_pref=90)
    quiet(c3)
    check(c3.route("65000:2", "10.0.0.0/24").labels == [101], "the worse path changed the better one's label")
    c1.withdraw("65000:2", "10.0.0.0/24")
    c3.wait_route("65000:2", "10.0.0.0/24", 999)
    for length in (0, 1, 7, 8, 9, 15, 17, 25, 31, 32):
        c1.announce("65000:7", "0.0.0.0/%d" % length, ["65000:1"], label=1000 + length)
    for length in (0, 1, 63, 64, 65, 127, 128):
        c1.announce("65000:7", "::/%d" % length, ["65000:1"], label=2000 + length)
    for length in (0, 1, 7, 8, 9, 15, 17, 25, 31, 32):
        c3.wait_route("65000:7", "0.0.0.0/%d" % length, 1000 + length)
    for length in (0, 1, 63, 64, 65, 127, 128):
        c3.wait_route("65000:7", "::/%d" % length, 2000 + length)


@test("RFC 4456 §7, §10, RFC 4271 §6.8; wire 2.8, 2.21, pitfalls 1.5, 1.6: two reflectors that mesh, connect both ways and stay quiet")
def redundant_pair(t):
    from harness import VPN4, RTC_NAME, group_toml, range_toml, reflector_toml
    mesh = ('[[neighbors]]\naddress = "127.0.1.%d"\npeer-group = "mesh"\nremote-port = 1790\nlocal-address = "127.0.1.%d"\n')
    families = (VPN4, RTC_NAME)
    t.watch((1790,), ("127.0.1.1", "127.0.1.2"))
    for own, other, clients in ((1, 2, "127.1.0.0/16"), (2, 1, "127.4.0.0/16")):
        groups = (group_toml("clients", families=families) + group_toml("mesh", "non-client", families=families) +
                  range_toml(clients, "clients") + mesh % (other, own))
        t.reflector(config=reflector_toml(listen=(("127.0.1.%d" % own, 1790),), router_id="10.255.0.%d" % own, cluster_id="10.255.0.%d" % own,
                                          groups=groups, families=families), folder="heliod%d" % own)
    near = t.peer("127.1.0.1", "65000:1", target="127.0.1.1")
    far = t.peer("127.4.0.1", "65000:1", "65000:2", target="127.0.1.2")
    near.announce("65000:1", ["10.0.%d.0/24" % i for i in range(50)], ["65000:1"], label=11)
    near.announce("65000:2", "10.0.0.0/24", ["65000:3"], label=12)
    far.announce("65000:3", "10.9.0.0/24", ["65000:1"], label=13)
    far.announce("65000:4", "10.9.0.0/24", ["65000:2"], label=14)
    for i in range(50):
        route = far.wait_route("65000:1", "10.0.%d.0/24" % i, 11, deadline=15)
    check(route.originator == "127.1.0.1" and route.cluster_list == ["10.255.0.2", "10.255.0.1"], "over two reflectors", route.originator, route.cluster_list)
    near.wait_route("65000:3", "10.9.0.0/24", 13)
    quiet(near, far, seconds=1.0)
    check(len(near.vpn_routes()) == 1 and len(far.vpn_routes()) == 50, "each has what it asked for", len(near.vpn_routes()), len(far.vpn_routes()))
    far.rtc_withdraw("65000:1")
    far.wait(lambda: len(far.vpn_routes()) == 0, "withdrawal after the membership went")
    near.close()
    quiet(far, seconds=0.5)
    t.capture.stop()
    between = t.capture.tshark("ip.src==127.0.1.0/24 and ip.dst==127.0.1.0/24 and bgp.type==2", "frame.time_relative")
    check(len(between) < 60, "the two reflectors sent each other %d frames of UPDATEs" % len(between))


@test("RFC 4456 §6, §8: several clusters on one reflector: the cluster's id is prepended, every id of ours is a loop; meshed clients")
def clusters(t):
    groups = (group_toml("east", families=VPN_NAMES, extra='cluster-id = "10.255.1.1"\nclient-to-client = false') +
              group_toml("west", families=VPN_NAMES, extra='cluster-id = "10.255.1.2"') + group_toml("mesh", "non-client", families=VPN_NAMES) +
              range_toml("127.1.0.0/16", "east") + range_toml("127.2.0.0/16", "west") + range_toml("127.3.0.0/16", "mesh"))
    t.reflector(groups=groups, families=VPN_NAMES)
    east, east2, west, west2, mesh = (t.peer(a, families=(bgp.VPNV4,)) for a in ("127.1.0.1", "127.1.0.2", "127.2.0.1", "127.2.0.2", "127.3.0.1"))
    east.announce("65000:1", "10.1.0.0/24", ["65000:1"], label=101)
    west.announce("65000:1", "10.2.0.0/24", ["65000:1"], label=102)
    mesh.announce("65000:1", "10.3.0.0/24", ["65000:1"], label=103)
    for peer in (west, west2, mesh):
        route = peer.wait_route("65000:1", "10.1.0.0/24", 101)
        check(route.cluster_list == ["10.255.1.1"], "the id of the source's cluster", route.cluster_list)
    for peer in (east, east2, west2, mesh):
        route = peer.wait_route("65000:1", "10.2.0.0/24", 102)
        check(route.cluster_list == ["10.255.1.2"], "the id of the source's cluster", route.cluster_list)
    check(east.wait_route("65000:1", "10.3.0.0/24", 103).cluster_list == ["10.255.0.1"], "the global id for a non-client's route")
    for n, looped in enumerate(("10.255.0.1", "10.255.1.1", "10.255.1.2", "10.255.1.3")):
        mesh.announce("65000:2", "10.4.%d.0/24" % n, ["65000:1"], originator="10.77.0.1", cluster_list=["10.78.0.1", looped])
    east.wait_route("65000:2", "10.4.3.0/24")
    quiet(east, east2, west, west2, mesh)
    check([east.route("65000:2", "10.4.%d.0/24" % n) is None for n in range(4)] == [True, True, True, False], "loops by each id of ours")
    check(east2.route("65000:1", "10.1.0.0/24") is None, "clients of a meshed cluster have each other's routes already")
    east.withdraw("65000:1", "10.1.0.0/24")
    for peer in (west, west2, mesh):
        peer.wait_gone("65000:1", "10.1.0.0/24")
    check(not [e for e in east2.history if e.kind == "withdraw"], "nothing to withdraw where nothing was sent")


@test("RFC 4456 §7: a hierarchy: a reflector that is the client of another one")
def hierarchy(t):
    top, low = "127.0.0.1", "127.9.0.1"
    t.watch((1790,), (top, low))
    t.reflector(listen=((top, 1790),), folder="top", groups=group_toml("low", families=VPN_NAMES) + range_toml("127.0.0.0/8", "low"), families=VPN_NAMES)
    t.reflector(listen=((low, 1790),), folder="low", router_id="10.255.0.2", cluster_id="10.255.0.2", families=VPN_NAMES,
                groups=group_toml("pe", families=VPN_NAMES) + range_toml("127.1.0.0/16", "pe") +
                group_toml("up", "non-client", families=VPN_NAMES, extra='local-address = "%s"' % low),
                tail='[[neighbors]]\naddress = "%s"\npeer-group = "up"\nremote-port = 1790\n' % top)
    pe, far = t.peer("127.1.0.1", target=low, families=(bgp.VPNV4,)), t.peer("127.2.0.1", target=top, families=(bgp.VPNV4,))
    pe.announce("65000:1", "10.1.0.0/24", ["65000:1"], label=101)
    far.announce("65000:1", "10.2.0.0/24", ["65000:1"], label=102)
    up = far.wait_route("65000:1", "10.1.0.0/24", 101, deadline=20)
    check(up.cluster_list == ["10.255.0.1", "10.255.0.2"] and up.originator == "127.1.0.1", "through both", up.cluster_list, up.originator)
    down = pe.wait_route("65000:1", "10.2.0.0/24", 102)
    check(down.cluster_list == ["10.255.0.2", "10.255.0.1"] and down.originator == "127.2.0.1", "through both", down.cluster_list, down.originator)
    pe.close()
    far.wait_gone("65000:1", "10.1.0.0/24")
