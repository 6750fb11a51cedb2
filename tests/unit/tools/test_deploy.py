"""Deployment and rollback against a small Azure: an `az` that keeps packages in folders, an app that tells a build."""

import json
import os
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shared.errors import ConfigurationError, NotFound, Unavailable
from tools import deploy, rollback
from tools.deploy import Release, Target

AZ = """#!{python}
import json, os, pathlib, shutil, sys
azure = pathlib.Path(os.environ["AZURE"])
arguments = sys.argv[1:]
def option(name): return arguments[arguments.index(name) + 1]
if (azure / "refuses").exists():
    sys.exit("ERROR: AuthorizationFailed")
if arguments[:3] == ["functionapp", "deployment", "source"]:
    assert (option("--resource-group"), option("--name")) == ("rg", "func")
    shutil.copy(option("--src"), azure / "live.zip")
    sys.exit()
assert arguments[:2] == ["storage", "blob"] and option("--auth-mode") == "login"
assert (option("--account-name"), option("--container-name")) == ("sthost", "releases")
releases = azure / "releases"
match arguments[2]:
    case "list": print(json.dumps([{{"name": path.name}} for path in releases.iterdir()]))
    case "upload": shutil.copy(option("--file"), releases / option("--name"))
    case "download": shutil.copy(releases / option("--name"), option("--file"))
    case "delete": (releases / option("--name")).unlink()
"""


class Azure:
    """`broken`: builds that do not start; `lag`: how many more answers are the old build's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broken: set[str] = set()
        self.lag: list[str] = []
        self.answers: list[str] = []
        (folder / "releases").mkdir(parents=True)

    @property
    def kept(self) -> list[str]:
        names = sorted(path.name for path in (self.folder / "releases").iterdir())
        return [Release(name).build for name in names]

    @property
    def live(self) -> str:
        return deploy.read_build(self.folder / "live.zip")

    def package(self, build: str) -> Path:
        path = self.folder / f"{build}.zip"
        with zipfile.ZipFile(path, "w") as package:
            package.writestr("BUILD", build)
        return path

    def keep(self, *builds: str) -> None:
        for n, build in enumerate(builds):
            self.package(build).rename(self.folder / "releases" / f"2025010{n}T000000Z_{build}.zip")


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    azure = Azure(tmp_path / "azure")

    class App(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            build = azure.lag.pop() if azure.lag else azure.live
            healthy = build not in azure.broken and self.path == "/health/"
            azure.answers.append(build if healthy else "")
            body = json.dumps({"status": "healthy", "build": build}).encode()
            self.send_response(200 if healthy else 503)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    cli = tmp_path / "bin" / "az"
    cli.parent.mkdir()
    cli.write_text(AZ.format(python=sys.executable))
    cli.chmod(0o755)
    monkeypatch.setenv("PATH", f"{cli.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("AZURE", str(azure.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), App) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("PUBLIC_URL", f"http://127.0.0.1:{server.server_address[1]}")
        for name, value in (("AZURE_RESOURCE_GROUP", "rg"), ("APP_NAME", "func"), ("RELEASES_ACCOUNT", "sthost")):
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(deploy.wait_for, "__kwdefaults__", {"patience": 60, "pause": 0})
        yield azure
        server.shutdown()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy.wait_for, "__kwdefaults__", {"patience": 0, "pause": 0})


def test_a_build_counts_when_it_answers(azure: Azure, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main([str(azure.package("one"))]) == 0
    assert azure.live == "one"
    assert azure.kept == ["one"]
    assert azure.answers == ["one"] * deploy.IN_A_ROW
    assert "one is live" in capsys.readouterr().out


def test_the_old_build_may_still_answer_for_a_while(azure: Azure) -> None:
    azure.lag = ["old", "two", "two", "old"]
    assert deploy.main([str(azure.package("two"))]) == 0
    assert azure.answers == ["old", "two", "two", "old", "two", "two", "two"]


def test_a_build_that_does_not_answer_is_not_kept(
    azure: Azure, impatient: None, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.keep("one")
    azure.broken = {"two"}
    assert deploy.main([str(azure.package("two"))]) == 1
    assert azure.live == "two"
    assert azure.kept == ["one"]
    assert "must answer as build two, and answers not at all" in capsys.readouterr().err


def test_an_app_that_stays_the_old_one_is_no_success(
    azure: Azure, impatient: None, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.lag = ["one"] * 100_000
    assert deploy.main([str(azure.package("two"))]) == 1
    assert "answers as one" in capsys.readouterr().err
    assert azure.kept == []


def test_one_command_brings_the_package_before_back(azure: Azure) -> None:
    azure.keep("one")
    assert deploy.main([str(azure.package("two"))]) == 0
    assert rollback.main([]) == 0
    assert azure.live == "one"
    assert azure.kept == ["one", "two", "one"]


def test_after_a_failed_deployment_the_last_healthy_one_comes_back(azure: Azure) -> None:
    azure.keep("one", "two")
    azure.broken = {"three"}
    azure.package("three").rename(azure.folder / "live.zip")
    assert rollback.main([]) == 0
    assert azure.live == "two"


def test_a_certain_build_can_be_named_and_what_is_kept_is_listed(
    azure: Azure, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.keep("one", "two", "three")
    assert rollback.main(["--list"]) == 0
    assert capsys.readouterr().out.split()[-1].endswith("_three.zip")
    azure.package("three").rename(azure.folder / "live.zip")
    assert rollback.main(["--to", "one"]) == 0
    assert azure.live == "one"
    assert rollback.main(["--to", "four"]) == 1
    assert "No package of four" in capsys.readouterr().err


def test_only_the_last_releases_are_kept(azure: Azure) -> None:
    azure.keep(*(f"b{n}" for n in range(10)))
    assert deploy.main([str(azure.package("new"))]) == 0
    assert azure.kept == [*(f"b{n}" for n in range(1, 10)), "new"]


def test_what_the_azure_cli_says_is_passed_on(azure: Azure, capsys: pytest.CaptureFixture[str]) -> None:
    (azure.folder / "refuses").touch()
    assert deploy.main([str(azure.package("one"))]) == 1
    assert "AuthorizationFailed" in capsys.readouterr().err


def test_a_missing_variable_is_named(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APP_NAME")
    with pytest.raises(ConfigurationError, match="APP_NAME"):
        Target.of(os.environ)


@pytest.mark.parametrize(
    ("kept", "now", "chosen"),
    [
        ("a b c", "c", "b"),
        ("a b c", "b", "a"),
        ("a b c", "broken", "c"),
        ("a b c", None, "c"),
        ("a b a", "a", "b"),
        ("a b b", "b", "a"),
        ("a b a c", "c", "a"),
    ],
)
def test_which_one_ran_before(kept: str, now: str | None, chosen: str) -> None:
    releases = [Release(f"{n}_{build}.zip") for n, build in enumerate(kept.split())]
    assert rollback.chosen(releases, now=now).build == chosen


def test_without_a_package_from_before_there_is_no_way_back() -> None:
    with pytest.raises(NotFound):
        rollback.chosen([Release("1_a.zip")], now="a")


def test_nobody_waits_for_ever() -> None:
    with pytest.raises(Unavailable, match="not at all"):
        deploy.wait_for("http://127.0.0.1:9", "x", patience=0, pause=0)
