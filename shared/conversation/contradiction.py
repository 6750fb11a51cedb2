"""Whether one text says something else than another.

A value stands for one of several, and the words around it say of what. A text says something else if there the same
surroundings have another value. So values may change places with their surroundings, but not without them.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.conversation.reading import Reading, Word
from shared.conversation.vocabulary import MODAL, MONTH, NUMBER, QUANTITY

REACH = 5
"""Words to each side that say what a value is of."""
MARGIN = 0.1
"""By how much other surroundings must fit better (see `_likeness`) to contradict."""
LEAST_LIKENESS = 0.5
"""Surroundings that are less alike are not about the same."""
LEAST_SHARE = 0.2
"""Of its surroundings, that a value must have in the text, too."""


def contradicts(claim: Reading, text: Reading, heading: Reading) -> bool:
    """Whether the text, under its heading, lacks something that the claim must not add, or says something else."""
    words = heading.words + text.words
    return (
        any(_is_other_value(claim.words, i, words) for i, word in enumerate(claim.words) if _is_fixed(word))
        or any(_unmatched(claim.words, scope, words, _denied, strict=True) for scope in claim.denials)
        or any(_unmatched(claim.words, scope, words, _limited, strict=True) for scope in claim.limits)
        or any(_unmatched(text.words, scope, claim.words, _denied, strict=False) for scope in text.denials)
        or any(_unmatched(text.words, scope, claim.words, _limited, strict=False) for scope in text.limits)
    )


def _denied(word: Word) -> bool:
    return word.denied


def _limited(word: Word) -> bool:
    return word.limited


def _is_fixed(word: Word) -> bool:
    return word.must or bool(word.group)


def _is_other_value(claim: tuple[Word, ...], i: int, text: tuple[Word, ...]) -> bool:
    word = claim[i]
    if not word.group:
        return all(other.key != word.key for other in text)
    same = other = -1.0
    at = -1
    for j, candidate in enumerate(text):
        if candidate.group == word.group:
            likeness = _likeness(claim, i, text, j)
            if candidate.value != word.value:
                other = max(other, likeness)
            elif likeness > same:
                same, at = likeness, j
    if same < 0 or (word.must and same < LEAST_SHARE * _likeness(claim, i, claim, i)):
        return word.must or other >= LEAST_LIKENESS
    if other >= LEAST_LIKENESS and other > same + MARGIN:
        return True
    return word.group == NUMBER and _loses_unit(claim, i, text, at)


def _loses_unit(claim: tuple[Word, ...], i: int, text: tuple[Word, ...], j: int) -> bool:
    unit = text[j + 1] if j + 1 < len(text) else None
    if not unit or not unit.must or unit.group in ("", NUMBER, MONTH, QUANTITY):
        return False
    return all(word.group != unit.group for word in claim[i + 1 : i + 3])


def _likeness(claim: tuple[Word, ...], i: int, text: tuple[Word, ...], j: int) -> float:
    """How much the words around two places have in common: up to 4.6, near ones counting most."""
    group, clause = claim[i].key, claim[i].clause
    total = 0.0
    for step in (-1, 1):
        found: dict[str, int] = {}
        for distance in range(1, REACH + 3):
            place = j + step * distance
            if not 0 <= place < len(text):
                break
            found.setdefault(text[place].key, distance)
        for distance in range(1, REACH + 1):
            place = i + step * distance
            if not 0 <= place < len(claim):
                break
            word = claim[place]
            if word.key != group and word.key in found:
                weight = 1 / distance if word.clause == clause else 0.5 / distance
                total += weight / (1 + 0.5 * abs(found[word.key] - distance))
    return total


def _unmatched(
    one: tuple[Word, ...],
    scope: tuple[int, ...],
    other: tuple[Word, ...],
    marked: Callable[[Word], bool],
    *,
    strict: bool,
) -> bool:
    """Whether "not" stands before a word in the one, and in the other before none that is used like it."""
    keys = {word.key for word in other if word.group not in (MODAL, QUANTITY)}
    head = next((i for i in scope if one[i].key in keys), None)
    if head is None:
        return strict
    scores = {True: -1.0, False: -1.0}
    for j, word in enumerate(other):
        if word.key == one[head].key:
            scores[marked(word)] = max(scores[marked(word)], _likeness(one, head, other, j))
    if scores[True] < 0:
        # The text may use the word a second time, without "not", and the claim be about that.
        return strict or not _used_otherwise(one, head, other, marked)
    return scores[False] > scores[True] + MARGIN


def _used_otherwise(text: tuple[Word, ...], head: int, claim: tuple[Word, ...], marked: Callable[[Word], bool]) -> bool:
    key = text[head].key
    for i, word in enumerate(claim):
        if word.key == key:
            here = _likeness(claim, i, text, head)
            if not any(
                w.key == key and not marked(w) and _likeness(claim, i, text, j) >= here for j, w in enumerate(text)
            ):
                return False
    return True
