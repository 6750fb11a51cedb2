"""How often one client may call: fixed windows of one minute, counted where all instances can see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from math import ceil
from typing import Protocol

from shared.errors import RateLimited

WINDOW = 60
"""Seconds. A fixed window lets a client use two allowances around its boundary, and costs one write per request."""


class HitCounter(Protocol):
    """What is needed of the `ConversationStore`; `LocalHits` counts without one."""

    async def count_hit(self, key: str, *, window: int, now: datetime) -> int: ...


class RateLimiter:
    def __init__(self, store: HitCounter, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    async def check(self, key: str, *, per_minute: int) -> None:
        """Count one more request of `key`. Raises `RateLimited` above `per_minute`, `Unavailable` without the store."""
        now = self._now()
        hits = await self._store.count_hit(key, window=WINDOW, now=now)
        if hits > per_minute:
            wait = ceil(WINDOW - now.timestamp() % WINDOW)
            message = f"Only {per_minute} requests a minute are allowed here. Try again in {wait} s."
            raise RateLimited(message, retry_after=wait)


class LocalHits:
    """Counts in this process alone, for calls that must be answered when the store does not."""

    def __init__(self) -> None:
        self._window = -1
        self._hits: dict[str, int] = {}

    async def count_hit(self, key: str, *, window: int, now: datetime) -> int:
        current = int(now.timestamp() // window)
        if current != self._window:
            self._window, self._hits = current, {}
        self._hits[key] = self._hits.get(key, 0) + 1
        return self._hits[key]
