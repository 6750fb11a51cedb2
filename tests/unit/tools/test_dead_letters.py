import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from shared import services as composition
from shared.escalation.events.event import TicketRequest
from shared.escalation.queue import REQUESTS, WEBHOOKS, QueueMessage
from shared.escalation.sqlite import SqliteTicketQueue
from tools.dead_letters import main

GOOD = TicketRequest(ticket_id="tkt-1", session_id="s1", reason="unanswered", summary="Where?").model_dump_json()


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AUTH_MODE", "open")
    monkeypatch.setattr("tools.dead_letters.get_services", lambda: composition.Services(composition.load_settings()))


def on_queue[T](folder: Path, work: Callable[[SqliteTicketQueue], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        queue = SqliteTicketQueue(folder / "queues.db", max_delivery_count=1)
        try:
            return await work(queue)
        finally:
            await queue.close()

    return asyncio.run(run())


@pytest.fixture
def letters(tmp_path: Path) -> None:
    """tkt-1 had bad luck and is in two queues, tkt-2 can never be routed."""

    async def fill(queue: SqliteTicketQueue) -> None:
        for name, identifier, body in (
            (REQUESTS, "tkt-1", GOOD),
            (REQUESTS, "tkt-2", '{"summary": "Grüße"}'),
            (WEBHOOKS, "tkt-1", "{}"),
        ):
            await queue.send(
                name, QueueMessage(identifier, body.encode(), correlation_id="s1", properties={"team": "billing"})
            )
            (received,) = await queue.receive(name)
            await queue.abandon(received, problem="Unavailable: conversations.db does not answer. Try again.")

    on_queue(tmp_path, fill)


def waiting(folder: Path, name: str = REQUESTS) -> list[str]:
    async def look(queue: SqliteTicketQueue) -> list[str]:
        return [received.message.id for received in await queue.receive(name, limit=10)]

    return on_queue(folder, look)


def dead(folder: Path, name: str = REQUESTS) -> list[str]:
    async def look(queue: SqliteTicketQueue) -> list[str]:
        return [letter.message.id for letter in await queue.dead_letters(name)]

    return on_queue(folder, look)


@pytest.mark.usefixtures("letters")
def test_the_list_says_which_and_why_and_quotes_nobody(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for _ in range(2):
        assert main(["list"]) == 0
        printed = capsys.readouterr().out
        assert "tkt-1  escalation-requests" in printed
        assert "tkt-1  webhook-deliveries" in printed
        assert "MaxDeliveryCountExceeded" in printed
        assert "The last time: Unavailable: conversations.db does not answer." in printed
        assert "Sending it again is in vain: Not a ticket request of version 1: ticket_id: missing" in printed
        assert "3 in all." in printed
        assert "Where?" not in printed
        assert "Grüße" not in printed
    assert dead(tmp_path) == ["tkt-1", "tkt-2"]


def test_an_empty_list_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "There are no dead letters.\n"


@pytest.mark.usefixtures("letters")
def test_one_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "tkt-2"]) == 0
    printed = capsys.readouterr().out
    for told in ("id:", "escalation-requests", "conversation: s1", "billing", '{"summary": "Grüße"}'):
        assert told in printed


@pytest.mark.usefixtures("letters")
def test_one_is_sent_again_and_the_rest_stay(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["replay", "tkt-1", "--queue", REQUESTS]) == 0
    assert "tkt-1 is in escalation-requests again." in capsys.readouterr().out
    assert (waiting(tmp_path), dead(tmp_path), dead(tmp_path, WEBHOOKS)) == (["tkt-1"], ["tkt-2"], ["tkt-1"])


@pytest.mark.usefixtures("letters")
def test_all_are_sent_again(tmp_path: Path) -> None:
    assert main(["replay", "--all"]) == 0
    assert (waiting(tmp_path), waiting(tmp_path, WEBHOOKS)) == (["tkt-1", "tkt-2"], ["tkt-1"])
    assert dead(tmp_path, WEBHOOKS) == []


@pytest.mark.usefixtures("letters")
def test_one_is_removed(tmp_path: Path) -> None:
    assert main(["discard", "tkt-2"]) == 0
    assert (dead(tmp_path), waiting(tmp_path)) == (["tkt-1"], [])


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("command", ["show", "replay", "discard"])
def test_one_that_is_not_there_is_said(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "tkt-9"]) == 1
    assert "There is no dead letter tkt-9" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["replay"], ["replay", "tkt-1", "--all"], ["discard"], ["list", "--queue", "x"]]
)
def test_what_is_not_clear_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
