import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.centre import SHARE, SPREAD, Centre, aim, common
from shared.knowledge.embedding import Vectors
from shared.knowledge.index import Chunk
from tests.fakes import InMemoryIndex


def chunk(name: str) -> Chunk:
    return Chunk(name, name, "1", name, "", 0, len(name))


def units(seed: int, number: int, *, alike: float = 0.8) -> Vectors:
    drawn = np.random.default_rng(seed).standard_normal((number, 64)) + alike
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(0, 10_000))
def test_a_distance_leaves_out_what_a_passage_has_in_common_with_all_others(seed: int) -> None:
    question, *passages = units(seed, 12)
    shared = common(np.stack(passages))
    assert shared is not None
    aimed = aim(question, shared)
    assert np.linalg.norm(aimed.vector) == pytest.approx(1, abs=1e-5)
    for passage in passages:
        expected = min(max(1 - (question @ passage - (shared @ passage - shared @ question)), 0), 2)
        assert aimed.distance(1 - float(aimed.vector @ passage)) == pytest.approx(expected, abs=1e-5)


def test_of_two_passages_as_near_the_one_that_is_less_like_all_others_is_nearer() -> None:
    question, shared = np.array([1, 0, 0], np.float32), np.array([0, 0.3, 0], np.float32)
    own, general = np.array([0.8, 0, 0.6], np.float32), np.array([0.8, 0.6, 0], np.float32)
    aimed = aim(question, shared)
    assert aimed.distance(1 - float(aimed.vector @ own)) < aimed.distance(1 - float(aimed.vector @ general))


def test_half_of_the_mean_is_common() -> None:
    passages = units(1, 400)
    assert common(passages) == pytest.approx(SHARE * passages.mean(axis=0))


def test_where_most_passages_are_nearly_the_same_less_of_their_mean_counts() -> None:
    passages = np.concatenate([units(1, 90, alike=5), units(2, 10, alike=0)])
    shared = common(passages)
    assert shared is not None
    assert np.linalg.norm(shared) < SHARE / 2 * np.linalg.norm(passages.mean(axis=0))
    assert (passages @ shared).std() == pytest.approx(SPREAD, rel=1e-3)


def test_passages_that_are_all_the_same_are_told_apart_by_nothing() -> None:
    passages = np.repeat(units(1, 1), 5, axis=0)
    assert common(passages) == pytest.approx(SHARE * passages[0])


def test_where_nothing_is_indexed_the_question_is_searched_for_as_it_is() -> None:
    [question] = units(1, 1)
    aimed = aim(question, common(np.empty((0, 0), np.float32)))
    assert np.array_equal(aimed.vector, question)
    assert aimed.distance(0.4) == pytest.approx(0.4)


async def test_what_is_common_is_read_anew_when_the_index_has_changed_and_only_then() -> None:
    index = InMemoryIndex("model")
    centre = Centre(index)
    assert await centre.now() == (await index.version(), None)

    one, other = units(1, 2)
    await index.upsert([chunk("one")], np.stack([one]))
    await index.put_records([])  # a new version
    version, shared = await centre.now()
    assert version == await index.version()
    assert shared == pytest.approx(SHARE * one)

    await index.upsert([chunk("other")], np.stack([other]))
    assert (await centre.now())[1] is shared

    await index.put_records([])
    assert (await centre.now())[1] == pytest.approx(SHARE * (one + other) / 2)
