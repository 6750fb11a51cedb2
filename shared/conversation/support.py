"""Which span of a passage supports a claim."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from shared.conversation.contradiction import contradicts
from shared.conversation.evidence import Evidence
from shared.conversation.reading import Reading, joined, read
from shared.conversation.sentences import spans
from shared.conversation.tables import rows
from shared.knowledge import markdown

COVERAGE = (0.8, 0.85, 0.9)
"""Share of a claim's words that a span of one, two or three sentences must hold; the rest may be wording ("simply",
"press" for "click"). The more sentences, the more words are there by chance."""
OWN = 0.7
"""Share that it must hold of those words that the heading does not have: a heading only says what it is about."""

_LIST_MARK = re.compile(r"^\s*(?:>\s*)?(?:[-*+•]|\d+[.)])\s+")
_LINK = re.compile(r"(?:https?://|www\.)\S+|\b[\w.+-]+@[\w-]+\.\w+", re.IGNORECASE)
# What a Markdown link or picture leads to, whatever it looks like.
_TARGET = re.compile(r"\]\(\s*([^)]*)")
_SOLID = re.compile(r"\S+")
_ANSWER_YES = re.compile(r"\W*yes\b", re.IGNORECASE)
# Where a quote may begin and end: elsewhere it is part of a sentence, and the rest may deny it.
_BREAK_BEFORE = re.compile(
    r"(?:^|[.!?:…]['\"”’)\]*_`]*\s+|[。！？]\s*|\n\s*(?:>\s*)?(?:(?:[-*+•#]+|\d+[.)])\s+)?|\|\s*)[*_`“\"]*\Z"
)
_BREAK_AFTER = re.compile(r"(?<=[.!?:;…。！？])(?!\w)|[*_`”\"’)]*(?:[.!?…。！？](?!\w)|\s*\Z|\s*\n|\s*\|)")
_WRAPPED = re.compile(r"(?<=[\w,])[^\S\n]*\n[^\S\n]*(?=[a-z])")


@dataclass(frozen=True, slots=True)
class Support:
    """The span of a passage that a claim rests on, and how much of the claim it holds (0 … 1)."""

    evidence: Evidence
    start: int
    end: int
    coverage: float


@dataclass(frozen=True, slots=True)
class _Sentence:
    """`said` are the keys that it states: none of a question, unless the next sentence says yes to it."""

    start: int
    end: int
    reading: Reading
    keys: frozenset[str]
    said: frozenset[str]
    links: frozenset[str]


def find_support(claim: str, evidence: Evidence) -> Support | None:
    """The smallest span of the passage that supports the claim; None if there is none."""
    plain = _LIST_MARK.sub("", claim).strip().strip("`")
    if verbatim := _verbatim(plain, evidence.content) or _in_row(plain, evidence):
        return Support(evidence, *verbatim, 1.0)
    seen = markdown.plain(plain)
    reading = read(seen)
    wanted = frozenset(word.key for word in reading.words if word.counts)
    links, targets = links_in(plain), _TARGET.findall(plain)
    if not wanted:
        return None
    sentences, heading = _sentences(evidence.content), read(evidence.heading)
    known = frozenset(word.key for word in heading.words)
    own = wanted - known
    asks = seen.endswith("?")
    found: list[tuple[float, int, int, int]] = []
    for first in range(len(sentences)):
        held: frozenset[str] = frozenset()
        for size, last in enumerate(range(first, min(first + len(COVERAGE), len(sentences)))):
            held |= sentences[last].keys if asks else sentences[last].said
            coverage = len(wanted & (held | known)) / len(wanted)
            if coverage >= COVERAGE[size] and wanted & held and len(own & held) >= OWN * len(own):
                found.append((-coverage, size, first, last))
    found.sort()
    tried: list[tuple[int, int]] = []
    for negative, _, first, last in found:
        if negative > found[0][0]:
            break
        if any(first <= a and b <= last for a, b in tried):
            continue  # what a longer span adds is not about the claim
        tried.append((first, last))
        window = sentences[first : last + 1]
        if not links <= frozenset[str]().union(*(sentence.links for sentence in window)):
            continue
        if not all(target in evidence.content[window[0].start : window[-1].end] for target in targets):
            continue
        if not contradicts(reading, joined([sentence.reading for sentence in window]), heading):
            return Support(evidence, window[0].start, window[-1].end, -negative)
    return None


def links_in(text: str) -> frozenset[str]:
    return frozenset(link.rstrip(".,;:!?)*_`>") for link in _LINK.findall(text))


def _verbatim(text: str, content: str) -> tuple[int, int] | None:
    """Where whole sentences of the content are the text word for word, however its lines are broken there."""
    wanted = " ".join(text.split())
    if not wanted:
        return None
    collapsed, starts, offsets = _collapsed(content)
    at = -1
    while (at := collapsed.find(wanted, at + 1)) >= 0:
        end_at = at + len(wanted) - 1
        first, last = bisect_right(starts, at) - 1, bisect_right(starts, end_at) - 1
        start, end = offsets[first] + at - starts[first], offsets[last] + end_at - starts[last] + 1
        if (
            (before := _BREAK_BEFORE.search(content, max(0, start - 40), start))
            and not _WRAPPED.search(content, max(0, before.start() - 1), start + 1)
            and (after := _BREAK_AFTER.match(content, end))
            and not _WRAPPED.search(content, end - 1, after.end() + 40)
        ):
            return start, end
    return None


def _in_row(text: str, evidence: Evidence) -> tuple[int, int] | None:
    """The table row that says the text word for word, once its cells are named after their columns."""
    found = (row for row in rows(evidence.content, evidence.heading) if _verbatim(text, row.text))
    return next(((row.start, row.end) for row in found), None)


@lru_cache(maxsize=256)
def _collapsed(content: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """The text with one blank between words, and where each word begins in it and in the original."""
    found = list(_SOLID.finditer(content))
    lengths = (len(match.group()) + 1 for match in found)
    return (
        " ".join(match.group() for match in found),
        [0, *accumulate(lengths)][: len(found)],
        [match.start() for match in found],
    )


@lru_cache(maxsize=256)
def _sentences(content: str) -> Sequence[_Sentence]:
    found: list[_Sentence] = []
    yes = False
    for start, end in reversed(_unwrapped(content)):
        raw = content[start:end]
        text = markdown.plain(_LIST_MARK.sub("", raw.lstrip("# ")))
        reading = read(text)
        keys = frozenset(word.key for word in reading.words)
        said = keys if yes or not text.endswith("?") else frozenset[str]()
        found.append(_Sentence(start, end, reading, keys, said, links_in(raw)))
        yes = bool(_ANSWER_YES.match(text))
    return found[::-1]


def _unwrapped(content: str) -> list[tuple[int, int]]:
    """Sentences; one that goes on in the next line, as in plain text and PDF, is one."""
    found: list[tuple[int, int]] = []
    for start, end in spans(content):
        if found and (wrap := _WRAPPED.match(content, found[-1][1])) and wrap.end() == start:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found
