"""The HTTP app over services made of plain Python: what a client sees is asserted, not how it comes about."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from functions.chat_http.app import create_app
from shared.conversation.attachments import Upload
from shared.conversation.events import (
    AnswerSentence,
    SourcesCited,
    TicketCreated,
    TurnAnswered,
    TurnFailed,
    TurnHandedToHuman,
)
from shared.conversation.running import RunningTurn
from shared.erasure import ErasureService
from shared.errors import InvalidInput, NotFound, PayloadTooLarge, SupportAgentError
from shared.escalation.ticket import Ticket
from shared.knowledge.index import DocumentStatus
from shared.memory.models import Conversation, Erasure, Feedback, Message, Operator, OperatorRole, Rating, Source, Usage
from shared.personal_data import Person, Remains
from shared.push.channel import PROTOCOL, ClientUrl
from shared.push.service import PushService
from shared.security.ratelimits import LocalHits, RateLimiter
from shared.security.tokens import Tokens
from shared.security.uploads import check_uploads
from shared.settings import Settings

SECRET = "0123456789abcdef0123456789abcdef"
SOURCE = Source(
    id="chunk-1",
    content="Passwords. Choose Forgot password on the sign-in page. A link comes by mail.",
    metadata={"source": "account.md", "title": "Your account", "url": "https://example.com/account"},
    distance=0.21,
    quote="Choose Forgot password on the sign-in page.",
    start=11,
    end=54,
)
SENTENCES = ("Choose Forgot password on the sign-in page. [1]", " A link comes by mail. [1]")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 5, 4, 12, 0, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Part:
    """A store, queue or index that answers its ping, or raises `broken`."""

    def __init__(self) -> None:
        self.broken: Exception | None = None
        self.pings = 0

    async def ping(self) -> None:
        self.pings += 1
        if self.broken:
            raise self.broken


class FakeStore(Part):
    def __init__(self, conversations: dict[str, Conversation]) -> None:
        super().__init__()
        self.operators: dict[str, Operator] = {}
        self._conversations = conversations

    async def get(self, session_id: str) -> Conversation:
        if session_id not in self._conversations:
            raise NotFound("There is no such conversation.")
        return self._conversations[session_id]

    async def operator(self, username: str) -> Operator | None:
        return self.operators.get(username)


@dataclass
class Record:
    status: DocumentStatus


class FakeIndex(Part):
    async def records(self) -> Sequence[Record]:
        await self.ping()
        return [Record(DocumentStatus.INDEXED), Record(DocumentStatus.INDEXED), Record(DocumentStatus.EMPTY)]

    async def count(self) -> int:
        return 17


@dataclass
class FakeConversations:
    """A bot that always gives the same answer, about passwords."""

    settings: Settings
    now: Callable[[], datetime]
    conversations: dict[str, Conversation] = field(default_factory=dict)
    stored: dict[str, list[Message]] = field(default_factory=dict)
    uploads: list[Upload] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    refuse: Exception | None = None
    fail: SupportAgentError | Exception | None = None
    ticket: bool = False
    gate: asyncio.Event | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(
        self, user_id: str | None, *, verified: bool = False, filters: Mapping[str, str] | None = None
    ) -> tuple[Conversation, Message]:
        session_id = f"00000000-0000-4000-8000-{len(self.conversations):012}"
        expires_at = self.now() + timedelta(hours=24)
        self.conversations[session_id] = Conversation(
            session_id, session_id, self.now(), expires_at, user_id, filters=filters or {}
        )
        self.stored[session_id] = []
        return self.conversations[session_id], self._add(session_id, "greeting", "assistant", "Hello!")

    async def begin_turn(
        self, session_id: str, text: str, *, uploads: Sequence[Upload] = (), client_message_id: str | None = None
    ) -> RunningTurn:
        if self.refuse:
            raise self.refuse
        if not text.strip():
            raise InvalidInput("The message is empty. Send some text.")
        if len(text) > self.settings.max_message_chars:
            raise PayloadTooLarge("The message is too long. Shorten it.")
        limits = self.settings
        self.uploads = check_uploads(uploads, max_files=limits.max_attachments, max_bytes=limits.max_attachment_bytes)
        await self.history(session_id)
        question = self._add(session_id, f"m-{client_message_id or len(self.stored[session_id])}", "user", text)
        turn = RunningTurn(question, "a-" + question.id.removeprefix("m-"))
        task = asyncio.create_task(self._answer(turn))
        self.tasks.add(task)
        return turn

    async def _answer(self, turn: RunningTurn) -> None:
        session_id = turn.message.session_id
        if self.conversations[session_id].owner == "human":
            turn.finish([TurnHandedToHuman()])
            return
        for sentence in SENTENCES:
            turn.tell(AnswerSentence(sentence))
            if self.gate:
                await self.gate.wait()
                self.gate.clear()
        if self.fail:
            turn.finish([TurnFailed(self.fail)])  # pyright: ignore[reportArgumentType]
            return
        turn.tell(SourcesCited((SOURCE,)))
        ticket = Ticket("tkt-1", session_id, turn.message.id, "customer_request", "…", self.now())
        if self.ticket:
            turn.tell(TicketCreated(ticket))
        answer = self._add(
            session_id,
            turn.answer_id,
            "assistant",
            "".join(SENTENCES),
            sources=(SOURCE,),
            grounded=True,
            reply_to=turn.message.id,
            requires_escalation=self.ticket,
            ticket_id=ticket.id if self.ticket else None,
            usage=Usage(100, 20, 120),
        )
        turn.finish([TurnAnswered(answer)])

    async def history(self, session_id: str, *, after: int = 0) -> tuple[Conversation, tuple[Message, ...]]:
        if session_id not in self.conversations:
            raise NotFound("There is no such conversation.")
        return self.conversations[session_id], tuple(m for m in self.stored[session_id] if m.seq > after)

    async def escalate(self, session_id: str, *, comment: str = "") -> Message:
        await self.history(session_id)
        text = f"I have asked a colleague. {comment}"
        return self._add(session_id, "h-1", "assistant", text, ticket_id="tkt-1", requires_escalation=True)

    async def give_feedback(self, session_id: str, message_id: str, rating: Rating, comment: str = "") -> Message:
        _, messages = await self.history(session_id)
        for message in messages:
            if message.id == message_id:
                return replace(message, feedback=Feedback(rating, comment, self.now()))
        raise NotFound("There is no such message.")

    async def client_url(self, session_id: str) -> ClientUrl:
        if self.refuse:
            raise self.refuse
        await self.history(session_id)
        return ClientUrl(f"wss://push.example/{session_id}", PROTOCOL, self.now() + timedelta(hours=1))

    async def typing(self, session_id: str) -> None:
        await self.history(session_id)
        self.typed.append(session_id)

    async def erase(self, session_id: str) -> Erasure:
        self.conversations.pop(session_id, None)
        messages = self.stored.pop(session_id, [])
        return Erasure(conversations=1 if messages else 0, messages=len(messages))

    async def erase_customer(self, user_id: str) -> Erasure:
        mine = [c.session_id for c in self.conversations.values() if c.user_id == user_id]
        for session_id in mine:
            await self.erase(session_id)
        return Erasure(conversations=len(mine))

    def hand_over(self, session_id: str) -> None:
        self.conversations[session_id] = replace(self.conversations[session_id], owner="human")

    def _add(self, session_id: str, message_id: str, role: Any, text: str, **fields: Any) -> Message:
        seq = len(self.stored[session_id]) + 1
        message = Message(message_id, session_id, role, text, self.now(), seq=seq, **fields)
        self.stored[session_id].append(message)
        return message


@dataclass
class FakePersonalData:
    """What is found after an erasure, as a test says."""

    found: Remains = field(default_factory=lambda: Remains({}, ()))

    def conversation(self, session_id: str) -> Person:
        return Person((), {session_id})

    async def customer(self, user_id: str) -> Person:
        return Person({user_id}, ())

    async def remains(self, person: Person) -> Remains:
        return self.found


class FakeServices:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.conversations = FakeConversations(settings, clock)
        self.personal_data = FakePersonalData()
        self.erasure = ErasureService(self.conversations, self.personal_data, secret=SECRET, now=clock)  # pyright: ignore[reportArgumentType]
        self.store = FakeStore(self.conversations.conversations)
        self.queue, self.documents, self.index = Part(), Part(), FakeIndex()
        self.tokens = Tokens(SECRET, operator_minutes=60, now=clock)
        self.identity = None
        self.push = PushService(None, now=clock)
        self.rate_limiter = RateLimiter(LocalHits(), clock)


class Api:
    """A client of one app, and the services behind it."""

    def __init__(self, services: FakeServices, app: FastAPI, http: httpx.AsyncClient) -> None:
        self.services = services
        self.app = app
        self.http = http

    async def start(self, user_id: str | None = None) -> tuple[str, dict[str, str]]:
        """A new conversation: its path, and the header with its token. Leaves the client's allowance as it was."""
        conversation, _ = await self.services.conversations.start(user_id)
        token = self.services.tokens.issue_session(conversation.session_id, conversation.expires_at)
        return f"/chat/sessions/{conversation.session_id}", {"Authorization": f"Bearer {token}"}

    def operator(self, role: OperatorRole = "admin") -> dict[str, str]:
        """The header of an operator who is signed in."""
        self.services.store.operators["ada"] = Operator("ada", "Ada L.", "", self.services.clock.now, role)
        return {"Authorization": f"Bearer {self.services.tokens.issue_operator('ada')[0]}"}

    async def events(self, path: str, headers: Mapping[str, str], text: str = "Hi") -> list[dict[str, Any]]:
        """Send a message and read its events to the end."""
        headers = {**headers, "Accept": "text/event-stream"}
        response = await self.http.post(f"{path}/messages", json={"message": text}, headers=headers)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/event-stream")
        return parse_events(response.text)


def parse_events(text: str) -> list[dict[str, Any]]:
    blocks = text.split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith("data: ") for block in blocks)
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


MakeApi = Callable[..., Api]


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return Settings(data_dir=tmp_path, token_secret=SECRET, max_attachment_bytes=20_000, sessions_per_minute=5)  # pyright: ignore[reportCallIssue]


@pytest.fixture
async def make_api(settings: Settings) -> AsyncIterator[MakeApi]:
    """Builds an app with the given settings changed."""
    opened: list[httpx.AsyncClient] = []

    def make(**changes: Any) -> Api:
        clock = Clock()
        services = FakeServices(settings.model_copy(update=changes), clock)
        app = create_app(services, now=clock)  # pyright: ignore[reportArgumentType]
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent")
        opened.append(http)
        return Api(services, app, http)

    yield make
    for http in opened:
        await http.aclose()


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    return make_api()


@pytest.fixture
def problem() -> Callable[[httpx.Response, int], dict[str, Any]]:
    """Checks that a response is a problem of this status, and returns it."""

    def check(response: httpx.Response, status: int) -> dict[str, Any]:
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        content = response.json()
        assert content["status"] == status
        assert content["type"].startswith("urn:support-agent:problem:")
        assert content["title"]
        assert content["detail"]
        return content

    return check
