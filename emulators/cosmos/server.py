"""The REST API in gateway mode: paths and headers to `Storage` and back.

https://learn.microsoft.com/rest/api/cosmos-db/
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from email.utils import formatdate
from typing import Any
from uuid import uuid4

from aiohttp import web

from emulators.cosmos.auth import EMULATOR_KEY, is_signed, is_token
from emulators.cosmos.errors import CosmosError, bad_request, too_large
from emulators.cosmos.faults import Fault
from emulators.cosmos.indexing import check_order
from emulators.cosmos.query import MERGED, Query, parse
from emulators.cosmos.storage import MAX_BATCH_OPERATIONS, MAX_ITEM_BYTES, BatchError, Document, Operation, Storage
from emulators.cosmos.vectors import VectorPolicy
from emulators.faults import Faults
from emulators.threads import ThreadedServer

PAGE = 100
"""Items of a query's answer, unless the client asks for fewer."""
MAX_BODY = 8 * 1024 * 1024

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: `operation` is create, upsert, replace, patch, delete, read, batch, query, plan or feed on
    items, and `metadata` for all else. `status` is 0 if the connection was cut."""

    operation: str
    container: str | None
    partition: str | None
    status: int


class CosmosServer:
    """The web application of one account. `requests` is the log of all that was asked for."""

    def __init__(self, storage: Storage, key: str = EMULATOR_KEY) -> None:
        self.storage = storage
        self.faults = Faults[Fault]()
        self.requests: list[Request] = []
        self._key = key
        self.token: str | None = None
        """One of Microsoft Entra ID that is taken in place of a signature."""

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._answer], client_max_size=MAX_BODY)
        container = "/dbs/{database}/colls/{container}"
        routes: Mapping[str, Callable[[web.Request], Awaitable[web.Response]]] = {
            "/": self._account,
            "/dbs": self._databases,
            "/dbs/{database}": self._database,
            "/dbs/{database}/colls": self._containers,
            container: self._container,
            f"{container}/pkranges": self._ranges,
            f"{container}/docs": self._documents,
            f"{container}/docs/{{item}}": self._document,
            "/_emulator/faults": self._admin_faults,
            "/_emulator/requests": self._admin_requests,
        }
        for path, handler in routes.items():
            app.router.add_route("*", path, handler)
            if path != "/":
                app.router.add_route("*", f"{path}/", handler)
        return app

    @web.middleware
    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Check the signature, let a fault happen, turn errors into answers, keep the log."""
        if request.path.startswith("/_emulator/"):
            return await handler(request)
        operation, name = _operation(request), request.match_info.get("container")
        fault = self.faults.take(lambda fault: fault.befalls(operation, name))
        partition = request.headers.get("x-ms-documentdb-partitionkey")
        response = None
        if fault is None or fault.applied or not (fault.status or fault.cut):
            response = await self._handle(request, handler)
        if fault:
            await asyncio.sleep(fault.delay)
            if fault.cut and request.transport:
                self.requests.append(Request(operation, name, partition, 0))
                request.transport.abort()
                return web.Response()
            response = self._failure(fault) if fault.status else response
        assert response is not None  # noqa: S101
        self.requests.append(Request(operation, name, partition, response.status))
        return response

    async def _handle(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        date, authorization = request.headers.get("x-ms-date", ""), request.headers.get("authorization", "")
        try:
            signed = is_signed(self._key, request.method, request.path, date, authorization)
            if not signed and not is_token(self.token, authorization):
                raise CosmosError(401, "Unauthorized", "The input authorization token can't serve the request.")
            return await handler(request)
        except CosmosError as error:
            return self._error(error)
        except web.HTTPRequestEntityTooLarge:
            return self._error(too_large())
        except (KeyError, ValueError):
            logger.exception("the request could not be read")
            return self._error(bad_request("The request could not be read."))

    # ---- account, databases, containers
    async def _account(self, request: web.Request) -> web.Response:
        here = [{"name": "Emulator", "databaseAccountEndpoint": f"{request.scheme}://{request.host}/"}]
        return self._respond(
            200,
            {
                "id": "emulator",
                "_rid": "emulator",
                "_self": "",
                "addresses": "//addresses/",
                "media": "//media/",
                "_dbs": "//dbs/",
                "writableLocations": here,
                "readableLocations": here,
                "enableMultipleWriteLocations": False,
                "userReplicationPolicy": {"maxReplicasetSize": 1},
                "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
                "queryEngineConfiguration": "{}",
            },
        )

    async def _databases(self, request: web.Request) -> web.Response:
        if request.method == "POST" and not _is_query(request):
            return self._respond(201, self.storage.create_database(await request.json()))
        return await self._feed(request, "Databases", self.storage.databases())

    async def _database(self, request: web.Request) -> web.Response:
        name = request.match_info["database"]
        found = self.storage.database(name)
        if request.method == "DELETE":
            self.storage.delete_database(name)
            return self._respond(204)
        return self._respond(200, found)

    async def _containers(self, request: web.Request) -> web.Response:
        database = request.match_info["database"]
        if request.method == "POST" and not _is_query(request):
            return self._respond(201, self.storage.create_container(database, await request.json()))
        return await self._feed(request, "DocumentCollections", self.storage.containers(database))

    async def _container(self, request: web.Request) -> web.Response:
        database, name = request.match_info["database"], request.match_info["container"]
        found = self.storage.container(database, name)
        if request.method == "DELETE":
            self.storage.delete_container(database, name)
            return self._respond(204)
        if request.method == "PUT":
            found = self.storage.replace_container(database, name, await request.json())
        return self._respond(200, found)

    async def _ranges(self, request: web.Request) -> web.Response:
        """One physical partition, which never splits."""
        if request.headers.get("if-none-match"):
            return self._respond(304, headers={"etag": '"1"'})
        container = self._found(request)
        ranges = [{"id": "0", "_rid": "0", "minInclusive": "", "maxExclusive": "FF", "status": "online", "parents": []}]
        body = {"_rid": container["_rid"], "PartitionKeyRanges": ranges, "_count": 1}
        return self._respond(200, body, headers={"etag": '"1"'})

    # ---- items
    async def _documents(self, request: web.Request) -> web.Response:
        container, partition = self._found(request), _partition(request)
        operation = _operation(request)
        if operation in ("query", "plan", "feed"):
            if operation == "plan":
                body = await request.json()
                return self._respond(200, _plan(_query(body, container), body["query"]))
            if partition is None and operation == "query" and not _is_true(request, "query-enablecrosspartition"):
                raise bad_request("Cross partition query is required but disabled.")
            return await self._feed(request, "Documents", list(self.storage.items(container, partition)), container)
        body = await request.json()
        if operation == "batch":
            return self._batch(container, partition, body)
        return self._one(
            container, partition, Operation(operation, body=body, if_match=request.headers.get("if-match"))
        )

    async def _document(self, request: web.Request) -> web.Response:
        kind = _operation(request)
        body = await request.json() if kind in ("replace", "patch") else None
        operation = Operation(kind, request.match_info["item"], body, request.headers.get("if-match"))
        return self._one(self._found(request), _partition(request), operation)

    def _one(self, container: Document, partition: str | None, operation: Operation) -> web.Response:
        try:
            (result,) = self.storage.execute(container, partition, [operation])
        except BatchError as failed:
            raise failed.error from failed
        size = len(json.dumps(result.document or operation.body or {}))
        charge = _read_charge(size) if operation.kind == "read" else _write_charge(size)
        return self._respond(result.status, result.document, charge=charge)

    def _batch(self, container: Document, partition: str | None, body: Sequence[Mapping[str, Any]]) -> web.Response:
        if len(body) > MAX_BATCH_OPERATIONS:
            raise bad_request("Batch request has more operations than what is supported.")
        if len(json.dumps(body)) > MAX_ITEM_BYTES:
            raise too_large()
        operations = [
            Operation(one["operationType"].lower(), one.get("id"), one.get("resourceBody"), one.get("ifMatch"))
            for one in body
        ]
        charge = sum(_write_charge(len(json.dumps(one))) for one in body)
        try:
            results = self.storage.execute(container, partition, operations)
        except BatchError as failed:
            statuses = [424] * len(operations)
            statuses[failed.index] = failed.error.status
            return self._respond(
                207, [{"statusCode": status, "requestCharge": 0} for status in statuses], charge=charge
            )
        answers = [
            {"statusCode": result.status, "requestCharge": 1}
            | ({"eTag": result.document["_etag"], "resourceBody": result.document} if result.document else {})
            for result in results
        ]
        return self._respond(200, answers, charge=charge)

    async def _feed(
        self, request: web.Request, name: str, rows: list[Any], container: Document | None = None
    ) -> web.Response:
        """All of them or those of a query, a page at a time. A continuation is the number of rows that were read."""
        if _is_query(request):
            query = _query(await request.json(), container or {})
            if query.by_distance and not query.merged and "x-ms-documentdb-partitionkey" not in request.headers:
                raise bad_request("A vector search over all partitions needs a plan.", 1004)
            check_order(query.order, (container or {}).get("indexingPolicy", {}) if container else _ALL_INDEXED)
            rows = query.run(rows)
        wanted = int(request.headers.get("x-ms-max-item-count", -1))
        start = int(request.headers.get("x-ms-continuation") or 0)
        page = rows[start : start + (min(wanted, PAGE) if wanted > 0 else PAGE)]
        after = start + len(page)
        headers = {"x-ms-item-count": str(len(page))}
        if after < len(rows):
            headers["x-ms-continuation"] = str(after)
        body = {"_rid": (container or {}).get("_rid", ""), name: page, "_count": len(page)}
        return self._respond(200, body, charge=_query_charge(len(json.dumps(page))), headers=headers)

    def _found(self, request: web.Request) -> Document:
        """The container. Raises if the client has another one of this name in mind, which was there before."""
        container = self.storage.container(request.match_info["database"], request.match_info["container"])
        if request.headers.get("x-ms-cosmos-intended-collection-rid", container["_rid"]) != container["_rid"]:
            raise bad_request("Collection rid does not match.", 1024)
        return container

    # ---- answers
    def _respond(
        self, status: int, body: Any = None, *, charge: float = 1, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        lsn = self.storage.lsn
        common = {
            "x-ms-request-charge": f"{charge:.2f}",
            "x-ms-session-token": f"0:-1#{lsn}",
            "x-ms-activity-id": str(uuid4()),
            "lsn": str(lsn),
            "x-ms-version": "2020-07-15",
            "date": formatdate(usegmt=True),
        }
        if isinstance(body, dict) and "_etag" in body:
            common["etag"] = body["_etag"]
        text = None if body is None else json.dumps(body)
        return web.Response(
            status=status, text=text, content_type="application/json", headers={**common, **(headers or {})}
        )

    def _error(self, error: CosmosError) -> web.Response:
        headers = {"x-ms-substatus": str(error.substatus)} if error.substatus else {}
        return self._respond(error.status, {"code": error.code, "message": str(error)}, headers=headers)

    def _failure(self, fault: Fault) -> web.Response:
        headers = {"x-ms-retry-after-ms": str(fault.retry_after_ms)} if fault.retry_after_ms is not None else {}
        if fault.substatus is not None:
            headers["x-ms-substatus"] = str(fault.substatus)
        return self._respond(fault.status or 500, {"code": str(fault.status), "message": "A fault."}, headers=headers)

    # ---- for tests in another process
    async def _admin_faults(self, request: web.Request) -> web.Response:
        if request.method == "DELETE":
            self.faults.clear()
            return web.Response(status=204)
        try:
            self.faults.add(Fault(**await request.json()))
        except (TypeError, ValueError) as error:
            return web.json_response({"problem": str(error)}, status=400)
        return web.Response(status=204)

    async def _admin_requests(self, request: web.Request) -> web.Response:
        if request.method == "DELETE":
            self.requests.clear()
            return web.Response(status=204)
        return web.json_response([asdict(one) for one in self.requests])


class CosmosEmulator(ThreadedServer):
    """In memory, on a thread of its own: `with CosmosEmulator() as emulator: … emulator.url`.

    `tls` holds a certificate: the SDK sends its tokens over TLS only.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__("cosmos-emulator")
        self._tls = tls
        self.storage = Storage()
        self.server = CosmosServer(self.storage)
        self.url = ""
        self._runner = web.AppRunner(self.server.application(), access_log=None)

    def reset(self) -> None:
        """Forget faults, the log and another clock; the data stay."""
        self.server.faults.clear()
        self.server.requests.clear()
        self.storage.clock = time.time

    async def _start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, shutdown_timeout=1, ssl_context=self._tls)
        await site.start()
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def _stop(self) -> None:
        await self._runner.cleanup()
        self.storage.close()


_ALL_INDEXED = {"includedPaths": [{"path": "/*"}]}
_PLAN: Mapping[str, Any] = {
    "partitionedQueryExecutionInfoVersion": 2,
    "queryInfo": {"distinctType": "None", "orderBy": [], "aggregates": [], "groupByExpressions": []},
    "queryRanges": [{"min": "", "max": "FF", "isMinInclusive": True, "isMaxInclusive": False}],
}
"""With a single partition the client has nothing to merge, sort or add up …"""


def _plan(query: Query, text: str) -> Mapping[str, Any]:
    """… but vector searches, which it merges however few partitions there are."""
    if not query.by_distance:
        return _PLAN
    order = {
        "orderBy": ["Descending" if query.order[0].descending else "Ascending"],
        "hasNonStreamingOrderBy": True,
        "rewrittenQuery": MERGED + text,
        "top": query.limit,
    }
    return {**_PLAN, "queryInfo": {**_PLAN["queryInfo"], **order}}


def _operation(request: web.Request) -> str:
    if not request.match_info.get("container") or "/docs" not in request.path:
        return "metadata"
    if "item" in request.match_info:
        return {"GET": "read", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}.get(request.method, "metadata")
    if request.method == "GET":
        return "feed"
    if request.headers.get("x-ms-cosmos-is-query-plan-request", "").lower() == "true":
        return "plan"
    if _is_query(request):
        return "query"
    if request.headers.get("x-ms-cosmos-is-batch-request", "").lower() == "true":
        return "batch"
    return "upsert" if _is_true(request, "is-upsert") else "create"


def _is_query(request: web.Request) -> bool:
    return _is_true(request, "isquery") or request.content_type == "application/query+json"


def _is_true(request: web.Request, name: str) -> bool:
    return request.headers.get(f"x-ms-documentdb-{name}", "").lower() == "true"


def _partition(request: web.Request) -> str | None:
    """The partition key's value as JSON, from a header that holds an array of one."""
    text = request.headers.get("x-ms-documentdb-partitionkey")
    return json.dumps(json.loads(text)[0]) if text else None


def _query(body: Mapping[str, Any], container: Mapping[str, Any]) -> Query:
    parameters = {one["name"]: one["value"] for one in body.get("parameters") or []}
    return parse(body["query"], parameters, VectorPolicy.of(container))


def _read_charge(size: int) -> float:
    return max(1, size / 1024)


def _write_charge(size: int) -> float:
    return 5 * max(1, size / 1024)


def _query_charge(size: int) -> float:
    return 2.5 + size / 1024
