import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.blobs import BlobWatcher, Settling, blob_metadata, deleted_event
from shared.errors import Unavailable
from shared.knowledge.documents import DocumentInfo

NAMES = st.sampled_from(["a", "b", "c"])
LOOKS = st.lists(st.dictionaries(NAMES, st.sampled_from(["1", "2", "3"])), max_size=8)


def test_a_document_settles_when_two_looks_find_the_same() -> None:
    settling = Settling({})
    assert settling.look({"a": "1"}) == ([], [])
    assert settling.look({"a": "2"}) == ([], [])
    assert settling.look({"a": "2"}) == (["a"], [])


def test_what_is_known_already_is_no_event() -> None:
    settling = Settling({"a": "1"})
    assert settling.look({"a": "1"}) == ([], [])
    assert settling.look({"a": "1"}) == ([], [])


def test_what_is_gone_is_told_at_once() -> None:
    assert Settling({"a": "1"}).look({}) == ([], ["a"])


@given(known=st.dictionaries(NAMES, st.sampled_from(["1", "2"])), looks=LOOKS)
def test_whoever_handles_each_event_ends_up_with_what_is_there(
    known: dict[str, str], looks: list[dict[str, str]]
) -> None:
    settling = Settling(known)
    final = looks[-1] if looks else {}
    for found in [*looks, final, final]:
        changed, gone = settling.look(found)
        for name in changed:
            settling.known[name] = found[name]
        for name in gone:
            del settling.known[name]
    assert settling.known == final
    assert settling.look(final) == ([], [])


def test_a_blob_comes_with_the_metadata_of_the_host() -> None:
    info = DocumentInfo(
        name="a b/ü.pdf", size=3, modified_at=datetime(2026, 1, 1, tzinfo=UTC), etag="x1", metadata={"lang": "de"}
    )
    metadata = blob_metadata("documents", info)
    assert metadata["BlobTrigger"].string == "documents/a b/ü.pdf"
    assert metadata["name"].string == "a b/ü.pdf"
    assert json.loads(metadata["Uri"].json) == "https://laptop.blob.core.windows.net/documents/a%20b/%C3%BC.pdf"
    assert json.loads(metadata["Metadata"].json) == {"lang": "de"}
    assert json.loads(metadata["Properties"].json) == {
        "LastModified": "2026-01-01T00:00:00+00:00",
        "ContentLength": 3,
        "ContentType": "application/pdf",
        "ETag": '"x1"',
    }


def test_a_delete_comes_as_an_event_grid_event() -> None:
    event = deleted_event("documents", "a b.md")
    assert event["eventType"] == "Microsoft.Storage.BlobDeleted"
    assert event["subject"] == "/blobServices/default/containers/documents/blobs/a b.md"
    assert event["data"]["url"].endswith("/documents/a%20b.md")


class Away:
    """A store that cannot be listed, but for the looks of these numbers."""

    def __init__(self, *there: int, until: int) -> None:
        self._there = there
        self._until = until
        self._looks = 0
        self.done = asyncio.Event()

    async def list(self) -> AsyncIterator[DocumentInfo]:
        self._looks += 1
        if self._looks == self._until:
            self.done.set()
        if self._looks not in self._there:
            raise Unavailable("Gone.")
        return
        yield


async def test_a_store_that_stays_away_is_told_of_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.blobs.INTERVAL", 0)
    store: Any = Away(4, until=7)
    runtime: Any = SimpleNamespace(host=SimpleNamespace(blob_parallelism=1), triggered_by=lambda _: [])
    nobody: Any = None
    watching = asyncio.create_task(BlobWatcher(runtime, store, nobody, known={}).run())
    await store.done.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert [record.getMessage() for record in caplog.records] == ["the documents cannot be listed: Gone."] * 2
