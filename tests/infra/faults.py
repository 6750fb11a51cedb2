"""Deliberate faults in infrastructure, settings, rules and workflows: `make infra-faults` tells which the checks catch.

Each is made in a copy of the repository, alone, and is caught if a check fails that passes without it. test_faults.py
sees to it that this list keeps up with the files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LENT = (".venv", ".prometheus", "tests/infra/kql/node_modules", "widget/node_modules")
"""What is installed and not in the repository."""
CHECKS = {
    "infra/bicep/": "infra/test_bicep.py infra/test_app_settings.py infra/test_monitoring.py infra/test_checks.py",
    "infra/hooks/": "infra/test_hooks.py infra/test_app_settings.py infra/test_checks.py",
    "infra/": "infra/test_monitoring.py",
    "docs/": "infra/test_monitoring.py unit/test_docs.py",
    "shared/": "infra/test_app_settings.py infra/test_monitoring.py unit/test_settings.py",
    ".github/": "infra/test_workflows.py infra/test_checks.py",
    "tools/": "unit/tools/test_deploy.py unit/tools/test_prometheus.py",
    ".funcignore": "unit/tools/test_package.py",
    "": "infra/test_containers.py infra/test_hooks.py infra/test_checks.py",
}
"""The tests that look at a file, by how its path begins; the first that fits."""


@dataclass(frozen=True, slots=True)
class Fault:
    what: str
    file: str
    old: str
    new: str


BICEP = "infra/bicep/modules"
FAULTS = [
    Fault(
        "partition key of conversations", f"{BICEP}/cosmos.bicep", "partitionKey: '/session_id'", "partitionKey: '/id'"
    ),
    Fault(
        "containers without expiry",
        f"{BICEP}/cosmos.bicep",
        "        defaultTtl: -1\n        indexingPolicy: {\n          indexingMode",
        "        indexingPolicy: {\n          indexingMode",
    ),
    Fault("an indexed path dropped", f"{BICEP}/cosmos.bicep", "      { path: '/kept_until/?' }\n", ""),
    Fault("keys of Cosmos DB", f"{BICEP}/cosmos.bicep", "disableLocalAuth: true", "disableLocalAuth: false"),
    Fault(
        "data role over the whole account",
        f"{BICEP}/cosmos.bicep",
        "scope: '${account.id}/dbs/${database.name}'",
        "scope: account.id",
    ),
    Fault("eventual consistency", f"{BICEP}/cosmos.bicep", "'Session'", "'Eventual'"),
    Fault(
        "always serverless",
        f"{BICEP}/cosmos.bicep",
        "serverless ? [{ name: 'EnableServerless' }] : []",
        "[{ name: 'EnableServerless' }]",
    ),
    Fault("name of the database", f"{BICEP}/cosmos.bicep", "resource: { id: databaseName }", "resource: { id: 'x' }"),
    Fault("name of a queue", f"{BICEP}/servicebus.bicep", "'webhook-deliveries'", "'webhook-delivery'"),
    Fault(
        "no detection of duplicates",
        f"{BICEP}/servicebus.bicep",
        "requiresDuplicateDetection: true",
        "requiresDuplicateDetection: false",
    ),
    Fault("no lock", f"{BICEP}/servicebus.bicep", "lockDuration: 'PT1M'", "lockDuration: 'PT0M'"),
    Fault("fewer deliveries", f"{BICEP}/servicebus.bicep", "maxDeliveryCount: 10", "maxDeliveryCount: 3"),
    Fault(
        "owner instead of receiver",
        f"{BICEP}/servicebus.bicep",
        "var receiver = '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'",
        "var receiver = '090c5cfd-751d-490a-894a-3ce6f1109419'",
    ),
    Fault(
        "zone of private endpoints",
        f"{BICEP}/servicebus.bicep",
        "privatelink.servicebus.windows.net",
        "privatelink.servicebus.azure.com",
    ),
    Fault("secrets of the whole group", f"{BICEP}/vault.bicep", "  scope: vault\n", "  scope: resourceGroup()\n"),
    Fault(
        "vault that can be purged",
        f"{BICEP}/vault.bicep",
        "enablePurgeProtection: true",
        "enablePurgeProtection: false",
    ),
    Fault(
        "vault public in spite of private networking",
        f"{BICEP}/vault.bicep",
        "private && empty(allowedAddresses) ? 'Disabled' : 'Enabled'",
        "'Enabled'",
    ),
    Fault("Chroma twice", f"{BICEP}/chroma.bicep", "maxReplicas: 1", "maxReplicas: 2"),
    Fault("Chroma public", f"{BICEP}/chroma.bicep", "internal: true", "internal: false"),
    Fault(
        "Chroma reached by itself only",
        f"{BICEP}/chroma.bicep",
        "external: true, targetPort",
        "external: false, targetPort",
    ),
    Fault("Chroma on SMB", f"{BICEP}/chroma.bicep", "enabledProtocols: 'NFS'", "enabledProtocols: 'SMB'"),
    Fault(
        "index and backup swapped", f"{BICEP}/chroma.bicep", "args: ['/data', '/backup']", "args: ['/backup', '/data']"
    ),
    Fault("API version that is not there", f"{BICEP}/events.bicep", "@2025-02-15", "@2025-02-16"),
    Fault("property misspelt", f"{BICEP}/model.bicep", "customSubDomainName: name", "customSubdomainName: name"),
    Fault("keys of the model", f"{BICEP}/model.bicep", "disableLocalAuth: true", "disableLocalAuth: false"),
    Fault(
        "packages public",
        f"{BICEP}/storage.bicep",
        "  name: 'packages'\n  properties: { publicAccess: 'None' }",
        "  name: 'packages'\n  properties: { publicAccess: 'Blob' }",
    ),
    Fault("blobs public", f"{BICEP}/storage.bicep", "allowBlobPublicAccess: false", "allowBlobPublicAccess: true"),
    Fault(
        "the host's rights to the operator",
        f"{BICEP}/storage.bicep",
        "guid(host.id, principalId, role)\n    properties: {\n      principalId: principalId",
        "guid(host.id, principalId, role)\n    properties: {\n      principalId: operatorPrincipalId",
    ),
    Fault("another Python", f"{BICEP}/app.bicep", "version: '3.13'", "version: '3.12'"),
    Fault(
        "identity of the system",
        f"{BICEP}/app.bicep",
        "identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }",
        "identity: { type: 'SystemAssigned' }",
    ),
    Fault("old TLS", f"{BICEP}/app.bicep", "minTlsVersion: '1.2', scm", "minTlsVersion: '1.0', scm"),
    Fault("passwords of FTP", f"{BICEP}/app.bicep", "properties: { allow: false }", "properties: { allow: true }"),
    Fault("vault read as nobody", f"{BICEP}/app.bicep", "    keyVaultReferenceIdentity: identityId\n", ""),
    Fault("the internet let in", f"{BICEP}/network.bicep", "access: 'Deny'", "access: 'Allow'"),
    Fault("server of Chroma newer than its client", "infra/bicep/main.bicep", "chroma:1.5.9", "chroma:1.6.0"),
    Fault(
        "app in Chroma's subnet",
        "infra/bicep/main.bicep",
        "network!.outputs.appSubnetId",
        "network!.outputs.chromaSubnetId",
    ),
    Fault(
        "endpoint of another store",
        "infra/bicep/main.bicep",
        "cosmosEndpoint: cosmos.outputs.endpoint",
        "cosmosEndpoint: serviceBus.outputs.hostName",
    ),
    Fault(
        "events of another account",
        "infra/bicep/main.bicep",
        "sourceId: storage.outputs.documentsId",
        "sourceId: storage.outputs.hostName",
    ),
    Fault(
        "no network for Chroma",
        "infra/bicep/main.bicep",
        "var withNetwork = withChroma || privateNetworking",
        "var withNetwork = privateNetworking",
    ),
    Fault("vector search where Chroma is", "infra/bicep/main.bicep", "withIndex: !withChroma", "withIndex: withChroma"),
    Fault("output renamed", "infra/bicep/main.bicep", "output APP_NAME", "output FUNCTION_APP_NAME"),
    # Alerts and workbook
    Fault(
        "alerts on the workspace",
        "infra/bicep/main.bicep",
        "componentId: monitoring.outputs.componentId",
        "componentId: monitoring.outputs.workspaceId",
    ),
    Fault("alerts never on", "infra/bicep/main.bicep", "enabled: alertsEnabled", "enabled: false"),
    Fault(
        "alerts off by default",
        "infra/bicep/main.bicep",
        "param alertsEnabled bool = true",
        "param alertsEnabled bool = false",
    ),
    Fault("address not passed on", "infra/bicep/main.parameters.json", "${ALERT_EMAIL=}", "${ALERTS_EMAIL=}"),
    Fault("alerts on the group", f"{BICEP}/alerts.bicep", "scopes: [componentId]", "scopes: [resourceGroup().id]"),
    Fault("alerts that call nobody", f"{BICEP}/alerts.bicep", "actionGroups: [people.id]", "actionGroups: []"),
    Fault(
        "e-mail only without an address", f"{BICEP}/alerts.bicep", "empty(email) ? [] : [{", "!empty(email) ? [] : [{"
    ),
    Fault(
        "group that is off",
        f"{BICEP}/alerts.bicep",
        "    groupShortName: 'support'\n    enabled: true",
        "    groupShortName: 'support'\n    enabled: false",
    ),
    Fault("one severity for all", f"{BICEP}/alerts.bicep", "severity: alert.severity", "severity: 3"),
    Fault("one window for all", f"{BICEP}/alerts.bicep", "windowSize: alert.windowSize", "windowSize: 'PT5M'"),
    Fault(
        "window and frequency swapped",
        f"{BICEP}/alerts.bicep",
        "evaluationFrequency: alert.evaluationFrequency",
        "evaluationFrequency: alert.windowSize",
    ),
    Fault("two rows needed", f"{BICEP}/alerts.bicep", "threshold: 0", "threshold: 1"),
    Fault("alert when nothing is wrong", f"{BICEP}/alerts.bicep", "operator: 'GreaterThan'", "operator: 'LessThan'"),
    Fault("alert that is never over", f"{BICEP}/alerts.bicep", "autoMitigate: true", "autoMitigate: false"),
    Fault("runbook not passed on", f"{BICEP}/alerts.bicep", "runbook: alert.runbook", "runbook: alert.name"),
    Fault(
        "another workbook",
        f"{BICEP}/alerts.bicep",
        "var workbook = loadJsonContent('../../monitor/workbook.json')",
        "var workbook = loadJsonContent('../../monitor/alerts.json')",
    ),
    Fault(
        "workbook without its data", f"{BICEP}/alerts.bicep", "sourceId: componentId", "sourceId: resourceGroup().id"
    ),
    Fault(
        "workbook's name is no GUID", f"{BICEP}/alerts.bicep", "name: guid(componentId, 'overview')", "name: 'overview'"
    ),
    Fault(
        "component and workspace swapped",
        f"{BICEP}/monitoring.bicep",
        "output componentId string = component.id",
        "output componentId string = workspace.id",
    ),
    Fault("alert renamed", "infra/monitor/alerts.json", '"name": "TokenSpend"', '"name": "TokenSpending"'),
    Fault("severity", "infra/monitor/alerts.json", '"severity": 1', '"severity": 4'),
    Fault("window", "infra/monitor/alerts.json", '"windowSize": "P1D"', '"windowSize": "PT1H"'),
    Fault(
        "frequency, and so the price",
        "infra/monitor/alerts.json",
        '"evaluationFrequency": "PT15M"',
        '"evaluationFrequency": "PT5M"',
    ),
    Fault(
        "runbook that is not there",
        "infra/monitor/alerts.json",
        "operations.md#staleindex",
        "operations.md#staleindices",
    ),
    Fault(
        "runbook of another alert", "infra/monitor/alerts.json", "operations.md#errorrate", "operations.md#slowanswers"
    ),
    Fault("metric that nobody records", "infra/monitor/alerts.json", "'support_dead_letters'", "'support_dead_letter'"),
    Fault(
        "metric of another beginning",
        "infra/monitor/alerts.json",
        "name == 'support_tickets_overdue'",
        "name == 'tickets_overdue'",
    ),
    Fault("label that is not recorded", "infra/monitor/alerts.json", "customDimensions.queue", "customDimensions.name"),
    Fault("outcome that is not there", "infra/monitor/alerts.json", "== 'failed'", "== 'failure'"),
    Fault("counter read as a level", "infra/monitor/alerts.json", "dollars = sum(valueSum)", "dollars = max(value)"),
    Fault("another threshold", "infra/monitor/alerts.json", "dollars > 50", "dollars > 500"),
    Fault("seconds for milliseconds", "infra/monitor/alerts.json", "p95 > 10000", "p95 > 10"),
    Fault("query that Kusto does not know", "infra/monitor/alerts.json", "| summarize p95", "| sumarize p95"),
    Fault("reserved word as a column", "infra/monitor/alerts.json", "compared", "last"),
    Fault(
        "table that is not there", "infra/monitor/workbook.json", '"query": "dependencies |', '"query": "dependency |'
    ),
    Fault(
        "panel of a metric that is not there",
        "infra/monitor/workbook.json",
        "name == 'rag_queries'",
        "name == 'rag_query'",
    ),
    Fault(
        "panel that asks something else than logs", "infra/monitor/workbook.json", '"queryType": 0', '"queryType": 1'
    ),
    Fault(
        "rule that never fires",
        "infra/prometheus/alerts.yml",
        "max_over_time(support_dead_letters[5m])) > 0",
        "max_over_time(support_dead_letters[5m])) > 100",
    ),
    Fault(
        "rule that always fires",
        "infra/prometheus/alerts.yml",
        "support_reconciled_timestamp_seconds) > 3600",
        "support_reconciled_timestamp_seconds) > -1",
    ),
    Fault(
        "rule of a metric that is not there",
        "infra/prometheus/alerts.yml",
        "support_model_cost_usd_total",
        "support_model_cost_total",
    ),
    Fault("rule file not read", "infra/prometheus/prometheus.yml", "  - alerts.yml\n", "  - alert.yml\n"),
    Fault(
        "panel of a metric that nobody records",
        "infra/grafana/dashboards/support-agent.json",
        "chat_escalations_total",
        "chat_escalation_total",
    ),
    Fault("runbook without its heading", "docs/operations.md", "### DeadLetters", "### Dead letters"),
    Fault("metric renamed in the code", "shared/telemetry.py", '"chat_messages"', '"chat_message"'),
    # Settings
    Fault("setting misspelt", f"{BICEP}/app.bicep", "COSMOS_ENDPOINT: ", "COSMOS_ENDPIONT: "),
    Fault("connection without an identity", f"{BICEP}/app.bicep", "  SERVICE_BUS__clientId: identityClientId\n", ""),
    Fault("clients' addresses unknown", f"{BICEP}/app.bicep", "  TRUSTED_PROXIES: '1'\n", ""),
    Fault("no tokens", f"{BICEP}/app.bicep", "AUTH_MODE: 'token'", "AUTH_MODE: 'open'"),
    Fault(
        "secret by value",
        f"{BICEP}/app.bicep",
        "TOKEN_SECRET: '@Microsoft.KeyVault(SecretUri=${tokenSecretUri})'",
        "TOKEN_SECRET: uniqueString(name)",
    ),
    Fault(
        "setting that nobody sets",
        "shared/settings.py",
        "    chat_provider: Literal",
        "    search_url: str | None = None\n    chat_provider: Literal",
    ),
    Fault("unknown setting of the host", "host.json", "maxConcurrentCalls", "maxConcurentCalls"),
    # Workflows
    Fault(
        "action not pinned",
        ".github/workflows/test.yml",
        "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
        "actions/checkout@v6",
    ),
    Fault(
        "credentials that stay",
        ".github/workflows/deploy.yml",
        "persist-credentials: false",
        "persist-credentials: true",
    ),
    Fault("production without staging", ".github/workflows/deploy.yml", "needs: staging", "needs: build"),
    Fault(
        "bill of materials not signed", ".github/workflows/deploy.yml", "          sbom-path: dist/sbom.cdx.json\n", ""
    ),
    Fault("right to write", ".github/workflows/security.yml", "contents: read", "contents: write"),
    Fault(
        "no way back",
        ".github/workflows/deploy-to.yml",
        "if: failure() && steps.deploy.outcome == 'failure'",
        "if: steps.deploy.outcome == 'failure'",
    ),
    Fault(
        "no approval",
        ".github/workflows/deploy-to.yml",
        "      name: ${{ inputs.environment }}",
        "      name: unprotected",
    ),
    Fault(
        "signature not looked at",
        ".github/workflows/deploy-to.yml",
        "run: gh attestation verify dist/app.zip",
        "run: echo gh dist/app.zip",
    ),
    Fault("compiler's warnings pass", ".github/workflows/test.yml", "(Warning|Error) (BCP", "(Error) (BCP"),
    Fault(
        "input pasted into a shell",
        ".github/workflows/rollback.yml",
        '${BUILD:+--to "$BUILD"}',
        '--to "${{ inputs.build }}"',
    ),
    Fault("unknown key of a job", ".github/workflows/rollback.yml", "runs-on: ubuntu", "run-on: ubuntu"),
    Fault(
        "actions never updated",
        ".github/dependabot.yml",
        "package-ecosystem: github-actions",
        "package-ecosystem: gomod",
    ),
    # Hooks, containers, tools
    Fault(
        "a new secret whatever the answer",
        "infra/hooks/postprovision.sh",
        'if ! grep -q -e SecretNotFound -e ResourceNotFound -e "Not Found" "$problem"; then',
        "if false; then",
    ),
    Fault("secret printed", "infra/hooks/postprovision.sh", 'echo "A token secret was made."', 'cat "$body"'),
    Fault("name of the secret", "infra/hooks/postprovision.sh", "secrets/token-secret?", "secrets/tokensecret?"),
    Fault("secret left in a file", "infra/hooks/postprovision.sh", 'trap \'rm -f "$problem" "$body"\' EXIT\n', ""),
    Fault("short secret", "infra/hooks/postprovision.sh", "openssl rand -base64 48", "openssl rand -base64 8"),
    Fault(
        "deletions not told",
        "infra/hooks/postdeploy.sh",
        "Microsoft.Storage.BlobDeleted",
        "Microsoft.Storage.BlobTierChanged",
    ),
    Fault("another container", "infra/hooks/postdeploy.sh", "containers/documents/", "containers/document/"),
    Fault(
        "kind of an event's receiver",
        "infra/hooks/postdeploy.sh",
        "--endpoint-type azurefunction",
        "--endpoint-type webhook",
    ),
    Fault("hook misnamed", "azure.yaml", "  postprovision:\n    shell", "  postprovison:\n    shell"),
    Fault("container as root", "Dockerfile", "USER 10001\n", ""),
    Fault("image of no version", "compose.yaml", "prom/prometheus:v3.5.0", "prom/prometheus:latest"),
    Fault("Prometheus for everybody", "compose.yaml", '"127.0.0.1:9090:9090"', '"9090:9090"'),
    Fault("tests in the package", ".funcignore", "/tests\n", ""),
    Fault("a build counts at its first answer", "tools/deploy.py", "IN_A_ROW = 3", "IN_A_ROW = 1"),
    Fault("back to the oldest", "tools/rollback.py", "return candidates[-1]", "return candidates[0]"),
    Fault("Prometheus installed with its service", "tools/prometheus.sh", "download prometheus", "install prometheus"),
]


def copy(folder: Path) -> None:
    """The files of the repository, as they are now, in a repository of their own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    for name in LENT:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)


def checks(file: str) -> list[str]:
    tests = next(tests for beginning, tests in CHECKS.items() if file.startswith(beginning))
    return [f"tests/{name}" for name in tests.split()]


def failing(folder: Path, tests: list[str]) -> str | None:
    """The first check that fails; None if all pass."""
    command = [".venv/bin/python", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=no", *tests]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return None
    found = [line for line in run.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return found[0].split()[1].removeprefix("tests/") if found else run.stdout[-300:]


def main(words: list[str]) -> int:
    """Try all faults, or those whose description or file has one of the words; 1 if any passes unseen."""
    chosen = [fault for fault in FAULTS if not words or any(word in fault.what + fault.file for word in words)]
    unseen = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(folder)
        for tests in {tuple(checks(fault.file)) for fault in chosen}:
            if broken := failing(folder, list(tests)):
                print(f"Without any fault, {broken} fails", file=sys.stderr)
                return 2
        for fault in chosen:
            file = folder / fault.file
            right = file.read_text()
            file.write_text(right.replace(fault.old, fault.new))
            caught = failing(folder, checks(fault.file))
            file.write_text(right)
            unseen += caught is None
            print(f"{'caught' if caught else 'UNSEEN'}  {fault.file}: {fault.what}  {caught or ''}", flush=True)
    print(f"{len(chosen) - unseen} of {len(chosen)} faults are caught")
    if "INFRA_CHECK" not in os.environ or "BICEP_CHECK" not in os.environ:
        print("Not all checks ran: see INFRA_CHECK and BICEP_CHECK in the Makefile")
    return int(unseen > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
