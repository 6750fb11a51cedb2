"""Prometheus scrapes the running app: every query of the dashboard has data, and every rule can be evaluated."""

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from websockets.sync.client import connect

from shared.settings import ROOT
from tests.e2e.test_run import PASSWORDS, App
from tests.prometheus import MISSING, PROMETHEUS

PATIENCE = 150
"""Seconds: some metrics are counted by a timer once a minute."""
DASHBOARD = json.loads((ROOT / "infra/grafana/dashboards/support-agent.json").read_text())
ALERTS = yaml.safe_load((ROOT / "infra/prometheus/alerts.yml").read_text())["groups"]

pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason=MISSING)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("MESSAGES_PER_MINUTE", "100000")
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "passwords.md").write_text(PASSWORDS)
    app = App(tmp_path)
    yield app
    app.client.close()
    app.kill()


@pytest.fixture
def prometheus(app: App, tmp_path: Path) -> Iterator[httpx.Client]:
    config = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(ROOT / "infra/prometheus/alerts.yml")]
    [job] = config["scrape_configs"]
    job["static_configs"] = [{"targets": [app.client.base_url.netloc.decode()]}]
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [str(PROMETHEUS), f"--config.file={file}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    with (tmp_path / "prometheus.log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://{address}/api/v1", trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def expressions() -> dict[str, str]:
    return {
        f"{panel['title']}, {target['refId']}": target["expr"].replace("$__rate_interval", "2m")
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    }


def has_data(prometheus: httpx.Client, expression: str) -> bool:
    answer: dict[str, Any] = prometheus.get("/query", params={"query": expression}).json()
    assert answer["status"] == "success", (expression, answer)
    values = [series["value"][1] for series in answer["data"]["result"]]
    return any(value != "NaN" for value in values)


def some_traffic(app: App) -> None:
    client = app.client
    session = client.post("/chat/sessions").raise_for_status().json()["session_id"]
    messages = f"/chat/sessions/{session}/messages"
    answer = client.post(messages, json={"message": "How do I reset my password?"}).raise_for_status().json()
    client.post(messages, data={"message": "See my file"}, files={"attachments": ("a.txt", b"A bill.", "text/plain")})
    client.post(f"{messages}/{answer['message_id']}/feedback", json={"rating": "up"}).raise_for_status()
    where = client.post(f"/chat/sessions/{session}/negotiate").raise_for_status().json()
    with connect(where["url"], subprotocols=[where["protocol"]]) as page:
        page.recv()  # it is connected
    client.post(messages, json={"message": "I want to talk to a human please"}).raise_for_status()
    client.get("/nowhere")


def test_every_query_of_the_dashboard_has_data(app: App, prometheus: httpx.Client) -> None:
    deadline = time.monotonic() + PATIENCE
    missing = expressions()
    assert len(missing) > 20
    while missing and time.monotonic() < deadline:
        some_traffic(app)
        with contextlib.suppress(httpx.TransportError):  # it starts
            missing = {name: query for name, query in missing.items() if not has_data(prometheus, query)}
        time.sleep(1)
    assert missing == {}

    rules = prometheus.get("/rules").json()["data"]["groups"][0]["rules"]
    assert {rule["name"] for rule in rules} == {rule["alert"] for group in ALERTS for rule in group["rules"]}
    assert {(rule["name"], rule["health"]) for rule in rules if rule["health"] != "ok"} == set()
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []
