"""`python -m benchmarks.widget_load`: what the widget costs a page, on a processor four times slower than this one.

Loads a page with and without the script, anew each time, and opens the window; the browser's own counters tell the time
(Chrome DevTools Protocol, `Performance.getMetrics`). Medians of the runs.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import statistics
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from benchmarks.report import Ratio, Report, versions
from shared.settings import ROOT

SCRIPT = ROOT / "functions" / "chat_http" / "static" / "widget" / "widget.js"
PAGE = '<!doctype html><html lang="en"><title>Page</title><body><h1>Page</h1>{}</body></html>'
TAG = '<script src="/widget.js" async></script>'
SLOWDOWN = 4
COUNTERS = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration", "TaskDuration")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description="What the widget costs a page.")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    options = parser.parse_args()
    runs = options.runs
    found = subprocess.run([ROOT / "tools" / "chromium.sh"], capture_output=True, text=True, check=False)  # noqa: S603
    if found.returncode:
        print(found.stderr.strip(), file=sys.stderr)
        return 1
    script = SCRIPT.read_bytes()
    print(f"widget.js: {len(script):,} bytes, {len(gzip.compress(script, 9)):,} gzipped")
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        Path(folder, "widget.js").write_bytes(script)
        Path(folder, "with.html").write_text(PAGE.format(TAG), "utf-8")
        Path(folder, "without.html").write_text(PAGE.format(""), "utf-8")
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=["--headless", "--no-sandbox"])
        seen: dict[str, list[dict[str, float]]] = {"page alone": [], "page with widget": [], "opening the window": []}
        for _ in range(runs):
            page = browser.new_page()
            devtools = page.context.new_cdp_session(page)
            devtools.send("Performance.enable")
            devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
            seen["page alone"].append(_cost(page, devtools, f"{url}/without.html"))
            seen["page with widget"].append(_cost(page, devtools, f"{url}/with.html", wait_for=".launcher"))
            before = _counters(devtools)
            page.locator(".launcher").click()
            page.locator(".window").wait_for()
            seen["opening the window"].append(_difference(_counters(devtools), before))
            page.close()
        browser.close()
        server.shutdown()
    medians = {
        name: {counter: statistics.median(cost[counter] for cost in costs) for counter in COUNTERS}
        for name, costs in seen.items()
    }
    print(f"median of {runs} runs, CPU slowed {SLOWDOWN} times, ms:")
    for name, costs in medians.items():
        figures = "  ".join(f"{counter.removesuffix('Duration')} {cost:6.1f}" for counter, cost in costs.items())
        print(f"  {name:20} {figures}")
    alone, beside = (medians[name]["TaskDuration"] for name in ("page alone", "page with widget"))
    ratio = Ratio("processor time of a page with the widget", beside / alone, None, "lower", "the page alone")
    details = {"bytes": len(script), "milliseconds": medians}
    Report("widget_load", [ratio], versions("playwright"), details).write(options.json)
    return 0


def _cost(page: Page, devtools: CDPSession, url: str, wait_for: str = "h1") -> dict[str, float]:
    page.goto("about:blank")
    before = _counters(devtools)
    page.goto(url)
    page.locator(wait_for).wait_for()
    return _difference(_counters(devtools), before)


def _counters(devtools: CDPSession) -> dict[str, float]:
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return {metric["name"]: metric["value"] * 1000 for metric in metrics if metric["name"] in COUNTERS}


def _difference(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - (before[name] if after[name] >= before[name] else 0) for name in COUNTERS}


if __name__ == "__main__":
    sys.exit(main())
