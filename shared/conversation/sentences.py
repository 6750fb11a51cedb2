"""Text into sentences: all at once with offsets, or as it streams in."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|approx|incl|vs|mr|mrs|ms|dr|prof|st|[ap]\.m|u\.s|inc|ltd|co|cf|z\.b|d\.h)|^\s*\d+)\.$",
    re.IGNORECASE,
)
_BEFORE_NUMBER = re.compile(
    r"\b(?:no|nr|fig|vol|pp?|sec|art|tel|ext|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.$", re.IGNORECASE
)
# A sentence ends with its full stop, closing quotes and citations; and a line ends whatever stands in it.
_END = re.compile(
    r"""[.!?…]["'”’)\]*_]*(?:\s*\[\d+\])*(?P<space>[^\S\n]+)(?=[^\s\[a-z])"""
    r"""|[。！？](?:\[\d+\])*(?=[^\[])"""
    r"""|\n+"""
)


class SentenceBuffer:
    """Collects streamed text and hands out whole sentences, each with the white space after it.

    The sentences, joined, are the text that went in. A sentence is only handed out once the next one has begun,
    because its citation may follow the full stop.
    """

    def __init__(self) -> None:
        self._text = ""

    def feed(self, text: str) -> list[str]:
        """The sentences that this text completes; often none."""
        self._text += text
        pieces: list[str] = []
        while (end := _first_end(self._text)) is not None:
            pieces.append(self._text[:end])
            self._text = self._text[end:]
        return pieces

    def finish(self) -> list[str]:
        """What is left, when no more text comes."""
        rest, self._text = self._text, ""
        return [rest] if rest else []


def _first_end(text: str) -> int | None:
    for match in _END.finditer(text):
        if match.group().startswith("."):
            before = text[: match.start() + 1].rpartition("\n")[2]
            if _ABBREVIATION.search(before):
                continue
            if text[match.end() : match.end() + 1].isdigit() and _BEFORE_NUMBER.search(before):
                continue
        if match.end() == len(text) and match.group().startswith("\n"):
            return None  # more line breaks may follow; they belong to this sentence
        return match.end()
    return None


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence in the text, surrounding white space left out."""
    buffer, position = SentenceBuffer(), 0
    for piece in [*buffer.feed(text), *buffer.finish()]:
        if body := piece.strip():
            start = position + piece.index(body[0])
            yield start, start + len(body)
        position += len(piece)
