"""Sessions and memberships that come and go, refreshes without end, leaks, and PEs that do not read."""
import struct

import bgp
from abuse import Metrics, METRICS_PORT, abuse, check, clients_toml, wait_until
from crowd import clients

VPN, WITH_RTC = (bgp.VPNV4,), (bgp.VPNV4, bgp.RTC)


def announcement(rd, prefixes, rts, label=16, **attributes):
    """UPDATEs of full messages for these prefixes."""
    head = bgp.path_attributes(rts, **attributes)
    out, room = [], (4096 - 19 - 4 - len(head) - 40) // 16
    for at in range(0, len(prefixes), room):
        nlri = b"".join(bgp.vpn_nlri(rd, p, (label,)) for p in prefixes[at:at + room])
        out.append(bgp.update(head + bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), nlri)))
    return b"".join(out)


def table_of(rd, prefixes, label):
    """What a Line with `keep` has of them."""
    return {n[:1] + n[4:]: n[1:4] for n in (bgp.vpn_nlri(rd, p, (label,)) for p in prefixes)}


@abuse("RFC 4271 §6, HOSTILE-INPUT §3 flap storm (Junos CVE-2020-1662): 1000 PEs come, announce and vanish, again and again; nothing of them stays")
def flap_storm(a):
    a.start(tail="[security]\nmax-pending-sessions = 2000\n")
    count, rounds = a.size(300, 1000), a.size(3, 10)
    observer, = a.establish(["127.1.8.7"], keep=True)
    with a.during("flap storm"):
        for number in range(rounds):
            lines = a.establish(clients(count), deadline=30)
            for i, line in enumerate(lines):
                a.crowd.send(line, announcement("65000:%d" % i, ["10.%d.0.0/16" % n for n in range(5)], ["65000:1"], 100 + number))
            mine = lambda: sum(1 for label in observer.routes.values() if label == bgp.label_field(100 + number))
            a.crowd.run(lambda: mine() == 5 * count, 40)
            for i, line in enumerate(lines):
                a.crowd.drop(line, reset=i % 2 == 0)
            a.crowd.forget_closed()
            # Without a route target of its own the observer, which has no RT-Constrain, holds the pair's too.
            a.crowd.run(lambda: mine() == 0, 40)
    a.over(counts=[("session_closes_total", {}, count * rounds)], lines=a.size(2500, 20000), mib=64,
           log=["session closed reason=tcp-"])


@abuse("RFC 4684 §3.2, §6, HOSTILE-INPUT §3 RTC churn (GoBGP 1630, 1777): 2000 memberships on and off by several PEs; the exact final set")
def rtc_churn(a):
    a.start()
    many, pes, rounds = 2000, a.size(4, 20), a.size(5, 25)
    source, = a.establish(["127.1.8.1"])
    for i in range(0, many, 100):
        for rt in range(i, i + 100):
            source.send(announcement("65000:5", ["10.%d.%d.0/24" % (rt // 250, rt % 250)], ["64999:%d" % rt], 77))
    a.crowd.send(source, bgp.end_of_rib(bgp.VPNV4))
    members = a.establish(clients(pes), families=WITH_RTC, keep=True)
    nlri = [bgp.rtc_nlri(65000, "64999:%d" % rt) for rt in range(many)]
    head = bgp.path_attributes()

    def memberships(which, wanted):
        out = b""
        for at in range(0, len(which), 250):
            part = b"".join(nlri[i] for i in which[at:at + 250])
            out += bgp.update(head + bgp.mp_reach(bgp.RTC, bgp.ip("10.1.0.1"), part)) if wanted else bgp.update(bgp.mp_unreach(bgp.RTC, part))
        return out

    with a.during("RTC churn"):
        for line in members:
            line.send(bgp.end_of_rib(bgp.RTC) + bgp.end_of_rib(bgp.VPNV4))
        for _ in range(rounds):
            for line in members:
                a.crowd.send(line, memberships(range(many), True) + memberships(range(many), False))
            a.crowd.run(seconds=0.3)
        for number, line in enumerate(members):
            a.crowd.send(line, memberships(range(number, many, 3), True))
        for number, line in enumerate(members):
            # Not len(): keys are compared at the end, when it is quiet.
            want = len(range(number, many, 3))
            a.crowd.run(lambda: len(line.routes) == want, 60)
        a.crowd.run(seconds=1)
    for number, line in enumerate(members):
        prefixes = ["10.%d.%d.0/24" % (rt // 250, rt % 250) for rt in range(number, many, 3)]
        check(line.routes == table_of("65000:5", prefixes, 77), "%s has another set than it asked for: %d of %d" % (line.address, len(line.routes), len(prefixes)))
    a.over(lines=100, mib=64)


@abuse("RFC 2918, RFC 7313 §4, HOSTILE-INPUT §3 refresh flood (FRR 22357): refreshes by the hundred, BoRR without EoRR, EoRR without BoRR, families nobody has")
def refresh_storm(a):
    a.start()
    pes, each = a.size(20, 50), a.size(100, 500)
    prefixes = ["10.%d.%d.0/24" % (i // 250, i % 250) for i in range(2000)]
    source, = a.establish(["127.1.8.1"])
    a.crowd.send(source, announcement("65000:5", prefixes, ["65000:5"], 5) + bgp.end_of_rib(bgp.VPNV4))
    pair_key = bgp.rd("65000:31337")
    lines = a.establish(clients(pes), keep=True)
    mine = lambda line: {k: v for k, v in line.routes.items() if k[1:9] != pair_key}
    a.crowd.run(lambda: all(len(mine(l)) == 2000 for l in lines), 30)
    with a.during("refresh storm"):
        for line in lines:
            line.counts[bgp.ROUTE_REFRESH] = 0
            line.withdrawals = 0
            a.crowd.send(line, bgp.route_refresh(bgp.VPNV4) * each + bgp.route_refresh((25, 70)) * 10 + bgp.route_refresh(bgp.VPNV4, 3) * 10)
        # The source's own refreshes: what it does not say again between BoRR and EoRR goes (§4.1); an end without a beginning is nothing.
        a.crowd.send(source, bgp.route_refresh(bgp.VPNV4, 2) * 20 + bgp.route_refresh(bgp.VPNV4, 1) + announcement("65000:5", prefixes[:1500], ["65000:5"], 5) +
                     bgp.route_refresh(bgp.VPNV4, 2) + bgp.route_refresh(bgp.VPNV4, 1) * 50 + announcement("65000:5", prefixes[:1500], ["65000:5"], 6) + bgp.route_refresh(bgp.VPNV4, 2))
        a.crowd.run(lambda: all(mine(l) == table_of("65000:5", prefixes[:1500], 6) for l in lines), 60)
        a.crowd.run(lambda: all(l.counts[bgp.ROUTE_REFRESH] >= 2 for l in lines), 30)
        a.crowd.run(seconds=1)
    answers = max(l.counts[bgp.ROUTE_REFRESH] // 2 for l in lines)
    a.notes["answers_of_%d" % each] = answers
    check(answers < each, "the storm was answered one by one: %d times" % answers)
    check(all(not l.closed and not l.notification for l in lines + [source]), "a session was lost")
    a.over(counts=[("messages_total", {"direction": "in", "type": "route_refresh"}, pes * each)], mib=64, lines=a.size(100, 300))


@abuse("RFC 4486 §4, CVE-2020-1632: a PE leaks far beyond its prefix limit: idle-hold ends the session, once, discard-new keeps out the rest, warn says so; retries are refused")
def max_prefix_leak(a):
    limit = lambda action: 'prefix-limits = { "l3vpn-ipv4-unicast" = { max-prefixes = 1000, action = "%s", restart-timer = 3600 } }' % action
    groups = "".join(clients_toml(limit(action), action, "127.4.%d.0/24" % net) for net, action in ((101, "idle-hold"), (102, "discard-new"), (103, "warn")))
    a.start(a.config(groups=groups))
    leaked = ["10.%d.%d.%d/32" % (i // 62500, i // 250 % 250, i % 250) for i in range(a.size(20000, 200000))]
    holds, discards, warns = a.establish(["127.4.101.1", "127.4.102.1", "127.4.103.1"])
    with a.during("max-prefix leak"):
        for number, line in enumerate((holds, discards, warns)):
            a.crowd.send(line, announcement("65000:%d" % (60 + number), leaked, ["65000:5"], 5))
        a.crowd.run(lambda: holds.notification, 20)
        check(holds.notification == (6, 1), "Cease/Maximum Number of Prefixes Reached", holds.notification)
        for _ in range(20):
            again, = a.connect(["127.4.101.1"])
            a.crowd.run(lambda: again.closed, 5)
            check(not again.established and not again.open, "a session within the restart timer")
        paths = lambda: Metrics(METRICS_PORT).sum("rib_paths", family="vpnv4")
        a.crowd.run(lambda: not discards.out and not warns.out, 30)
        wait_until(lambda: len(leaked) + 1000 <= paths() <= len(leaked) + 1250, lambda: "the paths of two PEs: %d" % paths(), 30)
        check(not discards.closed and not warns.closed, "discard-new and warn keep the session")
    a.over(counts=[("routes_discarded_total", {"reason": "prefix_limit"}, len(leaked) - 1000), ("session_closes_total", {"reason": "max-prefixes"}, 1),
                   ("connections_refused_total", {"reason": "held"}, 20)],
           log=["127.4.101.1.*reason=max-prefixes", "127.4.102.1.*is above its prefix limit", "127.4.103.1.*is above its prefix limit", "held down after its prefix limit"], mib=64)


@abuse("H7 D, DESIGN §1: memory used up: at 90 % of the limit new sessions are refused, at 100 % the largest offender is closed, nobody else; told, counted, and over when it is")
def memory_used_up(a):
    limit = 128 << 20
    a.start(a.config().replace("[runtime]\n", '[runtime]\nmemory-limit = "%dMiB"\n' % (limit >> 20)))
    leaker, small = a.establish(["127.1.8.1", "127.1.8.2"], families=WITH_RTC)
    with a.during("memory used up"):
        a.crowd.send(small, announcement("65000:70", ["10.%d.0.0/16" % i for i in range(100)], ["65000:5"], 5))
        for block in range(60000):  # 3 KB of attributes each: more than the limit by half
            leaker.send(announcement("65000:71", ["10.%d.%d.0/24" % (block // 250, block % 250)], ["65000:5"], 5, extra=[(200, struct.pack(">I", block) * 750, 0xC0)]))
        a.crowd.interest(leaker)
        a.crowd.run(lambda: leaker.notification, 60)
        check(leaker.notification == (6, 8), "Cease/Out of Resources", leaker.notification)
        wait_until(lambda: "accepted again" in a.heliod.log.read_text(), "the end of the shortage", 40)
        check(not small.closed, "a session that is not the largest")
        check(Metrics(METRICS_PORT).sum("memory_limit_bytes") == limit and 0 < Metrics(METRICS_PORT).sum("memory_used_bytes") < limit, "the gauges", Metrics(METRICS_PORT).sum("memory_used_bytes"))
        a.newcomer()
    a.over(counts=[("sessions_shed_total", {}, 1), ("session_closes_total", {"reason": "out-of-resources"}, 1)], mib=64,
           log=["memory used-mib=.*new sessions are refused", "session with 127.1.8.1 closed, the one with the most paths", "new sessions are accepted again"])


@abuse("HOSTILE-INPUT §3 slow peer, DESIGN §1: PEs that stop reading delay nobody, cost bounded memory, and have exactly the last state when they read again")
def slow_readers(a):
    a.start(tail='[slow-peer]\nqueue-limit = "2MiB"\nstall-time = "100ms"\n')
    blocks, rounds = 200, a.size(12, 60)
    prefixes = [["10.%d.%d.0/24" % (b, i) for i in range(20)] for b in range(blocks)]
    source, = a.establish(["127.1.8.1"])
    slow = a.establish(clients(a.size(5, 20)), keep=True, receive_buffer=4096)
    for line in slow:
        a.crowd.stop_reading(line)
    with a.during("beside slow readers", median=0.25):
        for number in range(rounds):
            for block in range(blocks):
                source.send(announcement("65000:%d" % block, prefixes[block], ["65000:5"], 100 + number, extra=[(200, struct.pack(">HH", number, block) * 700, 0xC0)]))
            a.crowd.interest(source)
            a.crowd.run(lambda: not source.out, 30)
            a.crowd.run(seconds=0.3)
        wait_until(lambda: Metrics(METRICS_PORT).sum("peer_lag_seconds") > 1, "the lag of the slow PEs is shown", 10)
        waiting = Metrics(METRICS_PORT)
        a.notes["queued_mib"] = waiting.sum("peer_output_queue_bytes") / 2**20
        check(a.notes["queued_mib"] < 2 * 2 * len(slow) + 2, "more is queued than two shards' limits for each slow PE: %.1f MiB" % a.notes["queued_mib"])
    with a.during("while they catch up"):
        for line in slow:
            a.crowd.resume_reading(line)
        want = {}
        for block in range(blocks):
            want.update(table_of("65000:%d" % block, prefixes[block], 100 + rounds - 1))
        pair_key = bgp.rd("65000:31337")
        a.crowd.run(lambda: all({k: v for k, v in l.routes.items() if k[1:9] != pair_key} == want for l in slow), 60)
        check(not any(l.closed for l in slow), "a slow PE was closed", [l.notification for l in slow])
    a.over(mib=64, lines=100)
