"""Fixtures of servers that are not our own: Azurite for Blob Storage, `chroma run` for the vector index.

BLOB_TEST_CONNECTION names a storage account to run the tests of Blob Storage on instead: its containers `documents` and
`transcripts` are emptied before every test. CHROMA_TEST_URL names a Chroma server.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from emulators import processes
from emulators.processes import ServerProcess, azurite_connection
from shared.blob_storage import BlobAccount
from shared.escalation import transcripts
from shared.knowledge import documents
from shared.knowledge.chroma_server import ChromaServer

CONTAINERS = (documents.CONTAINER, transcripts.CONTAINER)


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed, and Azurite needs it")
    with processes.azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="module")
def blob_connection(request: pytest.FixtureRequest) -> str:
    if given := os.environ.get("BLOB_TEST_CONNECTION"):
        return given
    return azurite_connection(request.getfixturevalue("azurite").port)


@pytest.fixture
async def blob_account(blob_connection: str) -> AsyncIterator[BlobAccount]:
    """With its containers, which are empty."""
    account = BlobAccount(blob_connection)
    await account.create(CONTAINERS)
    for name in CONTAINERS:
        container = account.container(name)
        async for blob in container.list_blobs():
            await container.delete_blob(blob.name, delete_snapshots="include")
    yield account
    await account.close()


@pytest.fixture(scope="module")
def running_chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL."""
    if given := os.environ.get("CHROMA_TEST_URL"):
        yield given
        return
    with processes.chroma(tmp_path_factory.mktemp("chroma")) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
async def chroma_server(running_chroma: str) -> ChromaServer:
    """A database of the test's own there."""
    server = ChromaServer(running_chroma, "tests", f"test-{uuid4().hex}")
    await server.create()
    return server
