"""Bicep files as data: what a test can compare with the code without Azure's compiler.

Literals become Python values, and so does what `loadJsonContent` reads; a `for` over a list that is written out, or
named by a variable, becomes a list; whatever needs a deployment stays an `Expression`, its text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "bicep"
_PARSER = Parser(Language(tree_sitter_bicep.language()))


class Expression(str):
    """What only a deployment knows."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """`kind`: param, var, resource, module or output; `type` of a resource is without its API version."""

    kind: str
    name: str
    type: str
    body: Any
    text: str


class File:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = _PARSER.parse(path.read_bytes())
        assert not self.tree.root_node.has_error, f"{path}: syntax error"
        self.variables: dict[str, Any] = {}
        self.declarations = list(self._declarations())

    def of(self, kind: str) -> dict[str, Declaration]:
        return {declared.name: declared for declared in self.declarations if declared.kind == kind}

    def resources(self, type_: str) -> list[Declaration]:
        return [found for found in self.of("resource").values() if found.type == type_]

    def _declarations(self) -> Iterator[Declaration]:
        for node in self.tree.root_node.named_children:
            kind = node.type.removesuffix("_declaration").removesuffix("eter").removesuffix("iable")
            identifiers = [child for child in node.named_children if child.type == "identifier"]
            if not identifiers or kind not in ("param", "var", "resource", "module", "output"):
                continue
            strings = [child for child in node.named_children if child.type == "string"]
            type_ = _text(strings[0]).strip("'").partition("@")[0] if kind in ("resource", "module") else ""
            value = self.value(node.named_children[-1], {})
            name = _text(identifiers[0])
            if kind == "var":
                self.variables[name] = value
            yield Declaration(kind, name, type_, value, _text(node))

    def value(self, node: Node, bound: Mapping[str, Any]) -> Any:  # noqa: PLR0912
        match node.type:
            case "object":
                return dict(self._properties(node, bound))
            case "array":
                return [self.value(child, bound) for child in node.named_children if child.type != "comment"]
            case "number":
                return int(_text(node))
            case "unary_expression" if _text(node).lstrip("-").isdigit():
                return int(_text(node))
            case "boolean":
                return _text(node) == "true"
            case "string":
                return self._string(node, bound)
            case "identifier" if _text(node) in bound:
                return bound[_text(node)]
            case "identifier" if _text(node) in self.variables:
                return self.variables[_text(node)]
            case "member_expression":
                return self._member(node, bound)
            case "for_statement":
                return self._each(node, bound)
            case "if_statement":
                return self.value(node.named_children[-1], bound)
            case "parenthesized_expression":
                return self.value(node.named_children[-1], bound)
            case "call_expression" if _text(node.named_children[0]) in ("union", "concat"):
                return [self.value(argument, bound) for argument in node.named_children[1].named_children]
            case "call_expression" if _text(node.named_children[0]) == "loadJsonContent":
                name = _text(node.named_children[1].named_children[0]).strip("'")
                return json.loads((self.path.parent / name).read_text())
            case _:
                return Expression(_text(node))

    def _properties(self, node: Node, bound: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for child in node.named_children:
            if child.type == "object_property":
                key = child.named_children[0]
                yield _text(key).strip("'"), self.value(child.named_children[-1], bound)

    def _string(self, node: Node, bound: Mapping[str, Any]) -> str:
        parts: list[str] = []
        for child in node.named_children:
            if child.type == "interpolation":
                inner = self.value(child.named_children[0], bound)
                if isinstance(inner, Expression) or not isinstance(inner, str | int):
                    return Expression(_text(node).strip("'"))
                parts.append(str(inner))
            else:
                parts.append(_text(child))
        return "".join(parts)

    def _member(self, node: Node, bound: Mapping[str, Any]) -> Any:
        owner = self.value(node.named_children[0], bound)
        name = _text(node.named_children[-1])
        return owner[name] if isinstance(owner, dict) and name in owner else Expression(_text(node))

    def _each(self, node: Node, bound: Mapping[str, Any]) -> Any:
        variable, over, body = _loop(node)
        items = self.value(over, bound)
        if not isinstance(items, list):
            return Expression(_text(node))
        return [self.value(body, {**bound, variable: item}) for item in items]


def _loop(node: Node) -> tuple[str, Node, Node]:
    """The variable, what it goes over, and the body of a `for`."""
    named = [child for child in node.named_children if child.type != "comment"]
    first = named[0]
    variable = _text(first.named_children[0]) if first.type == "for_loop_parameters" else _text(first)
    return variable, named[1], named[-1]


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def modules() -> dict[str, File]:
    """Every file of the folder, by its name."""
    return {path.stem: File(path) for path in sorted(FOLDER.rglob("*.bicep"))}
