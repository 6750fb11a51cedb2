from typing import Any

import pytest

from shared.security import receipts
from tests.unit.functions.chat_http.conftest import SECRET


async def test_a_conversation_begins_with_a_token_and_a_greeting(api: Any) -> None:
    response = await api.http.post("/chat/sessions", json={"user_id": "user123"})

    assert response.status_code == 201
    started = response.json()
    assert started["thread_id"] == started["session_id"]
    assert started["message"] == "Hello!"
    assert started["expires_at"] == "2026-05-05T12:00:10Z"
    history = await api.http.get(
        f"/chat/sessions/{started['session_id']}/history", headers={"Authorization": f"Bearer {started['token']}"}
    )
    assert history.json()["user_id"] == "user123"


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"json": {}},
        {"json": None, "headers": {"Content-Type": "application/json"}},
        {"content": b"null", "headers": {"Content-Type": "application/json"}},
        {"json": {"user_id": None}},
        {"json": {"user_id": "u", "something": "else"}},
    ],
)
async def test_the_body_may_be_left_out(api: Any, request_: dict[str, Any]) -> None:
    assert (await api.http.post("/chat/sessions", **request_)).status_code == 201


@pytest.mark.parametrize("user_id", ["", "x" * 201, "a\x00b", "a\nb", 7, ["a"], {"a": 1}])
async def test_unusable_user_ids_are_refused(api: Any, problem: Any, user_id: Any) -> None:
    refused = problem(await api.http.post("/chat/sessions", json={"user_id": user_id}), 422)

    [error] = refused["errors"]
    assert (error["place"], error["field"]) == ("body", "user_id")


async def test_a_conversation_can_be_narrowed(api: Any) -> None:
    filters = {"product": "Kavendry Solo", "language": "en", "audience": None}
    started = await api.http.post("/chat/sessions", json={"filters": filters})

    kept = api.services.conversations.conversations[started.json()["session_id"]].filters
    assert kept == {"product": "Kavendry Solo", "language": "en"}


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"colour": "red"}, "filters.colour"),
        ({"product": ""}, "filters.product"),
        ({"product": "  "}, "filters.product"),
        ({"product": "Solo, Duo"}, "filters.product"),
        ({"product": "x" * 101}, "filters.product"),
        ({"language": "e\nn"}, "filters.language"),
        ({"audience": ["partners"]}, "filters.audience"),
        ("en", "filters"),
        (["en"], "filters"),
    ],
)
async def test_unusable_filters_are_refused(api: Any, problem: Any, filters: Any, field: str) -> None:
    refused = problem(await api.http.post("/chat/sessions", json={"filters": filters}), 422)

    [error] = refused["errors"]
    assert (error["place"], error["field"]) == ("body", field)
    assert field in refused["detail"]


async def test_a_body_of_another_media_type_is_refused(api: Any, problem: Any) -> None:
    problem(await api.http.post("/chat/sessions", data={"user_id": "user123"}), 415)
    problem(await api.http.post("/chat/sessions", content=b'{"user_id": "a"}'), 415)


@pytest.mark.parametrize("body", [b"{", b'{"user_id": "\xff"}', b'{"user_id": "a"', b"[" * 100_000, b"\x00"])
async def test_malformed_json_is_refused(api: Any, problem: Any, body: bytes) -> None:
    problem(await api.http.post("/chat/sessions", content=body, headers={"Content-Type": "application/json"}), 400)


async def test_history_tells_the_whole_conversation(api: Any) -> None:
    path, token = await api.start("user123")
    await api.http.post(f"{path}/messages", json={"message": "How?", "client_message_id": "1"}, headers=token)

    history = (await api.http.get(f"{path}/history", headers=token)).json()

    assert history["session_id"] in path
    assert history["owner"] == "bot"
    assert [(m["seq"], m["message_id"], m["role"]) for m in history["messages"]] == [
        (1, "greeting", "assistant"),
        (2, "m-1", "user"),
        (3, "a-1", "assistant"),
    ]
    answer = history["messages"][-1]
    assert answer["reply_to"] == "m-1"
    assert answer["sources"][0]["metadata"]["source"] == "account.md"
    assert answer["feedback"] is None


async def test_polling_brings_only_what_is_new(api: Any) -> None:
    path, token = await api.start()
    await api.http.post(f"{path}/messages", json={"message": "How?"}, headers=token)

    news = (await api.http.get(f"{path}/messages", params={"after": 2}, headers=token)).json()
    assert [m["seq"] for m in news["messages"]] == [3]
    assert news["owner"] == "bot"
    assert (await api.http.get(f"{path}/messages?after=3", headers=token)).json()["messages"] == []
    assert len((await api.http.get(f"{path}/messages", headers=token)).json()["messages"]) == 3


@pytest.mark.parametrize("after", ["-1", "x", "", "1.5", str(2**63), "9" * 5000])
async def test_polling_after_what_is_no_number_is_refused(api: Any, problem: Any, after: str) -> None:
    path, token = await api.start()
    refused = problem(await api.http.get(f"{path}/messages", params={"after": after}, headers=token), 422)
    assert refused["errors"][0]["place"] == "query"


async def test_a_customer_can_ask_for_a_person(api: Any) -> None:
    path, token = await api.start()
    notice = (await api.http.post(f"{path}/escalate", json={"comment": "Twice!"}, headers=token)).json()

    assert notice["ticket_id"] == "tkt-1"
    assert notice["message"].endswith("Twice!")
    assert (await api.http.post(f"{path}/escalate", headers=token)).status_code == 200


async def test_an_answer_can_be_rated(api: Any, problem: Any) -> None:
    path, token = await api.start()
    feedback = f"{path}/messages/greeting/feedback"
    rated = await api.http.post(feedback, json={"rating": "down", "comment": "No."}, headers=token)

    assert rated.json()["feedback"] == {"rating": "down", "comment": "No.", "at": "2026-05-04T12:00:10Z"}
    problem(await api.http.post(f"{path}/messages/other/feedback", json={"rating": "up"}, headers=token), 404)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rating"),
        ({"rating": "meh"}, "rating"),
        ({"rating": None}, "rating"),
        ({"rating": "up", "comment": "x" * 1001}, "comment"),
        ({"rating": "up", "comment": "a\x00b"}, "comment"),
        ({"rating": "up", "comment": 5}, "comment"),
        ([], ""),
        ("up", ""),
    ],
)
async def test_wrong_feedback_is_refused_with_the_field(api: Any, problem: Any, body: Any, field: str) -> None:
    path, token = await api.start()
    refused = problem(await api.http.post(f"{path}/messages/greeting/feedback", json=body, headers=token), 422)
    assert [error["field"] for error in refused["errors"]] == [field]


async def test_a_token_can_be_renewed(api: Any) -> None:
    path, token = await api.start()
    renewed = (await api.http.post(f"{path}/token", headers=token)).json()

    assert renewed["expires_at"] == "2026-05-05T12:00:10Z"
    history = await api.http.get(f"{path}/history", headers={"Authorization": f"Bearer {renewed['token']}"})
    assert history.status_code == 200


async def test_a_conversation_can_be_erased_and_is_gone(api: Any, problem: Any) -> None:
    path, token = await api.start()
    erased = await api.http.delete(path, headers=token)

    assert erased.status_code == 200
    counts = {"conversations": 1, "messages": 1, "tickets": 0, "facts": 0, "left": {}, "unchecked": []}
    receipt = erased.json().pop("receipt")
    assert erased.json() == {**counts, "at": "2026-05-04T12:00:10Z", "receipt": receipt}
    assert receipts.read(SECRET, receipt, f"session/{path.rpartition('/')[2]}")["outcome"] == counts
    problem(await api.http.get(f"{path}/history", headers=token), 404)
    problem(await api.http.post(f"{path}/messages", json={"message": "Hi"}, headers=token), 404)
    problem(await api.http.post(f"{path}/token", headers=token), 404)
    assert (await api.http.delete(path, headers=token)).json()["conversations"] == 0
