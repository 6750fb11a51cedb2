import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from shared.analytics.service import AnalyticsService
from shared.analytics.summary import Summary
from shared.errors import Unavailable
from shared.memory.models import ConversationRecord
from shared.memory.store import ConversationStore
from tests.fakes import HashEmbedder, InMemoryIndex
from tests.records import LATER, START, Story


class Records:
    """The part of a store that is read; `at_once` is the largest number of readers that it had."""

    def __init__(self) -> None:
        self.kept = [Story(f"s{i}").asks(f"Any {colour} socks?").abstains().told() for i, colour in enumerate("abc")]
        self.readers = self.at_once = 0
        self.broken: Exception | None = None

    async def records(self, *, since: datetime, until: datetime) -> AsyncIterator[ConversationRecord]:
        self.readers += 1
        self.at_once = max(self.at_once, self.readers)
        for record in self.kept:
            await asyncio.sleep(0)
            if self.broken:
                raise self.broken
            if since <= record.conversation.created_at < until:
                yield record
        self.readers -= 1


@pytest.fixture
def store() -> Records:
    return Records()


@pytest.fixture
def service(store: Records) -> AnalyticsService:
    embedder: Any = HashEmbedder()
    index: Any = InMemoryIndex(embedder.fingerprint)
    retention = timedelta(days=30)
    return AnalyticsService(cast("ConversationStore", store), index, embedder, retention=retention, now=lambda: LATER)


async def test_the_conversations_of_the_period_are_counted(service: AnalyticsService) -> None:
    found = await service.summary()
    assert (found.conversations.counted, found.unanswered.questions) == (3, 3)
    assert sum(cluster.count for cluster in found.unanswered.clusters) == 3
    assert (await service.summary(until=START.isoformat())).conversations.started == 0


async def test_a_period_is_complete_as_long_as_all_of_it_is_kept_for_certain(service: AnalyticsService) -> None:
    begin = LATER - timedelta(days=30)
    assert (await service.summary(begin.isoformat())).complete
    assert not (await service.summary((begin - timedelta(seconds=1)).isoformat())).complete


async def test_one_summary_is_made_after_the_other(service: AnalyticsService, store: Records) -> None:
    found: list[Summary] = await asyncio.gather(*(service.summary() for _ in range(3)))
    assert [one.conversations.counted for one in found] == [3, 3, 3]
    assert store.at_once == 1


async def test_a_store_that_breaks_off_makes_no_half_summary(service: AnalyticsService, store: Records) -> None:
    store.broken = Unavailable("conversations.db does not answer.")
    with pytest.raises(Unavailable):
        await service.summary()
    store.broken = None
    assert (await service.summary()).conversations.counted == 3
