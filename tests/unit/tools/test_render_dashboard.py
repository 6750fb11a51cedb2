"""The picture shows what Prometheus says, under the dashboard's titles and in its units."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from tools.render_dashboard import DASHBOARD, main, render

type Result = list[dict[str, Any]]
START, END = 1_800_000_000, 1_800_000_300


@pytest.fixture
def prometheus() -> Iterator[tuple[str, dict[str, Result], list[dict[str, str]]]]:
    """Its URL, what it answers by the query's metric, and what it was asked."""
    results, asked = dict[str, Result](), list[dict[str, str]]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: value for name, [value] in parse_qs(urlsplit(self.path).query).items()}
            asked.append(query)
            result = next((values for name, values in results.items() if name in query["query"]), [])
            body = json.dumps({"status": "success", "data": {"result": result}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}", results, asked
        server.shutdown()


@pytest.fixture
def texts(prometheus: tuple[str, dict[str, Result], list[dict[str, str]]], tmp_path: Path) -> Callable[[], list[str]]:
    def draw() -> list[str]:
        render(prometheus[0], tmp_path / "a.svg", start=START, end=END)
        root = ElementTree.fromstring((tmp_path / "a.svg").read_text())
        return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]

    return draw


def lines(values: list[Any], **labels: str) -> dict[str, Any]:
    return {"metric": labels, "values": [[START + n, str(value)] for n, value in enumerate(values)]}


def test_every_panel_is_drawn_with_its_own_queries(prometheus: Any, texts: Callable[[], list[str]]) -> None:
    _, _, asked = prometheus
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = texts()
    assert all(panel["title"] in shown for panel in panels)
    assert shown.count("No data") == len(panels)
    wanted = [target["expr"].replace("$__rate_interval", "1m") for panel in panels for target in panel["targets"]]
    assert [one["query"] for one in asked] == wanted


def test_values_have_legends_and_units(prometheus: Any, texts: Callable[[], list[str]], tmp_path: Path) -> None:
    _, results, _ = prometheus
    results['outcome="failed"'] = [lines([0, 0.125, "NaN"])]
    results["by (outcome) (rate(chat_messages_total"] = [lines([0, 2], outcome="answered"), lines([1], outcome="<b>")]
    results["active_sessions"] = [lines([3, 17])]
    shown = texts()
    assert {"answered", "<b>", "failed", "17"} <= set(shown)
    assert {"2 req/s", "15%"} <= set(shown)
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn.count("<polyline") == 3  # none is broken
    assert "nan" not in drawn.lower()


def test_a_prometheus_that_is_away_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--prometheus", "http://127.0.0.1:9", "--out", str(tmp_path / "a.svg")]) == 1
    assert "Prometheus" in capsys.readouterr().err
    assert not (tmp_path / "a.svg").exists()
