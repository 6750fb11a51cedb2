"""What several benchmarks measure: slopes, and the processor time and memory of processes, of Linux's /proc."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Slope:
    """Of a straight line through points, by least squares: what y grows by when x grows by 1.

    `error` is the standard error of `value`, `at_zero` the line's y at x = 0.
    """

    value: float
    error: float
    at_zero: float

    @property
    def beyond_noise(self) -> float:
        """What of it is more than two standard errors; 0 if it may as well be none, or falls."""
        return max(0.0, self.value - 2 * self.error)


def slope(xs: Sequence[float], ys: Sequence[float]) -> Slope:
    """Raises `ValueError` for fewer than three points, or if all have the same x."""
    if len(xs) != len(ys) or len(xs) < 3:
        raise ValueError("a slope with its error needs three points")
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    if not spread:
        raise ValueError("all points have the same x")
    value = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    at_zero = mean_y - value * mean_x
    rest = sum((y - at_zero - value * x) ** 2 for x, y in zip(xs, ys, strict=True))
    return Slope(value, math.sqrt(rest / (len(xs) - 2) / spread), at_zero)


def thinned(values: Iterable[float], size: int) -> list[float]:
    """The means of `size` values each, in order; the last few that do not fill one are left out.

    Neighbouring samples of memory depend on each other, so that the error of a slope through all of them is too small.
    """
    kept = list(values)
    return [sum(kept[start : start + size]) / size for start in range(0, len(kept) - size + 1, size)]


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and of its children that have ended; 0 if it is not there."""
    try:
        # The second field is the program's name in parentheses, which may hold anything: man 5 proc_pid_stat.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def memory_mb(pid: int) -> float:
    """Resident memory of a process; 0 if it is not there."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1]) * PAGE / 1e6
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def children(pid: int) -> list[int]:
    """All processes that stem from it and run."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(fields[1]), []).append(int(folder.name))
    found, ahead = [], [pid]
    while ahead:
        below = parents.get(ahead.pop(), [])
        found += below
        ahead += below
    return found
