import base64
import hashlib
from typing import Any

import pytest

from functions.chat_http.widget import FOLDER, LANGUAGES, read

SCRIPT = (FOLDER / "widget.js").read_bytes()
VERSION = hashlib.sha256(SCRIPT).hexdigest()[:16]
PINNED = f"/widget/{VERSION}/widget.js"


@pytest.mark.parametrize("path", ["/widget.js", PINNED])
async def test_pages_of_any_site_may_load_the_script(make_api: Any, path: str) -> None:
    api = make_api(allowed_origins="https://shop.example")
    for origin, allowed in (("https://anybody.example", "*"), ("https://shop.example", "https://shop.example")):
        response = await api.http.get(path, headers={"Origin": origin})
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/javascript")
        assert response.headers["access-control-allow-origin"] == allowed
        assert response.headers["cross-origin-resource-policy"] == "cross-origin"
        assert response.content == SCRIPT


async def test_the_present_version_is_asked_for_again_and_sent_only_if_it_changed(api: Any) -> None:
    first = await api.http.get("/widget.js")
    assert first.headers["cache-control"] == "public, max-age=300, must-revalidate"
    assert {"Accept-Encoding", "Origin"} <= {part.strip() for part in first.headers["vary"].split(",")}
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}'):
        again = await api.http.get("/widget.js", headers={"If-None-Match": known})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == first.headers["etag"]
    assert (await api.http.get("/widget.js", headers={"If-None-Match": '"other"'})).status_code == 200


async def test_a_version_of_its_own_address_never_changes(api: Any, problem: Any) -> None:
    assert "immutable" in (await api.http.get(PINNED)).headers["cache-control"]
    problem(await api.http.get("/widget/0123456789abcdef/widget.js"), 404)


async def test_it_is_sent_compressed_to_those_who_can_read_that(api: Any) -> None:
    plain = await api.http.get("/widget.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    zipped = await api.http.get("/widget.js", headers={"Accept-Encoding": "br, GZIP"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.headers["etag"] != plain.headers["etag"]
    assert int(zipped.headers["content-length"]) < len(plain.content) / 2
    assert zipped.content == plain.content


async def test_the_head_alone_can_be_had(api: Any) -> None:
    response = await api.http.head("/widget.js", headers={"Accept-Encoding": "identity"})
    assert response.status_code == 200
    assert response.headers["etag"]


async def test_texts_are_sent_in_each_language_and_no_other_file_is(api: Any, problem: Any) -> None:
    assert sorted(LANGUAGES) == ["de", "es", "fr", "ja", "pt"]
    for language in LANGUAGES:
        response = await api.http.get(f"/widget/texts/{language}.json", headers={"Origin": "https://anybody.example"})
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.json()["send"]
    for name in ("en", "..%2Fwidget", "xx"):
        problem(await api.http.get(f"/widget/texts/{name}.json"), 404)


def test_the_integrity_is_that_of_the_script() -> None:
    assert read("widget.js").integrity == "sha384-" + base64.b64encode(hashlib.sha384(SCRIPT).digest()).decode()
