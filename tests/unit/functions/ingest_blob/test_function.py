from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock, Mock

import azure.functions as func
import pytest
from azure.functions.blob import InputStream

from functions.ingest_blob import function

CONTEXT: Any = Mock(invocation_id="i1")


@pytest.fixture
def ingestion(monkeypatch: pytest.MonkeyPatch) -> AsyncMock:
    services = Mock(ingestion=AsyncMock())
    monkeypatch.setattr(function, "get_services", lambda: services)
    return services.ingestion


def event(name: str, kind: str) -> func.EventGridEvent:
    return func.EventGridEvent(
        id="1",
        data={},
        topic="t",
        subject=f"/blobServices/default/containers/documents/blobs/{name}",
        event_type=kind,
        event_time=datetime.now(UTC),
        data_version="",
    )


async def test_a_blob_is_read_with_its_name_etag_and_metadata(ingestion: AsyncMock) -> None:
    blob = InputStream(
        data=b"# Returns",
        name="documents/returns/returns.md",
        blob_properties={"ETag": '"0x8D"', "ContentLength": 9},
        metadata={"Language": "en"},
    )
    await function.ingest_blob.build().get_user_function()(blob, CONTEXT)
    ingestion.ingest.assert_awaited_once_with(
        "returns/returns.md", b"# Returns", etag="0x8D", metadata={"language": "en"}
    )


async def test_a_deleted_blob_is_forgotten_and_another_event_is_not(ingestion: AsyncMock) -> None:
    handler = function.forget_blob.build().get_user_function()
    await handler(event("a.md", "Microsoft.Storage.BlobCreated"), CONTEXT)
    ingestion.forget.assert_not_awaited()
    await handler(event("a.md", "Microsoft.Storage.BlobDeleted"), CONTEXT)
    ingestion.forget.assert_awaited_once_with("a.md")
