"""What heliod looks like from outside at a moment: process, memory, descriptors, metrics; and what must be true at the end of an abuse."""
import os
import re
import time
import urllib.request

from harness import check


def status_of(pid):
    """{name: text} of /proc/PID/status."""
    with open("/proc/%d/status" % pid) as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def resident_mib(pid):
    return int(status_of(pid)["VmRSS"].split()[0]) / 1024


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def scrape(port):
    """{(name, ((label, value), …)): number} of /metrics."""
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=20) as answer:
        text = answer.read().decode()
    out = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r"([a-z0-9_:]+)(?:\{(.*)\})? (\S+)", line).groups()
        out[name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels or "")))] = float(value)
    return out


class Metrics:
    """A scrape, asked by name without `heliograph_` and some labels: the sum of what has these."""

    def __init__(self, port):
        self.values = scrape(port)

    def has(self, name):
        """Some metrics are there only once they have counted something."""
        return any(n in ("heliograph_" + name, name) for n, _ in self.values)

    def sum(self, name, **labels):
        found = [v for (n, have), v in self.values.items() if n in ("heliograph_" + name, name) and set(labels.items()) <= set(have)]
        check(found or labels, "no metric %s" % name)
        return sum(found)


class Vitals:
    def __init__(self, heliod, port):
        pid = heliod.child.pid
        self.at, self.pid, self.mib, self.descriptors, self.metrics = time.monotonic(), pid, resident_mib(pid), descriptors(pid), Metrics(port)
        self.log_size = heliod.log.stat().st_size if heliod.log else 0
