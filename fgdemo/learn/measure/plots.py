"""Plots as inline SVG: small, sharp at any size, in the colours of the page they stand on (CSS variables)."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from fgdemo.values.counting import counted

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 32, 44
NAMES = 120
"""Room for the names of lines, behind them."""
ROW = 22
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's, for lines; the first two are A and B everywhere."""


@dataclass(frozen=True)
class Axis:
    """A scale from `low` to `high` with marks at `ticks`: (value, what is written there)."""

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high end."""
        return (value - self.low) / (self.high - self.low or 1.0)


@dataclass(frozen=True)
class Line:
    """Points (x, y) joined by a line, with limits (x, low, high) as a band where they are known."""

    name: str
    points: Sequence[tuple[float, float]]
    limits: Sequence[tuple[float, float, float]] = ()


def percent_axis(title: str, low: float = 0.0, high: float = 1.0) -> Axis:
    """Shares, in five round steps that take in `low` and `high`."""
    step = next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if (high - low) / step <= 5), 0.2)
    start, end = np.floor(low / step + 1e-9) * step, np.ceil(high / step - 1e-9) * step
    marks = np.arange(start, end + step / 2, step)
    return Axis(title, float(start), float(end), [(float(mark), f"{mark:.0%}") for mark in marks])


def line_plot(lines: Sequence[Line], x: Axis, y: Axis, label: str, width: int = WIDTH) -> str:
    """Lines with their names at their ends. `label` says in words what is to be seen."""
    body = [_frame(x, y, width)]
    ends: list[float] = []
    for place, line in enumerate(lines):
        colour = COLOURS[place % len(COLOURS)]
        if line.limits:
            above = [f"{_x(x, at, width)},{_y(y, high)}" for at, _, high in line.limits]
            below = [f"{_x(x, at, width)},{_y(y, low)}" for at, low, _ in reversed(line.limits)]
            body.append(f'<polygon fill="{colour}" opacity="0.14" points="{" ".join(above + below)}"/>')
        path = "L".join(f"{_x(x, at, width)},{_y(y, value)}" for at, value in line.points)
        body.append(f'<path class="line" stroke="{colour}" d="M{path}"/>')
        if len(line.points) <= 20:
            body += [f'<circle fill="{colour}" r="3" cx="{_x(x, a, width)}" cy="{_y(y, b)}"/>' for a, b in line.points]
        if len(lines) > 1:
            last = _apart(_y(y, line.points[-1][1]), ends)
            ends.append(last)
            place_x, style = width - RIGHT + 8, f"fill:{colour}"
            body.append(f'<text style="{style}" x="{place_x}" y="{last + 4:.1f}">{escape(line.name)}</text>')
    return _svg(body, width + (NAMES if len(lines) > 1 else 0), HEIGHT, label)


def reliability_plot(bins: Sequence[tuple[float, float, int]], label: str) -> str:
    """How often answers of a confidence are right: (confidence, share right, pictures), areas as the pictures."""
    x, y = percent_axis("confidence"), percent_axis("right")
    most = max((n for _, _, n in bins), default=1)
    body = [_frame(x, y), f'<path class="guide" d="M{_x(x, 0)},{_y(y, 0)}L{_x(x, 1)},{_y(y, 1)}"/>']
    for confidence, right, n in bins:
        gap = f'd="M{_x(x, confidence)},{_y(y, confidence)}L{_x(x, confidence)},{_y(y, right)}"'
        body.append(f'<path class="gap" {gap}/>')
        radius = 3 + 9 * (n / most) ** 0.5
        title = f"<title>{counted(n, 'picture')}: {confidence:.0%} sure, {right:.0%} right</title>"
        body.append(
            f'<circle class="dot" r="{radius:.1f}" cx="{_x(x, confidence)}" cy="{_y(y, right)}">{title}</circle>'
        )
    return _svg(body, WIDTH, HEIGHT, label)


def bar_plot(rows: Sequence[tuple[str, float, float, float, str]], label: str) -> str:
    """Shares as bars with limits: (name, share, low, high, what is written behind)."""
    names, bars, behind = 240, 460, 110
    body = []
    for place, (name, share, low, high, text) in enumerate(rows):
        middle = place * ROW + ROW / 2
        ends = [names + bars * value for value in (share, low, high)]
        body.append(f'<text class="row" x="{names - 10}" y="{middle + 4}">{escape(name)}</text>')
        body.append(f'<rect class="track" x="{names}" y="{middle - 5}" width="{bars}" height="10"/>')
        body.append(f'<rect class="bar" x="{names}" y="{middle - 5}" width="{ends[0] - names:.1f}" height="10"/>')
        body.append(f'<path class="limit" d="M{ends[1]:.1f},{middle}H{ends[2]:.1f}"/>')
        body.append(f'<text class="value" x="{names + bars + 10}" y="{middle + 4}">{escape(text)}</text>')
    return _svg(body, names + bars + behind, len(rows) * ROW, label)


def _frame(x: Axis, y: Axis, width: int = WIDTH) -> str:
    parts = []
    for value, text in y.ticks:
        at = _y(y, value)
        parts.append(f'<path class="grid" d="M{LEFT},{at}H{width - RIGHT}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 8}" y="{at + 4:.1f}">{escape(text)}</text>')
    for value, text in x.ticks:
        parts.append(
            f'<text class="tick mid" x="{_x(x, value, width)}" y="{HEIGHT - BOTTOM + 18}">{escape(text)}</text>'
        )
    middle = (LEFT + width - RIGHT) / 2
    parts.append(f'<text class="tick mid" x="{middle}" y="{HEIGHT - 6}">{escape(x.title)}</text>')
    parts.append(f'<text class="tick" x="{LEFT}" y="14">{escape(y.title)}</text>')
    return "".join(parts)


def _x(axis: Axis, value: float, width: int = WIDTH) -> float:
    return round(LEFT + axis.place(value) * (width - LEFT - RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - TOP - BOTTOM), 1)


def _apart(wanted: float, taken: Sequence[float]) -> float:
    """The nearest height to `wanted`, within the plot, at which a name covers no other."""
    free = [
        height
        for height in (min(wanted, HEIGHT - BOTTOM - 4) + step for step in range(-HEIGHT, HEIGHT))
        if height <= HEIGHT - BOTTOM - 4 and all(abs(height - other) >= 14 for other in taken)
    ]
    return min(free, key=lambda height: abs(height - wanted))


def _svg(body: Sequence[str], width: float, height: float, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" aria-label="{escape(label)}">'
        f"{''.join(body)}</svg>"
    )


def standalone(svg: str) -> str:
    """A plot as a file of its own: with the colours it would have had from the page."""
    style = (
        "text{font:12px sans-serif;fill:#14191a}text.tick,text.value{fill:#566063}text.end,text.row{text-anchor:end}"
        "text.mid{text-anchor:middle}.grid{stroke:#d5dad7}.guide{stroke:#566063;stroke-dasharray:3 4}"
        ".line{fill:none;stroke-width:2}.gap{stroke:#566063}.dot,.bar{fill:#1d6b52}.track{fill:#e3e7e4}"
        ".limit{stroke:#14191a}svg{background:#fff}"
    )
    start = svg.index(">") + 1
    return f'<svg xmlns="http://www.w3.org/2000/svg"{svg[4 : start - 1]}><style>{style}</style>{svg[start:]}\n'
