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


def machine():
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "unknown")
    memory = next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemTotal"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE).stdout.strip()
    system = next((l.split("=", 1)[1].strip().strip('"') for l in open("/etc/os-release") if l.startswith("PRETTY_NAME")), "")
    return {"cpu": model, "cores": os.cpu_count(), "memory_gib": round(memory / 2**20), "kernel": platform.release(),
            "system": system, "date": date.today().isoformat(), "commit": commit}


def run_generator(build, flags, timeout, json_file):
    command = [str(build / "bin/helio-pe"), "--target", f"127.0.0.1:{routers.PORT}", "--quiet", "--timeout", str(timeout),
               "--json", str(json_file), *flags]
    json_file.unlink(missing_ok=True)
    # Several phases may each take the time limit.
    out = subprocess.run(command, capture_output=True, text=True, timeout=timeout * 8 + 120)
    print("   ", out.stdout.strip() or out.stderr.strip(), flush=True)
    return json.loads(json_file.read_text()) if json_file.exists() else {"verdict": "failed", "problems": [out.stderr.strip()]}


def run_cell(router, row, flags, timeout, options, build, work):
    print(f"  {row} {router.name}", flush=True)
    result = {"row": row, "router": router.name, "verdict": "failed"}
    try:
        router.start(options)
        result.update(run_generator(build, flags + router.generator_flags, timeout, work / "result.json"))
    except (RuntimeError, subprocess.TimeoutExpired) as e:
        result["problems"] = [str(e)]
    finally:
        router.stop()
    time.sleep(1)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="*", help="rows of rows.py; default all")
    parser.add_argument("--build", type=Path, default=Path("build/release"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--routers", default="heliod frr bird gobgp")
    parser.add_argument("--render-only", action="store_true", help="write RESULTS.md from results.jsonl")
    parser.add_argument("--keep", action="store_true", help="add to results.jsonl instead of starting anew for these rows")
    parser.add_argument("--results", type=Path, default=HERE / "results.jsonl")
    parser.add_argument("--output", type=Path, default=HERE)
    args = parser.parse_args()
    wanted = args.rows or list(rows.ROWS)
    for row in wanted:
        if row not in rows.ROWS:
            sys.exit(f"no row {row}; there are {' '.join(rows.ROWS)}")

    results = [json.loads(l) for l in args.results.read_text().splitlines()] if args.results.exists() else []
    if not args.render_only:
        work = (args.build / "compare").resolve()
        work.mkdir(parents=True, exist_ok=True)
        os.chmod(work, 0o777)
        all_routers = {r.name: r(work / r.name, args.build.resolve()) for r in routers.ALL if r.name in args.routers.split()}
        environment = {"row": "environment", **machine(), "runs": args.runs,
                       "versions": {name: r.version() for name, r in all_routers.items()}}
        known = next((r for r in results if r["row"] == "environment"), None)
        if known:
            environment["versions"] = {**known["versions"], **environment["versions"]}
        results = [r for r in results if r["row"] != "environment"]
        if not args.keep:
            results = [r for r in results if not (r["row"] in wanted and (r["router"] in all_routers or r["router"] == "floor"))]
        results.insert(0, environment)

        def save():
            args.results.write_text("".join(json.dumps(r) + "\n" for r in results))

        for row in wanted:
            what, flags, who, timeout, options = rows.ROWS[row]
            print(f"{row}: {what}", flush=True)
            hopeless = set()
            # In turn, so that what the machine does besides hits everybody alike.
            for _ in range(args.runs):
                for name, router in all_routers.items():
                    if name not in who or name in hopeless:
                        continue
                    results.append(run_cell(router, row, flags, timeout, options, args.build, work))
                    if results[-1]["verdict"] == "failed" and name != "heliod":
                        hopeless.add(name)  # one full time limit is enough
                    save()
                if row in rows.COLD_START:
                    floor = run_generator(args.build, flags + ["--floor"], timeout, work / "floor.json")
                    results.append({"row": row, "router": "floor", **floor})
                    save()
    render.write(results, args.output)


if __name__ == "__main__":
    main()
