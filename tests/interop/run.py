#!/usr/bin/python3
"""Runs the interop tests: each in a process and a network namespace of its own, one line per test.

    tests/interop/run.py [--bin DIR] [--jobs N] [--list] [--keep] [--record] [--seconds N] [name…]

A name is `module`, `module.test` or any part of one. The closing line is `N passed, M failed`; exit status 0 when M is 0.
"""
import argparse
import concurrent.futures
import datetime
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
import harness  # noqa: E402
import runner  # noqa: E402


def run_child(name, folder, binaries, reflector, isolated, record):
    """One test in this process. Prints what went wrong; returns the exit status."""
    if isolated:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        socket.sethostname("pe")  # daemons tell it in their OPEN; the machine's own stays out of records
    function, _ = harness.load_tests()[name]
    t = harness.Test(name, folder, binaries, reflector, isolated)

    def body():
        if record:
            t.record()
        function(t)
        return t.finish()

    return runner.run_child(body, t.abandon)


def run_test(name, options, prefix, root):
    folder = root / name
    started = time.monotonic()
    argv = prefix + [sys.executable, __file__, "--child", name, "--folder", str(folder), "--bin", options.bin, "--reflector", options.reflector]
    argv += (["--isolated"] if prefix else []) + (["--record"] if options.record else [])
    status, text = runner.run_process(argv, options.timeout)
    return name, status, text, time.monotonic() - started, folder


def run_before(until, name, options, prefix, root):
    """run_test, or None: too late for it to begin."""
    if options.seconds is not None and time.monotonic() > until:
        return None
    return run_test(name, options, prefix, root)


def report(result, clauses):
    name, status, text, seconds, folder = result
    print("%s %5.1fs %-42s %s" % (runner.word_of(status), seconds, name, clauses))
    if status != 0:
        runner.print_details(text, status, folder)
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description="interop tests with real daemons and scripted peers")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--bin", default=str(HERE.parents[1] / "build/release/bin"), help="folder with heliod and helioctl")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=int, default=100, help="seconds for one test")
    parser.add_argument("--seconds", type=int, help="begin no test later; in an order of today's, so that in time all have their turn, and say how many were left")
    parser.add_argument("--reflector", choices=["heliod", "gobgp"], default="heliod", help="another reflector, to judge the tests themselves")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep logs and captures, and say where")
    parser.add_argument("--record", action="store_true", help="also keep all packets of each test in record.pcap (for tests/fuzz/capture.py)")
    parser.add_argument("--child")
    parser.add_argument("--folder")
    parser.add_argument("--isolated", action="store_true")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    if options.child:
        return run_child(options.child, options.folder, options.bin, options.reflector, options.isolated, options.record)

    tests = harness.load_tests()
    names = [n for n in tests if not options.names or any(w in n for w in options.names)]
    if options.list:
        for name in names:
            print("%-42s %s" % (name, tests[name][1]))
        return 0
    if options.reflector == "heliod" and not os.access(options.bin + "/heliod", os.X_OK):
        print("no heliod in %s: build first (bash tests/run.sh), or say --bin DIR" % options.bin)
        return 2
    prefix = runner.namespace_prefix()
    if not prefix:
        print("no network namespaces here: tests run one at a time on the machine's own loopback")
    root = pathlib.Path(tempfile.mkdtemp(prefix="helio-interop-"))
    statuses, left = [], 0
    if options.seconds is not None:
        random.Random(datetime.date.today().isoformat()).shuffle(names)
    else:  # the longest first, so that none of them runs alone at the end
        names.sort(key=lambda n: not n.startswith(("gobgp", "clients", "exabgp")))
    until = time.monotonic() + (options.seconds or 0)
    with concurrent.futures.ThreadPoolExecutor(options.jobs if prefix else 1) as pool:
        for future in concurrent.futures.as_completed([pool.submit(run_before, until, n, options, prefix, root) for n in names]):
            result = future.result()
            if result is None:
                left += 1
                continue
            statuses.append(result[1])
            report(result, tests[result[0]][1])
    if left:
        print("SKIP %d of %d tests: the %d seconds of --seconds were over" % (left, len(names), options.seconds))
    return runner.close(statuses, root, options.keep or options.record)


if __name__ == "__main__":
    sys.exit(main())
