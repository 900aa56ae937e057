"""What every abuse test stands on: heliod with the pair beside it, figures of the pair while something bad happens, and the
checks that hold when it is over.

A test is `def name(a)` under `@abuse("what it covers")`; `a` is an Abuse. It calls start(), does its worst inside
`with a.during("…")`, and over() says what heliod must have counted and logged.
"""
import contextlib
import importlib
import json
import pathlib
import re
import subprocess
import sys
import time

from crowd import Crowd, Line
from harness import Failure, Test, check, group_toml, range_toml, reflector_toml, wait_until
from vitals import Metrics, Vitals, descriptors, resident_mib

HERE = pathlib.Path(__file__).resolve().parent
REGISTRY = {}
METRICS_PORT = 9179
PAIR = ("127.1.9.1", "127.1.9.2")


def abuse(clauses):
    def register(function):
        REGISTRY[function.__name__] = (function, clauses)
        return function
    return register


def load_tests():
    for file in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(file.stem)
        check(pathlib.Path(module.__file__) == file, "%s was not loaded, but %s: rename it" % (file, module.__file__))
    return REGISTRY


class Pair:
    """The process of pair.py."""

    def __init__(self, *options):
        self.child = subprocess.Popen([sys.executable, "-B", str(HERE / "pair.py"), *map(str, options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        line = self.child.stdout.readline()
        check(line, "the pair's process ended with status %s" % self.child.poll())
        figures = json.loads(line)
        check(not figures["problems"], "the pair noticed", *figures["problems"])
        return figures

    def ask(self, word):
        self.child.stdin.write(word + "\n")
        self.child.stdin.flush()
        return self.answer()

    def end(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()


def clients_toml(extra="", group="clients", prefix="127.1.0.0/16", max_peers=5000):
    return group_toml(group, extra=extra) + '[[listen-ranges]]\nprefix = "%s"\npeer-group = "%s"\nmax-peers = %d\n' % (prefix, group, max_peers)


class Abuse(Test):
    def __init__(self, name, folder, binaries, isolated=True, long=False):
        super().__init__(name, folder, binaries, isolated=isolated)
        self.long, self.figures, self.notes = long, {}, {}
        self.pair = self.heliod = None
        self.crowd = Crowd()

    def size(self, short, long):
        return long if self.long else short

    # ------------------------------------------------------------ the stage

    def config(self, tail="", groups=None, listen=(("127.0.0.1", 1790),), **options):
        """One client group for everybody; a journal so small that it is full from the beginning and not growth."""
        return reflector_toml(listen=listen, groups=(groups or "") + clients_toml(), telemetry=METRICS_PORT, log_level="info",
                              tail=tail + ("" if "[journal]" in tail else '\n[journal]\nmemory = "1MiB"\n'), **options)

    def start(self, config=None, pair=(), seconds=2.0, **options):
        """heliod and the pair; the pair alone for a moment, which is the figure to compare with."""
        self.heliod = self.reflector(config or self.config(**options), watch=False)
        self.pair = Pair("--a", PAIR[0], "--b", PAIR[1], *pair)
        time.sleep(0.5)
        with self.during("idle"):
            time.sleep(seconds)
        self.before = Vitals(self.heliod, METRICS_PORT)
        return self.heliod

    @contextlib.contextmanager
    def during(self, name, median=None):
        """Figures of the pair from here to the end of the block, in milliseconds; the issue bounds some medians."""
        self.pair.ask("sample")
        yield
        figures = self.pair.ask("sample")
        self.figures[name] = {k: figures[k] for k in ("count", "median", "p99", "max")}
        check(figures["count"] > 0, "the pair received nothing %s; %d changes wait" % (name, figures["pending"]))
        if median is not None:
            check(figures["median"] < median * 1000, "median propagation of the pair %s is %.1f ms, the bound is %.0f ms" % (name, figures["median"], median * 1000), figures)

    def establish(self, addresses, **options):
        return self.crowd.establish(addresses, **options)

    def connect(self, addresses, **options):
        return self.crowd.connect(addresses, **options)

    def raw_line(self, address, **options):
        return self.crowd.add(Line(address, **options))

    def newcomer(self, address="127.1.8.1", within=5.0):
        """A PE that comes now has its session and the pair's routes in time (HOSTILE-INPUT §3, connection flood)."""
        started, crowd = time.monotonic(), Crowd()
        line, = crowd.establish([address], deadline=within, keep=True)
        crowd.send(line, bgp_end_of_rib())
        crowd.run(lambda: line.eors, within)
        self.notes["newcomer_ms"] = (time.monotonic() - started) * 1000
        check(self.notes["newcomer_ms"] < within * 1000, "a new PE had to wait %.1f s" % (self.notes["newcomer_ms"] / 1000))
        crowd.close()

    # ------------------------------------------------------------ the end

    def counted(self, name, **labels):
        """By how much a metric grew since start()."""
        return self.after.sum(name, **labels) - self.before.metrics.sum(name, **labels)

    def over(self, counts=(), log=(), lines=200, mib=32, others_routes=0):
        """When the abuse is over. `counts`: (metric, labels, least growth); `log`: expressions of which each has a line;
        `lines`: how many lines the log may have grown; `mib`: what memory may have."""
        self.crowd.close()
        totals = self.pair.ask("finish")
        check(self.heliod.alive() and self.heliod.child.pid == self.before.pid, "heliod ended: status %s" % self.heliod.child.poll())
        wait_until(lambda: descriptors(self.before.pid) <= self.before.descriptors + 3,
                   lambda: "descriptors back: %d, were %d" % (descriptors(self.before.pid), self.before.descriptors), 20)
        wait_until(lambda: resident_mib(self.before.pid) <= self.before.mib + mib,
                   lambda: "memory back: %.0f MiB, were %.0f" % (resident_mib(self.before.pid), self.before.mib), 30)
        wanted = totals["routes"] + others_routes
        wait_until(lambda: Metrics(METRICS_PORT).sum("rib_paths", family="vpnv4") == wanted,
                   lambda: "the RIB holds %d paths, the pair %d" % (Metrics(METRICS_PORT).sum("rib_paths", family="vpnv4"), wanted), 20)
        self.after = Metrics(METRICS_PORT)
        for metric, labels, least in counts:
            grown = self.counted(metric, **labels)
            self.notes["%s %s" % (metric, " ".join(labels.values()))] = grown
            check(grown >= least, "%s %s grew by %d, expected at least %d" % (metric, labels, grown, least))
        added = self.heliod.log.read_bytes()[self.before.log_size:].decode(errors="replace").splitlines()
        for expression in log:
            check(any(re.search(expression, line) for line in added), "no line of the log says '%s'" % expression, *added[-5:])
        check(len(added) <= lines, "the log has %d more lines, %d are enough" % (len(added), lines), *added[-5:])
        check("ready" in self.heliod.control("health"), "helioctl health", self.heliod.control("health"))
        self.notes.update(log_lines=len(added), mib=resident_mib(self.before.pid) - self.before.mib, descriptors=descriptors(self.before.pid) - self.before.descriptors,
                          pair_routes=totals["routes"], pair_changes=totals["changes"])

    def finish(self):
        if self.pair:
            self.pair.end()
        return super().finish()

    def abandon(self):
        if self.pair:
            self.pair.end()
        self.crowd.close()
        super().abandon()


def bgp_end_of_rib():
    import bgp
    return bgp.end_of_rib(bgp.VPNV4)


__all__ = ["abuse", "Abuse", "Pair", "PAIR", "METRICS_PORT", "Metrics", "clients_toml", "check", "wait_until", "Failure", "descriptors", "resident_mib"]
