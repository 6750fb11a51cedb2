"""A customer's facts over HTTP, on the real service and store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from functions.chat_http.app import create_app
from shared.services import Services
from shared.settings import Settings


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    services = Services(Settings(auth_mode="token", token_secret="x" * 32, data_dir=tmp_path))
    transport = httpx.ASGITransport(app=create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await services.close()


async def begin(client: httpx.AsyncClient) -> tuple[str, dict[str, str]]:
    started = (await client.post("/chat/sessions")).json()
    return f"/chat/sessions/{started['session_id']}", {"Authorization": f"Bearer {started['token']}"}


async def test_a_customer_sees_corrects_and_forgets_what_is_remembered(client: httpx.AsyncClient) -> None:
    session, headers = await begin(client)
    said = await client.post(
        f"{session}/messages", json={"message": "Please remember that I have the Solo."}, headers=headers
    )
    (fact,) = (await client.get(f"{session}/facts", headers=headers)).json()["facts"]
    assert fact["text"] == "I have the Solo"
    assert fact["message_id"] == said.json()["reply_to"]
    assert fact["expires_at"] > fact["created_at"]

    where = f"{session}/facts/{fact['id']}"
    corrected = await client.put(where, json={"text": "I have the Duo"}, headers=headers)
    assert corrected.json() == fact | {"text": "I have the Duo"}
    assert (await client.put(where, json={"text": "x" * 301}, headers=headers)).status_code == 422
    assert [(await client.delete(where, headers=headers)).status_code for _ in range(2)] == [204, 204]
    assert (await client.get(f"{session}/facts", headers=headers)).json() == {"facts": []}
    assert (await client.put(where, json={"text": "I have the Duo"}, headers=headers)).status_code == 404


async def test_facts_of_another_conversation_are_out_of_reach(client: httpx.AsyncClient) -> None:
    session, headers = await begin(client)
    await client.post(f"{session}/messages", json={"message": "Please remember that I am Ada."}, headers=headers)
    _, others = await begin(client)
    assert (await client.get(f"{session}/facts", headers=others)).status_code == 403
    assert (await client.get(f"{session}/facts")).status_code == 401
    assert (await client.delete(f"{session}/facts/any", headers=others)).status_code == 403
    assert len((await client.get(f"{session}/facts", headers=headers)).json()["facts"]) == 1
