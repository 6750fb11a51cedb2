"""HTTP through the genuine runtime: what streams, who hangs up, what is refused."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.runtime.hosted import Hosted, eventually, serving


@pytest.fixture(scope="module")
def streaming_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with serving(tmp_path_factory.mktemp("app") / "record", "streaming") as app:
        yield app


@pytest.fixture
def app(streaming_app: Hosted) -> Hosted:
    with streaming_app.client() as client:
        client.post("/reset")
    return streaming_app


def test_a_chunk_arrives_while_the_handler_still_runs(app):
    with app.client() as client, app.client() as other:
        with client.stream("GET", "/two-chunks") as response:
            lines = response.iter_lines()
            assert next(lines) == "first"
            other.post("/open")
            assert list(lines) == ["second"]
        assert response.headers["content-type"].startswith("text/event-stream")


def test_an_upload_arrives_as_it_is_sent(app):
    with app.client() as client:
        with socket.create_connection(("127.0.0.1", app.port)) as connection:
            connection.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
            assert eventually(lambda: "uploaded 5" in client.get("/seen").json())
            connection.sendall(b"67890")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert "uploaded 10" in client.get("/seen").json()


def test_a_reader_that_leaves_is_noticed_and_ends_no_task(app):
    with app.client() as client:
        with app.client() as reader, reader.stream("GET", "/endless") as response:
            assert next(response.iter_lines()) == "first"
        assert eventually(lambda: "reader left" in client.get("/seen").json())
        client.post("/open")
        assert eventually(lambda: "task finished" in client.get("/seen").json())


def test_a_client_that_leaves_before_the_answer_is_noticed(app):
    with app.client() as client:
        with socket.create_connection(("127.0.0.1", app.port)) as connection:
            connection.sendall(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
            assert eventually(lambda: "waiting" in client.get("/seen").json())
        assert eventually(lambda: "client left" in client.get("/seen").json())


def test_requests_of_clients_that_leave_at_once_arrive_nevertheless(app):
    with app.client() as client:
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", app.port)) as connection:
                connection.sendall(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
        assert eventually(lambda: client.get("/seen").json().count("client left") == 50)


def test_an_error_shows_neither_its_text_nor_its_place(host):
    with host("streaming") as app, app.client() as client:
        failed = client.get("/fails")
        assert failed.status_code == 500
        with pytest.raises(httpx.RemoteProtocolError), client.stream("GET", "/fails-midway") as response:
            assert "".join(response.iter_text()) == "never gets here"
        errors = app.stop()
    assert "secret" not in failed.text + errors
    assert "Traceback" not in failed.text + errors
    entries = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    failures = [entry for entry in entries if entry["message"] == "request failed"]
    assert [entry["answered"] for entry in failures] == [True, True]
    assert all(entry["error"] == "RuntimeError" and entry["invocation_id"] for entry in failures)


def test_the_lifespan_starts_once_and_its_state_reaches_requests(app):
    with app.client() as client:
        states = [client.get("/scope/x").json()["state"] for _ in range(3)]
    assert states == [{"starts": [1]}] * 3


def test_the_request_arrives_as_it_was_sent(app):
    with app.client() as client:
        scope = client.get(
            "/scope/a%20b/c?q=1&q=%C3%A4", headers={"X-Forwarded-For": "203.0.113.9", "X-Ms-Invocation-Id": "forged"}
        ).json()
    assert scope["path"] == "/scope/a b/c"
    assert scope["raw_path"] == "/scope/a%20b/c"
    assert scope["query_string"] == "q=1&q=%C3%A4"
    assert scope["root_path"] == ""
    assert scope["own app"] is True
    assert scope["headers"]["host"] == f"127.0.0.1:{app.port}"
    assert scope["headers"]["x-ms-invocation-id"] != "forged"
    forwarded = scope["headers"]["x-forwarded-for"].split(", ")
    assert forwarded[0] == "203.0.113.9"
    assert forwarded[1].startswith("127.0.0.1:")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_every_method_passes(app, method):
    with app.client() as client:
        response = client.request(method, "/scope/x")
    assert response.status_code == 200
    assert response.content == b"" if method == "HEAD" else response.json()["method"] == method


def test_unknown_paths_and_methods_do_not_exist(host):
    with host("routes") as app, app.client() as client:
        assert client.get("/items/7").json() == {"item": "7"}
        assert [client.get(path).status_code for path in ("/", "/items", "/items/7/8")] == [404, 404, 404]
        assert client.post("/items/7").status_code == 404
        failed = client.get("/fails")
        errors = app.stop()
    assert (failed.status_code, failed.text) == (500, "Internal Server Error")
    assert "fails failed: RuntimeError" in errors


def test_a_body_over_the_limit_is_refused_before_it_is_read(app):
    with socket.create_connection(("127.0.0.1", app.port)) as connection:
        connection.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def exchanged(app: Hosted, header: bytes) -> bytes:
    """The answer to a request with this line, which clients would not send."""
    with socket.create_connection(("127.0.0.1", app.port)) as connection:
        connection.sendall(b"GET /scope/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + b"\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_blanks_around_a_header_are_no_part_of_it(app):
    head, body = exchanged(app, b"Authorization: \t Bearer \t").split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b'"authorization":"Bearer"' in body.replace(b" ", b"")


@pytest.mark.parametrize("value", [b"a\x00b", b"a\x01b", b"a\x7fb", b"a\rb"])
def test_a_header_with_control_characters_is_the_clients_fault(app, value):
    assert exchanged(app, b"X-Header: " + value).startswith(b"HTTP/1.1 400")


def test_many_requests_at_once(app):
    with app.client() as client:
        streams = [client.stream("GET", "/two-chunks") for _ in range(30)]
        responses = [stream.__enter__() for stream in streams]
        client.post("/open")
        assert [response.read() for response in responses] == [b"first\nsecond\n"] * 30
        for stream in streams:
            stream.__exit__(None, None, None)


def test_a_classic_function_beside_a_streaming_one_is_refused(host):
    with host("mixed") as app:
        assert "classic" in app.hello["error"]


def test_an_app_without_functions_is_refused(host):
    with host("empty") as app:
        assert "has no functions" in app.hello["error"]
