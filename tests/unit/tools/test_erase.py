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
    counts = {"conversations": 1, "messages": 1, "tickets": 0, "facts": 0}
    assert printed == {"erased": {"session": "s1"}, **counts, "left": {}, "unchecked": [], "receipt": None}
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


def test_a_receipt_is_signed_names_nobody_and_can_be_checked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_SECRET", "0123456789abcdef0123456789abcdef")
    signed = str(receipt(capsys, "--user", "ada")["receipt"])
    claims = receipt(capsys, "--verify", signed, "--user", "ada")
    counts = {"conversations": 2, "messages": 2, "tickets": 0, "facts": 0}
    assert claims["outcome"] == {**counts, "left": {}, "unchecked": []}
    assert "ada" not in json.dumps(claims)
    head, body, signature = signed.split(".")
    forged = f"{head}.{body[:-4]}AAAA.{signature}"
    for wrong in (["--verify", signed, "--user", "bob"], ["--verify", forged]):
        assert main(wrong) == 1
    assert "somebody else" in capsys.readouterr().err
    monkeypatch.setenv("TOKEN_SECRET", "another secret of 32 bytes or more")
    assert main(["--verify", signed]) == 1
    monkeypatch.delenv("TOKEN_SECRET")
    capsys.readouterr()
    assert main(["--verify", signed]) == 1
    assert "TOKEN_SECRET: set it" in capsys.readouterr().err


def test_what_an_erasure_leaves_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> Erasure:
        return Erasure()

    monkeypatch.setattr(SqliteConversationStore, "erase_customer", nothing)
    assert main(["--user", "ada"]) == 1
    assert json.loads(capsys.readouterr().out)["left"] == {"Conversation": 2, "Message": 2}
