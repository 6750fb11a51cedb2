import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared import services as composition
from shared.memory.models import Conversation, Erasure, Message
from shared.memory.sqlite import SqliteConversationStore
from tools.erase import main


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AUTH_MODE", "open")
    monkeypatch.setattr("tools.erase.get_services", lambda: composition.Services(composition.load_settings()))


@pytest.fixture(autouse=True)
def conversations(tmp_path: Path) -> None:
    async def fill() -> None:
        store, now = SqliteConversationStore(tmp_path / "conversations.db"), datetime.now(UTC)
        for name, user in (("s1", "ada"), ("s2", "ada"), ("s3", "bob")):
            await store.create(
                Conversation(name, f"user:{user}", now, now + timedelta(hours=1), user_id=user),
                Message("greeting", name, "assistant", "Hello", now),
            )
        await store.close()

    asyncio.run(fill())


def receipt(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_a_conversation_is_erased_and_its_receipt_printed(capsys: pytest.CaptureFixture[str]) -> None:
    printed = receipt(capsys, "--session", "s1")
    assert datetime.fromisoformat(str(printed.pop("at"))).tzinfo is UTC
    assert printed == {"erased": {"session": "s1"}, "conversations": 1, "messages": 1, "tickets": 0, "facts": 0}
    assert receipt(capsys, "--session", "s1")["conversations"] == 0


def test_all_of_a_customer_is_erased(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert receipt(capsys, "--user", "ada")["conversations"] == 2
    store = SqliteConversationStore(tmp_path / "conversations.db")

    async def left() -> Erasure:
        try:
            return await store.erase("s3")
        finally:
            await store.close()

    assert asyncio.run(left()).conversations == 1


@pytest.mark.parametrize("arguments", [[], ["--session", "s1", "--user", "ada"]])
def test_one_of_the_two_is_needed(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)


def test_a_store_that_does_not_answer_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "conversations.db"))  # a file where a folder should be
    assert main(["--session", "s1"]) == 1
    assert "does not answer" in capsys.readouterr().err
