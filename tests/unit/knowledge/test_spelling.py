import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.spelling import Spelling
from tests.fakes import HashEmbedder


class Reader(HashEmbedder):
    """Knows a few words, and each as a single token."""

    KNOWN = frozenset("when will the paris london parcel arrive from address open".split())

    def count_tokens(self, text: str) -> int:
        return 1 if text.lower() in self.KNOWN else 2


SPELLING = Spelling(Reader())
PASSAGES = [
    "The warranty of spare parts is 2 years.",
    "Cancel the subscription under Account. A refund takes 5 days.",
    "Our calendar and the French press.",
    "Fresh beans.",
    "It costs 5 EUR, KX-4410 included.",
]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("How long is the waranty?", "How long is the warranty?"),
        ("Waranty?", "warranty?"),
        ("the refundd", "the refund"),
        ("can I cancle my subscrption", "can I cancel my subscription"),
        ("which calender", "which calendar"),
        ("the calender of Ms Calender", "the calendar of Ms Calender"),
    ],
)
def test_one_slip_is_read_as_the_passages_have_it(written: str, read: str) -> None:
    assert SPELLING.corrected([written], PASSAGES) == [read]


@pytest.mark.parametrize(
    "right",
    [
        "parcel from Paris",  # the model knows it, whatever is near to it
        "warranties",  # another form of what the passages say
        "my accounts",
        "frensh",  # French, or fresh
        "calenderr",  # two slips
        "erfund",  # nobody slips at the first letter
        "wartanty",  # another word, for all that is known
        "ask Mr Calender about it",  # a name
        "CALENDER",
        "kx-44100",
        "max@calender.example",
        "www.calender.example",
        "pats",  # too short
        "",
    ],
)
def test_what_may_be_right_stays(right: str) -> None:
    assert SPELLING.corrected([right], PASSAGES) == [right]


def test_all_texts_are_read_alike() -> None:
    assert SPELLING.corrected(["And the waranty?", "My refnd", ""], PASSAGES) == ["And the warranty?", "My refund", ""]
    assert SPELLING.corrected(["waranty"], []) == ["waranty"]


def test_only_what_the_model_does_not_know_is_doubted() -> None:
    assert SPELLING.doubts("When will the parcel from London arrive? Waranty, refnd, Ms Meyers, E-1000x") == {
        "waranty",
        "refnd",
    }


@given(st.lists(st.text("abcdefé1 .-@'\n", max_size=40), max_size=3), st.lists(st.text("abcdefé1 .-", max_size=60)))
def test_nothing_but_words_changes(texts: list[str], passages: list[str]) -> None:
    for text, read in zip(texts, SPELLING.corrected(texts, passages), strict=True):
        assert [c for c in read if not c.isalpha()] == [c for c in text if not c.isalpha()]
        assert len(read.split()) == len(text.split())
        assert abs(len(read) - len(text)) <= len(text.split())
