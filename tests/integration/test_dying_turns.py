"""A turn is atomic and happens once, wherever its process dies."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from shared.escalation.queue import REQUESTS
from shared.memory.models import Message
from tests.chat import NOW
from tests.integration.dying_turn import MESSAGE_ID, QUESTION, SESSION, Desk

ROOT = Path(__file__).parents[2]
FEWEST = 35
"""Steps of the turn that must have been tried: fewer would mean that they are no longer counted."""


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders that the killed processes left behind; the last process was not killed."""
    base = tmp_path_factory.mktemp("deaths")
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.dying_turn", str(base)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [base / str(number) for number in range(1, int(done.stdout.split()[-1]) + 1)]


def outline(messages: tuple[Message, ...]) -> list[str]:
    return [f"{message.seq} {message.id}" for message in messages]


async def waiting(desk: Desk) -> int:
    received = await desk.queue.receive(REQUESTS, limit=5)
    for message in received:
        await desk.queue.abandon(message)
    return len(received)


async def test_a_process_that_dies_leaves_the_question_or_all_of_the_turn(deaths: list[Path]) -> None:
    nothing, asked = ["1 greeting"], ["1 greeting", f"2 m-{MESSAGE_ID}"]
    whole = [*asked, f"3 a-{MESSAGE_ID}"]
    seen = set[int]()
    for folder in deaths:
        session_id = (folder / SESSION).read_text()
        desk = Desk(folder, lambda: NOW + timedelta(seconds=1))
        messages = await desk.store.messages(session_id)
        assert outline(messages) in (nothing, asked, whole), folder.name
        answer = messages[2] if len(messages) == 3 else None
        facts = await desk.store.facts("user:ada")
        tickets = await desk.store.unsent_tickets(created_before=NOW + timedelta(hours=1))
        sent = await waiting(desk)
        if answer is None:
            assert (facts, tickets, sent) == ((), [], 0), folder.name
        else:
            assert [fact.text for fact in facts] == ["I have the Solo machine"], folder.name
            assert await desk.store.ticket(answer.ticket_id or "", session_id), folder.name
            assert tickets or sent, folder.name
        seen.add(len(messages))
        await desk.close()
    assert seen == {1, 2, 3}
    assert len(deaths) > FEWEST


async def test_the_next_request_finishes_what_was_begun_and_doubles_nothing(deaths: list[Path]) -> None:
    for folder in deaths:
        session_id = (folder / SESSION).read_text()
        # By then the lease of the dead turn has ended, and the relay looks after tickets that were not sent.
        desk = Desk(folder, lambda: NOW + timedelta(minutes=2))
        running = await desk.service.begin_turn(session_id, QUESTION, client_message_id=MESSAGE_ID)
        answer = await running.result()
        assert answer, folder.name
        assert answer.ticket_id, folder.name
        assert answer.sources, folder.name
        await desk.escalation.relay()
        assert outline(await desk.store.messages(session_id)) == [
            "1 greeting",
            f"2 m-{MESSAGE_ID}",
            f"3 a-{MESSAGE_ID}",
        ], folder.name
        assert len(await desk.store.facts("user:ada")) == 1, folder.name
        assert await waiting(desk) == 1, folder.name
        assert await desk.store.unsent_tickets(created_before=NOW + timedelta(hours=1)) == [], folder.name
        await desk.close()
