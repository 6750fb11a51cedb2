"""Put a package live, and count it only when the app answers as that build.

python -m tools.deploy dist/app.zip

Then it is kept in the storage container `releases`, from where `python -m tools.rollback` puts it live again. Needs the
Azure CLI, signed in (`az login`), and what `azd env get-values` prints: AZURE_RESOURCE_GROUP, APP_NAME, PUBLIC_URL and
RELEASES_ACCOUNT.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import httpx

from shared.errors import ConfigurationError, SupportAgentError, Unavailable
from tools.package import read_build

PATIENCE = 300.0
"""Seconds until a new build must answer; a cold start takes some."""
PAUSE = 5.0
"""Seconds between two questions: the app answers 60 a minute."""
IN_A_ROW = 3
"""Answers of the new build; while instances are exchanged, the old one answers too."""
KEPT = 10
"""Releases."""


@dataclass(frozen=True, slots=True)
class Target:
    group: str
    app: str
    url: str
    account: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Raises `ConfigurationError` naming what is missing."""
        names = ("AZURE_RESOURCE_GROUP", "APP_NAME", "PUBLIC_URL", "RELEASES_ACCOUNT")
        if missing := [name for name in names if not environment.get(name)]:
            raise ConfigurationError(f"Not set: {', '.join(missing)}. Outputs of the deployment: azd env get-values.")
        return cls(*(environment[name] for name in names))


@dataclass(frozen=True, slots=True)
class Release:
    """A package that proved healthy: `<time>_<build>.zip`, so that names sort by time."""

    name: str

    @property
    def build(self) -> str:
        return self.name.partition("_")[2].removesuffix(".zip")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.deploy", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("package", type=Path, help="made by python -m tools.package")
    options = parser.parse_args(arguments)
    try:
        deploy(Target.of(os.environ), options.package)
    except (SupportAgentError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def deploy(target: Target, package: Path) -> None:
    """Raises `Unavailable` if the app does not answer as this build; then the package is live, but not kept."""
    build = read_build(package)
    where = ("--resource-group", target.group, "--name", target.app)
    az("functionapp", "deployment", "source", "config-zip", *where, "--src", str(package))
    wait_for(target.url, build)
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    blobs(target, "upload", "--file", str(package), "--name", f"{now}_{build}.zip")
    for old in releases(target)[:-KEPT]:
        blobs(target, "delete", "--name", old.name)
    print(f"{build} is live at {target.url}")


def wait_for(url: str, build: str, *, patience: float = PATIENCE, pause: float = PAUSE) -> None:
    """Until the app answers as this build, several times in a row. Raises `Unavailable`."""
    deadline, seen = time.monotonic() + patience, 0
    while True:
        answer = running(url)
        seen = seen + 1 if answer == build else 0
        if seen == IN_A_ROW:
            return
        if time.monotonic() > deadline:
            instead = f"as {answer}" if answer else "not at all"
            raise Unavailable(f"{url} must answer as build {build}, and answers {instead}.")
        time.sleep(pause)


def running(url: str) -> str | None:
    """The build that answers; None if nothing does, or nothing healthy."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health/", timeout=30)
        told = answer.json() if answer.is_success else {}
    except (httpx.HTTPError, ValueError):
        return None
    return told.get("build")


def releases(target: Target) -> list[Release]:
    """The oldest first."""
    found = json.loads(blobs(target, "list"))
    return sorted((Release(blob["name"]) for blob in found), key=lambda release: release.name)


def blobs(target: Target, verb: str, *options: str) -> str:
    where = ("--account-name", target.account, "--container-name", "releases", "--auth-mode", "login")
    return az("storage", "blob", verb, *where, *options)


def az(*arguments: str) -> str:
    """What the Azure CLI prints. Raises `Unavailable` with its words."""
    done = subprocess.run(  # noqa: S603
        ["az", *arguments, "--output", "json"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"az {' '.join(arguments[:4])}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
