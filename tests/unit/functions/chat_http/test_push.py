"""What a client sees of the push channel over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from shared.errors import NoPushChannel, Unavailable
from shared.push.channel import PROTOCOL
from tests.unit.functions.chat_http.conftest import Api, MakeApi

Check = Callable[[httpx.Response, int], dict[str, Any]]


async def test_a_client_learns_where_to_connect_and_until_when(api: Api) -> None:
    path, headers = await api.start()
    answer = await api.http.post(f"{path}/negotiate", headers=headers)
    assert answer.status_code == 200
    assert answer.json() == {
        "url": f"wss://push.example/{path.rpartition('/')[2]}",
        "protocol": PROTOCOL,
        "expires_at": "2026-05-04T13:00:10Z",
    }
    assert answer.headers["cache-control"] == "no-store"


async def test_without_a_channel_the_client_is_told_to_poll(api: Api, problem: Check) -> None:
    path, headers = await api.start()
    api.services.conversations.refuse = NoPushChannel("There is no push channel here. Poll.")
    told = problem(await api.http.post(f"{path}/negotiate", headers=headers), 404)
    assert told["type"] == "urn:support-agent:problem:no-push-channel"
    assert "Poll" in told["detail"]


async def test_a_channel_that_does_not_answer_is_no_lasting_refusal(api: Api, problem: Check) -> None:
    path, headers = await api.start()
    api.services.conversations.refuse = Unavailable("The push channel does not answer.")
    answer = await api.http.post(f"{path}/negotiate", headers=headers)
    problem(answer, 503)
    assert int(answer.headers["retry-after"]) >= 1


async def test_typing_is_told(api: Api) -> None:
    path, headers = await api.start()
    answer = await api.http.post(f"{path}/typing", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.services.conversations.typed == [path.rpartition("/")[2]]


@pytest.mark.parametrize("call", ["negotiate", "typing"])
async def test_only_the_conversations_own_token_may(api: Api, problem: Check, call: str) -> None:
    path, headers = await api.start()
    other, _ = await api.start()
    problem(await api.http.post(f"{path}/{call}"), 401)
    problem(await api.http.post(f"{other}/{call}", headers=headers), 403)
    problem(await api.http.post(f"{path}/{call}", headers=api.operator()), 403)
    assert not api.services.conversations.typed


@pytest.mark.parametrize("call", ["negotiate", "typing"])
async def test_each_has_an_allowance_of_its_own(make_api: MakeApi, problem: Check, call: str) -> None:
    api = make_api(messages_per_minute=2)
    path, headers = await api.start()
    for _ in range(2):
        assert (await api.http.post(f"{path}/{call}", headers=headers)).is_success
    refused = await api.http.post(f"{path}/{call}", headers=headers)
    problem(refused, 429)
    assert "retry-after" in refused.headers
    assert (await api.http.get(f"{path}/messages", headers=headers)).is_success


@pytest.mark.parametrize("call", ["negotiate", "typing"])
async def test_an_operators_calls_need_an_operator(api: Api, problem: Check, call: str) -> None:
    _, customer = await api.start()
    problem(await api.http.post(f"/helpdesk/tickets/tkt-1/{call}"), 401)
    problem(await api.http.post(f"/helpdesk/tickets/tkt-1/{call}", headers=customer), 403)
