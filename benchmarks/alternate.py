"""Lets processes run by turns, so that each has the machine for itself while it runs.

python -m benchmarks.alternate PID PID: until one of them has ended or this process is terminated; then all run.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

SLICE = 0.02
"""Seconds that each runs before the next one does: short beside a turn, so that nobody's clock sees more than a slow
processor; CPU quotas of containers work the same way."""


@contextlib.contextmanager
def alternating(pids: Sequence[int]) -> Iterator[None]:
    """From a process of its own: this one is busy, and its slices would be longer at times."""
    command = [sys.executable, "-m", "benchmarks.alternate", *map(str, pids)]
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[1])  # noqa: S603 - our own command line
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def alternate(pids: Sequence[int]) -> None:
    """Returns when a process is gone. Whatever happens, none is left stopped."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in itertools.cycle(pids):
            os.kill(pid, signal.SIGCONT)
            time.sleep(SLICE)
            os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        pass
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def main(arguments: Sequence[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    alternate([int(pid) for pid in arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
