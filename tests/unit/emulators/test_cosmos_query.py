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
from emulators.cosmos.vectors import VectorPolicy, check_vectors

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
        ("WHERE CONTAINS(c.kind, 'ff')", "b"),
        ("WHERE NOT CONTAINS(c.kind, 'e')", "d"),  # case counts
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
        "SELECT TOP 01 * FROM c",
        "SELECT TOP 9 * FROM c ORDER BY VectorDistance(c.missing, @vector)",
        "SELECT * FROM c; DROP",
        "SELECT * FROM c extra",
    ],
)
def test_what_is_no_query_is_a_bad_request(text: str) -> None:
    with pytest.raises(CosmosError) as refused:
        parse(text, {"@vector": [1, 0]})
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


# ---- vectors
PLACES: list[dict[str, Any]] = [
    {"id": "far", "at": [-1, 0], "team": "x"},
    {"id": "near", "at": [5, 1], "team": "x"},
    {"id": "same", "at": [2, 0], "team": "y"},
    {"id": "short", "at": [2]},
    {"id": "none"},
]


def policy(function: str) -> VectorPolicy:
    embedding = {"path": "/at", "dataType": "float32", "dimensions": 2, "distanceFunction": function}
    return VectorPolicy.of({"vectorEmbeddingPolicy": {"vectorEmbeddings": [embedding]}})


def nearest(query: str, function: str = "cosine", vector: object = (1, 0)) -> list[Any]:
    given = {"@vector": list(vector) if isinstance(vector, tuple) else vector, "@limit": 9}
    return parse(query, given, policy(function)).run(PLACES)


@pytest.mark.parametrize(
    ("function", "found"),
    [
        ("cosine", [("same", 1.0), ("near", 0.98058), ("far", -1.0)]),
        ("dotproduct", [("near", 5.0), ("same", 2.0), ("far", -1.0)]),
        ("euclidean", [("same", 1.0), ("far", 2.0), ("near", 4.12311)]),
    ],
)
def test_the_nearest_come_first_whatever_number_that_is(function: str, found: list[tuple[str, float]]) -> None:
    query = "SELECT TOP @limit c.id, VectorDistance(c.at, @vector) AS d FROM c ORDER BY VectorDistance(c.at, @vector)"
    rows = nearest(query, function)
    assert [row["id"] for row in rows] == [name for name, _ in found]
    assert [row["d"] for row in rows] == pytest.approx([number for _, number in found], abs=1e-5)


def test_a_condition_narrows_a_vector_search() -> None:
    where = "WHERE c.team = 'x' ORDER BY VectorDistance(c.at, @vector, false)"
    assert [row["id"] for row in nearest(f"SELECT TOP 1 * FROM c {where}")] == ["near"]
    assert [row["id"] for row in nearest(f"SELECT * FROM c {where} OFFSET 1 LIMIT 1")] == ["far"]


@pytest.mark.parametrize(
    ("query", "vector"),
    [
        ("SELECT * FROM c ORDER BY VectorDistance(c.at, @vector)", (1, 0)),  # without TOP
        ("SELECT TOP 9 * FROM c ORDER BY VectorDistance(c.at, @vector) DESC", (1, 0)),
        ("SELECT TOP 9 * FROM c ORDER BY VectorDistance(c.at, @vector), c.id", (1, 0)),
        ("SELECT TOP 9 * FROM c ORDER BY VectorDistance(c.other, @vector)", (1, 0)),
        ("SELECT TOP 9 * FROM c ORDER BY VectorDistance(c.at, @vector)", (1, 0, 0)),
        ("SELECT TOP 9 * FROM c ORDER BY VectorDistance(c.at, @vector)", ("1", "0")),
        ("SELECT TOP 9 * FROM c ORDER BY VectorDistance(c.at, @vector)", "1,0"),
    ],
)
def test_a_wrong_vector_search_is_a_bad_request(query: str, vector: object) -> None:
    with pytest.raises(CosmosError) as refused:
        nearest(query, vector=vector)
    assert refused.value.status == 400


def container(kind: str = "diskANN", **changes: Any) -> dict[str, Any]:
    embedding = {"path": "/at", "dataType": "float32", "dimensions": 384, "distanceFunction": "cosine", **changes}
    return {
        "vectorEmbeddingPolicy": {"vectorEmbeddings": [embedding]},
        "indexingPolicy": {"vectorIndexes": [{"path": "/at", "type": kind}]},
    }


@pytest.mark.parametrize(
    "wrong",
    [
        container("flat", dimensions=506),
        container("hnsw"),
        container(dimensions=4097),
        container(dimensions=0),
        container(dataType="float64"),
        container(distanceFunction="manhattan"),
        container(path="/other"),
        container(path="/at/*"),
        {"indexingPolicy": {"vectorIndexes": [{"path": "/at", "type": "flat"}]}},
    ],
)
def test_a_container_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(CosmosError) as refused:
        check_vectors(wrong)
    assert refused.value.status == 400


def test_what_a_container_says_of_its_vectors_is_for_good() -> None:
    for kind, dimensions in (("flat", 505), ("quantizedFlat", 4096), ("diskANN", 4096)):
        made = container(kind, dimensions=dimensions)
        check_vectors(made)
        check_vectors(made, made)
        with pytest.raises(CosmosError, match="cannot be changed"):
            check_vectors(container(kind, dimensions=dimensions - 1), made)
