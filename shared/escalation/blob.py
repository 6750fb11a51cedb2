"""Whole transcripts in Blob Storage."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import BlobPrefix

from shared.blob_storage import BlobAccount, translated
from shared.errors import NotFound
from shared.escalation.transcripts import CONTAINER, checked

JSON = ContentSettings(content_type="application/json")


class BlobTranscriptStore:
    """A `TranscriptStore`: blobs `<session_id>/<ticket_id>.json` of the account's container `transcripts`.

    The account stays its owner's to close.
    """

    def __init__(self, account: BlobAccount) -> None:
        self._container = account.container(CONTAINER)

    async def write(self, session_id: str, ticket_id: str, document: bytes) -> str:
        name = _name(session_id, ticket_id)
        with translated():
            await self._container.upload_blob(name, document, overwrite=True, content_settings=JSON)
        return name

    async def read(self, session_id: str, ticket_id: str) -> bytes:
        with translated(f"There is no transcript of ticket {ticket_id}."):
            return await (await self._container.download_blob(_name(session_id, ticket_id))).readall()

    async def sessions(self) -> Sequence[str]:
        with translated():
            folders = [one.name async for one in self._container.walk_blobs() if isinstance(one, BlobPrefix)]
        return [folder.removesuffix("/") for folder in folders]

    async def erase(self, session_id: str) -> None:
        with translated():
            async for blob in self._container.list_blobs(name_starts_with=f"{checked(session_id)}/"):
                with suppress(NotFound), translated():
                    await self._container.delete_blob(blob.name, delete_snapshots="include")

    async def close(self) -> None:
        pass


def _name(session_id: str, ticket_id: str) -> str:
    return f"{checked(session_id)}/{checked(ticket_id)}.json"
