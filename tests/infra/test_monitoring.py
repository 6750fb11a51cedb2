"""Alerts for Prometheus and Azure Monitor: they fire and stay quiet, name metrics that exist, and have a runbook."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from shared.settings import ROOT

RULES = ROOT / "infra/prometheus/alerts.yml"
PROMETHEUS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
AZURE = {alert["name"]: alert for alert in json.loads((ROOT / "infra/monitor/alerts.json").read_text())}
WORKBOOK = json.loads((ROOT / "infra/monitor/workbook.json").read_text())["items"]
DASHBOARD = json.loads((ROOT / "infra/grafana/dashboards/support-agent.json").read_text())
RUNBOOKS = {
    heading.lower() for heading in re.findall(r"^### (\w+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
}
NAMED = set(re.findall(r'(?:create_\w+|\bLevel)\(\s*"(\w+)"', (ROOT / "shared/telemetry.py").read_text()))
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (apt-get install prometheus)"
)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], check=False, cwd=RULES.parent, capture_output=True, text=True)


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts.test.yml"),
    ],
)
def test_the_rules_are_right(arguments: tuple[str, ...]) -> None:
    run = promtool(*arguments)
    assert run.returncode == 0, run.stdout + run.stderr


def test_each_alert_is_shown_to_fire_and_to_stay_quiet() -> None:
    tests = yaml.safe_load((RULES.parent / "alerts.test.yml").read_text())["tests"]
    cases = [(case["alertname"], bool(case.get("exp_alerts"))) for test in tests for case in test["alert_rule_test"]]
    assert set(cases) == {(name, fires) for name in PROMETHEUS for fires in (True, False)}


def test_each_alert_has_a_runbook() -> None:
    links = [rule["annotations"]["runbook"] for rule in PROMETHEUS.values()]
    links += [alert["runbook"] for alert in AZURE.values()]
    assert {link.removeprefix("docs/operations.md#") for link in links} == RUNBOOKS
    assert all(rule["annotations"]["runbook"].endswith(f"#{name.lower()}") for name, rule in PROMETHEUS.items())


def test_azure_has_the_same_alerts() -> None:
    """But for the one of a scrape that fails: there, nobody scrapes."""
    assert set(AZURE) == set(PROMETHEUS) - {"AppDown"}


def test_queries_name_metrics_that_exist() -> None:
    kql = [alert["query"] for alert in AZURE.values()]
    kql += [item["content"]["query"] for item in WORKBOOK if item["type"] == 3]
    named = {name for query in kql for part in re.findall(r"name (?:==|in) (.+)", query) for name in _metrics(part)}
    assert len(named) >= 9
    assert named - {"turn"} <= NAMED

    promql = [rule["expr"] for rule in PROMETHEUS.values()]
    promql += [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    used = {
        name
        for query in promql
        for name in re.findall(r"\b[a-z_]*(?:chat|support|rag|active|attachment|errors)_\w+", query)
    }
    known = NAMED | {f"{name}_total" for name in NAMED} | {f"{name}_seconds_bucket" for name in NAMED}
    assert used <= known
    assert {name for name in NAMED if not name.startswith("support_")} <= {
        re.sub(r"(_total|_seconds_bucket)$", "", name) for name in used | {"errors_total"}
    }


def _metrics(part: str) -> list[str]:
    return re.findall(r"'((?:chat|support|rag|errors|turn)\w*)'", part)
