"""The ratios that have a bar to reach, as a picture: plain SVG, one horizontal bar each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from benchmarks.report import Ratio, number

WIDTH, ROW, LEFT, RIGHT, TOP = 900, 30, 400, 250, 50
"""Pixels: of the picture, of a row, and of the margins for names, for figures and for the title."""
LEAST, MOST = 0.25, 4.0
"""What is shown of how far a ratio is beyond its bar; the scale is logarithmic, 1 is the bar."""
MET, MISSED = "#2b7a4b", "#b3541e"


def beyond(ratio: Ratio) -> float:
    """How many times better than its bar a ratio is; below 1 it misses it. It must have a bar."""
    if not ratio.bar or not ratio.value:
        return MOST if ratio.met else LEAST
    return ratio.value / ratio.bar if ratio.better == "higher" else ratio.bar / ratio.value


def draw(ratios: Sequence[Ratio], title: str) -> str:
    """SVG. Ratios without a bar are left out."""
    shown = [ratio for ratio in ratios if ratio.bar is not None]
    height = TOP + ROW * len(shown) + 20
    middle = _place(1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        '<g font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="15" font-weight="bold" fill="#1c1c1c">{escape(title)}</text>',
    ]
    for row, ratio in enumerate(shown):
        y = TOP + ROW * row
        end = _place(beyond(ratio))
        left, width = min(middle, end), max(abs(end - middle), 1)
        color = MET if ratio.met else MISSED
        sign = "≥" if ratio.better == "higher" else "≤"
        figures = f"{number(ratio.value)}  ({sign} {number(ratio.bar or 0)})"
        lines += [
            f'<text x="{LEFT - 12}" y="{y + 19}" text-anchor="end" fill="#1c1c1c">{escape(ratio.name)}</text>',
            f'<rect x="{left:.1f}" y="{y + 6}" width="{width:.1f}" height="18" fill="{color}"/>',
            f'<text x="{WIDTH - RIGHT + 12}" y="{y + 19}" fill="{color}">{escape(figures)}</text>',
        ]
    foot = TOP + ROW * len(shown)
    lines += [
        f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{TOP}" y2="{foot}" stroke="#1c1c1c"/>',
        f'<text x="{middle:.1f}" y="{foot + 14}" text-anchor="middle" font-size="11" fill="#555555">the bar</text>',
        "</g></svg>",
    ]
    return "\n".join(lines) + "\n"


def _place(times: float) -> float:
    """Where on the x axis so many times the bar is; what is off the scale ends at its edge."""
    share = math.log(min(max(times, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)
