"""Whether what was found answers the question: answer from it, ask the customer what is meant, or decline.

What is estimated is one probability for the question: that a passage shown is of a document that answers it. When a
person takes over is not decided here, but in `escalation/policy.py`.

The constants are of docs/decisions/0008-knowing-when-not-to-answer.md, fitted by `python -m evaluation.calibration`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared.conversation.sentences import spans
from shared.knowledge.chunking import SEPARATOR
from shared.knowledge.terms import codes, terms

ANSWERABLE = 0.2
"""Least confidence to answer. It is where an answer is worth its risk if nine in ten of the questions asked are covered
by the documents, three in four of the others are near to them (the rest never gets this far), and a wrong answer is
three times as bad as a needless "I could not find it": 3 × ¾ / (3 × ¾ + 9)."""
CLARIFIABLE = 0.15
"""Least confidence to ask back; below it, none of the documents is likely to be meant."""
CONFIDENCE_SLOPE, CONFIDENCE_BIAS = 1.0, 1.37
"""Logistic regression on the log-odds of the most relevant passage: the answer may also stand in another one."""
VAGUE = 2
"""Content words of a question that may mean several things."""
TIED = 0.8
"""Documents whose relevance is at least this share of the best one's may be meant as well."""
OPTIONS = 3
"""Documents named at most when asking back."""

Action = Literal["answer", "clarify", "decline"]

_ASKED_BACK = re.compile(r"Do you mean “[^“”]+”(?:, “[^“”]+”)* or “[^“”]+”\?")
_TITLE = re.compile(r"“([^“”]+)”")


@dataclass(frozen=True, slots=True)
class Found:
    """A passage: the heading it stands under (title › section), its relevance (0 … 1), and the headings in its text."""

    heading: str
    relevance: float
    below: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Of its document, as it is put into quotation marks."""
        return re.sub(r"[“”]", "", self.heading.partition(SEPARATOR)[0]).strip(" .?!")

    def says(self, words: frozenset[str]) -> bool:
        """Whether these terms all stand in one of its headings, read below the title."""
        return any(words.issubset(terms(f"{self.title} {heading}")) for heading in (self.heading, *self.below))


@dataclass(frozen=True, slots=True)
class Decision:
    """`confidence` is the probability that a passage holds the answer, given that as many questions have one as not.

    `options` are the titles to choose from, if the customer is asked.
    """

    action: Action
    confidence: float
    options: tuple[str, ...] = ()


def decide(question: str, found: Sequence[Found], *, may_ask: bool = True) -> Decision:
    """What to do about a question, in words that stand alone. Whoever was just asked back is not asked again: then
    `may_ask` is False."""
    sure = confidence([passage.relevance for passage in found])
    options = _options(question, found) if may_ask and sure >= CLARIFIABLE else ()
    if options:
        return Decision("clarify", sure, options)
    return Decision("answer" if sure >= ANSWERABLE else "decline", sure)


def confidence(relevances: Sequence[float]) -> float:
    """The probability that one of the passages holds the answer; 0 if there is none."""
    highest = max(relevances, default=0.0)
    if highest <= 0:
        return 0.0
    best = min(max(highest, 1e-9), 1 - 1e-9)
    return 1 / (1 + math.exp(-CONFIDENCE_SLOPE * math.log(best / (1 - best)) - CONFIDENCE_BIAS))


def question_back(options: Sequence[str]) -> str:
    """What the customer is asked. It claims nothing, so it needs no source."""
    quoted = [f"“{title}”" for title in options]
    return f"Do you mean {', '.join(quoted[:-1])} or {quoted[-1]}?"


def is_question_back(sentence: str, headings: Sequence[str]) -> bool:
    """Whether this is a `question_back` that names nothing but the documents with these headings."""
    titles = {Found(heading, 0).title for heading in headings}
    return asks_back(sentence) and titles.issuperset(_TITLE.findall(sentence))


def asks_back(message: str) -> bool:
    """Whether this message is a `question_back`."""
    return bool(_ASKED_BACK.fullmatch(message.strip()))


def _options(question: str, found: Sequence[Found]) -> tuple[str, ...]:
    """The titles of the documents that a vague question may mean; empty unless there are several, or if the title of
    one says all that the question does, or else one of its headings, and that of no other. A code ("E-05?") is not
    vague."""
    words = frozenset(terms(question))
    if len(words) > VAGUE or codes(question):
        return ()
    titled = {passage.title for passage in found if words.issubset(terms(passage.title))}
    if len(titled or {passage.title for passage in found if passage.says(words)}) == 1:
        return ()
    best: dict[str, float] = {}
    for passage in found:
        best[passage.title] = max(passage.relevance, best.get(passage.title, 0.0))
    least = TIED * max(best.values(), default=0.0)
    options = tuple(title for title, relevance in best.items() if relevance >= least)[:OPTIONS]
    # A title that reads like several sentences could not be verified as one.
    whole = len(options) > 1 and all(options) and len(list(spans(question_back(options)))) == 1
    return options if whole else ()
