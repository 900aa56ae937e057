"""Graceful shutdown (RFC 8326): what a reflector in maintenance says to whom, and what it makes of others' word."""
import struct
import subprocess
import time

import bgp
from harness import check, group_toml, quiet, range_toml, reflector_toml, test

VPN = (bgp.VPNV4,)
GRACEFUL_SHUTDOWN = struct.pack(">I", 0xFFFF0000)


def control(t, heliod, *words):
    done = subprocess.run([t.binaries / "helioctl", "--socket", heliod.folder / "control.sock", *words], capture_output=True, text=True, timeout=15)
    check(done.returncode == 0, "helioctl %s" % " ".join(words), done.stdout, done.stderr)
    return done.stdout


def is_marked(route):
    return route is not None and GRACEFUL_SHUTDOWN in (route.value(bgp.COMMUNITY) or b"")


def wait_all(peer, keys, condition, what):
    peer.wait(lambda: all(peer.route(*k) is not None and condition(peer.route(*k)) for k in keys), what, deadline=10)


@test("RFC 8326 §4, RFC 9003; H4 L: maintenance on and off: GRACEFUL_SHUTDOWN for all, LOCAL_PREF 0 inside, everything as before afterwards; the reason at the end")
def on_and_off(t):
    heliod = t.reflector(shards=3)
    source, client, mesh = t.peer("127.1.0.1", families=VPN), t.peer("127.1.0.2", families=VPN), t.peer("127.2.0.1", families=VPN)
    old, outside = t.peer("127.1.0.3", families=VPN, four_octet_as=False), t.peer("127.3.0.1", families=VPN, asn=65100)
    picky = t.peer("127.1.0.4", "65000:1", families=VPN + (bgp.RTC,), enhanced_refresh=False)
    keys = [("65000:1", "10.%d.0.0/16" % i) for i in range(40)]
    community = struct.pack(">I", 0xFDE80007)
    for i, key in enumerate(keys):
        source.announce(*key, ["65000:1" if i % 2 else "65000:2"], label=100 + i, local_pref=150 + i, extra=[(bgp.COMMUNITY, community, 0xC0)] if i % 4 == 0 else [])
    everybody = (client, mesh, old, outside)
    odd = keys[1::2]
    for p in everybody:
        wait_all(p, keys, lambda r: not is_marked(r), "the routes")
    wait_all(picky, odd, lambda r: not is_marked(r), "the routes it asked for")
    before = {p: {k: dict(p.route(*k).attributes) for k in keys} for p in everybody}
    said = control(t, heliod, "maintenance", "on", "--reason", "new line card")
    check("GRACEFUL_SHUTDOWN" in said, "the answer", said)
    for p in everybody:
        wait_all(p, keys, is_marked, "GRACEFUL_SHUTDOWN on every route at %s" % p)
    wait_all(picky, odd, is_marked, "GRACEFUL_SHUTDOWN for a peer that filters")
    for p in (client, mesh, old):
        for i, k in enumerate(keys):
            route = p.route(*k)
            check(route.number(bgp.LOCAL_PREF) == 0, "LOCAL_PREF at %s" % p, route.attributes)
            check(route.value(bgp.COMMUNITY) == (community if i % 4 == 0 else b"") + GRACEFUL_SHUTDOWN, "communities of the route stay", route.attributes)
    check(outside.route(*keys[0]).number(bgp.LOCAL_PREF) is None, "LOCAL_PREF to another AS", outside.route(*keys[0]).attributes)
    check(heliod.show("summary")["maintenance"] is True, "summary", heliod.show("summary"))
    # What comes meanwhile, and who comes meanwhile.
    source.announce("65000:9", "10.99.0.0/16", ["65000:1"], label=99)
    wait_all(client, [("65000:9", "10.99.0.0/16")], is_marked, "a new route in maintenance")
    late = t.peer("127.1.0.5", families=VPN)
    late.wait_eor()
    wait_all(late, keys, lambda r: is_marked(r) and r.number(bgp.LOCAL_PREF) == 0, "a peer that comes in maintenance")
    source.withdraw("65000:9", "10.99.0.0/16")
    for p in everybody:
        p.wait_gone("65000:9", "10.99.0.0/16")
    control(t, heliod, "maintenance", "off")
    for p in everybody + (late,):
        wait_all(p, keys, lambda r: not is_marked(r), "no mark after maintenance at %s" % p)
    wait_all(picky, odd, lambda r: not is_marked(r), "no mark after maintenance for a peer that filters")
    quiet(*everybody)
    for p in everybody:
        check({k: dict(p.route(*k).attributes) for k in keys} == before[p], "as before at %s" % p)
    gone = bgp.vpn_key("65000:9", "10.99.0.0/16")
    check(all(e.key == gone for p in (picky, late) for e in p.events_since(0, "withdraw")), "a withdrawal for what was only marked")
    mark = client.mark()
    control(t, heliod, "maintenance", "off")
    quiet(client)
    check(not client.events_since(mark), "off twice says nothing", client.events_since(mark)[:3])
    control(t, heliod, "maintenance", "on", "--reason", "new line card")
    t.reflectors.remove(heliod)
    heliod.end()
    for p in everybody:
        p.wait_notification(6, 2)
        check(p.notification[2][1:].decode() == "new line card", "the reason of the end", p.notification)


@test("RFC 8326 §4; H4 L: global.graceful-shutdown begins in maintenance; a group that heeds the community gives LOCAL_PREF 0, another does not")
def heeded(t):
    groups = (group_toml("clients") + group_toml("external", peer_as=65100, extra='graceful-shutdown = "heed"') + group_toml("deaf", peer_as=65200) +
              range_toml("127.1.0.0/16", "clients") + range_toml("127.3.0.0/16", "external") + range_toml("127.4.0.0/16", "deaf"))
    heliod = t.reflector(config=reflector_toml(groups=groups))
    leaving, staying, deaf = t.peer("127.3.0.1", families=VPN, asn=65100), t.peer("127.3.0.2", families=VPN, asn=65100), t.peer("127.4.0.1", families=VPN, asn=65200)
    observer = t.peer("127.1.0.1", families=VPN)
    x, shut = ("65000:1", "10.0.0.0/24"), [(bgp.COMMUNITY, GRACEFUL_SHUTDOWN, 0xC0)]
    leaving.announce(*x, ["65000:1"], label=1, path=[65100])
    observer.wait_route(*x, 1)
    staying.announce(*x, ["65000:1"], label=2, path=[65100, 65100, 65100])      # longer, so worse
    leaving.announce(*x, ["65000:1"], label=3, path=[65100], extra=shut)
    observer.wait_route(*x, 2)
    staying.withdraw(*x)
    route = observer.wait_route(*x, 3)
    check(route.number(bgp.LOCAL_PREF) == 0 and is_marked(route), "still reachable, as the last resort", route.attributes)
    deaf.announce("65000:2", "10.0.0.0/24", ["65000:1"], label=4, path=[65200], extra=shut)
    check(observer.wait_route("65000:2", "10.0.0.0/24", 4).number(bgp.LOCAL_PREF) == 100, "a group that does not heed it")
    check(heliod.show("summary")["maintenance"] is False, "summary")
    t.reflector(config=reflector_toml(listen=(("127.0.0.1", 1795),)).replace("[global]", "[global]\ngraceful-shutdown = true"), folder="second")
    one, two = t.peer("127.1.0.7", families=VPN, port=1795), t.peer("127.1.0.8", families=VPN, port=1795)
    one.announce(*x, ["65000:1"], label=7)
    check(is_marked(two.wait_route(*x, 7)) and two.route(*x).number(bgp.LOCAL_PREF) == 0, "maintenance from the beginning", two.route(*x).attributes)


@test("wire 2.22; H4 L: timers.initial-sync: read-only until the End-of-RIB of enough neighbours, or until the timer")
def initial_sync(t):
    def groups(network):
        return group_toml("clients") + "".join('[[neighbors]]\naddress = "127.1.%d.%d"\npeer-group = "clients"\npassive = true\n' % (network, n) for n in (1, 2, 3))
    t.reflector(config=reflector_toml(groups=groups(1), timers="initial-sync = { max-delay = 60, peers-ratio = 0.6 }"))
    first, second = t.peer("127.1.1.1", families=VPN, join=False), t.peer("127.1.1.2", families=VPN, join=False)
    x, y = ("65000:1", "10.0.0.0/24"), ("65000:1", "10.0.1.0/24")
    first.announce(*x, ["65000:1"], label=1)
    second.announce(*x, ["65000:1"], label=2, local_pref=200)
    first.eor()
    quiet(first, second, seconds=1.0)
    for p in (first, second):
        check(not p.events_since(0, "announce") and not p.eors, "something was advertised before the routes were complete", p.history)
    second.announce(*y, ["65000:1"], label=3)
    second.eor()                      # two of three are enough
    first.wait_route(*x, 2)
    first.wait_route(*y, 3)
    for p in (first, second):
        p.wait_eor()
    quiet(first, second)
    check(not first.events_since(0, "withdraw") and not second.events_since(0, "announce"), "only the final best was sent, no transient one", second.history)
    late = t.peer("127.1.1.3", families=VPN)
    late.wait_route(*x, 2)
    # A neighbour that never comes: the timer.
    started = time.monotonic()
    t.reflector(config=reflector_toml(listen=(("127.0.0.1", 1795),), groups=groups(2), timers="initial-sync = { max-delay = 3, peers-ratio = 1.0 }"), folder="second")
    one, two = t.peer("127.1.2.1", families=VPN, port=1795), t.peer("127.1.2.2", families=VPN, port=1795)
    one.announce(*x, ["65000:1"], label=1)
    two.wait_route(*x, 1, deadline=15)
    waited = time.monotonic() - started
    check(2.5 < waited < 9, "the timer of 3 s ended the wait after %.1f s" % waited)
    two.wait_eor()
