"""`make rehearsal` without its chaos: the whole story on all Azure adapters, each server in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from shared.settings import ROOT

PATIENCE = 300
"""Seconds to wait for what takes thirty."""


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed, and Azurite needs it")
def test_the_app_does_on_azures_services_what_it_does_on_a_laptop() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "local.rehearsal", "--kills", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    assert "rehearsal: ok" in run.stdout
