"""True claims: what a language model could write from a sentence, made from it by rule and without a model.

Each function returns the new sentence, or None where its rule does not apply. The words here are the measure's own; of
the synonyms, the verifier knows those for pressing a button and for offering something.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Original:
    """A sentence of a passage as its reader sees it, the one after it in the same paragraph (or ''), and the title."""

    text: str
    following: str
    title: str


MONTHS: list[str] = list(
    "January February March April May June July August September October November December".split()
)
NUMBERS: list[str] = list("zero one two three four five six seven eight nine ten eleven twelve".split())
_MONTH = "|".join(MONTHS)
_SYNONYMS = {
    "click": "press", "press": "click", "choose": "select", "select": "choose", "tap": "press", "purchase": "buy",
    "buy": "purchase", "obtain": "get", "receive": "get", "assist": "help", "begin": "start", "start": "begin",
    "locate": "find", "display": "show", "shows": "displays", "displays": "shows", "large": "big", "entire": "whole",
    "ensure": "make sure", "verify": "check", "check": "verify", "problem": "issue", "issue": "problem",
    "fix": "repair", "modify": "change", "create": "make", "utilize": "use", "additional": "extra",
    "extra": "additional",
    "photo": "picture", "email": "e-mail", "e-mail": "email", "approximately": "about", "provide": "give",
    "provides": "gives", "located": "situated", "permitted": "allowed", "regarding": "about", "several": "multiple",
    "multiple": "several", "quickly": "fast", "various": "different", "offers": "provides", "offer": "provide",
}  # fmt: skip
_ADVERBS = (
    "also|simply|just|please|then|currently|typically|generally|immediately|easily|automatically|however|therefore|"
    "additionally|normally|really|very|directly|now|quickly|actually|especially|specifically|primarily"
)
IMPERATIVES = (
    "open click press select choose go enter type visit check use connect download install follow contact call add set "
    "make keep remove copy tap find save close write send drag scroll switch wait create change look try turn "
    "disconnect"
).split()
_CONTRACTIONS = {
    "do not": "don't", "does not": "doesn't", "did not": "didn't", "cannot": "can't", "can not": "can't",
    "will not": "won't", "is not": "isn't", "are not": "aren't", "was not": "wasn't", "were not": "weren't",
    "should not": "shouldn't", "would not": "wouldn't", "could not": "couldn't", "have not": "haven't",
    "has not": "hasn't", "you are": "you're", "you will": "you'll", "it is": "it's", "you have": "you've",
}  # fmt: skip
_PHRASES = {
    "you can": "it is possible to", "you must": "you have to", "you need to": "you have to",
    "you will need": "you need",
    "in order to": "to", "as well as": "and", "such as": "like", "prior to": "before", "due to": "because of",
    "is able to": "can", "are able to": "can", "for example": "for instance", "we recommend that you": "you should",
    "at least": "a minimum of", "up to": "a maximum of", "in addition": "additionally",
}  # fmt: skip
_SUBORDINATE = re.compile(
    r"(?P<lead>(?:If|When|Once|After|Before|To|Because|Since|While|Although|Unless|Until|In|On|For|During)"
    r" [^,;:()]{8,90}), (?P<main>[^,;:]{12,})[.]"
)


def lowered(text: str) -> str:
    """The first letter small, unless the first word is a name, an acronym or "I"."""
    first = text.split(" ", 1)[0]
    return text if first.rstrip("',’.") in ("I", "I'm") or not first[1:].islower() or not first.isalpha() else (
        text[0].lower() + text[1:]
    )  # fmt: skip


def raised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _replaced(text: str, words: Mapping[str, str], chance: Random) -> str | None:
    # Inside a sentence, a capital makes it the name of something.
    found = [
        m
        for w in words
        for m in re.finditer(rf"(?<![\w-]){re.escape(w)}(?![\w'’-])", text, re.IGNORECASE)
        if not m.start() or m.group().islower()
    ]
    if not found:
        return None
    match = chance.choice(found)
    new = words[match.group().lower()]
    return text[: match.start()] + (raised(new) if match.group()[0].isupper() else new) + text[match.end() :]


def same(original: Original, _: Random) -> str | None:
    return original.text


def unpunctuated(original: Original, _: Random) -> str | None:
    return re.sub(r"[“”\"]|(?<=\w):$", "", original.text).rstrip(".!") + "."


def clause(original: Original, chance: Random) -> str | None:
    """A main clause of a longer sentence."""
    parts = re.split(
        r"(?:;|, (?:and|but|so|while|whereas)) (?=(?:you|we|it|they|the|this|these|there|your)\b)", original.text
    )
    whole = [p for p in parts if len(p.split()) >= 5 and not re.search(r"\b(?:either|both|neither|not only)\b", p)]
    return raised(chance.choice(whole)).rstrip(".!;,") + "." if len(parts) > 1 and whole else None


def without_parentheses(original: Original, _: Random) -> str | None:
    text = re.sub(r"\s*\([^()]*\)", "", original.text)
    return text if text != original.text else None


def without_adverbs(original: Original, _: Random) -> str | None:
    # "not immediately" and "not only just" need their adverb.
    text = re.sub(rf"(?<!not )(?<!n't )\b(?:{_ADVERBS}),? ", "", original.text, flags=re.IGNORECASE)
    return raised(text) if text != original.text else None


def joined(original: Original, _: Random) -> str | None:
    if not original.following or not original.text.endswith(".") or original.following.endswith(("?", ":")):
        return None
    return f"{original.text[:-1]}, and {lowered(original.following)}"


def contraction(original: Original, chance: Random) -> str | None:
    text = original.text.replace("’", "'")
    return _replaced(text, _CONTRACTIONS, chance) or _replaced(text, {v: k for k, v in _CONTRACTIONS.items()}, chance)


def number_format(original: Original, chance: Random) -> str | None:
    text = original.text
    forms = [
        re.sub(r"(?<![\d.,])(\d{1,3}),(\d{3})(?![\d,])", r"\1\2", text),
        re.sub(r"(?<![\w.,+-])([1-9]\d?)(\d{3})(?=\s+[a-z])", r"\1,\2", text),
        re.sub(r"(\d)\s?%", r"\1 percent", text),
        re.sub(r"(\d) per ?cent\b", r"\1%", text),
        re.sub(r"(?<![\w.,:/$€£#+-])([2-9]|1[0-2])(?= [a-z]{3,})", lambda m: NUMBERS[int(m[1])], text),
        re.sub(rf"\b(?:{'|'.join(NUMBERS[2:])})\b(?= [a-z]{{3,}})", lambda m: str(NUMBERS.index(m[0])), text),
    ]
    new = [form for form in forms if form != text]
    return chance.choice(new) if new else None


def date_format(original: Original, chance: Random) -> str | None:
    text = original.text
    forms = [
        re.sub(rf"\b({_MONTH}) (\d{{1,2}}),? (\d{{4}})\b", r"\2 \1 \3", text),
        re.sub(rf"\b(\d{{1,2}}) ({_MONTH}),? (\d{{4}})\b", r"\2 \1, \3", text),
        re.sub(
            rf"\b({_MONTH}) (\d{{1,2}}),? (\d{{4}})\b",
            lambda m: f"{m[3]}-{MONTHS.index(m[1]) + 1:02}-{int(m[2]):02}",
            text,
        ),
        re.sub(
            r"\b(\d{4})-(0[1-9]|1[0-2])-(\d\d)\b", lambda m: f"{int(m[3])} {MONTHS[int(m[2]) - 1]} {m[1]}", text
        ),
        re.sub(rf"\b({_MONTH}) (\d{{1,2}})\b(?!,? \d)", r"\2 \1", text),
    ]  # fmt: skip
    new = [form for form in forms if form != text]
    return chance.choice(new) if new else None


def synonym(original: Original, chance: Random) -> str | None:
    once = _replaced(original.text, _SYNONYMS, chance)
    return once and (_replaced(once, _PHRASES, chance) or once)


def phrase(original: Original, chance: Random) -> str | None:
    return _replaced(original.text, _PHRASES, chance)


def addressed(original: Original, _: Random) -> str | None:
    """ "Open the box." becomes "You can open the box." """
    return f"You can {lowered(original.text)}" if original.text.split(" ", 1)[0].lower() in IMPERATIVES else None


def attributed(original: Original, chance: Random) -> str | None:
    opening = chance.choice(["According to the documentation, ", "Please note that ", "Yes, ", "In short, "])
    return opening + lowered(original.text)


def in_context(original: Original, chance: Random) -> str | None:
    """The subject that the heading gives."""
    # A title of more words is a sentence by itself, and says more than what the claim is about.
    if not original.title or not re.fullmatch(r"[\w&® -]+", original.title) or len(original.title.split()) > 5:
        return None
    return f"{chance.choice(['Regarding', 'For'])} {original.title.rstrip('.?!:')}, {lowered(original.text)}"


def plural(original: Original, chance: Random) -> str | None:
    found = list(
        re.finditer(
            r"\b(?:the|your|any|this) ([a-z]{4,}[a-rt-z])(?= (?:is|was|will|can|must|in|on|of)\b)", original.text
        )
    )
    if not found:
        return None
    match = chance.choice(found)
    return f"{original.text[: match.end()]}s{original.text[match.end() :]}"


def reordered(original: Original, _: Random) -> str | None:
    """ "If it rains, stay in." becomes "Stay in if it rains." """
    match = _SUBORDINATE.fullmatch(original.text)
    return f"{raised(match['main'])} {lowered(match['lead'])}." if match else None


PARAPHRASES: dict[str, Callable[[Original, Random], str | None]] = {
    function.__name__: function
    for function in (
        same, unpunctuated, clause, without_parentheses, without_adverbs, joined, contraction, number_format,
        date_format, synonym, phrase, addressed, attributed, in_context, plural, reordered,
    )
}  # fmt: skip
