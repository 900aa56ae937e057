"""All that GoBGP, FRR and BIRD can say about VPN and EVPN routes comes through the reflector unchanged.

With `run.py --record` these are the richest recordings of real daemons for tests/fuzz/capture.py; for that, GoBGP and FRR also
speak BMP to a socket that only reads, and write MRT files.
"""
import shlex
import socket
import threading

import bgp
from daemons import Bird, Frr, Gobgp, command
from harness import ALL_FAMILIES, EVPN_NAME, check, group_toml, range_toml, test, wait_until

RR, OBSERVER = "10.9.0.100", "10.9.0.4"
FAMILIES = ALL_FAMILIES + (EVPN_NAME,)
BMP_PORT = 11019


class Sink:
    """A listening socket that reads what connects to it, to the end."""

    def __init__(self, address):
        self.octets = 0
        self.listener = socket.create_server((address, BMP_PORT))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self.listener.accept()
        while got := connection.recv(65536):
            self.octets += len(got)


def lab(t, *addresses):
    """The reflector, and a peer without RT-Constrain that hears all and announces some of each family."""
    t.addresses(RR, OBSERVER, *addresses)
    t.reflector(listen=((RR, 1790),), families=FAMILIES, groups=group_toml("all", families=FAMILIES) + range_toml("10.9.0.0/16", "all"))
    observer = t.peer(OBSERVER, target=RR, families=(bgp.VPNV4, bgp.VPNV6, bgp.EVPN), join=False)
    observer.announce("65000:9", ["10.50.%d.0/24" % i for i in range(5)], ["65000:9"], label=900, next_hop=OBSERVER, med=7, large=[(65000, 1, 2)])
    observer.announce("65000:9", "2001:db8:50::/48", ["65000:9"], label=901, next_hop="2001:db8:9::2")
    return observer


def holds(observer, rd, prefix, kind, value):
    """The observer has the route with the attribute `kind` of exactly `value` (None: with any)."""
    route = observer.wait_route(rd, prefix, deadline=20)
    check(kind in route.attributes and value in (None, route.value(kind)), "%s %s: attribute %d" % (rd, prefix, kind),
          route.value(kind).hex() if kind in route.attributes else sorted(route.attributes), value and value.hex())


def u32(*numbers):
    return b"".join(n.to_bytes(4, "big") for n in numbers)


def sequence(*numbers):
    return bytes([2, len(numbers)]) + u32(*numbers)


# Of each route: what is said to gobgp behind its prefix, label and RD; the attribute looked at, and its value at the observer.
GOBGP_VPN = [
    ("65000:1", "rt 65000:1 med 4294967295", bgp.MED, b"\xff" * 4),
    ("65000:1", "rt 65000:1 local-pref 300", bgp.LOCAL_PREF, u32(300)),
    ("65000:1", "rt 65000:1 origin egp", bgp.ORIGIN, b"\1"),
    ("65000:1", "rt 65000:1 aspath 10,4200000000,65010", bgp.AS_PATH, sequence(10, 4200000000, 65010)),
    ("65000:1", "rt 65000:1 aspath %s" % ",".join(["65010"] * 100), bgp.AS_PATH, sequence(*[65010] * 100)),
    ("65000:1", "rt 65000:1 community 65000:1,no-export,blackhole", bgp.COMMUNITY, u32(65000 << 16 | 1, 0xffffff01, 0xffff029a)),
    ("65000:1", "rt 65000:1 large-community 65000:1:2,4200000000:4294967295:0", bgp.LARGE, u32(65000, 1, 2, 4200000000, 0xffffffff, 0)),
    ("65000:1", "rt 65000:1 aigp metric 200", bgp.AIGP, b"\1\0\x0b" + bytes(7) + b"\xc8"),
    ("10.0.0.1:7", "rt 10.0.0.1:7", bgp.EXT_COMMUNITY, bgp.rt("10.0.0.1:7")),
    ("100.100:7", "rt 100.100:7", bgp.EXT_COMMUNITY, b"\2\2" + u32(100 << 16 | 100)[:4] + b"\0\7"),
    ("65000:1", "rt 65000:1 65000:2 10.0.0.1:3", bgp.EXT_COMMUNITY, bgp.rt("65000:1") + bgp.rt("65000:2") + bgp.rt("10.0.0.1:3")),
    ("65000:1", "rt 65000:1 aggregator 4200000000:10.0.0.1", bgp.AGGREGATOR, u32(4200000000) + bgp.ip("10.0.0.1")),
    ("65000:1", "rt 65000:1 aspath '10 20 {30,40} 50'", bgp.AS_PATH, sequence(10, 20) + b"\1\2" + u32(30, 40) + sequence(50)),
]
GOBGP_EVPN = [
    "a-d esi 0 etag 100 label 200 rd 65000:1 rt 65000:1",
    "a-d esi LACP aa:bb:cc:dd:ee:ff 100 etag 200 label 300 rd 10.0.0.1:7 rt 65000:1 encap vxlan esi-label 400",
    "a-d esi ROUTERID 1.1.1.1 10 etag 101 label 200 rd 100.100:7 rt 65000:1 encap mpls",
    "macadv 00:00:5e:00:53:01 0.0.0.0 etag 0 label 100 rd 65000:1 rt 65000:1 encap vxlan",
    "macadv 00:00:5e:00:53:02 10.0.0.1 esi AS 65000 100 etag 200 label 300 rd 65000:1 rt 65000:1 encap vxlan",
    "macadv 00:00:5e:00:53:03 2001:db8::1 etag 0 label 100,200 rd 65000:1 rt 65000:1 encap vxlan router-mac 00:00:5e:00:53:99",
    "multicast 10.0.0.1 etag 100 rd 65000:1 rt 65000:1 encap vxlan pmsi ingress-repl 100 1.1.1.1",
    "multicast 2001:db8::1 etag 100 rd 65000:1 rt 65000:1 encap gre",
    "esi 10.0.0.1 esi MSTP aa:bb:cc:dd:ee:ff 10 rd 65000:1 rt 65000:1 encap mpls",
    "esi 2001:db8::1 esi MAC aa:bb:cc:dd:ee:ff 10 rd 65000:1 rt 65000:1",
    "prefix 10.9.0.0/24 gw 10.0.0.9 etag 7 label 100 rd 65000:1 rt 65000:1 encap vxlan router-mac 00:00:5e:00:53:99",
    "prefix 2001:db8:9::/48 esi ARBITRARY 11:22:33:44:55:66:77:88:99 etag 7 label 100 rd 65000:1 rt 65000:1",
    "prefix 0.0.0.0/0 etag 0 label 100 rd 65000:1 rt 65000:1",
]


@test("RFC 4271 §5, 4360, 6514, 7311, 7432, 8092, 9136: every attribute and EVPN route that GoBGP can say comes through, and is withdrawn")
def gobgp(t):
    address = "10.9.0.6"
    observer = lab(t, address)
    sink = Sink(address)
    extra = ('[[bmp-servers]]\n[bmp-servers.config]\naddress = "%s"\nport = %d\nroute-monitoring-policy = "all"\nstatistics-timeout = 15\n' % (address, BMP_PORT) +
             '[[mrt-dump]]\n[mrt-dump.config]\ndump-type = "updates"\nfile-name = "updates.mrt"\n'
             '[[mrt-dump]]\n[mrt-dump.config]\ndump-type = "table"\nfile-name = "table.mrt"\ndump-interval = 60\n')
    pe = Gobgp(t, "gobgp", address, RR, families=("l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "l2vpn-evpn"), extra=extra)
    wait_until(pe.established, "GoBGP established")
    add = lambda *words: command(pe.ctl("global", "rib", "add", "-a", *words))
    for i, (rd, words, _, _) in enumerate(GOBGP_VPN):
        add("vpnv4", "10.1.%d.0/24" % i, "label", str(100 + i), "rd", rd, *shlex.split(words), "nexthop", "10.9.0.6")
    for prefix in ("10.2.0.1/32", "10.3.0.0/16", "0.0.0.0/0"):
        add("vpnv4", prefix, "label", "200", "rd", "65000:2", "rt", "65000:1", "nexthop", "10.9.0.6")
    for prefix in ("2001:db8:1::/48", "2001:db8::1/128", "::/0"):
        add("vpnv6", prefix, "label", "200", "rd", "65000:2", "rt", "65000:1", "nexthop", "2001:db8:9::6")
    for words in GOBGP_EVPN:
        add("evpn", *words.split())
    for i, (rd, _, kind, value) in enumerate(GOBGP_VPN):
        holds(observer, "6553700:7" if rd == "100.100:7" else rd, "10.1.%d.0/24" % i, kind, value)
    for prefix in ("10.2.0.1/32", "10.3.0.0/16", "0.0.0.0/0", "2001:db8:1::/48", "2001:db8::1/128", "::/0"):
        observer.wait_route("65000:2", prefix, 200)
    wait_until(lambda: len(observer.evpn_routes()) == len(GOBGP_EVPN), lambda: "EVPN routes: %s" % observer.evpn_routes())
    command(pe.ctl("global", "rib", "del", "-a", "vpnv4", "10.2.0.1/32", "label", "200", "rd", "65000:2"))
    observer.wait_gone("65000:2", "10.2.0.1/32")
    command(pe.ctl("global", "rib", "del", "all", "-a", "evpn"))
    wait_until(lambda: not observer.evpn_routes(), lambda: "EVPN routes withdrawn: %s" % observer.evpn_routes())
    command(pe.ctl("neighbor", RR, "softresetin", "-a", "vpnv4"))
    command(pe.ctl("neighbor", RR, "shutdown", "maintenance"))
    observer.wait_gone("65000:2", "10.3.0.0/16")
    wait_until(lambda: sink.octets, "GoBGP's BMP")


# Of each route: what a route-map of FRR sets; the attribute looked at, and its value at the observer.
FRR_SETS = [
    ("metric 4294967295", bgp.MED, b"\xff" * 4),
    ("local-preference 300", bgp.LOCAL_PREF, u32(300)),
    ("origin incomplete", bgp.ORIGIN, b"\2"),
    ("as-path prepend 10 4200000000 65010", bgp.AS_PATH, sequence(10, 4200000000, 65010)),
    ("community 65000:1 no-export blackhole", bgp.COMMUNITY, u32(65000 << 16 | 1, 0xffff029a, 0xffffff01)),
    ("large-community 65000:1:2 4200000000:4294967295:0", bgp.LARGE, u32(65000, 1, 2, 4200000000, 0xffffffff, 0)),
    ("extcommunity soo 65000:77", bgp.EXT_COMMUNITY, None),
    ("extcommunity bandwidth 100", bgp.EXT_COMMUNITY, None),
    ("atomic-aggregate", bgp.ATOMIC, b""),
    ("aggregator as 65010 10.0.0.1", bgp.AGGREGATOR, u32(65010) + bgp.ip("10.0.0.1")),
]


@test("RFC 4271 §5, 2918, 4360, 8092: attributes that FRR's route-maps set come through, changed on live routes; refresh")
def frr(t):
    address = "10.9.0.1"
    observer = lab(t, address)
    sink = Sink(address)
    routes = [("10.1.%d.0/24" % i, "65000:1", 100 + i, "65000:1") for i in range(len(FRR_SETS))]
    routes += [("10.2.0.0/24", "10.0.0.1:7", 201, "10.0.0.1:7"), ("10.2.1.1/32", "4200000000:7", 202, "4200000000:7"), ("0.0.0.0/0", "65000:2", 203, "65000:1"),
               ("2001:db8:1::/48", "65000:1", 204, "65000:1"), ("2001:db8::1/128", "10.0.0.1:7", 205, "65000:1"), ("::/0", "65000:2", 206, "65000:1")]
    pe = Frr(t, address, RR, routes=routes, families=("l2vpn evpn",), modules=("bmp",), neighbor=("description everything", "capability extended-nexthop"),
             extra=" bmp targets station\n  bmp stats interval 1000\n  bmp monitor ipv4 vpn pre-policy\n  bmp monitor ipv4 vpn post-policy\n"
             "  bmp connect %s port %d min-retry 100 max-retry 500\n exit\n" % (address, BMP_PORT))
    wait_until(pe.established, "FRR established")
    command(pe.vty("configure terminal", "dump bgp all %s/all.mrt" % pe.folder, "dump bgp routes-mrt %s/routes.mrt 2" % pe.folder))
    lines = []
    for i, (words, _, _) in enumerate(FRR_SETS):
        lines += ["ip prefix-list p%d permit 10.1.%d.0/24" % (i, i), "route-map out permit %d" % (i + 10), "match ip address prefix-list p%d" % i, "set " + words, "exit"]
    command(pe.vty("configure terminal", *lines, "route-map out permit 1000"))
    pe.configure("address-family ipv4 vpn", "neighbor %s route-map out out" % RR)
    for i, (_, kind, value) in enumerate(FRR_SETS):
        observer.wait_route("65000:1", "10.1.%d.0/24" % i, test=lambda r, k=kind, v=value: k in r.attributes and v in (None, r.value(k)), deadline=20)
    for prefix, rd, label, rt in routes[len(FRR_SETS):]:
        check(observer.wait_route(rd, prefix, label).rts == {rt}, "%s %s" % (rd, prefix))
    command(pe.vty("clear bgp ipv4 vpn %s soft in" % RR))
    command(pe.vty("clear bgp ipv4 vpn %s soft out" % RR))
    pe.configure("address-family ipv6 vpn", "no network ::/0 rd 65000:2 label 206")
    observer.wait_gone("65000:2", "::/0")
    pe.configure("neighbor %s shutdown message maintenance" % RR)
    observer.wait_gone("65000:1", "10.1.0.0/24")
    wait_until(lambda: sink.octets, "FRR's BMP")


# Of each route of BIRD: RD, labels, what its filter sets; the attribute looked at, and its value at the observer.
BIRD_SETS = [
    ("65000:1", "301", "bgp_med = 4294967295;", bgp.MED, b"\xff" * 4),
    ("65000:1", "302", "bgp_local_pref = 300;", bgp.LOCAL_PREF, u32(300)),
    ("65000:1", "303", "bgp_origin = ORIGIN_INCOMPLETE;", bgp.ORIGIN, b"\2"),
    ("65000:1", "304", "bgp_path.prepend(65010); bgp_path.prepend(4200000000);", bgp.AS_PATH, sequence(4200000000, 65010)),
    ("65000:1", "305", "bgp_community.add((65000, 1)); bgp_community.add((65535, 65281));", bgp.COMMUNITY, u32(65000 << 16 | 1, 0xffffff01)),
    ("65000:1", "306", "bgp_large_community.add((65000, 1, 2)); bgp_large_community.add((4200000000, 4294967295, 0));", bgp.LARGE, u32(65000, 1, 2, 4200000000, 0xffffffff, 0)),
    ("65000:1", "307", "bgp_ext_community.add((ro, 65000, 77));", bgp.EXT_COMMUNITY, None),
    ("65000:1", "308", "bgp_ext_community.add((generic, 0x43000000, 100));", bgp.EXT_COMMUNITY, None),
    ("65000:1", "310/311/312", "bgp_med = 1;", bgp.MED, u32(1)),
    ("10.0.0.1:7", "313", "bgp_ext_community.add((rt, 10.0.0.1, 7));", bgp.EXT_COMMUNITY, None),
    ("4200000000:7", "314", "bgp_ext_community.add((rt, 4200000000, 7));", bgp.EXT_COMMUNITY, None),
]


@test("RFC 4271 §5, 4360, 8092, 8277 §2.3: attributes and label stacks that BIRD's filters set come through")
def bird(t):
    address = "10.9.0.2"
    observer = lab(t, address)
    lines = "".join("  route %s 10.1.%d.0/24 via %s mpls %s { bgp_ext_community.add((rt, 65000, 1)); %s };\n" % (rd, i, Bird.GATEWAY4, labels, words)
                    for i, (rd, labels, words, _, _) in enumerate(BIRD_SETS))
    extra = 'mrtdump "%s/bird/messages.mrt";\nprotocol static second {\n  vpn4 { preference 150; };\n%s}\n' % (t.folder, lines)
    pe = Bird(t, address, RR, routes=[("0.0.0.0/0", "65000:2", 320, "65000:1"), ("10.2.1.1/32", "65000:2", 321, "65000:1"), ("2001:db8::1/128", "65000:2", 322, "65000:1"),
                                      ("::/0", "65000:2", 323, "65000:1")], options="  mrtdump all;\n  enable extended messages on;\n", extra=extra)
    wait_until(pe.established, "BIRD established")
    for i, (rd, labels, _, kind, value) in enumerate(BIRD_SETS):
        holds(observer, rd, "10.1.%d.0/24" % i, kind, value)
        check(observer.route(rd, "10.1.%d.0/24" % i).labels == [int(l) for l in labels.split("/")], "labels", observer.route(rd, "10.1.%d.0/24" % i))
    for prefix in ("0.0.0.0/0", "10.2.1.1/32", "2001:db8::1/128", "::/0"):
        observer.wait_route("65000:2", prefix)
    pe.ctl("reload out reflector")
    pe.ctl("reload in reflector")
    pe.extra = ""
    pe.reconfigure([])
    observer.wait_gone("65000:1", "10.1.0.0/24").wait_gone("65000:2", "::/0")
    pe.ctl("disable reflector")
    observer.check()
