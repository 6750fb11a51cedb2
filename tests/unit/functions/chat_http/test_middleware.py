import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

ORIGIN = "https://shop.example"


@pytest.mark.parametrize("path", ["/", "/docs", "/health", "/nothing", "/widget.js", "/openapi.json"])
async def test_every_answer_has_the_security_headers(api: Any, path: str) -> None:
    headers = (await api.http.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["strict-transport-security"].startswith("max-age=")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_answers_about_customers_are_kept_by_no_cache(api: Any) -> None:
    path, token = await api.start()
    assert (await api.http.get(f"{path}/history", headers=token)).headers["cache-control"] == "no-store"


# ---- origins


async def test_a_listed_origin_may_read_answers_and_errors(make_api: Any) -> None:
    api = make_api(allowed_origins=f"https://other.example, {ORIGIN}/")
    api.services.conversations.refuse = KeyError("unexpected")
    path, token = await api.start()
    origin = {"Origin": ORIGIN}

    for response in (
        await api.http.post("/chat/sessions", headers=origin),
        await api.http.get(f"{path}/history", headers=origin),
        await api.http.post(f"{path}/messages", json={"message": "Hi"}, headers=token | origin),
    ):
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert "Origin" in response.headers["vary"]
        assert response.headers["access-control-expose-headers"] == "Retry-After"
        assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("listed", ["", ORIGIN])
@pytest.mark.parametrize("origin", ["https://shop.example.evil", "http://shop.example", "null", "https://evil"])
async def test_no_other_origin_may(make_api: Any, listed: str, origin: str) -> None:
    response = await make_api(allowed_origins=listed).http.post("/chat/sessions", headers={"Origin": origin})

    assert "access-control-allow-origin" not in response.headers
    assert "Origin" in response.headers["vary"]


def preflight(
    origin: str = ORIGIN, method: str = "POST", headers: str = "authorization,content-type"
) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }


async def test_a_browser_of_a_listed_origin_may_call_all_there_is(make_api: Any) -> None:
    http = make_api(allowed_origins=ORIGIN).http
    for method in ("GET", "POST", "PUT", "DELETE"):
        response = await http.options("/chat/sessions/x", headers=preflight(method=method))
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize(
    "headers", [preflight("https://evil.example"), preflight(method="PATCH"), preflight(headers="x-other")]
)
async def test_other_preflights_are_problems(make_api: Any, problem: Any, headers: dict[str, str]) -> None:
    response = await make_api(allowed_origins=ORIGIN).http.options("/chat/sessions", headers=headers)
    problem(response, 400)
    assert "Origin" in response.headers["vary"]


# ---- body size


class Body:
    """Counts what was read of it."""

    def __init__(self, chunks: int, size: int = 100_000) -> None:
        self.read = 0
        self._chunks = chunks
        self._size = size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._chunks):
            self.read += 1
            yield b"x" * self._size


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("call", ["/messages", "/escalate"])
async def test_reading_stops_as_soon_as_the_body_is_too_large(
    api: Any, problem: Any, content_type: str, call: str
) -> None:
    path, token = await api.start()
    body = Body(1000)
    response = await api.http.post(path + call, content=body, headers=token | {"Content-Type": content_type})

    assert "1,000,000 bytes" in problem(response, 413)["detail"]
    assert body.read == 11


async def test_a_body_with_files_may_be_as_large_as_its_files_and_no_larger(api: Any, problem: Any) -> None:
    path, token = await api.start()
    headers = token | {"Content-Type": "multipart/form-data; boundary=b"}
    head = b'--b\r\nContent-Disposition: form-data; name="attachments"; filename="a"\r\n\r\n'

    class File(Body):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield head
            async for chunk in super().__aiter__():
                yield chunk

    body = File(1000)
    assert (
        "1,100,000 bytes"
        in problem(await api.http.post(f"{path}/messages", content=body, headers=headers), 413)["detail"]
    )
    assert body.read == 11


@pytest.mark.parametrize("length", ["1000001", "9" * 5000])
async def test_a_body_that_announces_too_much_is_not_read_at_all(api: Any, problem: Any, length: str) -> None:
    body = Body(1)
    headers = {"Content-Type": "application/json", "Content-Length": length}
    problem(await api.http.post("/chat/sessions", content=body, headers=headers), 413)
    assert body.read == 0


async def test_a_client_that_hangs_up_while_it_sends_is_no_error(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    path, token = await api.start()
    sent = [{"type": "http.disconnect"}, {"type": "http.request", "body": b'{"mess', "more_body": True}]
    answered: list[Any] = []

    async def receive() -> Any:
        return sent.pop()

    async def send(message: Any) -> None:
        answered.append(message)

    headers = token | {"Content-Type": "application/json"}
    await api.app(
        {
            "type": "http",
            "method": "POST",
            "path": f"{path}/messages",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        },
        receive,
        send,
    )

    assert answered[0]["status"] == 400
    assert not caplog.records


# ---- more messages than can be answered


async def test_messages_beyond_those_at_work_and_those_that_wait_are_refused_at_once(make_api: Any) -> None:
    api = make_api(turns_at_once=1)
    path, token = await api.start()
    gate, begun = asyncio.Event(), asyncio.Queue[int]()

    async def slow_body() -> AsyncIterator[bytes]:
        await begun.put(1)
        await gate.wait()
        yield b'{"message": "Hi"}'

    headers = token | {"Content-Type": "application/json"}
    in_hand = [
        asyncio.create_task(api.http.post(f"{path}/messages", content=slow_body(), headers=headers)) for _ in "ab"
    ]
    for _ in in_hand:
        await begun.get()

    refused = await api.http.post(f"{path}/messages", json={"message": "Hi"}, headers=token)
    assert refused.status_code == 503
    assert refused.json()["type"] == "urn:support-agent:problem:overloaded"
    assert refused.headers["retry-after"] == "5"
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert (await api.http.post("/chat/sessions")).status_code == 503
    assert (await api.http.get("/health/")).status_code == 200
    assert (await api.http.get(f"{path}/history", headers=token)).status_code == 200
    assert (await api.http.get("/helpdesk/tickets", headers=token)).status_code != 503

    gate.set()
    assert [response.status_code for response in await asyncio.gather(*in_hand)] == [200, 200]
    assert (await api.http.post(f"{path}/messages", json={"message": "Hi"}, headers=token)).status_code == 200
