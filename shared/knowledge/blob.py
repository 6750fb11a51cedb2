"""Documents in Blob Storage."""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError
from azure.storage.blob import BlobProperties, ContentSettings

from shared.blob_storage import BlobAccount, translated
from shared.errors import InvalidInput, NotFound, PayloadTooLarge, Unavailable
from shared.knowledge.documents import CONTAINER, DocumentInfo, composed, parts_of

LONGEST_NAME = 1024
"""Characters; this and what `_checked` refuses: https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata"""
MOST_PARTS = 254
READS = 3
"""How often a document is read anew that changes while it is read."""
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class BlobDocumentStore:
    """A `DocumentStore` on the container `documents` of the account, which stays its owner's to close.

    A blob keeps the spelling that it was uploaded with, also of accents; a document's name is composed. Keys of
    metadata are in small letters, as their capitals depend on who uploads.
    """

    def __init__(self, account: BlobAccount) -> None:
        self._container = account.container(CONTAINER)

    async def list(self) -> AsyncIterator[DocumentInfo]:
        seen = set[str]()
        with translated():
            async for blob in self._container.list_blobs(include=["metadata"]):
                info = _described(blob)
                if _is_document(info.name) and info.name not in seen:
                    seen.add(info.name)
                    yield info

    async def info(self, name: str) -> DocumentInfo:
        return _described(await self._existing(name))

    async def read(self, name: str, *, max_bytes: int) -> bytes:
        for _ in range(READS):
            blob = await self._existing(name)
            if blob.size > max_bytes:
                raise PayloadTooLarge(f"{name!r} is larger than {max_bytes / 1e6:g} MB.")
            # Only the version that was found fitting: another may be of any size.
            only: dict[str, Any] = {"etag": blob.etag, "match_condition": MatchConditions.IfNotModified}
            with translated(_missing(name)):
                try:
                    stream = await self._container.download_blob(blob.name, **only)
                    return await stream.readall()
                except ResourceModifiedError:
                    continue
        raise Unavailable(f"{name!r} changes faster than it can be read.")

    async def write(self, name: str, data: bytes, metadata: Mapping[str, str] | None = None) -> DocumentInfo:
        name = _checked(name)
        about = _checked_metadata(metadata or {})
        kind = ContentSettings(content_type=mimetypes.guess_type(name)[0] or "application/octet-stream")
        blob = self._container.get_blob_client(await self._spelling(name))
        with translated():
            written = await blob.upload_blob(data, overwrite=True, metadata=about, content_settings=kind)
        return DocumentInfo(
            name=name,
            size=len(data),
            modified_at=written["last_modified"],
            etag=_bare(written["etag"]),
            metadata=about,
        )

    async def delete(self, name: str) -> None:
        if _is_document(composed(name)):
            with suppress(NotFound), translated():
                await self._container.delete_blob(await self._spelling(name), delete_snapshots="include")

    async def ping(self) -> None:
        with translated():
            await self._container.get_container_properties()

    async def close(self) -> None:
        pass

    async def _existing(self, name: str) -> BlobProperties:
        """The document's blob. Raises `NotFound`, also for what is no document."""
        if not _is_document(composed(name)):
            raise NotFound(_missing(name))
        with translated(_missing(name)):
            return await self._container.get_blob_client(await self._spelling(name)).get_blob_properties()

    async def _spelling(self, name: str) -> str:
        """The name of its blob: the composed one, unless there is a blob whose accents are encoded otherwise."""
        wanted = composed(name)
        if wanted.isascii():
            return wanted
        with translated():
            found = [
                blob.name
                async for blob in self._container.list_blobs(name_starts_with=_plain_start(wanted))
                if composed(blob.name) == wanted
            ]
        return found[0] if found and wanted not in found else wanted


def _described(blob: BlobProperties) -> DocumentInfo:
    return DocumentInfo(
        name=composed(blob.name),
        size=blob.size,
        modified_at=blob.last_modified,
        etag=_bare(blob.etag),
        metadata={key.lower(): value for key, value in (blob.metadata or {}).items()},
    )


def _bare(etag: str) -> str:
    """Without quotes: a header has them, a list has not."""
    return etag.strip('"')


def _missing(name: str) -> str:
    return f"There is no document {name!r}."


def _is_document(name: str) -> bool:
    try:
        parts_of(name)
    except InvalidInput:
        return False
    return True


def _plain_start(name: str) -> str:
    """What all spellings of a name begin with: the letters before its first accent, less the one that may carry it."""
    plain = re.match(r"[\x00-\x7f]*", unicodedata.normalize("NFD", name))
    return plain[0][:-1] if plain else ""


def _checked(name: str) -> str:
    """Composed. Raises `InvalidInput` for what Blob Storage would refuse, change, or never list again."""
    parts = parts_of(name)
    name = "/".join(parts)
    if len(name) > LONGEST_NAME or len(parts) > MOST_PARTS:
        raise InvalidInput(f"{name[:80]!r}… is too long for the name of a blob.")
    if any(part.endswith(".") for part in parts):
        raise InvalidInput(f"{name!r} cannot be a document: no part of a blob's name may end with a dot.")
    if "\\" in name or not all(sign.isprintable() or unicodedata.category(sign) == "Zs" for sign in name):
        raise InvalidInput(f"{name!r} cannot be a document: a blob's name has no backslashes or control characters.")
    return name


def _checked_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    for key, value in metadata.items():
        if not _KEY.fullmatch(key) or not (value.isascii() and value.isprintable()):
            raise InvalidInput(
                f"{key!r} cannot be kept beside a blob: keys are letters, digits and _, values are printable ASCII."
                " Put it into the document's front matter."
            )
    return {key.lower(): value.strip() for key, value in metadata.items()}
