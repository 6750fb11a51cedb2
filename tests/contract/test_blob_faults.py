"""Blob Storage behind a network that fails: nothing is lost, nothing is there twice, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from azure.storage.blob.aio import LinearRetry

from emulators.http_proxy import Fault, FaultyProxy
from shared import blob_storage
from shared.blob_storage import BlobAccount
from shared.errors import ConfigurationError, NotFound, Unavailable
from shared.escalation.blob import BlobTranscriptStore
from shared.knowledge.blob import BlobDocumentStore

RETRIES = 3
ALL = 2 * (RETRIES + 1)
"""Requests for one call at most: aiohttp, too, tries again when an open connection turns out to be closed."""


@pytest.fixture
def proxy(azurite: Any) -> Iterator[FaultyProxy]:
    with FaultyProxy(f"http://127.0.0.1:{azurite.port}") as running:
        yield running


@pytest.fixture
async def behind(
    proxy: FaultyProxy, blob_account: BlobAccount, blob_connection: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BlobAccount]:
    """The account, through the proxy, whose attempts follow each other at once."""
    monkeypatch.setattr(blob_storage, "RETRIES", LinearRetry(backoff=0, random_jitter_range=0, retry_total=RETRIES))
    monkeypatch.setattr(blob_storage, "READ_SECONDS", 0.4)
    direct = blob_connection.partition("BlobEndpoint=")[0]
    account = BlobAccount(f"{direct}BlobEndpoint={proxy.url}/devstoreaccount1;")
    yield account
    await account.close()


@pytest.fixture
def documents(behind: BlobAccount) -> BlobDocumentStore:
    return BlobDocumentStore(behind)


FAULTS = [
    Fault(cut=True),
    Fault(cut=True, applied=True),
    Fault(status=503),
    Fault(status=503, applied=True),
    Fault(status=500),
]
SLOW = Fault(delay=1)


@pytest.mark.parametrize("fault", [*FAULTS, SLOW], ids=str)
async def test_what_passes_is_not_noticed(documents: BlobDocumentStore, proxy: FaultyProxy, fault: Fault) -> None:
    proxy.faults.add(fault)
    info = await documents.write("a.md", b"one")
    proxy.faults.add(fault)
    assert await documents.info("a.md") == info
    proxy.faults.add(fault)
    assert await documents.read("a.md", max_bytes=10) == b"one"
    proxy.faults.add(fault)
    assert [found async for found in documents.list()] == [info]
    proxy.faults.add(fault)
    await documents.delete("a.md")
    with pytest.raises(NotFound):
        await documents.info("a.md")
    assert not proxy.faults.clear()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_what_lasts_is_unavailable_and_over_afterwards(
    documents: BlobDocumentStore, behind: BlobAccount, proxy: FaultyProxy, fault: Fault
) -> None:
    transcripts = BlobTranscriptStore(behind)
    await documents.write("a.md", b"one")
    await transcripts.write("s1", "tkt-1", b"{}")
    proxy.faults.add(replace(fault, times=1000))

    async def listed() -> list[str]:
        return [info.name async for info in documents.list()]

    for call in (
        documents.write("a.md", b"one"),
        documents.read("a.md", max_bytes=10),
        listed(),
        documents.ping(),
        transcripts.write("s1", "tkt-1", b"{}"),
        transcripts.read("s1", "tkt-1"),
        transcripts.sessions(),
    ):
        asked = len(proxy.requests)
        with pytest.raises(Unavailable):
            await call
        assert len(proxy.requests) - asked <= ALL
    proxy.faults.clear()
    assert await documents.read("a.md", max_bytes=10) == b"one"
    assert await transcripts.read("s1", "tkt-1") == b"{}"


async def test_nobody_waits_for_ever(documents: BlobDocumentStore, proxy: FaultyProxy) -> None:
    proxy.faults.add(Fault(delay=60, times=1000))
    with pytest.raises(Unavailable):
        await documents.ping()
    assert len(proxy.requests) == RETRIES + 1


async def test_what_the_account_refuses_is_not_tried_again(documents: BlobDocumentStore, proxy: FaultyProxy) -> None:
    proxy.faults.add(Fault(status=403, times=1000))
    with pytest.raises(Unavailable, match="log"):
        await documents.ping()
    assert len(proxy.requests) == 1


async def test_transcripts_of_an_erased_conversation_go_although_another_erases_them_too(
    behind: BlobAccount, proxy: FaultyProxy
) -> None:
    transcripts = BlobTranscriptStore(behind)
    for number in range(3):
        await transcripts.write("s1", f"tkt-{number}", b"{}")
    proxy.faults.add(Fault(method="DELETE", applied=True, cut=True, times=3))
    await transcripts.erase("s1")
    assert list(await transcripts.sessions()) == []


# ---- who opens it


def test_a_connection_string_that_is_none_is_not_quoted() -> None:
    with pytest.raises(ConfigurationError, match="DOCUMENTS_STORAGE") as error:
        BlobAccount("AccountKey=c2VjcmV0")
    assert "c2VjcmV0" not in str(error.value)


async def test_the_developers_storage_is_known_by_its_name() -> None:
    account = BlobAccount("UseDevelopmentStorage=true")
    assert account.container("documents").url == "http://127.0.0.1:10000/devstoreaccount1/documents"
    await account.close()
