"""The chart: a bar a figure, how many times as good as the original, as an SVG of a few kilobytes.

Its colours are of middling lightness and its ground is clear: it reads on light pages and on dark
ones.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LABELS, VALUES = 860, 270, 180
ROW, BAR, TOP, BOTTOM = 22, 12, 40, 34
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_TEXT, _LINE, _BETTER, _WORSE, _GOAL = "#7a8490", "#8b949e", "#3f8ae0", "#d1683a", "#d29922"


@dataclass(frozen=True)
class Bar:
    """``times``: as good as the original so many times; ``goal``: what it should be; ``note``: the
    two figures themselves."""

    label: str
    times: float
    goal: float | None
    note: str


def svg(bars: Sequence[Bar], title: str) -> str:
    """The bars below one another, on a logarithmic scale that begins where both are equal."""
    most = max([2.0, *(bar.times for bar in bars), *(bar.goal or 0 for bar in bars)])
    span = WIDTH - LABELS - VALUES
    height = TOP + ROW * len(bars) + BOTTOM
    least = min([1.0, *(bar.times for bar in bars)])  # bars of what is worse go to the left
    low, high = math.log(least), math.log(most)

    def x(times: float) -> float:
        return LABELS + span * (math.log(times) - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'width="{WIDTH}" font-family="system-ui, sans-serif" font-size="12" fill="{_TEXT}">',
        f"<title>{escape(title)}</title>",
        f'<text x="0" y="16" font-size="14" font-weight="600">{escape(title)}</text>',
    ]
    floor = TOP + ROW * len(bars)
    for tick in (t for t in TICKS if t <= most):
        width = 1.5 if tick == 1 else 0.5
        parts.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 6}" y2="{floor}" '
            f'stroke="{_LINE}" stroke-width="{width}"/>'
            f'<text x="{x(tick):.1f}" y="{floor + 16}" text-anchor="middle">'
            f"{'equal' if tick == 1 else f'{tick}×'}</text>"
        )
    for number, bar in enumerate(bars):
        parts.append(_bar(bar, TOP + ROW * number, x))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(bar: Bar, top: float, x: Callable[[float], float]) -> str:
    middle, start, end = top + ROW / 2, x(1), x(bar.times)
    colour = _BETTER if bar.times >= 1 else _WORSE
    parts = [
        f'<text x="{LABELS - 8}" y="{middle + 4}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect x="{min(start, end):.1f}" y="{middle - BAR / 2}" width="{abs(end - start):.1f}" '
        f'height="{BAR}" rx="2" fill="{colour}"><title>{escape(bar.note)}</title></rect>',
    ]
    if bar.goal is not None:
        parts.append(
            f'<line x1="{x(bar.goal):.1f}" x2="{x(bar.goal):.1f}" y1="{middle - 9}" '
            f'y2="{middle + 9}" stroke="{_GOAL}" stroke-width="2"/>'
        )
    after = max(start, end, x(bar.goal) if bar.goal else 0) + 6
    parts.append(f'<text x="{after:.1f}" y="{middle + 4}">{escape(bar.note)}</text>')
    return "".join(parts)
