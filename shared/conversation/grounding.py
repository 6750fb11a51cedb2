"""No sentence leaves the process before it was checked against the passage it rests on.

Each sentence of an answer is compared with the passages that it cites, or, if it cites none, with all of this turn's:
its numbers must be there, its content words nearly all, and it may not turn a statement into its opposite. What passes
gets a citation to the exact span that supports it; what does not is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from shared.conversation.evidence import Evidence, EvidenceSet
from shared.conversation.instructions import NO_ANSWER
from shared.conversation.sentences import SentenceBuffer, spans
from shared.knowledge.terms import terms
from shared.memory.models import Source

SUPPORT = 0.75
"""Share of a sentence's content words that its span must hold; the rest may be wording ("simply", "you can")."""
WINDOW = 3
"""Most consecutive sentences of a passage that one sentence may rest on."""
JOIN_GAP = 8
"""Two cited spans of a passage at most this many characters apart (a list marker, a line break) become one quote."""

_MARKER = re.compile(r"\s*\[(\d{1,3})\]")
_LIST_MARK = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+")
_DECORATION = re.compile(r"[*_`#>|]+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NEGATION = re.compile(r"\b(?:not|no|never|none|nor|neither|cannot|without|\w+n['’]t)\b", re.IGNORECASE)
_LINK = re.compile(r"(?:https?://|www\.)\S+|\b[\w.+-]+@[\w-]+\.\w+", re.IGNORECASE)
# What a courteous sentence may be made of. It claims nothing, so it needs no source.
_COURTESY = frozenset(
    terms(
        "hello hi welcome thanks thank you sorry apologies glad happy hope helps help helpful anything else question "
        "questions ask let know need more assist assistance further good day great today please feel free reach again"
    )
)


@dataclass(frozen=True, slots=True)
class Support:
    """The span of a passage that a sentence rests on, and how much of the sentence it holds (0 … 1)."""

    evidence: Evidence
    start: int
    end: int
    coverage: float


class AnswerVerifier:
    """Takes an answer as it is written and hands on what was verified, with `[n]` pointing into `sources`.

    `dropped` counts the sentences that no passage supports. `sources` may still grow until `finish`.
    """

    def __init__(self, evidence: EvidenceSet) -> None:
        self._evidence = evidence
        self._buffer = SentenceBuffer()
        self._sources: list[Source] = []
        self.dropped = 0

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(self._sources)

    def feed(self, text: str) -> list[str]:
        """Verified sentences that this piece of the model's text completes."""
        return self._verify(self._buffer.feed(text))

    def finish(self) -> list[str]:
        """Verified sentences of what was left when the model stopped."""
        return self._verify(self._buffer.finish())

    def _verify(self, pieces: Sequence[str]) -> list[str]:
        verified: list[str] = []
        for piece in pieces:
            body = piece.rstrip()
            if not body:
                verified.append(piece)
                continue
            claim = _MARKER.sub("", body)
            if claim.strip(" .*") == NO_ANSWER:
                continue
            cited = [int(number) for number in _MARKER.findall(body)]
            if not cited and is_courtesy(claim):
                verified.append(claim + piece[len(body) :])
            elif support := self._support(claim, cited):
                verified.append(f"{claim} [{self._cite(support)}]{piece[len(body) :]}")
            else:
                self.dropped += 1
        return verified

    def _support(self, claim: str, cited: Sequence[int]) -> Support | None:
        named = [evidence for number in cited if (evidence := self._evidence.get(number))]
        if cited and not named:
            return None  # cites what was never retrieved
        candidates = [found for evidence in named or self._evidence if (found := find_support(claim, evidence))]
        return max(candidates, key=lambda support: support.coverage, default=None)

    def _cite(self, support: Support) -> int:
        evidence = support.evidence
        for number, source in enumerate(self._sources, start=1):
            if (
                source.id == evidence.id
                and support.start <= source.end + JOIN_GAP
                and source.start <= support.end + JOIN_GAP
            ):
                start, end = min(source.start, support.start), max(source.end, support.end)
                self._sources[number - 1] = replace(source, start=start, end=end, quote=evidence.content[start:end])
                return number
        self._sources.append(
            Source(
                id=evidence.id,
                content=evidence.content,
                metadata=evidence.metadata,
                distance=evidence.distance,
                quote=evidence.content[support.start : support.end],
                start=support.start,
                end=support.end,
            )
        )
        return len(self._sources)


def find_support(claim: str, evidence: Evidence) -> Support | None:
    """The smallest span of the passage that supports the claim; None if there is none."""
    plain = _LIST_MARK.sub("", claim).strip().strip("`")
    if plain and (verbatim := _find(plain, evidence.content)):
        return Support(evidence, *verbatim, 1.0)
    wanted = set(terms(_DECORATION.sub(" ", plain)))
    if not wanted:
        return None
    numbers, links = set(_NUMBER.findall(plain)), set(_LINK.findall(plain))
    negated = bool(_NEGATION.search(plain))
    context = set(terms(evidence.heading))
    sentences = _sentence_spans(evidence.content)
    best: Support | None = None
    for size in range(1, WINDOW + 1):
        for first in range(len(sentences) - size + 1):
            start, end = sentences[first][0], sentences[first + size - 1][1]
            span = evidence.content[start:end]
            if not numbers <= set(_NUMBER.findall(span)) or not links <= set(_LINK.findall(span)):
                continue
            if negated != bool(_NEGATION.search(span)):
                continue
            coverage = len(wanted & (set(terms(span)) | context)) / len(wanted)
            if coverage >= SUPPORT and (best is None or coverage > best.coverage):
                best = Support(evidence, start, end, coverage)
    return best


def _find(text: str, content: str) -> tuple[int, int] | None:
    """Where the text stands in the content word for word, however its lines are broken there."""
    if (start := content.find(text)) >= 0:
        return start, start + len(text)
    found = re.search(r"\s+".join(map(re.escape, text.split())), content)
    return found.span() if found else None


@lru_cache(maxsize=256)
def _sentence_spans(content: str) -> tuple[tuple[int, int], ...]:
    return tuple(spans(content))


def is_courtesy(sentence: str) -> bool:
    """Whether it only greets, thanks or offers help: no number, no link, no word beyond those of courtesy."""
    words = set(terms(sentence))
    return bool(words) and words <= _COURTESY and not _NUMBER.search(sentence) and not _LINK.search(sentence)
