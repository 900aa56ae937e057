"""Graceful restart on the wire: scripted peers clause by clause, then BIRD, FRR and GoBGP as restarters and as helpers.

RFC 4724, RFC 8538, RFC 9494; prefix limits with their Cease (RFC 4486 §4). Field notes: 3.4 (FRR), 3.6 (BIRD).
"""
import signal
import time

import bgp
from daemons import Bird, Frr, Gobgp
from harness import ALL_FAMILIES, check, group_toml, quiet, range_toml, test, wait_until

VPN = (bgp.VPNV4, bgp.VPNV6)
NO_LLGR = (0xFFFF, 7)
HELPER = '[graceful-restart]\nmode = "helper"\nrestart-time = 60\nstale-routes-time = 60\n'


def gr(families=VPN, forwarding=True, time=60, restarting=False, notification=False):
    head = (restarting << 15) | (notification << 14) | time
    return head.to_bytes(2, "big") + b"".join(a.to_bytes(2, "big") + bytes([s, 0x80 if forwarding else 0]) for a, s in families)


def llgr(families=VPN, time=60):
    return bgp.capability(71, b"".join(a.to_bytes(2, "big") + bytes([s, 0x80]) + time.to_bytes(3, "big") for a, s in families))


def routes(peer, *prefixes, **options):
    for number, prefix in enumerate(prefixes):
        peer.announce("65000:1", prefix, ["65000:1"], label=100 + number, **options)


@test("RFC 4724 §4.2: stale routes stay over a lost connection, are not sent again, and end with End-of-RIB; RFC 4724 §4: after a NOTIFICATION they go")
def helper(t):
    heliod = t.reflector(tail=HELPER)
    observer = t.peer("127.1.0.9", families=VPN)
    pe = t.peer("127.1.0.1", families=VPN, graceful_restart=gr())
    routes(pe, "10.0.0.0/24", "10.0.1.0/24")
    observer.wait_route("65000:1", "10.0.1.0/24", 101)
    mark = observer.mark()
    pe.reset()
    wait_until(lambda: heliod.show("peer", "127.1.0.1")["restart"], "the restart is shown", 5)
    shown = heliod.show("peer", "127.1.0.1")
    check([(f["family"], f["stale"]) for f in shown["families"]][0] == ("vpnv4", 2), "stale routes are shown", shown["families"])
    pe = t.peer("127.1.0.1", families=VPN, graceful_restart=gr(restarting=True), join=False)
    routes(pe, "10.0.0.0/24")
    quiet(observer)
    check(not observer.events_since(mark), "something was sent though nothing changed", observer.events_since(mark))
    pe.eor()
    observer.wait_gone("65000:1", "10.0.1.0/24")
    check(observer.route("65000:1", "10.0.0.0/24"), "what was announced again stayed")
    check(pe.notification is None, "no NOTIFICATION", pe.notification)
    pe.send(bgp.message(bgp.NOTIFICATION, bytes([6, 4])))
    observer.wait_gone("65000:1", "10.0.0.0/24")


@test("RFC 4724 §4.2: a new connection while the old one is up is the sign of a restart; without the F bit the stale routes go at once")
def new_connection(t):
    t.reflector(tail=HELPER)
    observer = t.peer("127.1.0.9", families=VPN)
    old = t.peer("127.1.0.1", families=VPN, graceful_restart=gr())
    routes(old, "10.0.0.0/24", "2001:db8::/32")
    observer.wait_route("65000:1", "2001:db8::/32")
    mark = observer.mark()
    fresh = t.peer("127.1.0.1", families=VPN, graceful_restart=gr(families=(bgp.VPNV6,), restarting=True), join=False)
    check(old.notification is None, "the old connection got a NOTIFICATION", old.notification)
    observer.wait_gone("65000:1", "10.0.0.0/24")
    check(observer.route("65000:1", "2001:db8::/32"), "the family with the F bit stayed")
    routes(fresh, "2001:db8::/32")
    fresh.eor()
    quiet(observer)
    check(observer.route("65000:1", "2001:db8::/32"), "and was announced again")
    check(len(observer.events_since(mark, "withdraw")) == 1, "one withdrawal", observer.events_since(mark))


@test("RFC 8538 §2-§4: the N bit both ways; a Cease keeps the routes, Hard Reset does not; an operator's reset goes out as Hard Reset")
def notifications(t):
    heliod = t.reflector(tail=HELPER)
    observer = t.peer("127.1.0.9", families=VPN)
    pe = t.peer("127.1.0.1", families=VPN, graceful_restart=gr(notification=True))
    routes(pe, "10.0.0.0/24")
    observer.wait_route("65000:1", "10.0.0.0/24")
    mark = observer.mark()
    pe.send(bgp.message(bgp.NOTIFICATION, bytes([6, 8])))
    wait_until(lambda: heliod.show("peer", "127.1.0.1")["restart"], "kept after the NOTIFICATION", 5)
    quiet(observer)
    check(not observer.events_since(mark), "the NOTIFICATION cost routes", observer.events_since(mark))
    pe = t.peer("127.1.0.1", families=VPN, graceful_restart=gr(notification=True))
    pe.send(bgp.message(bgp.NOTIFICATION, bytes([6, 9, 6, 4])))
    observer.wait_gone("65000:1", "10.0.0.0/24")
    pe = t.peer("127.1.0.1", families=VPN, graceful_restart=gr(notification=True))
    heliod.control("peer", "127.1.0.1", "clear")
    pe.wait_notification(6, 9)
    check(pe.notification[2][:2] == bytes([6, 4]), "the reset is inside", pe.notification)


@test("RFC 4724 §4.2: the restart time ends the wait; pitfall 1.8: RT memberships are kept over a restart until their End-of-RIB")
def times_and_memberships(t):
    t.reflector(tail=HELPER)
    source = t.peer("127.1.0.9", families=VPN)
    source.announce("65000:1", "10.5.1.0/24", ["65000:1"])
    source.announce("65000:1", "10.5.2.0/24", ["65000:2"])
    families = (bgp.VPNV4, bgp.RTC)
    pe = t.peer("127.1.0.1", "65000:1", "65000:2", families=families, graceful_restart=gr(families, time=3))
    pe.announce("65000:7", "10.0.0.0/24", ["65000:7"])
    for prefix in ("10.5.1.0/24", "10.5.2.0/24"):
        pe.wait_route("65000:1", prefix)
    source.wait_route("65000:7", "10.0.0.0/24")
    pe.reset()
    pe = t.peer("127.1.0.1", families=families, graceful_restart=gr(families, time=3, restarting=True), join=False)
    pe.rtc("65000:1")
    for prefix in ("10.5.1.0/24", "10.5.2.0/24"):
        pe.wait_route("65000:1", prefix)  # the old memberships are the filter
    pe.wait_eor(bgp.VPNV4)
    pe.eor(bgp.RTC)
    pe.wait_gone("65000:1", "10.5.2.0/24")
    check(pe.route("65000:1", "10.5.1.0/24"), "the membership that was said again holds")
    pe.announce("65000:7", "10.0.0.0/24", ["65000:7"])
    pe.eor(bgp.VPNV4)
    quiet(source)
    pe.reset()
    started = time.monotonic()
    source.wait_gone("65000:7", "10.0.0.0/24")
    check(2 < time.monotonic() - started < 6, "gone after %.1f s, the restart time is 3 s" % (time.monotonic() - started))


@test("RFC 9494 §4.2, §4.3: LLGR_STALE after the restart time, to peers with the capability alone, the last choice, NO_LLGR goes, the end of the time")
def long_lived(t):
    t.reflector(tail=HELPER + "long-lived-stale-time = 600\n")
    plain = t.peer("127.1.0.8", families=VPN)
    aware = t.peer("127.1.0.9", families=VPN, graceful_restart=gr(families=()), extra=llgr(families=()))
    other = t.peer("127.1.0.7", families=VPN)
    pe = t.peer("127.1.0.1", families=VPN, graceful_restart=gr(time=1), extra=llgr(time=4))
    routes(pe, "10.0.0.0/24")
    pe.announce("65000:1", "10.0.1.0/24", ["65000:1"], communities=[NO_LLGR])
    pe.announce("65000:1", "10.0.2.0/24", ["65000:1"], label=16, local_pref=200)
    other.announce("65000:1", "10.0.2.0/24", ["65000:1"], label=17, local_pref=50)
    for observer in (plain, aware):
        observer.wait_route("65000:1", "10.0.0.0/24")
        observer.wait_route("65000:1", "10.0.2.0/24", 16)
    pe.reset()
    aware.wait_route("65000:1", "10.0.0.0/24", test=lambda r: bytes.fromhex("ffff0006") in r.value(bgp.COMMUNITY, b""))
    aware.wait_gone("65000:1", "10.0.1.0/24")
    plain.wait_gone("65000:1", "10.0.0.0/24")
    for observer in (plain, aware):
        observer.wait_route("65000:1", "10.0.2.0/24", 17)
    aware.wait_gone("65000:1", "10.0.0.0/24")
    check(aware.route("65000:1", "10.0.2.0/24"), "the other PE's route stayed")


@test("RFC 4724 §4.1, wire 2.22: heliod as restarter: R and F bits, nothing sent before the End-of-RIB of its peers, then all of it")
def own_restart(t):
    tail = '[graceful-restart]\nmode = "full"\nrestart-time = 60\nselection-deferral-time = 60\n'
    groups = (group_toml("clients", families=ALL_FAMILIES, extra="passive = true") +
              "".join('[[neighbors]]\naddress = "127.1.0.%d"\npeer-group = "clients"\n' % i for i in (1, 2)))
    heliod = t.reflector(groups=groups, tail=tail)
    for attempt in range(2):
        a = t.peer("127.1.0.1", families=VPN, graceful_restart=gr(families=()), join=False)
        value = a.open.values(64)[-1]
        check(value[0] & 0x80, "the R bit after a start", value.hex())
        check(all(value[i + 3] == 0x80 for i in range(2, len(value), 4)) and len(value) == 2 + 3 * 4, "F bits of all families", value.hex())
        routes(a, "10.0.0.0/24")
        a.eor()
        b = t.peer("127.1.0.2", families=VPN, graceful_restart=gr(families=()), join=False)
        routes(b, "10.0.1.0/24")
        quiet(a, b, seconds=0.7)
        check(not a.history and not b.history, "something was sent before the last End-of-RIB", a.history, b.history)
        b.eor()
        b.wait_route("65000:1", "10.0.0.0/24")
        a.wait_route("65000:1", "10.0.1.0/24")
        a.wait_eor(), b.wait_eor()
        check([e.kind for e in a.history][-1] == "eor", "End-of-RIB after the routes", a.history)
        if attempt == 0:
            # RFC 4724 §4: a peer without the N bit would forget everything on a NOTIFICATION.
            heliod.stop()
            t.reflectors.remove(heliod)
            a.wait(lambda: True, "")
            wait_until(lambda: a.closed and b.closed, "the sessions ended", 5)
            check(a.notification is None and b.notification is None, "a NOTIFICATION before the restart", a.notification)
            heliod = t.reflector(groups=groups, tail=tail, folder="heliod2")


@test("RFC 4486 §4, RFC 4271 §6.7: prefix limits on the wire: discard-new, idle-hold with its Cease and its restart timer")
def prefix_limits(t):
    extra = 'prefix-limits = { "l3vpn-ipv4-unicast" = { max-prefixes = 10, action = "%s", restart-timer = 2 } }'
    groups = (group_toml("discards", families=ALL_FAMILIES, extra=extra % "discard-new") + group_toml("holds", families=ALL_FAMILIES, extra=extra % "idle-hold") +
              group_toml("observers", families=ALL_FAMILIES) +
              range_toml("127.1.1.0/24", "discards") + range_toml("127.1.2.0/24", "holds") + range_toml("127.1.3.0/24", "observers"))
    heliod = t.reflector(groups=groups)
    observer = t.peer("127.1.3.1", families=VPN)
    discards, holds = t.peer("127.1.1.1", families=VPN), t.peer("127.1.2.1", families=VPN)
    discards.announce("65000:1", ["10.1.%d.0/24" % i for i in range(15)], ["65000:1"])
    wait_until(lambda: len(observer.vpn_routes()) == 10, "ten routes", 10)
    shown = heliod.show("peer", "127.1.1.1")["families"][0]
    check((shown["received"], shown["limit"], shown["discarded"]) == (10, 10, 5), "limit and discarded routes are shown", shown)
    holds.announce("65000:2", ["10.2.%d.0/24" % i for i in range(10)], ["65000:1"])
    wait_until(lambda: len(observer.vpn_routes()) == 20, "ten more", 10)
    holds.announce("65000:2", "10.2.10.0/24", ["65000:1"])
    holds.wait_notification(6, 1)
    check(holds.notification[2] == bytes([0, 1, 128, 0, 0, 0, 10]), "AFI, SAFI and limit", holds.notification)
    wait_until(lambda: len(observer.vpn_routes()) == 10, "the other's routes alone", 10)
    check(not discards.closed, "the other peer is unhurt")
    early = t.unconnected("127.1.2.1", families=VPN)
    early.connect()
    wait_until(lambda: early.closed, "refused while held", 5)
    time.sleep(2)
    again = t.peer("127.1.2.1", families=VPN)
    again.announce("65000:2", "10.2.0.0/24", ["65000:1"])
    observer.wait_route("65000:2", "10.2.0.0/24")


# ---------------------------------------------------------------- real daemons

RR, PE, SCRIPTED = "10.9.0.100", "10.9.0.1", "10.9.0.4"
LISTEN = ((RR, 1790),)
FULL = '[graceful-restart]\nmode = "full"\nrestart-time = 60\nselection-deferral-time = 60\nlong-lived-stale-time = 600\n'


def lab(t, tail=HELPER, folder="heliod", neighbors=()):
    """`neighbors` are connected to, at port 179; without them whoever comes is taken."""
    groups = group_toml("clients", families=ALL_FAMILIES, extra='rt-constrain = { advertise = "default", initial-wait = 2 }')
    groups += "".join('[[neighbors]]\naddress = "%s"\npeer-group = "clients"\n' % n for n in neighbors)
    return t.reflector(listen=LISTEN, groups=groups + ("" if neighbors else range_toml("10.9.0.0/16", "clients")), tail=tail, folder=folder)


def killed_and_back(t, observer, established, process, start, prefixes):
    """Kills the PE, starts it again: its routes are never withdrawn and are announced again."""
    for rd, prefix in prefixes:
        observer.wait_route(rd, prefix, deadline=20)
    mark = observer.mark()
    process().stop(signal.SIGKILL)
    time.sleep(0.5)
    start()
    wait_until(established, "established again", 30)
    time.sleep(3)
    quiet(observer)
    check(not observer.events_since(mark, "withdraw"), "routes were withdrawn over the restart", observer.events_since(mark))
    for rd, prefix in prefixes:
        check(observer.route(rd, prefix), "%s %s is still there" % (rd, prefix))


@test("RFC 4724 §4.2: BIRD is killed and recovers (bird -R): no route of it is ever withdrawn, what it does not announce again goes")
def bird_restarts(t):
    t.addresses(RR, PE, SCRIPTED)
    lab(t)
    observer = t.peer(SCRIPTED, target=RR, families=VPN)
    routes4 = [("10.1.0.0/24", "65000:1", 201, "65000:1"), ("10.2.0.0/24", "65000:2", 202, "65000:2"), ("10.3.0.0/24", "65000:3", 203, "65000:3")]
    bird = Bird(t, PE, RR, routes=routes4, options="  graceful restart on;\n  graceful restart time 60;\n")
    killed_and_back(t, observer, bird.established, lambda: bird.process, lambda: (bird.write(routes4), bird.start("-R")),
                    [("65000:%d" % i, "10.%d.0.0/24" % i) for i in (1, 2, 3)])
    bird.process.stop(signal.SIGKILL)
    bird.write(routes4[:2])
    bird.start("-R")
    observer.wait_gone("65000:3", "10.3.0.0/24", deadline=40)
    check(observer.route("65000:1", "10.1.0.0/24"), "the others stayed")


@test("RFC 4724 §4.2; field note 3.4: FRR is killed and starts again with preserve-fw-state: no route of it is ever withdrawn")
def frr_restarts(t):
    t.addresses(RR, PE, SCRIPTED)
    lab(t)
    observer = t.peer(SCRIPTED, target=RR, families=VPN)
    frr = Frr(t, PE, RR, routes=[("10.1.0.0/24", "65000:1", 101, "65000:1"), ("10.2.0.0/24", "65000:2", 102, "65000:2")],
              extra=" bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n")
    killed_and_back(t, observer, frr.established, lambda: frr.process, frr.start, [("65000:1", "10.1.0.0/24"), ("65000:2", "10.2.0.0/24")])


@test("RFC 4724 §4.1, §4.2: heliod with mode full is killed and starts again: BIRD and FRR keep what it reflected, also LLGR is negotiated with BIRD")
def daemons_help(t):
    t.addresses(RR, PE, "10.9.0.2", SCRIPTED)
    neighbors = (PE, "10.9.0.2", SCRIPTED)
    heliod = lab(t, FULL, neighbors=neighbors)
    feeder = t.peer(SCRIPTED, target=RR, families=VPN, graceful_restart=gr())
    bird = Bird(t, PE, RR, options="  graceful restart on;\n  long lived graceful restart on;\n")
    frr = Frr(t, "10.9.0.2", RR, extra=" bgp graceful-restart\n")
    feeder.announce("65000:9", ["10.50.%d.0/24" % i for i in range(20)], ["65000:9"], label=900, next_hop=SCRIPTED)
    feeder.eor()
    have = {("65000:9", "10.50.%d.0/24" % i) for i in range(20)}
    wait_until(lambda: set(bird.routes()) >= have, lambda: "BIRD has %s" % sorted(bird.routes()), 60)
    wait_until(lambda: set(frr.routes()) >= have, lambda: "FRR has %s" % sorted(frr.routes()), 60)
    heliod.stop(signal.SIGKILL)
    t.reflectors.remove(heliod)
    time.sleep(2)
    check(set(bird.routes()) >= have, "BIRD forgot what a restarting reflector had sent", sorted(bird.routes()))
    check(set(frr.routes()) >= have, "FRR forgot what a restarting reflector had sent", sorted(frr.routes()))
    lab(t, FULL, folder="again", neighbors=neighbors)
    feeder = t.peer(SCRIPTED, target=RR, families=VPN, graceful_restart=gr(), join=False)
    wait_until(bird.established, "BIRD is back", 40)
    feeder.announce("65000:9", ["10.50.%d.0/24" % i for i in range(10)], ["65000:9"], label=900, next_hop=SCRIPTED)
    feeder.eor()
    wait_until(lambda: len(set(bird.routes()) & have) == 10, lambda: "BIRD has %s" % sorted(bird.routes()), 70)


@test("RFC 4724 §4.2, RFC 8538: GoBGP with graceful restart is killed: its routes stay for its restart time, then they go")
def gobgp_killed(t):
    t.addresses(RR, PE, SCRIPTED)
    heliod = lab(t)
    observer = t.peer(SCRIPTED, target=RR, families=VPN)
    gobgp = Gobgp(t, "gobgp", PE, RR, restart_time=8)
    gobgp.add_vrf("red", "65000:4", "65000:100")
    gobgp.add_route("red", "10.4.0.0/24")
    observer.wait_route("65000:4", "10.4.0.0/24", deadline=30)
    gobgp.process.stop(signal.SIGKILL)
    wait_until(lambda: heliod.show("peer", PE)["restart"], "kept over the restart", 5)
    time.sleep(3)
    check(observer.route("65000:4", "10.4.0.0/24"), "the route stayed for a while")
    observer.wait_gone("65000:4", "10.4.0.0/24", deadline=20)
