"""What a process that has imported `shared` keeps. Each in one of its own: the tests' looks for garbage sooner."""

import os
import subprocess
import sys

import pytest

import shared
from shared.settings import ROOT

MAKE_GARBAGE = """
import shared

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
import shared

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


def run(code: str) -> int:
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return int(shown.stdout)


def test_garbage_that_refers_to_itself_does_not_pile_up():
    assert run(MAKE_GARBAGE) <= shared.COLLECT_AFTER + 1_000


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", ()), reason="of glibc")
def test_large_blocks_go_back_to_the_system_though_small_ones_between_them_stay():
    assert run(FREE_LARGE_BLOCKS) * os.sysconf("SC_PAGE_SIZE") > 90 * 256 * 1024
