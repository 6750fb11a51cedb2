"""What every `TranscriptStore` must do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.blob_storage import BlobAccount
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.escalation.blob import BlobTranscriptStore
from shared.escalation.folder import FolderTranscriptStore
from shared.escalation.transcripts import TranscriptStore


@pytest.fixture
def folder_transcripts(tmp_path: Path) -> Callable[[], TranscriptStore]:
    return lambda: FolderTranscriptStore(tmp_path / "transcripts")


@pytest.fixture
def blob_transcripts(blob_account: BlobAccount) -> Callable[[], TranscriptStore]:
    return lambda: BlobTranscriptStore(blob_account)


@pytest.fixture(params=["folder_transcripts", "blob_transcripts"])
def transcripts(request: pytest.FixtureRequest) -> TranscriptStore:
    return request.getfixturevalue(request.param)()


def everything_in(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


async def test_what_was_written_is_read_and_has_a_name(transcripts: TranscriptStore) -> None:
    names = {
        await transcripts.write("s1", "tkt-1", '{"text": "grüße"}'.encode()),
        await transcripts.write("s1", "tkt-2", b"{}"),
        await transcripts.write("s2", "tkt-1", b"[]"),
    }
    assert len(names) == 3
    assert await transcripts.read("s1", "tkt-1") == '{"text": "grüße"}'.encode()
    assert await transcripts.read("s2", "tkt-1") == b"[]"


async def test_a_later_one_takes_its_place(transcripts: TranscriptStore) -> None:
    first = await transcripts.write("s1", "tkt-1", b"long " * 1000)
    assert await transcripts.write("s1", "tkt-1", b"short") == first
    assert await transcripts.read("s1", "tkt-1") == b"short"


async def test_written_by_many_at_once_it_is_one_of_theirs_and_whole(transcripts: TranscriptStore) -> None:
    documents = [bytes([n]) * 100_000 for n in range(10)]
    await asyncio.gather(*(transcripts.write("s1", "tkt-1", document) for document in documents))
    assert await transcripts.read("s1", "tkt-1") in documents
    assert list(await transcripts.sessions()) == ["s1"]


async def test_erasing_a_conversation_takes_all_of_it_and_nothing_else(transcripts: TranscriptStore) -> None:
    for session_id, ticket_id in (("s1", "tkt-1"), ("s1", "tkt-2"), ("s10", "tkt-3")):
        await transcripts.write(session_id, ticket_id, b"{}")
    assert set(await transcripts.sessions()) == {"s1", "s10"}
    await transcripts.erase("s1")
    await transcripts.erase("s1")
    assert list(await transcripts.sessions()) == ["s10"]
    for ticket_id in ("tkt-1", "tkt-2"):
        with pytest.raises(NotFound):
            await transcripts.read("s1", ticket_id)


async def test_without_any_there_is_nothing(transcripts: TranscriptStore) -> None:
    assert list(await transcripts.sessions()) == []
    await transcripts.erase("s1")
    with pytest.raises(NotFound):
        await transcripts.read("s1", "tkt-1")


@pytest.mark.parametrize("identifier", ["", ".", "..", "../x", "a/b", "a\\b", "C:", "a\x00b", "ä", "x" * 101, "a\n"])
async def test_an_id_never_leads_elsewhere(transcripts: TranscriptStore, identifier: str, tmp_path: Path) -> None:
    for session_id, ticket_id in ((identifier, "tkt-1"), ("s1", identifier)):
        with pytest.raises(InvalidInput):
            await transcripts.write(session_id, ticket_id, b"{}")
        with pytest.raises(InvalidInput):
            await transcripts.read(session_id, ticket_id)
    with pytest.raises(InvalidInput):
        await transcripts.erase(identifier)
    assert everything_in(tmp_path) == []


async def test_a_folder_that_cannot_be_used_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    transcripts = FolderTranscriptStore(tmp_path / "file" / "transcripts")
    with pytest.raises(Unavailable):
        await transcripts.write("s1", "tkt-1", b"{}")


async def test_what_others_put_into_the_folder_is_none_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "my notes").mkdir()
    (tmp_path / "s1").write_text("a file")
    assert await FolderTranscriptStore(tmp_path).sessions() == []
