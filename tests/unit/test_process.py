"""What a process keeps and leaves is for itself to say, not for a library that it imports. Each in one of its own."""

import os
import subprocess
import sys

import pytest

from shared.process import COLLECT_AFTER
from shared.settings import ROOT

MAKE_GARBAGE = """
from shared import process
process.set_up()

class Ring:
    alive = most = 0

    def __init__(self):
        self.itself = self
        Ring.alive += 1
        Ring.most = max(Ring.most, Ring.alive)

    def __del__(self):
        Ring.alive -= 1

for _ in range(300_000):
    Ring()
print(Ring.most)
"""
FREE_LARGE_BLOCKS = """
from pathlib import Path
from shared import process
process.set_up()

def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

b"x" * (1 << 20)  # freed, it would make all smaller blocks part of the heap
large, small = [], []
for _ in range(100):
    large.append(b"x" * (256 * 1024))
    small.append(b"x" * 1024)
before = pages()
large.clear()
print(before - pages())
"""
TELL = "\nimport gc; print(gc.get_threshold()[0], gc.get_freeze_count())"


def told_by(program: str) -> list[int]:
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return [int(number) for number in run.stdout.split()]


def test_importing_the_library_changes_nothing() -> None:
    assert told_by("import shared.services, shared.process" + TELL) == told_by(TELL)


def test_the_app_builds_no_models_that_nobody_asked_for() -> None:
    built = "\nfrom fastapi.openapi.models import OpenAPI; print(int(OpenAPI.__pydantic_complete__))"
    assert told_by("import fastapi" + built) == [1]
    assert told_by("import function_app" + built) == [0]


def test_the_app_looks_rarely_for_garbage_and_not_among_what_was_imported() -> None:
    threshold, kept = told_by("import function_app" + TELL)
    assert threshold == COLLECT_AFTER
    assert kept > 10_000


def test_garbage_that_refers_to_itself_does_not_pile_up() -> None:
    [most] = told_by(MAKE_GARBAGE)
    assert most <= COLLECT_AFTER + 1_000


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", ()), reason="of glibc")
def test_large_blocks_go_back_to_the_system_though_small_ones_between_them_stay() -> None:
    [pages] = told_by(FREE_LARGE_BLOCKS)
    assert pages * os.sysconf("SC_PAGE_SIZE") > 90 * 256 * 1024
