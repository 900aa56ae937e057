#!/usr/bin/env python3
"""Runs the rows, keeps every result in results.jsonl, and writes RESULTS.md and pictures/ from that file alone."""
import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import render
import routers
import rows

HERE = Path(__file__).resolve().parent
# A cell that takes longer than this is run once: its time is long against the noise, and the whole must end.
LONG_CELL = 12


def machine():
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "unknown")
    memory = next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemTotal"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE).stdout.strip()
    system = next((l.split("=", 1)[1].strip().strip('"') for l in open("/etc/os-release") if l.startswith("PRETTY_NAME")), "")
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "memory_gib": round(memory / 2**20), "kernel": platform.release(),
            "system": system, "date": date.today().isoformat(), "commit": commit}


def busy_share(seconds):
    """Share of all cores' time that somebody used while this process slept."""
    def read():
        values = [int(v) for v in open("/proc/stat").readline().split()[1:9]]
        return sum(values), values[3] + values[4]
    total, idle = read()
    time.sleep(seconds)
    total_then, idle_then = read()
    return 1 - (idle_then - idle) / max(1, total_then - total)


def run_generator(build, flags, limit, json_file):
    command = [str(build / "bin/helio-pe"), "--target", f"127.0.0.1:{routers.PORT}", "--quiet", "--timeout", str(limit),
               "--json", str(json_file), *flags]
    json_file.unlink(missing_ok=True)
    try:
        # Sessions, cold start and the rounds after it may each take the limit; nobody who is worth a row does.
        out = subprocess.run(command, capture_output=True, text=True, timeout=limit * 2 + 30)
    except subprocess.TimeoutExpired:
        return {"verdict": "failed", "problems": [f"not finished after {limit * 2 + 30} s"]}
    print("   ", out.stdout.strip() or out.stderr.strip(), flush=True)
    return json.loads(json_file.read_text()) if json_file.exists() else {"verdict": "failed", "problems": [out.stderr.strip()]}


def run_cell(router, name, row, flags, limit, build, work):
    print(f"  {name} {router.name}", flush=True)
    result = {"row": name, "router": router.name, "verdict": "failed"}
    started = time.monotonic()
    try:
        router.start(row.options)
        result.update(run_generator(build, flags + router.generator_flags, limit, work / "result.json"))
        if result["verdict"] == "failed":
            result["problems"] = [router.death() or (result.get("problems") or [""])[0]]
    except RuntimeError as e:
        result["problems"] = [str(e)]
    finally:
        router.stop()
    result["cell_seconds"] = round(time.monotonic() - started, 1)
    return result


def run_row(name, row, args, all_routers, work, keep):
    limit = 20 if args.quick else row.limit
    flags = row.flags + (row.quick if args.quick else [])
    done = set()
    # In turn, so that what the machine does besides hits everybody alike.
    for turn in range(min(args.runs, row.runs)):
        for router_name, router in all_routers.items():
            if router_name not in row.who or router_name in done:
                continue
            result = run_cell(router, name, row, flags, limit, args.build, work)
            keep(result)
            if (result["verdict"] == "failed" and router_name != "heliod") or result["cell_seconds"] > LONG_CELL:
                done.add(router_name)
        if name in rows.COLD_START and "floor" in args.routers.split() and "floor" not in done:
            started = time.monotonic()
            keep({"row": name, "router": "floor", **run_generator(args.build, flags + ["--floor"], limit, work / "floor.json")})
            if time.monotonic() - started > LONG_CELL / 2:
                done.add("floor")


def main():
    parser = argparse.ArgumentParser(prog="run.sh", description="Heliograph beside FRR, BIRD and GoBGP, the same loads on this machine.")
    parser.add_argument("rows", nargs="*", help="rows of rows.py; default all")
    parser.add_argument("--build", type=Path, default=Path("build/release"), help=argparse.SUPPRESS)
    parser.add_argument("--runs", type=int, default=3, help="runs of each cell, in turn; the median counts (default 3)")
    parser.add_argument("--routers", default="heliod frr bird gobgp floor", help='default "heliod frr bird gobgp floor"')
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one run, into build/release/compare/quick: does everything work?")
    parser.add_argument("--list", action="store_true", help="say what the rows are")
    parser.add_argument("--render-only", action="store_true", help="write RESULTS.md from results.jsonl")
    parser.add_argument("--keep", action="store_true", help="add to results.jsonl instead of starting anew for these rows")
    parser.add_argument("--output", type=Path, help="folder of results.jsonl, RESULTS.md and pictures/ (default bench/compare)")
    args = parser.parse_args()
    if args.list:
        for name, row in rows.ROWS.items():
            print(f"{name:10} {row.what} ({' '.join(row.who)})")
        return 0
    wanted = args.rows or list(rows.ROWS)
    for name in wanted:
        if name not in rows.ROWS:
            sys.exit(f"no row {name}; there are {' '.join(rows.ROWS)}")
    args.build = args.build.resolve()
    work = args.build / "compare"
    work.mkdir(parents=True, exist_ok=True)
    os.chmod(work, 0o777)
    if args.quick:
        args.runs = 1
    output = args.output or (work / "quick" if args.quick else HERE)
    output.mkdir(parents=True, exist_ok=True)
    file = output / "results.jsonl"
    results = [json.loads(l) for l in file.read_text().splitlines()] if file.exists() else []
    results = [r for r in results if r["row"] == "environment" or r["row"] in rows.ROWS]
    def finish():
        render.write(results, output)
        if output == HERE and not args.quick:
            render.update_readme(results, HERE.parent.parent / "README.md")

    if args.render_only:
        finish()
        return 0

    all_routers = {r.name: r(work / r.name, args.build) for r in routers.ALL if r.name in args.routers.split()}
    environment = {"row": "environment", **machine(), "runs": args.runs, "quick": args.quick, "long_cell": LONG_CELL,
                   "versions": {name: r.version() for name, r in all_routers.items()}}
    known = next((r for r in results if r["row"] == "environment"), None)
    if known and len(wanted) < len(rows.ROWS):
        environment["versions"] = {**known["versions"], **environment["versions"]}
    environment["busy_before"] = busy_share(3)
    print(f"others use {environment['busy_before'] * 100:.0f} % of {environment['cores']} cores", flush=True)
    if environment["busy_before"] > 0.05:
        print("this machine is not quiet: absolute figures will suffer, ratios less", flush=True)
    results = [r for r in results if r["row"] != "environment"]
    if not args.keep:
        results = [r for r in results if r["row"] not in wanted or r["router"] not in args.routers.split()]
    results.insert(0, environment)

    def keep(result):
        results.append(result)
        file.write_text("".join(json.dumps(r) + "\n" for r in results))

    started = time.monotonic()
    for name in wanted:
        print(f"{name}: {rows.ROWS[name].what}", flush=True)
        run_row(name, rows.ROWS[name], args, all_routers, work, keep)
    environment["minutes"] = round((time.monotonic() - started) / 60, 1)
    file.write_text("".join(json.dumps(r) + "\n" for r in results))
    finish()
    print(f"{output / 'RESULTS.md'} written after {environment['minutes']} minutes")
    # Others may fail; Heliograph and the harness must not.
    return 1 if any(r.get("verdict") == "failed" and r["router"] in ("heliod", "floor") for r in results if r["row"] in wanted) else 0


if __name__ == "__main__":
    sys.exit(main())
