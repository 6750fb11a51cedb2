"""How much garbage waits. In a process of its own, because the tests' looks for it sooner."""

import subprocess
import sys

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


def test_garbage_that_refers_to_itself_does_not_pile_up():
    shown = subprocess.run([sys.executable, "-c", MAKE_GARBAGE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(shown.stdout) <= shared.COLLECT_AFTER + 1_000
