import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.cache import Cache


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache = Cache[int]("test", 2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]


def test_values_of_another_version_are_dropped() -> None:
    cache = Cache[int]("test", 9)
    assert cache.get("a", version="1") is None
    cache.put("a", 1, version="1")
    assert cache.get("a", version="1") == 1
    assert cache.get("b", version="2") is None
    assert len(cache) == 0
    cache.put("a", 1, version="1")
    assert len(cache) == 0


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("12"), st.booleans()), max_size=60))
def test_a_value_is_only_given_for_its_version(steps: list[tuple[str, str, bool]]) -> None:
    cache = Cache[tuple[str, str]]("test", 3)
    for key, version, put in steps:
        if put:
            cache.put(key, (key, version), version=version)
        else:
            assert cache.get(key, version=version) in (None, (key, version))
        assert len(cache) <= 3


@pytest.mark.parametrize("key", ["", "\ud800", "my card is 4111"])
def test_keys_are_not_kept_in_clear(key: str) -> None:
    cache = Cache[int]("test", 2)
    cache.put(key, 1)
    assert cache.get(key) == 1
    assert not key or key not in str(vars(cache))
