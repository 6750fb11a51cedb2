"""The SQL that the Cosmos DB emulator understands, and what it selects."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.cosmos.errors import CosmosError
from emulators.cosmos.indexing import DEFAULT_POLICY, check_order, is_indexed
from emulators.cosmos.query import parse

ITEMS: list[dict[str, Any]] = [
    {"id": "a", "n": 1, "kind": "tea", "about": {"size": 3, "from": None}},
    {"id": "b", "n": 2, "kind": "coffee", "about": {"size": 1}},
    {"id": "c", "n": 3, "kind": "tea"},
    {"id": "d", "kind": "TEA", "n": "2"},
    {"id": "e", "n": None, "kind": True, "tags": ["x", 1]},
]


def ids(condition: str, **parameters: Any) -> str:
    rows = parse(f"SELECT * FROM c {condition}", {f"@{name}": value for name, value in parameters.items()}).run(ITEMS)
    return "".join(row["id"] for row in rows)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("", "abcde"),
        ("WHERE c.n >= 2", "bc"),
        ("WHERE c.n = '2'", "d"),
        ("WHERE c.n = null", "e"),
        ("WHERE c.n != 2", "acde"),  # another type is not the same, but is not less either
        ("WHERE c.n < '9'", "d"),
        ("WHERE NOT c.n > 1", "a"),  # undefined stays undefined
        ("WHERE c.about.size > 0", "ab"),
        ('WHERE c["about"]["size"] = 3', "a"),
        ("WHERE c.kind = 'tea' AND c.n > 1 OR c.id = 'b'", "bc"),
        ("WHERE c.kind = 'tea' AND (c.n > 1 OR c.id = 'b')", "c"),
        ("WHERE c.n IN (1, 3, '2')", "acd"),
        ("WHERE c.n NOT IN (1, 3)", "bde"),
        ("WHERE IS_DEFINED(c.about)", "ab"),
        ("WHERE IS_NULL(c.about[\"from\"])", "a"),
        ("WHERE STARTSWITH(c.kind, 'te')", "ac"),
        ("WHERE ARRAY_CONTAINS(c.tags, 1)", "e"),
        ("WHERE c.kind", "e"),
        ("WHERE c.missing = c.missing", ""),
        ("ORDER BY c.n", "eabcd"),  # null, numbers, strings
        ("ORDER BY c.n DESC", "dcbae"),
        ("WHERE c.n > 0 ORDER BY c.kind, c.id DESC", "bca"),
        ("ORDER BY c.id OFFSET 1 LIMIT 2", "bc"),
    ],
)  # fmt: skip
def test_what_a_condition_selects(condition: str, found: str) -> None:
    assert ids(condition) == found


def test_parameters_columns_and_counts() -> None:
    assert ids("WHERE c.n = @n", n=2) == "b"
    assert ids("WHERE c.kind IN (@a, @b)", a="coffee", b="TEA") == "bd"
    assert parse("SELECT TOP @n c.id, c.about.size AS s FROM c", {"@n": 3}).run(ITEMS) == [
        {"id": "a", "s": 3},
        {"id": "b", "s": 1},
        {"id": "c"},
    ]
    assert parse("SELECT VALUE x.n FROM x WHERE x.n >= 1 ORDER BY x.n DESC", {}).run(ITEMS) == [3, 2, 1]
    assert parse("select value count(1) from c where c.kind = 'tea'", {}).run(ITEMS) == [2]
    assert ids("WHERE c.id = @text", text="' OR true OR c.id = '") == ""  # a value is no query


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT",
        "SELECT * FROM",
        "SELEC * FROM c",
        "SELECT * FROM c WHERE",
        "SELECT * FROM c WHERE c.n >",
        "SELECT * FROM c WHERE (c.n = 1",
        "SELECT * FROM c WHERE c.n = @missing",
        "SELECT * FROM c WHERE d.n = 1",
        "SELECT * FROM c WHERE NOSUCH(c.n)",
        "SELECT * FROM c ORDER BY 1",
        "SELECT TOP -1 * FROM c",
        "SELECT * FROM c; DROP",
        "SELECT * FROM c extra",
    ],
)
def test_what_is_no_query_is_a_bad_request(text: str) -> None:
    with pytest.raises(CosmosError) as refused:
        parse(text, {})
    assert refused.value.status == 400


@given(st.text(alphabet="SELECT*FROMWHEctopn.'\"()=<>@ 019,", max_size=60))
def test_any_text_is_a_query_or_a_bad_request(text: str) -> None:
    with contextlib.suppress(CosmosError):
        parse(f"SELECT * FROM c WHERE {text}", {}).run(ITEMS)


VALUES = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2)


@given(VALUES, VALUES)
def test_a_comparison_and_its_negation_never_both_hold(left: Any, right: Any) -> None:
    item = {"id": "x", "l": left, "r": right}
    for sign in ("=", "!=", "<", "<=", ">", ">="):
        holds = parse(f"SELECT * FROM c WHERE c.l {sign} c.r", {}).run([item])
        fails = parse(f"SELECT * FROM c WHERE NOT (c.l {sign} c.r)", {}).run([item])
        assert len(holds) + len(fails) <= 1
    equal = parse("SELECT * FROM c WHERE c.l = c.r", {}).run([item])
    assert bool(equal) == (left == right and type(left) is type(right))


def test_an_order_needs_its_index() -> None:
    policy = {
        "includedPaths": [{"path": "/n/?"}, {"path": "/about/*"}],
        "excludedPaths": [{"path": "/*"}, {"path": "/about/secret/?"}],
        "compositeIndexes": [[{"path": "/n", "order": "ascending"}, {"path": "/id", "order": "ascending"}]],
    }
    served = ["c.n", "c.about.size DESC", "c.n, c.id", "c.n DESC, c.id DESC"]
    refused = ["c.kind", "c.about.secret", "c.id, c.n", "c.n, c.id DESC", "c.n, c.id, c.kind"]
    for order in served:
        check_order(parse(f"SELECT * FROM c ORDER BY {order}", {}).order, policy)
    for order in refused:
        with pytest.raises(CosmosError):
            check_order(parse(f"SELECT * FROM c ORDER BY {order}", {}).order, policy)
    assert is_indexed("/anything/at/all", DEFAULT_POLICY)
