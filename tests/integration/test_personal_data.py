"""What is kept about a person: handed out whole, and nowhere after an erasure, not even in the free pages of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.chat_http.app import create_app
from shared.conversation.service import _customer_id
from shared.escalation.queue import REQUESTS
from shared.services import Services
from shared.settings import Settings

CANARY = st.from_regex(r"canary[a-z]{12}", fullmatch=True)
SAID = st.lists(
    st.sampled_from(
        ["How do I reset {}?", "Remember that {} is my cat", "I want to talk to a human about {}", "FILE {}"]
    ),
    min_size=1,
    max_size=4,
)


async def tell(http: httpx.AsyncClient, user: str, canary: str, said: list[str]) -> str:
    session = (await http.post("/chat/sessions", json={"user_id": user})).json()["session_id"]
    path = f"/chat/sessions/{session}"
    for text in said:
        files = {"attachments": (f"{canary}.txt", f"# {canary}".encode(), "text/plain")} if "FILE" in text else None
        answer = await http.post(f"{path}/messages", data={"message": text.format(canary)}, files=files)
        assert answer.status_code in (200, 202), answer.text
    return session


async def set_aside(services: Services, session: str, canary: str) -> None:
    """A dead letter and a long transcript, as an escalation may leave them."""
    for received in await services.queue.receive(REQUESTS, limit=10):
        await services.queue.dead_letter(received, reason="Test", description="planted")
    await services.transcripts.write(session, "t-1", canary.encode())


def files_with(folder: Path, text: str) -> list[str]:
    return [str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file() and text.encode() in f.read_bytes()]


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(canary=CANARY, said=SAID)
async def test_nothing_of_a_customer_is_left_anywhere(tmp_path_factory: Any, canary: str, said: list[str]) -> None:
    folder = tmp_path_factory.mktemp("data")
    options: Any = {"data_dir": folder, "auth_mode": "open", "sessions_per_minute": 1000, "messages_per_minute": 1000}
    services = Services(Settings(**options))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url="http://a") as http:
        session = await tell(http, f"{canary}@example.com", canary, said)
        await tell(http, "somebody else", "otherbody", ["Where is otherbody?"])
        await set_aside(services, session, canary)
        person = await services.personal_data.customer(f"{canary}@example.com")
        export = json.dumps(await services.personal_data.export(person))
        assert canary in export
        assert "otherbody" not in export
        assert files_with(folder, canary)

        erased = await services.conversations.erase_customer(f"{canary}@example.com")
        assert erased.conversations == 1
        assert await services.personal_data.left(person) == {}
        assert len(await services.store.facts(_customer_id(f"{canary}@example.com"))) == 0
    await services.close()
    assert files_with(folder, canary) == []
    assert files_with(folder, "otherbody")
