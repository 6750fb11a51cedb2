"""Cosmos DB as the adapters see it: items of containers, errors of our own, and what each request cost.

The SDK waits when it is throttled and repeats what got no answer, writes too: a write may have happened although its
answer says that the item is there already, or has changed. Who writes must be able to tell its own writes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.cosmos.aio import CosmosClient

from shared import telemetry
from shared.azure_http import proxies_for
from shared.codec import from_document
from shared.errors import PayloadTooLarge, Unavailable

type Item = dict[str, Any]
type Operation = tuple[Any, ...]

CONNECT_SECONDS = 3
READ_SECONDS = 5
"""Longest wait for an answer. A request takes about 10 ms in the same region."""
THROTTLED_SECONDS = 3
"""Longest total wait when throttled; after that the customer is asked to come back."""
RETRIES = 3
PATIENCE_SECONDS = 10
"""Longest time for which a change is tried again while others write."""
REPEATS = 2
"""How often what got no answer is tried again, beside the SDK's own attempts: to learn whether it happened."""
LONGEST_PAUSE = 0.25
"""Seconds between two attempts, at most: a batch takes about 20 ms."""
BATCH = 100
"""Most operations of one batch."""
BATCH_BYTES = 1_500_000
"""Most bytes of one batch: a request may have 2 MB."""

_PLAIN = re.compile(r"[A-Za-z0-9_.@:-]{1,128}")
_CHANGED = (409, 412, 424)
_UNANSWERED = (408, 410, 449)
_OWNER_MISSING = 1003
"""Sub-status of a 404: not the item but its database or container is missing."""
logger = logging.getLogger(__name__)


class Changed(Exception):
    """An item is there already, gone, or not as it was read: nothing was written."""


class Missing(Changed):
    """There is no such item."""


class Unanswered(Unavailable):
    """No answer, or one that leaves open whether a write happened."""


class Cosmos:
    """One client for the process, connected when first used. `credential` is a key or an async `TokenCredential`, which
    stays its owner's to close."""

    def __init__(self, endpoint: str, credential: Any, database: str) -> None:
        self._endpoint = endpoint
        self._credential = credential
        self._name = database
        self._client: Any = None
        self._closed = False
        self._connecting = asyncio.Lock()

    async def container(self, name: str) -> Any:
        return (await self._database()).get_container_client(name)

    async def _database(self) -> Any:
        async with self._connecting:
            if self._closed:
                raise Unavailable("The store is closed.")
            if self._client is None:
                client: Any = new_client(self._endpoint, self._credential)
                try:
                    with translated():
                        await client.__aenter__()
                except BaseException:
                    await client.close()
                    raise
                self._client = client
        return self._client.get_database_client(self._name)

    async def close(self) -> None:
        self._closed = True
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


class Container:
    """Items of one container. Every method raises `Unavailable`; those that write also `Changed`, `Unanswered` and
    `PayloadTooLarge`."""

    def __init__(self, cosmos: Cosmos, name: str) -> None:
        self._cosmos = cosmos
        self._name = name

    async def read(self, item_id: str, partition: str) -> Item | None:
        """A point read, the cheapest request there is. None if there is no such item."""
        container = await self._cosmos.container(self._name)
        try:
            with translated():
                return await container.read_item(item_id, partition)
        except Missing:
            return None

    async def create(self, item: Item) -> None:
        container = await self._cosmos.container(self._name)
        with translated():
            await container.create_item(item)

    async def upsert(self, item: Item) -> None:
        container = await self._cosmos.container(self._name)
        with translated():
            await container.upsert_item(item)

    async def replace(self, item: Item) -> None:
        """Only if nobody else has written since it was read."""
        container = await self._cosmos.container(self._name)
        with translated():
            await container.replace_item(
                item["id"], item, etag=item["_etag"], match_condition=MatchConditions.IfNotModified
            )

    async def patch(self, item_id: str, partition: str, operations: Sequence[Mapping[str, Any]]) -> Item:
        container = await self._cosmos.container(self._name)
        with translated():
            return await container.patch_item(item_id, partition, list(operations))

    async def delete(self, item_id: str, partition: str) -> bool:
        """Whether it was there."""
        container = await self._cosmos.container(self._name)
        try:
            with translated():
                await container.delete_item(item_id, partition)
        except Missing:
            return False
        return True

    async def batch(self, partition: str, operations: Sequence[Operation]) -> list[str | None]:
        """All operations (at most 100, of one partition) or none. Returns the new etag of each item."""
        container = await self._cosmos.container(self._name)
        with translated():
            results = await container.execute_item_batch(list(operations), partition)
        return [result.get("eTag") for result in results]

    async def clear(self, partition: str, *, last: str = "") -> list[str]:
        """Remove all items of a partition, the one with the id `last` after all others, so that what broke off can be
        found and repeated. Returns the types of what was there."""
        found = dict[str, str]()

        async def work() -> None:
            while rows := await self.query("SELECT c.id, c.type FROM c", partition):
                found.update((row["id"], row["type"]) for row in rows)
                rows.sort(key=lambda row: row["id"] == last)
                for n in range(0, len(rows), BATCH):
                    await self.batch(partition, [("delete", (row["id"],)) for row in rows[n : n + BATCH]])

        await again(work)
        return list(found.values())

    async def query(self, text: str, partition: str | None = None, **parameters: Any) -> list[Item]:
        """All rows; of every partition if none is named. A parameter `name` is `@name` in the query."""
        container = await self._cosmos.container(self._name)
        values = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
        where: dict[str, Any] = {} if partition is None else {"partition_key": partition}
        with translated():
            return [row async for row in container.query_items(text, parameters=values, **where)]


async def again[T](work: Callable[[], Awaitable[T]]) -> T:
    """Repeat what met somebody else's write, for `PATIENCE_SECONDS`, or no answer, `REPEATS` times."""
    deadline, pause, silences = time.monotonic() + PATIENCE_SECONDS, 0.005, 0
    while True:
        try:
            return await work()
        except Unanswered:
            silences += 1
            if silences > REPEATS:
                raise
        except Changed as changed:
            if time.monotonic() > deadline:
                raise Unavailable("The store has too much to do. Try again.") from changed
        await asyncio.sleep(random.uniform(0, pause))  # noqa: S311
        pause = min(pause * 2, LONGEST_PAUSE)


def batches(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """As many at once as Cosmos DB takes."""
    part, size = list[Operation](), 0
    for operation in operations:
        length = len(json.dumps(operation[1]))
        if part and (len(part) == BATCH or size + length > BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(operation)
        size += length
    if part:
        yield part


def item_id(kind: str, name: str) -> str:
    """The same name always has the same id. What Cosmos DB does not take as an id is replaced by its hash."""
    if _PLAIN.fullmatch(name):
        return f"{kind}:{name}"
    return f"{kind}:sha256={hashlib.sha256(name.encode()).hexdigest()}"


def value[T](kind: type[T], item: Mapping[str, Any]) -> T:
    """What lies in the item, under `document`."""
    return from_document(kind, item["document"])


def indexing(*paths: str, together: Sequence[Sequence[str]] = ()) -> Mapping[str, Any]:
    """Writes cost by what is indexed: only what is asked for. `together` are the orders over several paths."""
    return {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [{"path": f"{path}/?"} for path in paths],
        "excludedPaths": [{"path": "/*"}],
        "compositeIndexes": [[{"path": path, "order": "ascending"} for path in paths] for paths in together],
    }


def new_client(endpoint: str, credential: Any) -> Any:
    from azure.core.pipeline.transport import AioHttpTransport  # with aiohttp, which the client imports no earlier

    return CosmosClient(
        endpoint,
        credential,
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retry_total=RETRIES,
        retry_throttle_backoff_max=THROTTLED_SECONDS,
        retry_backoff_factor=0.2,
        raw_response_hook=_record_charge,
        proxies=proxies_for(endpoint),
        transport=AioHttpTransport(use_env_settings=False),
    )


@contextmanager
def translated() -> Generator[None]:
    """Turn the SDK's errors into ours."""
    try:
        yield
    except HttpResponseError as error:
        raise _ours(error) from error
    except AzureError as error:
        logger.warning("cosmos_unanswered", extra={"error_type": type(error).__name__})
        raise Unanswered("The store does not answer. Try again.") from error


def _ours(error: HttpResponseError) -> Exception:
    status, substatus = error.status_code or 0, getattr(error, "sub_status", None)
    if status == 404 and substatus != _OWNER_MISSING:
        return Missing()
    if status in _CHANGED:
        return Changed()
    if status == 413:
        return PayloadTooLarge("The message with its attachments is more than the store takes, 2 MB.")
    if status == 429:
        wait: str | None = getattr(error, "headers", {}).get("x-ms-retry-after-ms")
        return Unavailable("The store has too much to do. Try again.", retry_after=float(wait or 1000) / 1000)
    # The text of an error may quote an item.
    logger.error("cosmos_failed", extra={"status": status, "substatus": substatus})
    if status in _UNANSWERED or status >= 500:
        return Unanswered("The store does not answer. Try again.")
    return Unavailable("The store refuses the request: see the log.")


def _record_charge(response: Any) -> None:
    """Every request is paid for, also one that fails."""
    if charge := response.http_response.headers.get("x-ms-request-charge"):
        segments = urlsplit(str(response.http_request.url)).path.split("/")
        telemetry.cosmos_charge.record(float(charge), {"container": segments[4] if len(segments) > 4 else ""})
