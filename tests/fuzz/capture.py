#!/usr/bin/python3
"""Grows the corpora of the wire fuzz targets from what real daemons send: GoBGP, FRR, BIRD, OpenBGPD and ExaBGP behind heliod.

    tests/fuzz/capture.py [--bin DIR] [--jobs N] [name…]    runs interop tests (those below, or the names) and keeps their packets
    tests/fuzz/capture.py --from FOLDER                     takes what `tests/interop/run.py --record` left there

Every connection of a daemon is put together (pcap.py), cut into messages and brought into the form that each target reads
(dissect.py). Of all these inputs a few are written to corpus/<target>/: again and again the one that shows most of what no
recorded input there has shown, until there is nothing new. Files already there stay, so a run with a new version of a daemon
adds only what that version does otherwise, and one input that says that it was tried. A file is called <daemon>-<version>-<target>-<n>.

Daemons sit in a network namespace with addresses and a host name made for the test: a recording holds nothing of the machine.
BMP streams and MRT files are taken too, most of them heliod's own and named so.
"""
import argparse
import collections
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import dissect  # noqa: E402
import pcap  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Tests in which a real daemon speaks, and few in which heliod writes BMP and MRT.
TESTS = ("variety.", "clients.", "gobgp.", "exabgp.", "evpn.gobgp", "evpn.frr", "bfd.frr", "add_path.bird", "restart.bird_restarts", "restart.frr_restarts",
         "restart.daemons_help", "restart.gobgp_killed", "session.frr_keys", "bmp.initial_dump", "bmp.statistics", "bmp.adj_rib_out",
         "mrt.dump_on_request", "mrt.path_ids", "mrt.updates")
PACKAGES = {"bird": "bird2", "exabgp": "exabgp", "frr": "frr", "gobgp": "gobgpd", "openbgpd": "openbgpd"}
MAX_FILES = 24    # of one version of a daemon, for one target; those that are there included
MAX_INPUT = 8192  # tests/fuzz/run.sh: -max_len


def version(daemon, binaries):
    """The upstream version of a daemon: of its Debian package, or what heliod says."""
    if daemon == "heliod":
        text = subprocess.run([binaries / "heliod", "--version"], capture_output=True, text=True, check=True).stdout
        return re.search(r"\d+(\.\d+)+", text)[0]
    text = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", PACKAGES[daemon]], capture_output=True, text=True, check=True).stdout
    return re.sub(r"^\d+:|-[^-]*$", "", text)


def record(names, binaries, jobs):
    """Runs interop tests; returns the folder with their packets."""
    argv = [sys.executable, ROOT / "tests/interop/run.py", "--bin", binaries, "--jobs", jobs, "--record", *names]
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    print("\n".join(line for line in lines if not line.startswith("PASS")))
    where = [line.split(": ", 1)[1] for line in lines if line.startswith("logs and captures: ")]
    if not where:
        sys.exit("the interop tests left nothing")
    return pathlib.Path(where[0])


def seeds_of_test(folder):
    """[(daemon, target, input)] of one test's folder: in the order of the packets, and of the files' names."""
    out = []
    if (folder / "record.pcap").exists():
        senders = {}
        if (folder / "senders").exists():
            senders = dict(line.split() for line in (folder / "senders").read_text().splitlines())
        out += seeds_of_packets((folder / "record.pcap").read_bytes(), senders)
    for file in sorted(folder.rglob("*.mrt")):
        below = file.relative_to(folder).parts[0]
        out += [(below if below in PACKAGES else "heliod", "mrt", r) for r in dissect.mrt_records(file.read_bytes())]
    return out


def seeds_of_packets(data, senders):
    out, bfd = [], {}
    streams, datagrams = pcap.read(data)
    for source, _, sent, back in streams:
        if source[0] in senders:
            out += [(senders[source[0]], *seed) for seed in dissect.seeds_of_stream(sent, back)]
        out += [(senders.get(source[0], "heliod"), "bmp", m) for m in dissect.bmp_messages(sent)]
    for seconds, source, destination, payload in datagrams:
        if source[0] in senders and destination[1] in dissect.BFD_PORTS:
            bfd.setdefault(source[0], []).append((seconds, payload))
    for source, packets in bfd.items():
        out += [(senders[source], *seed) for seed in dissect.seeds_of_datagrams(packets)]
    return out


class Corpus:
    """The inputs of one target: what is there, what the recorded ones among them show, and the new ones."""

    def __init__(self, folder, target):
        self.folder, self.target = folder / target, target
        self.contents, self.names, self.shown, self.recorded = set(), set(), set(), collections.Counter()
        for file in sorted(self.folder.glob("*")):
            content = file.read_bytes()
            self.contents.add(content)
            self.names.add(file.name)
            match = re.fullmatch(r"(.+)-%s-\d+" % target, file.name)
            if match:
                self.recorded[match[1]] += 1
                self.shown |= self.features(match[1], content)

    def features(self, label, content):
        return dissect.features(self.target, content) | {("from", label)}

    def grow(self, candidates):
        """Writes the best of the candidates, (label, input); returns how many and their octets."""
        unknown = {c: (label, self.features(label, c)) for label, c in reversed(candidates) if c not in self.contents and len(c) <= MAX_INPUT}
        octets = count = 0
        while unknown:
            content = min(unknown, key=lambda c: (-len(unknown[c][1] - self.shown), len(c), c))
            label, shows = unknown.pop(content)
            if not shows - self.shown:
                break
            if self.recorded[label] == MAX_FILES:
                continue
            self.shown |= shows
            self.write(label, content)
            octets, count = octets + len(content), count + 1
        return count, octets

    def write(self, label, content):
        number = 1
        while "%s-%s-%02d" % (label, self.target, number) in self.names:
            number += 1
        name = "%s-%s-%02d" % (label, self.target, number)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)
        self.names.add(name)
        self.recorded[label] += 1


def main():
    parser = argparse.ArgumentParser(description="grows tests/fuzz/corpus from what real daemons send")
    parser.add_argument("names", nargs="*", help="interop tests (default: those with real daemons)")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin", help="folder with heliod and helioctl")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--from", dest="folder", type=pathlib.Path, help="a folder that run.py --record left; nothing is run")
    parser.add_argument("--corpus", type=pathlib.Path, default=HERE / "corpus")
    options = parser.parse_args()
    folder = options.folder or record(options.names or TESTS, options.bin.resolve(), options.jobs)
    labels, candidates = {}, {target: [] for target in dissect.TARGETS}
    for test in sorted(f for f in folder.iterdir() if f.is_dir()):
        for daemon, target, content in seeds_of_test(test):
            if daemon not in labels:
                labels[daemon] = "%s-%s" % (daemon, version(daemon, options.bin))
            candidates[target].append((labels[daemon], content))
    if not options.folder:
        shutil.rmtree(folder, ignore_errors=True)
    for target, found in candidates.items():
        count, octets = Corpus(options.corpus, target).grow(found)
        print("%-12s %5d inputs recorded, %3d written, %6d octets" % (target, len(found), count, octets))
    if not labels:
        sys.exit("no daemon was heard")


if __name__ == "__main__":
    main()
