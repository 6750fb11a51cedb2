"""Alerts for Prometheus and Azure Monitor: they fire and stay quiet, name metrics that exist, have a runbook, and are
made in Azure as they are written."""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import yaml

from shared.exporters import METRIC_SECONDS
from shared.settings import ROOT
from tests.infra.bicep import modules
from tests.prometheus import MISSING, PROMTOOL

RULES = ROOT / "infra/prometheus/alerts.yml"
PROMETHEUS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
AZURE = {alert["name"]: alert for alert in json.loads((ROOT / "infra/monitor/alerts.json").read_text())}
WORKBOOK = json.loads((ROOT / "infra/monitor/workbook.json").read_text())["items"]
DASHBOARD = json.loads((ROOT / "infra/grafana/dashboards/support-agent.json").read_text())
KQL = [alert["query"] for alert in AZURE.values()] + [
    item["content"]["query"] for item in WORKBOOK if "query" in item["content"]
]
PROMQL = [rule["expr"] for rule in PROMETHEUS.values()] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]
RUNBOOKS = {
    heading.lower() for heading in re.findall(r"^### (\w+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
}
MADE = modules()["alerts"].of("resource")
SEVERITIES = {"page": 1, "ticket": 2}
"""Of Prometheus' label and Azure's: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-overview"""
ASKED = {
    "ErrorRate": ("PT15M", "PT5M"),
    "SlowAnswers": ("PT15M", "PT5M"),
    "DeadLetters": ("PT15M", "PT5M"),
    "TicketsOverdue": ("PT15M", "PT5M"),
    "StaleIndex": ("PT2H", "PT15M"),
    "TokenSpend": ("P1D", "PT1H"),
    "DegradedAnswers": ("PT15M", "PT5M"),
    "ShedTurns": ("PT15M", "PT5M"),
    "LostNews": ("PT15M", "PT15M"),
}
"""Over how much time Azure asks, and how often, which is what it charges. A change here is a decision."""
PRICES = {"PT5M": 1.5, "PT10M": 1.0, "PT15M": 0.5, "PT30M": 0.5, "PT1H": 0.5}
"""Dollars a month for a log search alert that is asked so often: https://azure.microsoft.com/pricing/details/monitor/"""
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason=MISSING)


def metrics() -> dict[str, str]:
    """The kind of every metric that is declared: counter, histogram, observable_gauge or level."""
    tree = ast.parse((ROOT / "shared/telemetry.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    return {
        call.args[0].value: re.sub(r".*create_", "", ast.unparse(call.func)).lower()
        for call in calls
        if isinstance(call.args[0], ast.Constant) and re.search(r"\.create_|^Level$", ast.unparse(call.func))
    }


def recorded() -> dict[str, set[str]]:
    """The labels with which each metric is recorded anywhere in the app; one that never is, is not in it."""
    module = ast.parse((ROOT / "shared/telemetry.py").read_text())
    names = {
        assigned.targets[0].id: assigned.value.args[0].value
        for assigned in module.body
        if isinstance(assigned, ast.Assign)
        and isinstance(assigned.targets[0], ast.Name)
        and isinstance(assigned.value, ast.Call)
        and assigned.value.args
        and isinstance(assigned.value.args[0], ast.Constant)
    }
    found: dict[str, set[str]] = {"active_sessions": set()}  # asked for when it is exported
    for file in [file for part in ("shared", "functions", "local") for file in (ROOT / part).rglob("*.py")]:
        for call in ast.walk(ast.parse(file.read_text())):
            if file.name == "telemetry.py" or not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            name = names.get(ast.unparse(call.func.value).rpartition(".")[2])
            if name and call.func.attr in ("add", "record", "set"):
                labels = [key for given in call.args if isinstance(given, ast.Dict) for key in given.keys]
                found.setdefault(name, set()).update(key.value for key in labels if isinstance(key, ast.Constant))
    return found


METRICS = metrics()
RECORDED = recorded()


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROMTOOL), *arguments], check=False, cwd=RULES.parent, capture_output=True, text=True)


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
    rules = {name: rule["annotations"] for name, rule in PROMETHEUS.items()}
    for name, link in [(name, about["runbook"]) for name, about in [*rules.items(), *AZURE.items()]]:
        assert link == f"docs/operations.md#{name.lower()}"
    assert {name.lower() for name in PROMETHEUS} == RUNBOOKS


# ---- Azure Monitor


def test_azure_has_the_same_alerts() -> None:
    """But for the one of a scrape that fails: there, nobody scrapes."""
    assert set(AZURE) == set(PROMETHEUS) - {"AppDown"}
    for name, alert in AZURE.items():
        assert alert["severity"] == SEVERITIES[PROMETHEUS[name]["labels"]["severity"]], name


def test_azure_fires_at_the_same_figures() -> None:
    """Each threshold of a Prometheus rule is one of the query's; durations are in milliseconds there."""
    for name, alert in AZURE.items():
        unit = 1000 if "duration" in alert["query"] else 1
        wanted = {float(figure) * unit for figure in re.findall(r"> ([\d.]+)", PROMETHEUS[name]["expr"])}
        assert wanted <= {float(figure) for figure in re.findall(r"> ([\d.]+)", alert["query"])}, name


def test_azure_asks_as_often_as_was_decided() -> None:
    assert {name: (alert["windowSize"], alert["evaluationFrequency"]) for name, alert in AZURE.items()} == ASKED
    for name, (window, often) in ASKED.items():
        assert duration(window) >= duration(often) > timedelta(seconds=METRIC_SECONDS), name
        # No row falls between two windows, and what Prometheus looks back on is in one.
        ranges = [duration(f"PT{back}".upper()) for back in re.findall(r"\[(\d+[mh])\]", PROMETHEUS[name]["expr"])]
        assert all(duration(window) >= back for back in ranges), name


def duration(iso: str) -> timedelta:
    unit = {"M": "minutes", "H": "hours", "D": "days"}
    parts = re.fullmatch(r"PT?(\d+)([MHD])", iso)
    assert parts, iso
    return timedelta(**{unit[parts[2]]: int(parts[1])})


def test_what_alerts_cost_is_told() -> None:
    dollars = sum(PRICES[often] for _, often in ASKED.values())
    for file in ("infra/bicep/main.bicep", "docs/deployment.md"):
        assert f"${dollars:.2f} a month for the nine" in " ".join((ROOT / file).read_text().split())
    assert len(ASKED) == 9


def test_azure_makes_each_alert_as_it_is_written() -> None:
    rules = MADE["rules"].body
    assert [rule["name"] for rule in rules] == list(AZURE)
    for rule, alert in zip(rules, AZURE.values(), strict=True):
        assert rule["properties"] == {
            "displayName": f"{alert['name']}: {alert['description']}",
            "severity": alert["severity"],
            "enabled": "enabled",
            "scopes": ["componentId"],
            "windowSize": alert["windowSize"],
            "evaluationFrequency": alert["evaluationFrequency"],
            "criteria": {
                "allOf": [
                    {
                        "query": alert["query"],
                        "timeAggregation": "Count",
                        "operator": "GreaterThan",
                        "threshold": 0,
                        "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1},
                    }
                ]
            },
            "autoMitigate": True,
            "skipQueryValidation": True,
            "actions": {"actionGroups": ["people.id"], "customProperties": {"runbook": alert["runbook"]}},
        }


def test_alerts_reach_who_is_named_and_nobody_else() -> None:
    about = MADE["people"].body["properties"]
    receiver = "{ name: 'people', emailAddress: email, useCommonAlertSchema: true }"
    assert about == {
        "groupShortName": "support",  # at most twelve letters
        "enabled": True,
        "emailReceivers": f"empty(email) ? [] : [{receiver}]",
    }
    assert MADE["people"].body["location"] == "global"
    given = modules()["main"].of("module")["alerts"].body["params"]
    assert (given["enabled"], given["email"]) == ("alertsEnabled", "alertEmail")
    parameters = modules()["main"].of("param")
    assert parameters["alertsEnabled"].text.endswith("param alertsEnabled bool = true")
    assert parameters["alertEmail"].text.endswith("param alertEmail string = ''")
    azd = json.loads((ROOT / "infra/bicep/main.parameters.json").read_text())["parameters"]
    assert azd["alertsEnabled"] == {"value": "${ALERTS_ENABLED=true}"}
    assert azd["alertEmail"] == {"value": "${ALERT_EMAIL=}"}


def test_the_workbook_shows_the_component_s_own_data() -> None:
    assert "loadJsonContent('../../monitor/workbook.json')" in modules()["alerts"].of("var")["workbook"].text
    overview = MADE["overview"].body
    assert overview["name"] == "guid(componentId, 'overview')"  # Azure takes a GUID only
    assert overview["kind"] == "shared"
    assert overview["properties"] == {
        "displayName": "Support agent",
        "category": "workbook",
        "sourceId": "componentId",
        "serializedData": "string(union(workbook, { fallbackResourceIds: [componentId] }))",
    }
    assert modules()["monitoring"].of("output")["componentId"].body == "component.id"


def test_every_part_of_the_workbook_asks_application_insights() -> None:
    """https://github.com/microsoft/Application-Insights-Workbooks: item 1 is text, 3 a query; query 0 is of logs."""
    assert {item["type"] for item in WORKBOOK} == {1, 3}
    for item in WORKBOOK:
        if item["type"] == 3:
            about = item["content"]
            assert (about["version"], about["queryType"]) == ("KqlItem/1.0", 0)
            assert about["resourceType"] == "microsoft.insights/components"
            assert about["visualization"] in ("timechart", "table")
            assert about["timeContext"]["durationMs"] > 0


# ---- queries


def complaints(queries: Sequence[str]) -> list[list[str]]:
    """What Microsoft's own parser says of each."""
    folder = ROOT / "tests/infra/kql"
    if not (node := shutil.which("node")) or not (folder / "node_modules").exists():
        pytest.skip("Node or the packages of tests/infra/kql are not installed (tools/setup.sh test)")
    command = [node, str(folder / "check.js")]
    run = subprocess.run(command, input=json.dumps(queries), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_azure_understands_every_query() -> None:
    assert dict(zip(KQL, complaints(KQL), strict=True)) == {query: [] for query in KQL}
    wrong = ["customMetrics | sumarize count()", "customMetrics | where valu > 0", "requsts | count"]
    assert all(complaints(wrong))


@pytest.mark.parametrize("query", KQL)
def test_azure_is_asked_for_what_is_recorded(query: str) -> None:
    table = query.partition("|")[0].strip()
    named = set(re.findall(r"'(\w+)'", " ".join(re.findall(r"\bname (?:==|in) ('\w+'|\([^)]*\))", query))))
    if table == "dependencies":
        assert named <= {"turn"}
        assert 'telemetry.span("turn"' in (ROOT / "shared/conversation/service.py").read_text()
        return
    assert table == "customMetrics"
    assert named
    assert named <= set(METRICS)
    assert named <= set(RECORDED)
    # Counters come as what was added since, levels as what they are.
    column = {"counter": "valueSum", "level": "value"}
    assert set(re.findall(r"\bvalue\w*\b", query)) == {column[METRICS[name]] for name in named}
    labels: set[str] = set().union(*(RECORDED[name] for name in named))
    assert set(re.findall(r"customDimensions\.(\w+)", query)) <= labels


def test_azure_counts_as_failed_what_prometheus_does() -> None:
    (word,) = re.findall(r"outcome\) == '(\w+)'", AZURE["ErrorRate"]["query"])
    assert f'outcome="{word}"' in PROMETHEUS["ErrorRate"]["expr"]
    # That the app has it, is known from the zero it begins with.
    assert f'"{word}"' in (ROOT / "shared/telemetry.py").read_text()


def test_prometheus_is_asked_for_what_is_recorded() -> None:
    named = re.compile(r"\b[a-z_]*(?:chat|support|rag|active|attachment|errors)_\w+")
    used = {name for query in PROMQL for name in named.findall(query)}
    exported: dict[str, Any] = {name: kind for name, kind in METRICS.items() if name in RECORDED}
    known = set(exported) | {f"{name}_total" for name in exported} | {f"{name}_seconds_bucket" for name in exported}
    assert used <= known
    assert {name for name in exported if not name.startswith("support_")} <= {
        re.sub(r"(_total|_seconds_bucket)$", "", name) for name in used | {"errors_total"}
    }
