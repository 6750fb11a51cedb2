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

    def befalls(self, step: Step, queue: str) -> bool:
        return self.step == step and self.queue in (None, queue)
