from typing import Any

import pytest

from shared.errors import Conflict, Overloaded, TurnInProgress, Unavailable

ANSWER = "Choose Forgot password on the sign-in page. [1] A link comes by mail. [1]"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


async def test_a_form_is_all_that_is_needed_with_auth_mode_open(make_api: Any) -> None:
    http = make_api(auth_mode="open").http
    session_id = (await http.post("/chat/sessions", json={"user_id": "user123"})).json()["session_id"]

    response = await http.post(f"/chat/sessions/{session_id}/messages", data={"message": "How do I reset my password?"})

    assert response.status_code == 200
    data = response.json()
    assert data["message"] == ANSWER
    [source] = data["sources"]
    assert source["content"][source["start"] : source["end"]] == source["quote"]
    assert source["metadata"]["source"] == "account.md"
    assert source["distance"] == 0.21


async def test_the_answer_as_json(api: Any) -> None:
    path, token = await api.start()
    body = {"message": "How do I reset my password?", "client_message_id": "client-1"}
    data = (await api.http.post(f"{path}/messages", json=body, headers=token)).json()

    assert data.pop("sources")
    assert data == {
        "message_id": "a-client-1",
        "message": ANSWER,
        "requires_escalation": False,
        "ticket_id": None,
        "grounded": True,
        "degraded": False,
        "handed_over": False,
        "reply_to": "m-client-1",
        "seq": 3,
        "usage": {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120},
    }


async def test_an_escalating_answer_names_the_ticket(api: Any) -> None:
    api.services.conversations.ticket = True
    path, token = await api.start()
    data = (await api.http.post(f"{path}/messages", json={"message": "A human!"}, headers=token)).json()

    assert data["requires_escalation"] is True
    assert data["ticket_id"] == "tkt-1"


async def test_while_a_person_answers_the_message_is_accepted_and_the_bot_silent(api: Any) -> None:
    path, token = await api.start()
    api.services.conversations.hand_over(path.rsplit("/", 1)[1])
    response = await api.http.post(f"{path}/messages", json={"message": "Still there?"}, headers=token)

    assert response.status_code == 202
    data = response.json()
    assert data["handed_over"] is True
    assert data["message"] is None
    assert data["message_id"] is None
    assert data["sources"] == []
    assert data["seq"] == 2


@pytest.mark.parametrize("field", ["attachments", "attachments[]"])
async def test_files_come_with_a_multipart_message(api: Any, field: str) -> None:
    path, token = await api.start()
    files = [
        (field, ("../notes.md", b"# Notes", "text/markdown")),
        (field, ("bill.pdf", b"%PDF-1.7\n", "application/pdf")),
    ]
    response = await api.http.post(f"{path}/messages", data={"message": "See these"}, files=files, headers=token)

    assert response.status_code == 200
    uploads = api.services.conversations.uploads
    assert [(upload.name, upload.data) for upload in uploads] == [("notes.md", b"# Notes"), ("bill.pdf", b"%PDF-1.7\n")]


async def test_an_empty_file_field_of_a_browser_is_no_file(api: Any) -> None:
    path, token = await api.start()
    body = (
        b'--b\r\nContent-Disposition: form-data; name="message"\r\n\r\nHi\r\n'
        b'--b\r\nContent-Disposition: form-data; name="attachments"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n--b--\r\n"
    )
    response = await api.http.post(f"{path}/messages", content=body, headers=token | {"Content-Type": MULTIPART})

    assert response.status_code == 200
    assert api.services.conversations.uploads == []


@pytest.mark.parametrize(
    ("files", "status", "says"),
    [
        ([("attachments", ("a.png", PNG))], 415, "picture"),
        ([("attachments", ("a.exe", b"MZ\x00\x01"))], 415, "Readable: PDF"),
        ([("attachments", ("a.txt", b"x" * 20_001))], 413, "20,000 bytes"),
        ([("attachments", (f"{n}.txt", b"x")) for n in range(6)], 413, "At most 5"),
        ([("attachments", ("a.txt", b""))], 400, "empty"),
        ([("file", ("a.txt", b"x"))], 422, "file"),
        ([("message", ("a.txt", b"x"))], 422, "message"),
        ([("attachments", (None, b"x"))], 422, "attachments"),
        ([("attachments", (f"{n}.txt", b"x")) for n in range(101)], 400, "multipart"),
    ],
)
async def test_unwelcome_files_are_refused(api: Any, problem: Any, files: Any, status: int, says: str) -> None:
    path, token = await api.start()
    response = await api.http.post(f"{path}/messages", data={"message": "Hi"}, files=files, headers=token)

    assert says in problem(response, status)["detail"]


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"message": ""}},
        {"json": {}},
        {"json": {"message": None}},
        {"json": {"message": 5}},
        {"json": {"message": ["a"]}},
        {"json": []},
        {"json": "text"},
        {"json": {"message": "a\x00b"}},
        {"json": {"message": "a", "client_message_id": ""}},
        {"json": {"message": "a", "client_message_id": "a b"}},
        {"json": {"message": "a", "client_message_id": "x" * 101}},
        {"data": {"message": ""}},
        {"data": {"text": "Hi"}},
        {"data": {"message": "a\x00b"}},
        {"content": b"", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"files": {"attachments": ("a.txt", b"x")}},
        {"data": {"message": "a\x00b"}, "files": {"attachments": ("a.txt", b"x")}},
    ],
)
async def test_wrong_messages_are_refused(api: Any, problem: Any, request_: dict[str, Any]) -> None:
    path, token = await api.start()
    request_["headers"] = token | request_.get("headers", {})
    refused = problem(await api.http.post(f"{path}/messages", **request_), 422)

    assert refused["errors"]
    assert len(api.services.conversations.stored[path.rsplit("/", 1)[1]]) == 1


async def test_a_message_of_spaces_is_refused(api: Any, problem: Any) -> None:
    path, token = await api.start()
    problem(await api.http.post(f"{path}/messages", data={"message": " \n "}, headers=token), 400)


async def test_a_long_message_is_refused(api: Any, problem: Any) -> None:
    path, token = await api.start()
    problem(await api.http.post(f"{path}/messages", data={"message": "x" * 4001}, headers=token), 413)
    assert (await api.http.post(f"{path}/messages", data={"message": "x" * 4000}, headers=token)).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b""),
        ("application/json", b'{"message": "\xff"}'),
        ("application/json", b'{"message": "\\ud800"}'),
        ("application/json", b"[" * 100_000),
        (FORM, b"message=%ff"),
        (FORM, b"message=\xff"),
        (FORM, b"&".join(b"a%d=1" % n for n in range(21))),
        ("multipart/form-data", b"--b\r\n"),
        (MULTIPART, b"nothing like a multipart body"),
        (MULTIPART, b'--b\r\nContent-Disposition: form-data; name="message"\r\n\r\n\xff\xfe\r\n--b--\r\n'),
        (MULTIPART, b"--b\r\nContent-Disposition: form-data\r\n\r\nHi\r\n--b--\r\n"),
        (MULTIPART, b"--b\r\n\r\nHi\r\n--b--\r\n"),
    ],
)
async def test_bodies_that_can_not_be_read_are_refused(api: Any, problem: Any, content_type: str, body: bytes) -> None:
    path, token = await api.start()
    response = await api.http.post(f"{path}/messages", content=body, headers=token | {"Content-Type": content_type})
    problem(response, 400)


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "image/png", "", "nonsense"])
async def test_other_media_types_are_refused_with_those_that_work(api: Any, problem: Any, content_type: str) -> None:
    path, token = await api.start()
    response = await api.http.post(f"{path}/messages", content=b"Hi", headers=token | {"Content-Type": content_type})
    assert "multipart/form-data" in problem(response, 415)["detail"]


async def test_a_body_cut_by_the_multipart_boundary_is_not_taken_for_whole(api: Any) -> None:
    path, token = await api.start()
    body = b'--b\r\nContent-Disposition: form-data; name="message"\r\n\r\nHalf of'
    response = await api.http.post(f"{path}/messages", content=body, headers=token | {"Content-Type": MULTIPART})
    assert response.status_code in {400, 422}


async def test_text_of_any_script_arrives_as_it_was_sent(api: Any) -> None:
    path, token = await api.start()
    text = "Größe? 高さ 👩‍🚀 \u202e"
    for request_ in ({"json": {"message": text}}, {"data": {"message": text}}):
        await api.http.post(f"{path}/messages", **request_, headers=token)
    files = {"attachments": ("a.txt", b"x")}
    await api.http.post(f"{path}/messages", data={"message": text}, files=files, headers=token)

    messages = (await api.http.get(f"{path}/history", headers=token)).json()["messages"]
    assert [m["message"] for m in messages if m["role"] == "user"] == [text] * 3


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (TurnInProgress("Wait.", retry_after=7), (409, "7")),
        (Conflict("Not now."), (409, None)),
        (Unavailable("The store does not answer.", retry_after=3), (503, "3")),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_what_is_refused_before_the_turn_is_a_problem_for_every_client(
    api: Any, problem: Any, accept: str, error: Exception, answer: tuple[int, str | None]
) -> None:
    status, retry_after = answer
    api.services.conversations.refuse = error
    path, token = await api.start()
    response = await api.http.post(f"{path}/messages", json={"message": "Hi"}, headers=token | {"Accept": accept})

    assert problem(response, status)["detail"] == str(error)
    assert response.headers.get("retry-after") == retry_after


async def test_a_turn_that_fails_is_a_problem_for_a_json_client(api: Any, problem: Any) -> None:
    api.services.conversations.fail = Unavailable("The answer took too long. Please try again.")
    path, token = await api.start()
    refused = problem(await api.http.post(f"{path}/messages", json={"message": "Hi"}, headers=token), 503)
    assert refused["detail"] == "The answer took too long. Please try again."


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_too_many_at_once_is_told_with_when_to_come_again(
    api: Any, problem: Any, caplog: pytest.LogCaptureFixture, accept: str
) -> None:
    path, token = await api.start()
    api.services.conversations.refuse = Overloaded("Too much is being asked right now.", retry_after=5)

    response = await api.http.post(f"{path}/messages", json={"message": "Hello?"}, headers=token | {"Accept": accept})

    assert problem(response, 503)["type"] == "urn:support-agent:problem:overloaded"
    assert response.headers["retry-after"] == "5"
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert (await api.http.get("/health/")).status_code == 200
    assert (await api.http.get(f"{path}/history", headers=token)).status_code == 200
