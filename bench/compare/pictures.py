"""Bar charts as SVG: groups of horizontal bars on a logarithmic scale. A white ground of its own keeps them legible on any page."""
import math
from html import escape

COLOURS = {"heliod": "#c8502d", "frr": "#4878a8", "bird": "#5b8c5a", "gobgp": "#8d6cab", "floor": "#9aa5ad"}
WIDTH, LEFT, RIGHT, TOP, STEP, GAP = 860, 170, 90, 64, 17, 12


def bars(points, title, text, labels, file):
    """points: (group, who, value or None, why there is none); text(value) names a value."""
    values = [value for _, _, value, _ in points if value]
    if not values:
        return
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) - 1e-9)
    high = max(high, low + 1)
    span = WIDTH - LEFT - RIGHT

    def x(value):
        return LEFT + max(3, (math.log10(value) - low) / (high - low) * span)

    body, y, last = [], TOP + 4, None
    for group, who, value, why in points:
        if group != last:
            y += GAP if last is not None else 0
            body.append(f'<text x="12" y="{y + 12}" font-weight="bold">{escape(group)}</text>')
            last = group
        body.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(labels[who])}</text>')
        if value:
            body.append(f'<rect x="{LEFT}" y="{y + 1}" width="{x(value) - LEFT:.1f}" height="{STEP - 4}" rx="2" fill="{COLOURS[who]}"/>')
            body.append(f'<text x="{x(value) + 6:.1f}" y="{y + 12}">{escape(text(value))}</text>')
        else:
            body.append(f'<text x="{LEFT + 6}" y="{y + 12}" fill="#8a949c" font-style="italic">{escape(why or "no value")}</text>')
        y += STEP
    grid = []
    for decade in range(low, high + 1):
        at = LEFT + (decade - low) / (high - low) * span
        grid.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{y + 4}" stroke="#e1e5e8"/>')
        grid.append(f'<text x="{at:.1f}" y="{TOP - 8}" text-anchor="middle" fill="#5c6a75">{escape(text(10.0**decade))}</text>')
    height = y + 16
    file.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
                    f'font-family="sans-serif" font-size="12" fill="#22313f">\n'
                    f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>\n'
                    f'<text x="12" y="26" font-size="16">{escape(title)} <tspan font-size="12" fill="#5c6a75">(logarithmic)</tspan></text>\n' + "\n".join(grid + body) + "\n</svg>\n")
