"""Which part of a section would be given to answer a question.

The entries that the question names (rows of a table, items of a list), or else the block that says most about it, with
its neighbours as far as they belong to it and fit.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby

from shared.conversation.blocks import Block, Section
from shared.conversation.vocabulary import meant
from shared.knowledge.chunking import SEPARATOR
from shared.knowledge.terms import terms

ANSWER_CHARS = 600
"""Longest answer, about 100 words. Whole blocks are given, so one that follows a mere lead-in may run over it."""
LEAD_CHARS = 150
"""What is shorter says little by itself: then what follows it is given, too."""
MAX_ENTRIES = 12
"""Longest list or table given whole: instructions seldom have more steps."""
SHORT_LIST = 250
"""Characters. A shorter list is given whole, whichever of its items the question names."""
FEW = 3
"""Entries of a longer list or table, or sentences of a long paragraph, that are chosen instead."""
LEAST_NAMED = 0.1
"""Least share of the question in an entry that counts as named by it: more than a word in passing."""
WHOLE_PAGE = 0.8
"""Share of the question in a title from which on it asks for the page as a whole."""
SURE = 0.5
"""Share of the question that a block must hold to be given without its neighbours."""
NEARLY = 0.5
"""Of the share of the best item or sentence: others with so much are named, too. Of rows only the best are."""
BEFORE_WEIGHT = 0.5
"""Of words that only the customer's previous message has; half of that of words of the one before it, and so on."""
ASKING_WEIGHT = 0.5
ASKING = frozenset(terms("long much many often far take get got need want like go make give let use know tell see say"))
"""Words that say how something is asked, not what about; and what they weigh beside others."""

REFERS_BACK = re.compile(
    r"\W*(?:this|these|that|those|it|they|he|she|then|yes|no|both|either|otherwise)\b", re.IGNORECASE
)
_NOT = re.compile(r"\b(?:not|no|never|none|cannot|without)\b|n['’]t\b", re.IGNORECASE)
_YOURS, _MINE = re.compile(r"\byours?\b", re.IGNORECASE), re.compile(r"\bmy\b", re.IGNORECASE)
_ENDED = re.compile(r"[.!?…:][\"'”’)\]*_]*$")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage to answer from: its citation number, heading, Markdown and relevance (0 … 1)."""

    number: int
    heading: str
    text: str
    relevance: float

    @property
    def title(self) -> str:
        return self.heading.partition(SEPARATOR)[0]


@dataclass(frozen=True)
class Place:
    """A section of a passage. `first` marks those of the passage that was ranked first."""

    passage: Candidate
    section: Section
    first: bool

    @cached_property
    def headings(self) -> frozenset[str]:
        return meant(f"{self.passage.heading} {self.section.heading}")

    @cached_property
    def read(self) -> Sequence[str]:
        """The lowest heading by itself and below the title: "What does it cost?" on a page about gift cards."""
        title, heading = self.passage.title, self.section.heading
        return (heading, f"{title} {heading}") if heading else (title,)


@dataclass(frozen=True)
class Part:
    """Blocks of a section that would be given; `narrowed` if they are only some sentences of what was told before.

    `looked_up` are rows of other tables that go on from the row that this is.
    """

    place: Place
    blocks: tuple[Block, ...]
    narrowed: bool = False
    looked_up: tuple[Part, ...] = ()

    @cached_property
    def said(self) -> frozenset[str]:
        looked_up = [part.under_headings for part in self.looked_up]
        return frozenset[str]().union(*looked_up, *(block.said for block in self.blocks))

    @cached_property
    def under_headings(self) -> frozenset[str]:
        """What is said, with what the headings above say."""
        return self.place.headings | self.said

    @property
    def all_blocks(self) -> tuple[Block, ...]:
        return (*self.blocks, *(block for part in self.looked_up for block in part.blocks))


@dataclass(frozen=True)
class Asked:
    """`own` are the question's terms; `weights` has also those of earlier messages, `before`, newest first. They add up
    to 1."""

    text: str
    own: frozenset[str]
    before: tuple[frozenset[str], ...]
    weights: dict[str, float]

    @cached_property
    def named(self) -> frozenset[str]:
        """What all these messages are about."""
        return frozenset(self.weights) - ASKING

    def share(self, said: frozenset[str]) -> float:
        """How much of the question (0 … 1) these terms are."""
        return sum(weight for term, weight in self.weights.items() if term in said)

    def likeness(self, heading: str) -> float:
        """How much heading and question say the same (0 … 1): what they share, less for what only the heading says and
        for a "not" that only one of them has."""
        if _YOURS.search(self.text) and _MINE.search(heading) and not _MINE.search(self.text):
            return 0.0  # "your phone number" is not what "Change my phone number" is about
        words = meant(heading)
        said = len(words) + (denies(heading) != denies(self.text))
        return self.share(words) * len(words & self.weights.keys()) / said if words else 0.0


def asked_for(question: str, before: Sequence[str], places: Sequence[Place]) -> Asked:
    """The question with its words weighed by their rarity among the blocks and rows of these places."""
    held = [
        place.headings | block.named | said
        for place in places
        for block in place.section.blocks
        for said in (block.said_by_line if block.kind == "table" else [block.said])
    ]
    own, earlier = meant(question), tuple(meant(text) for text in before)
    asked: dict[str, float] = dict.fromkeys(sorted(own), 1.0)
    for ago, words in enumerate(earlier, start=1):
        asked = dict.fromkeys(sorted(words), BEFORE_WEIGHT**ago) | asked
    for term in asked.keys() & ASKING:
        asked[term] *= ASKING_WEIGHT
    idf = {
        term: weight * math.log(1 + len(held) / (1 + sum(term in block for block in held)))
        for term, weight in asked.items()
    }
    total = sum(idf.values()) or 1.0
    return Asked(question, own, earlier, {term: value / total for term, value in idf.items()})


def part_of(place: Place, following: Place | None, asked: Asked) -> Part:
    """What would be given of this section; a mere introduction goes on with the section that follows it, unless that is
    about what is not."""
    part = Part(place, _named(place, asked) or chosen_of(place, asked))
    more = chosen_of(following, asked) if following and following.passage is place.passage else ()
    if more and following and only_opens(part, asked) and denies(following.section.heading) <= denies(asked.text):
        return Part(place, (*part.blocks, Block("heading", (following.section.heading,)), *more))
    return part


def only_opens(part: Part, asked: Asked) -> bool:
    """Whether these are the opening words of a page that is asked for as a whole, or only announce what it is about."""
    if part.place.section.heading or any(block.kind == "heading" for block in part.blocks):
        return False
    told = [block.without_announcements() for block in part.blocks]
    whole = asked.share(meant(part.place.passage.title)) >= WHOLE_PAGE
    return sum(len(block.text) for block in told) <= (LEAD_CHARS if whole else 0)


def _named(place: Place, asked: Asked) -> tuple[Block, ...]:
    """The few entries that the question names, or, if it names none, the messages before it, after the line that leads
    to them. Empty if none is named.

    What headings and columns say is said of all entries.
    """
    blocks = place.section.blocks
    entries = [
        (i, start, end)
        for i, block in enumerate(blocks)
        for start, end in block.entries()
        if block.kind != "list" or len(block.text) > SHORT_LIST
    ]
    among = {i for i, _, _ in entries}
    others = [block.said - place.headings for i, block in enumerate(blocks) if i not in among]
    for words in (asked.own, *asked.before):
        named: list[float] = []
        for i, start, end in entries:
            said = frozenset[str]().union(*blocks[i].said_by_line[start:end])
            named.append(asked.share(said & words - place.headings - blocks[i].named))
        best = max(named, default=0.0)
        if any(asked.share(said & words) > best for said in others):
            return ()
        chosen = [
            (i, start, end)
            for (i, start, end), share in zip(entries, named, strict=True)
            if share >= max(LEAST_NAMED, best * (1 if blocks[i].kind == "table" else NEARLY))
        ]
        if 0 < len(chosen) <= FEW:
            return (*_lead(blocks, chosen[0][0]), *_entries(blocks, chosen))
        if chosen:
            return ()
    return ()


def _entries(blocks: Sequence[Block], chosen: Sequence[tuple[int, int, int]]) -> Iterator[Block]:
    for _, of_one in groupby(chosen, key=lambda entry: entry[0]):
        yield from joined([blocks[i].part(start, end) for i, start, end in of_one])


def _lead(blocks: Sequence[Block], at: int) -> Sequence[Block]:
    """The paragraph that leads to the block, if one does."""
    return [blocks[at - 1]] if at and blocks[at - 1].leads and blocks[at].kind != "paragraph" else []


def joined(blocks: Sequence[Block]) -> list[Block]:
    """Neighbours of the same kind as one."""
    found: list[Block] = []
    for block in blocks:
        last = found[-1] if found else None
        goes_on = block.kind != "paragraph" or (last and _ENDED.search(last.text))
        if last and block.kind == last.kind and block.columns == last.columns and goes_on:
            found[-1] = Block(block.kind, last.lines + block.lines, block.columns)
        else:
            found.append(block)
    return found


def chosen_of(place: Place, asked: Asked) -> tuple[Block, ...]:
    """The best block and its neighbours, as many as fit, in their own order.

    Under a heading that is about something else, only what the block cannot do without.
    """
    blocks = [short for block in place.section.blocks if (short := _shortened(block, asked)).lines]
    if len(blocks) > 1 and blocks[-1].leads:
        del blocks[-1]  # to what is not here
    if not blocks:
        return ()
    best = max(range(len(blocks)), key=lambda i: (asked.share(blocks[i].said), -i))
    first = last = best
    length = len(blocks[best].text)
    about = not place.section.heading or asked.share(meant(place.section.heading)) > 0
    whole = about or asked.share(place.headings | blocks[best].said) < SURE
    while first > 0 or last < len(blocks) - 1:
        before, after = first > 0, last < len(blocks) - 1
        leads_up = before and (
            (blocks[first].kind != "paragraph" and blocks[first - 1].leads)
            or bool(REFERS_BACK.match(blocks[first].text))
        )
        goes_on = after and blocks[last].leads
        if goes_on or leads_up:
            step = last + 1 if goes_on else first - 1
        elif not whole:
            break
        else:
            # What follows usually goes on from what was said; what comes before leads up to it.
            near = [last + 1] * after + [first - 1] * before
            fits = [i for i in near if length + len(blocks[i].text) <= ANSWER_CHARS]
            if not fits and not (after and length <= LEAD_CHARS):
                break
            step = [*fits, last + 1][0]
        length += len(blocks[step].text)
        first, last = min(first, step), max(last, step)
    return tuple(blocks[first : last + 1])


def _shortened(block: Block, asked: Asked) -> Block:
    """Of a block that is too long by itself, the lines that say most about the question; of code the beginning; none of
    a long table, of which the question names no row."""
    if len(block.text) <= ANSWER_CHARS or (block.kind in ("list", "table") and len(block.lines) <= MAX_ENTRIES):
        return block
    if block.kind == "table":
        return block.part(0, 0)
    if block.kind == "code":
        ends = list(accumulate(len(line) for line in block.lines))
        return block.part(0, max(1, bisect_right(ends, ANSWER_CHARS)))
    ranked = sorted(range(len(block.lines)), key=lambda i: (-asked.share(block.said_by_line[i]), i))
    if block.kind == "paragraph":
        start = max(0, min(ranked[0], len(block.lines) - FEW))
        return block.part(start, start + FEW)
    return Block(block.kind, tuple(block.lines[i] for i in sorted(ranked[:FEW])), block.columns)


def denies(text: str) -> bool:
    """Whether it says "not"."""
    return bool(_NOT.search(text))
