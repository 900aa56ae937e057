"""RESULTS.md and the pictures, from results.jsonl. No figure is typed by hand."""
import statistics
from pathlib import Path

import pictures
import routers
import rows

LABELS = {r.name: r.label for r in routers.ALL} | {"floor": "floor"}
NAMES = ["heliod", *(r.name for r in routers.ALL if r.name != "heliod")]
# Tables of the rows that are more than a cold start: (key, column, kind, whether a smaller one is better).
SCENARIOS = {
    "churn": ("Churn: changes seen by every PE, latency until the last of them has a change",
              [("changes_per_second", "changes/s", "count", False), ("latency_p50_seconds", "p50", "time", True),
               ("latency_p99_seconds", "p99", "time", True), ("churn_rr_cpu_seconds", "CPU", "time", True)]),
    "lone change": ("A lone change through an idle reflector: until the last PE has it",
                    [("latency_p50_seconds", "p50", "time", True), ("latency_p90_seconds", "p90", "time", True),
                     ("latency_max_seconds", "worst", "time", True)]),
    "peer-flap": ("A PE leaves and returns",
                  [("leave_p50_seconds", "all others hold the withdrawals", "time", True), ("return_p50_seconds", "it has everything", "time", True),
                   ("return_all_p50_seconds", "everybody has its routes", "time", True)]),
    "slow-reader": ("PEs that never read",
                    [("convergence_seconds", "the others converged", "time", True), ("rr_cpu_seconds", "CPU", "time", True),
                     ("rr_peak_rss_bytes", "peak memory", "bytes", True), ("catch_up_seconds", "slow ones caught up after", "time", True)]),
}


def good(cells):
    return [c for c in cells or [] if c["verdict"] != "failed"]


def median(cells, key):
    values = [c[key] for c in good(cells) if key in c]
    return statistics.median(values) if values else None


def fmt(value, kind):
    if value is None:
        return "–"
    if kind == "time":
        return f"{value * 1e3:.1f} ms" if value < 0.0995 else f"{value:.2f} s" if value < 9.95 else f"{value:.0f} s"
    if kind == "bytes":
        return f"{value / 2**20:.0f} MiB" if value < 10 * 2**30 else f"{value / 2**30:.1f} GiB"
    return f"{value:,.0f}"


def times(value, base):
    """`value` as so many times `base`, or nothing."""
    if value is None or not base:
        return ""
    ratio = value / base
    return f"{ratio:.2f} ×" if ratio < 9.95 else f"{ratio:,.0f} ×"


def spread(cells, key):
    values = sorted(c[key] for c in good(cells) if key in c)
    return f"{fmt(values[0], 'time')} – {fmt(values[-1], 'time')}" if len(values) > 1 else "once" if values else ""


def failure(cells):
    cell = cells[-1]
    problem = (cell.get("problems") or ["not exact"])[0]
    text = problem if len(problem) < 90 else problem[:87] + "..."
    if cell.get("deliveries") and cell.get("missing"):
        text += f"; {100 * (1 - cell['missing'] / cell['deliveries']):.0f} % of the routes held"
    return text.replace("|", "/")


def table(columns):
    return ["| " + " | ".join(columns) + " |", "|---|---|" + "--:|" * (len(columns) - 2)]


def line(cells):
    return "| " + " | ".join(cells) + " |"


def cold_start_lines(row, cells):
    """The lines of a row, and its points for the pictures: (who, seconds, bytes, why not)."""
    floor_time, floor_cpu = median(cells.get("floor"), "floor_seconds"), median(cells.get("floor"), "floor_cpu_seconds")
    keys = ("convergence_seconds", "rr_cpu_seconds", "rr_peak_rss_bytes")
    base = [median(cells.get("heliod"), k) for k in keys]
    head, lines, points = f"**{row}** {rows.ROWS[row].what}", [], []
    if floor_time is not None:
        lines.append(line([head, "*floor*", fmt(floor_time, "time"), spread(cells["floor"], "floor_seconds"), "", "", fmt(floor_cpu, "time"), "", "",
                           "", "", ""]))
        points.append(("floor", floor_time, None, None))
        head = ""
    for name in NAMES:
        group = cells.get(name)
        if not group:
            continue
        if not good(group):
            lines.append(line([head, LABELS[name], failure(group)] + [""] * 9))
            points.append((name, None, None, "not finished"))
        else:
            time, cpu, peak = (median(group, k) for k in keys)
            ratios = [times(v, b) if name != "heliod" else "" for v, b in zip((time, cpu, peak), base)]
            per_path = fmt(median(group, "rr_bytes_per_path"), "count") if group[0]["paths"] >= 10000 else ""
            lines.append(line([head, LABELS[name], fmt(time, "time"), spread(group, "convergence_seconds"), ratios[0], times(time, floor_time),
                               fmt(cpu, "time"), ratios[1], times(cpu, floor_cpu), fmt(peak, "bytes"), ratios[2], per_path]))
            points.append((name, time, peak, None))
        head = ""
    return lines, points


def scenario_lines(row, cells, columns):
    head, lines, points = f"**{row}** {rows.ROWS[row].what}", [], []
    base = cells.get("heliod")
    for name in NAMES:
        group = cells.get(name)
        if not group:
            continue
        if not good(group):
            lines.append(line([head, LABELS[name], failure(group)] + [""] * (2 * len(columns) - 1)))
            points.append((name, None, "not finished"))
        else:
            texts = []
            for key, _, kind, smaller_is_better in columns:
                value, own = median(group, key), median(base, key)
                texts.append(fmt(value, kind))
                ratio = times(value, own) if smaller_is_better else times(own, value)
                texts.append("" if name == "heliod" else ratio)
            lines.append(line([head, LABELS[name], *texts]))
            points.append((name, median(group, columns[0][0]), None))
        head = ""
    return lines, points


def scenario_of(row, cell):
    return "lone change" if row == "S7" else cell.get("scenario")


def quietness(env, results):
    met = [r for r in results if r.get("verdict") == "shared-machine"]
    runs = [r for r in results if "verdict" in r and r["router"] != "floor" and r["verdict"] != "failed"]
    bound = sum(r["verdict"] == "generator-bound" for r in runs)
    text = (f"Before the first run others used {env['busy_before'] * 100:.0f} % of the CPU; {len(met)} of {len(runs)} runs met foreign load "
            f"(verdict *shared-machine*) and in {bound} the generator was the limit (*generator-bound*).")
    if env["busy_before"] > 0.05 or len(met) * 4 > len(runs):
        text += " **The machine was not quiet: absolute figures suffer from that, ratios less.**"
    return text


# What the README shows: (row, key, kind, what it is).
SUMMARY = [("S1u", "convergence_seconds", "time", "S1, 1 M paths to 10 PEs"), ("S2n", "convergence_seconds", "time", "S2 without RT-Constrain, 99 M deliveries"),
           ("S2n", "rr_peak_rss_bytes", "bytes", "the same, peak memory"), ("S2/100", "convergence_seconds", "time", "S2 with RT-Constrain, a hundredth"),
           ("S5", "convergence_seconds", "time", "S5, 10 M paths"), ("S5", "rr_bytes_per_path", "count", "the same, bytes per path"),
           ("S7", "latency_p50_seconds", "time", "S7, a lone change to 200 clients, median"), ("S8/10", "changes_per_second", "count", "S8 in a tenth of S1, changes per second"),
           ("S4n/10", "return_all_p50_seconds", "time", "S4 in a tenth, a PE returns"), ("S11", "convergence_seconds", "time", "S11, 256 clients")]
BEGIN, END = "<!-- written by bench/compare/run.sh -->", "<!-- end of what bench/compare/run.sh writes -->"


def summary(results):
    """A short table for the README."""
    env = next(r for r in results if r["row"] == "environment")
    cells = {}
    for r in results:
        cells.setdefault((r["row"], r.get("router")), []).append(r)
    out = [f"{env['date']}, commit {env['commit']}, {env['cpu']}, {env['cores']} cores; medians, every PE exact; "
           "all of it is in [RESULTS.md](bench/compare/RESULTS.md).", "",
           "| | " + " | ".join(LABELS[n] for n in NAMES) + " |", "|---|" + "--:|" * len(NAMES)]
    for row, key, kind, what in SUMMARY:
        def text(name):
            group = cells.get((row, name))
            return "" if not group else fmt(median(group, key), kind) if good(group) else "not finished"
        if (row, "heliod") in cells:
            out.append(f"| {what} | " + " | ".join(text(n) for n in NAMES) + " |")
    return "\n".join(out + ["", "![time until every PE holds exactly its set](bench/compare/pictures/convergence.svg)"])


def update_readme(results, file):
    """Puts the summary between the marks."""
    text = file.read_text()
    if BEGIN in text and END in text:
        file.write_text(text[:text.index(BEGIN) + len(BEGIN)] + "\n" + summary(results) + "\n" + text[text.index(END):])


def write(results, output):
    output = Path(output)
    folder = output / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    env = next(r for r in results if r["row"] == "environment")
    results = [r for r in results if r["row"] in rows.ROWS]
    by_row = {name: {} for name in rows.ROWS}
    for r in results:
        by_row[r["row"]].setdefault(r["router"], []).append(r)
    out = ["# Heliograph beside other route reflectors", "",
           f"Written by `bash bench/compare/run.sh{' --quick` (tiny sizes: no figures to quote) ' if env.get('quick') else '` '}"
           f"on {env['date']}, commit {env['commit']}: {env['cpu']}, {env['cores']} cores, {env['memory_gib']} GiB, {env['system']}, "
           f"kernel {env['kernel']}. Medians of up to {env['runs']} runs, the reflectors in turn; what takes longer than {env.get('long_cell')} s runs once. "
           f"Generator and reflector share the machine, and every reflector runs as Debian packages it, with one configuration for all rows "
           f"([routers.py](routers.py)). {quietness(env, results)}", "",
           "| reflector | version |", "|---|---|", *[f"| {LABELS[name]} | {version} |" for name, version in env["versions"].items()], "",
           "A time counts only when every PE holds exactly its set: `helio-pe` compares RD, prefix, label, next hop, route targets, "
           "ORIGINATOR_ID and CLUSTER_LIST of every route of every PE. *Floor* is a process that moves the same bytes over the same "
           "number of sockets without BGP. A reflector that cannot finish a shape in the time limit is given a smaller one in a row of its "
           "own (`S1/10` is S1 with a tenth of the routes), in which Heliograph runs, too; rows with RT-Constrain are for those who know it.", ""]
    tables = cold_start_tables(by_row, folder) + scenario_tables(by_row, folder)
    out += [f"![{title}](pictures/{name}.svg)\n" for name, title in tables[0::2] if name]
    for _, text in zip(tables[0::2], tables[1::2]):
        out += text
    out += ["## What the figures do not say by themselves", "", *[f"- **{r.label}.** {' '.join(r.notes)}" for r in routers.ALL if r.notes], ""]
    (output / "RESULTS.md").write_text("\n".join(out))


def cold_start_tables(by_row, folder):
    text = ["## Cold start", "",
            "From all sessions Established until every PE holds exactly its set, and the reflector's CPU in that time. Ratios are to "
            "Heliograph and to the floor of the same row; bytes per path are growth of resident memory.", "",
            *table(["shape", "reflector", "time", "range", "to Heliograph", "to floor", "CPU", "to Heliograph", "to floor", "peak memory",
                    "to Heliograph", "bytes/path"])]
    points = []
    for row, cells in by_row.items():
        if row in rows.COLD_START and cells:
            lines, new = cold_start_lines(row, cells)
            text += lines
            points += [(row, *p) for p in new]
    if not points:
        return []
    compared = {p[0] for p in points if p[1] not in ("heliod", "floor")}
    pictures.bars([(row, who, time, why) for row, who, time, _, why in points if row in compared],
                  "Cold start: time until every PE holds exactly its set", lambda v: fmt(v, "time"), LABELS, folder / "convergence.svg")
    pictures.bars([(row, who, peak, why) for row, who, _, peak, why in points if row in compared and who != "floor"],
                  "Cold start: peak memory of the reflector", lambda v: fmt(v, "bytes"), LABELS, folder / "memory.svg")
    return [("convergence", "time until converged"), [], ("memory", "peak memory"), [*text, ""]]


def scenario_tables(by_row, folder):
    tables = []
    for scenario, (title, columns) in SCENARIOS.items():
        chosen = {row: cells for row, cells in by_row.items()
                  if row not in rows.COLD_START and any(scenario_of(row, c) == scenario for g in cells.values() for c in g)}
        if not chosen:
            continue
        headings = [h for _, name, _, smaller in columns for h in (name, "to Heliograph" if smaller else "Heliograph to it")]
        text = [f"## {title}", "", *table(["shape", "reflector", *headings])]
        points = []
        for row, cells in chosen.items():
            lines, new = scenario_lines(row, cells, columns)
            text += lines
            points += [(row, *p) for p in new]
        pictures.bars(points, f"{title.split(':')[0]}: {columns[0][1]}", lambda v, kind=columns[0][2]: fmt(v, kind), LABELS,
                      folder / f"{scenario.replace(' ', '-')}.svg")
        tables += [(scenario.replace(" ", "-"), columns[0][1]), [*text, ""]]
    return tables
