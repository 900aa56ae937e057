#!/usr/bin/python3
"""Runs the abuse tests: each in a process and a network namespace of its own, one after the other because they measure.

    tests/abuse/run.py [--bin DIR] [--long] [--list] [--keep] [--figures FILE] [name…]

The closing line is `N passed, M failed`; exit status 0 when M is 0. --figures writes what the pair saw as a table.
"""
import argparse
import importlib.machinery
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "interop")]
sys.dont_write_bytecode = True
SKIPPED = 77


def run_child(options):
    """One test in this process. Prints what went wrong; returns the exit status."""
    import abuse
    import harness
    if options.isolated:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    function, _ = abuse.load_tests()[options.child]
    a = abuse.Abuse(options.child, options.folder, options.bin, options.isolated, options.long)
    try:
        function(a)
        problems = a.finish()
    except harness.Skip as reason:
        a.abandon()
        print("skipped: %s" % reason)
        return SKIPPED
    except BaseException as error:
        a.abandon()
        where = [f for f in traceback.extract_tb(error.__traceback__) if "/test_" in f.filename]
        text = str(error) if isinstance(error, harness.Failure) else traceback.format_exc()
        problems = ["%s%s" % ("%s:%d: " % (pathlib.Path(where[-1].filename).name, where[-1].lineno) if where else "", text)]
    (a.folder / "figures.json").write_text(json.dumps({"figures": a.figures, "notes": a.notes}))
    print("\n".join(problems))
    return 1 if problems else 0


def run_test(name, options, prefix, root):
    folder, started = root / name, time.monotonic()
    argv = prefix + [sys.executable, __file__, "--child", name, "--folder", str(folder), "--bin", options.bin]
    argv += (["--isolated"] if prefix else []) + (["--long"] if options.long else [])
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1200 if options.long else 120)
        status, text = done.returncode, (done.stdout + done.stderr).strip()
    except subprocess.TimeoutExpired as error:
        status, text = 1, "no end within %d s: %s" % (error.timeout, error.stdout)
    file = folder / "figures.json"
    return status, text, time.monotonic() - started, json.loads(file.read_text()) if file.exists() else {"figures": {}, "notes": {}}


def report(name, status, text, seconds, result, folder):
    word = {0: "PASS", SKIPPED: "SKIP"}.get(status, "FAIL")
    shown = "; ".join("%s %.1f/%.1f/%.1f" % (what, f["median"], f["p99"], f["max"]) for what, f in result["figures"].items() if f["median"] is not None)
    print("%s %5.1fs %-24s %s" % (word, seconds, name, shown))
    if status not in (0, SKIPPED):
        for log in sorted(folder.rglob("*.log")):
            text += "\n--- %s\n%s" % (log.name, "\n".join(line[:300] for line in log.read_text(errors="replace").splitlines()[-12:]))
    for line in text.splitlines() if word != "PASS" else ():
        print("        " + line)
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

    import abuse
    namespace_prefix = importlib.machinery.SourceFileLoader("interop_run", str(HERE.parent / "interop/run.py")).load_module().namespace_prefix
    tests = abuse.load_tests()
    names = [n for n in tests if not options.names or any(w in n for w in options.names)]
    if options.list:
        for name in names:
            print("%-24s %s" % (name, tests[name][1]))
        return 0
    prefix, root, results, counts = namespace_prefix(), pathlib.Path(tempfile.mkdtemp(prefix="helio-abuse-")), {}, {}
    for name in names:
        status, text, seconds, results[name] = run_test(name, options, prefix, root)
        counts[status] = counts.get(status, 0) + 1
        report(name, status, text, seconds, results[name], root / name)
    if options.figures:
        write_figures(options.figures, results)
    if options.keep:
        print("logs: %s" % root)
    else:
        shutil.rmtree(root, ignore_errors=True)
    passed, skipped = counts.get(0, 0), counts.get(SKIPPED, 0)
    failed = len(names) - passed - skipped
    print("%d passed, %d failed%s" % (passed, failed, ", %d skipped" % skipped if skipped else ""))
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
