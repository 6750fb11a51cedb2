"""All benchmarks in one run on one machine, one table of ratios, and what is written of them.

python -m benchmarks [NAMES] [--write] [--show] [--check]

Each benchmark is a process of its own and takes its turn. What was measured is kept in `.benchmarks/results.json`; of
benchmarks that were not run now, what they measured last. Nothing else should run meanwhile: the load average before
and after each is told.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import chart
from benchmarks.report import Ratio, Report, machine, number

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("turn", "cold_start", "ingestion", "ingestion_scale", "index_scale", "load", "costs", "widget_load")
"""In this order."""
OPTIONS = {"ingestion_scale": ["--documents", "3000"], "costs": ["--measure"]}
"""Of some: 10,000 documents would take as long as half of the others together."""
RESULTS = ROOT / ".benchmarks" / "results.json"
CHART = ROOT / "docs" / "images" / "performance.svg"
README, PAGE = ROOT / "README.md", ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
TITLE = "How far beyond its bar each ratio is"


def available(names: Sequence[str]) -> list[str]:
    """Those of these benchmarks, or of all of them, that there are."""
    chosen = names or NAMES
    return [name for name in NAMES if name in chosen and Path(__file__).with_name(f"{name}.py").exists()]


def run(name: str) -> dict[str, Any] | None:
    """What the benchmark tells, with the load average before and after it; None if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        file, begun, load = Path(folder) / "report.json", time.monotonic(), os.getloadavg()[0]
        command = [sys.executable, "-m", f"benchmarks.{name}", *OPTIONS.get(name, []), "--json", str(file)]
        done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603 - our own modules
        minutes = (time.monotonic() - begun) / 60
        print(f"{name}: {minutes:.1f} minutes, load {load:.1f} to {os.getloadavg()[0]:.1f}\n", flush=True)
        if done.returncode or not file.exists():
            return None
        return asdict(Report.read(file)) | {
            "minutes": round(minutes, 1),
            "load": [round(load, 1), round(os.getloadavg()[0], 1)],
            "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
        }


# ---- what is told of it


def ratios_of(results: Mapping[str, Any]) -> list[tuple[str, Ratio]]:
    """With the names of their benchmarks, in the order in which those run."""
    reports = results["reports"]
    return [(name, Ratio(**ratio)) for name in NAMES if name in reports for ratio in reports[name]["ratios"]]


def table(ratios: Sequence[tuple[str, Ratio]], *, met: bool = True) -> str:
    """In Markdown; `met` also tells whether each reaches its bar."""
    head = ["", "ratio", "against", "bar", *(["met"] if met else [])]
    lines = [head, ["---", "--:", "---", "--:", *(["---"] if met else [])]]
    for _, ratio in ratios:
        sign = "≥" if ratio.better == "higher" else "≤"
        bar = "" if ratio.bar is None else f"{sign} {number(ratio.bar)}"
        reached = "" if ratio.bar is None else "yes" if ratio.met else "**no**"
        lines.append([ratio.name, number(ratio.value), ratio.against, bar, *([reached] if met else [])])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def described(where: Mapping[str, str]) -> str:
    return (
        f"{where['processor']}, {where['cores']} cores, {where['memory']} memory, {where['system']},"
        f" Python {where['python']}"
    )


def page(results: Mapping[str, Any]) -> str:
    """What stands between the markers of docs/performance.md."""
    parts = [f"Machine: {described(results['machine'])}."]
    ratios = ratios_of(results)
    for name, report in _ordered(results):
        low, high = report["load"]
        about = (
            f"{report['measured_at'][:10]}, {report['minutes']} minutes, load average {low} before and {high} after."
        )
        parts += [
            f"### {name.replace('_', ' ').capitalize()}",
            table([pair for pair in ratios if pair[0] == name]),
            about,
        ]
    versions: dict[str, str] = {}
    for _, report in _ordered(results):
        versions |= report["versions"]
    parts += ["### Versions", ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) + "."]
    return "\n\n".join(parts)


def summary(results: Mapping[str, Any]) -> str:
    """What stands between the markers of the README: only what has a bar."""
    barred = [(name, ratio) for name, ratio in ratios_of(results) if ratio.bar is not None]
    return f"{table(barred)}\n\nOn {described(results['machine'])}."


def replaced(text: str, block: str) -> str:
    """The text with this block between its markers. Raises `ValueError` unless it has them once and in order."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"{BEGIN} … {END} must be there once")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def write(results: Mapping[str, Any]) -> None:
    for file, block in ((README, summary(results)), (PAGE, page(results))):
        file.write_text(replaced(file.read_text("utf-8"), block), "utf-8")
    CHART.write_text(chart.draw([ratio for _, ratio in ratios_of(results)], TITLE), "utf-8")


def _ordered(results: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, results["reports"][name]) for name in NAMES if name in results["reports"]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default: all of {', '.join(NAMES)})")
    parser.add_argument("--write", action="store_true", help="write the tables and the chart of the documentation")
    parser.add_argument("--show", action="store_true", help="run nothing: tell what was measured last")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"reports": {}}
    results = {"machine": machine(), "reports": known["reports"]}
    failed: list[str] = []
    chosen = [] if options.show else available(options.names)
    for number_, name in enumerate(chosen, start=1):
        print(f"— {name}, {number_} of {len(chosen)}", flush=True)
        if report := run(name):
            results["reports"][name] = report
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=2), "utf-8")
        else:
            failed.append(name)
    shown = [pair for pair in ratios_of(results) if not options.names or pair[0] in options.names]
    print(f"{described(results['machine'])}\n\n{table(shown)}")
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    if options.write:
        write(results)
    missed = options.check and not all(ratio.met for _, ratio in shown)
    return 1 if failed or missed else 0


if __name__ == "__main__":
    sys.exit(main())
