"""The part of the given passages that answers a question, found without a language model.

Of each section, what stands under one heading, the part is taken that would be given: the entries that the question
names (rows of a table, items of a list), or else the block that says most about it, with its neighbours as far as they
belong to it and fit. Of these parts the best answers. A code in the question is different: only what holds that very
code answers, whichever section it is in, unless the code stands everywhere.

A follow-up ("and unopened?") asks for something else than what was just told: another part, or some sentences of it.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby, pairwise

from shared.conversation.blocks import Block, Section, sections
from shared.conversation.query import questions_in
from shared.conversation.vocabulary import meant
from shared.knowledge.chunking import SEPARATOR
from shared.knowledge.terms import codes, terms

ANSWER_CHARS = 600
"""Longest answer, about 100 words. Whole blocks are given, so one that follows a mere lead-in may run over it."""
LEAD_CHARS = 150
"""What is shorter says little by itself: then what follows it is given, too."""
MAX_ENTRIES = 12
"""Longest list or table given whole: instructions seldom have more steps."""
SHORT_LIST = 250
"""Characters. A shorter list is given whole, whichever of its items the question names."""
MAX_QUESTIONS = 2
"""Of one message that are answered."""
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
HEADING_WEIGHT = 1.0
"""A heading that is the question ("How do I reset my password?") marks the section written to answer it. The lowest one
counts, by itself or read below the title, as those between stand over its neighbours too."""
TEXT_WEIGHT = 0.25
"""And one that takes up the question's words itself is preferred to one that only stands under them."""
TOLD_WEIGHT = 0.5
"""Against what was told just before, in a follow-up."""
LEAST_SHARE = 0.25
"""A section of a passage further down the ranking is preferred only if it covers this much more of the question."""

_REFERS_BACK = re.compile(
    r"\W*(?:this|these|that|those|it|they|he|she|then|yes|no|both|either|otherwise)\b", re.IGNORECASE
)
_NOT = re.compile(r"\b(?:not|no|never|none|cannot|without)\b|n['’]t\b", re.IGNORECASE)
_CITATION = re.compile(r"\s*\[\d{1,3}\]")
_ENDED = re.compile(r"[.!?…:][\"'”’)\]*_]*$")
# Words that say how something is asked, not what about.
_LIGHT = frozenset(
    terms("long much many often far take get got keep need want like go make give let use know tell see say")
)


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
class _Place:
    """A section of a passage; `first` marks those of the passage that was ranked first."""

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
class _Part:
    """Blocks of a section that would be given."""

    place: _Place
    blocks: tuple[Block, ...]
    narrowed: bool = False

    @cached_property
    def said(self) -> frozenset[str]:
        return frozenset[str]().union(*(block.said for block in self.blocks))


@dataclass(frozen=True)
class _Asked:
    """`own` are the question's terms; `weights` has also those of earlier messages, `before`, newest first. They add up
    to 1."""

    text: str
    own: frozenset[str]
    before: tuple[frozenset[str], ...]
    weights: dict[str, float]

    def share(self, said: frozenset[str]) -> float:
        """How much of the question (0 … 1) these terms are."""
        return sum(weight for term, weight in self.weights.items() if term in said)

    def likeness(self, heading: str) -> float:
        """How much heading and question say the same (0 … 1): what they share, less for what only the heading says and
        for a "not" that only one of them has."""
        words = meant(heading)
        said = len(words) + (_denies(heading) != _denies(self.text))
        return self.share(words) * len(words & self.weights.keys()) / said if words else 0.0


def extract(question: str, candidates: Sequence[Candidate], *, before: Sequence[str] = (), told: str = "") -> list[str]:
    """The answer in pieces that, joined, are its Markdown; each sentence ends with its citation. Empty: no answer.

    `candidates` are in order of rank. `before` are the customer's earlier messages that this one needs, newest first;
    `told` is the answer that it follows. A second question of the message is answered like a follow-up.
    """
    places = [
        _Place(candidate, section, first=i == 0)
        for i, candidate in enumerate(candidates)
        for section in sections(candidate.text, candidate.heading)
    ]
    first, *others = questions_in(question)
    pieces = _answer(first, places, before, told)
    for other in others[: MAX_QUESTIONS - 1]:
        more = _answer(other, places, [first], "".join(pieces), certain=True)
        if pieces and more:
            pieces[-1] += "\n\n"
        pieces += more
    return pieces


def _answer(
    question: str, places: Sequence[_Place], before: Sequence[str], told: str, *, certain: bool = False
) -> list[str]:
    """`certain`: only if it says most of what the question names, and was not told."""
    asked = _asked(question, before, places)
    wanted = codes(" ".join([question, *before]))
    if wanted and (found := _with_code(wanted, places, asked)):
        return _render(found)
    talk = _Talk(told if before else "", places)
    parts = [
        talk.narrowed(part, asked)
        for place, following in pairwise([*places, None])
        if place and (part := _part(place, following, asked)).blocks
    ]
    if before:
        parts = [part for part in parts if talk.is_about(part, asked)] or parts
    if certain:
        parts = [part for part in parts if talk.goes_on(part, asked)]
    if not parts:
        return []

    def score(part: _Part) -> float:
        known = TOLD_WEIGHT * (0.5 if part.narrowed else 1) if part.narrowed or talk.knows(part) else 0.0
        return _score(part, asked) - known

    best = max(parts, key=score)
    if _only_opens(best, asked):
        title = best.place.passage.title
        told_more = [part for part in parts if part.place.passage.title == title and not _only_opens(part, asked)]
        best = max(told_more, key=score, default=best)
    return _render(best, _title(best, question))


class _Talk:
    """What a follow-up follows: it goes on about the document of the last answer, and asks for something else."""

    def __init__(self, told: str, places: Sequence[_Place]) -> None:
        self._told = _unmarked(told)
        self._titles = {
            place.passage.title
            for place in places
            if any(self._knows(line) for block in place.section.blocks for line in block.lines)
        }

    def is_about(self, part: _Part, asked: _Asked) -> bool:
        """Whether it says something of what the follow-up names ("and to Norway?"), or, if that names nothing ("how
        long does it take?"), is of the document that the last answer was from."""
        if named := asked.own - _LIGHT:
            return not named.isdisjoint(part.place.headings | part.said)
        return part.place.passage.title in self._titles

    def goes_on(self, part: _Part, asked: _Asked) -> bool:
        """Whether it certainly says what the next question of the same message names: all of it, and a single word only
        in the same document."""
        named = asked.own - _LIGHT
        said = bool(named) and named <= part.place.headings | part.said
        return said and not self.knows(part) and (len(named) > 1 or part.place.passage.title in self._titles)

    def knows(self, part: _Part) -> bool:
        """Whether all of it was told."""
        return all(self._knows(line) for block in part.blocks for line in block.lines)

    def narrowed(self, part: _Part, asked: _Asked) -> _Part:
        """Of what was just told, the sentences that the follow-up itself is about; all of it, if there are none."""
        if not self.knows(part):
            return part
        words = asked.own - part.place.headings - _LIGHT
        pieces = [piece for block in part.blocks for piece in block.sentences() if not piece.leads]
        shares = [asked.share(piece.said & words) for piece in pieces]
        chosen = [i for i, share in enumerate(shares) if share and share >= NEARLY * max(shares)]
        if not 0 < len(chosen) <= FEW or len(chosen) == len(pieces):
            return part
        chosen += [i - 1 for i in chosen if i and _REFERS_BACK.match(pieces[i].text)]
        return _Part(part.place, tuple(_joined([pieces[i] for i in sorted(set(chosen))])), narrowed=True)

    def _knows(self, line: str) -> bool:
        return bool(self._told) and _unmarked(line) in self._told


def _unmarked(text: str) -> str:
    """Without citations, and with one blank between words."""
    return " ".join(_CITATION.sub("", text).split())


def _asked(question: str, before: Sequence[str], places: Sequence[_Place]) -> _Asked:
    """Words weigh by their rarity among blocks and rows."""
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
    idf = {
        term: weight * math.log(1 + len(held) / (1 + sum(term in block for block in held)))
        for term, weight in asked.items()
    }
    total = sum(idf.values()) or 1.0
    return _Asked(question, own, earlier, {term: value / total for term, value in idf.items()})


def _score(part: _Part, asked: _Asked) -> float:
    place = part.place
    share = asked.share(place.headings | part.said)
    about = HEADING_WEIGHT * max(asked.likeness(heading) for heading in place.read)
    said = TEXT_WEIGHT * asked.share(part.said)
    return share + about + said + place.passage.relevance + (LEAST_SHARE if place.first else 0)


def _with_code(wanted: Sequence[str], places: Sequence[_Place], asked: _Asked) -> _Part | None:
    """The row or sentence that holds the code and most of the question; a sentence with the one after it."""
    patterns = [re.compile(rf"(?<![\w-]){re.escape(code)}(?![\w-])", re.IGNORECASE) for code in wanted]
    best: tuple[float, _Part] | None = None
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
                    best = score, _Part(place, (block.part(i, i + 1 + (block.kind == "paragraph")),))
                mentions += not leads
                entry = entry or leads
    if best and (entry or mentions <= FEW):
        return best[1] if not best[1].blocks[0].in_order else _Part(best[1].place, _chosen(best[1].place, asked))
    return None


def _part(place: _Place, following: _Place | None, asked: _Asked) -> _Part:
    """A mere introduction goes on with what follows it."""
    part = _Part(place, _named(place, asked) or _chosen(place, asked))
    more = _chosen(following, asked) if following and following.passage is place.passage else ()
    if more and following and _only_opens(part, asked):
        return _Part(place, (*part.blocks, Block("heading", (following.section.heading,)), *more))
    return part


def _only_opens(part: _Part, asked: _Asked) -> bool:
    """Whether these are the opening words of a page that is asked for as a whole, or only announce what it is about."""
    if part.place.section.heading or any(block.kind == "heading" for block in part.blocks):
        return False
    told = [block.without_announcements() for block in part.blocks]
    whole = asked.share(meant(part.place.passage.title)) >= WHOLE_PAGE
    return sum(len(block.text) for block in told) <= (LEAD_CHARS if whole else 0)


def _named(place: _Place, asked: _Asked) -> tuple[Block, ...]:
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
        yield from _joined([blocks[i].part(start, end) for i, start, end in of_one])


def _lead(blocks: Sequence[Block], at: int) -> Sequence[Block]:
    """The paragraph that leads to the block, if one does."""
    return [blocks[at - 1]] if at and blocks[at - 1].leads and blocks[at].kind != "paragraph" else []


def _joined(blocks: Sequence[Block]) -> list[Block]:
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


def _chosen(place: _Place, asked: _Asked) -> tuple[Block, ...]:
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
            or bool(_REFERS_BACK.match(blocks[first].text))
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


def _shortened(block: Block, asked: _Asked) -> Block:
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


def _render(part: _Part, heading: str = "") -> list[str]:
    number = part.place.passage.number
    pieces = [f"**{heading}**\n"] if heading else []
    told = [short for block in part.blocks if (short := block.without_announcements()).lines]
    blocks = told or part.blocks
    for i, block in enumerate(blocks):
        if i and blocks[i - 1].kind != "heading":
            pieces[-1] += "\n" if blocks[i - 1].leads or pieces[-1].endswith(f": [{number}]") else "\n\n"
        if block.kind == "heading":
            pieces.append(f"**{block.text}**\n")
            continue
        joint = {"list": "\n", "table": "  \n", "code": "  \n", "paragraph": " "}[block.kind]
        lines = [f"{line} [{number}]" for line in block.lines]
        pieces += [f"{line}{joint}" for line in lines[:-1]] + lines[-1:]
    return pieces


def _title(part: _Part, question: str) -> str:
    """The heading of what cannot be understood without it; empty if the words are there already."""
    first, heading = part.blocks[0], part.place.section.heading
    known = first.said | meant(question)
    # "What is not covered", and below it only: "theft and loss".
    denied = _denies(heading) and not _denies(question)
    if first.kind == "paragraph" and (first.has_name or not _REFERS_BACK.match(first.text)):
        return heading if denied and not _denies(first.text) and part.said.isdisjoint(meant(heading)) else ""
    return heading if denied or not known.issuperset(meant(heading)) else ""


def _denies(text: str) -> bool:
    return bool(_NOT.search(text))
