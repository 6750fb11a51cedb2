import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.filters import FILTERS, admits, values

NAMED = st.dictionaries(st.sampled_from(FILTERS), st.text("abAB ,-", max_size=8))


@pytest.mark.parametrize(
    ("named", "wanted", "admitted"),
    [
        ("Kavendry Solo", "kavendry solo", True),
        ("Kavendry Solo", "Solo", False),
        ("Solo, Duo", "duo", True),
        (" Solo ,,", "solo", True),
        ("STRASSE", "straße", True),
        ("", "solo", True),
        (" , ", "solo", True),
        ("Duo", "solo", False),
    ],
)
def test_a_document_is_for_those_whom_it_names_or_for_everyone(named: str, wanted: str, admitted: bool) -> None:
    assert admits({"product": wanted}, {"product": named}) is admitted


@pytest.mark.parametrize(
    ("named", "wanted", "admitted"), [("en-GB", "en", True), ("en_US", "EN-gb", True), ("de, fr-CH", "fr", True)]
)
def test_a_language_is_the_same_in_every_country(named: str, wanted: str, admitted: bool) -> None:
    assert admits({"language": wanted}, {"language": named}) is admitted
    assert not admits({"language": "nl"}, {"language": named})


def test_what_no_filter_asks_about_does_not_count() -> None:
    assert admits({}, {"product": "Solo"})
    assert admits({"product": "Solo"}, {"audience": "partners", "version": 3})


@given(NAMED, NAMED)
def test_one_more_filter_never_admits_more(filters: dict[str, str], metadata: dict[str, str]) -> None:
    for key in filters:
        fewer = {other: value for other, value in filters.items() if other != key}
        assert admits(fewer, metadata) or not admits(filters, metadata)


@given(st.sampled_from(FILTERS), st.text(max_size=12))
def test_a_value_names_itself(key: str, text: str) -> None:
    assert all(values(key, value) == {value} for value in values(key, text))
