"""The app's own services on Cosmos DB, chosen by the settings alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulators.cosmos.auth import EMULATOR_KEY
from emulators.cosmos.server import CosmosEmulator
from shared import services as composition
from shared.services import Services
from shared.settings import Settings
from tools import create_stores

ACCOUNT = "# Passwords\n\nTo reset your password, choose Forgot password on the sign-in page.\n"


@pytest.fixture(scope="module")
def emulator() -> Iterator[CosmosEmulator]:
    with CosmosEmulator() as running:
        yield running


@pytest.fixture
def options(emulator: CosmosEmulator, tmp_path: Path) -> dict[str, Any]:
    emulator.reset()
    account = f"AccountEndpoint={emulator.url};AccountKey={EMULATOR_KEY};"
    return {"auth_mode": "open", "data_dir": tmp_path, "cosmos_connection_string": account, "cosmos_database": "agent"}


def test_the_stores_are_created_once_and_told(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.create_stores.get_services", lambda: composition.Services(Settings(**options)))
    assert create_stores.main([]) == 0
    assert create_stores.main([]) == 0
    assert capsys.readouterr().out.count("agent/conversations is there") == 2


def test_a_laptop_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own: dict[str, Any] = {"auth_mode": "open", "data_dir": tmp_path}
    monkeypatch.setattr("tools.create_stores.get_services", lambda: composition.Services(Settings(**own)))
    assert create_stores.main([]) == 0
    assert "need nothing" in capsys.readouterr().out


async def test_a_conversation_is_there_for_another_instance(options: dict[str, Any]) -> None:
    one, other = Services(Settings(**options)), Services(Settings(**options))
    try:
        await one.create_stores()
        await one.documents.write("account.md", ACCOUNT.encode())
        await one.ingestion.reconcile()
        conversation, _ = await one.conversations.start("ada")
        running = await one.conversations.begin_turn(conversation.session_id, "How do I reset my password?")
        answer = await running.result()
        assert answer
        assert answer.grounded
        _, messages = await other.conversations.history(conversation.session_id)
        assert [message.role for message in messages] == ["assistant", "user", "assistant"]
        assert messages[-1] == answer
    finally:
        await one.close()
        await other.close()
    assert not (options["data_dir"] / "conversations.db").exists()
