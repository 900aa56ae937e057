"""The decision process as a table: two candidate paths, one observer, both orders of arrival (RFC 4271 §9.1.2, RFC 4456 §9)."""
import bgp
from harness import check, quiet, test

VPN = (bgp.VPNV4,)
A, B, E = "127.1.0.11", "127.1.0.12", "127.3.0.9"

# What decides; path of A; path of B; the winner. A and B are clients, A with the lower router-id and address.
STEPS = [
    ("LOCAL_PREF", dict(local_pref=100), dict(local_pref=101, path=[65001, 65002]), "B"),
    ("LOCAL_PREF beats everything", dict(local_pref=200, path=[65001] * 9, origin=2), dict(local_pref=199), "A"),
    ("AS_PATH length", dict(path=[65001, 65002]), dict(path=[65001], origin=2), "B"),
    ("AS_SET counts one", dict(path=[65001, 65002, 65003]), dict(path=[(2, [65001]), (1, [65002, 65003, 65004, 65005])]), "B"),
    ("AS_CONFED segments count nothing (RFC 5065 §5.3)", dict(path=[65001, 65002]), dict(path=[(3, [64900, 64901, 64902]), (2, [65001])]), "B"),
    ("ORIGIN", dict(origin=1), dict(origin=0), "B"),
    ("ORIGIN incomplete is worst", dict(origin=2), dict(origin=1, med=99), "B"),
    ("MED, same neighbouring AS", dict(path=[65001], med=20), dict(path=[65001], med=10), "B"),
    ("MED absent is 0", dict(path=[65001], med=1), dict(path=[65001]), "B"),
    ("MED of different neighbouring AS is not compared", dict(path=[65001], med=20), dict(path=[65002], med=10), "A"),
    ("BGP identifier", dict(), dict(), "A"),
    ("ORIGINATOR_ID replaces the identifier", dict(originator="10.2.0.9"), dict(originator="10.2.0.8"), "B"),
    ("ORIGINATOR_ID against identifier", dict(originator="200.0.0.1"), dict(), "B"),
    ("CLUSTER_LIST length", dict(originator="10.2.0.9", cluster_list=["10.3.0.1", "10.3.0.2"]), dict(originator="10.2.0.9", cluster_list=["10.3.0.1"]), "B"),
    ("peer address", dict(originator="10.2.0.9", cluster_list=["10.3.0.1"]), dict(originator="10.2.0.9", cluster_list=["10.3.0.2"]), "A"),
]


@test("RFC 4271 §9.1.2.2, RFC 4456 §9, RFC 5065 §5.3; wire 2.21: every step, both orders")
def steps(t):
    t.reflector()
    a, b, observer = (t.peer(address, families=VPN) for address in (A, B, "127.1.0.13"))
    for i, (_, of_a, of_b, _) in enumerate(STEPS):
        first = [(a, of_a, 1), (b, of_b, 2)]
        for order, rd in ((first, "65000:1"), (first[::-1], "65000:2")):
            for peer, attributes, label in order:
                # PE distinguishers differ only by label: the paths are equal but for what the row says.
                peer.announce(rd, "10.0.%d.0/24" % i, ["65000:1"], label=label, next_hop="10.4.0.1", **attributes)
            # The second announcement must not overtake the first: another socket, so wait until the first was seen.
            observer.wait_route(rd, "10.0.%d.0/24" % i)
    quiet(observer)
    for i, (name, _, _, winner) in enumerate(STEPS):
        for rd in ("65000:1", "65000:2"):
            label = observer.route(rd, "10.0.%d.0/24" % i).labels[0]
            check(label == {"A": 1, "B": 2}[winner], "%s (order %s): %s should win" % (name, rd[-1], winner))


@test("RFC 4271 §9.1.2.2 d: eBGP over iBGP; the losing path takes over on withdrawal")
def external_first(t):
    t.reflector()
    a, observer = t.peer(A, families=VPN), t.peer("127.1.0.13", families=VPN)
    external = t.peer(E, families=VPN, asn=65100)
    a.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=1, path=[65100])
    observer.wait_route("65000:1", "10.0.0.0/24", 1)
    external.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=2, path=[65100])
    observer.wait_route("65000:1", "10.0.0.0/24", 2)
    external.withdraw("65000:1", "10.0.0.0/24")
    observer.wait_route("65000:1", "10.0.0.0/24", 1)


@test("RFC 4271 §9.1.2: three paths, the best goes away again and again; the observer ends with the right one each time")
def succession(t):
    t.reflector(shards=3)
    sources = [t.peer("127.1.0.%d" % (20 + i), families=VPN) for i in range(5)]
    observer = t.peer("127.1.0.40", families=VPN)
    prefixes = ["10.%d.0.0/16" % i for i in range(16)]
    for i, source in enumerate(sources):
        source.announce("65000:1", prefixes, ["65000:1"], label=100 + i, local_pref=100 + i)
    for i in reversed(range(5)):
        for prefix in prefixes:
            observer.wait_route("65000:1", prefix, 100 + i)
        if i % 2:
            sources[i].close()
        else:
            sources[i].withdraw("65000:1", prefixes)
    for prefix in prefixes:
        observer.wait_gone("65000:1", prefix)


def cost(point, number, value):
    """draft-ietf-idr-custom-decision: a non-transitive opaque extended community, type 0x43, subtype 1."""
    return bytes([0x43, 1, point, number]) + value.to_bytes(4, "big")


def aigp(metric):
    return (bgp.AIGP, bytes([1, 0, 11]) + metric.to_bytes(8, "big"))


# As STEPS, with [best-path] options.
OPTION_STEPS = [
    ("MED between neighbouring ASes", dict(path=[65001], med=20), dict(path=[65002], med=10), "B"),
    ("MED absent is worst", dict(path=[65001]), dict(path=[65001], med=4000), "B"),
    ("cost community before everything", dict(ext=[cost(128, 1, 100)]), dict(local_pref=50, ext=[cost(128, 1, 99)]), "B"),
    ("no cost community is the middle of the range", dict(local_pref=200), dict(ext=[cost(128, 1, 0x7ffffffe)]), "B"),
    ("a cost above the middle is worse than none", dict(), dict(local_pref=200, ext=[cost(128, 1, 0x80000000)]), "A"),
    ("cost community at the IGP metric", dict(ext=[cost(129, 1, 100)]), dict(ext=[cost(129, 1, 99)]), "B"),
    ("which comes after AS_PATH", dict(path=[65001], ext=[cost(129, 1, 100)]), dict(path=[65001, 65002], ext=[cost(129, 1, 99)]), "A"),
    ("AIGP after LOCAL_PREF", dict(local_pref=101, extra=[aigp(30)]), dict(extra=[aigp(20)]), "A"),
    ("AIGP before AS_PATH", dict(extra=[aigp(30)]), dict(path=[65001, 65002], extra=[aigp(20)]), "B"),
    ("AIGP against none", dict(path=[65001]), dict(path=[65001, 65002], extra=[aigp(5000)]), "B"),
]
OPTIONS = "[best-path]\nalways-compare-med = true\nmissing-as-worst = true\naigp = true\n"


@test("RFC 4271 §9.1.2.2 c options, RFC 7311 §4.1, custom-decision §3: [best-path], every step, both orders")
def options(t):
    rr = t.reflector(tail=OPTIONS)
    a, b, observer = (t.peer(address, families=VPN) for address in (A, B, "127.1.0.13"))
    for i, (_, of_a, of_b, _) in enumerate(OPTION_STEPS):
        first = [(a, of_a, 1), (b, of_b, 2)]
        for order, rd in ((first, "65000:1"), (first[::-1], "65000:2")):
            for peer, attributes, label in order:
                peer.announce(rd, "10.0.%d.0/24" % i, ["65000:1"], label=label, next_hop="10.4.0.1", **attributes)
            observer.wait_route(rd, "10.0.%d.0/24" % i)
    quiet(observer)
    for i, (name, _, _, winner) in enumerate(OPTION_STEPS):
        for rd in ("65000:1", "65000:2"):
            label = observer.route(rd, "10.0.%d.0/24" % i).labels[0]
            check(label == {"A": 1, "B": 2}[winner], "%s (order %s): %s should win" % (name, rd[-1], winner))
    lost = [p["lost_at"] for p in rr.show("routes", "--rd", "65000:1", "--prefix", "10.0.8.0/24")["routes"][0]["paths"]]
    check(lost == [None, "higher AIGP metric"], "the step that decided, in helioctl", lost)


@test("RFC 4271 §9.1.2.2, RFC 7311 §4.1: AIGP does not count unless it is turned on, cost communities can be turned off")
def options_off(t):
    t.reflector(tail="[best-path]\ncost-community = false\n")
    a, b = (t.peer(address, families=VPN) for address in (A, B))
    observer = t.peer("127.1.0.13", families=VPN)
    a.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=1, extra=[aigp(30)])
    a.announce("65000:1", "10.0.1.0/24", ["65000:1"], label=1, ext=[cost(128, 1, 100)])
    observer.wait_route("65000:1", "10.0.1.0/24")
    b.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=2, path=[65001], extra=[aigp(20)])
    b.announce("65000:1", "10.0.1.0/24", ["65000:1"], label=2, local_pref=99, ext=[cost(128, 1, 99)])
    quiet(observer)
    for prefix in ("10.0.0.0/24", "10.0.1.0/24"):
        check(observer.route("65000:1", prefix).labels == [1], "the ordinary steps decide", observer.route("65000:1", prefix))


@test("RFC 5004 §3: the external path in use stays when only the BGP identifier speaks for another one")
def oldest_external(t):
    t.reflector(tail="[best-path]\nprefer-oldest-external = true\n")
    observer = t.peer("127.1.0.13", families=VPN)
    old = t.peer("127.3.0.9", families=VPN, asn=65100)
    old.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=1)
    observer.wait_route("65000:1", "10.0.0.0/24", 1)
    new = t.peer("127.3.0.8", families=VPN, asn=65100)  # lower identifier and address
    new.announce("65000:1", "10.0.0.0/24", ["65000:1"], label=2)
    new.announce("65000:1", "10.0.1.0/24", ["65000:1"], label=2)
    observer.wait_route("65000:1", "10.0.1.0/24", 2)
    quiet(observer)
    check(observer.route("65000:1", "10.0.0.0/24").labels == [1], "the path in use stays")
    old.withdraw("65000:1", "10.0.0.0/24")
    observer.wait_route("65000:1", "10.0.0.0/24", 2)
