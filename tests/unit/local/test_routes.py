from typing import Any

import pytest

from local.routes import Routes
from local.runtime import Function


def function(name: str, **trigger: Any) -> Function:
    return Function(id=name, name=name, trigger={"type": "httpTrigger", "name": "req"} | trigger)


ROUTES = Routes(
    [
        function("anything", route="{*path}"),
        function("item", route="items/{item}", methods=["GET"]),
        function("list_items", route="items", methods=["GET", "post"]),
        function("file", route="files/{folder}/{*path}"),
        function("plain"),
    ],
    prefix="",
)


@pytest.mark.parametrize(
    ("method", "path", "name", "parameters"),
    [
        ("GET", "/items/7", "item", {"item": "7"}),
        ("GET", "/items/a b", "item", {"item": "a b"}),
        ("GET", "/items", "list_items", {}),
        ("POST", "/items/", "list_items", {}),
        ("GET", "/ITEMS", "list_items", {}),
        ("GET", "/plain", "plain", {}),
        ("GET", "/files/x/y/z", "file", {"folder": "x", "path": "y/z"}),
        ("DELETE", "/items/7", "anything", {"path": "items/7"}),
        ("GET", "/", "anything", {"path": ""}),
        ("GET", "/a/b/c", "anything", {"path": "a/b/c"}),
        ("GET", "/a\nb", "anything", {"path": "a\nb"}),
    ],
)
def test_the_most_literal_route_answers(method: str, path: str, name: str, parameters: dict[str, str]) -> None:
    found = ROUTES.find(method, path)
    assert found is not None
    assert (found[0].name, found[1]) == (name, parameters)


def test_nothing_answers_an_unknown_path_or_method() -> None:
    routes = Routes([function("item", route="items/{item}", methods=["GET"])], prefix="api")
    assert routes.find("GET", "/api/items/7")
    assert routes.find("GET", "/items/7") is None
    assert routes.find("GET", "/api/items/7/8") is None
    assert routes.find("POST", "/api/items/7") is None


@pytest.mark.parametrize("route", ["items/{id:int}", "items/{id?}", "{id}/{"])
def test_a_route_this_host_does_not_know_is_refused(route: str) -> None:
    with pytest.raises(ValueError, match="cannot serve the route"):
        Routes([function("item", route=route)], prefix="")
