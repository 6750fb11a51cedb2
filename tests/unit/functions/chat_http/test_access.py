from datetime import timedelta
from typing import Any

import jwt
import pytest
from starlette.requests import Request

from functions.chat_http.access import client_address
from shared.security.tokens import Tokens

CALLS = [
    ("POST", "/messages", {"message": "Hi"}),
    ("GET", "/messages", None),
    ("GET", "/history", None),
    ("POST", "/escalate", None),
    ("POST", "/messages/greeting/feedback", {"rating": "up"}),
    ("POST", "/token", None),
    ("DELETE", "", None),
]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(("method", "call", "body"), CALLS)
async def test_every_call_of_a_conversation_needs_its_token(
    api: Any, problem: Any, method: str, call: str, body: Any
) -> None:
    mine, token = await api.start()
    theirs, _ = await api.start()

    refused = await api.http.request(method, mine + call, json=body)
    problem(refused, 401)
    assert refused.headers["www-authenticate"] == "Bearer"
    problem(await api.http.request(method, theirs + call, json=body, headers=token), 403)
    assert (await api.http.request(method, mine + call, json=body, headers=token)).status_code == 200


async def test_bad_tokens_are_refused(api: Any, problem: Any) -> None:
    path, _ = await api.start()
    session_id = path.rsplit("/", 1)[1]
    now, tokens = api.services.clock.now, api.services.tokens
    forged = Tokens("x" * 32, operator_minutes=1, now=api.services.clock).issue_session(session_id, now + timedelta(1))
    unsigned = jwt.encode({"aud": "session", "sub": session_id, "iat": now, "exp": now + timedelta(1)}, None, "none")
    expired = tokens.issue_session(session_id, now)
    for token in (forged, unsigned, expired, "abc", "a.b.c"):
        problem(await api.http.get(f"{path}/history", headers=bearer(token)), 401)
    for header in ("Basic YTpi", "Bearer", "nonsense"):
        problem(await api.http.get(f"{path}/history", headers={"Authorization": header}), 401)


async def test_another_conversation_looks_the_same_whether_or_not_it_exists(api: Any, problem: Any) -> None:
    _, token = await api.start()
    theirs, _ = await api.start()
    existing = problem(await api.http.get(f"{theirs}/history", headers=token), 403)
    missing = problem(await api.http.get("/chat/sessions/nothing-here/history", headers=token), 403)
    assert existing == missing


async def test_an_operators_token_opens_no_conversation_and_a_customers_no_operators_door(
    api: Any, problem: Any
) -> None:
    path, token = await api.start()
    problem(await api.http.get(f"{path}/history", headers=api.operator()), 403)
    problem(await api.http.delete("/customers/user123", headers=token), 403)


async def test_with_auth_mode_open_no_token_is_asked_for_but_one_that_is_sent_must_hold(
    make_api: Any, problem: Any
) -> None:
    api = make_api(auth_mode="open")
    path, token = await api.start()
    theirs, _ = await api.start()

    assert (await api.http.get(f"{path}/history")).status_code == 200
    assert (await api.http.get(f"{path}/history", headers=token)).status_code == 200
    problem(await api.http.get(f"{path}/history", headers=bearer("abc")), 401)
    problem(await api.http.get(f"{theirs}/history", headers=token), 403)
    problem(await api.http.get("/chat/sessions/nothing-here/history"), 404)
    problem(await api.http.delete("/customers/user123"), 401)


@pytest.mark.parametrize("session_id", ["a%00b", "a%20b", "..%5C..", "x" * 65, "%F0%9F%92%A9", "'; --"])
async def test_what_can_be_no_conversations_id_is_not_found(make_api: Any, problem: Any, session_id: str) -> None:
    http = make_api(auth_mode="open").http
    problem(await http.get(f"/chat/sessions/{session_id}/history"), 404)


# ---- how often


async def test_new_conversations_are_limited_per_client(make_api: Any, problem: Any) -> None:
    api = make_api(trusted_proxies=1)
    for _ in range(5):
        response = await api.http.post("/chat/sessions", headers={"X-Forwarded-For": "192.0.2.1"})
        assert response.status_code == 201

    refused = await api.http.post("/chat/sessions", headers={"X-Forwarded-For": "192.0.2.1"})
    assert "5 requests a minute" in problem(refused, 429)["detail"]
    assert refused.headers["retry-after"] == "50"
    other = await api.http.post("/chat/sessions", headers={"X-Forwarded-For": "192.0.2.2"})
    assert other.status_code == 201

    api.services.clock.now += timedelta(seconds=50)
    again = await api.http.post("/chat/sessions", headers={"X-Forwarded-For": "192.0.2.1"})
    assert again.status_code == 201


async def test_messages_polls_and_actions_have_their_own_allowance(make_api: Any, problem: Any) -> None:
    api = make_api(messages_per_minute=2)
    path, token = await api.start()

    async def call(method: str, call: str, body: Any = None) -> Any:
        return await api.http.request(method, path + call, json=body, headers=token)

    for method, kind, body in (
        ("POST", "/messages", {"message": "Hi"}),
        ("GET", "/messages", None),
        ("POST", "/token", None),
    ):
        for _ in range(2):
            assert (await call(method, kind, body)).status_code == 200
        problem(await call(method, kind, body), 429)


async def test_calls_without_a_valid_token_use_up_nobodys_allowance(make_api: Any) -> None:
    api = make_api(messages_per_minute=2)
    path, token = await api.start()
    for _ in range(5):
        await api.http.get(f"{path}/history")

    assert (await api.http.get(f"{path}/history", headers=token)).status_code == 200


async def test_logins_are_limited(make_api: Any, problem: Any) -> None:
    http = make_api(logins_per_minute=2).http
    for status in (401, 401, 429):
        problem(await http.post("/auth/login", json={"username": "ada", "password": "wrong"}), status)


@pytest.mark.parametrize("path", ["/health/", "/health/liveness", "/metrics"])
async def test_health_calls_are_limited(make_api: Any, problem: Any, path: str) -> None:
    http = make_api(health_per_minute=3).http
    for _ in range(3):
        assert (await http.get(path)).status_code == 200
    refused = await http.get(path)
    problem(refused, 429)
    assert refused.headers["retry-after"] == "50"


def request_from(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return Request({"type": "http", "headers": headers, "client": (peer, 1) if peer else None})


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        (0, "192.0.2.9", ("198.51.100.1",), "192.0.2.9"),
        (0, "::ffff:192.0.2.9", (), "192.0.2.9"),
        (0, None, (), "unknown"),
        (0, "a-unix-socket", (), "unknown"),
        # What the client wrote itself stands further left than what the proxies appended.
        (1, "10.0.0.1", ("203.0.113.7, 198.51.100.1",), "198.51.100.1"),
        (2, "10.0.0.1", ("203.0.113.7, 198.51.100.1, 10.0.0.2",), "198.51.100.1"),
        (2, "10.0.0.1", ("203.0.113.7, 198.51.100.1", "10.0.0.2"), "198.51.100.1"),
        (2, "10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        (1, "10.0.0.1", (), "10.0.0.1"),
        (1, "10.0.0.1", ("",), "10.0.0.1"),
        (1, "10.0.0.1", ("nonsense",), "10.0.0.1"),
        (1, "10.0.0.1", ("198.51.100.1:51234",), "198.51.100.1"),
        (1, "10.0.0.1", ("[2001:db8:1:2:3::4]:443",), "2001:db8:1:2::/64"),
        (1, "10.0.0.1", ("2001:db8:1:2:ffff::9",), "2001:db8:1:2::/64"),
        (0, "fe80::1%eth0", (), "fe80::/64"),
    ],
)
def test_who_the_client_is(trusted: int, peer: str | None, forwarded: tuple[str, ...], client: str) -> None:
    assert client_address(request_from(peer, *forwarded), trusted_proxies=trusted) == client
