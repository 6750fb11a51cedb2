"""The API over a real connection, with the embedded services behind it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import uvicorn

from functions.chat_http.app import create_app
from shared.services import Services
from shared.settings import Settings
from tools.create_operator import create_operator

SECRET = "0123456789abcdef0123456789abcdef"
PASSWORD = "correct horse battery staple"
ACCOUNT = """# Your account

## Passwords

To reset your password, choose Forgot password on the sign-in page. A link comes by mail within five minutes.

## Deletion

Write to privacy@example.com to have your account deleted.
"""


def make_services(folder: Path, **changes: Any) -> Services:
    return Services(Settings(data_dir=folder, token_secret=SECRET, **changes))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with one document and one operator, that asks for no tokens and has patience."""
    folder = tmp_path_factory.mktemp("data")
    limits = dict.fromkeys(("sessions_per_minute", "messages_per_minute", "health_per_minute"), 1000)
    services = make_services(folder, auth_mode="open", **limits)

    async def prepare() -> None:
        await services.documents.write("account.md", ACCOUNT.encode())
        await services.ingestion.reconcile()
        await create_operator(services, "ada", "Ada L.", PASSWORD, "admin")

    asyncio.run(prepare())
    server = uvicorn.Server(uvicorn.Config(create_app(services), port=0, ws="none", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
    asyncio.run(services.close())


@pytest.fixture
def session(url: str) -> str:
    """The address of a new conversation."""
    return f"{url}/chat/sessions/{requests.post(f'{url}/chat/sessions', timeout=10).json()['session_id']}"


def ask(session: str, text: str, **request: Any) -> dict[str, Any]:
    response = requests.post(f"{session}/messages", data={"message": text}, timeout=30, **request)
    response.raise_for_status()
    return response.json()


def test_two_requests_are_all_it_takes(url: str) -> None:
    response = requests.post(f"{url}/chat/sessions", json={"user_id": "user123"}, timeout=10)
    session_id = response.json()["session_id"]
    response = requests.post(
        f"{url}/chat/sessions/{session_id}/messages", data={"message": "How do I reset my password?"}, timeout=30
    )
    data = response.json()

    assert "choose Forgot password on the sign-in page" in data["message"]
    assert data["grounded"] is True
    source = data["sources"][0]
    assert source["metadata"]["source"] == "account.md"
    assert source["content"][source["start"] : source["end"]] == source["quote"]


def test_the_stream_tells_what_is_stored(session: str) -> None:
    with requests.post(
        f"{session}/messages",
        json={"message": "How do I reset my password?"},
        headers={"Accept": "text/event-stream"},
        stream=True,
        timeout=30,
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines(decode_unicode=True) if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]

    assert events[0]["type"] == "RUN_STARTED"
    assert events[-1]["type"] == "RUN_FINISHED"
    told = "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")
    stored = requests.get(f"{session}/messages", params={"after": 2}, timeout=10).json()["messages"]
    assert [message["message"] for message in stored] == [told]
    assert stored[0]["message_id"] == events[-1]["result"]["message_id"]


def test_a_question_about_an_attached_file_is_answered_from_it(session: str) -> None:
    files = {"attachments": ("offer.txt", b"The discount code of this offer is SUMMER-7781.\n")}
    data = ask(session, "What is the discount code of this offer?", files=files)

    assert "SUMMER-7781" in data["message"]
    assert data["sources"][0]["metadata"]["source"] == "offer.txt"


def test_a_message_sent_twice_is_answered_once(session: str) -> None:
    body = {"message": "How do I reset my password?", "client_message_id": "once"}
    first, second = (requests.post(f"{session}/messages", json=body, timeout=30).json() for _ in range(2))

    assert first == second
    assert len(requests.get(f"{session}/history", timeout=10).json()["messages"]) == 3


def test_asking_for_a_person_makes_a_ticket(session: str) -> None:
    notice = requests.post(f"{session}/escalate", json={"comment": "I was charged twice."}, timeout=10).json()
    assert notice["ticket_id"] in notice["message"]


def test_a_conversation_is_answered_from_what_is_meant_for_it(tmp_path: Path) -> None:
    limits = dict.fromkeys(("sessions_per_minute", "messages_per_minute"), 1000)
    services = make_services(tmp_path, auth_mode="open", **limits)
    documents = {
        "solo.md": "---\nproduct: Solo, Solo Plus\nlanguage: en-GB\n---\n# Cleaning\n\nRinse the tank every 5 days.",
        "duo.md": "---\nproduct: Duo\nlanguage: en\n---\n# Cleaning\n\nRinse the tank every 9 days.",
        "parts.md": "# Parts\n\nA new tank costs 30 EUR.",
    }

    async def run() -> dict[str, str]:
        for name, text in documents.items():
            await services.documents.write(name, text.encode())
        await services.ingestion.reconcile()
        app = httpx.ASGITransport(create_app(services))
        async with httpx.AsyncClient(transport=app, base_url="http://a") as http:
            return {
                f"{product} {question}": await answer(http, {"product": product, "language": "EN"}, question)
                for product in ("solo plus", "DUO", "Trio")
                for question in ("How often do I rinse the tank?", "What costs a new tank?")
            }

    async def answer(http: httpx.AsyncClient, filters: dict[str, str], question: str) -> str:
        started = (await http.post("/chat/sessions", json={"filters": filters})).json()
        told = await http.post(f"/chat/sessions/{started['session_id']}/messages", json={"message": question})
        return told.json()["message"]

    answers = asyncio.run(run())
    asyncio.run(services.close())
    rinse, costs = "How often do I rinse the tank?", "What costs a new tank?"
    assert "every 5 days" in answers[f"solo plus {rinse}"]
    assert "every 9 days" in answers[f"DUO {rinse}"]
    assert "every" not in answers[f"Trio {rinse}"]
    assert all("30 EUR" in answers[f"{product} {costs}"] for product in ("solo plus", "DUO", "Trio"))


def test_an_answer_can_be_rated(session: str) -> None:
    answer = ask(session, "How do I reset my password?")
    feedback = f"{session}/messages/{answer['message_id']}/feedback"
    requests.post(feedback, json={"rating": "up"}, timeout=10).raise_for_status()

    last = requests.get(f"{session}/history", timeout=10).json()["messages"][-1]
    assert last["feedback"]["rating"] == "up"


def test_an_operator_erases_a_customer(url: str) -> None:
    session_id = requests.post(f"{url}/chat/sessions", json={"user_id": "leaving"}, timeout=10).json()["session_id"]
    session = f"{url}/chat/sessions/{session_id}"
    ask(session, "How do I reset my password?")
    login = requests.post(f"{url}/auth/login", json={"username": "ada", "password": PASSWORD}, timeout=10)
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}

    receipt = requests.delete(f"{url}/customers/leaving", headers=headers, timeout=10).json()
    assert (receipt["conversations"], receipt["messages"]) == (1, 3)
    assert requests.get(f"{session}/history", timeout=10).status_code == 404


def test_health_counts_what_can_be_found(url: str) -> None:
    detailed = requests.get(f"{url}/health/detailed", timeout=10).json()

    assert detailed["status"] == "healthy"
    assert detailed["components"]["knowledge"]["documents"] == 1
    assert detailed["components"]["knowledge"]["chunks"] >= 1
    assert requests.get(f"{url}/health/readiness", timeout=10).status_code == 200


def test_a_body_that_is_too_large_is_refused_while_it_comes_in(session: str) -> None:
    chunks = (b"x" * 65_536 for _ in range(80))
    response = requests.post(
        f"{session}/messages", data=chunks, headers={"Content-Type": "application/json"}, timeout=10
    )
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


async def test_the_allowance_is_counted_in_the_store(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, token_secret=SECRET)  # pyright: ignore[reportArgumentType]
    clock = datetime(2026, 5, 4, 12, 0, 10, tzinfo=UTC)
    statuses: list[int] = []
    for _ in range(2):  # as two instances of the app would share it
        services = Services(settings, now=lambda: clock)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url="http://a") as http:
            statuses += [(await http.post("/chat/sessions")).status_code for _ in range(3)]
        await services.close()
    assert statuses == [201, 201, 201, 201, 201, 429]


async def test_liveness_opens_nothing(tmp_path: Path) -> None:
    services = make_services(tmp_path)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url="http://a") as http:
        assert (await http.get("/health/liveness")).status_code == 200
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - two files at most
