"""A turn that is being answered, as its reader sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from shared.conversation.events import TurnAnswered, TurnEvent, TurnFailed, TurnHandedToHuman
from shared.memory.models import Message


class RunningTurn:
    """The turn runs in a task of its own, so a reader that goes away neither stops nor slows it.

    Several readers may follow one turn; each gets all events from the beginning.
    """

    def __init__(self, message: Message, answer_id: str) -> None:
        self.message = message
        self.answer_id = answer_id
        self._events: list[TurnEvent] = []
        self._finished = False
        self._news = asyncio.Event()

    def tell(self, event: TurnEvent) -> None:
        self._events.append(event)
        self._news.set()

    def finish(self, events: Sequence[TurnEvent]) -> None:
        """The last events; the last of all ends the turn."""
        self._events.extend(events)
        self._finished = True
        self._news.set()

    async def events(self) -> AsyncIterator[TurnEvent]:
        """What happened and what happens, until the turn has ended."""
        seen = 0
        while True:
            while seen < len(self._events):
                yield self._events[seen]
                seen += 1
            if self._finished:
                return
            self._news.clear()
            await self._news.wait()

    async def result(self) -> Message | None:
        """The stored answer; None when a person owns the conversation. Raises the error that ended the turn."""
        async for event in self.events():
            match event:
                case TurnAnswered(answer):
                    return answer
                case TurnHandedToHuman():
                    return None
                case TurnFailed(error):
                    raise error
                case _:
                    pass
        raise RuntimeError("The turn ended without an outcome.")
