"""Checks by tools of others, which `make infra-check` installs: each finds nothing here, and finds what is wrong."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.infra.bicep import FOLDER, ROOT

SCHEMAS = Path(__file__).parent / "schemas"
WORKFLOWS = sorted(map(str, (ROOT / ".github" / "workflows").glob("*.yml")))
with_tools = pytest.mark.skipif("INFRA_CHECK" not in os.environ, reason="make infra-check runs it")


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.skipif("BICEP_CHECK" not in os.environ, reason="BICEP_CHECK names no checker of Azure's published types")
def test_azure_s_types_know_every_resource_and_property(tmp_path: Path) -> None:
    def check(folder: Path) -> subprocess.CompletedProcess[str]:
        return run(sys.executable, os.environ["BICEP_CHECK"], str(folder / "main.bicep"))

    done = check(FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr

    shutil.copytree(FOLDER, tmp_path / "bicep")
    shutil.copytree(FOLDER.parent / "chroma", tmp_path / "chroma")
    module = tmp_path / "bicep" / "modules" / "servicebus.bicep"
    module.write_text(module.read_text().replace("disableLocalAuth: true", "disableLocalAuth: false"))
    assert check(tmp_path / "bicep").returncode == 1


@pytest.mark.skipif(shutil.which("bicep") is None, reason="the bicep compiler is not installed")
def test_the_compiler_warns_of_nothing() -> None:
    done = run("bicep", "build", str(FOLDER / "main.bicep"), "--stdout")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr


@with_tools
def test_checkov(tmp_path: Path) -> None:
    def check(folder: Path) -> dict[str, int]:
        config = str(ROOT / "infra" / "checkov.yaml")
        done = run(
            "checkov", "--config-file", config, "--directory", str(folder), "--output", "json", "--skip-download"
        )
        return json.loads(done.stdout)["summary"] if done.stdout.strip().startswith("{") else {"error": done.returncode}

    summary = check(FOLDER)
    assert summary["failed"] == summary["parsing_errors"] == 0, summary
    assert summary["passed"] >= 20

    shutil.copytree(FOLDER, tmp_path / "bicep")
    module = tmp_path / "bicep" / "modules" / "app.bicep"
    module.write_text(module.read_text().replace("httpsOnly: true", "httpsOnly: false"))
    assert check(tmp_path / "bicep")["failed"] >= 1


@with_tools
def test_zizmor(tmp_path: Path) -> None:
    audit = ("zizmor", "--offline", "--no-progress", "--persona", "pedantic")
    done = run(*audit, ".github")
    assert done.returncode == 0, done.stdout + done.stderr

    bad = tmp_path / ".github" / "workflows" / "bad.yml"
    bad.parent.mkdir(parents=True)
    bad.write_text(Path(WORKFLOWS[0]).read_text().replace("permissions: {}", "permissions: write-all"))
    assert run(*audit, str(bad)).returncode != 0


@with_tools
@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("custom.github-workflows-require-timeout", [name for name in WORKFLOWS if not name.endswith("/deploy.yml")]),
        ("vendor.dependabot", [".github/dependabot.yml"]),
        ("vendor.compose-spec", ["compose.yaml"]),
    ],
)
def test_published_schemas(schema: str, files: Sequence[str]) -> None:
    done = run("check-jsonschema", "--builtin-schema", schema, *files)
    assert done.returncode == 0, done.stdout + done.stderr


@with_tools
def test_hadolint() -> None:
    done = run("hadolint", "--failure-threshold", "style", "Dockerfile")
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(
    run("docker", "compose", "version").returncode != 0 and shutil.which("docker-compose") is None,
    reason="docker compose is not installed",
)
def test_docker_compose_reads_the_file() -> None:
    compose = ("docker-compose",) if shutil.which("docker-compose") else ("docker", "compose")
    secrets = {"TOKEN_SECRET": "x" * 32, "GRAFANA_PASSWORD": "x"}

    def config(environment: dict[str, str]) -> int:
        path = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        return subprocess.run(
            [*compose, "config", "--quiet"], cwd=ROOT, env=path | environment, capture_output=True, check=False
        ).returncode

    assert config(secrets) == 0
    for missing in secrets:
        assert config({name: value for name, value in secrets.items() if name != missing}) != 0


@pytest.mark.parametrize(("name", "schema"), [("azure.yaml", "azure.json"), ("host.json", "host.json")])
def test_azd_and_the_host_get_what_they_know(name: str, schema: str) -> None:
    content = yaml.safe_load((ROOT / name).read_text())  # JSON is YAML
    validator = jsonschema.Draft202012Validator(json.loads((SCHEMAS / schema).read_text()))
    assert [error.message for error in validator.iter_errors(content)] == []
    assert not validator.is_valid(content | {"servces": {}})
    for key in content:
        without = {other: value for other, value in content.items() if other != key}
        needed = key in validator.schema["required"]
        assert validator.is_valid(without) != needed
