"""The widget's build tools, for tests that need them."""

import shutil
import subprocess

import pytest

from shared.settings import ROOT

WIDGET = ROOT / "widget"
PACKAGES = WIDGET / "node_modules"


def need_packages() -> None:
    """Installs what widget/package-lock.json names, once. Skips the test where that cannot be had."""
    if (PACKAGES / ".package-lock.json").exists():
        return
    if not (npm := shutil.which("npm")):
        pytest.skip("Node is not installed")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    installed = subprocess.run(command, cwd=WIDGET, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"the widget's packages cannot be installed: {installed.stderr[-300:]}")
