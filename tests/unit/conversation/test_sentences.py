import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.sentences import SentenceBuffer, spans

TEXT = st.text(alphabet=st.sampled_from("Ab1 .!?\n[]()*-é。"), max_size=80)


def split(text: str, *, every: int | None = None) -> list[str]:
    buffer = SentenceBuffer()
    parts = [text] if every is None else [text[i : i + every] for i in range(0, len(text), every)]
    return [piece for part in parts for piece in buffer.feed(part)] + buffer.finish()


@given(TEXT, st.integers(1, 7))
def test_nothing_is_lost_however_the_text_streams_in(text: str, every: int) -> None:
    assert "".join(split(text, every=every)) == text


@given(TEXT, st.integers(1, 7))
def test_a_sentence_does_not_depend_on_how_the_text_was_cut(text: str, every: int) -> None:
    assert split(text, every=every) == split(text)


@given(TEXT)
def test_spans_are_the_sentences_without_the_space_around_them(text: str) -> None:
    assert [text[start:end] for start, end in spans(text)] == [p.strip() for p in split(text) if p.strip()]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One. ", "Two! ", "Three? ", "Four"]),
        ("It costs 3.50 EUR. Fine.", ["It costs 3.50 EUR. ", "Fine."]),
        ("Send it, e.g. by mail, to us. Thanks.", ["Send it, e.g. by mail, to us. ", "Thanks."]),
        ("Ask Dr. Smith. He knows.", ["Ask Dr. Smith. ", "He knows."]),
        ("1. Open it.\n2. Close it.\n", ["1. Open it.\n", "2. Close it.\n"]),
        ("Text. [1] Next [2]. End", ["Text. [1] ", "Next [2]. ", "End"]),
        ("Said “yes.” Then no.", ["Said “yes.” ", "Then no."]),
        ("Para one\n\nPara two", ["Para one\n\n", "Para two"]),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


def test_a_sentence_waits_for_the_citation_after_its_full_stop() -> None:
    buffer = SentenceBuffer()
    assert buffer.feed("It is free. ") == []
    assert buffer.feed("[1] ") == []
    assert buffer.feed("N") == ["It is free. [1] "]
