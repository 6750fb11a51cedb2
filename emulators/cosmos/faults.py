"""Failures on request: what a network and a busy service do to a client.

By hand: `faults.add(Fault(status=429, retry_after_ms=100, times=3))`. Over HTTP: POST the same fields as JSON to
`/_emulator/faults`; DELETE takes back those that are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WRITES = ("create", "upsert", "replace", "patch", "delete", "batch")


@dataclass(frozen=True, slots=True)
class Fault:
    """Befalls the next `times` requests to `container` (None: any) among `operations` (none: any but metadata).

    `status`: answer with it, with `retry_after_ms` and `substatus` if given. `cut`: close the connection without an
    answer. `delay`: seconds to wait before the answer. `applied`: the request is carried out first, so that a write has
    happened although its sender is told that it failed. `skip`: matching requests that pass before it begins.
    """

    operations: Sequence[str] = ()
    container: str | None = None
    times: int = 1
    skip: int = 0
    status: int | None = None
    substatus: int | None = None
    retry_after_ms: int | None = None
    cut: bool = False
    delay: float = 0
    applied: bool = False


class Faults:
    """Those that wait to happen, in the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Fault, int, int]] = []
        """A fault, the requests it lets pass, and the requests it then befalls."""

    def add(self, fault: Fault) -> None:
        self._waiting.append((fault, fault.skip, fault.times))

    def clear(self) -> bool:
        """Take back those that are left; whether there were any."""
        left, self._waiting = self._waiting, []
        return bool(left)

    def take(self, operation: str, container: str | None) -> Fault | None:
        """The first that matches, used up once."""
        for n, (fault, skip, times) in enumerate(self._waiting):
            wanted = operation in fault.operations or (not fault.operations and operation != "metadata")
            if not wanted or fault.container not in (None, container):
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
