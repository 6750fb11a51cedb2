from copy import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.chunking import Chunker
from shared.knowledge.index import Chunk
from shared.knowledge.question import Question, parts
from shared.knowledge.ranking import Match, Passage, rank
from shared.knowledge.selection import LONGEST, MUCH_WORSE, OF_THE_FIRST, select
from tests.fakes import HashEmbedder

EMBEDDER = HashEmbedder()


def chunks(text: str, document: str = "a.md", title: str = "Guide") -> list[Chunk]:
    return list(Chunker(EMBEDDER).chunk(text, document=document, version="1", title=title, metadata={"title": title}))


def ranked(*given: Chunk) -> list[Passage]:
    """Passages of the chunks, in this order."""
    [one, *_] = rank(parts(Question("")), [Match(given[0], 0.5)])
    return [replace(one, chunk=chunk, score=1 - number / 100) for number, chunk in enumerate(given)]


def long_text(parts: int) -> str:
    return "\n\n".join(f"Part {n} tells {' and '.join(f'thing {n}-{m}' for m in range(38))}." for n in range(parts))


def test_neighbours_become_one_passage_at_the_place_of_the_better() -> None:
    text = "# Guide\n\n" + long_text(5)
    first, second, *_, last = chunks(text)
    [other] = chunks("Something else.", "b.md")
    found = select(ranked(second, other, first, last), 6)
    assert [passage.chunk.document for passage in found] == ["a.md", "b.md", "a.md"]
    joined = found[0].chunk
    assert (joined.start, joined.end) == (first.start, second.end)
    assert joined.text == text[joined.start : joined.end]
    assert joined.id not in {first.id, second.id}
    assert found[0] == replace(ranked(second)[0], chunk=joined)


def test_what_lies_between_two_makes_one_of_three() -> None:
    text = long_text(3)
    parts = [replace(chunk, text=chunk.text) for chunk in chunks(text)]
    assert len(parts) == 3
    [passage] = select(ranked(parts[2], parts[0], parts[1]), 6) if len(text) <= LONGEST else [None]
    assert passage
    assert passage.chunk.text == text


def test_what_waits_joins_a_passage_that_has_grown_up_to_it() -> None:
    text = "## Other\n\nSome words.\n\n## Guide\n\n" + long_text(3)
    other, first, between, last = chunks(text)
    found = select(ranked(other, last, first, between), 2)
    assert [(p.chunk.start, p.chunk.end) for p in found] == [(other.start, other.end), (first.start, last.end)]


def test_a_joined_passage_does_not_take_the_place_of_others() -> None:
    first, second, *_ = chunks(long_text(2))
    others = [chunks(f"Number {number}.", f"{number}.md")[0] for number in range(5)]
    assert len(select(ranked(first, second, *others), 6)) == 6
    assert len(select(ranked(first, *others[:4], second, others[4]), 6)) == 6


@given(st.text("ab c\n-#|`>1.\t ", max_size=1500), st.randoms(use_true_random=False))
def test_every_passage_is_a_span_of_its_document(text: str, random) -> None:
    made = chunks(text * 3)
    random.shuffle(made)
    found = select(ranked(*made), 200) if made else []
    spans = sorted((passage.chunk.start, passage.chunk.end) for passage in found)
    assert all(passage.chunk.text == (text * 3)[passage.chunk.start : passage.chunk.end] for passage in found)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert all(len(p.chunk.text) <= max(LONGEST, *(len(c.text) for c in made)) for p in found)


@pytest.mark.parametrize(
    "change", [{"version": "2"}, {"document": "b.md"}, {"metadata": {"section": "Other"}}, {"start": 10_000}]
)
def test_what_is_no_neighbour_stays_by_itself(change: dict) -> None:
    first, second, *_ = chunks(long_text(2))
    assert len(select(ranked(first, second), 6)) == 1
    assert len(select(ranked(first, replace(second, **change)), 6)) == 2


def test_a_passage_does_not_grow_without_end() -> None:
    made = chunks(long_text(12))
    assert len(made) > 4
    found = select(ranked(*made), 200)
    assert len(found) > 1
    assert all(len(passage.chunk.text) <= LONGEST for passage in found)


def test_a_copy_is_shown_once() -> None:
    text = "# Returns\n\n" + long_text(1)
    [original] = chunks(text, "returns.md", "Returns")
    [copy] = chunks(text, "old/returns.md", "Returns")
    [renamed] = chunks(text, "returns-2.md", "Our returns")
    [found] = select(ranked(copy, original, renamed), 6)
    assert found.chunk.document == "old/returns.md"


def test_a_few_words_under_two_headings_are_no_copy() -> None:
    [one] = chunks("It costs 5 EUR.", "solo.md", "Solo")
    [other] = chunks("It costs 5 EUR.", "duo.md", "Duo")
    assert len(select(ranked(one, other), 6)) == 2


def test_no_document_takes_all_places_while_others_have_something() -> None:
    text = "".join(f"## Part {number}\n\n{long_text(1)} {number}.\n\n" for number in range(8))
    many = chunks(text)
    assert len(many) == 8
    others = [chunks(f"Number {number}.", f"{number}.md")[0] for number in range(3)]
    found = [passage.chunk.document for passage in select(ranked(*many, *others), 6)]
    assert found == ["a.md"] * 3 + ["0.md", "1.md", "2.md"]
    found = [passage.chunk.document for passage in select(ranked(*many, *others), 4)]
    assert found == ["a.md"] * OF_THE_FIRST + ["0.md", "1.md"]
    assert len(select(ranked(*many), 6)) == 6
    scores = [passage.score for passage in select(ranked(*many, *others), 6)]
    assert scores == sorted(scores, reverse=True)


def test_of_another_document_than_the_first_there_is_one_passage_before_a_third_has_its_turn() -> None:
    text = "".join(f"## Part {number}\n\n{long_text(1)} {number}.\n\n" for number in range(3))
    [best] = chunks("The best.", "best.md")
    [third] = chunks("The third.", "third.md")
    found = [passage.chunk.document for passage in select(ranked(best, *chunks(text), third), 3)]
    assert found == ["best.md", "a.md", "third.md"]


def test_others_that_are_much_worse_do_not_take_a_place_from_a_document() -> None:
    text = "".join(f"## Part {number}\n\n{long_text(1)} {number}.\n\n" for number in range(4))
    many = ranked(*chunks(text))
    near, far = (
        [replace(p, score=score) for p in ranked(*(chunks(f"Number {n}.", f"{n}.md")[0] for n in range(3)))]
        for score in (many[0].score - MUCH_WORSE, many[-1].score - 2 * MUCH_WORSE)
    )
    found = [passage.chunk.document for passage in select([*many, *near], 4)]
    assert found == ["a.md"] * OF_THE_FIRST + ["0.md", "1.md"]
    found = [passage.chunk.document for passage in select([*many, *far], 5)]
    assert found == ["a.md"] * len(many) + ["0.md"]
