"""Draw a Grafana dashboard of infra/grafana/ as a picture, from what a Prometheus measured.

python -m tools.render_dashboard --prometheus http://localhost:9090 --out dashboard.svg [--minutes 60]

Titles, queries, legends, units and places are the dashboard's own; the drawing is this tool's and not Grafana's. Panels
of the types `timeseries` and `stat` are known. With `--out …png` the system's Chromium makes the picture.
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from json import loads
from pathlib import Path
from typing import Any

import httpx

from shared.settings import ROOT

DASHBOARD = ROOT / "infra/grafana/dashboards/support-agent.json"
WIDTH, COLUMNS, ROW, GAP, HEAD = 1440, 24, 25, 8, 52
"""Pixels; Grafana's grid has 24 columns."""
POINTS = 200
"""Of each line."""
RATE_INTERVAL = "1m"
"""For `$__rate_interval`: at least four scrapes."""
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 34, 42
"""Pixels around a panel's plot."""
COLOURS = ("#3274d9", "#e0752d", "#299c46", "#c4162a", "#8f3bb8", "#b08800", "#0a8f8f", "#6b7280", "#d0418f", "#5c6f1f")
STYLE = """text{font-family:system-ui,'DejaVu Sans',sans-serif;font-size:11px;fill:#4b5563}
.title{font-size:13px;font-weight:600;fill:#1f2937}.big{font-size:40px;font-weight:600;fill:#299c46}
.name{font-size:20px;font-weight:600;fill:#1f2937}.panel{fill:#fff;stroke:#d8dce3}.grid{stroke:#e8eaee}
polyline{fill:none;stroke-width:1.6;stroke-linejoin:round}"""

type Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Span:
    """Seconds since 1970."""

    start: float
    end: float


def render(prometheus: str, out: Path, *, start: float, end: float, dashboard: Path = DASHBOARD) -> None:
    """Writes the SVG, or the PNG if `out` is called so. Raises `httpx.HTTPError` if a query fails."""
    board, span = loads(dashboard.read_text("utf-8")), Span(start, end)
    with httpx.Client(base_url=prometheus, timeout=60, trust_env=False) as client:
        panels = "".join(_panel(panel, client, span) for panel in board["panels"])
    height = HEAD + GAP + ROW * max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    day, first, last = (datetime.fromtimestamp(at, UTC) for at in (start, start, end))
    about = f"{day:%Y-%m-%d} {first:%H:%M} – {last:%H:%M} UTC, rates over {RATE_INTERVAL}"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">'
        f'<style>{STYLE}</style><rect width="{WIDTH}" height="{height}" fill="#f4f5f7"/>'
        f'<text x="{GAP * 2}" y="33" class="name">{escape(board["title"])}</text>'
        f'<text x="{WIDTH - GAP * 2}" y="32" text-anchor="end">{about}</text>{panels}</svg>\n'
    )
    if out.suffix == ".png":
        _photograph(svg, out, height)
    else:
        out.write_text(svg, "utf-8")


def _panel(panel: Mapping[str, Any], client: httpx.Client, span: Span) -> str:
    grid, unit = panel["gridPos"], panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "short")
    x, y = grid["x"] * WIDTH / COLUMNS + GAP / 2, HEAD + grid["y"] * ROW + GAP / 2
    width, height = grid["w"] * WIDTH / COLUMNS - GAP, grid["h"] * ROW - GAP
    series = [one for target in panel["targets"] for one in _series(target, client, span)]
    if panel["type"] not in ("timeseries", "stat"):
        raise ValueError(f"panel {panel['title']}: the type {panel['type']} cannot be drawn")
    if not series:
        inside = f'<text x="{width / 2}" y="{height / 2}" text-anchor="middle">No data</text>'
    elif panel["type"] == "stat":
        value = _told(series[0][1][-1][1], unit)
        inside = f'<text x="{width / 2}" y="{height / 2 + 20}" text-anchor="middle" class="big">{value}</text>'
    else:
        inside = "".join(_plot(series, unit, span, width, height))
    title = f'<text x="12" y="21" class="title">{escape(panel["title"])}</text>'
    box = f'<rect class="panel" width="{width}" height="{height}" rx="3"/>'
    return f'<g transform="translate({x:.1f} {y:.1f})">{box}{title}{inside}</g>'


def _series(target: Mapping[str, Any], client: httpx.Client, span: Span) -> Iterator[tuple[str, Points]]:
    """Names and points; what is not a number is left out, as Grafana does."""
    query = target["expr"].replace("$__rate_interval", RATE_INTERVAL)
    step = max(1, (span.end - span.start) / POINTS)
    asked = {"query": query, "start": span.start, "end": span.end, "step": step}
    answer = client.get("/api/v1/query_range", params=asked).raise_for_status().json()
    for one in sorted(answer["data"]["result"], key=lambda found: sorted(found["metric"].items())):
        labels, name = one["metric"], target.get("legendFormat", "")
        name = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match, labels=labels: labels.get(match[1], ""), name)
        points = [(float(at), float(value)) for at, value in one["values"] if math.isfinite(float(value))]
        if points:
            yield name, points


def _plot(series: Sequence[tuple[str, Points]], unit: str, span: Span, width: float, height: float) -> Iterator[str]:
    highest = max(value for _, points in series for _, value in points) or 1
    tick = _tick(highest)
    most = tick * math.ceil(highest / tick)
    wide, high = width - LEFT - RIGHT, height - TOP - BOTTOM

    def x(at: float) -> float:
        return LEFT + (at - span.start) / (span.end - span.start) * wide

    def y(value: float) -> float:
        return TOP + (1 - value / most) * high

    for n in range(round(most / tick) + 1):
        at = y(n * tick)
        yield f'<line class="grid" x1="{LEFT}" x2="{width - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_told(n * tick, unit)}</text>'
    pause = max(60, 60 * math.ceil((span.end - span.start) / 60 / 6))
    for at in range(math.ceil(span.start / pause) * pause, int(span.end) + 1, pause):
        label = f"{datetime.fromtimestamp(at, UTC):%H:%M}"
        yield f'<line class="grid" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{TOP}" y2="{TOP + high:.1f}"/>'
        yield f'<text x="{x(at):.1f}" y="{TOP + high + 14:.1f}" text-anchor="middle">{label}</text>'
    along = 12.0
    for number, (name, points) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        for line in _unbroken(points, 3 * max(1, (span.end - span.start) / POINTS)):
            drawn = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in line)
            yield f'<polyline points="{drawn}" stroke="{colour}"/>'
        if along + 20 + 6.3 * len(name) > width and along > 12:
            continue  # no room: the line is there all the same
        yield f'<rect x="{along:.0f}" y="{height - 16:.0f}" width="10" height="4" fill="{colour}"/>'
        yield f'<text x="{along + 14:.0f}" y="{height - 10:.0f}">{escape(name)}</text>'
        along += 26 + 6.3 * len(name)


def _unbroken(points: Points, most: float) -> Iterator[Points]:
    """A gap longer than `most` seconds is no line."""
    begin = 0
    for n in range(1, len(points) + 1):
        if n == len(points) or points[n][0] - points[n - 1][0] > most:
            yield points[begin:n]
            begin = n


def _tick(most: float) -> float:
    """1, 2 or 5 times a power of ten: three to five of them reach `most`."""
    power = 10 ** math.floor(math.log10(most / 3))
    return next(power * step for step in (1, 2, 5, 10) if most / (power * step) <= 5)


def _told(value: float, unit: str) -> str:
    """In the words of Grafana's units."""
    match unit:
        case "percentunit":
            return f"{value * 100:.3g}%"
        case "currencyUSD":
            return f"${value:.2g}" if 0 < value < 0.1 else f"${value:.2f}"
        case "s" if 0 < value < 1:
            return f"{value * 1000:.3g} ms"
        case "s":
            return f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"
        case "reqps":
            return f"{value:.3g} req/s"
        case _:
            return f"{value:.3g}" if value < 1000 else f"{value / 1000:.3g}k"


def _photograph(svg: str, out: Path, height: float) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        page_file = Path(folder) / "dashboard.html"
        page_file.write_text(f'<body style="margin:0">{svg}</body>', "utf-8")
        browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": math.ceil(height)})
        page.goto(page_file.as_uri())
        page.screenshot(path=out)
        browser.close()


def _chromium() -> str:
    found = subprocess.run([str(ROOT / "tools/chromium.sh")], capture_output=True, text=True, check=True)  # noqa: S603
    return found.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.render_dashboard", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--prometheus", required=True, metavar="URL")
    parser.add_argument("--out", required=True, type=Path, help="a file .svg or .png")
    parser.add_argument("--minutes", type=float, default=60, help="how far back (60)")
    parser.add_argument("--dashboard", type=Path, default=DASHBOARD)
    options = parser.parse_args(arguments)
    now = time.time()
    try:
        begin = now - 60 * options.minutes
        render(options.prometheus, options.out, start=begin, end=now, dashboard=options.dashboard)
    except httpx.HTTPError as error:
        print(f"Prometheus: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
