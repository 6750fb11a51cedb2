"""A backup of one kind of stores, put into another and back: nothing changes on the way."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.backup import CONVERSATIONS, DOCUMENTS, MANIFEST, TRANSCRIPTS, Stores, back_up, put_back
from shared.blob_storage import BlobAccount
from shared.errors import InvalidInput
from shared.escalation.blob import BlobTranscriptStore
from shared.escalation.folder import FolderTranscriptStore
from shared.escalation.ticket import Ticket
from shared.knowledge.blob import BlobDocumentStore
from shared.knowledge.folder import FolderDocumentStore
from shared.memory.models import Conversation, CustomerFact, Message, Operator
from shared.memory.sqlite import SqliteConversationStore
from shared.memory.store import ConversationStore

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = START + timedelta(hours=1)


def laptop(folder: Path) -> Stores:
    return Stores(
        SqliteConversationStore(folder / "conversations.db", retention=timedelta(days=30), now=lambda: START),
        FolderDocumentStore(folder / "documents"),
        FolderTranscriptStore(folder / "transcripts"),
    )


@pytest.fixture
async def azure(cosmos_store: Callable[[], ConversationStore], blob_account: BlobAccount) -> AsyncIterator[Stores]:
    stores = Stores(cosmos_store(), BlobDocumentStore(blob_account), BlobTranscriptStore(blob_account))
    yield stores
    await stores.conversations.close()


async def fill(stores: Stores) -> None:
    store = stores.conversations
    for number in range(3):
        name = f"s{number}"
        conversation = Conversation(name, f"session:{name}", START + timedelta(seconds=number), LATER, user_id="ada")
        await store.create(conversation, Message("hello", name, "assistant", "Hello!", START))
        turn = await store.open_turn(
            Message("m1", name, "user", "Größe? “尺寸” \U0001f600\n\x7f", START), lease_until=LATER, history=5
        )
        ticket = Ticket(f"t{number}", name, "m1", "customer_request", "Help", START)
        fact = CustomerFact("f1", f"session:{name}", "Has the Solo.", "m1", START)
        await store.close_turn(turn, Message("a1", name, "assistant", "Yes.", START, reply_to="m1"), ticket, [fact])
    await store.save_operator(Operator("grace", "Grace", "hash", START))
    await stores.transcripts.write("s1", "t1", '{"long": "ü"}'.encode())
    await stores.documents.write("returns/Größe.md", b"# Returns\r\n\0\xff")
    await stores.documents.write("copy.md", b"# Returns\r\n\0\xff")


def lines(folder: Path, name: str) -> list[str]:
    return sorted((folder / name).read_text("utf-8").splitlines())


async def test_from_a_laptop_to_azure_and_back_nothing_changes(azure: Stores, tmp_path: Path) -> None:
    first, last = laptop(tmp_path / "first"), laptop(tmp_path / "last")
    await fill(first)
    counts = await back_up(first, tmp_path / "b1", START)
    assert counts == {
        "Conversation": 3,
        "Message": 9,
        "Ticket": 3,
        "CustomerFact": 3,
        "Operator": 1,
        "Document": 2,
        "Transcript": 1,
    }
    assert await put_back(azure, tmp_path / "b1") == counts
    assert await back_up(azure, tmp_path / "b2", START) == counts
    assert await put_back(last, tmp_path / "b2") == counts
    await back_up(last, tmp_path / "b3", START)
    for name in (CONVERSATIONS, DOCUMENTS, TRANSCRIPTS):
        assert lines(tmp_path / "b1", name) == lines(tmp_path / "b2", name) == lines(tmp_path / "b3", name)
    assert await last.documents.read("returns/Größe.md", max_bytes=100) == b"# Returns\r\n\0\xff"
    assert await last.transcripts.read("s1", "t1") == '{"long": "ü"}'.encode()
    turn = await last.conversations.open_turn(
        Message("m2", "s1", "user", "And now?", START), lease_until=LATER, history=5
    )
    assert turn.message.seq == 4
    assert len(await last.conversations.unsent_tickets(created_before=LATER)) == 3
    for stores in (first, last):
        await stores.conversations.close()


async def test_only_its_owner_can_read_a_backup(tmp_path: Path) -> None:
    stores = laptop(tmp_path / "app")
    await fill(stores)
    await back_up(stores, tmp_path / "backup", START)
    await stores.conversations.close()
    for path in (tmp_path / "backup").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize("name", [MANIFEST, CONVERSATIONS, "documents"])
async def test_what_is_not_whole_is_not_put_back(tmp_path: Path, name: str) -> None:
    stores, other = laptop(tmp_path / "app"), laptop(tmp_path / "other")
    await fill(stores)
    await back_up(stores, tmp_path / "backup", START)
    path = tmp_path / "backup" / name
    if path.is_dir():
        (path / next(iter(path.iterdir()))).write_bytes(b"another")
    elif name == MANIFEST:
        path.unlink()
    else:
        path.write_text(path.read_text("utf-8")[:-10], "utf-8")
    with pytest.raises(InvalidInput, match=r"whole|damaged"):
        await put_back(other, tmp_path / "backup")
    assert [one async for one in other.conversations.everything()] == []
    for one in (stores, other):
        await one.conversations.close()


async def test_a_backup_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    stores = laptop(tmp_path / "app")
    await back_up(stores, tmp_path / "backup", START)
    manifest = tmp_path / "backup" / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"schema": 99}))
    with pytest.raises(InvalidInput, match="newer version"):
        await put_back(stores, tmp_path / "backup")
    await stores.conversations.close()


async def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    stores = laptop(tmp_path / "app")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="folder of its own"):
        await back_up(stores, tmp_path, START)


async def test_stores_that_are_not_empty_are_left_alone_unless_they_are_meant(tmp_path: Path) -> None:
    stores, other = laptop(tmp_path / "app"), laptop(tmp_path / "other")
    await fill(stores)
    await back_up(stores, tmp_path / "backup", START)
    await other.documents.write("own.md", b"own")
    with pytest.raises(InvalidInput, match="--into-existing"):
        await put_back(other, tmp_path / "backup")
    await put_back(other, tmp_path / "backup", into_existing=True)
    await put_back(other, tmp_path / "backup", into_existing=True)
    assert sorted([info.name async for info in other.documents.list()]) == ["copy.md", "own.md", "returns/Größe.md"]
    for one in (stores, other):
        await one.conversations.close()


async def test_what_the_stores_do_not_take_is_named_when_all_else_is_back(azure: Stores, tmp_path: Path) -> None:
    await fill(azure)
    await azure.documents.write("solo.md", b"# Solo", {"product": "Solo"})
    await back_up(azure, tmp_path / "backup", START)
    other = laptop(tmp_path / "other")
    with pytest.raises(InvalidInput, match=r"All else is back.*solo\.md.*front matter"):
        await put_back(other, tmp_path / "backup")
    assert len([info async for info in other.documents.list()]) == 2
    assert len([one async for one in other.conversations.everything()]) == 19
    await other.conversations.close()
