"""The SQL of Cosmos DB's NoSQL API, as far as this product uses it.

    SELECT [TOP n] * | VALUE COUNT(1) | VALUE path | path [AS name] | VectorDistance(path, vector) AS name, …
    FROM c [WHERE condition] [ORDER BY path [ASC|DESC], …] [OFFSET n LIMIT n]
    FROM c [WHERE condition] ORDER BY VectorDistance(path, vector)

Conditions: `= != < <= > >=`, `[NOT] IN (…)`, AND, OR, NOT, parentheses, parameters, and the functions of `FUNCTIONS`.
What is absent is `UNDEFINED`, and a comparison between different types is too; only what is true is selected.
https://learn.microsoft.com/azure/cosmos-db/nosql/query/
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from emulators.cosmos.errors import bad_request
from emulators.cosmos.vectors import NEAREST_FIRST, VectorPolicy

type Item = Mapping[str, Any]
type Expression = Callable[[Item], Any]


class _Undefined:
    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = _Undefined()
MERGED = "/* the client merges */ "
"""Put before a query by the plan for it: see `Query.merged`. Azure rewrites the query itself."""
_TOKEN = re.compile(
    r"""\s*(?: (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?) | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
        | (?P<parameter>@\w+) | (?P<word>[A-Za-z_]\w*) | (?P<sign><=|>=|!=|<>|[=<>()*,.\[\]]) )""",
    re.VERBOSE,
)
_RESERVED = frozenset("SELECT TOP VALUE FROM WHERE ORDER BY ASC DESC OFFSET LIMIT AND OR NOT IN AS".split())
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_KINDS = ((bool, 2), (int, 3), (float, 3), (str, 4), (list, 5), (dict, 6))


def _kind(value: Any) -> int:
    """The order of types in Cosmos DB: undefined, null, booleans, numbers, strings, arrays, objects."""
    if value is UNDEFINED:
        return 0
    return next((rank for kind, rank in _KINDS if isinstance(value, kind)), 1)


def _compare(sign: str, left: Any, right: Any) -> Any:
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    if _kind(left) != _kind(right):
        return {"=": False, "!=": True, "<>": True}.get(sign, UNDEFINED)
    if left is None and sign not in ("=", "!=", "<>"):
        return sign in ("<=", ">=")
    return _COMPARISONS[sign](left, right)


def _starts_with(text: Any, start: Any) -> Any:
    return text.startswith(start) if isinstance(text, str) and isinstance(start, str) else UNDEFINED


def _contains(text: Any, part: Any) -> Any:
    return part in text if isinstance(text, str) and isinstance(part, str) else UNDEFINED


def _array_contains(array: Any, value: Any) -> Any:
    return any(_compare("=", one, value) is True for one in array) if isinstance(array, list) else UNDEFINED


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "IS_DEFINED": lambda value: value is not UNDEFINED,
    "IS_NULL": lambda value: value is None,
    "STARTSWITH": _starts_with,
    "CONTAINS": _contains,
    "ARRAY_CONTAINS": _array_contains,
}


@dataclass(frozen=True, slots=True)
class Order:
    path: str
    """As in an indexing policy: /document/created_at"""
    value: Expression
    descending: bool
    by_distance: bool = False
    """By `VectorDistance` from there; nearest first, whichever number is nearest."""


@dataclass(slots=True)
class Query:
    """A parsed query. `columns` is None for `*`; `value` says that a row is its only column."""

    columns: Sequence[tuple[str, Expression]] | None = None
    value: bool = False
    count: bool = False
    where: Expression | None = None
    order: Sequence[Order] = field(default_factory=list[Order])
    offset: int = 0
    limit: int | None = None
    merged: bool = False
    """The client puts the rows of all partitions in order: each comes with what it is ordered by."""

    @property
    def by_distance(self) -> bool:
        return any(order.by_distance for order in self.order)

    def run(self, items: Iterable[Item]) -> list[Any]:
        if not self.merged:
            return self.select(items)
        by = self.order[0].value
        found = replace(self, columns=None, value=False, merged=False).select(items)
        rows = replace(self, where=None, order=(), offset=0, limit=None).select(found)
        return [
            {"_rid": item["_rid"], "orderByItems": [{"item": by(item)}], "payload": row}
            for item, row in zip(found, rows, strict=True)
        ]

    def select(self, items: Iterable[Item]) -> list[Any]:
        rows = [item for item in items if self.where is None or self.where(item) is True]
        if self.by_distance:
            rows = [item for item in rows if self.order[0].value(item) is not UNDEFINED]
        for order in reversed(self.order):
            rows.sort(key=lambda item: _sort_key(order.value(item)), reverse=order.descending)
        rows = rows[self.offset : None if self.limit is None else self.offset + self.limit]
        if self.count:
            return [len(rows)]
        if self.columns is None:
            return list(rows)
        made = [{name: read(item) for name, read in self.columns} for item in rows]
        defined = [{name: value for name, value in row.items() if value is not UNDEFINED} for row in made]
        return [next(iter(row.values())) for row in defined if row] if self.value else defined


def _sort_key(value: Any) -> tuple[int, Any]:
    kind = _kind(value)
    return kind, (value if kind in (2, 3, 4) else 0)


def parse(text: str, parameters: Mapping[str, Any], vectors: VectorPolicy | None = None) -> Query:
    """`vectors` is the container's policy for them. Raises `CosmosError` 400 for what is no such query."""
    query = _Parser(text.removeprefix(MERGED), parameters, vectors or VectorPolicy()).query()
    query.merged = text.startswith(MERGED)
    return query


class _Parser:
    """Recursive descent; an expression becomes a function of an item."""

    def __init__(self, text: str, parameters: Mapping[str, Any], vectors: VectorPolicy) -> None:
        self._parameters = parameters
        self._vectors = vectors
        self._tokens = list(_tokens(text))
        self._at = 0
        self._alias = "c"

    def query(self) -> Query:
        query = Query()
        self._need("SELECT")
        if self._take("TOP"):
            query.limit = self._number()
        start = self._at
        while self._peek() not in ("FROM", ""):  # the alias is named after what it is used in
            self._at += 1
        self._need("FROM")
        self._alias = self._next()[1]
        after, self._at = self._at, start
        self._selection(query)
        self._need("FROM")
        self._at = after
        if self._take("WHERE"):
            query.where = self._or()
        if self._take("ORDER"):
            self._need("BY")
            query.order = self._list(self._order)
        if self._take("OFFSET"):
            query.offset = self._number()
            self._need("LIMIT")
            query.limit = self._number()
        if self._peek():
            raise self._wrong()
        if query.by_distance:
            if len(query.order) > 1:
                raise bad_request("ORDER BY VectorDistance cannot be combined with another order.")
            if query.limit is None:
                raise bad_request("A vector search needs TOP or LIMIT.")
        return query

    def _selection(self, query: Query) -> None:
        if self._take("*"):
            return
        query.value = self._take("VALUE")
        if query.value and self._peek() == "COUNT":
            self._at += 1
            for sign in ("(", "1", ")"):
                self._need(sign)
            query.count = True
            return
        query.columns = self._list(self._column)

    def _column(self) -> tuple[str, Expression]:
        if self._is_distance():
            _, _, distance = self._distance()
            return (self._next()[1] if self._take("AS") else "$1"), distance
        path, read = self._path()
        return (self._next()[1] if self._take("AS") else path.rsplit("/", 1)[-1]), read

    def _order(self) -> Order:
        if self._is_distance():
            path, descending, distance = self._distance()
            if self._peek() in ("ASC", "DESC"):
                raise bad_request("ORDER BY VectorDistance takes no ASC or DESC.")
            return Order(path, distance, descending, by_distance=True)
        path, read = self._path()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        return Order(path, read, descending)

    # ---- vectors
    def _is_distance(self) -> bool:
        return self._peek().upper() == "VECTORDISTANCE"

    def _distance(self) -> tuple[str, bool, Expression]:
        """The path of the vectors, whether the highest number is the nearest, and the number for an item."""
        self._next()
        self._need("(")
        path, read = self._path()
        self._need(",")
        wanted = self._operand()({})
        if self._take(","):  # whether to search without the index: here all are compared anyway
            self._operand()
        self._need(")")
        name = self._vectors.function(path, wanted)
        return path, NEAREST_FIRST[name], lambda item: self._vectors.similarity(name, read(item), wanted, UNDEFINED)

    # ---- conditions
    def _or(self) -> Expression:
        sides = [self._and()]
        while self._take("OR"):
            sides.append(self._and())
        return sides[0] if len(sides) == 1 else lambda item: _either(item, sides)

    def _and(self) -> Expression:
        sides = [self._not()]
        while self._take("AND"):
            sides.append(self._not())
        return sides[0] if len(sides) == 1 else lambda item: _both(item, sides)

    def _not(self) -> Expression:
        if not self._take("NOT"):
            return self._comparison()
        inner = self._not()
        return lambda item: _negated(inner(item))

    def _comparison(self) -> Expression:
        left = self._operand()
        negated = self._take("NOT")
        if self._take("IN"):
            self._need("(")
            members = self._list(self._operand)
            self._need(")")
            found: Expression = lambda item: _either(item, [_equals(left, member) for member in members])  # noqa: E731
            return (lambda item: _negated(found(item))) if negated else found
        if (sign := self._peek()) not in _COMPARISONS:
            return left
        self._at += 1
        right = self._operand()
        return lambda item: _compare(sign, left(item), right(item))

    def _operand(self) -> Expression:
        kind, text = self._next()
        if kind == "number":
            number = json.loads(text)
            return lambda _: number
        if kind == "string":
            string = json.loads('"' + re.sub(r'(?<!\\)"', r"\"", text[1:-1]).replace("\\'", "'") + '"')
            return lambda _: string
        if kind == "parameter":
            if text not in self._parameters:
                raise bad_request(f"The query names a parameter that was not given: {text}.")
            value = self._parameters[text]
            return lambda _: value
        if text == "(":
            inner = self._or()
            self._need(")")
            return inner
        constants = {"TRUE": True, "FALSE": False, "NULL": None, "UNDEFINED": UNDEFINED}
        if text.upper() in constants:
            return lambda _: constants[text.upper()]
        if kind == "word" and self._peek() == "(":
            return self._call(text)
        self._at -= 1
        return self._path()[1]

    def _call(self, name: str) -> Expression:
        if (function := FUNCTIONS.get(name.upper())) is None:
            raise bad_request(f"'{name}' is not a recognized built-in function name.")
        self._need("(")
        arguments = self._list(self._operand)
        self._need(")")
        return lambda item: function(*(argument(item) for argument in arguments))

    def _path(self) -> tuple[str, Expression]:
        if self._next() != ("word", self._alias):
            self._at -= 1
            raise self._wrong()
        names: list[str] = []
        while True:
            if self._take("."):
                names.append(self._next()[1])
            elif self._take("["):
                names.append(self._next()[1][1:-1])
                self._need("]")
            else:
                return "/" + "/".join(names), lambda item: value_at(item, names)

    # ---- tokens
    def _list[T](self, read: Callable[[], T]) -> list[T]:
        values = [read()]
        while self._take(","):
            values.append(read())
        return values

    def _number(self) -> int:
        value = self._operand()({})
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
            raise bad_request("TOP, OFFSET and LIMIT take a number that is not negative.")
        return int(value)

    def _peek(self) -> str:
        """The next token; a reserved word in capitals; '' at the end."""
        if self._at == len(self._tokens):
            return ""
        kind, text = self._tokens[self._at]
        return text.upper() if kind == "word" and (text.upper() in _RESERVED or text.upper() == "COUNT") else text

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise self._wrong()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, token: str) -> bool:
        found = self._peek() == token
        self._at += found
        return found

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise self._wrong()

    def _wrong(self) -> Exception:
        near = " ".join(text for _, text in self._tokens[self._at : self._at + 3]) or "the end"
        return bad_request(f"Syntax error, incorrect syntax near '{near}'.")


def value_at(item: Item, names: Iterable[str]) -> Any:
    """What an item has at a path; `UNDEFINED` if it has nothing there."""
    value: Any = item
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            return UNDEFINED
        value = value[name]
    return value


def _tokens(text: str) -> Iterable[tuple[str, str]]:
    at, text = 0, text.rstrip()
    while at < len(text):
        if (match := _TOKEN.match(text, at)) is None:
            raise bad_request(f"Syntax error, incorrect syntax near '{text[at : at + 10]}'.")
        at = match.end()
        kind = match.lastgroup or ""
        yield kind, match[kind]


def _equals(left: Expression, right: Expression) -> Expression:
    return lambda item: _compare("=", left(item), right(item))


def _either(item: Item, sides: Iterable[Expression]) -> Any:
    values = [side(item) for side in sides]
    return True if _has(values, True) else False if all(value is False for value in values) else UNDEFINED


def _both(item: Item, sides: Iterable[Expression]) -> Any:
    values = [side(item) for side in sides]
    return False if _has(values, False) else True if all(value is True for value in values) else UNDEFINED


def _has(values: Iterable[Any], wanted: bool) -> bool:
    """By identity: 1 is not true."""
    return any(value is wanted for value in values)


def _negated(value: Any) -> Any:
    return (not value) if isinstance(value, bool) else UNDEFINED
