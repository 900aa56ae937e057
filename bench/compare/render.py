"""RESULTS.md and the pictures, from results.jsonl. No figure is typed by hand."""
import statistics
from pathlib import Path

import rows
import routers

COLOURS = {"heliod": "#c8502d", "frr": "#4878a8", "bird": "#5b8c5a", "gobgp": "#8d6cab", "floor": "#9aa5ad"}
LABELS = {r.name: r.label for r in routers.ALL} | {"floor": "floor"}
SCENARIO_COLUMNS = {
    "churn": [("changes_per_second", "changes/s", "count"), ("latency_p50_seconds", "p50", "time"), ("latency_p99_seconds", "p99", "time")],
    "peer-flap": [("leave_p50_seconds", "leave", "time"), ("return_p50_seconds", "return", "time"), ("return_all_p50_seconds", "all have it", "time")],
    "slow-reader": [("convergence_seconds", "others converged", "time"), ("rr_rss_with_slow_pes_bytes", "memory", "bytes")],
}


def median(cells, key):
    values = [c[key] for c in cells if c["verdict"] != "failed" and key in c]
    return statistics.median(values) if values else None


def spread(cells, key):
    values = sorted(c[key] for c in cells if c["verdict"] != "failed" and key in c)
    return f"{fmt(values[0], 'time')}–{fmt(values[-1], 'time')}" if len(values) > 1 else ""


def fmt(value, kind):
    if value is None:
        return "–"
    if kind == "time":
        return f"{value * 1e3:.1f} ms" if value < 0.0995 else f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
    if kind == "bytes":
        return f"{value / 2**20:.0f} MiB" if value < 10 * 2**30 else f"{value / 2**30:.1f} GiB"
    if kind == "count":
        return f"{value:,.0f}"
    return f"{value:.2f}"


def ratio(value, base):
    return "" if value is None or not base else f"{value / base:.1f} x"


def failure(cells):
    c = cells[-1]
    held = 1 - c.get("missing", 0) / c["deliveries"] if c.get("deliveries") else None
    text = "not exact" if c.get("convergence_seconds") is None or not c.get("missing") else "not finished"
    for p in c.get("problems", [])[:1]:
        text = p if len(p) < 60 else p[:57] + "..."
    return f"{text}; {held * 100:.0f} % of the routes held" if held is not None else text


def write(results, output):
    output = Path(output)
    pictures = output / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    env = next(r for r in results if r["row"] == "environment")
    by_row = {}
    for r in results:
        if r["row"] in rows.ROWS:
            by_row.setdefault(r["row"], {}).setdefault(r["router"], []).append(r)
    out = ["# Heliograph beside other route reflectors", "",
           f"Written by `bash bench/compare/run.sh` on {env['date']}, commit {env['commit']}: {env['cpu']}, {env['cores']} cores, "
           f"{env['memory_gib']} GiB, {env['system']}, kernel {env['kernel']}; medians of up to {env['runs']} runs in turn. "
           "Load generator and reflector share the machine.", ""]
    out += ["| reflector | version |", "|---|---|"]
    out += [f"| {LABELS[name]} | {version} |" for name, version in env["versions"].items()]
    out += ["", "A time counts only when every PE holds exactly its set (`helio-pe` checks RD, prefix, label, next hop, route targets, "
            "ORIGINATOR_ID and CLUSTER_LIST of every route). *Floor* is a process that moves the same bytes over the same number of "
            "sockets without BGP. Ratios are to Heliograph in the same row. A name with a slash is a scaled-down shape for those who "
            "cannot finish the whole one in the time limit.", "",
            "![convergence](pictures/convergence.svg)", "", "![memory](pictures/memory.svg)", "",
            "## Convergence from a cold start", "",
            "From all sessions Established until every PE holds exactly its set; CPU of the reflector in that time.", "",
            "| shape | reflector | time | (range) | to Heliograph | CPU | to Heliograph | peak memory | to Heliograph | bytes per path |",
            "|---|---|---|---|---|---|---|---|---|---|"]
    curve, memory = [], []
    for row, cells in ((r, by_row[r]) for r in rows.ROWS if r in by_row):
        if row not in rows.COLD_START:
            continue
        first = True
        base = cells.get("heliod", [])
        base_time, base_cpu, base_peak = (median(base, k) for k in ("convergence_seconds", "rr_cpu_seconds", "rr_peak_rss_bytes"))
        for name in ["floor", "heliod", "frr", "bird", "gobgp"]:
            group = cells.get(name)
            if not group:
                continue
            head = f"**{row}**: {rows.ROWS[row][0]}" if first else ""
            first = False
            if name == "floor":
                time, cpu = median(group, "floor_seconds"), median(group, "floor_cpu_seconds")
                out.append(f"| {head} | floor | {fmt(time, 'time')} | {spread(group, 'floor_seconds')} | | {fmt(cpu, 'time')} | | | | |")
                curve.append((row, name, time))
                continue
            time, cpu, peak = (median(group, k) for k in ("convergence_seconds", "rr_cpu_seconds", "rr_peak_rss_bytes"))
            if time is None:
                out.append(f"| {head} | {LABELS[name]} | {failure(group)} | | | | | | | |")
                continue
            others = name != "heliod"
            per_path = median(group, "rr_bytes_per_path") if group[0]["paths"] >= 10000 else None
            out.append(f"| {head} | {LABELS[name]} | {fmt(time, 'time')} | {spread(group, 'convergence_seconds')} | "
                       f"{ratio(time, base_time) if others else ''} | {fmt(cpu, 'time')} | {ratio(cpu, base_cpu) if others else ''} | "
                       f"{fmt(peak, 'bytes')} | {ratio(peak, base_peak) if others else ''} | {fmt(per_path, 'count')} |")
            curve.append((row, name, time))
            memory.append((row, name, peak))
    for scenario, columns in SCENARIO_COLUMNS.items():
        chosen = [r for r in rows.ROWS if r in by_row and any(c.get("scenario") == scenario for g in by_row[r].values() for c in g)]
        if not chosen:
            continue
        out += ["", f"## {scenario}", "", "| shape | reflector | " + " | ".join(c[1] for c in columns) + " |", "|---|---|" + "---|" * len(columns)]
        for row in chosen:
            first = True
            for name in ["heliod", "frr", "bird", "gobgp"]:
                group = by_row[row].get(name)
                if not group:
                    continue
                head = f"**{row}**: {rows.ROWS[row][0]}" if first else ""
                first = False
                values = [median(group, key) for key, _, _ in columns]
                texts = [fmt(v, kind) for v, (_, _, kind) in zip(values, columns)]
                if all(v is None for v in values):
                    texts = [failure(group)] + [""] * (len(columns) - 1)
                out.append(f"| {head} | {LABELS[name]} | " + " | ".join(texts) + " |")
    verdicts = {}
    for cells in by_row.values():
        for name, group in cells.items():
            for c in group:
                if name != "floor":
                    verdicts[c["verdict"]] = verdicts.get(c["verdict"], 0) + 1
    out += ["", "## Notes", "", *[f"- {n}" for r in routers.ALL for n in r.notes],
            "- Verdicts of the runs: " + ", ".join(f"{k} {v}" for k, v in sorted(verdicts.items())) +
            " (shared-machine: somebody else used the CPU meanwhile; generator-bound: the generator, not the reflector, was the limit).", ""]
    (output / "RESULTS.md").write_text("\n".join(out))
    bars(curve, "Convergence from a cold start (seconds, logarithmic)", lambda v: fmt(v, "time"), pictures / "convergence.svg")
    bars(memory, "Peak memory (logarithmic)", lambda v: fmt(v, "bytes"), pictures / "memory.svg")


def bars(points, title, text, file):
    """Horizontal bars on a logarithmic scale, grouped by row."""
    import math
    points = [p for p in points if p[2]]
    if not points:
        return
    low = math.floor(math.log10(min(p[2] for p in points)))
    high = math.log10(max(p[2] for p in points))
    left, width, step = 150, 560, 16
    y, last, body = 46, None, []
    for row, name, value in points:
        if row != last:
            y += 8
            body.append(f'<text x="8" y="{y + 11}" font-weight="bold">{row}</text>')
            last = row
        length = max(2, (math.log10(value) - low) / max(0.1, high - low) * width)
        body.append(f'<text x="{left - 6}" y="{y + 11}" text-anchor="end">{LABELS[name]}</text>')
        body.append(f'<rect x="{left}" y="{y + 1}" width="{length:.1f}" height="{step - 3}" fill="{COLOURS[name]}"/>')
        body.append(f'<text x="{left + length + 5:.1f}" y="{y + 11}">{text(value)}</text>')
        y += step
    height = y + 12
    file.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 {height}" font-family="sans-serif" font-size="11" fill="#22313f">\n'
                    f'<rect width="820" height="{height}" fill="#ffffff"/>\n<text x="8" y="24" font-size="15">{title}</text>\n'
                    + "\n".join(body) + "\n</svg>\n")
