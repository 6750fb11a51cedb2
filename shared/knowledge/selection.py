"""Which of the ranked passages are shown, and in which cut.

What stands in several documents word for word is shown once. Chunks that follow each other in their document become one
passage, and of one document there are only so many as long as others have something not much worse: either leaves a
place to another. Of the document ranked first there are more: it is most probably the one that is meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import replace
from functools import lru_cache

from shared.knowledge.chunking import identifier
from shared.knowledge.index import Chunk
from shared.knowledge.ranking import REMEMBERED, Passage

LONGEST = 2_400
"""Characters of a passage made of several chunks: about two full ones."""
OF_THE_FIRST, OF_ANOTHER = 2, 1
"""Passages of the document ranked first, and of each other, before others have their turn. Of Thunderbird's help
articles, .715 of the right ones are among the first six passages then; .693 with three of the first, .685 with two of
each, .665 with three of each."""
MUCH_WORSE = 0.15
"""In the score of the ranking. What is so much worse than a further passage of the document has no turn before it: "How
do I reset my password?" got a page about Wi-Fi in place of the third passage of the page about passwords. With .1, .691
of Thunderbird's are found."""
BY_CHANCE = 200
"""Characters. A shorter text may stand under two headings and mean another thing under each."""


def select(ranked: Sequence[Passage], limit: int) -> list[Passage]:
    """At most `limit` passages, best first; so are those ranked.

    A passage next to a better one is joined to it: `chunk` then spans both, `text` is still `markdown[start:end]`, and
    what is said of the match is said of the better one.
    """
    selected: list[Passage] = []
    others: list[Passage] = []
    taken: Counter[str] = Counter()
    first = ranked[0].chunk.document if ranked else ""
    for passage in _distinct(ranked):
        document = passage.chunk.document
        if _join(selected, passage):
            others = [other for other in others if not _join(selected, other)]
            continue
        if taken[document] >= (OF_THE_FIRST if document == first else OF_ANOTHER):
            others.append(passage)
            continue
        while others and len(selected) < limit and others[0].score > passage.score + MUCH_WORSE:
            _add(selected, others.pop(0))
        if len(selected) == limit:
            break
        selected.append(passage)
        taken[document] += 1
    while others and len(selected) < limit:
        _add(selected, others.pop(0))
    return sorted(selected, key=lambda passage: passage.score, reverse=True)


def _distinct(ranked: Sequence[Passage]) -> list[Passage]:
    best: dict[str, Passage] = {}
    for passage in ranked:
        chunk = passage.chunk
        key = _said(chunk.breadcrumb, chunk.text)
        first = best.setdefault(key, passage)
        if first is not passage and chunk.document not in (first.chunk.document, *first.copies):
            best[key] = replace(first, copies=(*first.copies, chunk.document))
    return list(best.values())


@lru_cache(maxsize=REMEMBERED)
def _said(breadcrumb: str, text: str) -> str:
    """What is the same of copies: the words with a space between them, of a short text with its heading."""
    plain = " ".join(text.split())
    return plain if len(plain) >= BY_CHANCE else f"{breadcrumb}\n{plain}"


def _add(selected: list[Passage], passage: Passage) -> None:
    """Joined to what was selected since, or as one more."""
    if not _join(selected, passage):
        selected.append(passage)


def _join(selected: list[Passage], passage: Passage) -> bool:
    """Join it to what it is next to; two that it lies between become one. False if it is next to none."""
    place: int | None = None
    for number, better in reversed(list(enumerate(selected))):
        if chunk := _joined(better.chunk, passage.chunk):
            passage = replace(better, chunk=chunk)
            if place is not None:
                del selected[place]
            selected[number] = passage
            place = number
    return place is not None


def _joined(one: Chunk, other: Chunk) -> Chunk | None:
    """Both as one chunk; None if they are not neighbours in one section, or too long together."""
    first, second = sorted((one, other), key=lambda chunk: chunk.start)
    if (
        first.document != second.document
        or first.version != second.version
        or first.end + len(first.gap) != second.start
        or first.metadata != second.metadata
    ):
        return None
    text = first.text + first.gap + second.text
    if len(text) > LONGEST:
        return None
    return replace(
        first,
        id=identifier(first.document, first.breadcrumb, text),
        text=text,
        end=second.end,
        gap=second.gap,
    )
