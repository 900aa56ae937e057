#!/usr/bin/python3
"""The soak: churn, flaps, membership changes and refreshes by helio-pe for a long time, the untouched pair beside it.

    tests/abuse/soak.py [--minutes 30] [--rate 2000] [--pes 50] [--bin DIR] [--out FOLDER]

Watched every few seconds: resident memory, what the allocator has given out, descriptors, queues, CPU. At the end: memory by the
hour with its 95 % interval, counters that must agree, the pair's latency. Writes soak.csv (samples), soak.json and soak.md
(figures) to the folder; exit status 0 when everything was conserved and memory does not grow.
"""
import argparse
import csv
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "interop")]
sys.dont_write_bytecode = True

from abuse import METRICS_PORT, PAIR, Pair, clients_toml
from harness import Heliod, reflector_toml
from runner import namespace_prefix
from vitals import Metrics, descriptors, resident_mib

BLOCKS = 12          # averages that the regression sees: neighbouring samples are not independent of each other
T_95 = 2.228         # Student's t for BLOCKS - 2 degrees of freedom
GROWTH = 8.0         # MiB per hour that the lower end of the interval must not reach
QUIET = ("leaf", "table", "directory", "attributes", "rt_set", "provenance")


def regression(samples, name):
    """(slope per hour, half of its 95 % interval) of a column over the time, from block averages, the first fifth left out."""
    warm = samples[len(samples) // 5:]
    size = len(warm) / BLOCKS
    blocks = [warm[int(i * size):int((i + 1) * size)] for i in range(BLOCKS)]
    xs = [sum(s["seconds"] for s in b) / len(b) / 3600 for b in blocks]
    ys = [sum(s[name] for s in b) / len(b) for b in blocks]
    mean_x, mean_y = sum(xs) / BLOCKS, sum(ys) / BLOCKS
    sxx = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) / sxx
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in zip(xs, ys))
    return slope, T_95 * math.sqrt(rest / (BLOCKS - 2) / sxx)


def sample(heliod, started):
    metrics, pid = Metrics(METRICS_PORT), heliod.child.pid
    return {"seconds": time.monotonic() - started, "rss_mib": resident_mib(pid), "allocated_mib": metrics.sum("allocator_bytes", kind="allocated") / 2**20,
            "descriptors": descriptors(pid), "queue_mib": metrics.sum("peer_output_queue_bytes") / 2**20, "paths": metrics.sum("rib_paths", family="vpnv4"),
            "best_changes": metrics.sum("rib_best_changes_total", family="vpnv4"), "cpu_seconds": metrics.sum("process_cpu_seconds_total"),
            "log_kib": heliod.log.stat().st_size / 1024}


def settle(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.5)
    return condition()


class Verdict:
    def __init__(self):
        self.problems, self.lines = [], []

    def hold(self, condition, text):
        self.lines.append(("holds: " if condition else "does not hold: ") + text)
        if not condition:
            self.problems.append(text)


def conserved(verdict, load, pair):
    """What must agree when all is quiet; then everybody leaves, and nothing may be left."""
    metrics = Metrics(METRICS_PORT)
    quiet = lambda: (Metrics(METRICS_PORT).sum("rib_paths", family="vpnv4"), Metrics(METRICS_PORT).sum("peer_prefixes", family="vpnv4", rib="adj_in"))
    settle(lambda: quiet() == (pair["routes"], pair["routes"]))
    verdict.hold(quiet() == (pair["routes"], pair["routes"]), "paths in the RIB = paths in the peers' Adj-RIBs-In = what the pair announces (%d; %d, %d)" % ((pair["routes"],) + quiet()))
    sent = load["sent_bytes"]
    # helio-pe does not count the NOTIFICATIONs with which its PEs leave.
    heard = sum(metrics.sum("bytes_total", direction="in", type=t) for t in ("open", "update", "keepalive", "route_refresh")) - pair["octets"]
    verdict.hold(heard == sent, "octets that heliod received = octets that the PEs sent (%d, %d)" % (heard, sent))
    verdict.hold(not metrics.has("update_errors_total"), "no UPDATE error")
    verdict.hold(metrics.sum("rib_best_changes_total", family="vpnv4") >= load["soak_changes"], "at least as many best-path changes as the PEs made (%d)" % load["soak_changes"])
    verdict.hold(load["missing"] == load["surplus"] == load["wrong"] == load["malformed"] == load["duplicates"] == load["unknown_withdrawals"] == 0,
                 "every PE held exactly its set in each of %d rounds, nothing twice" % load["soak_rounds"])


def run(options):
    folder = pathlib.Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    work, verdict = pathlib.Path(tempfile.mkdtemp(prefix="helio-soak-")), Verdict()
    heliod = Heliod(pathlib.Path(options.bin), work, reflector_toml(groups=clients_toml(), telemetry=METRICS_PORT, log_level="info", tail='[journal]\nmemory = "4MiB"\n'))
    pair = Pair("--a", PAIR[0], "--b", PAIR[1], "--interval", "0.1")
    try:
        return watch(options, folder, work, heliod, pair, verdict)
    finally:
        pair.end()
        heliod.stop()


def watch(options, folder, work, heliod, pair, verdict):
    time.sleep(2)
    first_descriptors = descriptors(heliod.child.pid)
    argv = [pathlib.Path(options.bin) / "helio-pe", "--target", "127.0.0.1:1790", "--base-address", "127.1.16.1", "--pes", options.pes, "--vrfs", 2 * options.pes, "--vrfs-per-pe", 10,
            "--routes-per-vrf", 100, "--rtc", "on", "--scenario", "soak", "--duration", int(options.minutes * 60), "--churn-rate", options.rate, "--quiet",
            "--rr-pid", heliod.child.pid, "--json", work / "load.json"]
    started, samples, latencies = time.monotonic(), [], []
    load = subprocess.Popen([str(a) for a in argv], stdout=open(work / "load.txt", "w"), stderr=subprocess.STDOUT)
    while load.poll() is None:
        time.sleep(options.every)
        samples.append(sample(heliod, started))
        latencies.append(pair.ask("sample"))
    figures = json.loads((work / "load.json").read_text()) if (work / "load.json").exists() else {}
    verdict.hold(load.returncode == 0, "helio-pe ended well: %s" % (work / "load.txt").read_text().strip()[-300:])
    totals = pair.ask("finish")
    verdict.hold(totals["pending"] == 0, "the pair's sessions stayed up, each of its %d changes arrived once" % totals["changes"])
    if figures:
        conserved(verdict, figures, totals)
    pair.end()
    settle(lambda: Metrics(METRICS_PORT).sum("rib_attribute_sets") == 0)
    left = Metrics(METRICS_PORT)
    verdict.hold(left.sum("rib_paths") == left.sum("rib_prefixes") == left.sum("rib_attribute_sets") == 0, "nobody there: no path, no prefix, no attribute set")
    remains = {k: left.sum("rib_memory_bytes", kind=k) for k in QUIET}
    verdict.hold(settle(lambda: descriptors(heliod.child.pid) <= first_descriptors), "descriptors as at the start (%d, %d)" % (descriptors(heliod.child.pid), first_descriptors))
    verdict.hold(heliod.alive(), "heliod is alive")
    heliod.end()
    report(folder, options, samples, latencies, figures, verdict, remains)
    return 1 if verdict.problems else 0


def report(folder, options, samples, latencies, load, verdict, remains):
    with open(folder / "soak.csv", "w", newline="") as file:
        out = csv.DictWriter(file, samples[0].keys())
        out.writeheader()
        out.writerows({k: round(v, 3) for k, v in s.items()} for s in samples)
    medians = sorted(l["median"] for l in latencies if l["median"] is not None)
    worst = max(l["max"] for l in latencies if l["max"] is not None)
    slopes = {name: regression(samples, name) for name in ("rss_mib", "allocated_mib", "descriptors")} if len(samples) >= 2 * BLOCKS else {}
    if slopes:
        slope, half = slopes["rss_mib"]
        verdict.hold(slope - half < GROWTH, "resident memory does not grow: %+.2f MiB per hour, 95 %% interval %+.2f to %+.2f" % (slope, slope - half, slope + half))
    peak = {k: max(s[k] for s in samples) for k in ("rss_mib", "queue_mib", "descriptors")}
    cpu = (samples[-1]["cpu_seconds"] - samples[0]["cpu_seconds"]) / (samples[-1]["seconds"] - samples[0]["seconds"])
    lines = ["%.0f minutes, %d PEs, %d routes, %d changes a second asked for: %d changes, %d rounds of churn, flap, membership change, refresh" %
             (samples[-1]["seconds"] / 60, options.pes, options.pes * 1000, options.rate, load.get("soak_changes", 0), load.get("soak_rounds", 0))]
    lines += ["%s: %+.3f per hour, 95 %% interval %+.3f to %+.3f" % (name, s, s - h, s + h) for name, (s, h) in slopes.items()]
    lines += ["resident memory %.1f MiB after the warm-up, %.1f at the end, %.1f at most; queues at most %.2f MiB; descriptors at most %d; CPU %.2f cores" %
              (samples[len(samples) // 5]["rss_mib"], samples[-1]["rss_mib"], peak["rss_mib"], peak["queue_mib"], peak["descriptors"], cpu),
              "the pair: median of medians %.2f ms, worst change %.1f ms" % (medians[len(medians) // 2], worst)] + verdict.lines
    (folder / "soak.md").write_text("".join("- %s\n" % line for line in lines))
    (folder / "soak.json").write_text(json.dumps({"slopes": slopes, "peak": peak, "cpu_cores": cpu, "load": load, "left_bytes": remains, "problems": verdict.problems}, indent=1))
    print("\n".join(lines))
    print("%s; figures in %s" % ("FAILED" if verdict.problems else "passed", folder))


def main():
    parser = argparse.ArgumentParser(description="a long run: does memory follow time, do the counters agree?")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=2000, help="changes per second")
    parser.add_argument("--pes", type=int, default=50)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between samples")
    parser.add_argument("--bin", default=str(HERE.parents[1] / "build/release/bin"))
    parser.add_argument("--out", default="soak-results")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return run(options)
    return subprocess.run(namespace_prefix() + [sys.executable, __file__, *sys.argv[1:], "--inside"]).returncode


if __name__ == "__main__":
    sys.exit(main())
