"""The hooks of azd, run with an Azure CLI that only writes down what it is told."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from functions.ingest_blob.function import CONTAINER
from tests.infra.bicep import ROOT, modules

HOOKS = ROOT / "infra" / "hooks"
KEY = "key-of-the-host"
ENVIRONMENT = {
    "AZURE_SUBSCRIPTION_ID": "sub",
    "AZURE_RESOURCE_GROUP": "rg-test",
    "KEY_VAULT_NAME": "kv-test",
    "APP_NAME": "func-test",
    "EVENT_TOPIC_NAME": "evgt-test",
    "PAUSE": "0",
    "ATTEMPTS": "3",
}
AZ = """#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS"
for argument in "$@"; do case $argument in @*) cp "${argument#@}" "$BODY" ;; esac; done
case "$*" in
"rest --method get"*) [ -z "${ABSENT:-}" ] || { echo "$ABSENT" >&2; exit 1; } ;;
"functionapp function show"*) [ -z "${NO_FUNCTION:-}" ] && echo forget_blob ;;
"functionapp keys list"*) [ -z "${NO_KEY:-}" ] && echo KEY ;;
"functionapp show"*) echo func-test.azurewebsites.net ;;
*create*) [ -z "${NO_CREATE:-}" ] ;;
esac
""".replace("KEY ;;", f"{KEY} ;;")

type Hook = Callable[..., tuple[subprocess.CompletedProcess[str], list[str]]]


@pytest.fixture
def run_hook(tmp_path: Path) -> Hook:
    cli = tmp_path / "bin" / "az"
    cli.parent.mkdir()
    cli.write_text(AZ)
    cli.chmod(0o755)
    calls = tmp_path / "calls"
    (tmp_path / "tmp").mkdir()

    def run(name: str, **more: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        calls.write_text("")
        path = f"{cli.parent}:{os.environ['PATH']}"
        files = {"PATH": path, "CALLS": str(calls), "BODY": str(tmp_path / "body"), "TMPDIR": str(tmp_path / "tmp")}
        done = subprocess.run(
            ["sh", str(HOOKS / name)], env=ENVIRONMENT | files | more, capture_output=True, text=True, check=False
        )
        assert list((tmp_path / "tmp").iterdir()) == []  # no secret stays behind
        return done, calls.read_text().splitlines()

    return run


def test_a_token_secret_is_made_once(run_hook: Hook, tmp_path: Path) -> None:
    done, calls = run_hook("postprovision.sh", ABSENT="ERROR: Not Found({'error':{'code':'SecretNotFound'}})")
    assert done.returncode == 0, done.stderr
    get, put, refresh = calls
    assert "/vaults/kv-test/secrets/token-secret?" in get
    assert put.startswith("rest --method put")
    assert "/config/configreferences/appsettings/refresh" in refresh
    secret = json.loads((tmp_path / "body").read_text())["properties"]["value"]
    assert len(secret) == 64
    assert secret not in done.stdout + done.stderr + "".join(calls)

    done, calls = run_hook("postprovision.sh")
    assert done.returncode == 0
    assert [call.split()[2] for call in calls] == ["get"]


def test_two_token_secrets_differ(run_hook: Hook, tmp_path: Path) -> None:
    bodies = []
    for _ in range(2):
        run_hook("postprovision.sh", ABSENT="SecretNotFound")
        bodies.append((tmp_path / "body").read_text())
    assert bodies[0] != bodies[1]


def test_no_new_secret_when_nobody_knows_whether_there_is_one(run_hook: Hook) -> None:
    """It would end every conversation."""
    done, calls = run_hook("postprovision.sh", ABSENT="ERROR: AuthorizationFailed")
    assert done.returncode == 1
    assert "AuthorizationFailed" in done.stderr
    assert len(calls) == 1


def test_both_listeners_are_told_to_event_grid(run_hook: Hook) -> None:
    done, calls = run_hook("postdeploy.sh")
    assert done.returncode == 0, done.stderr
    created, deleted = (call for call in calls if " create " in call)
    assert "--included-event-types Microsoft.Storage.BlobCreated" in created
    assert "--endpoint-type webhook" in created
    webhook = "https://func-test.azurewebsites.net/runtime/webhooks/blobs"
    assert f"--endpoint {webhook}?functionName=Host.Functions.ingest_blob&code={KEY}" in created
    assert "--included-event-types Microsoft.Storage.BlobDeleted" in deleted
    assert "--endpoint-type azurefunction" in deleted
    assert deleted.endswith("/providers/Microsoft.Web/sites/func-test/functions/forget_blob")
    for call in (created, deleted):
        assert f"--subject-begins-with /blobServices/default/containers/{CONTAINER}/" in call
        assert "--system-topic-name evgt-test" in call
    assert KEY not in done.stdout + done.stderr
    assert run_hook("postdeploy.sh")[1] == calls  # may be repeated


@pytest.mark.parametrize("missing", ["NO_FUNCTION", "NO_KEY", "NO_CREATE"])
def test_what_goes_wrong_after_a_deployment_is_told(run_hook: Hook, missing: str) -> None:
    done, calls = run_hook("postdeploy.sh", **{missing: "1"})
    assert done.returncode != 0
    assert sum(" create " in call for call in calls) == (missing == "NO_CREATE")
    if missing != "NO_CREATE":
        assert "after 3 attempts" in done.stderr


def test_the_functions_that_event_grid_calls_are_the_app_s() -> None:
    source = (ROOT / "functions/ingest_blob/function.py").read_text()
    assert re.search(r"BlobSource\.EVENT_GRID\s*\)\nasync def ingest_blob\(", source)
    assert re.search(r"event_grid_trigger\([^)]*\)\nasync def forget_blob\(", source)


@pytest.mark.parametrize("name", ["postprovision.sh", "postdeploy.sh"])
def test_a_hook_names_what_it_needs(run_hook: Hook, name: str) -> None:
    source = (HOOKS / name).read_text()
    needed = re.findall(r"\$\{(\w+):\?is an output of main\.bicep\}", source)
    assert needed
    assert set(needed) <= set(modules()["main"].of("output"))
    for variable in needed:
        done, calls = run_hook(name, **{variable: ""})
        assert done.returncode != 0
        assert variable in done.stderr
        assert calls == []


def test_azd_runs_the_hooks_that_are_here() -> None:
    named = set(re.findall(r"run: infra/hooks/(\S+)", (ROOT / "azure.yaml").read_text()))
    assert named == {path.name for path in HOOKS.iterdir()}
    assert all(os.access(HOOKS / name, os.X_OK) for name in named)


def test_packing_with_azd_says_which_build(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    author = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run(["git", *author, "commit", "-q", "--allow-empty", "-m", "x"], cwd=tmp_path, check=True)
    subprocess.run(["sh", str(HOOKS / "prepackage.sh")], cwd=tmp_path, check=True)
    assert re.fullmatch(r"[0-9a-f]{12}\n", (tmp_path / "BUILD").read_text())


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck() -> None:
    scripts = [*map(str, HOOKS.iterdir()), str(ROOT / "tools" / "setup.sh")]
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
