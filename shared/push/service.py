"""Tells those who look at a conversation what happened in it. Nothing waits for that, and nothing depends on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextvars import Context
from datetime import datetime
from zlib import crc32

from shared import telemetry
from shared.errors import NoPushChannel, Unavailable
from shared.push.channel import Audience, ClientUrl, PushChannel
from shared.push.events import Frame

LANES = 8
"""Frames of one conversation go one after the other, in their order; those of several at the same time."""
LANE = 100
"""Frames that wait in a lane; more are dropped."""
PUBLISH_SECONDS = 8.0
"""Longest time for one frame, repeated attempts included."""
CLOSE_SECONDS = 2.0
TOKEN_MINUTES = 60
"""Most minutes until a client must ask for a new address."""

BOTH: tuple[Audience, ...] = ("customer", "operators")

logger = logging.getLogger(__name__)

type _Waiting = tuple[str, Audience, Frame]


class PushService:
    """Without a channel nothing is pushed, and clients poll."""

    def __init__(self, channel: PushChannel | None, *, now: Callable[[], datetime]) -> None:
        self._channel = channel
        self._now = now
        self._lanes: list[asyncio.Queue[_Waiting]] = []
        self._workers: list[asyncio.Task[None]] = []
        self._failing = False

    @property
    def origin(self) -> str | None:
        """Where clients connect to; None without a channel."""
        return self._channel.origin if self._channel else None

    async def client_url(self, session_id: str, audience: Audience, *, until: datetime) -> ClientUrl:
        """For a client to connect until then, but at most an hour. Raises `NoPushChannel`, `Unavailable`."""
        if self._channel is None:
            raise NoPushChannel("There is no push channel here. Poll GET /chat/sessions/{id}/messages?after=seq.")
        minutes = max(1, min(TOKEN_MINUTES, int((until - self._now()).total_seconds() // 60)))
        return await self._channel.client_url(session_id, audience, minutes=minutes)

    def tell(self, session_id: str, frame: Frame, audiences: Sequence[Audience] = BOTH) -> None:
        """Publish what the store has, soon. Never raises and never waits: what cannot be sent is counted and lost."""
        if self._channel is None:
            return
        if not self._workers:
            self._lanes = [asyncio.Queue(LANE) for _ in range(LANES)]
            # Not in the context of the request that came first: its ids would stand in every line of the log.
            self._workers = [
                asyncio.create_task(self._work(self._channel, lane), context=Context()) for lane in self._lanes
            ]
        lane = self._lanes[crc32(session_id.encode()) % LANES]
        for audience in audiences:
            try:
                lane.put_nowait((session_id, audience, frame))
            except asyncio.QueueFull:
                telemetry.push_events.add(1, {"outcome": "dropped"})

    async def _work(self, channel: PushChannel, lane: asyncio.Queue[_Waiting]) -> None:
        while True:
            session_id, audience, frame = await lane.get()
            try:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    await channel.publish(session_id, audience, frame)
            except (Unavailable, TimeoutError):
                self._failed()
            except Exception:
                logger.exception("push failed")
                self._failed()
            else:
                self._failing = False
                telemetry.push_events.add(1, {"outcome": "sent"})
            finally:
                lane.task_done()

    def _failed(self) -> None:
        telemetry.push_events.add(1, {"outcome": "failed"})
        if not self._failing:  # said once, until it works again
            self._failing = True
            logger.warning("push_channel_failing")

    async def drain(self) -> None:
        """Wait until all that was told is sent, or given up."""
        await asyncio.gather(*(lane.join() for lane in self._lanes))

    async def close(self) -> None:
        """What cannot be sent at once is lost."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.drain()
        except TimeoutError:
            pass
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._channel:
            await self._channel.close()
