"""Failures that wait to happen. What a failure is, and what it can befall, is each server's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Fault(Protocol):
    """Passes over the first `skip` occasions that it could befall, then befalls the next `times`."""

    @property
    def skip(self) -> int: ...

    @property
    def times(self) -> int: ...


class Faults[F: Fault]:
    """In the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: list[tuple[F, int, int]] = []
        """A fault, the occasions it passes over, and those it then befalls."""

    def add(self, fault: F) -> None:
        self._waiting.append((fault, fault.skip, fault.times))

    def __len__(self) -> int:
        """Those that are left."""
        return len(self._waiting)

    def clear(self) -> bool:
        """Take back those that are left; whether there were any."""
        left, self._waiting = self._waiting, []
        return bool(left)

    def take(self, befalls: Callable[[F], bool]) -> F | None:
        """The first that befalls this occasion, used up once."""
        for n, (fault, skip, times) in enumerate(self._waiting):
            if not befalls(fault):
                continue
            if skip:
                self._waiting[n] = (fault, skip - 1, times)
                continue
            if times > 1:
                self._waiting[n] = (fault, 0, times - 1)
            else:
                del self._waiting[n]
            return fault
        return None
