"""Which function answers a request: the routes of the HTTP bindings, matched as the Functions host does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from local.runtime import Function

_PARAMETER = re.compile(r"\{(\*?)(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """`methods` is empty where every method is taken."""

    function: Function
    pattern: re.Pattern[str]
    methods: frozenset[str]
    rank: tuple[int, ...]

    @classmethod
    def of(cls, function: Function, prefix: str) -> Self:
        """Raises `ValueError` for a template with constraints or optional parts, which this host does not know."""
        template = "/".join(part for part in (prefix, function.trigger.get("route") or function.name) if part)
        expression, end = "", 0
        for parameter in _PARAMETER.finditer(template):
            expression += re.escape(template[end : parameter.start()])
            expression += f"(?P<{parameter[2]}>{'.*' if parameter[1] else '[^/]+'})"
            end = parameter.end()
        rest = template[end:]
        if "{" in rest or "{" in expression:
            raise ValueError(f"{function.name}: cannot serve the route {template!r}")
        return cls(
            function=function,
            pattern=re.compile(f"/{expression}{re.escape(rest)}/?", re.IGNORECASE | re.DOTALL),
            methods=frozenset(method.upper() for method in function.trigger.get("methods") or ()),
            rank=tuple(2 if "{*" in segment else int("{" in segment) for segment in template.split("/")),
        )


class Routes:
    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        # Segment by segment, literals are tried before parameters, and those before a rest of any length.
        self._routes = sorted((Route.of(function, prefix) for function in functions), key=lambda route: route.rank)

    def find(self, method: str, path: str) -> tuple[Function, Mapping[str, str]] | None:
        """The function and its route parameters. The method is part of the match: for the host, a known path with
        another method does not exist."""
        for route in self._routes:
            if (not route.methods or method in route.methods) and (match := route.pattern.fullmatch(path)):
                return route.function, {name: value for name, value in match.groupdict().items() if value is not None}
        return None
