"""What a sentence claims, word by word, and whether another text says something else.

Some words exclude each other: two numbers, "hours" and "days", "before" and "after", "all" and "some". Such a word is
a value, and the words around it say of what. A text says something else if there the same surroundings have another
value. So values may change places with their surroundings, but not without them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from shared.conversation.vocabulary import (
    AFTER_NUMBER,
    AUXILIARIES,
    CLAUSE_OPENERS,
    CURRENCY,
    INTERJECTIONS,
    LIMITS,
    MODAL,
    MONTH,
    MONTHS,
    NEGATIONS,
    NUMBER,
    NUMBERS,
    QUANTITY,
    SAME,
    UNITS,
    VALUES,
    WORDING,
    stem,
)
from shared.knowledge.terms import terms

REACH = 5
"""Words to each side that say what a value is of."""
MARGIN = 0.1
"""By how much other surroundings must fit better (see `_likeness`) to contradict."""
LEAST_LIKENESS = 0.5
"""Surroundings that are less alike are not about the same."""
LEAST_SHARE = 0.2
"""Of its surroundings, that a value must have in the text, too."""
SCOPE = 3
"""Content words after "not" that it may deny."""

_TOKEN = re.compile(
    r"(?P<iso>\b(?:19|20)\d\d-(?:0[1-9]|1[0-2])-[0-3]\d\b)"
    r"|(?P<number>\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|\d+(?:[.,:]\d+)*)(?:(?:st|nd|rd|th)\b)?"
    r"|(?P<half>\b[ap]\.m\b)"
    r"|(?P<word>[^\W\d_](?:\w|['’](?=\w))*)"
    r"|(?P<symbol>[€$£%])"
    r"|(?P<pause>[,;:()\[\]\n—–.!?|/])"
    r"|(?P<quote>[\"“”])"
)
# One form for what is said in several words.
_REWRITTEN = (
    (
        re.compile(
            r"\A(?:in short|in summary|in general|in other words|in addition|for (?:example|instance)), ", re.IGNORECASE
        ),
        "",
    ),
    (re.compile(r"(?:(?<=[a-z] \d)|(?<=[a-z] \d\d)),(?= (?:19|20)\d\d\b)"), ""),
    (re.compile(r"\be-mail", re.IGNORECASE), "email"),
    (re.compile(r"\b(?:at least|(?:no|not) (?:less|fewer) than)\b", re.IGNORECASE), "minimum"),
    (re.compile(r"\b(?:at most|(?:no|not) more than|up to(?= [\d€$£]))", re.IGNORECASE), "maximum"),
)
_CLITIC = re.compile(r"['’](?:s|re|ve|ll|d|m)$")
_HAVE_TO = frozenset("have has had need needs needed".split())
_MARKS = {"not": "denied", "only": "limited"}
_SENTENCE_START = frozenset('.!?:\n"“([|—–;')


@dataclass(frozen=True, slots=True)
class Word:
    """A content word (`key` its stem), or a value of a group (`key` the group).

    `must`: no text without it supports it. `denied` and `limited`: in the scope of a negation, of "only". `clause`
    counts the clauses before it.
    """

    key: str
    value: str
    group: str = ""
    must: bool = False
    denied: bool = False
    limited: bool = False
    clause: int = 0

    @property
    def counts(self) -> bool:
        """Whether it says what the sentence is about."""
        return self.group not in (MODAL, QUANTITY) and self.key not in WORDING


@dataclass(frozen=True, slots=True)
class Reading:
    """The words of a text in order; `denials` and `limits` have the positions after each "not" and each "only"."""

    words: tuple[Word, ...]
    denials: tuple[tuple[int, ...], ...]
    limits: tuple[tuple[int, ...], ...]


@lru_cache(maxsize=4096)
def read(text: str) -> Reading:  # noqa: PLR0912 - one pass over the words, with what is open at each
    """Read a text as its reader sees it, without Markdown."""
    for pattern, form in _REWRITTEN:
        text = pattern.sub(form, text)
    words: list[Word] = []
    scopes: dict[str, list[list[int]]] = {"not": [], "only": []}
    left = {"not": 0, "only": 0}
    clause = 0
    for token in _canonical(_tokens(text)):
        if token.group in scopes:
            if left[token.group] and not scopes[token.group][-1]:
                words.append(Word(f"{token.group} twice", "", must=True, clause=clause))
            left[token.group] = SCOPE
            scopes[token.group].append([])
            continue
        ends = token.group == "pause" or (token.group in (MODAL, "auxiliary"))
        for cue, scope in scopes.items():
            if ends and left[cue]:
                if any(words[i].counts for i in scope[-1]):
                    left[cue] = 0
                elif token.group == "pause":
                    # "if it is not," denies what was said before.
                    for i in [i for i, word in enumerate(words) if word.counts][-1:]:
                        scope[-1].append(i)
                        words[i] = replace(words[i], **{_MARKS[cue]: True})
        if token.group == "pause":
            left = dict.fromkeys(left, 0)
            clause += 1
        elif token.group != "auxiliary":
            marks: dict[str, bool] = {}
            for cue in scopes:
                if left[cue]:
                    scopes[cue][-1].append(len(words))
                    left[cue] -= token.group not in (MODAL, QUANTITY)
                    marks[_MARKS[cue]] = True
            words.append(replace(token, clause=clause, **marks) if clause or marks else token)
    return Reading(tuple(words), *(tuple(tuple(scope) for scope in scopes[cue] if scope) for cue in ("not", "only")))


def joined(readings: Sequence[Reading]) -> Reading:
    """Texts that follow each other, as one."""
    words: list[Word] = []
    denials: list[tuple[int, ...]] = []
    limits: list[tuple[int, ...]] = []
    for reading in readings:
        at, clause = len(words), words[-1].clause + 1 if words else 0
        words += [replace(word, clause=word.clause + clause) for word in reading.words] if clause else reading.words
        denials += [tuple(at + i for i in scope) for scope in reading.denials]
        limits += [tuple(at + i for i in scope) for scope in reading.limits]
    return Reading(tuple(words), tuple(denials), tuple(limits))


def _tokens(text: str) -> Iterator[Word]:
    start, after_number = True, False
    for match in _TOKEN.finditer(text):
        token, kind = match.group(match.lastgroup or 0), match.lastgroup
        if kind == "pause":
            yield Word(token, token, "pause")
            start = token in _SENTENCE_START
        elif kind == "iso":
            year, month, day = token.split("-")
            yield from (Word(MONTH, str(int(month)), MONTH, must=True), _number(day), _number(year))
            start = False
        elif kind == "number":
            yield _number(token)
            start = False
        elif kind == "quote":
            start = True
        else:
            yield from _word(token, start, after_number)
            start = False
        after_number = kind == "number" or (kind == "word" and (token.lower() in NUMBERS or _is_scale(token)))


@lru_cache(maxsize=50_000)
def _is_scale(word: str) -> bool:
    return UNITS.get(stem(word.lower()), ("", ""))[0] == "scale"


def _number(digits: str) -> Word:
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        digits = digits.replace(",", "")
    value = re.sub(r"^0+(?=\d+$)", "", digits)
    return Word(NUMBER, value, NUMBER, must=True)


@lru_cache(maxsize=50_000)
def _word(token: str, start: bool, after_number: bool) -> tuple[Word, ...]:
    return tuple(_meanings(token, start=start, after_number=after_number))


def _meanings(token: str, *, start: bool, after_number: bool) -> Iterator[Word]:
    """Nothing for a word without meaning of its own."""
    word = _CLITIC.sub("", token.lower())
    form = stem(word)
    value = VALUES.get(word)
    unit = None if value else UNITS.get(token) or UNITS.get(word) or UNITS.get(form)
    # A name, or a code: nothing else will do in its place.
    named = (token[0].isupper() and not start) or not token[1:].islower() or any(c.isdigit() for c in token)
    named = named and len(token) > 1 and word not in INTERJECTIONS
    negation = word in NEGATIONS or word.endswith(("n't", "n’t"))
    if negation:
        yield Word(word, word, "not")
    if word in LIMITS:
        yield Word(word, word, "only")
    elif word in CLAUSE_OPENERS:
        yield Word(word, word, "pause")
    elif word in _HAVE_TO:
        yield Word(word, word, "have")
    elif word in AUXILIARIES:
        yield Word(word, word, "auxiliary")
    elif word == "to":
        yield Word(word, word, "to")
    elif word in NUMBERS:
        yield Word(NUMBER, NUMBERS[word], NUMBER, must=word != "one")
    elif word in MONTHS and token[0].isupper() and (word != "may" or after_number or not start):
        yield Word(MONTH, MONTHS[word], MONTH, must=word != "may")
    elif unit and (after_number or not ({token, word} & AFTER_NUMBER)):
        yield Word(unit[0], unit[1], unit[0], must=True)
    elif value := value or VALUES.get(form):
        yield Word(value[0], value[1], value[0], must=value == (QUANTITY, "all") or (named and token.istitle()))
    elif not negation and terms(word):
        form = SAME.get(form, form)
        yield Word(form, form, must=named)


def _canonical(tokens: Iterable[Word]) -> Iterator[Word]:
    """ "have to" as "must"; the currency after its amount; the month before its day."""
    held: Word | None = None
    for token in tokens:
        if held and held.group == "have":
            if token.group == "to":
                yield Word(MODAL, "must", MODAL)
                held = None
                continue
            held = None
        if token.group == "to":
            continue
        if held and held.group in (CURRENCY, NUMBER):
            if token.group == (NUMBER if held.group == CURRENCY else MONTH):
                yield token
                yield held
                held = None
                continue
            yield held
            held = None
        if token.group in ("have", CURRENCY, NUMBER):
            held = token
            continue
        yield token
    if held and held.group != "have":
        yield held


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
