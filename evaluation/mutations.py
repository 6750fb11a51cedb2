"""False claims: true ones with one thing in them changed.

Each function returns the changed sentence, or None where it does not apply. What it returns may by chance still be
true; `evaluation.grounding` leaves those out that the passage says word for word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from evaluation.paraphrases import IMPERATIVES, MONTHS, NUMBERS


@dataclass(frozen=True, slots=True)
class Foreign:
    """Names of the corpus that neither the passage nor its heading has."""

    names: Sequence[str]


_NUMBER = re.compile(r"(?<![\w.,:/-])\d+(?:[.,]\d+)*(?![\w:/-]|[.,]\d)")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(NUMBERS[2:])})\b")
_MONTH = re.compile(rf"\b(?:{'|'.join(MONTHS)})\b(?= \d)|(?<=\d )(?:{'|'.join(MONTHS)})\b")
_UNITS: tuple[tuple[str, ...], ...] = (
    ("second", "minute", "hour", "day", "week", "month", "year"),
    ("milliseconds", "seconds", "minutes", "hours", "days", "weeks", "months", "years"),
    ("KB", "MB", "GB", "TB"),
    ("kHz", "MHz", "GHz"),
    ("mA", "A"), ("mV", "V"), ("mm", "cm", "m", "km"), ("feet", "inches", "miles", "yards"), ("kg", "g", "lb"),
    ("grams", "kilograms", "pounds", "ounces"), ("°C", "°F"), ("am", "pm"), ("AM", "PM"),
    ("million", "billion", "thousand"), ("daily", "weekly", "monthly", "yearly"), ("percent", "points"),
    ("dollars", "euros", "pounds"),
)  # fmt: skip
_SYMBOLS = {"€": "$", "$": "€", "£": "$", "%": " points"}
_ANTONYMS = (
    "always/never enable/disable enabled/disabled before/after more/less minimum/maximum include/exclude "
    "includes/excludes include/exclude increase/decrease available/unavailable possible/impossible required/optional "
    "first/last open/close add/remove install/uninstall connect/disconnect connected/disconnected above/below "
    "higher/lower left/right inside/outside start/stop allowed/forbidden free/paid public/private valid/invalid "
    "larger/smaller up/down most/least earlier/later longer/shorter internal/external upload/download with/without "
    "accept/refuse top/bottom"
).split()
_MODALS = "is are was were can could will would should must may do does has have".split()
_AUXILIARY = re.compile(rf"\b(?:{'|'.join(_MODALS[:11])})\b(?! not\b|n't)", re.IGNORECASE)
_NEGATED = re.compile(r"\b(is|are|was|were|can|could|will|would|should|must|may|do|does|did|has|have) not\b|\bcannot\b|\b(is|are|was|were|could|would|should|do|does|did|has|have)n['’]t\b|\b(ca)n['’]t\b|\b(wo)n['’]t\b", re.IGNORECASE)  # fmt: skip # noqa: E501
_QUANTIFIERS = (("all", "some"), ("every", "no"), ("each", "no"), ("most", "all"), ("some", "all"), ("many", "all"),
                ("any", "some"), ("both", "none of the"), ("several", "all"))  # fmt: skip
_MODAL = re.compile(r"\b(?:may|might|can|could|must|have to|need to|required to)\b(?! not\b)")
_NAME = re.compile(r"(?<=[a-z,;] )(?:[A-Z][a-z]+(?:[A-Z]\w*)?|[A-Z]{2,})(?: (?:[A-Z][a-z]+|[A-Z]{2,}))*")
_BETWEEN = re.compile(r"\s*(?:and|or|,|/|&|x|×|,\s*and|,\s*or)\s*", re.IGNORECASE)
_CALENDAR = frozenset(MONTHS) | frozenset("Monday Tuesday Wednesday Thursday Friday Saturday Sunday I".split())


def names(text: str) -> list[str]:
    """Capitalised names inside sentences: never their first word, no month or weekday."""
    return [m.group() for m in _NAME.finditer(text) if m.group() not in _CALENDAR]


def has_modal(text: str) -> bool:
    return bool(_MODAL.search(text))


def _put(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def number(text: str, chance: Random, _: Foreign) -> str | None:
    """Another number: one more or less, ten times as much, one digit or the decimal point elsewhere."""
    found = [*_NUMBER.finditer(text), *_NUMBER_WORD.finditer(text)]
    if not found:
        return None
    match = chance.choice(found)
    old = match.group()
    if old in NUMBERS:
        return _put(text, match, chance.choice([word for word in NUMBERS[2:] if word != old]))
    position = chance.randrange(len(old))
    digit = old[position]
    forms = [f"{old}0", old[:position] + str((int(digit) + 1 + chance.randrange(8)) % 10) + old[position + 1 :]] if (
        digit.isdigit()
    ) else [f"{old}0"]  # fmt: skip
    if old.isdigit():
        forms += [str(int(old) + 1), str(int(old) - 1)]
    if "." in old and old.count(".") == 1:
        forms = [old.replace(".", ""), forms[-1] if not forms[-1].endswith("0") else f"1{old}"]
    return _put(text, match, chance.choice(forms))


def crossed(text: str, _: Random, __: Foreign) -> str | None:
    """Two numbers change places. Not those of a list ("2 and 3"), whose order may say nothing."""
    found = list(_NUMBER.finditer(text))
    for i, first in enumerate(found):
        for second in found[i + 1 :]:
            if first.group() != second.group() and not _BETWEEN.fullmatch(text[first.end() : second.start()]):
                swapped = _put(text, second, first.group())
                return _put(swapped, first, second.group())
    return None


def unit(text: str, chance: Random, _: Foreign) -> str | None:
    options: list[str] = []
    for group in _UNITS:
        for word in group:
            options += [
                _put(text, match, chance.choice([w for w in group if w != word]))
                for match in re.finditer(rf"(?<=\d )\b{word}\b|(?<=\d){word}\b|(?<=\d-){word}\b", text)
            ]
            if word.islower() and len(word) > 3 and word != "second":
                options += [
                    _put(text, match, chance.choice([w for w in group if w != word]))
                    for match in re.finditer(rf"(?<=[a-z] ){word}\b", text)
                ]
    options += [
        text.replace(old, new)
        for old, new in _SYMBOLS.items()
        if re.search(rf"{re.escape(old)}\d|\d ?{re.escape(old)}", text)
    ]
    return chance.choice(options) if options else None


def date(text: str, chance: Random, _: Foreign) -> str | None:
    """Another month, another day beside a month, or another year."""
    options = [_put(text, m, chance.choice([x for x in MONTHS if x != m.group()])) for m in _MONTH.finditer(text)]
    for match in re.finditer(rf"(?:(?<=\b)(?:{'|'.join(MONTHS)}) )(\d{{1,2}})\b(?!\d)", text):
        day = str(int(match.group(1)) % 28 + 1)
        options.append(text[: match.start(1)] + day + text[match.end(1) :])
    options += [
        _put(text, match, str(int(match.group()) + chance.choice([-10, -1, 1, 2])))
        for match in re.finditer(r"(?<![\d.,-])(?:19|20)\d\d(?![\d.,]\d|\d)", text)
    ]
    options += [
        _put(text, match, f"{match[1]}-{int(match[2]) % 12 + 1:02}-{match[3]}")
        for match in re.finditer(r"\b(\d{4})-(\d\d)-(\d\d)\b", text)
    ]
    return chance.choice(options) if options else None


def negation_inserted(text: str, chance: Random, _: Foreign) -> str | None:
    found = list(_AUXILIARY.finditer(text))
    if found:
        match = chance.choice(found)
        return _put(text, match, f"{match.group()} not")
    return f"Do not {text[0].lower()}{text[1:]}" if text.split(" ", 1)[0].lower() in IMPERATIVES else None


def negation_removed(text: str, chance: Random, _: Foreign) -> str | None:
    found = list(_NEGATED.finditer(text))
    if found:
        match = chance.choice(found)
        whole = {"ca": "can", "wo": "will"}
        verb = next((g for g in match.groups() if g), "can")
        return _put(text, match, whole.get(verb, verb))
    for old, new in (("without", "with"), ("never", "always"), ("no longer", "still"), ("no", "a"), ("not", "")):
        if match := re.search(rf"\b{old}\b(?! \d)", text):
            return re.sub(r"\s+", " ", _put(text, match, new))
    return None


def only(text: str, chance: Random, _: Foreign) -> str | None:
    """ "only" where the passage has no such limit."""
    if re.search(r"\b(?:only|just|solely|exclusively)\b", text, re.IGNORECASE):
        return None
    found = list(re.finditer(r"\b(?:can|is|are|will|may|must)\b(?! not\b)", text))
    return _put(text, match, f"{match.group()} only") if found and (match := chance.choice(found)) else None


def antonym(text: str, chance: Random, _: Foreign) -> str | None:
    options: list[str] = []
    for pair in _ANTONYMS:
        one, other = pair.split("/")
        for old, new in ((one, other), (other, one)):
            options += [
                _put(text, match, new.capitalize() if match.group()[0].isupper() else new)
                for match in re.finditer(rf"\b{old}\b", text, re.IGNORECASE)
            ]
    return chance.choice(options) if options else None


def modality(text: str, chance: Random, _: Foreign) -> str | None:
    """ "may" becomes "must", and the reverse."""
    found = list(_MODAL.finditer(text))
    if not found:
        return None
    match = chance.choice(found)
    return _put(text, match, "must" if match.group() in ("may", "might", "can", "could") else "may")


def quantifier(text: str, chance: Random, _: Foreign) -> str | None:
    options: list[str] = []
    for old, new in _QUANTIFIERS:
        options += [
            _put(text, match, new.capitalize() if match.group()[0].isupper() else new)
            for match in re.finditer(rf"\b{old}\b(?! (?:the )?same|\s*-)(?<!at most)(?<!at all)", text, re.IGNORECASE)
        ]
    return chance.choice(options) if options else None


def entity(text: str, chance: Random, foreign: Foreign) -> str | None:
    found = [m for m in _NAME.finditer(text) if m.group() not in _CALENDAR]
    if not found or not foreign.names:
        return None
    return _put(text, chance.choice(found), chance.choice(foreign.names))


MUTATIONS: dict[str, Callable[[str, Random, Foreign], str | None]] = {
    function.__name__: function
    for function in (
        number, crossed, unit, date, negation_inserted, negation_removed, only, antonym, modality, quantifier, entity,
    )
}  # fmt: skip
