"""What the blob trigger and storage's events say about a blob, in the terms of `shared.knowledge`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import azure.functions as func

from shared.knowledge.documents import CONTAINER, composed

BLOB_DELETED = "Microsoft.Storage.BlobDeleted"


def blob_name(path: str) -> str:
    """The document's name, of a trigger's `container/name`."""
    return composed(path.removeprefix(f"{CONTAINER}/"))


def blob_etag(properties: Mapping[str, Any] | None) -> str:
    """The etag without its quotes; empty where the host leaves it out, and the bytes have to tell by themselves."""
    etag = (properties or {}).get("ETag")
    return etag.strip('"') if isinstance(etag, str) else ""


def blob_metadata(metadata: Mapping[str, str] | None) -> dict[str, str] | None:
    """In small letters, as the store has the keys; None where the host leaves it out."""
    return None if metadata is None else {key.lower(): value for key, value in metadata.items()}


def deleted_blob(event: func.EventGridEvent) -> str | None:
    """The name of the document that was deleted; None for any other event and any other container.

    The subject is `/blobServices/default/containers/CONTAINER/blobs/NAME`. The name itself is taken from the event's
    URL, because only there is it certain that `%20` stands for a space.
    """
    prefix = f"/blobServices/default/containers/{CONTAINER}/blobs/"
    if event.event_type != BLOB_DELETED or not event.subject or not event.subject.startswith(prefix):
        return None
    _, found, encoded = urlsplit(event.get_json().get("url", "")).path.partition(f"/{CONTAINER}/")
    return composed(unquote(encoded) if found else event.subject.removeprefix(prefix))
