"""What zizmor and the schemas do not ask of the workflows: that they do what docs/deployment.md says."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.bicep import ROOT, modules
from tools.deploy import Target

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml"))}
JOBS = [(name, key, job) for name, workflow in WORKFLOWS.items() for key, job in workflow["jobs"].items()]
WRITE = {
    ("deploy", "build"): {"id-token", "attestations"},
    ("deploy", "staging"): {"id-token"},
    ("deploy", "production"): {"id-token"},
    ("deploy-to", "deploy"): {"id-token"},
    ("rollback", "rollback"): {"id-token"},
}
"""Everything that a job may change. A new line here is a decision."""


def steps(workflow: str, job: str) -> list[dict[str, Any]]:
    return WORKFLOWS[workflow]["jobs"][job]["steps"]


def commands(workflow: str, job: str) -> str:
    return "\n".join(step.get("run", "") for step in steps(workflow, job))


@pytest.mark.parametrize(("name", "key", "job"), JOBS)
def test_a_job_may_only_what_is_written_here(name: str, key: str, job: dict[str, Any]) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    assert {scope for scope, level in job["permissions"].items() if level == "write"} == WRITE.get((name, key), set())
    assert "uses" in job or "timeout-minutes" in job


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yml")), ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_keep_no_credentials(path: Path) -> None:
    text = path.read_text()
    for used in re.findall(r"uses: (\S+.*)", text):
        assert used.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", used), used
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    assert "pull_request_target" not in text
    assert "secrets." not in text  # sign-in is by OIDC, and what else there is are variables


def test_every_change_runs_what_the_project_calls_ready() -> None:
    assert ".ci/run" in commands("test", "test")
    infrastructure = commands("test", "infrastructure")
    assert "az bicep build --file infra/bicep/main.bicep" in infrastructure
    assert "make infra-check" in infrastructure
    # YAML reads the key `on` as true.
    for name in ("test", "security"):
        assert set(WORKFLOWS[name][True]) >= {"push", "pull_request"}


@pytest.mark.parametrize(
    ("line", "is_fault"),
    [
        ("/x/main.bicep(3,7) : Warning BCP081: Resource type has no types.", True),
        ("/x/main.bicep(3,7) : Error BCP057: The name does not exist.", True),
        ("/x/main.bicep(3,7) : Warning no-unused-params: Parameter is never used.", True),
        ("WARNING: A new Bicep release is available.", False),
    ],
)
def test_a_warning_of_the_compiler_is_a_fault(line: str, is_fault: bool) -> None:
    (pattern,) = re.findall(r"grep -E '([^']+)' bicep\.log", commands("test", "infrastructure"))
    assert bool(re.search(pattern, line)) == is_fault


def test_security_looks_at_dependencies_and_secrets() -> None:
    audited = commands("security", "dependencies")
    assert {"requirements.txt", "requirements-dev.txt"} <= set(re.findall(r"--requirement (\S+)", audited))
    assert "gitleaks" in commands("security", "secrets")
    (checkout,) = [step for step in steps("security", "secrets") if "uses" in step]
    assert checkout["with"]["fetch-depth"] == 0  # the history too
    assert "schedule" in WORKFLOWS["security"][True]


def test_one_package_goes_to_staging_and_then_to_production() -> None:
    deploy = WORKFLOWS["deploy"]["jobs"]
    assert deploy["staging"]["needs"] == "build"
    assert deploy["production"]["needs"] == "staging"
    assert [deploy[job]["with"]["environment"] for job in ("staging", "production")] == ["staging", "production"]
    assert WORKFLOWS["deploy-to"]["jobs"]["deploy"]["environment"]["name"] == "${{ inputs.environment }}"
    assert WORKFLOWS["deploy"]["concurrency"] == WORKFLOWS["rollback"]["concurrency"]
    assert "pull_request" not in WORKFLOWS["deploy"][True]


def test_what_is_deployed_is_what_was_built_and_signed() -> None:
    build = [step.get("uses", "").partition("@")[0] for step in steps("deploy", "build")]
    assert {"actions/attest-build-provenance", "actions/attest-sbom", "actions/upload-artifact"} <= set(build)
    signed = [step["with"]["subject-path"] for step in steps("deploy", "build") if "attest" in step.get("uses", "")]
    assert signed == ["dist/app.zip", "dist/app.zip"]
    (bill,) = [step["with"]["sbom-path"] for step in steps("deploy", "build") if "attest-sbom" in step.get("uses", "")]
    assert bill in commands("deploy", "build")
    order = commands("deploy-to", "deploy")
    assert 0 < order.index("gh attestation verify dist/app.zip") < order.index("tools.deploy dist/app.zip")
    assert "--signer-workflow" in order


def test_a_deployment_that_does_not_answer_is_taken_back() -> None:
    *_, deploy, back = steps("deploy-to", "deploy")
    assert deploy["id"] == "deploy"
    assert "continue-on-error" not in deploy
    assert back["if"] == "failure() && steps.deploy.outcome == 'failure'"
    assert back["run"].endswith("python -m tools.rollback")


@pytest.mark.parametrize("job", [("deploy-to", "deploy"), ("rollback", "rollback")])
def test_who_deploys_is_told_what_the_tools_ask_for(job: tuple[str, str]) -> None:
    environment = WORKFLOWS[job[0]]["jobs"][job[1]]["env"]
    assert environment == {name: f"${{{{ vars.{name} }}}}" for name in environment}
    assert Target.of(environment)
    assert set(environment) <= set(modules()["main"].of("output"))
    (login,) = [step for step in steps(*job) if "azure/login" in step.get("uses", "")]
    assert set(login["with"]) == {"client-id", "tenant-id", "subscription-id"}


def test_the_pipeline_is_trusted_in_one_environment_only() -> None:
    trust = modules()["pipeline"].of("resource")["trust"].body["properties"]
    assert trust["subject"] == "repo:${repository}:environment:${githubEnvironment}"
    assert trust["issuer"] == "https://token.actions.githubusercontent.com"
    assert trust["audiences"] == ["api://AzureADTokenExchange"]


MANIFESTS = {
    r"requirements.*\.txt|pyproject\.toml": "pip",
    r"package\.json": "npm",
    r"(.*\.)?Dockerfile(\..*)?": "docker",
    r"(docker-)?compose.*\.ya?ml": "docker-compose",
}
"""The file that names dependencies, and who keeps them: https://docs.github.com/code-security/dependabot"""


def test_dependencies_are_kept_up_to_date() -> None:
    """Every file that names dependencies is in a folder that Dependabot looks into, and no folder is without one."""
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    watched = [
        (update["package-ecosystem"], folder)
        for update in updates
        for folder in update.get("directories") or [update["directory"]]
    ]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [Path("/", name) for name in listed.stdout.splitlines()]
    there = {
        (keeper, str(file.parent))
        for file in files
        for pattern, keeper in MANIFESTS.items()
        if re.fullmatch(pattern, file.name)
    }
    there.add(("github-actions", "/"))  # of .github/workflows
    assert sorted(watched) == sorted(there)
    assert all(update["schedule"]["interval"] == "weekly" for update in updates)
