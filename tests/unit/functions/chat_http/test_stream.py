import asyncio
import json
from typing import Any

import pytest
from ag_ui.core import Event
from pydantic import TypeAdapter

from shared.errors import IndexModelMismatch, Unavailable


async def test_an_answer_as_events(api: Any) -> None:
    path, token = await api.start()
    events = await api.events(path, token)

    session_id = path.rsplit("/", 1)[1]
    kinds = [(event["type"], event.get("name")) for event in events]
    assert kinds == [
        ("RUN_STARTED", None),
        ("TEXT_MESSAGE_START", None),
        ("TEXT_MESSAGE_CONTENT", None),
        ("TEXT_MESSAGE_CONTENT", None),
        ("TEXT_MESSAGE_END", None),
        ("CUSTOM", "sources"),
        ("RUN_FINISHED", None),
    ]
    started, begun, *_, sources, finished = events
    assert started["threadId"] == finished["threadId"] == session_id
    assert started["runId"] == finished["runId"] == "m-1"
    assert begun["role"] == "assistant"
    assert {event["messageId"] for event in events[1:5]} == {"a-1"}
    assert sources["value"][0]["quote"] == "Choose Forgot password on the sign-in page."
    assert finished["usage"] == [{"inputTokens": 100, "outputTokens": 20, "totalTokens": 120}]
    assert finished["result"] == {
        "message_id": "a-1",
        "requires_escalation": False,
        "ticket_id": None,
        "grounded": True,
        "degraded": False,
        "handed_over": False,
        "reply_to": "m-1",
        "seq": 3,
    }


async def test_the_streamed_pieces_are_the_stored_answer(api: Any) -> None:
    path, token = await api.start()
    events = await api.events(path, token)

    text = "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")
    messages = (await api.http.get(f"{path}/history", headers=token)).json()["messages"]
    assert text == messages[-1]["message"]


async def test_every_event_is_ag_uis_own(api: Any) -> None:
    api.services.conversations.ticket = True
    path, token = await api.start()
    known: TypeAdapter[Any] = TypeAdapter(Event)

    for event in await api.events(path, token):
        assert known.validate_python(event).model_dump(mode="json", by_alias=True) == event


async def test_a_ticket_is_told_when_it_is_stored(api: Any) -> None:
    api.services.conversations.ticket = True
    path, token = await api.start()
    events = await api.events(path, token)

    assert {"type": "CUSTOM", "name": "escalation", "value": {"ticket_id": "tkt-1"}} in events
    assert events[-1]["result"]["ticket_id"] == "tkt-1"


async def test_while_a_person_answers_there_is_no_text(api: Any) -> None:
    path, token = await api.start()
    api.services.conversations.hand_over(path.rsplit("/", 1)[1])
    started, finished = await api.events(path, token)

    assert (started["type"], finished["type"]) == ("RUN_STARTED", "RUN_FINISHED")
    assert finished["result"]["handed_over"] is True
    assert finished["result"]["message_id"] is None


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Unavailable("The answer took too long. Please try again."), "unavailable", "The answer took too long."),
        (IndexModelMismatch("secret-model-a, secret-model-b"), "internal", "could not be answered"),
    ],
)
async def test_a_turn_that_fails_ends_with_an_error_event(api: Any, error: Exception, code: str, message: str) -> None:
    api.services.conversations.fail = error
    path, token = await api.start()
    *_, ended, failed = await api.events(path, token)

    assert ended["type"] == "TEXT_MESSAGE_END"
    assert failed["type"] == "RUN_ERROR"
    assert failed["code"] == code
    assert message in failed["message"]
    assert "secret" not in json.dumps(failed)


async def test_an_unexpected_error_in_the_stream_tells_nothing(
    api: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr("functions.chat_http.schemas.Answer.of", broken)
    path, token = await api.start()
    events = await api.events(path, token)

    assert events[-1]["type"] == "RUN_ERROR"
    assert "secret" not in json.dumps(events)
    assert "stream failed" in caplog.text


class Connection:
    """A client on the other end of a plain ASGI app: sees each chunk when it is sent, and can hang up."""

    def __init__(self, app: Any, path: str, headers: dict[str, str], body: bytes) -> None:
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self.gone = False
        self._body: list[bytes] = [body]
        sent = headers | {"Content-Type": "application/json", "Accept": "text/event-stream"}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
            "client": ("192.0.2.1", 5000),
            "server": ("agent", 80),
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._body:
            return {"type": "http.request", "body": self._body.pop(), "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError

    async def _send(self, message: Any) -> None:
        if self.gone:
            raise OSError("the client is gone")
        if body := message.get("body"):
            self.chunks.put_nowait(body)

    async def until(self, kind: str) -> str:
        while True:
            chunk = (await asyncio.wait_for(self.chunks.get(), 5)).decode()
            if kind in chunk:
                return chunk


async def test_each_sentence_is_sent_before_the_next_is_known(api: Any) -> None:
    api.services.conversations.gate = gate = asyncio.Event()
    path, token = await api.start()
    connection = Connection(api.app, f"{path}/messages", token, b'{"message": "Hi"}')

    first = await connection.until("TEXT_MESSAGE_CONTENT")
    assert "Choose Forgot password" in first
    await asyncio.sleep(0)
    assert connection.chunks.empty()
    gate.set()
    second = await connection.until("TEXT_MESSAGE_CONTENT")
    assert "A link comes by mail" in second
    gate.set()
    await connection.until("RUN_FINISHED")
    await connection.task


async def test_a_client_that_goes_away_finds_the_answer_later(api: Any) -> None:
    api.services.conversations.gate = gate = asyncio.Event()
    path, token = await api.start()
    connection = Connection(api.app, f"{path}/messages", token, b'{"message": "Hi"}')
    await connection.until("TEXT_MESSAGE_CONTENT")

    connection.gone = True
    for _ in range(2):
        gate.set()
        await asyncio.sleep(0.01)
    await connection.task
    await asyncio.gather(*api.services.conversations.tasks)

    messages = (await api.http.get(f"{path}/messages?after=2", headers=token)).json()["messages"]
    assert [message["message_id"] for message in messages] == ["a-1"]
