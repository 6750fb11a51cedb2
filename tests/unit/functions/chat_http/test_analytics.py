from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.analytics.service import AnalyticsService
from shared.knowledge.index import DocumentRecord, DocumentStatus
from shared.memory.sqlite import SqliteConversationStore
from tests.fakes import HashEmbedder, InMemoryIndex
from tests.records import START, Story

SUMMARY = "/analytics/summary"


@pytest.fixture
async def counted(api: Any, tmp_path: Path) -> AsyncIterator[Any]:
    """The app, with three conversations of two days before its clock's now, and two documents."""
    clock, embedder = api.services.clock, HashEmbedder()
    clock.now = START + timedelta(days=2)
    store = SqliteConversationStore(tmp_path / "conversations.db", retention=timedelta(days=30), now=clock)
    clock_now, clock.now = clock.now, START
    for story in (
        Story("s1").asks("How do I descale it?").answers("a.md").rates("up"),
        Story("s2").asks("Do you sell red socks?").abstains().escalates("unanswered", due=timedelta(hours=1)),
        Story("s3"),
    ):
        told = story.told()
        await store.create(told.conversation, told.messages[0])
        for message in told.messages[1:]:
            ticket = next((ticket for ticket in told.tickets if ticket.message_id == message.id), None)
            await store.append(message, ticket)
    clock.now = clock_now
    index = InMemoryIndex(embedder.fingerprint)
    await index.put_records(
        [DocumentRecord(name, "h", "e", DocumentStatus.INDEXED, "", name, 1, START) for name in ("a.md", "b.md")]
    )
    api.services.analytics = AnalyticsService(store, index, embedder, retention=timedelta(days=30), now=clock)
    yield api
    await store.close()


async def test_an_admin_sees_what_became_of_the_last_seven_days(counted: Any) -> None:
    response = await counted.http.get(SUMMARY, headers=counted.operator())

    assert response.status_code == 200, response.text
    found = response.json()
    assert (found["since"], found["until"]) == ("2026-04-29T09:00:00Z", "2026-05-06T09:00:00Z")
    assert found["complete"] is True
    assert found["conversations"] == {"started": 3, "silent": 1, "counted": 2}
    assert found["resolutions"]["confirmed"] == {"count": 1, "of": 2, "rate": 0.5}
    assert found["resolutions"]["unresolved"]["count"] == 1
    assert found["escalations"]["by_reason"] == [
        {"reason": "unanswered", "tickets": 1, "conversations": {"count": 1, "of": 2, "rate": 0.5}}
    ]
    assert found["service_level"]["breached"] == {"count": 1, "of": 1, "rate": 1.0}
    assert found["response_times"]["first_response"] == {"count": 2, "median": 60.0, "p90": 60.0}
    assert found["unanswered"]["clusters"] == [{"question": "Do you sell red socks?", "count": 1}]
    assert [use["source"] for use in found["documents"]["least"]] == ["b.md", "a.md"]


async def test_the_period_can_be_chosen(counted: Any) -> None:
    async def started(**period: str) -> int:
        response = await counted.http.get(SUMMARY, params=period, headers=counted.operator())
        assert response.status_code == 200, response.text
        return response.json()["conversations"]["started"]

    assert await started(since="2026-05-04", until="2026-05-05") == 3
    assert await started(since="2026-05-04T11:00:00+02:00") == 3
    assert await started(since="2026-05-04T09:00:01Z") == 0
    assert await started(until="2026-05-04T09:00:00Z") == 0


async def test_a_period_of_which_something_may_be_gone_says_so(counted: Any) -> None:
    response = await counted.http.get(SUMMARY, params={"since": "2026-03-01"}, headers=counted.operator())
    assert response.json()["complete"] is False


@pytest.mark.parametrize(
    "period", [{"since": "2026-05-05", "until": "2026-05-04"}, {"since": "last week"}, {"since": "2026-01-01"}]
)
async def test_what_is_no_period_is_refused(counted: Any, problem: Any, period: dict[str, str]) -> None:
    problem(await counted.http.get(SUMMARY, params=period, headers=counted.operator()), 400)


async def test_an_endless_period_is_refused(counted: Any, problem: Any) -> None:
    problem(await counted.http.get(SUMMARY, params={"since": "2" * 41}, headers=counted.operator()), 422)


async def test_numbers_are_for_admins(counted: Any, problem: Any) -> None:
    problem(await counted.http.get(SUMMARY), 401)
    problem(await counted.http.get(SUMMARY, headers=counted.operator("agent")), 403)
    _, customer = await counted.start("ada")
    problem(await counted.http.get(SUMMARY, headers=customer), 403)


async def test_nobody_and_nothing_but_the_unanswered_questions_is_told(counted: Any) -> None:
    text = (await counted.http.get(SUMMARY, headers=counted.operator())).text
    assert not [word for word in ("s1", "s2", "session", "user_id", "descale") if word in text]
