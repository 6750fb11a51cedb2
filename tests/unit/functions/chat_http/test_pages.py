import re
from pathlib import Path
from typing import Any

import pytest

from functions.chat_http import pages


@pytest.fixture(params=["with the samples", "as deployed"])
def home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if request.param == "as deployed":
        monkeypatch.setattr(pages, "SITE", tmp_path / "samples are not deployed")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_pages_and_all_they_load_come_from_here(api: Any, path: str) -> None:
    page = await api.http.get(path)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) >= 2
    for address in loaded:
        if address.startswith(("data:", "#")):
            continue
        assert address.startswith("/")
        response = await api.http.get(address)
        assert response.status_code == 200, address


@pytest.mark.usefixtures("home")
async def test_the_first_page_has_the_widget_and_forbids_html_from_text(api: Any) -> None:
    page = await api.http.get("/")

    assert '<script src="/widget.js"' in page.text
    policy = page.headers["content-security-policy"]
    assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_the_policy_of_a_page_allows_no_script_but_our_files(api: Any, path: str) -> None:
    page = await api.http.get(path)

    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|<style|\bstyle=", page.text)


async def test_files_are_asked_for_again_only_when_they_changed(api: Any) -> None:
    first = await api.http.get("/static/docs.js")
    assert first.headers["cache-control"] == "no-cache"
    again = await api.http.get("/static/docs.js", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


async def test_the_document_names_every_operation_once_and_all_that_can_go_wrong(api: Any) -> None:
    document = (await api.http.get("/openapi.json")).json()

    operations = [(path, method, op) for path, ops in document["paths"].items() for method, op in ops.items()]
    names = [op["operationId"] for _, _, op in operations]
    assert len(names) == len(set(names)) == 30
    for path, _, op in operations:
        assert op["description"], path
        for status, response in op["responses"].items():
            if int(status) >= 400:
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
        assert "429" in op["responses"]
        if "/{session_id}" in path:
            assert op["security"] == [{"SessionToken": []}]
            assert {"401", "403", "404"} <= set(op["responses"])
    assert set(document["components"]["securitySchemes"]) == {"SessionToken", "OperatorToken"}
    used = {tag for _, _, op in operations for tag in op["tags"]}
    assert {tag["name"] for tag in document["tags"] if tag["description"]} == used


async def test_the_document_shows_all_three_kinds_of_message(api: Any) -> None:
    document = (await api.http.get("/openapi.json")).json()
    operation = document["paths"]["/chat/sessions/{session_id}/messages"]["post"]

    content = operation["requestBody"]["content"]
    assert set(content) == {"application/json", "application/x-www-form-urlencoded", "multipart/form-data"}
    assert "attachments" in content["multipart/form-data"]["schema"]["properties"]
    assert set(operation["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}


async def test_what_the_documentation_fills_in_works_as_often_as_it_is_tried(api: Any) -> None:
    document = (await api.http.get("/openapi.json")).json()
    (start,) = document["components"]["schemas"]["StartSession"]["examples"]
    started = (await api.http.post("/chat/sessions", json=start)).raise_for_status().json()

    path = "/chat/sessions/{session_id}/messages"
    answers: set[str] = set()
    for media_type, content in document["paths"][path]["post"]["requestBody"]["content"].items():
        (message,) = content["schema"]["examples"]
        # Swagger UI fills in a form by its fields' own examples.
        filled = {
            name: field["examples"][0] for name, field in content["schema"]["properties"].items() if "examples" in field
        }
        assert filled == message, media_type
        headers = {"Authorization": f"Bearer {started['token']}"}
        for _ in range(2):
            answer = await api.http.post(path.format(**started), json=message, headers=headers)
            answers.add(answer.raise_for_status().json()["message_id"])
    assert len(answers) == 6
