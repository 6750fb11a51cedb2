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

    def befalls(self, operation: str, container: str | None) -> bool:
        wanted = operation in self.operations or (not self.operations and operation != "metadata")
        return wanted and self.container in (None, container)
