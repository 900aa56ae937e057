#!/usr/bin/python3
"""Draws a dashboard as SVG from what a Prometheus has measured, for the README: no Grafana runs here, the panels, queries and places
are those of dashboards/*.json.

    render.py DASHBOARD http://127.0.0.1:9090 SECONDS OUT.svg [name=value …]      (values of variables; default .*)
"""
import json
import math
import pathlib
import sys
import time
import urllib.parse
import urllib.request
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).resolve().parent
UNIT, ROW, GAP = 50, 34, 6  # pixels of a grid column and row; between panels
COLORS = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#b877d9", "#5794f2", "#fade2a", "#37872d", "#e0b400"]
NAMED = {"green": "#37872d", "red": "#c4162a", "orange": "#e0752d", "yellow": "#cca300"}


def ask(base, path, **parameters):
    with urllib.request.urlopen("%s/api/v1/%s?%s" % (base, path, urllib.parse.urlencode(parameters)), timeout=20) as answer:
        return json.load(answer)["data"]["result"]


def short(value, unit):
    """1234567 -> 1.23 M, in the unit's words."""
    if value is None or math.isnan(value):
        return "-"
    if unit == "percentunit":
        return "%.0f %%" % (value * 100)
    if unit == "s":
        return "%.3g s" % value if abs(value) >= 1 or value == 0 else "%.3g ms" % (value * 1000)
    if unit.startswith("dateTime"):
        seconds = max(0, time.time() - value / 1000)
        return "%d s ago" % seconds if seconds < 120 else "%d min ago" % (seconds / 60)
    step, names = (1024, ["", "Ki", "Mi", "Gi"]) if unit in ("bytes", "Bps") else (1000, ["", " k", " M", " G"])
    size = abs(value)
    for name in names:
        if size < step or name == names[-1]:
            break
        size, value = size / step, value / step
    tail = {"bytes": "B", "Bps": "B/s", "cps": "/s"}.get(unit, "")
    return ("%.3g" % value if abs(value) < 1000 else "%d" % value) + (" " if unit in ("bytes", "Bps") else "") + name + tail


def nice(high):
    """A round number at or above."""
    if high <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(high))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= high * 0.999)


def legend(pattern, labels):
    for name, value in labels.items():
        pattern = pattern.replace("{{%s}}" % name, value)
    return pattern or ", ".join(labels.values())


class Drawing:
    def __init__(self):
        self.parts, self.height = [], 0

    def text(self, x, y, words, size=11, color="#ccccdc", anchor="start", weight="normal"):
        self.parts.append('<text x="%.1f" y="%.1f" font-size="%d" fill="%s" text-anchor="%s" font-weight="%s">%s</text>' % (x, y, size, color, anchor, weight, escape(words)))

    def box(self, x, y, w, h, color="#181b1f"):
        self.parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2" fill="%s"/>' % (x, y, w, h, color))

    def line(self, points, color, width=1.4):
        self.parts.append('<polyline fill="none" stroke="%s" stroke-width="%s" points="%s"/>' % (color, width, " ".join("%.1f,%.1f" % p for p in points)))


def draw_stat(d, x, y, w, h, panel, series):
    defaults = panel["fieldConfig"]["defaults"]
    value = float(series[0]["values"][-1][1]) if series else None
    words, color = short(value, defaults["unit"]), None
    for mapping in defaults["mappings"]:
        option = mapping["options"].get("%g" % value) if value is not None else None
        if option:
            words, color = option["text"], NAMED[option["color"]]
    if "thresholds" in defaults and value is not None:
        color = [NAMED[s["color"]] for s in defaults["thresholds"]["steps"] if s["value"] is None or value >= s["value"]][-1]
    if color:
        d.box(x, y, w, h, color)
    d.text(x + w / 2, y + 18, panel["title"], 11, "#ffffff" if color else "#ccccdc", "middle")
    d.text(x + w / 2, y + h / 2 + 24, words, 24, "#ffffff", "middle", "bold")


def draw_graph(d, x, y, w, h, panel, series, start, end):
    unit = panel["fieldConfig"]["defaults"]["unit"]
    d.text(x + 10, y + 18, panel["title"], 12, "#ffffff", weight="bold")
    values = [float(v) for s in series for _, v in s["values"] if v != "NaN"]
    low, high = min([0] + values), max([0] + values)
    high, low = nice(high), -nice(-low) if low < 0 else 0
    left, right, top, bottom = x + 66, x + w - 12, y + 30, y + h - 46
    place = lambda t, v: (left + (t - start) / (end - start) * (right - left), bottom - (v - low) / (high - low) * (bottom - top))
    for i in range(5):
        v = low + (high - low) * i / 4
        _, at = place(start, v)
        d.line([(left, at), (right, at)], "#2c3235", 1)
        d.text(left - 6, at + 4, short(v, unit), 10, "#9fa7b3", "end")
    for i in range(5):
        t = start + (end - start) * i / 4
        d.text(place(t, low)[0], bottom + 14, "%+d s" % (t - end) if i < 4 else "now", 10, "#9fa7b3", "middle")
    at = left
    for i, s in enumerate(series):
        color = COLORS[i % len(COLORS)]
        d.line([place(t, float(v)) for t, v in s["values"] if v != "NaN"], color)
        name = s["name"] if len(s["name"]) < 40 else s["name"][:38] + "…"
        if at + 8 * len(name) < right:
            d.box(at, bottom + 24, 12, 3, color)
            d.text(at + 16, bottom + 29, name, 10)
            at += 28 + 6.2 * len(name)


def main():
    name, base, seconds, out = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
    values = dict(a.split("=", 1) for a in sys.argv[5:])
    board = json.loads((HERE / "dashboards" / (name + ".json")).read_text())
    end, d = time.time(), Drawing()
    start, step = end - seconds, max(1, seconds / 240)
    for panel in board["panels"]:
        p = panel["gridPos"]
        x, y, w, h = p["x"] * UNIT + GAP / 2, p["y"] * ROW + 40, p["w"] * UNIT - GAP, p["h"] * ROW - GAP
        d.height = max(d.height, y + h)
        if panel["type"] == "row":
            d.text(x + 4, y + 20, panel["title"], 13, "#ffffff", weight="bold")
            continue
        d.box(x, y, w, h)
        series = []
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "%ds" % max(5, 4 * step))
            for variable in ("job", "instance", "group", "peer"):
                expression = expression.replace("$" + variable, values.get(variable, ".*"))
            for s in ask(base, "query_range", query=expression, start=start, end=end, step=step):
                labels = {k: v for k, v in s["metric"].items() if k != "__name__"}
                series.append({"name": legend(target["legendFormat"], labels), "labels": labels, "values": s["values"]})
        if panel["type"] == "stat":
            draw_stat(d, x, y, w, h, panel, series)
        elif panel["type"] == "table":
            d.text(x + 10, y + 18, panel["title"], 12, "#ffffff", weight="bold")
            for i, s in enumerate(series[:12]):
                d.text(x + 10, y + 40 + 18 * i, "  ".join("%s=%s" % item for item in s["labels"].items() if item[1] and item[0] not in ("job", "instance")), 10)
        else:
            draw_graph(d, x, y, w, h, panel, series, start, end)
    title = '<text x="8" y="26" font-size="17" fill="#ffffff" font-weight="bold">%s</text>' % escape(board["title"])
    pathlib.Path(out).write_text('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Inter, Helvetica, Arial, sans-serif">'
                                 '<rect width="100%%" height="100%%" fill="#111217"/>%s%s</svg>\n' % (24 * UNIT, d.height + 8, 24 * UNIT, d.height + 8, title, "\n".join(d.parts)))


if __name__ == "__main__":
    main()
