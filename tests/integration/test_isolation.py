"""Nobody sees what is another's: the real app in token mode, used and abused in every order hypothesis can think of.

Each text that a customer gives carries a word of its own. Such a word may only ever come back to the conversation, or
the known customer, that gave it: in no other body, no other header, and nothing a model is told for somebody else.

`make isolation` plays many more and longer stories (ISOLATION_STORIES, ISOLATION_STEPS).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from agent_framework import Message
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from functions.chat_http.app import create_app
from shared.clock import utc_now
from shared.conversation.chat_clients import TOOL_LOOP
from shared.conversation.extractive import ExtractiveChatClient
from shared.memory.models import Operator
from shared.security.tokens import Tokens
from shared.services import Services
from shared.settings import Settings
from tests.fakes import HashEmbedder, InMemoryIndex

SECRET = "0123456789abcdef0123456789abcdef"
SITE_KEY = b"the key of the company's own site"
IDENTITY_KEYS = json.dumps(
    {"keys": [{"kty": "oct", "kid": "site", "alg": "HS256", "k": base64.urlsafe_b64encode(SITE_KEY).decode()}]}
)
PLENTY = 10**9
USERS = ("ana", "ben", "chi")
WORD = re.compile(r"zq\d{5}word")
# Fits every route: what a route does not know, it ignores.
BODY = {"message": "Let me in", "text": "Let me in", "rating": "up", "comment": "Let me in"}

users, some, yes = st.sampled_from(USERS), st.integers(0, 10**6), st.booleans()


@dataclass
class Parsed:
    markdown: str
    pages: tuple[int, ...] = ()


class PlainParser:
    async def parse(self, data: bytes, name: str) -> Parsed:
        return Parsed(data.decode())

    async def close(self) -> None:
        pass


class Witness(ExtractiveChatClient):
    """The keyless client, noting what it is told."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.told: list[str] = []

    def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> Any:
        self.told += [message.text for message in messages]
        self.told += [str(content.result) for message in messages for content in message.contents]
        return super()._inner_get_response(messages=messages, stream=stream, options=options, **kwargs)


def make_services(folder: Path, **changes: Any) -> Services:
    limits = {name: PLENTY for name in Settings.model_fields if name.endswith("_per_minute")}
    options: Any = {"data_dir": folder, "token_secret": SECRET, "identity_keys": IDENTITY_KEYS} | limits | changes
    services = Services(Settings(**options))
    witness = Witness(function_invocation_configuration=TOOL_LOOP)
    vars(services).update(
        embedder=HashEmbedder(), index=InMemoryIndex("hash"), parser=PlainParser(), chat_client=witness
    )
    return services


def identity_token(user: str, *, key: bytes | None = SITE_KEY, **changes: Any) -> str:
    claims = {"sub": user, "aud": "support-agent", "exp": utc_now() + timedelta(minutes=5), "jti": uuid.uuid4().hex}
    algorithm = "none" if key is None else "HS256"
    return jwt.encode(claims | changes, key, algorithm=algorithm, headers={"kid": "site"})


@dataclass(eq=False)
class Session:
    id: str
    token: str
    user: str | None
    words: set[str] = field(default_factory=set)
    facts: set[str] = field(default_factory=set)
    said: dict[str, tuple[dict[str, str], Any]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/chat/sessions/{self.id}"


class Story(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.services = make_services(Path(self.folder.name))
        ada = Operator("ada", "Ada", "", utc_now(), "admin")
        self.runner.run(self.services.store.save_operator(ada))
        app = create_app(self.services)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent")
        operations = [
            (method.upper(), path, operation)
            for path, methods in app.openapi()["paths"].items()
            for method, operation in methods.items()
        ]
        self.customers_doors = [(method, path) for method, path, _ in operations if "{session_id}" in path]
        self.operators_doors = [
            (method, path)
            for method, path, operation in operations
            if "OperatorToken" in str(operation.get("security"))
        ]
        self.sessions: list[Session] = []
        self.gone: list[Session] = []
        self.facts: dict[str, set[str]] = {user: set() for user in USERS}
        self.fact_ids: set[str] = set()
        self.words = 0

    def teardown(self) -> None:
        try:
            for session in self.sessions:
                self.read(self.sessions.index(session))
        finally:
            self.runner.run(self.http.aclose())
            self.runner.run(self.services.close())
            self.runner.close()
            self.folder.cleanup()

    # ---- how everything is sent and looked at

    def send(
        self, method: str, path: str, token: str = "", *, may_see: set[str] | None = None, **request: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= request.pop("headers", {})
        response = self.runner.run(self.http.request(method, path, headers=headers, **request))
        shown = f"{response.headers} {response.text}"
        assert set(WORD.findall(shown)) <= (may_see or set()), f"{method} {path} shows what is another's"
        assert not any(session.token in shown for session in self.sessions if session.token != token)
        assert response.status_code < 500, response.text
        return response

    def refused(self, status: int, method: str, path: str, token: str = "", **request: Any) -> None:
        response = self.send(method, path, token, **request)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"]

    def as_customer(self, session: Session, method: str, path: str = "", **request: Any) -> httpx.Response:
        response = self.send(method, session.path + path, session.token, may_see=self.visible(session), **request)
        assert response.status_code < 300, response.text
        return response

    def visible(self, session: Session) -> set[str]:
        return session.words | self.facts_of(session)

    def facts_of(self, session: Session) -> set[str]:
        return self.facts[session.user] if session.user else session.facts

    def new_word(self, session: Session) -> str:
        self.words += 1
        word = f"zq{self.words:05}word"
        session.words.add(word)
        return word

    def session(self, number: int) -> Session:
        return self.sessions[number % len(self.sessions)]

    def door(self, number: int, session: Session, message_id: str = "greeting") -> tuple[str, str]:
        method, path = self.customers_doors[number % len(self.customers_doors)]
        path = path.replace("{session_id}", session.id).replace("{message_id}", message_id)
        return method, re.sub(r"\{\w+\}", "nothing", path)

    def operator(self) -> str:
        return self.services.tokens.issue_operator("ada")[0]

    # ---- conversations begin

    @rule(user=users)
    def open_as_known_customer(self, user: str) -> None:
        token = identity_token(user)
        self.opened(user, {"identity_token": token})
        self.refused(401, "POST", "/chat/sessions", json={"identity_token": token})

    @rule()
    def open_as_stranger(self) -> None:
        self.opened(None, {})

    def opened(self, user: str | None, body: dict[str, str]) -> None:
        response = self.send("POST", "/chat/sessions", json=body)
        assert response.status_code == 201, response.text
        self.sessions.append(Session(response.json()["session_id"], response.json()["token"], user))

    @rule(user=users, how=some, number=some)
    def open_as_somebody_else(self, user: str, how: int, number: int) -> None:
        claims = jwt.decode(identity_token(user), options={"verify_signature": False})
        attempts: list[tuple[int, dict[str, str]]] = [
            (401, {"user_id": user}),
            (403, {"user_id": user, "identity_token": identity_token("eve")}),
            (401, {"identity_token": identity_token(user, key=b"x" * 32)}),
            (401, {"identity_token": identity_token(user, key=SECRET.encode())}),
            (401, {"identity_token": identity_token(user, key=None)}),
            (401, {"identity_token": identity_token(user, exp=utc_now() - timedelta(hours=1))}),
            (401, {"identity_token": identity_token(user, exp=utc_now() + timedelta(days=1))}),
            (401, {"identity_token": identity_token(user, aud="session")}),
            (401, {"identity_token": jwt.encode(claims, SITE_KEY)}),
            (401, {"identity_token": self.operator()}),
        ]
        if self.sessions:
            attempts.append((401, {"identity_token": self.session(number).token}))
        status, body = attempts[how % len(attempts)]
        self.refused(status, "POST", "/chat/sessions", json=body)

    # ---- customers use them

    @precondition(lambda self: self.sessions)
    @rule(number=some, remembered=yes, attached=yes, streamed=yes)
    def say(self, number: int, remembered: bool, attached: bool, streamed: bool) -> None:
        session = self.session(number)
        word = self.new_word(session)
        text = f"Please remember that my code is {word}" if remembered else f"What is said about {word} in the notes?"
        if remembered:
            self.facts_of(session).add(word)
        # The same ids are used in all conversations.
        body = {"message": text, "client_message_id": f"c{len(session.said)}"}
        files = {}
        if attached:
            content = f"The notes say that {word} has the number {self.new_word(session)}."
            files = {"files": {"attachments": (f"{self.new_word(session)}.txt", content.encode())}}
        witness: Any = self.services.chat_client
        witness.told.clear()
        headers = {"Accept": "text/event-stream"} if streamed else {}
        answer = self.as_customer(session, "POST", "/messages", data=body, headers=headers, **files)
        told = set(WORD.findall(" ".join(witness.told)))
        assert told <= self.visible(session), "the model was told what is another's"
        assert self.facts_of(session) - {word} <= told, "the model was not told what the customer asked to remember"
        session.said[body["client_message_id"]] = body, None if streamed else answer.json()

    @precondition(lambda self: any(session.said for session in self.sessions))
    @rule(number=some)
    def say_again(self, number: int) -> None:
        speakers = [session for session in self.sessions if session.said]
        session = speakers[number % len(speakers)]
        body, first = list(session.said.values())[number % len(session.said)]
        again = self.as_customer(session, "POST", "/messages", json=body).json()
        assert first is None or again == first

    @precondition(lambda self: self.sessions)
    @rule(number=some)
    def read(self, number: int) -> None:
        session = self.session(number)
        history = self.as_customer(session, "GET", "/history").text
        assert session.words - set(WORD.findall(history)) <= self.unread(session), "what was said is lost"
        self.as_customer(session, "GET", "/messages")
        facts = self.as_customer(session, "GET", "/facts")
        assert set(WORD.findall(facts.text)) == self.facts_of(session)
        self.fact_ids |= {fact["id"] for fact in facts.json()["facts"]}

    def unread(self, session: Session) -> set[str]:
        """The insides of files, and what only a colleague reads, are not in the history unless they were cited."""
        said = set(WORD.findall(" ".join(body["message"] for body, _ in session.said.values())))
        return session.words - said

    @precondition(lambda self: self.sessions)
    @rule(number=some)
    def ask_for_a_person_and_rate(self, number: int) -> None:
        session = self.session(number)
        notice = self.as_customer(session, "POST", "/escalate", json={"comment": self.new_word(session)}).json()
        rating = {"rating": "down", "comment": self.new_word(session)}
        self.as_customer(session, "POST", f"/messages/{notice['message_id']}/feedback", json=rating)
        session.token = self.as_customer(session, "POST", "/token").json()["token"]

    # ---- others try to

    @precondition(lambda self: len(self.sessions) > 1)
    @rule(mine=some, theirs=some, door=some)
    def use_the_token_of_another_conversation(self, mine: int, theirs: int, door: int) -> None:
        one, other = self.session(mine), self.session(theirs)
        if one is not other:
            method, path = self.door(door, other)
            self.refused(403, method, path, one.token, json=BODY)

    @precondition(lambda self: self.sessions)
    @rule(number=some, door=some, how=some)
    def forge(self, number: int, door: int, how: int) -> None:
        session, tokens = self.session(number), self.services.tokens
        later = utc_now() + timedelta(hours=1)
        claims = {"aud": "session", "sub": session.id, "iat": utc_now(), "exp": later}
        head, _, signature = session.token.split(".")
        body = base64.urlsafe_b64encode(json.dumps({"aud": "operator", "sub": "ada"}).encode()).decode().rstrip("=")
        attempts = [
            (401, ""),
            (401, "nonsense"),
            (401, jwt.encode(claims, None, algorithm="none")),
            (401, jwt.encode(claims, SITE_KEY)),
            (401, f"{head}.{body}.{signature}"),
            (401, Tokens("x" * 32, operator_minutes=1, now=utc_now).issue_session(session.id, later)),
            (401, tokens.issue_session(session.id, utc_now() - timedelta(seconds=1))),
            (401, identity_token(session.id)),
            (401, identity_token(session.id, aud="session")),
            (403, self.operator()),
            (403, tokens.issue_session(session.id + "0", later)),
        ]
        status, token = attempts[how % len(attempts)]
        self.refused(status, *self.door(door, session), token, json=BODY)

    @precondition(lambda self: self.sessions)
    @rule(number=some, door=some, theirs=some)
    def guess(self, number: int, door: int, theirs: int) -> None:
        session = self.session(number)
        self.refused(403, *self.door(door, Session(str(uuid.uuid4()), "", None)), session.token, json=BODY)
        other = self.session(theirs)
        foreign = [f"a-{name}" for name in other.said if name not in session.said]
        for message_id in foreign[:2]:
            path = f"{session.path}/messages/{message_id}/feedback"
            self.refused(404, "POST", path, session.token, json={"rating": "up"})
        own = {fact["id"] for fact in self.as_customer(session, "GET", "/facts").json()["facts"]}
        for fact_id in sorted(self.fact_ids - own)[:2]:
            # Forgetting what is not there is no error; that it stays with its owner shows when they read it.
            self.refused(404, "PUT", f"{session.path}/facts/{fact_id}", session.token, json={"text": "Mine"})
            self.as_customer(session, "DELETE", f"/facts/{fact_id}")

    @precondition(lambda self: self.sessions)
    @rule(number=some, user=users)
    def knock_at_the_operators_doors(self, number: int, user: str) -> None:
        session = self.session(number)
        for method, path in self.operators_doors:
            path = re.sub(r"\{\w+\}", user, path)  # noqa: PLW2901
            self.refused(401, method, path, json=BODY)
            self.refused(403, method, path, session.token, json=BODY)
            self.refused(401, method, path, identity_token("ada", aud="operator"), json=BODY)

    # ---- what was erased stays erased

    @precondition(lambda self: self.sessions)
    @rule(number=some, door=some)
    def erase_conversation(self, number: int, door: int) -> None:
        session = self.session(number)
        self.as_customer(session, "DELETE")
        self.sessions.remove(session)
        self.gone.append(session)

    @rule(user=users)
    def erase_customer(self, user: str) -> None:
        response = self.send("DELETE", f"/customers/{user}", self.operator())
        assert response.status_code == 200
        gone = [session for session in self.sessions if session.user == user]
        assert response.json()["conversations"] == len(gone)
        self.sessions = [session for session in self.sessions if session not in gone]
        self.gone += gone
        self.facts[user] = set()
        self.open_as_known_customer(user)
        self.read(-1)

    @precondition(lambda self: self.gone)
    @rule(number=some, door=some)
    def come_back_to_what_is_erased(self, number: int, door: int) -> None:
        session = self.gone[number % len(self.gone)]
        method, path = self.door(door, session)
        response = self.send(method, path, session.token, json=BODY)
        assert response.status_code == 404 or (method == "DELETE" and response.status_code in (200, 204))
        if response.status_code == 200:
            erased = response.json()
            assert {erased[kind] for kind in ("conversations", "messages", "tickets", "facts")} == {0}


Story.TestCase.settings = settings(
    max_examples=int(os.environ.get("ISOLATION_STORIES", "4")),
    stateful_step_count=int(os.environ.get("ISOLATION_STEPS", "25")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestIsolation = Story.TestCase


# ---- what is counted is counted for all instances


async def test_limits_hold_for_all_instances_together(tmp_path: Path) -> None:
    instances = [make_services(tmp_path, sessions_per_minute=3) for _ in range(2)]
    clients = [
        httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url="http://agent")
        for services in instances
    ]
    answers = [await clients[n % 2].post("/chat/sessions") for n in range(8)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert len(limited) in range(2, 6)  # the minute may end meanwhile
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in limited)
    for client, services in zip(clients, instances, strict=True):
        await client.aclose()
        await services.close()


async def test_an_identity_token_is_spent_at_all_instances(tmp_path: Path) -> None:
    instances = [make_services(tmp_path) for _ in range(2)]
    token, statuses = identity_token("ana"), []
    for services in instances:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url="http://a") as http:
            statuses.append((await http.post("/chat/sessions", json={"identity_token": token})).status_code)
    assert statuses == [201, 401]
    for services in instances:
        await services.close()


async def test_without_identity_keys_a_token_is_refused_and_a_name_proves_nothing(tmp_path: Path) -> None:
    services = make_services(tmp_path, identity_keys="")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url="http://a") as http:
        refused = await http.post("/chat/sessions", json={"identity_token": identity_token("ana")})
        started = (await http.post("/chat/sessions", json={"user_id": "ana"})).json()
    assert refused.status_code == 400
    assert "IDENTITY_KEYS" in refused.json()["detail"]
    assert (await services.store.get(started["session_id"])).customer_id == f"session:{started['session_id']}"
    await services.close()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"identity_keys": "{}"}, "IDENTITY_KEYS"),
        ({"token_secret": SITE_KEY.decode()}, "IDENTITY_KEYS"),
        ({"identity_audience": "operator"}, "IDENTITY_AUDIENCE"),
    ],
)
def test_wrong_identity_settings_stop_the_start(tmp_path: Path, changes: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        make_services(tmp_path, **changes)
