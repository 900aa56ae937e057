"""Next hops followed in the kernel's routing table (RFC 4271 §9.1.2): real routes of a network namespace come, go and change."""
import signal
import subprocess
import time

import bgp
from harness import Skip, check, quiet, test, wait_until

VPN = (bgp.VPNV4, bgp.VPNV6)
A, B, OBSERVER = "127.1.0.11", "127.1.0.12", "127.1.0.13"
NEAR, FAR, SIX = "10.4.0.1", "10.4.0.2", "2001:db8:4::1"


def ip(*words, may_fail=False):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    check(may_fail or done.returncode == 0, "ip %s: %s" % (" ".join(words), done.stderr.strip()))


def lab(t, options=""):
    """A link with two ends, both here, so that it can lead somewhere and can be cut; heliod, two PEs and an observer."""
    if not t.isolated:
        raise Skip("needs a network namespace (root, or user namespaces)")
    ip("link", "add", "core0", "type", "veth", "peer", "name", "core1")
    for end in ("core0", "core1"):
        ip("link", "set", end, "up")
    ip("addr", "add", "10.50.0.1/24", "dev", "core0")
    ip("addr", "add", "2001:db8:50::1/64", "dev", "core0", "nodad")
    heliod = t.reflector(tail='[best-path]\nnext-hop-tracking = "kernel"\nnext-hop-delay = "300ms"\n' + options)
    return heliod, t.peer(A, families=VPN), t.peer(B, families=VPN), t.peer(OBSERVER, families=VPN)


def next_hop(heliod, address):
    return next((n for n in heliod.show("nexthops")["next_hops"] if n["next_hop"] == address), None)


@test("RFC 4271 §9.1.2.1; H4 B: a route whose next hop has no route is not used; it comes with the route, goes with it at once, and with the link")
def reachability(t):
    heliod, a, _, observer = lab(t)
    ip("route", "add", FAR, "dev", "core0")
    a.announce("65000:1", "10.0.1.0/24", ["65000:1"], next_hop=FAR)
    a.announce("65000:1", "10.0.0.0/24", ["65000:1"], next_hop=NEAR)
    a.announce("65000:1", "10.0.2.0/24", ["65000:1"], next_hop=NEAR)
    observer.wait_route("65000:1", "10.0.1.0/24")
    quiet(observer)
    check(observer.route("65000:1", "10.0.0.0/24") is None, "no route leads to %s" % NEAR)
    seen = next_hop(heliod, NEAR)
    check(seen["reachable"] is False and seen["metric"] is None and seen["paths"] == 2 and seen["attribute_sets"] == 1, "helioctl show nexthops", seen)
    check(next_hop(heliod, FAR)["reachable"] is True, "the other one can be reached", next_hop(heliod, FAR))

    ip("route", "add", NEAR, "dev", "core0", "metric", "20")
    observer.wait_route("65000:1", "10.0.0.0/24")
    observer.wait_route("65000:1", "10.0.2.0/24")
    check(next_hop(heliod, NEAR)["metric"] == 20, "the metric of the route", next_hop(heliod, NEAR))

    ip("route", "del", NEAR, "metric", "20")
    cut = time.monotonic()
    observer.wait_gone("65000:1", "10.0.0.0/24")
    observer.wait_gone("65000:1", "10.0.2.0/24")
    took = time.monotonic() - cut
    check(took < 0.25, "a lost next hop counts at once, before the delay of 300 ms: %.2f s" % took)
    check(observer.route("65000:1", "10.0.1.0/24") is not None, "others stay")
    lost = [r for r in heliod.show("routes", "--prefix", "10.0.0.0/24")["routes"][0]["paths"]]
    check(lost[0]["best"] is False and lost[0]["lost_at"] == "next hop unreachable", "helioctl says why", lost)

    # A route that only comes and goes within the delay does not count.
    mark = observer.mark()
    ip("route", "add", NEAR, "dev", "core0")
    ip("route", "del", NEAR)
    time.sleep(0.6)
    check(not observer.events_since(mark, "announce", "withdraw"), "a flap shorter than the delay is not told", observer.events_since(mark))

    # The kernel drops IPv4 routes over a dead link without a word about them.
    ip("route", "add", NEAR, "dev", "core0")
    observer.wait_route("65000:1", "10.0.0.0/24")
    ip("link", "set", "core0", "down")
    observer.wait_gone("65000:1", "10.0.0.0/24")
    observer.wait_gone("65000:1", "10.0.1.0/24")
    check(next_hop(heliod, FAR)["changes"] == 1, "told once", next_hop(heliod, FAR))


@test("RFC 4271 §9.1.2.2 e; H4 B: the nearer next hop wins, for VPNv4 and VPNv6; a new metric and a lost next hop move the best path")
def metric(t):
    heliod, a, b, observer = lab(t)
    ip("route", "add", NEAR, "dev", "core0", "metric", "30")
    ip("route", "add", FAR, "dev", "core0", "metric", "20")
    ip("route", "add", SIX, "dev", "core0", "metric", "10")
    for prefix, of_a, of_b in (("10.0.0.0/24", NEAR, FAR), ("2001:db8:1::/48", FAR, SIX)):
        # The one of a has the lower router-id and address.
        a.announce("65000:1", prefix, ["65000:1"], label=1, next_hop="::ffff:" + of_a if ":" in prefix else of_a)
        b.announce("65000:1", prefix, ["65000:1"], label=2, next_hop=of_b)
    observer.wait_route("65000:1", "10.0.0.0/24", 2)
    observer.wait_route("65000:1", "2001:db8:1::/48", 2)
    paths = heliod.show("routes", "--prefix", "10.0.0.0/24")["routes"][0]["paths"]
    check([p["lost_at"] for p in paths] == [None, "higher IGP metric"], "helioctl says why", paths)
    mark = observer.mark()
    ip("route", "add", NEAR, "dev", "core0", "metric", "5")
    observer.wait_route("65000:1", "10.0.0.0/24", 1)
    check(len(observer.events_since(mark, "announce", "withdraw")) == 1, "one announcement, nothing else", observer.events_since(mark))
    ip("-6", "route", "del", SIX, "dev", "core0", "metric", "10")
    observer.wait_route("65000:1", "2001:db8:1::/48", 1)
    ip("route", "del", NEAR, "metric", "5")
    observer.wait_route("65000:1", "10.0.0.0/24", 2)
    check(next_hop(heliod, NEAR)["metric"] == 30 and next_hop(heliod, SIX)["reachable"] is False, "as helioctl shows it", heliod.show("nexthops"))


@test("H4 B: a default route resolves no next hop, unless it is told to; blackhole, unreachable and prohibit routes never do")
def default_route(t):
    heliod, a, _, observer = lab(t)
    ip("route", "add", "default", "dev", "core0")
    a.announce("65000:1", "10.0.0.0/24", ["65000:1"], next_hop=NEAR)
    wait_until(lambda: next_hop(heliod, NEAR), "the next hop is known")
    check(next_hop(heliod, NEAR)["reachable"] is False and next_hop(heliod, NEAR)["only_default_route"] is True, "default only", next_hop(heliod, NEAR))
    ip("route", "add", "10.4.0.0/16", "dev", "core0")
    observer.wait_route("65000:1", "10.0.0.0/24")
    for kind in ("blackhole", "unreachable", "prohibit"):
        ip("route", "add", kind, NEAR + "/32")
        observer.wait_gone("65000:1", "10.0.0.0/24")
        check(next_hop(heliod, NEAR)["only_default_route"] is False, kind, next_hop(heliod, NEAR))
        ip("route", "del", kind, NEAR + "/32")
        observer.wait_route("65000:1", "10.0.0.0/24")


@test("H4 B: next-hop-default-route = true")
def default_route_counts(t):
    _, a, _, observer = lab(t, "next-hop-default-route = true\n")
    ip("route", "add", "default", "dev", "core0")
    a.announce("65000:1", "10.0.0.0/24", ["65000:1"], next_hop=NEAR)
    observer.wait_route("65000:1", "10.0.0.0/24")
    ip("route", "del", "default")
    observer.wait_gone("65000:1", "10.0.0.0/24")


@test("H4 B: when the kernel's notifications were lost (ENOBUFS), every next hop is looked up again")
def overrun(t):
    heliod, a, _, observer = lab(t)
    ip("route", "add", NEAR, "dev", "core0")
    a.announce("65000:1", "10.0.0.0/24", ["65000:1"], next_hop=NEAR)
    observer.wait_route("65000:1", "10.0.0.0/24")
    batch = t.folder / "routes"
    batch.write_text("".join("route replace 100.%d.%d.0/24 dev core0\n" % (i // 256, i % 256) for i in range(40000)) + "route del %s\n" % NEAR)
    heliod.child.send_signal(signal.SIGSTOP)
    try:
        ip("-batch", str(batch))
    finally:
        heliod.child.send_signal(signal.SIGCONT)
    observer.wait_gone("65000:1", "10.0.0.0/24")
    heliod.wait_log("notifications were lost")
    ip("route", "add", NEAR, "dev", "core0")
    observer.wait_route("65000:1", "10.0.0.0/24")
    # A change while heliod still works through what had arrived before the loss: the kernel drops it without a word.
    for milliseconds in (0.2, 0.4, 0.8):
        heliod.child.send_signal(signal.SIGSTOP)
        try:
            ip("-batch", str(batch))
            heliod.child.send_signal(signal.SIGCONT)
            time.sleep(milliseconds / 1000)
        finally:
            heliod.child.send_signal(signal.SIGSTOP)
            ip("route", "add", NEAR, "dev", "core0")
            heliod.child.send_signal(signal.SIGCONT)
        wait_until(lambda: next_hop(heliod, NEAR)["reachable"], "the route that came back is seen")
        observer.wait_route("65000:1", "10.0.0.0/24")


@test("H4 B: without next-hop-tracking every next hop is usable, whatever the kernel knows")
def off(t):
    if not t.isolated:
        raise Skip("needs a network namespace (root, or user namespaces)")
    heliod = t.reflector()
    a, observer = t.peer(A, families=VPN), t.peer(OBSERVER, families=VPN)
    a.announce("65000:1", "10.0.0.0/24", ["65000:1"], next_hop="203.0.113.99")
    observer.wait_route("65000:1", "10.0.0.0/24")
    view = heliod.show("nexthops")
    check(view["tracking"] == "off" and view["next_hops"] == [dict(next_hop="203.0.113.99", reachable=True, only_default_route=False, metric=None, paths=1,
                                                                     attribute_sets=1, changes=0, changed_seconds_ago=None)], "shown all the same", view)
