"""The part of the given passages that answers a question, found without a language model.

Of each section, what stands under one heading, the part is taken that would be given (`parts.py`), and the best of
these answers. A code in the question is different: only what holds that very code answers, whichever section it is in,
unless the code stands everywhere.

A follow-up ("and unopened?") asks for something else than what was just told: another part, or some sentences of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import replace
from itertools import pairwise

from shared.conversation.blocks import sections
from shared.conversation.lookups import looked_up
from shared.conversation.parts import (
    ASKING,
    FEW,
    NEARLY,
    REFERS_BACK,
    Asked,
    Candidate,
    Part,
    Place,
    asked_for,
    chosen_of,
    denies,
    joined,
    only_opens,
    part_of,
)
from shared.conversation.query import questions_in
from shared.conversation.vocabulary import DURATION, meant
from shared.knowledge.question import refers_back
from shared.knowledge.terms import code_pattern, codes

MAX_QUESTIONS = 2
"""Of one message that are answered."""
HEADING_WEIGHT = 1.0
"""A heading that is the question ("How do I reset my password?") marks the section written to answer it. The lowest one
counts, by itself or read below the title, as those between stand over its neighbours too."""
TEXT_WEIGHT = 0.25
"""And one that takes up the question's words itself is preferred to one that only stands under them."""
TOLD_WEIGHT = 0.5
"""Against what was told just before, in a follow-up."""
LEAST_SHARE = 0.25
"""A section of a passage further down the ranking is preferred only if it covers this much more of the question …"""
ALL_NAMED = 0.25
"""… or says all that the question names, as opening words that speak of the same thing in general do not."""

MOST = 0.75
"""Of what a follow-up names, beside the part that says most of it."""

_CITATION = re.compile(r"\s*\[\d{1,3}\]")


def extract(
    question: str,
    candidates: Sequence[Candidate],
    *,
    before: Sequence[str] = (),
    told: str = "",
    certain: bool = False,
) -> list[str]:
    """The answer in pieces that, joined, are its Markdown; each sentence ends with its citation. Empty: no answer.

    `candidates` are in order of rank. `before` are the customer's earlier messages that this one needs, newest first;
    `told` is the answer that it follows. A second question of the message is answered like a follow-up. `certain`: only
    by what says all that the question names.
    """
    places = [
        Place(candidate, section, first=i == 0)
        for i, candidate in enumerate(candidates)
        for section in sections(candidate.text, candidate.heading)
    ]
    first, *others = questions_in(question)
    if _is_heading(first, places):
        before = ()
    pieces = _answer(first, places, before, told, certain=certain)
    for other in others[: MAX_QUESTIONS - 1]:
        more = _answer(other, places, [first], "".join(pieces), certain=True)
        if pieces and more:
            pieces[-1] += "\n\n"
        pieces += more
    return pieces


def _is_heading(question: str, places: Sequence[Place]) -> bool:
    """Whether a section is written to answer this very question: few words, and no follow-up all the same."""
    if refers_back(question):
        return False
    asked = meant(question)
    headings = {heading for place in places for heading in place.read}
    return any(meant(heading) == asked and denies(heading) == denies(question) for heading in headings)


def _answer(
    question: str, places: Sequence[Place], before: Sequence[str], told: str, *, certain: bool = False
) -> list[str]:
    """`certain`: only by what says all that the question names, and was not told."""
    asked = asked_for(question, before, places)
    talk = _Talk(told if before else "", places)
    wanted = codes(question if certain else " ".join([question, *before]))
    found = _with_code(wanted, places, asked) if wanted else None
    if found and (not certain or talk.goes_on(found, asked)):
        return _render(found)
    parts = [
        talk.narrowed(part, asked)
        for place, following in pairwise([*places, None])
        if place and (part := part_of(place, following, asked)).blocks
    ]
    parts += [*looked_up(parts, places, asked)]
    if before:
        parts = talk.about(parts, asked) or parts
    if certain:
        parts = [part for part in parts if talk.goes_on(part, asked)]
    if not parts:
        return []

    def score(part: Part) -> float:
        known = TOLD_WEIGHT * (0.5 if part.narrowed else 1) if part.narrowed or talk.knows(part) else 0.0
        return _score(part, asked) - known

    best = max(parts, key=score)
    if only_opens(best, asked):
        title = best.place.passage.title
        told_more = [part for part in parts if part.place.passage.title == title and not only_opens(part, asked)]
        best = max(told_more, key=score, default=best)
    known = bool(best.looked_up) and talk.knows(replace(best, looked_up=()))
    pieces = [] if known else _render(best, _title(best, question))
    for row in best.looked_up:
        if pieces:
            pieces[-1] += "\n\n"
        pieces += _render(row, row.place.section.heading)
    return pieces


class _Talk:
    """What a follow-up follows: it goes on about the document of the last answer, and asks for something else."""

    def __init__(self, told: str, places: Sequence[Place]) -> None:
        self._told = _unmarked(told)
        self._titles = {
            place.passage.title
            for place in places
            if any(self._knows(line) for block in place.section.blocks for line in block.lines)
        }

    def about(self, parts: Sequence[Part], asked: Asked) -> list[Part]:
        """Those that say most of what the follow-up names ("and to Norway?"), or, if it names nothing ("how long does
        it take?"), are of the document that the last answer was from."""
        named = asked.own - ASKING - {DURATION}
        if not named:
            return [part for part in parts if part.place.passage.title in self._titles]
        shares = [asked.share(named & part.under_headings) for part in parts]
        most = max(shares, default=0.0)
        return [part for part, share in zip(parts, shares, strict=True) if share and share >= MOST * most]

    def goes_on(self, part: Part, asked: Asked) -> bool:
        """Whether it certainly says what the question names: all of it, and a single word only in the document of the
        last answer."""
        named = asked.own - ASKING
        said = bool(named) and named <= part.under_headings
        return said and not self.knows(part) and (len(named) > 1 or part.place.passage.title in self._titles)

    def knows(self, part: Part) -> bool:
        """Whether all of it was told."""
        return all(self._knows(line) for block in part.all_blocks for line in block.lines)

    def narrowed(self, part: Part, asked: Asked) -> Part:
        """Of what was just told, the sentences that the follow-up itself is about; all of it, if there are none."""
        if not self.knows(part):
            return part
        words = asked.own - part.place.headings - ASKING
        pieces = [piece for block in part.blocks for piece in block.sentences() if not piece.leads]
        shares = [asked.share(piece.said & words) for piece in pieces]
        chosen = [i for i, share in enumerate(shares) if share and share >= NEARLY * max(shares)]
        if not 0 < len(chosen) <= FEW or len(chosen) == len(pieces):
            return part
        chosen += [i - 1 for i in chosen if i and REFERS_BACK.match(pieces[i].text)]
        return Part(part.place, tuple(joined([pieces[i] for i in sorted(set(chosen))])), narrowed=True)

    def _knows(self, line: str) -> bool:
        return bool(self._told) and _unmarked(line) in self._told


def _unmarked(text: str) -> str:
    """Without citations, and with one blank between words."""
    return " ".join(_CITATION.sub("", text).split())


def _score(part: Part, asked: Asked) -> float:
    place = part.place
    share = asked.share(part.under_headings)
    read = [heading for of in (part, *part.looked_up) for heading in of.place.read]
    about = HEADING_WEIGHT * max(asked.likeness(heading) for heading in read)
    said = TEXT_WEIGHT * asked.share(part.said)
    all_named = ALL_NAMED if asked.named <= part.under_headings else 0.0
    return share + about + said + all_named + place.passage.relevance + (LEAST_SHARE if place.first else 0)


def _with_code(wanted: Sequence[str], places: Sequence[Place], asked: Asked) -> Part | None:
    """The row or sentence that holds the code and most of the question; a sentence with the one after it."""
    patterns = [re.compile(rf"(?<![\w-]){code_pattern(code)}(?![\w-])", re.IGNORECASE) for code in wanted]
    best: tuple[float, Part] | None = None
    entry, mentions = False, 0
    for place in places:
        for block in place.section.blocks:
            for i, line in enumerate(block.lines):
                hits = sum(bool(pattern.search(line)) for pattern in patterns)
                if not hits:
                    continue
                # The row's own code stands at its beginning; elsewhere a code is only mentioned.
                own = line.removeprefix(f"{block.columns[0]}: " if block.columns else "").lstrip("*_` -")
                leads = any(pattern.match(own) for pattern in patterns)
                score = hits + 0.5 * leads + asked.share(place.headings | block.said_by_line[i])
                if best is None or score > best[0]:
                    best = score, Part(place, (block.part(i, i + 1 + (block.kind == "paragraph")),))
                mentions += not leads
                entry = entry or leads
    if best and (entry or mentions <= FEW):
        return best[1] if not best[1].blocks[0].in_order else Part(best[1].place, chosen_of(best[1].place, asked))
    return None


def _render(part: Part, heading: str = "") -> list[str]:
    number = part.place.passage.number
    pieces = [f"**{heading}**\n\n"] if heading else []
    told = [short for block in part.blocks if (short := block.without_announcements()).lines]
    blocks = told or part.blocks
    for i, block in enumerate(blocks):
        if i and blocks[i - 1].kind != "heading":
            pieces[-1] += "\n" if blocks[i - 1].leads or pieces[-1].endswith(f": [{number}]") else "\n\n"
        if block.kind == "heading":
            pieces.append(f"**{block.text}**\n\n")
            continue
        joint = {"list": "\n", "table": "  \n", "code": "  \n", "paragraph": " "}[block.kind]
        lines = [f"{line} [{number}]" for line in block.lines]
        pieces += [f"{line}{joint}" for line in lines[:-1]] + lines[-1:]
    return pieces


def _title(part: Part, question: str) -> str:
    """The heading of what cannot be understood without it; empty if the words are there already."""
    first, heading = part.blocks[0], part.place.section.heading
    known = first.said | meant(question)
    # "What is not covered", and below it only: "theft and loss".
    denied = denies(heading) and not denies(question)
    if first.kind == "paragraph" and (first.has_name or not REFERS_BACK.match(first.text)):
        return heading if denied and not denies(first.text) and part.said.isdisjoint(meant(heading)) else ""
    return heading if denied or not known.issuperset(meant(heading)) else ""
