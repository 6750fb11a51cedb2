"""The app's own services on Cosmos DB, chosen by the settings alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulators.cosmos.auth import EMULATOR_KEY
from emulators.cosmos.server import CosmosEmulator
from shared import services as composition
from shared.services import Services
from shared.settings import Settings
from tools import create_stores, reindex

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


@pytest.mark.parametrize("vector_index", ["chroma", "cosmos"])
async def test_a_conversation_is_there_for_another_instance(options: dict[str, Any], vector_index: str) -> None:
    options |= {"vector_index": vector_index, "cosmos_database": f"agent-{vector_index}"}
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
    assert (options["data_dir"] / "index").exists() == (vector_index == "chroma")


async def test_the_index_moves_to_cosmos_while_the_app_answers(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = options | {"vector_index": "cosmos", "cosmos_database": "moved"}
    for tool in ("create_stores", "reindex"):
        monkeypatch.setattr(f"tools.{tool}.get_services", lambda: Services(Settings(**moved)))
    before = Services(Settings(**options))
    await before.documents.write("account.md", ACCOUNT.encode())
    await before.ingestion.reconcile()
    assert await asyncio.to_thread(create_stores.main, []) == 0
    assert await asyncio.to_thread(reindex.main, []) == 0
    assert "moved/chunks-384 is there" in capsys.readouterr().out
    after = Services(Settings(**moved))
    question = "How do I reset my password?"
    found = [[one.chunk for one in await part.retriever.retrieve(question)] for part in (before, after)]
    assert found[0] == found[1] != []
    assert [one.name for one in await after.index.records()] == ["account.md"]
    await before.close()
    await after.close()
