"""Planes: several reflectors behind the same PEs, each with its slice of the route targets ([partition], RFC 4684 §4)."""
import json
import signal
import subprocess

import bgp
from harness import RTC_NAME, VPN4, check, group_toml, quiet, range_toml, reflector_toml, test, wait_until
from test_explain import Asker

PLANES, TARGETS, PES, PREFIXES = 3, 60, 6, 10
U64 = (1 << 64) - 1


def plane_of(target, count=PLANES):
    """The assignment as rr/wire/rt_slice.hpp describes it, written a second time."""
    key = int.from_bytes(bgp.rt(target), "big")
    for multiplier in (0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53):
        key ^= key >> 33
        key = key * multiplier & U64
    key ^= key >> 33
    at, following = -1, 0
    while following < count:
        at = following
        key = (key * 2862933555777941757 + 1) & U64
        following = int((at + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return at + 1


def plane(t, index, port, partition=None, **options):
    partition = partition or "[partition]\nindex = %d\ncount = %d\n" % (index, PLANES)
    return t.reflector(reflector_toml(listen=(("127.0.0.1", port),), router_id="10.255.0.%d" % (port - 1780), tail=partition, **options),
                       watch=False, folder="rr-%d" % port)


def full_targets(session):
    """Route targets that the reflector asks for by full-length memberships."""
    return {bgp.format_rt(key[1][4:]) for key in list(session.adj_in) if key[0] == bgp.RTC and key[2] == 96}


class Pe:
    """A PE with a session to every reflector; to each it sends what that one asks for (RFC 4684 §6), and keeps what any sends."""

    def __init__(self, t, number, ports, routes, imports, rtc=True):
        self.routes, self.imports = routes, imports
        families = (bgp.VPNV4, bgp.RTC) if rtc else (bgp.VPNV4,)
        self.t, self.address, self.families, self.rtc = t, "127.1.0.%d" % number, families, rtc
        self.sessions, self.said = {}, {}
        for port in ports:
            self.connect(port)

    def connect(self, port):
        self.said[port] = set()
        self.sessions[port] = self.t.peer(self.address, *(self.imports if self.rtc else ()), port=port, families=self.families)

    def follow(self):
        """Announces what has been asked for meanwhile."""
        for port, session in self.sessions.items():
            asked = None
            if self.rtc:
                session.wait_eor(bgp.RTC)
                asked = full_targets(session)
            for (rd, prefix), targets in self.routes.items():
                if (rd, prefix) in self.said[port] or (asked is not None and not asked & set(targets)):
                    continue
                self.said[port].add((rd, prefix))
                session.announce(rd, prefix, targets)

    def keys(self, port):
        return set(self.sessions[port].vpn_routes())

    def union(self, ports):
        return set().union(*(self.keys(port) for port in ports))


def network(t, ports_of):
    """PEs that each export in some route targets and import in others; what each is to hold."""
    targets = ["65000:%d" % n for n in range(1, TARGETS + 1)]
    routes = []
    for pe in range(PES):
        own = {}
        for n in range(TARGETS):
            if n % PES == pe:
                for i in range(PREFIXES):
                    # Every tenth route is of two VPNs, mostly of different planes.
                    both = [targets[n], targets[(n + 7) % TARGETS]] if i == 0 else [targets[n]]
                    own["65000:%d" % (1000 * pe + n), "10.%d.%d.0/24" % (n, i)] = both
        routes.append(own)
    pes = [Pe(t, pe + 1, ports_of(pe), routes[pe], [targets[n] for n in range(TARGETS) if n % PES in ((pe + 1) % PES, (pe + 2) % PES)]) for pe in range(PES)]

    def expected(pe, index=None):
        out = set()
        for other in range(PES):
            if other == pe:
                continue
            for (rd, prefix), of in routes[other].items():
                held = index is None or any(plane_of(target) == index for target in of)
                if held and set(of) & set(pes[pe].imports):
                    out.add(bgp.vpn_key(rd, prefix))
        return out
    return pes, routes, expected


@test("H7 C, RFC 4684 §4: three planes of two: PEs end with the union, each plane holds about a third, losing a replica loses nothing")
def union(t):
    ports = [1790 + i for i in range(2 * PLANES)]  # replicas of plane n: 1790 + 2 (n - 1) and the next
    reflectors = {port: plane(t, (port - 1790) // 2 + 1, port) for port in ports}
    pes, routes, expected = network(t, lambda pe: ports)
    everything = sum(len(own) for own in routes)

    def settled():
        for pe in pes:
            pe.follow()
        return all(pe.union(ports) == expected(i) for i, pe in enumerate(pes))
    wait_until(settled, "every PE holds the union", 60, 0.3)
    held = {}
    for port in ports:
        index = (port - 1790) // 2 + 1
        for i, pe in enumerate(pes):
            check(pe.keys(port) == expected(i, index), "PE %d of plane %d" % (i + 1, index), len(pe.keys(port)), len(expected(i, index)))
        for session in (pe.sessions[port] for pe in pes):
            asked = full_targets(session)
            check(asked and all(plane_of(target) == index for target in asked), "asks for its own slice alone", asked)
        summary = reflectors[port].show("summary")
        check(summary["slice"] == "plane %d of %d" % (index, PLANES), "slice", summary["slice"])
        held[port] = next(f["prefixes"] for f in summary["families"] if f["family"] == "vpnv4")
        check(0.2 < held[port] / everything < 0.48, "plane %d holds about a third" % index, held, everything)
    check(sum(held[port] for port in ports[::2]) >= everything, "together they hold everything", held)

    # A replica of plane 2 dies: its twin has the same.
    lost = ports[2]
    t.reflectors.remove(reflectors[lost])
    reflectors[lost].child.send_signal(signal.SIGKILL)
    reflectors[lost].child.wait()
    left = [port for port in ports if port != lost]
    wait_until(lambda: all(pe.sessions[lost].closed for pe in pes), "the sessions end")
    for i, pe in enumerate(pes):
        quiet(pe.sessions[ports[3]], seconds=0.2)
        check(pe.union(left) == expected(i), "nothing is lost to PE %d" % (i + 1), len(pe.union(left)), len(expected(i)))
        for port in left:
            check(not pe.sessions[port].events_since(0, "withdraw", family=bgp.VPNV4), "no withdrawal from the others")
    t.peers = [p for p in t.peers if p.port != lost]


@test("H7 C: a plane is added under PEs: the new one first, then the old ones a replica at a time; no PE is without a route at any step")
def one_more(t):
    old = {1790: 1, 1791: 1, 1792: 2, 1793: 2}
    partition = lambda index, count: "[partition]\nindex = %d\ncount = %d\n" % (index, count)  # noqa: E731
    reflectors = {port: plane(t, index, port, partition(index, 2)) for port, index in old.items()}
    pes, _, expected = network(t, lambda pe: list(old))

    def settled(ports):
        """Every PE holds the union from these reflectors."""
        for pe in pes:
            pe.follow()
        return all(pe.union(ports) == expected(i) for i, pe in enumerate(pes))
    wait_until(lambda: settled(old), "two planes", 60, 0.3)
    for port in (1794, 1795):
        plane(t, 3, port, partition(3, 3))
        for pe in pes:
            pe.connect(port)
    complete = lambda port, index: all(pe.keys(port) == expected(i, index) for i, pe in enumerate(pes))  # noqa: E731
    wait_until(lambda: settled([*old, 1794, 1795]) and complete(1794, 3) and complete(1795, 3), "the third plane has its slice", 60, 0.3)
    for port, index in old.items():
        others = [p for p in (*old, 1794, 1795) if p != port]
        t.reflectors.remove(reflectors[port])
        reflectors[port].end()
        wait_until(lambda: all(pe.sessions[port].closed for pe in pes), "the sessions end", 20)  # noqa: B023
        t.peers = [p for p in t.peers if p.port != port]
        check(all(pe.union(others) == expected(i) for i, pe in enumerate(pes)), "nothing is missing while %d is away" % port)
        reflectors[port] = t.reflector(reflector_toml(listen=(("127.0.0.1", port),), router_id="10.255.0.%d" % (port - 1780), tail=partition(index, 3)), watch=False, folder="again-%d" % port)
        for pe in pes:
            pe.connect(port)
        wait_until(lambda: settled(others + [port]) and complete(port, index), "%d has its smaller slice" % port, 60, 0.3)  # noqa: B023
        check(all(pe.union(others) == expected(i) for i, pe in enumerate(pes)), "and nobody lost anything by that")


@test("H7 C, RFC 4456 §7, RFC 4684 §3.2: planes on two levels: plane n of a region is the client of plane n above; PEs of two regions hold the union, an upper plane its third")
def two_levels(t):
    group = lambda name, role, extra="": group_toml(name, role, families=(VPN4, RTC_NAME), extra=extra)  # noqa: E731
    upper = {}
    for n in range(1, PLANES + 1):
        upper[n] = t.reflector(reflector_toml(listen=(("127.0.0.1", 1789 + n),), router_id="10.255.0.%d" % n, families=(VPN4, RTC_NAME),
                                              groups=group("regions", "client") + range_toml("127.9.0.0/16", "regions"), tail="[partition]\nindex = %d\ncount = %d\n" % (n, PLANES)),
                               watch=False, folder="upper-%d" % n)
        for region in (1, 2):
            t.reflector(reflector_toml(listen=(("127.0.0.1", 1790 + 10 * region + n),), router_id="10.255.%d.%d" % (region, n), cluster_id="10.255.%d.0" % region, families=(VPN4, RTC_NAME),
                                       groups=group("pe", "client") + range_toml("127.1.0.0/16", "pe") + group("up", "non-client", 'local-address = "127.9.%d.%d"' % (region, n)) +
                                       '[[neighbors]]\naddress = "127.0.0.1"\npeer-group = "up"\nremote-port = %d\n' % (1789 + n),
                                       tail="[partition]\nindex = %d\ncount = %d\n" % (n, PLANES)), watch=False, folder="region-%d-%d" % (region, n))
    ports_of = lambda pe: [1790 + 10 * (1 + pe % 2) + n for n in range(1, PLANES + 1)]  # noqa: E731
    pes, routes, expected = network(t, ports_of)

    def settled():
        for pe in pes:
            pe.follow()
        return all(pe.union(pe.sessions) == expected(i) for i, pe in enumerate(pes))
    wait_until(settled, "every PE holds the union", 60, 0.3)
    everything = sum(len(own) for own in routes)
    for n in upper:
        held = next(f["prefixes"] for f in upper[n].show("summary")["families"] if f["family"] == "vpnv4")
        check(0 < held < 0.48 * everything, "an upper plane holds what the other region asks for, of its third", held, everything)
    for i, pe in enumerate(pes):
        for port, session in pe.sessions.items():
            check(pe.keys(port) == expected(i, port % 10), "PE %d of plane %d" % (i + 1, port % 10))
            check(not session.events_since(0, "withdraw", family=bgp.VPNV4), "withdrawals on the way")


@test("H7 C: what a PE without RT-Constrain sends is held by its plane only; explain says where the rest is, and it is counted")
def explained(t):
    ports = [1790 + i for i in range(PLANES)]
    reflectors = {port: plane(t, port - 1789, port) for port in ports}
    targets = ["65000:%d" % n for n in range(1, 13)]
    routes = {("65000:9", "10.9.%d.0/24" % n): [targets[n]] for n in range(12)}
    routes["65000:9", "10.99.0.0/24"] = []  # without route targets: plane 1
    legacy = Pe(t, 1, ports, routes, [], rtc=False)
    legacy.follow()
    other = Pe(t, 2, ports, {}, [], rtc=False)
    wait_until(lambda: other.union(ports) == {bgp.vpn_key(*key) for key in routes}, lambda: "the union, not %s" % other.union(ports), 20)
    for port in ports:
        index = port - 1789
        mine = {bgp.vpn_key(*key) for key, of in routes.items() if (plane_of(of[0]) if of else 1) == index}
        check(other.keys(port) == mine, "plane %d holds its own" % index, other.keys(port) ^ mine)
    strange = next(key for key, of in routes.items() if of and plane_of(of[0]) == 2)
    asker = Asker(reflectors[1790])
    asker.refusal(strange[1], strange[0], "other-plane")
    answer, _ = reflectors[1790].explain("rt", routes[strange][0])
    check("belongs to plane 2 of 3, and this reflector is plane 1" in answer["hints"], "explain rt", answer)
    # A route that moves to another plane's VPN goes away here, and appears there.
    mine = next(key for key, of in routes.items() if of and plane_of(of[0]) == 1)
    for session in legacy.sessions.values():
        session.announce(mine[0], mine[1], routes[strange])
    other.sessions[1790].wait_gone(*mine)
    other.sessions[1791].wait_route(*mine)


@test("H7 C, RFC 4684 §4: ranges of route targets; the reflector asks for them by prefixes; what a range of a wrong kind is told")
def ranges(t):
    slices = {1790: '["65000:1-100", "65001:*"]', 1791: '["65000:101-4294967295", "192.0.2.1:*"]'}
    reflectors = {port: plane(t, 0, port, "[partition]\nroute-targets = %s\n" % text, rtc='advertise = "default"') for port, text in slices.items()}
    pe = {port: t.peer("127.1.0.1", port=port, families=(bgp.VPNV4, bgp.RTC)) for port in slices}
    pe[1790].wait_eor(bgp.RTC)
    asked = sorted(key for key in pe[1790].adj_in if key[0] == bgp.RTC)
    check(asked and bgp.rtc_key() not in asked, "prefixes, not the default", asked)
    check(bgp.rtc_key(65000, bgp.rt("65000:100")) in asked and bgp.rtc_key(65000, bgp.rt("65001:0"), 64) in asked, "what makes up the slice", asked)
    for port in slices:
        for target in ("65000:100", "65000:101", "65001:7", "192.0.2.1:5", "65002:1"):
            pe[port].announce("65000:9", "10.0.%d.0/24" % (sum(target.encode()) % 250), [target])
    names = {target: "10.0.%d.0/24" % (sum(target.encode()) % 250) for target in ("65000:100", "65000:101", "65001:7", "192.0.2.1:5", "65002:1")}
    reader = {port: t.peer("127.1.0.2", "", port=port, families=(bgp.VPNV4, bgp.RTC)) for port in slices}
    for port, targets in ((1790, ("65000:100", "65001:7")), (1791, ("65000:101", "192.0.2.1:5"))):
        for target in targets:
            reader[port].wait_route("65000:9", names[target])
        quiet(reader[port])
        check(len(reader[port].vpn_routes()) == len(targets), "nothing else", reader[port].vpn_routes())
    check(reflectors[1790].show("summary")["slice"] == "route targets 65000:1-100, 65001:*", "slice", reflectors[1790].show("summary")["slice"])
    # The reload of the key that reload.every_key leaves to this test.
    running = reflectors[1790]
    running.config.write_text(running.config.read_text().replace("65000:1-100", "65000:1-200"))
    report = json.loads(subprocess.run([t.binaries / "helioctl", "--socket", running.folder / "control.sock", "config", "diff", "-j"], capture_output=True, text=True, timeout=15).stdout)
    check([(c["path"], c["effect"]) for c in report["changes"]] == [("partition.route-targets", "needs-restart")], "diff", report)
    running.config.write_text(running.config.read_text().replace("65000:1-200", "65000:200-1"))
    refused = subprocess.run([t.binaries / "heliod", "--check", "--config", running.config], capture_output=True, text=True, timeout=15)
    check(refused.returncode == 1 and '"65000:200-1" ends before it begins' in refused.stderr, "a range the wrong way round", refused.stderr)
