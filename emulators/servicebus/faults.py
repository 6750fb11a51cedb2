"""Failures on request: what a network and a busy service do to a client.

`faults.add(Fault("send", applied=True, cut=True))`: the next message is stored, and its sender never hears of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Step = Literal["attach", "send", "deliver", "settle", "peek", "renew", "schedule", "cancel"]
"""A link is opened, a message sent, handed to a consumer or settled; the others are requests."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Befalls the next `times` occurrences of `step` at `queue` (None: at any).

    `error`: refuse with this condition, like com.microsoft:server-busy. `cut`: break the connection without a word.
    `delay`: seconds to wait first. `applied`: it is carried out although the client is told otherwise, or nothing.
    `skip`: occurrences that pass before it begins. A delivery can only be cut.
    """

    step: Step
    queue: str | None = None
    times: int = 1
    skip: int = 0
    error: str | None = None
    cut: bool = False
    delay: float = 0
    applied: bool = False


class Faults:
    """Those that wait to happen, in the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Fault, int, int]] = []
        """A fault, the occurrences it lets pass, and those it then befalls."""

    def add(self, fault: Fault) -> None:
        self._waiting.append((fault, fault.skip, fault.times))

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, step: Step, queue: str) -> Fault | None:
        """The first that matches, used up once."""
        for n, (fault, skip, times) in enumerate(self._waiting):
            if fault.step != step or fault.queue not in (None, queue):
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
