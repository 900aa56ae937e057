"""Reflectors that are killed or replaced under PEs that know graceful restart: nothing is ever withdrawn at them."""
import os
import pathlib
import signal
import struct
import time

import bgp
from abuse import Metrics, METRICS_PORT, abuse, check, clients_toml, wait_until
from crowd import Line
from harness import Heliod, group_toml, reflector_toml

FAMILIES = (bgp.VPNV4, bgp.RTC)
TARGET = "65000:5"
FULL = '[graceful-restart]\nmode = "full"\nrestart-time = 120\nselection-deferral-time = 120\n'


def routes_of(pe, count):
    """UPDATEs of `count` /32s of a PE in two VRFs, with 20 sets of attributes."""
    out, sets = [], 20
    for part in range(sets):
        head = bgp.path_attributes([TARGET], med=part)
        hop = bgp.vpn_next_hop("10.1.0.%d" % pe)
        rd, label = bgp.rd("65000:%d" % (100 + 2 * pe + part % 2)), bgp.label_field(1000 + pe)
        nlri = [bytes([120]) + label + rd + struct.pack(">I", 0x0A000000 + i) for i in range(part, count, sets)]
        room = (4096 - 23 - len(head) - 40) // 16
        for at in range(0, len(nlri), room):
            out.append(bgp.update(head + bgp.mp_reach(bgp.VPNV4, hop, b"".join(nlri[at:at + room]))))
    return b"".join(out)


class Pe:
    """A PE with graceful restart (RFC 4724): what a reflector had sent stays while that is away, and is compared when it is back."""

    def __init__(self, a, number, count):
        self.a, self.number, self.address, self.said = a, number, "127.1.0.%d" % number, routes_of(number, count)
        self.lines, self.stale = {}, {}

    def connect(self, target):
        line = Line(self.address, families=FAMILIES, keep=True, target=(target, 1790), graceful_restart=bytes([0, 120]))
        nlri = bgp.rtc_nlri(65000, TARGET)
        line.handshake().send(bgp.update(bgp.path_attributes() + bgp.mp_reach(bgp.RTC, bgp.ip(self.address), nlri)) + bgp.end_of_rib(bgp.RTC))
        line.send(self.said + bgp.end_of_rib(bgp.VPNV4))
        self.lines[target] = self.a.crowd.add(line)

    def problems(self, target):
        """What was withdrawn or is other than before, once the reflector has sent its End-of-RIB."""
        line, before = self.lines[target], self.stale[target]
        out = ["%d withdrawals" % line.withdrawals] if line.withdrawals else []
        out += ["a NOTIFICATION %d/%d" % line.notification] if line.notification else []
        gone, changed = len(before.keys() - line.routes.keys()), sum(1 for k, v in line.routes.items() if before.get(k) != v)
        return out + (["%d routes gone, %d changed or new" % (gone, changed)] if gone or changed else [])


def converge(a, pes, target, each, seconds):
    """All sessions to the reflector up, all routes and its End-of-RIBs there. Returns when, by step, in seconds."""
    started, out = time.monotonic(), {}
    for pe in pes:
        pe.connect(target)

    def sessions():
        for pe in pes:
            if pe.lines[target].closed and not pe.lines[target].established:
                pe.connect(target)
        return all(pe.lines[target].established for pe in pes)

    a.crowd.run(sessions, seconds)
    out["sessions"] = time.monotonic() - started
    a.crowd.run(lambda: all(bgp.VPNV4 in pe.lines[target].eors and len(pe.lines[target].routes) == each * (len(pes) - 1) for pe in pes), seconds)
    out["routes"] = time.monotonic() - started
    a.crowd.forget_closed()
    return out


def neighbors_toml(pes, others=()):
    return "".join('[[neighbors]]\naddress = "%s"\npeer-group = "clients"\n' % pe.address for pe in pes) + "".join(
        '[[neighbors]]\naddress = "%s"\npeer-group = "mesh"\nlocal-address = "%s"\nremote-port = 1790\n' % o for o in others)


@abuse("RFC 4724 §4.1, HOSTILE-INPUT §3: SIGKILL and restart with 1 M routes under graceful restart: zero withdrawals at the PEs, every table as before")
def killed_under_gr(a):
    each, count = a.size(10000, 250000), 4
    pes = [Pe(a, n + 1, each) for n in range(count)]
    config = reflector_toml(groups=group_toml("clients", extra="passive = true") + neighbors_toml(pes), tail=FULL, telemetry=METRICS_PORT, log_level="info")
    heliod = a.reflector(config, watch=False)
    first = converge(a, pes, "127.0.0.1", each, a.size(40, 300))
    a.notes["first_convergence_s"] = first["routes"]
    for round_number in range(a.size(2, 3)):
        for pe in pes:
            pe.stale["127.0.0.1"] = pe.lines["127.0.0.1"].routes
            check(pe.lines["127.0.0.1"].withdrawals == 0, "withdrawals without a reason")
        heliod.stop(signal.SIGKILL)
        a.reflectors.remove(heliod)
        a.crowd.run(lambda: all(pe.lines["127.0.0.1"].closed for pe in pes), 10)
        killed = time.monotonic()
        heliod = a.reflector(config, watch=False, folder="again%d" % round_number)
        listening = time.monotonic() - killed
        times = converge(a, pes, "127.0.0.1", each, a.size(40, 300))
        a.crowd.run(seconds=1)
        for pe in pes:
            problems = pe.problems("127.0.0.1")
            check(not problems, "%s after a SIGKILL under %d routes" % (pe.address, each * count), *problems)
        a.notes.update(routes=each * count, listens_s=listening, sessions_s=listening + times["sessions"], all_routes_and_eor_s=listening + times["routes"], withdrawals=0)
    wait_until(lambda: Metrics(METRICS_PORT).sum("rib_paths", family="vpnv4") == each * count, "the RIB holds what the PEs announce", 10)
    a.crowd.close()


@abuse("RFC 4724 §4.1: of listen ranges it is not known who comes: after a SIGKILL a reflector is silent for restart-time, then says everything; zero withdrawals at the PEs")
def killed_with_listen_ranges(a):
    each, restart_time = a.size(2000, 50000), a.size(8, 30)
    pes = [Pe(a, n + 1, each) for n in range(4)]
    config = reflector_toml(groups=clients_toml("passive = true"), tail=FULL.replace("restart-time = 120", "restart-time = %d" % restart_time), telemetry=METRICS_PORT, log_level="info")
    heliod = a.reflector(config, watch=False)
    converge(a, pes, "127.0.0.1", each, 60)
    for pe in pes:
        pe.stale["127.0.0.1"] = pe.lines["127.0.0.1"].routes
    heliod.stop(signal.SIGKILL)
    a.reflectors.remove(heliod)
    a.crowd.run(lambda: all(pe.lines["127.0.0.1"].closed for pe in pes), 10)
    heliod, began = a.reflector(config, watch=False, folder="again"), time.monotonic()
    for pe in pes[:3]:
        pe.connect("127.0.0.1")
    a.crowd.run(seconds=restart_time / 2)
    check(not any(line.eors or line.routes for line in (pe.lines["127.0.0.1"] for pe in pes[:3])), "something was said though a PE was still to come")
    check("End-of-RIB" in heliod.control("health") and not heliod.show("summary")["ready"], "not ready while it is silent", heliod.control("health"))
    pes[3].connect("127.0.0.1")  # late, and in time: nobody may have lost its routes
    a.crowd.run(lambda: all(bgp.VPNV4 in pe.lines["127.0.0.1"].eors and len(pe.lines["127.0.0.1"].routes) == each * 3 for pe in pes), 60)
    a.notes.update(restart_time_s=restart_time, silent_s=time.monotonic() - began)
    a.crowd.run(seconds=1)
    for pe in pes:
        problems = pe.problems("127.0.0.1")
        check(not problems, "%s after a SIGKILL" % pe.address, *problems)
    a.crowd.close()


@abuse("H7 H: a pair of reflectors is upgraded one after the other under graceful restart: no withdrawal at any PE, every table as before")
def rolling_upgrade(a):
    new = a.binaries
    old = pathlib.Path(os.environ["HELIO_OLD_HELIOD"]) if os.environ.get("HELIO_OLD_HELIOD") else a.folder / "old" / "heliod"
    if not old.exists():
        old.parent.mkdir(parents=True)
        old.write_bytes((new / "heliod").read_bytes())
        old.chmod(0o755)
    a.notes["old"] = str(old) if os.environ.get("HELIO_OLD_HELIOD") else "a copy"
    each, count = a.size(5000, 50000), 4
    pes = [Pe(a, n + 1, each) for n in range(count)]
    addresses = ("127.0.0.1", "127.0.0.2")

    def run(index, binary, folder):
        own, other = addresses[index], addresses[1 - index]
        config = reflector_toml(listen=((own, 1790),), router_id="10.255.0.%d" % (index + 1), log_level="info", tail=FULL,
                                groups=group_toml("clients", extra="passive = true") + group_toml("mesh", "non-client") + neighbors_toml(pes, [(other, own)]))
        target = a.folder / folder / "bin"
        target.mkdir(parents=True)
        (target / "heliod").symlink_to(binary)
        (target / "helioctl").symlink_to(new / "helioctl")
        made = Heliod(target, a.folder / folder, config)
        a.reflectors.append(made)
        return made

    running = [run(i, old, "old%d" % i) for i in range(2)]
    for address in addresses:
        converge(a, pes, address, each, 60)
    wait_until(lambda: all("peer=%s group=mesh state=Established" % addresses[1 - i] in running[i].text() for i in range(2)), "the reflectors' own session", 20)
    a.crowd.run(seconds=1)
    for index, address in enumerate(addresses):
        for pe in pes:
            pe.stale[address] = pe.lines[address].routes
        other = addresses[1 - index]
        heard = {pe: pe.lines[other].counts[bgp.UPDATE] for pe in pes}
        started = time.monotonic()
        running[index].end()
        a.reflectors.remove(running[index])
        a.crowd.run(lambda: all(pe.lines[address].closed for pe in pes), 10)
        for pe in pes:
            check(pe.lines[address].notification is None, "a NOTIFICATION would cost the routes of a PE without RFC 8538", pe.lines[address].notification)
        running[index] = run(index, new / "heliod", "new%d" % index)
        converge(a, pes, address, each, 60)
        a.notes["rr%d_away_s" % (index + 1)] = time.monotonic() - started
        a.crowd.run(seconds=1.5)
        for pe in pes:
            problems = pe.problems(address)
            check(not problems, "%s after the upgrade of %s" % (pe.address, address), *problems)
            check(pe.lines[other].withdrawals == 0 and not pe.lines[other].closed, "%s noticed at %s that %s was upgraded" % (pe.address, other, address), pe.lines[other].notification)
        a.notes["updates_from_the_other_rr%d" % (index + 1)] = sum(pe.lines[other].counts[bgp.UPDATE] - heard[pe] for pe in pes)
    a.crowd.close()
