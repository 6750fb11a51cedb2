"""How often garbage is looked for is for a process to say, not for a library that it imports."""

import subprocess
import sys

from shared.garbage import COLLECT_AFTER
from shared.settings import ROOT


def told_by(program: str) -> list[int]:
    """What a fresh process says of its threshold, and of the objects that it does not look through."""
    program += "\nimport gc; print(gc.get_threshold()[0], gc.get_freeze_count())"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return [int(number) for number in run.stdout.split()]


def test_importing_the_library_changes_nothing() -> None:
    assert told_by("import shared.services, shared.garbage") == told_by("")


def test_the_app_looks_rarely_and_not_among_what_was_imported() -> None:
    threshold, kept = told_by("import function_app")
    assert threshold == COLLECT_AFTER
    assert kept > 10_000
