"""What every interop test stands on: processes by pid, a private network namespace, the reflector, capture and tshark.

A test is a function `def name(t)` under `@test("clauses it covers")`; `t` is a Test. run.py starts each one in a process
and, when it may, a network namespace of its own, so tests can run side by side and use any port and address.
"""
import importlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import bgp
from peer import Failure, Peer, quiet

HERE = pathlib.Path(__file__).resolve().parent
MODULES = tuple(sorted(f.stem for f in HERE.glob("test_*.py")))
REGISTRY = {}


class Skip(Exception):
    """The test cannot run on this machine; the text says why."""


def test(clauses):
    def register(function):
        REGISTRY[function.__module__[5:] + "." + function.__name__] = (function, clauses)
        return function
    return register


def load_tests():
    for module in MODULES:
        importlib.import_module(module)
    return REGISTRY


def check(condition, text, *details):
    if not condition:
        raise Failure(text + "".join("\n    %s" % (d,) for d in details))


def wait_until(condition, what, deadline=30, step=0.1):
    """Polls until the condition holds; its value is returned."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure("not within %d s: %s" % (deadline, what() if callable(what) else what))
        time.sleep(step)


class Process:
    """A child process with its output in a log file, ended by its pid."""

    def __init__(self, argv, log, env=None, cwd=None):
        self.argv, self.log = [str(a) for a in argv], pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd)

    def text(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        return self.child.poll() is None

    def wait_log(self, word, deadline=10):
        def seen():
            if word in self.text():
                return True
            check(self.alive(), "%s ended with %s before it said '%s'" % (self.argv[0], self.child.returncode, word))
            return False
        wait_until(seen, "'%s' in %s" % (word, self.log), deadline, 0.02)

    def stop(self, sig=signal.SIGTERM, deadline=5):
        """Sends the signal and returns the exit status; kills after the deadline."""
        if self.alive():
            self.child.send_signal(sig)
            try:
                self.child.wait(deadline)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return self.child.returncode


def families_toml(families):
    return "[%s]" % ", ".join('"%s"' % f for f in families)


VPN4, VPN6, RTC_NAME = "l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "rt-constrain"
ALL_FAMILIES = (VPN4, VPN6, RTC_NAME)
EVPN_NAME = "l2vpn-evpn"


def group_toml(name, role="client", peer_as=65000, families=ALL_FAMILIES, extra=""):
    role_line = 'role = "%s"\n' % role if peer_as == 65000 else ""
    return '[[peer-groups]]\nname = "%s"\npeer-as = %d\n%sfamilies = %s\n%s\n' % (name, peer_as, role_line, families_toml(families), extra)


def range_toml(prefix, group):
    return '[[listen-ranges]]\nprefix = "%s"\npeer-group = "%s"\nmax-peers = 200\n' % (prefix, group)


def reflector_toml(listen=(("127.0.0.1", 1790),), router_id="10.255.0.1", cluster_id="10.255.0.1", shards=2, rtc="", timers="",
                   groups=None, tail="", families=ALL_FAMILIES, telemetry=0, log_level="debug"):
    """The foreign configuration of the test plan: AS 65000, 127.1/16 clients, 127.2/16 non-clients, 127.3/16 AS 65100."""
    if groups is None:
        groups = (group_toml("clients", families=families) + group_toml("mesh", "non-client", families=families) +
                  group_toml("external", peer_as=65100, families=families) + range_toml("127.1.0.0/16", "clients") +
                  range_toml("127.2.0.0/16", "mesh") + range_toml("127.3.0.0/16", "external"))
    listen_text = ", ".join('{ address = "%s", port = %d }' % l for l in listen)
    return ('[global]\nas = 65000\nrouter-id = "%s"\ncluster-id = "%s"\nlisten = [%s]\n\n[runtime]\nshards = %d\n\n'
            '[timers]\nhold-time = 90\nkeepalive-interval = 30\nconnect-retry = 1\n%s\n' % (router_id, cluster_id, listen_text, shards, timers) +
            "".join('[[families]]\nname = "%s"\n' % f for f in families) +
            '\n[rt-constrain]\n%s\n\n[control]\nsocket = "control.sock"\n\n[telemetry]\nport = %d\n\n[log]\nlevel = "%s"\nformat = "text"\n\n' %
            (rtc or 'advertise = "auto"', telemetry, log_level) + groups + tail)


class Heliod(Process):
    """heliod with a configuration, in a folder of its own; stop() checks that it ends well and in seconds."""

    def __init__(self, binaries, folder, config):
        self.binaries, self.folder = binaries, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "heliod.toml"
        self.config.write_text(config)
        super().__init__([binaries / "heliod", "--config", self.config], self.folder / "heliod.log")
        self.wait_log("ready")

    def show(self, *words):
        """The JSON of `helioctl show …`."""
        import json
        done = subprocess.run([self.binaries / "helioctl", "--socket", self.folder / "control.sock", "show", *words, "-j"],
                              capture_output=True, text=True, timeout=15)
        check(done.returncode == 0, "helioctl show %s: exit %d: %s" % (" ".join(words), done.returncode, done.stderr.strip()))
        return json.loads(done.stdout)

    def control(self, *words):
        """helioctl with a command that answers in words."""
        done = subprocess.run([self.binaries / "helioctl", "--socket", self.folder / "control.sock", *words], capture_output=True, text=True, timeout=15)
        check(done.returncode == 0, "helioctl %s: exit %d: %s" % (" ".join(words), done.returncode, done.stderr.strip()))
        return done.stdout

    def explain(self, *words):
        """The JSON of `helioctl explain …` and its exit status: 0, or 1 when the answer is no."""
        import json
        done = subprocess.run([self.binaries / "helioctl", "--socket", self.folder / "control.sock", "explain", *words, "-j"], capture_output=True, text=True, timeout=15)
        check(done.returncode in (0, 1) and done.stdout, "helioctl explain %s: exit %d: %s" % (" ".join(words), done.returncode, done.stderr.strip()))
        return json.loads(done.stdout), done.returncode

    def end(self):
        check(self.alive(), "heliod died during the test with status %s" % self.child.poll())
        refused = [line for line in self.text().splitlines() if "seccomp:" in line and "refused" in line]
        check(not refused, "heliod needs a system call that its filter does not have", *refused)
        started = time.monotonic()
        status = self.stop(deadline=10)
        check(status == 0, "heliod ended with status %s on SIGTERM" % status)
        check(time.monotonic() - started < 5, "heliod took %.1f s to end" % (time.monotonic() - started))


class Capture:
    """tcpdump on lo; errors() is what tshark finds wrong in what the reflector sent."""

    def __init__(self, folder, ports, addresses):
        self.file, self.ports, self.addresses = pathlib.Path(folder) / "lo.pcap", ports, addresses
        argv = ["tcpdump", "-i", "lo", "-U", "--immediate-mode", "-B", "16384", "-s", "262144", "-Z", "root", "-w", str(self.file),
                " or ".join("tcp port %d" % p for p in ports)]
        self.process = Process(argv, pathlib.Path(folder) / "tcpdump.log")
        self.process.wait_log("listening on")

    def stop(self):
        time.sleep(0.05)  # the last packets pass the kernel's capture ring
        self.process.stop(signal.SIGINT)

    def tshark(self, display_filter, *fields):
        """Rows of the given fields of every frame that the filter selects."""
        argv = ["tshark", "-n", "-r", str(self.file), "-Y", display_filter, "-T", "fields", "-E", "separator=|"]
        for port in self.ports:
            argv += ["-d", "tcp.port==%d,bgp" % port]
        for field in fields:
            argv += ["-e", field]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        check(done.returncode == 0, "tshark failed: " + done.stderr.strip())
        return [line.split("|") for line in done.stdout.splitlines()]

    def sent_filter(self):
        """What the reflector sent: its listening addresses and ports as source, or as the connecting side."""
        return "(%s)" % " or ".join(("ipv6.src==%s" if ":" in a else "ip.src==%s") % a for a in self.addresses)

    def errors(self):
        """Frames of the reflector that tshark calls malformed, or that carry a warning or error of its BGP dissector."""
        rows = self.tshark(self.sent_filter() + " and bgp and (_ws.malformed or _ws.expert.severity >= 0x600000)",
                           "frame.number", "_ws.malformed", "_ws.expert.message", "_ws.expert.severity")
        # TCP's own remarks (window full, retransmission) share the frame with BGP; they are not about our bytes.
        tcp_words = ("TCP ", "Connection ", "This frame is a", "Previous segment", "D-SACK", "ACKed segment", "Duplicate ACK", "Out-Of-Order")
        bad = []
        for number, malformed, messages, severity in rows:
            texts = [m for m in messages.split(",") if m and not m.strip().startswith(tcp_words)]
            # tshark 4.0 does not know RFC 8654; whether long messages were negotiated is checked by the scripted peers.
            lengths = [int(w) for w in re.findall(r"Length is invalid (\d+)", messages)]
            if lengths and all(4096 < n <= 65535 for n in lengths) and len(texts) == len(lengths) and "Malformed Packet: BGP" not in malformed:
                continue
            if malformed or texts:
                bad.append("frame %s: %s %s" % (number, malformed, "; ".join(texts)))
        return bad

    def frames(self):
        return len(self.tshark(self.sent_filter() + " and bgp", "frame.number"))


class Test:
    """The hands of a running test. Everything started through it is ended by finish(), newest first."""

    def __init__(self, name, folder, binaries, reflector="heliod", isolated=True):
        self.name, self.folder, self.binaries, self.kind, self.isolated = name, pathlib.Path(folder), pathlib.Path(binaries), reflector, isolated
        self.folder.mkdir(parents=True, exist_ok=True)
        self.processes, self.peers, self.reflectors, self.capture = [], [], [], None

    def addresses(self, *addresses):
        """Adds addresses to lo; only in a namespace of our own."""
        if not self.isolated:
            raise Skip("needs a network namespace (root, or user namespaces)")
        for address in addresses:
            full = address if "/" in address else address + ("/128" if ":" in address else "/32")
            subprocess.run(["ip", "addr", "add", full, "dev", "lo"] + (["nodad"] if ":" in address else []), check=True)

    def watch(self, ports=(1790,), addresses=("127.0.0.1",)):
        """Captures from here to the end; what the reflector sends is then judged by tshark."""
        if shutil.which("tcpdump") and shutil.which("tshark") and os.geteuid() == 0:
            self.capture = Capture(self.folder, ports, addresses)
        return self.capture

    def record(self):
        """Captures whatever passes this namespace from here to the end, all interfaces; `senders` says who is who."""
        if not self.isolated or os.geteuid() != 0 or not shutil.which("tcpdump"):
            raise Skip("a record needs root, a network namespace and tcpdump")
        argv = ["tcpdump", "-i", "any", "-U", "--immediate-mode", "-B", "16384", "-s", "262144", "-Z", "root", "-w", str(self.folder / "record.pcap"), "tcp or udp"]
        self.process(argv, "record.log").wait_log("listening on")

    def sender(self, daemon, address):
        """A daemon (by its name in tests/fuzz/capture.py) sends from this address."""
        with open(self.folder / "senders", "a") as out:
            out.write("%s %s\n" % (address, daemon))

    def reflector(self, config=None, watch=True, listen=(("127.0.0.1", 1790),), folder="heliod", **options):
        """The reflector under test with the foreign configuration, changed by options, or with `config` as it is."""
        if watch and self.capture is None:
            self.watch(tuple({p for _, p in listen}), tuple({a for a, _ in listen}))
        config = config or reflector_toml(listen=listen, **options)
        if self.kind == "gobgp":
            from daemons import GobgpReflector
            bgp.strict = False
            running = GobgpReflector(self.folder / folder, listen[0])
        else:
            running = Heliod(self.binaries, self.folder / folder, config)
        self.reflectors.append(running)
        return running

    def process(self, argv, log, **options):
        started = Process(argv, self.folder / log, **options)
        self.processes.append(started)
        return started

    def adopt(self, process):
        self.processes.append(process)
        return process

    def peer(self, address, *targets, join=True, **options):
        """A scripted peer, Established, its memberships and End-of-RIBs sent (unless join is False)."""
        made = self.unconnected(address, **options).start()
        return made.join(*targets) if join else made

    def unconnected(self, address, **options):
        made = Peer(address, **options)
        self.peers.append(made)
        return made

    def finish(self):
        """The checks every test ends with: no violation heard, a clean end of heliod, nothing for tshark to complain of."""
        problems = []
        for p in self.peers:
            if p.violation:
                problems.append("%s was sent a violation: %s" % (p, p.violation))
        for running in reversed(self.reflectors):
            try:
                running.end()
            except Failure as error:
                problems.append(str(error))
        for p in self.peers:
            p.close()
        for process in reversed(self.processes):
            process.stop()
        if self.capture:
            self.capture.stop()
            bad = self.capture.errors()
            if bad:
                problems.append("tshark on what the reflector sent: " + " | ".join(bad[:5]))
            elif not self.capture.frames() and self.peers:
                problems.append("the capture holds nothing of the reflector")
        return problems

    def abandon(self):
        """After a failure: ends everything without further judgement."""
        for p in self.peers:
            p.close()
        for process in list(reversed(self.processes)) + self.reflectors:
            process.stop(deadline=3)
        if self.capture:
            self.capture.stop()


__all__ = ["test", "check", "wait_until", "quiet", "Failure", "Skip", "Test", "Heliod", "Process", "Capture", "bgp", "reflector_toml",
           "group_toml", "range_toml", "families_toml", "VPN4", "VPN6", "RTC_NAME", "ALL_FAMILIES"]
