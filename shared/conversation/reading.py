"""A text as what it claims: its words in order, with what each is a value of, denies and limits.

Some words exclude each other: two numbers, "hours" and "days", "before" and "after", "all" and "some". Such a word is
a value of a group; the other content words say what the values are of. `contradiction.py` compares two readings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from shared.conversation.vocabulary import (
    AFTER_NUMBER,
    AUXILIARIES,
    CLAUSE_OPENERS,
    CURRENCY,
    INTERJECTIONS,
    LIGHT,
    LIMITS,
    MODAL,
    MONTH,
    MONTHS,
    NEGATIONS,
    NUMBER,
    NUMBERS,
    ORDINALS,
    QUANTITY,
    SAME,
    UNITS,
    VALUES,
    WORDING,
    stem,
)
from shared.knowledge.terms import terms

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
_OPENINGS = "no|in short|in summary|in general|in other words|in addition|for (?:example|instance)"
_AMOUNT = rf"(?= (?:[\d€$£]|(?:{'|'.join(NUMBERS)})\b))"
# One form for what is said in several words, and nothing for words that only open a sentence or an answer.
_REWRITTEN = tuple(
    (re.compile(pattern, re.IGNORECASE), form)
    for pattern, form in (
        (rf"(?:\A|(?<=[,;:] ))(?:{_OPENINGS}), ", ""),
        (r"(?:(?<=[a-z] \d)|(?<=[a-z] \d\d)),(?= (?:19|20)\d\d\b)", ""),
        (r"\be-mail", "email"),
        (rf"\b(?:at least|(?:no|not) (?:less|fewer) than|down to{_AMOUNT})\b", "minimum"),
        (rf"\b(?:at most|(?:no|not) more than|up to{_AMOUNT})\b", "maximum"),
        (rf"\bmore than{_AMOUNT}", "over"),
        (rf"\b(?:less|fewer) than{_AMOUNT}", "under"),
    )
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
        return self.group not in (MODAL, QUANTITY) and self.key not in WORDING and self.key not in LIGHT


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
    elif word in ORDINALS and not start:
        yield Word(NUMBER, ORDINALS[word], NUMBER, must=True)
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
