"""Four GoBGP PEs with VRFs and RT-Constrain behind the reflector: two customers with the same prefixes (issue H1, proof 1)."""
import bgp
from daemons import Gobgp
from harness import check, test, wait_until

# GoBGP sends no End-of-RIB without graceful restart: the reflector's initial wait ends the hold.
WAIT = 'initial-wait = 2'
RED, BLUE, GREEN = "65000:100", "65000:200", "65000:300"
SHARED = ["10.0.%d.0/24" % i for i in range(8)]  # both customers use them


def vrf_rd(pe, customer):
    return "65000:%d%02d" % (pe, int(customer.split(":")[1]) // 100)


def foreign_targets(capture, sent_to, allowed):
    """Route targets outside `allowed` in VPN announcements that the capture shows on their way to a PE."""
    rows = capture.tshark("ip.dst==%s and bgp.update.path_attribute.mp_reach_nlri.safi==128" % sent_to, "bgp.ext_com.value_as2", "bgp.ext_com.value_an4")
    seen = set()
    for admins, numbers in rows:
        seen |= {"%d:%d" % (int(a, 0), int(n, 0)) for a, n in zip(admins.split(","), numbers.split(",")) if a and n}
    return seen - set(allowed), seen


@test("RFC 4684 §6, RFC 4364 §4.3; DESIGN §3; wire 2.1, pitfalls 1.15, 1.26, field note 3.2")
def four_pes_two_customers(t):
    t.reflector(rtc=WAIT)
    members = {1: (RED, BLUE), 2: (RED, BLUE), 3: (RED,), 4: (BLUE,)}
    pes = {n: Gobgp(t, "pe%d" % n, "127.1.0.1%d" % n, "127.0.0.1") for n in members}
    expected = {RED: set(), BLUE: set(), GREEN: set()}
    for n, customers in members.items():
        for customer in customers:
            pes[n].add_vrf("red" if customer == RED else "blue", vrf_rd(n, customer), customer)
            for prefix in SHARED:
                pes[n].add_route("red" if customer == RED else "blue", prefix)
                expected[customer].add((vrf_rd(n, customer), prefix))

    def settled(n, vrf, customer):
        have = pes[n].vrf_routes(vrf)
        return have == expected[customer], "pe%d %s: missing %s, foreign %s" % (n, vrf, sorted(expected[customer] - have)[:4], sorted(have - expected[customer])[:4])

    def all_settled():
        return all(settled(n, "red" if c == RED else "blue", c)[0] for n, cs in members.items() for c in cs)

    wait_until(lambda: all(pe.established() for pe in pes.values()), "four sessions established")
    wait_until(all_settled, lambda: [settled(n, "red" if c == RED else "blue", c)[1] for n, cs in members.items() for c in cs])

    # A VRF added later gets its routes by its membership alone; nobody sends a ROUTE-REFRESH.
    pes[4].add_vrf("red", vrf_rd(4, RED), RED)
    wait_until(lambda: settled(4, "red", RED)[0], lambda: settled(4, "red", RED)[1])
    pes[4].add_route("red", "10.77.0.0/24")
    expected[RED].add((vrf_rd(4, RED), "10.77.0.0/24"))
    members[4] = (BLUE, RED)
    wait_until(all_settled, lambda: [settled(n, "red" if c == RED else "blue", c)[1] for n, cs in members.items() for c in cs])

    # A customer that nobody imported so far: the index must hold interest before there are routes, and routes before interest.
    pes[1].add_vrf("green", vrf_rd(1, GREEN), GREEN)
    pes[1].add_route("green", "10.0.0.0/24")
    expected[GREEN].add((vrf_rd(1, GREEN), "10.0.0.0/24"))
    pes[3].add_vrf("green", vrf_rd(3, GREEN), GREEN)
    wait_until(lambda: settled(3, "green", GREEN)[0], lambda: settled(3, "green", GREEN)[1])

    # A removed VRF loses its routes: the PE withdraws its membership and the reflector withdraws the routes.
    foreign = {vrf_rd(n, BLUE) for n in (1, 4)}
    pes[2].remove_route("blue", SHARED[0])
    expected[BLUE].discard((vrf_rd(2, BLUE), SHARED[0]))
    wait_until(all_settled, lambda: [settled(n, "red" if c == RED else "blue", c)[1] for n, cs in members.items() for c in cs])
    pes[2].remove_vrf("blue")
    wait_until(lambda: not any(key.startswith(tuple(rd + ":" for rd in foreign)) for key in pes[2].global_routes()),
               lambda: "pe2 still has %s" % sorted(pes[2].global_routes())[:5])
    for prefix in SHARED[1:]:
        expected[BLUE].discard((vrf_rd(2, BLUE), prefix))
    members[2] = (RED,)
    wait_until(all_settled, lambda: [settled(n, "red" if c == RED else "blue", c)[1] for n, cs in members.items() for c in cs])

    # On the wire: no PE was ever sent a route without a route target that it had asked for.
    t.capture.stop()
    for n, allowed in {1: (RED, BLUE, GREEN), 2: (RED, BLUE), 3: (RED, GREEN), 4: (RED, BLUE)}.items():
        foreign_rts, seen = foreign_targets(t.capture, "127.1.0.1%d" % n, allowed)
        check(not foreign_rts, "pe%d was sent routes with foreign route targets %s" % (n, foreign_rts))
        check(seen, "the capture shows no VPN route on its way to pe%d" % n)
    refreshes = t.capture.tshark("bgp.type==5", "frame.number")
    check(not refreshes, "a ROUTE-REFRESH was needed: frames %s" % refreshes)


@test("RFC 4684 §6, RFC 4724 §2; wire 2.7, pitfall 1.19: a PE that goes away takes its routes and its membership alone")
def pe_restart(t):
    t.reflector(rtc=WAIT)
    one, two, three = (Gobgp(t, "pe%d" % n, "127.1.0.1%d" % n, "127.0.0.1") for n in (1, 2, 3))
    for n, pe in ((1, one), (2, two), (3, three)):
        pe.add_vrf("red", vrf_rd(n, RED), RED)
        pe.add_route("red", "10.0.%d.0/24" % n)
    everything = {(vrf_rd(n, RED), "10.0.%d.0/24" % n) for n in (1, 2, 3)}
    wait_until(lambda: all(pe.vrf_routes("red") == everything for pe in (one, two, three)),
               lambda: [sorted(pe.vrf_routes("red")) for pe in (one, two, three)])
    three.process.stop()
    left = {k for k in everything if k[1] != "10.0.3.0/24"}
    wait_until(lambda: one.vrf_routes("red") == left and two.vrf_routes("red") == left,
               lambda: [sorted(pe.vrf_routes("red")) for pe in (one, two)])
    # Both still get each other's new routes: pe3's identical membership was its own alone.
    one.add_route("red", "10.9.0.0/24")
    wait_until(lambda: (vrf_rd(1, RED), "10.9.0.0/24") in two.vrf_routes("red"), "a new route of pe1 at pe2")
