"""An app whose answers can be held open, and which tells what its handlers saw."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response
from fastapi import FastAPI
from fastapi import Request as ApiRequest
from fastapi.responses import JSONResponse, StreamingResponse

from functions.chat_http.bridge import Bridge
from shared.telemetry import set_up_logging

set_up_logging("INFO")
seen: list[str] = []
starts: list[int] = []
gate = asyncio.Event()
tasks: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    starts.append(1)
    yield {"starts": starts}


api = FastAPI(lifespan=lifespan)


@api.post("/reset")
async def reset() -> None:
    gate.clear()
    seen.clear()


@api.get("/seen")
async def what_was_seen() -> list[str]:
    return seen


@api.post("/open")
async def open_gate() -> None:
    gate.set()


@api.get("/two-chunks")
async def two_chunks() -> StreamingResponse:
    async def chunks() -> AsyncIterator[str]:
        yield "first\n"
        await gate.wait()
        yield "second\n"

    return StreamingResponse(chunks(), media_type="text/event-stream")


@api.get("/endless")
async def endless() -> StreamingResponse:
    async def finish_by_itself() -> None:
        await gate.wait()
        seen.append("task finished")

    async def chunks() -> AsyncIterator[str]:
        try:
            yield "first\n"
            await asyncio.Event().wait()
        finally:
            seen.append("reader left")

    task = asyncio.create_task(finish_by_itself())
    tasks.add(task)
    return StreamingResponse(chunks())


@api.get("/never")
async def never(request: ApiRequest) -> None:
    seen.append("waiting")
    while (await request.receive())["type"] != "http.disconnect":
        pass
    seen.append("client left")


@api.post("/upload")
async def upload(request: ApiRequest) -> int:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        seen.append(f"uploaded {size}")
    return size


@api.get("/fails")
async def fails() -> None:
    raise RuntimeError("a customer's secret")


@api.get("/fails-midway")
async def fails_midway() -> StreamingResponse:
    async def chunks() -> AsyncIterator[str]:
        yield "first\n"
        raise RuntimeError("a customer's secret")

    return StreamingResponse(chunks())


@api.api_route("/scope/{rest:path}", methods=["GET", "QUERY", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
async def scope(request: ApiRequest) -> JSONResponse:
    keys = ("method", "path", "root_path", "scheme", "client", "state")
    text = {key: request.scope[key].decode() for key in ("raw_path", "query_string")}
    return JSONResponse(
        {key: request.scope[key] for key in keys}
        | text
        | {"own app": request.app is api, "headers": dict(request.headers)}
    )


app = func.FunctionApp()
bridge = Bridge(api)


@app.route(route="{*path}", auth_level=func.AuthLevel.ANONYMOUS)
async def everything(req: Request, context: func.Context) -> Response:
    del req
    return await bridge.response(context.invocation_id)
