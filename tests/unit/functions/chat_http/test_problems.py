import inspect
from pathlib import Path
from typing import Any

import pytest

from functions.chat_http import problems
from shared import errors


async def test_an_unknown_path_is_a_problem(api: Any, problem: Any) -> None:
    for path in ("/nothing", "/chat", "/chat/sessions/", "/static/nothing.js", "/docs/assets/../../secret"):
        problem(await api.http.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/chat/sessions", "POST"),
        ("PUT", "/chat/sessions/x/messages", "GET, POST"),
        ("POST", "/chat/sessions/x", "DELETE"),
        ("POST", "/health/", "GET, HEAD"),
        ("OPTIONS", "/health", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
        ("POST", "/openapi.json", "GET, HEAD"),
        ("POST", "/static/docs.js", "GET, HEAD"),
        ("POST", "/widget.js", "GET, HEAD"),
        ("GET", "/customers/a/b", "DELETE"),
    ],
)
async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(
    api: Any, problem: Any, method: str, path: str, allow: str
) -> None:
    response = await api.http.request(method, path)
    problem(response, 405)
    assert response.headers["allow"] == allow


async def test_an_unexpected_error_tells_nothing_and_is_logged(
    api: Any, problem: Any, caplog: pytest.LogCaptureFixture
) -> None:
    api.services.conversations.refuse = KeyError("secret")
    path, token = await api.start()
    refused = problem(await api.http.post(f"{path}/messages", json={"message": "Hi"}, headers=token), 500)

    assert "secret" not in str(refused)
    assert "unexpected error" in caplog.text


async def test_our_own_faults_tell_nothing_either(api: Any, problem: Any, caplog: pytest.LogCaptureFixture) -> None:
    api.services.conversations.refuse = errors.IndexModelMismatch("secret-model")
    path, token = await api.start()
    refused = problem(await api.http.post(f"{path}/messages", json={"message": "Hi"}, headers=token), 500)

    assert "secret" not in str(refused)
    assert "request failed" in caplog.text


@pytest.mark.parametrize(
    "body", [{"rating": "SENT"}, {"rating": "up", "comment": {"SENT": "SENT"}}, ["SENT"], {"rating": ["SENT"]}]
)
async def test_what_was_sent_never_comes_back(api: Any, problem: Any, body: Any) -> None:
    path, token = await api.start()
    response = await api.http.post(f"{path}/messages/greeting/feedback", json=body, headers=token)
    problem(response, 422)
    assert "SENT" not in response.text


async def test_malformed_bodies_never_come_back(api: Any) -> None:
    path, token = await api.start()
    for content_type in ("application/json", "multipart/form-data; boundary=SENT"):
        sent = token | {"Content-Type": content_type}
        response = await api.http.post(f"{path}/messages", content=b"SENT", headers=sent)
        assert response.status_code == 400
        assert "SENT" not in response.text


def test_the_table_knows_every_error_that_a_caller_can_do_something_about() -> None:
    ours = {
        errors.SupportAgentError,
        errors.RetryLater,
        errors.ConfigurationError,
        errors.IndexModelMismatch,
        errors.DocumentRejected,
        errors.TicketOpen,
    }
    tree = {cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.SupportAgentError)}
    assert set(problems.ERRORS) == tree - ours


def test_kinds_of_problem_have_one_name_each_and_are_documented() -> None:
    documented = (Path(__file__).parents[4] / "docs" / "api.md").read_text()
    kinds = {
        *problems.ERRORS.values(),
        problems.INVALID,
        problems.INTERNAL,
        *(k for k, _ in problems.PROTOCOL.values()),
    }
    assert len({kind.name for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert f"| `{kind.name}` | {kind.status} |" in documented
