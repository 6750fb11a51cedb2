"""Messages that were set aside, over all queues."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.escalation.dead_letters import DeadLetters, diagnose
from shared.escalation.events.event import TicketRequest
from shared.escalation.queue import ESCALATIONS, QUEUES, REQUESTS, WEBHOOKS, QueueMessage
from shared.escalation.sqlite import SqliteTicketQueue
from shared.settings import ROOT

GOOD = TicketRequest(ticket_id="tkt-1", session_id="s1", reason="unanswered", summary="Where?").model_dump_json()


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[SqliteTicketQueue]:
    queue = SqliteTicketQueue(tmp_path / "queues.db")
    yield queue
    await queue.close()


async def bury(queue: SqliteTicketQueue, name: str, identifier: str, body: bytes = b"{}") -> None:
    await queue.send(name, QueueMessage(identifier, body))
    (received,) = await queue.receive(name)
    await queue.dead_letter(received, reason="why")


async def test_all_queues_are_counted_and_listed(queue: SqliteTicketQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.escalation.dead_letters.PAGE", 2)
    letters = DeadLetters(queue)
    assert await letters.count() == dict.fromkeys(QUEUES, 0)
    for name in "abcde":
        await bury(queue, REQUESTS, name)
    await bury(queue, WEBHOOKS, "w")
    assert await letters.count() == {REQUESTS: 5, ESCALATIONS: 0, WEBHOOKS: 1}
    assert [letter.message.id async for letter in letters.list()] == ["a", "b", "c", "d", "e", "w"]
    assert [letter.message.id async for letter in letters.list([WEBHOOKS])] == ["w"]


async def test_the_log_tells_of_new_ones_once(queue: SqliteTicketQueue, caplog: pytest.LogCaptureFixture) -> None:
    letters = DeadLetters(queue)
    await bury(queue, REQUESTS, "a")
    for _ in range(3):
        await letters.count()
    await bury(queue, REQUESTS, "b")
    await letters.count()
    told = [(record.levelno, vars(record)["queue"], vars(record)["count"]) for record in caplog.records]
    assert told == [(logging.ERROR, REQUESTS, 1), (logging.ERROR, REQUESTS, 2)]


async def test_what_is_wrong_with_a_message_is_said_without_its_content(queue: SqliteTicketQueue) -> None:
    for name, body in ((REQUESTS, b'{"version": 1, "summary": "Secret"}'), (WEBHOOKS, b'{"type": "Secret"}')):
        await bury(queue, name, "bad", body)
    for letter in [letter async for letter in DeadLetters(queue).list()]:
        wrong = diagnose(letter)
        assert wrong
        assert "Secret" not in wrong


async def test_a_good_message_that_had_bad_luck_has_nothing_wrong(queue: SqliteTicketQueue) -> None:
    await bury(queue, REQUESTS, "good", GOOD.encode())
    (letter,) = [letter async for letter in DeadLetters(queue).list()]
    assert diagnose(letter) is None


def test_the_metric_can_be_alerted_on(tmp_path: Path) -> None:
    program = f"""
import asyncio
from pathlib import Path
from shared import telemetry
from shared.escalation.dead_letters import DeadLetters
from shared.escalation.queue import REQUESTS, QueueMessage
from shared.escalation.sqlite import SqliteTicketQueue

async def main():
    queue = SqliteTicketQueue(Path({str(tmp_path)!r}) / "q.db")
    await queue.send(REQUESTS, QueueMessage("a", b""))
    (received,) = await queue.receive(REQUESTS)
    await queue.dead_letter(received, reason="why")
    letters = DeadLetters(queue)
    await letters.count()
    print(telemetry.prometheus_text().decode())
    await letters.replay((await queue.dead_letters(REQUESTS))[0])
    await letters.count()
    print(telemetry.prometheus_text().decode())
    await queue.close()

telemetry.set_up_metrics()
asyncio.run(main())
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    values = [line for line in run.stdout.splitlines() if line.startswith("support_dead_letters{")]
    requests = [line.rsplit(" ", 1)[1] for line in values if 'queue="escalation-requests"' in line]
    assert requests == ["1.0", "0.0"]
    assert len(values) == 6, "the other queues are told, too, as 0"
