"""BFD beside BGP (RFC 5880, 5883, 9384) against FRR's bfdd: a PE in a network namespace of its own, behind a link that can be cut."""
import time

from daemons import FrrRouter
from harness import VPN4, check, group_toml, range_toml, test, wait_until

RR, PE = "10.9.0.100", "10.9.1.1"
OURS, THEIRS = "192.168.77.1", "192.168.77.2"


def lab(t, bfd):
    """heliod on a loopback address, FRR on one of its own, a link between them: a path of several hops for both."""
    router = FrrRouter(t, "pe", PE, link=(OURS, THEIRS), bgp="neighbor {0} bfd 3 300 300".format(RR), reflector=RR)
    t.addresses(RR)
    heliod = t.reflector(watch=False, listen=((RR, 1790),), groups=group_toml("clients", families=(VPN4,), extra=bfd) + range_toml("10.9.1.0/24", "clients"))
    router.start()
    return heliod, router


def of_peer(heliod):
    """The PE as heliod shows it; before its first connection, nothing."""
    return next((p for p in heliod.show("peers")["peers"] if p["address"] == PE), {"bfd": None, "state": "", "last_close": None})


def is_up(heliod, router):
    bfd = of_peer(heliod)["bfd"]
    return bfd and bfd["state"] == "Up" and bfd["remote_state"] == "Up" and router.bfd_status() == "up"


@test("RFC 5880 §6.2-6.8, RFC 5883 §4-5, RFC 9384 §3; H4 M: bfdd of FRR comes up, a cut path closes the session in a second, and it comes back")
def frr(t):
    heliod, router = lab(t, 'bfd = { enabled = true, interval = "200ms", multiplier = 3 }')
    wait_until(lambda: is_up(heliod, router), lambda: "BFD up: %s, FRR %s" % (of_peer(heliod), router.bfd()), deadline=40)
    time.sleep(2)
    peer = of_peer(heliod)
    check(peer["flaps"] == 0 and peer["bfd"]["transmit_interval_ms"] == 300 and peer["bfd"]["detection_time_ms"] == 900, "what both agreed on", peer["bfd"])
    theirs = router.bfd()
    check(theirs["remote-detect-multiplier"] == 3 and theirs["remote-receive-interval"] == 200 and theirs["multihop"], "what FRR heard of us", theirs)
    # The path, not the daemon: BGP's hold time of 90 s would not notice for long.
    router.cut()
    cut = time.monotonic()
    wait_until(lambda: of_peer(heliod)["last_close"] == "bfd-down", lambda: "the end of the session: %s" % of_peer(heliod), deadline=5)
    took = time.monotonic() - cut
    check(took < 2.5, "the cut was noticed after %.1f s" % took)
    check(of_peer(heliod)["last_notification"] == "sent: Cease/BFD Down", "the reason", of_peer(heliod))
    wait_until(lambda: router.bfd_status() == "down", "bfdd noticed too", deadline=5)
    router.mend()
    wait_until(lambda: is_up(heliod, router), lambda: "BFD up again: %s, FRR %s" % (of_peer(heliod), router.bfd()), deadline=40)
    check(of_peer(heliod)["flaps"] == 1, "one flap", of_peer(heliod))


@test("RFC 5880 §6.8.4, RFC 9384 §3, RFC 5882 §3.2; H4 M: bfdd dies: Cease/BFD Down reaches bgpd, and without bfdd the session comes back and stays")
def one_side(t):
    heliod, router = lab(t, "bfd = { enabled = true }")
    wait_until(lambda: is_up(heliod, router), lambda: "BFD up: %s, FRR %s" % (of_peer(heliod), router.bfd()), deadline=40)
    router.bfdd.stop(9)
    wait_until(lambda: of_peer(heliod)["last_close"] == "bfd-down", lambda: "the end of the session: %s" % of_peer(heliod), deadline=5)
    wait_until(lambda: "6/10" in router.bgp_log(), "the NOTIFICATION at bgpd", deadline=5)
    # Without bfdd the session comes back and stays: BFD was never Up.
    wait_until(lambda: of_peer(heliod)["state"] == "Established", "Established again", deadline=30)
    time.sleep(2)
    peer = of_peer(heliod)
    check(peer["state"] == "Established" and peer["flaps"] == 1 and peer["bfd"]["state"] == "Down", "BFD that was never Up closes nothing", peer)
