"""No sentence leaves the process before it was checked against the passage it rests on.

Each sentence of an answer is compared with the passages that it cites, or, if it cites none, with all of this turn's:
its numbers must be there, its content words nearly all, and it may not turn a statement into its opposite. What passes
gets a citation to the exact span that supports it; what does not is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from shared.conversation.decision import is_question_back
from shared.conversation.evidence import Evidence, EvidenceSet
from shared.conversation.instructions import AUTOMATED, NO_ANSWER
from shared.conversation.sentences import SentenceBuffer
from shared.conversation.support import Support, find_support, links_in
from shared.knowledge import markdown
from shared.knowledge.chunking import SEPARATOR
from shared.knowledge.terms import terms
from shared.memory.models import Source

JOIN_GAP = 8
"""Two cited spans of a passage at most this many characters apart (a list marker, a line break) become one quote."""

MIN_CLAUSE = 3
"""Content words of a clause that can be looked up by itself: fewer do not say what it is about."""

_CLAUSES = re.compile(r"(?:,? (?:and|but|while|whereas)|;) ")
_SAYS = re.compile(r"\w")
_MARKER = re.compile(r"\s*\[(\d{1,3})\]")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_DIGIT = re.compile(r"\d")
# What a courteous sentence may be made of. It claims nothing, so it needs no source.
_COURTESY = frozenset(
    terms(
        "hello hi welcome thanks thank you sorry apologies glad happy hope helps help helpful anything else question "
        "questions ask let know need more assist assistance further good day great today please feel free reach again "
        "right"
    )
)


class AnswerVerifier:
    """Takes an answer as it is written and hands on what was verified, with `[n]` pointing into `sources`.

    `keep` returns a sentence, or what is told instead of it: promises must not be made on anybody's behalf, whatever
    passage they rest on. `dropped` counts the sentences that no passage supports, `rewritten` those not kept, of which
    only the first is replaced. `sources` may still grow until `finish`.

    A line in bold that is word for word a heading of the passages says what the sentences below it are about: it is
    handed on with the first of them that was verified, and not without.
    """

    def __init__(self, evidence: EvidenceSet, keep: Callable[[str], str] = str) -> None:
        self._evidence = evidence
        self._keep = keep
        self._buffer = SentenceBuffer()
        self._sources: list[Source] = []
        self._heading = ""
        self.dropped = 0
        self.rewritten = 0

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
            if (kept := self._keep(piece)) != piece:
                self.rewritten += 1
                verified += [kept] if self.rewritten == 1 else []
                continue
            if self._is_heading(claim):
                self._heading = piece
                continue
            cited = [int(number) for number in _MARKER.findall(body)]
            if not cited and (claim == AUTOMATED or is_courtesy(claim) or is_question_back(claim, self._headings())):
                verified.append(claim + piece[len(body) :])
            elif supports := self._support(claim, cited):
                marks = "".join(dict.fromkeys(f" [{self._cite(support)}]" for support in supports))
                verified += [self._heading] if self._heading else []
                verified.append(f"{claim}{marks}{piece[len(body) :]}")
                self._heading = ""
            elif _SAYS.search(claim):
                self.dropped += 1
        return verified

    def _support(self, claim: str, cited: Sequence[int]) -> Sequence[Support]:
        """The span it rests on; or, if it cites several passages and none has it all, one for each clause. Or none."""
        named = [evidence for number in dict.fromkeys(cited) if (evidence := self._evidence.get(number))]
        if cited and not named:
            return []  # cites what was never retrieved
        if best := _best(claim, named or list(self._evidence)):
            return [best]
        clauses = _CLAUSES.split(claim)
        if len(named) < 2 or len(clauses) < 2 or any(len(terms(clause)) < MIN_CLAUSE for clause in clauses):
            return []
        found = [_best(clause.rstrip(".") + ".", named) for clause in clauses]
        return [support for support in found if support] if all(found) else []

    def _is_heading(self, line: str) -> bool:
        bold = _BOLD.fullmatch(line)
        return bold is not None and any(bold[1] in _headings_of(evidence) for evidence in self._evidence)

    def _headings(self) -> list[str]:
        return [evidence.heading for evidence in self._evidence]

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


def _headings_of(evidence: Evidence) -> set[str]:
    return {*evidence.heading.split(SEPARATOR), *(text for _, _, _, text in markdown.headings(evidence.content))}


def _best(claim: str, passages: Sequence[Evidence]) -> Support | None:
    found = [support for evidence in passages if (support := find_support(claim, evidence))]
    return max(found, key=lambda support: support.coverage, default=None)


def is_courtesy(sentence: str) -> bool:
    """Whether it only greets, thanks or offers help: no number, no link, no word beyond those of courtesy."""
    words = set(terms(sentence))
    return bool(words) and words <= _COURTESY and not _DIGIT.search(sentence) and not links_in(sentence)
