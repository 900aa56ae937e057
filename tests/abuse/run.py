#!/usr/bin/python3
"""Runs the abuse tests: each in a process and a network namespace of its own, one after the other because they measure.

    tests/abuse/run.py [--bin DIR] [--long] [--list] [--keep] [--figures FILE] [name…]

The closing line is `N passed, M failed`; exit status 0 when M is 0. --figures writes what the pair saw as a table.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "interop")]
sys.dont_write_bytecode = True
import abuse  # noqa: E402
import runner  # noqa: E402


def run_child(options):
    """One test in this process. Prints what went wrong; returns the exit status."""
    if options.isolated:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    function, _ = abuse.load_tests()[options.child]
    a = abuse.Abuse(options.child, options.folder, options.bin, options.isolated, options.long)

    def body():
        function(a)
        return a.finish()

    status = runner.run_child(body, a.abandon)
    (a.folder / "figures.json").write_text(json.dumps({"figures": a.figures, "notes": a.notes}))
    return status


def run_test(name, options, prefix, root):
    folder, started = root / name, time.monotonic()
    argv = prefix + [sys.executable, __file__, "--child", name, "--folder", str(folder), "--bin", options.bin]
    argv += (["--isolated"] if prefix else []) + (["--long"] if options.long else [])
    status, text = runner.run_process(argv, 1200 if options.long else 120)
    file = folder / "figures.json"
    return status, text, time.monotonic() - started, json.loads(file.read_text()) if file.exists() else {"figures": {}, "notes": {}}


def report(name, status, text, seconds, result, folder):
    shown = "; ".join("%s %.1f/%.1f/%.1f" % (what, f["median"], f["p99"], f["max"]) for what, f in result["figures"].items() if f["median"] is not None)
    print("%s %5.1fs %-24s %s" % (runner.word_of(status), seconds, name, shown))
    if status != 0:
        runner.print_details(text, status, folder)
    sys.stdout.flush()


def write_figures(file, results):
    """A table for people: what the pair saw in milliseconds, and what else was noted."""
    with open(file, "w") as out:
        out.write("| test | | changes | median ms | p99 ms | max ms |\n|---|---|--:|--:|--:|--:|\n")
        for name, result in results.items():
            for what, f in result["figures"].items():
                if f["median"] is not None:
                    out.write("| `%s` | %s | %d | %.1f | %.1f | %.1f |\n" % (name, what, f["count"], f["median"], f["p99"], f["max"]))
        out.write("\n")
        for name, result in results.items():
            out.write("- `%s`: %s\n" % (name, ", ".join("%s %s" % (k, "%.1f" % v if isinstance(v, float) and v % 1 else "%d" % v if isinstance(v, float) else v) for k, v in result["notes"].items())))


def main():
    parser = argparse.ArgumentParser(description="abuse, with a pair of PEs beside it that must not notice; times are median/p99/max ms of its changes")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--bin", default=str(HERE.parents[1] / "build/release/bin"), help="folder with heliod, helioctl and helio-pe")
    parser.add_argument("--long", action="store_true", help="in full size: about half an hour")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep logs, and say where")
    parser.add_argument("--figures", help="write the figures to this file")
    parser.add_argument("--child")
    parser.add_argument("--folder")
    parser.add_argument("--isolated", action="store_true")
    options = parser.parse_args()
    options.bin = pathlib.Path(os.path.abspath(options.bin)) if options.child else os.path.abspath(options.bin)
    if options.child:
        return run_child(options)

    tests = abuse.load_tests()
    names = [n for n in tests if not options.names or any(w in n for w in options.names)]
    if options.list:
        for name in names:
            print("%-24s %s" % (name, tests[name][1]))
        return 0
    prefix, root, results, statuses = runner.namespace_prefix(), pathlib.Path(tempfile.mkdtemp(prefix="helio-abuse-")), {}, []
    for name in names:
        status, text, seconds, results[name] = run_test(name, options, prefix, root)
        statuses.append(status)
        report(name, status, text, seconds, results[name], root / name)
    if options.figures:
        write_figures(options.figures, results)
    return runner.close(statuses, root, options.keep)


if __name__ == "__main__":
    sys.exit(main())
