"""Prometheus for the tests: out of Debian's package, with nothing installed, or a reason why not."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.settings import ROOT

APT = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in *download*) [ -z "${OFFLINE:-}" ] && touch prometheus_2.deb ;; esac
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin" "$3/lib/systemd/system"
for name in usr/bin/prometheus usr/bin/promtool lib/systemd/system/prometheus.service; do
    printf '#!/bin/sh\\n' >"$3/$name" && chmod +x "$3/$name"
done
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with nothing but the script, and a PATH with stand-ins for apt and dpkg."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/prometheus.sh", tmp_path / "tools")
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("sh", "dirname", "id", "rm", "mkdir", "mv", "touch", "chmod"):
        (path / name).symlink_to(str(shutil.which(name)))
    for name, script in (("apt-get", APT), ("dpkg-deb", DPKG)):
        (path / name).write_text(script)
        (path / name).chmod(0o755)
    return tmp_path


def run(folder: Path, **more: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    environment = {"PATH": str(folder / "bin"), "CALLS": str(folder / "calls")} | more
    command = [str(folder / "tools/prometheus.sh")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    calls = folder / "calls"
    return done, calls.read_text().splitlines() if calls.exists() else []


def test_it_is_taken_out_of_the_package_and_nothing_is_installed(folder: Path) -> None:
    done, calls = run(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(folder / ".prometheus")
    assert {path.name for path in (folder / ".prometheus").iterdir()} == {"prometheus", "promtool"}
    assert calls == [*(["-qq update"] if os.getuid() == 0 else []), "-qq download prometheus"]

    again, more = run(folder)
    assert again.stdout == done.stdout
    assert more == calls


def test_an_installed_one_is_taken_as_it_is(folder: Path) -> None:
    for name in ("prometheus", "promtool"):
        (folder / "bin" / name).symlink_to("/bin/sh")
    done, calls = run(folder)
    assert done.stdout.strip() == str(folder / "bin")
    assert calls == []


def test_where_it_cannot_be_had_the_reason_is_said(folder: Path) -> None:
    done, _ = run(folder, OFFLINE="1")
    assert done.returncode == 1
    assert "apt-get install prometheus" in done.stderr
    assert not (folder / ".prometheus").exists()

    (folder / "bin" / "apt-get").unlink()
    done, _ = run(folder)
    assert done.returncode == 1
    assert "apt-get install prometheus" in done.stderr
