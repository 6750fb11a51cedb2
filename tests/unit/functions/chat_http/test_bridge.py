import asyncio
import gc
import json
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from functions.chat_http.bridge import Bridge, PassThrough, forget_answered_requests

SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "method": "GET",
    "path": "/",
    "headers": [],
    "app": "the runtime's",
    "router": "the runtime's",
    "path_params": {"path": ""},
    "fastapi_inner_astack": "the runtime's",
    "root_path": "",
}


@pytest.fixture(autouse=True)
def _nothing_stays_frozen() -> Iterator[None]:
    yield
    gc.unfreeze()


async def answer(app: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await PassThrough(app, state={"key": "value"}, invocation_id="i1")(dict(SCOPE), receive, send)
    return sent


async def test_the_app_sees_a_request_of_its_own() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)

    await answer(app)
    assert seen == {"type": "http", "asgi": {"version": "3.0"}, "method": "GET", "path": "/", "headers": []} | {
        "root_path": "",
        "state": {"key": "value"},
    }


async def test_an_app_that_fails_without_an_answer_gets_one_that_says_nothing() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("a customer's secret")

    start, body = await answer(app)
    assert start["status"] == 500
    assert dict(start["headers"])[b"content-type"] == b"application/problem+json"
    assert json.loads(body["body"])["status"] == 500
    assert b"secret" not in body["body"]


async def test_an_answer_that_has_begun_is_left_unfinished() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("a customer's secret")

    assert [message["type"] for message in await answer(app)] == ["http.response.start"]


async def test_the_lifespan_is_entered_once_even_by_requests_at_the_same_time() -> None:
    entered = 0

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        nonlocal entered
        entered += 1
        await asyncio.sleep(0)
        yield

    bridge = Bridge(FastAPI(lifespan=lifespan))
    await asyncio.gather(*(bridge.response(str(number)) for number in range(5)))
    assert entered == 1


async def test_what_a_start_made_is_never_looked_through_for_garbage_again() -> None:
    app = FastAPI()
    assert any(thing is app for thing in gc.get_objects())
    await Bridge(app).response("1")
    assert not any(thing is app for thing in gc.get_objects())


async def test_a_request_that_is_given_up_does_not_give_up_the_start_for_others() -> None:
    gate = asyncio.Event()

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        await gate.wait()
        yield

    bridge = Bridge(FastAPI(lifespan=lifespan))
    first, second = (asyncio.create_task(bridge.response(number)) for number in "12")
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert isinstance(await second, PassThrough)


async def test_a_start_that_fails_fails_the_request_and_is_tried_again() -> None:
    attempts = 0

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise ConnectionError
        yield

    bridge = Bridge(FastAPI(lifespan=lifespan))
    with pytest.raises(ConnectionError):
        await bridge.response("1")
    assert isinstance(await bridge.response("2"), PassThrough)


def test_with_another_runtime_the_app_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "azure_functions_runtime.http_v2", None)
    forget_answered_requests()
    assert "another runtime" in caplog.text
