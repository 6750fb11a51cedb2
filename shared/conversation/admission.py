"""How many turns a process answers at once. What comes beyond that is told to come again, and does not wait for long.

A turn that waits costs memory and makes all others slower, and when its turn comes nobody may be there any more: so
the number of those at work, the number of those that wait, and how long they wait, are all bounded.
"""

from __future__ import annotations

import asyncio

from shared import telemetry
from shared.errors import Overloaded

RETRY_AFTER = 5
"""Seconds. What is in hand when a turn is refused is answered within two of them, if no language model is slow."""


class Admission:
    """`places` turns at once; as many more wait, at most `wait` seconds each, in the order in which they came."""

    def __init__(self, places: int, wait: float) -> None:
        self._most_waiting = places
        self._wait = wait
        self._places = asyncio.Semaphore(places)
        self._waiting = 0

    async def enter(self) -> None:
        """Take a place, to be given back with `leave`. Raises `Overloaded` if none gets free in time."""
        if self._places.locked() and self._waiting >= self._most_waiting:
            raise refusal()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait):
                await self._places.acquire()
        except TimeoutError:
            raise refusal() from None
        finally:
            self._waiting -= 1
        telemetry.turns_in_hand.add(1)

    def leave(self) -> None:
        self._places.release()
        telemetry.turns_in_hand.add(-1)


def refusal() -> Overloaded:
    """To be raised or told; it is counted."""
    telemetry.shed_turns.add(1)
    return Overloaded(f"Too much is being asked right now. Try again in {RETRY_AFTER} s.", retry_after=RETRY_AFTER)
