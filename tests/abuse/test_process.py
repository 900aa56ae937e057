"""What happens to the process: stopped, killed, its clock set, its log blocked, its disk full, its control socket flooded."""
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import threading
import time

import bgp
from abuse import METRICS_PORT, Metrics, abuse, check, clients_toml, descriptors, resident_mib, wait_until
from crowd import clients, strangers
from harness import Heliod, Skip
from test_sessions import announcement, table_of


def gr(restarting=False):
    """RFC 4724 §3: we keep what a reflector that restarts had sent; our own forwarding goes on, too."""
    return bytes([0x80 if restarting else 0, 120]) + b"\0\1\x80\x80"


@abuse("SIGSTOP: shorter than the hold time nobody notices; longer, PEs close at their hold time, and all is exact again after SIGCONT")
def stopped(a):
    short_hold = a.size(6, 30)
    a.start(a.config(groups=clients_toml(group="quick", prefix="127.4.101.0/24")), seconds=1)
    pid = a.before.pid
    prefixes = ["10.1.%d.0/24" % i for i in range(50)]
    quick = a.establish(["127.4.101.1", "127.4.101.2"], hold=short_hold, keep=True)
    a.crowd.send(quick[0], announcement("65000:5", prefixes, ["65000:5"], 5) + bgp.end_of_rib(bgp.VPNV4))
    own = lambda line: {k: v for k, v in line.routes.items() if k[1:9] == bgp.rd("65000:5")}
    a.crowd.run(lambda: len(own(quick[1])) == 50, 10)
    with a.during("SIGSTOP within the hold time"):
        os.kill(pid, signal.SIGSTOP)
        a.crowd.run(seconds=short_hold * 0.5)
        os.kill(pid, signal.SIGCONT)
        a.crowd.run(seconds=2)
    check(not any(l.closed for l in quick), "a session was lost though heliod stood still for half a hold time only", [l.notification for l in quick])
    with a.during("SIGSTOP beyond it"):
        os.kill(pid, signal.SIGSTOP)
        a.crowd.run(seconds=a.size(short_hold * 1.5, 60))
        # A PE that heard nothing for its hold time ends the session (RFC 4271 §6.5); the other one is patient.
        a.crowd.send(quick[0], bgp.notification(4, 0))
        a.crowd.run(seconds=0.2)
        a.crowd.drop(quick[0])
        os.kill(pid, signal.SIGCONT)
        a.crowd.run(lambda: len(own(quick[1])) == 0 or quick[1].closed, 10)
    a.notes["patient_pe_kept_its_session"] = int(not quick[1].closed)
    check(not quick[1].closed, "keepalives that waited in the socket were not read before the hold time was looked at", quick[1].notification)
    back, = a.establish(["127.4.101.1"], hold=short_hold)
    a.crowd.send(back, announcement("65000:5", prefixes, ["65000:5"], 6) + bgp.end_of_rib(bgp.VPNV4))
    a.crowd.run(lambda: own(quick[1]) == table_of("65000:5", prefixes, 6), 10)
    a.over(counts=[("session_closes_total", {"reason": "notification-received"}, 1)], log=["127.4.101.1.*reason=notification-received"])


@abuse("HOSTILE-INPUT §3 clock jump: the real-time clock goes a year ahead, a year back and ten years ahead: no timer of a session stands on it")
def clock_jump(a):
    library, clock = a.folder / "clock_shift.so", a.folder / "shift"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(pathlib.Path(__file__).with_name("clock_shift.c"))], check=True)
    clock.write_bytes(struct.pack("@l", 0))
    preloaded = {"LD_PRELOAD": str(library), "HELIO_CLOCK_SHIFT": str(clock)}
    os.environ.update(preloaded)
    try:
        a.start(a.config(), pair=("--hold", "9"))
    finally:
        for name in preloaded:
            del os.environ[name]
    quick, = a.establish(["127.1.8.1"], hold=6)
    year = 366 * 86400
    with a.during("clock jumps"):
        with open(clock, "r+b") as file:
            for days in (366, -366, 3660, 0):
                file.seek(0)
                file.write(struct.pack("@l", days * 86400))
                file.flush()
                line, = a.establish(["127.1.8.2"])
                a.crowd.drop(line)
                a.crowd.run(seconds=a.size(2.2, 20))
                check(not quick.closed, "the session ended when the clock was off by %d days" % days, quick.notification)
    years = [time.strftime("%Y", time.gmtime(time.time() + offset)) for offset in (-year, year)]
    a.over(log=["^%s-" % y for y in years], lines=50)


@abuse("HOSTILE-INPUT §3 log blocked: nobody reads the log while thousands of lines are due: nobody waits, what is lost is counted, the end is not held up")
def log_flood(a):
    class Blocked(Heliod):
        """Its standard error is a pipe that is read until `ready`, and then no more."""
        def __init__(self, binaries, folder, config):
            self.binaries, self.folder, self.argv = binaries, pathlib.Path(folder), ["heliod"]
            self.folder.mkdir(parents=True)
            self.config, self.log = self.folder / "heliod.toml", self.folder / "heliod.log"
            self.config.write_text(config)
            self.log.write_text("")
            self.child = subprocess.Popen([binaries / "heliod", "--config", self.config], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            seen = b""
            while b"ready" not in seen:
                seen += os.read(self.child.stderr.fileno(), 4096)

    original = a.reflector
    a.reflector = lambda config, watch: a.reflectors.append(Blocked(a.binaries, a.folder / "heliod", config)) or a.reflectors[-1]
    a.start(a.config().replace('level = "info"', 'level = "trace"'))
    a.reflector = original
    malformed = bgp.update(bgp.path_attributes(["65000:5"], origin=9) + bgp.mp_reach(bgp.VPNV4, bgp.vpn_next_hop("10.1.0.1"), bgp.vpn_nlri("65000:5", "10.0.0.0/8")))
    with a.during("log blocked and flooded"):
        for number in range(a.size(12, 60)):
            lines = a.establish(clients(60), deadline=20)
            for line in lines:
                a.crowd.send(line, malformed * 200)
            a.connect(strangers(100))
            a.crowd.run(lambda: not any(l.out and not l.closed for l in lines), 20)
            for line in a.crowd.lines:
                a.crowd.drop(line)
            a.crowd.forget_closed()
    a.over(counts=[("log_lost_lines_total", {"reason": "limited"}, 100), ("update_errors_total", {"action": "withdraw"}, 1000)])
    a.notes["overrun"] = a.counted("log_lost_lines_total", reason="overrun")


@abuse("HOSTILE-INPUT §3 disk full: MRT files on a full disk; said, counted, whole files only, routes go on, written again when there is room")
def disk_full(a):
    disk = a.folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk)], capture_output=True).returncode != 0:
        raise Skip("cannot mount a tmpfs")
    try:
        a.start(tail='[mrt]\ndirectory = "%s"\nrib-dump-interval = 2\nupdates = true\nupdates-interval = 2\n' % disk)
        source, = a.establish(["127.1.8.1"])
        ballast = disk / "ballast"
        with a.during("disk full"):
            ballast.write_bytes(bytes(450 * 1024))
            for number in range(a.size(8, 60)):
                for block in range(20):
                    source.send(announcement("65000:%d" % block, ["10.%d.%d.0/24" % (block, i) for i in range(100)], ["65000:5"], 100 + number, med=number * 20 + block))
                a.crowd.interest(source)
                a.crowd.run(lambda: not source.out, 20)
                a.crowd.run(seconds=0.7)
            check(Metrics(METRICS_PORT).sum("mrt_write_errors_total") > 0, "the disk was not full")
        ballast.unlink()
        for file in disk.iterdir():
            file.unlink()
        records = Metrics(METRICS_PORT).sum("mrt_records_total")
        a.crowd.send(source, announcement("65000:1", ["10.99.0.0/24"], ["65000:5"], 99))
        wait_until(lambda: Metrics(METRICS_PORT).sum("mrt_records_total") > records, "records are written again", 15)
        a.crowd.run(seconds=2)
        for file in disk.iterdir():
            if not file.name.startswith("."):
                file.unlink()
        a.over(counts=[("mrt_write_errors_total", {}, 1), ("mrt_dropped_messages_total", {}, 1)], log=["mrt.*No space left"], lines=a.size(100, 400), mib=48)
    finally:
        a.heliod and a.heliod.alive() and a.reflectors.remove(a.heliod) is None and a.heliod.end()
        subprocess.run(["umount", "-l", str(disk)])


@abuse("[journal] is in memory alone: no disk to fill; its bound holds through 100,000 changes, what is out of it is told as too old")
def journal_bound(a):
    bound = 2 << 20
    a.start(tail='[journal]\nmemory = "2MiB"\n')
    source, = a.establish(["127.1.8.1"])
    journal = lambda: sum(k["bytes"] for k in a.heliod.show("memory")["kinds"] if "journal" in k["name"])
    with a.during("changes beyond the journal"):
        most = 0
        for number in range(a.size(20, 200)):
            for block in range(50):
                source.send(announcement("65000:%d" % block, ["10.%d.%d.0/24" % (block, i) for i in range(100)], ["65000:5"], 16 + number, med=number))
            a.crowd.interest(source)
            a.crowd.run(lambda: not source.out, 20)
            most = max(most, journal())
        a.notes.update(changes=number * 5000, journal_kib=most / 1024)
        check(bound / 2 < most <= bound * 1.1, "the journal holds %d octets, its bound is %d" % (most, bound), a.heliod.show("memory"))
    a.over(lines=20)


@abuse("helioctl flood: many clients at once, garbage, half requests, requests without end, clients that never read; the next answer is there")
def control_flood(a):
    a.start()
    path, dice, stop = str(a.folder / "heliod" / "control.sock"), random.Random(5), threading.Event()
    helioctl = [str(a.binaries / "helioctl"), "--socket", path]
    kinds = [lambda: dice.randbytes(dice.randrange(1, 3000)), lambda: b"GET /v1/summary HT", lambda: b"GET /v1/peers HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000,
             lambda: b"POST /v1/peers HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + bytes(70000), lambda: b"GET /v1/routes?stream=true HTTP/1.1\r\nHost: x\r\n\r\n",
             lambda: b"GET /v1/summary HTTP/1.1\r\nHost: x\r\n\r\n" * 50, lambda: b""]
    made = [0]

    def flood():
        held = []
        while not stop.is_set():
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(0.05)
            try:
                connection.connect(path)
                connection.sendall(dice.choice(kinds)())
            except OSError:
                pass
            made[0] += 1
            held.append(connection)
            if len(held) > 25:
                for c in held:
                    c.close()
                held = []
            time.sleep(0.002)
        for c in held:
            c.close()

    floods = [threading.Thread(target=flood) for _ in range(8)]
    with a.during("helioctl flood"):
        for thread in floods:
            thread.start()
        slowest, end = 0.0, time.monotonic() + a.size(5, 60)
        while time.monotonic() < end:
            burst = [subprocess.Popen(helioctl + ["show", "summary", "-j"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(4)]
            started = time.monotonic()
            for one in burst:
                one.communicate(timeout=60)
            slowest = max(slowest, time.monotonic() - started)
        stop.set()
        for thread in floods:
            thread.join()
    a.notes.update(connections=made[0], slowest_helioctl_s=slowest)
    started = time.monotonic()
    check(json.loads(subprocess.run(helioctl + ["show", "summary", "-j"], capture_output=True, timeout=40).stdout), "an answer after the flood")
    a.notes["next_helioctl_s"] = time.monotonic() - started
    a.over(lines=50)
