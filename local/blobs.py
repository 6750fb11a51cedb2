"""The document container's events: watches a `DocumentStore` and fires the blob and Event Grid triggers."""

from __future__ import annotations

import asyncio
import logging
import mimetypes
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote

from local.runtime import Function, InvocationFailed, Message, Runtime, as_json, binary, text
from shared.errors import NotFound, SupportAgentError, Unavailable
from shared.knowledge.documents import DocumentInfo, DocumentStore

logger = logging.getLogger(__name__)

ACCOUNT = "laptop"
INTERVAL = 0.5
"""Seconds between two looks at the documents."""
PAUSE = 1.0
"""Seconds before the second attempt; before each later one it is one more."""
LARGEST_BLOB = 1 << 30
"""Bytes. In Azure a blob reaches the function in memory too, and no instance would have room for more."""


class Listener(Protocol):
    """Hears what becomes of documents."""

    def reading(self, name: str) -> None: ...

    async def dealt_with(self, name: str) -> None:
        """Its triggers have run; what became of it is in its record."""
        ...

    def forgetting(self, name: str) -> None: ...

    def gave_up(self, name: str) -> None:
        """Every attempt failed; nothing more happens until the document changes again."""
        ...


class Settling:
    """Tells which documents have changed, leaving out those that still are changing.

    A document has settled when two looks in a row find the same etag: a file that is being copied grows in between.
    `known` is what has been dealt with, name to etag.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = dict(known)
        self._last: Mapping[str, str] = {}

    def look(self, found: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Names that are new or changed, and names that are gone."""
        changed = [name for name in sorted(found) if found[name] != self.known.get(name)]
        settled = [name for name in changed if self._last.get(name) == found[name]]
        gone = sorted(self.known.keys() - found.keys())
        self._last = found
        return settled, gone


class BlobWatcher:
    """Looks at the store every `INTERVAL` and fires what changed; one event per document at a time."""

    def __init__(
        self,
        runtime: Runtime,
        store: DocumentStore,
        listener: Listener,
        *,
        known: Mapping[str, str],
    ) -> None:
        self._runtime = runtime
        self._store = store
        self._listener = listener
        self._settling = Settling(known)
        self._slots = asyncio.Semaphore(runtime.host.blob_parallelism)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._blob_functions = runtime.triggered_by("blobTrigger")
        self._event_functions = runtime.triggered_by("eventGridTrigger")
        containers = {function.trigger["path"].partition("/")[0] for function in self._blob_functions}
        self._container = containers.pop() if len(containers) == 1 else "documents"

    async def run(self) -> None:
        """Until cancelled."""
        told = ""
        try:
            while True:
                try:
                    await self._look()
                    told = ""
                except SupportAgentError as error:
                    if str(error) != told:  # once, not with each look
                        told = str(error)
                        logger.warning("the documents cannot be listed: %s", told)
                await asyncio.sleep(INTERVAL)
        finally:
            tasks = list(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        found = {info.name: info async for info in self._store.list()}
        settled, gone = self._settling.look({name: info.etag for name, info in found.items()})
        for name in settled:
            if name not in self._running:
                self._settling.known[name] = found[name].etag
                self._start(name, partial(self._created, found[name]))
        for name in gone:
            if name not in self._running:
                del self._settling.known[name]
                self._start(name, partial(self._deleted, name))

    def _start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        async def one_at_a_time() -> None:
            try:
                async with self._slots:
                    await work()
            finally:
                del self._running[name]

        self._running[name] = asyncio.create_task(one_at_a_time())

    async def _created(self, info: DocumentInfo) -> None:
        self._listener.reading(info.name)
        try:
            data = await self._store.read(info.name, max_bytes=LARGEST_BLOB)
        except NotFound:
            return
        except Unavailable as error:
            logger.warning("%s cannot be read now: %s", info.name, error)
            self._settling.known.pop(info.name, None)  # the next look finds it new
            return
        except SupportAgentError as error:
            logger.warning("%s cannot be read: %s", info.name, error)
            self._listener.gave_up(info.name)
            return
        for function in self._blob_functions:
            if not await self._deliver(function, info.name, binary(data), blob_metadata(self._container, info)):
                return
        await self._listener.dealt_with(info.name)

    async def _deleted(self, name: str) -> None:
        self._listener.forgetting(name)
        event = as_json(deleted_event(self._container, name))
        for function in self._event_functions:
            await self._deliver(function, name, event, {})

    async def _deliver(self, function: Function, name: str, data: Message, metadata: Mapping[str, Message]) -> bool:
        """As often as the host tries a blob before it is put into the poison queue. Returns whether it was taken."""
        attempts = self._runtime.host.blob_attempts
        for attempt in range(1, attempts + 1):
            try:
                await self._runtime.invoke(function, data, metadata)
                return True
            except InvocationFailed:
                if attempt < attempts:
                    await asyncio.sleep(PAUSE * attempt)
        logger.error("%s was given up after %d attempts: %s", function.name, attempts, name)
        self._listener.gave_up(name)
        return False


def blob_url(container: str, name: str) -> str:
    return f"https://{ACCOUNT}.blob.core.windows.net/{container}/{quote(name)}"


def blob_metadata(container: str, info: DocumentInfo) -> dict[str, Message]:
    """The trigger metadata that the host adds to a blob."""
    return {
        "BlobTrigger": text(f"{container}/{info.name}"),
        "Uri": as_json(blob_url(container, info.name)),
        "Properties": as_json(
            {
                "LastModified": info.modified_at.isoformat(),
                "ContentLength": info.size,
                "ContentType": mimetypes.guess_type(info.name)[0] or "application/octet-stream",
                "ETag": f'"{info.etag}"',
            }
        ),
        "Metadata": as_json(dict(info.metadata)),
        "name": text(info.name),
    }


def deleted_event(container: str, name: str) -> dict[str, Any]:
    """A `Microsoft.Storage.BlobDeleted` event in Event Grid's own schema."""
    return {
        "id": str(uuid.uuid4()),
        "topic": "/subscriptions/laptop/resourceGroups/laptop/providers/Microsoft.Storage/storageAccounts/" + ACCOUNT,
        "subject": f"/blobServices/default/containers/{container}/blobs/{name}",
        "eventType": "Microsoft.Storage.BlobDeleted",
        "eventTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "data": {"api": "DeleteBlob", "blobType": "BlockBlob", "url": blob_url(container, name)},
        "dataVersion": "",
        "metadataVersion": "1",
    }
