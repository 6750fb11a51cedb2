"""The Cosmos DB emulator as the unmodified SDK sees it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from azure.core import MatchConditions
from azure.cosmos import PartitionKey, exceptions
from azure.cosmos.aio import CosmosClient

from emulators.cosmos.auth import EMULATOR_KEY, is_signed, sign
from emulators.cosmos.faults import Fault
from emulators.cosmos.server import CosmosEmulator
from shared.settings import ROOT


@pytest.fixture(scope="module")
def emulator() -> Iterator[CosmosEmulator]:
    with CosmosEmulator() as emulator:
        yield emulator


@pytest.fixture
async def container(emulator: CosmosEmulator) -> AsyncIterator[Any]:
    emulator.reset()
    async with CosmosClient(emulator.url, EMULATOR_KEY) as client:
        database = await client.create_database(uuid4().hex)
        yield await database.create_container("things", PartitionKey("/part"), default_ttl=-1)


def thing(name: str, part: str = "p", **more: Any) -> dict[str, Any]:
    return {"id": name, "part": part, **more}


async def refused(status: int, attempt: Any) -> Any:
    with pytest.raises((exceptions.CosmosHttpResponseError, exceptions.CosmosBatchOperationError)) as caught:
        await attempt
    assert caught.value.status_code == status
    return caught.value


async def test_items_are_created_read_replaced_and_deleted(container: Any) -> None:
    made = await container.create_item(thing("a", n=1))
    await refused(409, container.create_item(thing("a")))
    assert (await container.create_item(thing("a", "other")))["part"] == "other"  # an id is of one partition
    assert dict(await container.read_item("a", "p")) == dict(made)
    replaced = await container.replace_item("a", thing("a", n=2))
    assert replaced["_etag"] != made["_etag"]
    assert (await container.upsert_item(thing("a", n=3)))["n"] == 3
    assert (await container.upsert_item(thing("b", n=4)))["n"] == 4
    await container.delete_item("a", "p")
    for attempt in (
        container.read_item("a", "p"),
        container.delete_item("a", "p"),
        container.replace_item("a", thing("a")),
        container.patch_item("a", "p", [{"op": "set", "path": "/n", "value": 1}]),
    ):
        await refused(404, attempt)


async def test_an_etag_keeps_writers_apart(container: Any) -> None:
    old = await container.create_item(thing("a"))
    new = await container.upsert_item(thing("a", n=1))
    stale: dict[str, Any] = {"etag": old["_etag"], "match_condition": MatchConditions.IfNotModified}
    await refused(412, container.replace_item("a", thing("a", n=2), **stale))
    await refused(412, container.upsert_item(thing("a", n=2), **stale))
    await refused(412, container.delete_item("a", "p", **stale))
    assert (await container.replace_item("a", thing("a", n=2), **(stale | {"etag": new["_etag"]})))["n"] == 2


async def test_a_patch_changes_parts(container: Any) -> None:
    await container.create_item(thing("a", n=1, about={"size": 3}))
    operations = [
        {"op": "incr", "path": "/n", "value": 2},
        {"op": "incr", "path": "/new", "value": 1},
        {"op": "set", "path": "/about/colour", "value": "red"},
        {"op": "remove", "path": "/about/size"},
    ]
    patched = await container.patch_item("a", "p", operations)
    assert (patched["n"], patched["new"], patched["about"]) == (3, 1, {"colour": "red"})
    await refused(400, container.patch_item("a", "p", [{"op": "set", "path": "/no/where", "value": 1}]))


async def test_a_batch_happens_whole_or_not_at_all(container: Any) -> None:
    (first, _) = await container.execute_item_batch(
        [("create", (thing("a"),)), ("upsert", (thing("b"),))], partition_key="p"
    )
    failed = await refused(
        409, container.execute_item_batch([("delete", ("b",)), ("create", (thing("a"),))], partition_key="p")
    )
    assert failed.error_index == 1
    assert [one["statusCode"] for one in failed.operation_responses] == [424, 409]
    assert await container.read_item("b", "p")
    replace = ("replace", ("a", thing("a", n=1)), {"if_match_etag": first["eTag"]})
    assert await container.execute_item_batch([replace], partition_key="p")
    replace = ("replace", ("a", thing("a", n=1)), {"if_match_etag": first["eTag"]})
    await refused(412, container.execute_item_batch([replace], partition_key="p"))
    await refused(400, container.execute_item_batch([("create", (thing("c", "other"),))], partition_key="p"))
    many = [("create", (thing(f"n{n}"),)) for n in range(101)]
    await refused(400, container.execute_item_batch(many, partition_key="p"))


async def test_queries_of_one_partition_and_of_all_come_in_pages(container: Any) -> None:
    for n in range(120):
        await container.create_item(thing(f"n{n:03}", f"p{n % 2}", n=n))
    one = [row["n"] async for row in container.query_items("SELECT * FROM c ORDER BY c.n", partition_key="p1")]
    assert one == list(range(1, 120, 2))
    every = [n async for n in container.query_items("SELECT VALUE c.n FROM c ORDER BY c.n DESC")]
    assert every == list(range(119, -1, -1))
    pages = container.query_items("SELECT c.n FROM c", partition_key="p0", max_item_count=25).by_page()
    sizes = [len([row async for row in page]) async for page in pages]
    assert sizes == [25, 25, 10]
    await refused(400, anext(aiter(container.query_items("SELECT * FROM c ORDER BY c.n, c.id", partition_key="p0"))))


async def test_vectors_are_searched_as_the_container_says(emulator: CosmosEmulator) -> None:
    embedding = {"path": "/at", "dataType": "float32", "dimensions": 2, "distanceFunction": "cosine"}
    about: dict[str, Any] = {
        "partition_key": PartitionKey("/part"),
        "indexing_policy": {"excludedPaths": [{"path": "/*"}], "vectorIndexes": [{"path": "/at", "type": "diskANN"}]},
    }
    async with CosmosClient(emulator.url, EMULATOR_KEY) as client:
        database = await client.create_database(uuid4().hex)
        await refused(400, database.create_container("places", **about))  # an index of what is no vector
        about["vector_embedding_policy"] = {"vectorEmbeddings": [embedding]}
        places = await database.create_container("places", **about)
        changed = {"vectorEmbeddings": [{**embedding, "dimensions": 3}]}
        await refused(400, database.replace_container(places, **{**about, "vector_embedding_policy": changed}))
        for n, at in enumerate([[1, 0], [0, 1], [1, 1]]):
            await places.create_item(thing(str(n), f"p{n}", at=at))
        emulator.reset()
        query = "SELECT TOP 2 c.id FROM c ORDER BY VectorDistance(c.at, @vector)"
        found = places.query_items(query, parameters=[{"name": "@vector", "value": [3, 1]}])
        assert [row["id"] async for row in found] == ["0", "2"]
        asked = [(one.operation, one.status) for one in emulator.server.requests if one.operation in ("query", "plan")]
        assert asked == [("query", 400), ("plan", 200), ("query", 200)]  # the SDK merged the partitions' rows


async def test_an_item_goes_when_its_time_is_over(emulator: CosmosEmulator, container: Any) -> None:
    now = time.time()
    emulator.storage.clock = lambda: now
    for name, ttl in (("short", 10), ("never", -1), ("long", 99)):
        await container.create_item(thing(name, ttl=ttl))
    now += 9
    await container.patch_item("short", "p", [{"op": "set", "path": "/n", "value": 1}])  # counts from the last write
    now += 9
    assert len([row async for row in container.query_items("SELECT * FROM c", partition_key="p")]) == 3
    now += 1
    await refused(404, container.read_item("short", "p"))
    assert [row["id"] async for row in container.query_items("SELECT * FROM c")] == ["never", "long"]
    assert (await container.create_item(thing("short")))["id"] == "short"
    await refused(400, container.create_item(thing("wrong", ttl=0)))


async def test_what_cosmos_refuses_is_refused(container: Any) -> None:
    await refused(413, container.create_item(thing("big", text="x" * 2_200_000)))
    for name in ("a/b", "a\\b", "a?b", "a#b", "", "ends ", "x" * 1024):
        # The SDK would refuse some of them itself, but not in a batch.
        await refused(400, container.execute_item_batch([("create", (thing(name),))], partition_key="p"))
    made = await container.create_item(thing("numbers", whole=2.0, large=2**53 + 1))
    assert (made["whole"], made["large"]) == (2, 2**53)


async def test_only_the_right_key_opens(emulator: CosmosEmulator) -> None:
    with pytest.raises(exceptions.CosmosHttpResponseError, match="Unauthorized"):
        async with CosmosClient(emulator.url, EMULATOR_KEY.replace("C2", "D2")):
            pass
    async with aiohttp.ClientSession() as session, session.get(emulator.url + "dbs") as answer:
        assert answer.status == 401


def test_a_signature_is_of_verb_path_and_date() -> None:
    # The example of https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources
    key = "dsZQi3KtZmCv1ljt3VNWNm7sQUF1y5rJfC6kv5JiwvW0EndXdDku/dkKBp8/ufDToSxLzR4y+O/0H/t4bQtVNw=="
    date = "Thu, 27 Apr 2017 00:51:12 GMT"
    signature = sign(key, "GET", "/dbs/ToDoList", date)
    assert signature == "c09PEVJrgp2uQRkr934kFbTqhByc7TVr3OHyqlu+c+c="
    header = f"type%3dmaster%26ver%3d1.0%26sig%3d{signature.replace('+', '%2b')}"
    assert is_signed(key, "GET", "/dbs/ToDoList", date, header)
    assert not is_signed(key, "DELETE", "/dbs/ToDoList", date, header)
    assert not is_signed(key, "GET", "/dbs/ToDoList", date, "")


async def test_faults_happen_as_told_over_http_and_are_in_the_log(emulator: CosmosEmulator, container: Any) -> None:
    admin = emulator.url + "_emulator/"
    async with aiohttp.ClientSession() as session:
        fault = {"operations": ["create"], "status": 429, "retry_after_ms": 5, "times": 2}
        async with session.post(admin + "faults", json=fault) as answer:
            assert answer.status == 204
        async with session.post(admin + "faults", json={"nonsense": 1}) as answer:
            assert answer.status == 400
        await container.create_item(thing("a"))
        async with session.get(admin + "requests") as answer:
            log = [(one["operation"], one["status"]) for one in await answer.json() if one["container"]]
    assert log[-3:] == [("create", 429), ("create", 429), ("create", 201)]
    emulator.server.faults.add(Fault(["create"], status=500, applied=True))
    await refused(500, container.create_item(thing("b")))
    assert await container.read_item("b", "p")
    emulator.server.faults.add(Fault(["create"], cut=True, applied=True))
    await refused(409, container.create_item(thing("c")))  # the SDK repeats a write whose connection was cut
    assert emulator.server.faults.clear() is False


@asynccontextmanager
async def running(port: int, data: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    program = ["-m", "emulators.cosmos", "--port", str(port), "--data", str(data)]
    process = await asyncio.create_subprocess_exec(sys.executable, *program, cwd=ROOT)
    while True:
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            break
        except OSError:
            await asyncio.sleep(0.05)
    yield process
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with running(port, tmp_path / "cosmos.db"):
        client = CosmosClient(f"http://127.0.0.1:{port}/", EMULATOR_KEY)
        await client.__aenter__()
        database = await client.create_database("d")
        container: Any = await database.create_container("c", PartitionKey("/part"))
        kept = await container.create_item(thing("a", n=1))
    async with running(port, tmp_path / "cosmos.db"):
        assert dict(await container.read_item("a", "p")) == dict(kept)
        assert (await container.create_item(thing("b")))["id"] == "b"
    await client.close()
