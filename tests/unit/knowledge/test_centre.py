import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.centre import SHARE, Centre, aim
from shared.knowledge.embedding import Vectors
from shared.knowledge.index import Chunk
from tests.fakes import InMemoryIndex


def chunk(name: str) -> Chunk:
    return Chunk(name, name, "1", name, "", 0, len(name))


def units(seed: int, number: int) -> Vectors:
    drawn = np.random.default_rng(seed).standard_normal((number, 8)) + 0.8
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(0, 10_000))
def test_a_distance_counts_what_a_passage_has_in_common_with_all_others_by_half(seed: int) -> None:
    question, *passages = units(seed, 12)
    mean = np.mean(passages, axis=0, dtype=np.float32)
    aimed = aim(question, mean)
    assert np.linalg.norm(aimed.vector) == pytest.approx(1, abs=1e-5)
    for passage in passages:
        common = SHARE * (mean @ passage - mean @ question)
        expected = min(max(1 - (question @ passage - common), 0), 2)
        assert aimed.distance(1 - float(aimed.vector @ passage)) == pytest.approx(expected, abs=1e-5)


def test_of_two_passages_as_near_the_one_that_is_less_like_all_others_is_nearer() -> None:
    question, mean = np.array([1, 0, 0], np.float32), np.array([0, 0.6, 0], np.float32)
    own, general = np.array([0.8, 0, 0.6], np.float32), np.array([0.8, 0.6, 0], np.float32)
    aimed = aim(question, mean)
    assert aimed.distance(1 - float(aimed.vector @ own)) < aimed.distance(1 - float(aimed.vector @ general))


def test_without_a_mean_the_question_is_searched_for_as_it_is() -> None:
    [question] = units(1, 1)
    aimed = aim(question, None)
    assert np.array_equal(aimed.vector, question)
    assert aimed.distance(0.4) == pytest.approx(0.4)


async def test_the_mean_is_read_anew_when_the_index_has_changed_and_only_then() -> None:
    index = InMemoryIndex("model")
    centre = Centre(index)
    assert await centre.now() == (await index.version(), None)

    one, other = units(1, 2)
    await index.upsert([chunk("one")], np.stack([one]))
    await index.put_records([])  # a new version
    version, mean = await centre.now()
    assert version == await index.version()
    assert mean == pytest.approx(one)

    await index.upsert([chunk("other")], np.stack([other]))
    assert (await centre.now())[1] is mean

    await index.put_records([])
    assert (await centre.now())[1] == pytest.approx((one + other) / 2)
