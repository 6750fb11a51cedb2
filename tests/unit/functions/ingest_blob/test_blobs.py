from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.ingest_blob.blobs import BLOB_DELETED, blob_etag, blob_name, deleted_blob

SUBJECT = "/blobServices/default/containers/documents/blobs/"
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1).map(blob_name)


def event(name: str, *, kind: str = BLOB_DELETED, subject: str = SUBJECT, data: dict[str, Any] | None = None):
    return func.EventGridEvent(
        id="1",
        data={"url": f"https://x.blob.core.windows.net/documents/{quote(name)}"} if data is None else data,
        topic="t",
        subject=subject + name,
        event_type=kind,
        event_time=datetime.now(UTC),
        data_version="",
    )


@given(NAMES)
def test_a_deleted_document_is_named_whatever_its_name(name: str) -> None:
    assert deleted_blob(event(name)) == name


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:10000/devstoreaccount1/documents/returns/a%20b.md",
        "https://x.blob.core.windows.net/documents/returns/a%20b.md",
    ],
)
def test_the_name_is_what_follows_the_container(url: str) -> None:
    assert deleted_blob(event("ignored", data={"url": url})) == "returns/a b.md"


def test_a_folder_called_like_the_container_is_part_of_the_name() -> None:
    assert deleted_blob(event("documents/a.md")) == "documents/a.md"


def test_without_a_url_the_subject_tells() -> None:
    assert deleted_blob(event("returns/a b.md", data={})) == "returns/a b.md"


@pytest.mark.parametrize(
    "other",
    [
        event("a.md", kind="Microsoft.Storage.BlobCreated"),
        event("a.md", subject="/blobServices/default/containers/transcripts/blobs/"),
        event("a.md", subject="/blobServices/default/containers/documents-old/blobs/"),
        event("", subject="/subscriptions/x"),
    ],
)
def test_other_events_and_containers_are_ignored(other: func.EventGridEvent) -> None:
    assert deleted_blob(other) is None


def test_one_name_in_whatever_form_it_was_typed() -> None:
    assert blob_name("documents/u\u0308.md") == "\u00fc.md"


@pytest.mark.parametrize(
    ("properties", "etag"), [({"ETag": '"0x8D"'}, "0x8D"), ({"ETag": {}}, ""), ({}, ""), (None, "")]
)
def test_the_etag_where_the_host_gives_one(properties: Any, etag: str) -> None:
    assert blob_etag(properties) == etag
