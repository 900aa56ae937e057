"""ADD-PATH (RFC 7911) on VPNv4 and best external: scripted peers that send and take path ids, and BIRD, which does both."""
import bgp
from daemons import Bird
from harness import ALL_FAMILIES, check, group_toml, quiet, range_toml, test, wait_until

RD, PREFIX = "65000:1", "10.1.0.0/24"
VPN = (bgp.VPNV4, bgp.VPNV6)


def reflector(t, paths='{ receive = true, send-max = "all" }', **options):
    groups = (group_toml("paths", families=ALL_FAMILIES, extra="add-paths = %s" % paths) + group_toml("clients", families=ALL_FAMILIES) +
              group_toml("mesh", "non-client", families=ALL_FAMILIES, extra="best-external = true") + range_toml("127.1.0.0/16", "paths") +
              range_toml("127.2.0.0/16", "clients") + range_toml("127.3.0.0/16", "mesh"))
    return t.reflector(groups=groups, watch=False, **options)  # tshark 4.0 knows no path ids in VPN NLRIs


def start(t, address, **options):
    options.setdefault("families", VPN)
    peer = t.peer(address, **options)
    return peer.wait_eor(*options["families"])


@test("RFC 7911 §3, §4, §5; wire 2.10, 2.11: several paths side by side, stable ids, withdrawal by id")
def send_all(t):
    rr = reflector(t)
    one, two = start(t, "127.2.0.1"), start(t, "127.2.0.2")
    all_paths = start(t, "127.1.0.1", paths_in=VPN)
    plain = start(t, "127.1.0.2")
    check(all_paths.open.values(69) == [bytes([0, 1, 128, 3, 0, 2, 128, 3])], "ADD-PATH capability", all_paths.open.values(69))
    one.announce(RD, PREFIX, [RD], label=101)
    two.announce(RD, PREFIX, [RD], label=102, local_pref=90)
    one.announce(RD, "2001:db8:1::/48", [RD], label=103)
    ids = {r.labels[0]: i for i, r in all_paths.wait_paths(RD, PREFIX, [101, 102]).items()}
    all_paths.wait_paths(RD, "2001:db8:1::/48", [103])
    plain.wait_route(RD, PREFIX, 101)

    mark = all_paths.mark()
    two.announce(RD, PREFIX, [RD], label=102, local_pref=200)  # the best one now
    plain.wait_route(RD, PREFIX, 102)
    quiet(all_paths, plain)
    events = all_paths.events_since(mark)
    check([e.kind for e in events] == ["announce"] and events[0].key[4] == ids[102], "only the path that changed is said again, with its id", events)
    mark = all_paths.mark()
    two.withdraw(RD, PREFIX)
    plain.wait_route(RD, PREFIX, 101)
    quiet(all_paths, plain)
    events = all_paths.events_since(mark)
    check([(e.kind, e.key[4]) for e in events] == [("withdraw", ids[102])], "withdrawn by its id, nothing else", events)

    state = rr.show("peer", "127.1.0.1")
    family = [f for f in state["families"] if f["family"] == "vpnv4"][0]
    check(family["add_path_receive"] is False and family["add_path_send"] == "all", "negotiated ADD-PATH in helioctl", family)
    path = rr.show("routes", "--rd", RD)["routes"][0]["paths"][0]
    check(path["sent_path_id"] == ids[101], "path id in helioctl", path, ids)
    sent = rr.show("routes", "--to", "127.1.0.1")["routes"]
    check(len(sent) == 1 and len(sent[0]["paths"]) == 1, "routes --to a peer with ADD-PATH", sent)


@test("RFC 7911 §3; wire 2.4: paths of one peer by the ids it gives, withdrawn one by one; 0x000000 and an unknown id change nothing")
def receive(t):
    rr = reflector(t, shards=3)
    sender = start(t, "127.1.0.1", paths_out=(bgp.VPNV4,))
    all_paths, plain = start(t, "127.1.0.2", paths_in=VPN), start(t, "127.2.0.1")
    sender.announce(RD, PREFIX, [RD], label=101, path_id=0x01020304)
    sender.announce(RD, PREFIX, [RD], label=102, path_id=7, local_pref=200)
    sender.announce(RD, PREFIX, [RD], label=103, path_id=0)
    all_paths.wait_paths(RD, PREFIX, [101, 102, 103])
    plain.wait_route(RD, PREFIX, 102)
    sender.withdraw(RD, PREFIX, path_id=7)
    sender.withdraw(RD, PREFIX, path_id=8)
    all_paths.wait_paths(RD, PREFIX, [101, 103])
    sender.announce(RD, PREFIX, [RD], label=104, path_id=0x01020304)  # implicit withdrawal of that id alone
    all_paths.wait_paths(RD, PREFIX, [103, 104])
    received = {p["path_id"] for p in rr.show("routes", "--rd", RD)["routes"][0]["paths"]}
    check(received == {0, 0x01020304}, "received ids in helioctl", received)
    sender.close()
    all_paths.wait_paths(RD, PREFIX, [])
    plain.wait_gone(RD, PREFIX)


@test("RFC 7911 §4: without the capability of both sides nothing changes; send-max counts the best ones")
def negotiation(t):
    reflector(t, paths="{ send-max = 2 }")
    sender = start(t, "127.1.0.1", paths_out=(bgp.VPNV4,))  # we do not receive: the ids are not agreed on
    sender.paths_out = ()
    check(sender.open.values(69) == [bytes([0, 1, 128, 2, 0, 2, 128, 2])], "send only", sender.open.values(69))
    two_best, plain = start(t, "127.1.0.2", paths_in=(bgp.VPNV4,)), start(t, "127.2.0.9", paths_in=())
    others = [start(t, "127.2.0.%d" % (n + 1)) for n in range(3)]
    sender.announce(RD, PREFIX, [RD], label=100, local_pref=50)
    for n, peer in enumerate(others):
        peer.announce(RD, PREFIX, [RD], label=101 + n, local_pref=100 + n)
    two_best.wait_paths(RD, PREFIX, [102, 103])
    plain.wait_route(RD, PREFIX, 103)
    others[2].withdraw(RD, PREFIX)
    two_best.wait_paths(RD, PREFIX, [101, 102])
    others[0].withdraw(RD, PREFIX)
    others[1].withdraw(RD, PREFIX)
    two_best.wait_paths(RD, PREFIX, [100])


@test("RFC 4684 §6, pitfall 1.18: the membership filters each path by its own route targets")
def rt_constrain(t):
    reflector(t, shards=1, rtc='advertise = "specific"')
    one, two = start(t, "127.2.0.1"), start(t, "127.2.0.2")
    one.announce(RD, PREFIX, ["65000:1"], label=101)
    two.announce(RD, PREFIX, ["65000:2"], label=102, local_pref=200)
    pe = t.peer("127.1.0.1", "65000:1", families=VPN + (bgp.RTC,), paths_in=VPN)
    pe.wait_paths(RD, PREFIX, [101])
    pe.rtc("65000:2")
    pe.wait_paths(RD, PREFIX, [101, 102])
    one.announce(RD, PREFIX, ["65000:3"], label=101)
    pe.wait_paths(RD, PREFIX, [102])
    pe.rtc_withdraw("65000:2")
    pe.wait_paths(RD, PREFIX, [])


@test("wire 2.10: best external: a non-client is sent the best of the clients' paths when another non-client has the best of all")
def best_external(t):
    reflector(t)
    client, mesh, other = start(t, "127.2.0.1"), start(t, "127.3.0.1"), start(t, "127.3.0.2")
    client.announce(RD, PREFIX, [RD], label=101, local_pref=50)
    mesh.wait_route(RD, PREFIX, 101)
    other.announce(RD, PREFIX, [RD], label=102, local_pref=200)
    client.wait_route(RD, PREFIX, 102)
    quiet(mesh, other)
    check(mesh.route(RD, PREFIX).labels == [101] and other.route(RD, PREFIX).labels == [101], "the client's path stays", mesh.route(RD, PREFIX))


@test("RFC 7911: BIRD takes several paths of a VPNv4 prefix, and sends several")
def bird(t):
    rr, address, scripted = "10.9.0.100", "10.9.0.2", ("10.9.0.4", "10.9.0.5")
    t.addresses(rr, address, *scripted)
    reflector_groups = group_toml("paths", families=ALL_FAMILIES, extra='add-paths = { receive = true, send-max = "all" }') + range_toml("10.9.0.0/16", "paths")
    t.reflector(listen=((rr, 1790),), groups=reflector_groups, watch=False)
    one, two = (t.peer(a, target=rr, families=VPN, paths_in=VPN) for a in scripted)
    second = ("protocol static second {\n  vpn4 { preference 150; };\n  route 65000:1 10.1.0.0/24 via %s mpls 202 { bgp_ext_community.add((rt, 65000, 1)); };\n}\n" % Bird.GATEWAY4)
    bird = Bird(t, address, rr, routes=[("10.1.0.0/24", "65000:1", 201, "65000:1")], channel="add paths on;", extra=second)
    wait_until(bird.established, "BIRD established")
    one.announce("65000:9", "10.50.0.0/24", ["65000:9"], label=901, next_hop=scripted[0])
    two.announce("65000:9", "10.50.0.0/24", ["65000:9"], label=902, next_hop=scripted[1])
    wait_until(lambda: bird.routes().get(("65000:9", "10.50.0.0/24"), "").count("BGP.mpls_label_stack") == 2, lambda: "BIRD has %s" % bird.routes())
    one.wait_paths("65000:1", "10.1.0.0/24", [201, 202], deadline=20)
    one.withdraw("65000:9", "10.50.0.0/24")
    wait_until(lambda: "902" in bird.routes()[("65000:9", "10.50.0.0/24")] and "901" not in bird.routes()[("65000:9", "10.50.0.0/24")], "withdrawal by id at BIRD")
    bird.extra = ""
    bird.reconfigure([("10.1.0.0/24", "65000:1", 201, "65000:1")])
    one.wait_paths("65000:1", "10.1.0.0/24", [201])
