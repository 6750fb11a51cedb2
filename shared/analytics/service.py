"""The numbers of a period, from what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from shared.analytics.period import read_period
from shared.analytics.questions import CLUSTERS, cluster
from shared.analytics.summary import Summary, Tally
from shared.knowledge.embedding import Embedder
from shared.knowledge.index import VectorIndex
from shared.memory.store import ConversationStore


class AnalyticsService:
    """`retention`: how long an expired conversation is kept; what is older may be gone."""

    def __init__(
        self,
        store: ConversationStore,
        index: VectorIndex,
        embedder: Embedder,
        *,
        retention: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._index = index
        self._embedder = embedder
        self._retention = retention
        self._now = now
        self._counting = asyncio.Lock()

    async def summary(self, since: str | None = None, until: str | None = None) -> Summary:
        """All that is known now of the conversations that began in the period, see `read_period`.

        Reads them all, so one summary is made after the other: customers' turns share the store.
        Raises `InvalidInput`, `Unavailable`.
        """
        now = self._now()
        period = read_period(since, until, now=now)
        tally = Tally(now)
        async with self._counting:
            records = await self._index.records()
            async for record in self._store.records(since=period.since, until=period.until):
                tally.add(record)
            clusters = await asyncio.to_thread(cluster, tally.questions.texts(), self._embedder)
        return tally.summary(
            period, complete=period.since >= now - self._retention, clusters=clusters[:CLUSTERS], records=records
        )
