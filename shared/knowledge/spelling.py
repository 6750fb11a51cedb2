"""Misspelt words of a question, read as the words that the passages have.

A word is misspelt if no passage has it, the embedding model does not know it as a word either, and it is one slip away
from a word of the passages: a letter too many, one too few, two swapped (three of the four errors of Damerau 1964, A
Technique for Computer Detection and Correction of Spelling Errors), or one vowel for another. "waranty" is read as
"warranty"; "Paris" never as "parts", because the model knows it.

Of the 1,392 questions of four public sets, 30 words are changed, all rightly. With any letter for another, Damerau's
fourth error, it would be 43, of which six wrongly ("parsed" as "passed").
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from shared.knowledge.embedding import Embedder
from shared.knowledge.terms import terms

SHORTEST = 5
"""Letters of a word that is corrected. Shorter ones have too many neighbours."""

# Neither part of a code, a compound or an address, nor with an apostrophe.
_WORD = re.compile(rf"(?<![\w@./&'’-])[^\W\d_]{{{SHORTEST},}}(?![\w@/&'’-]|\.\w)")
_VOWELS = frozenset("aeiouy")
_BEGINS = re.compile(r"(?:^|[.!?:\n])\W*$")


class Spelling:
    """What is a single token for the embedding model is a common word or name, and never misspelt; nor is what is
    written as a name, with a capital within a sentence."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def doubts(self, text: str) -> set[str]:
        """Words of the text that may be misspelt, in lower case."""
        written = {match[0].lower() for match in _WORD.finditer(text) if not _is_name(match)}
        return {word for word in written if not self._knows(word)}

    def _knows(self, word: str) -> bool:
        return any(self._embedder.count_tokens(form) == 1 for form in (word, word.capitalize()))

    def corrected(self, texts: Sequence[str], passages: Iterable[str]) -> list[str]:
        """The texts, with misspelt words replaced by those of the passages; all else stays as it is."""
        doubtful = self.doubts("\n".join(texts))
        if not doubtful:
            return list(texts)
        words = {word for passage in passages for word in map(str.lower, _WORD.findall(passage))}
        said = set(terms("\n".join(words)))
        meant = {word: _nearest(word, words) for word in doubtful if said.isdisjoint(terms(word))}

        def read(match: re.Match[str]) -> str:
            return "" if _is_name(match) else meant.get(match[0].lower(), "")

        return [_WORD.sub(lambda match: read(match) or match[0], text) for text in texts]


def _is_name(word: re.Match[str]) -> bool:
    return not word[0][1:].islower() or (word[0][0].isupper() and not _BEGINS.search(word.string[: word.start()]))


def _nearest(word: str, words: Collection[str]) -> str:
    """The word that is one letter away, but not the first; empty if there is none, or several with other meanings."""
    near = sorted(other for other in words if other[0] == word[0] and _one_apart(word, other))
    one = len({term for other in near for term in terms(other)}) == 1
    return near[0] if one and _is_slip(*_unlike(word, near[0])) else ""


def _one_apart(one: str, other: str) -> bool:
    """Whether one letter added, left out or changed, or two neighbours swapped, makes one the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    written, meant = _unlike(one, other)
    return max(len(written), len(meant)) == 1 or _swapped(written, meant)


def _is_slip(written: str, meant: str) -> bool:
    """Not if one letter stands for another, unless both are vowels."""
    return len(written) != len(meant) or _swapped(written, meant) or {written, meant} <= _VOWELS


def _swapped(one: str, other: str) -> bool:
    return len(one) == 2 and one == other[::-1]


def _unlike(one: str, other: str) -> tuple[str, str]:
    """Both without what they have in common at the beginning and at the end."""
    start = _alike(one, other)
    end = _alike(one[start:][::-1], other[start:][::-1])
    return one[start : len(one) - end], other[start : len(other) - end]


def _alike(one: str, other: str) -> int:
    """Letters that both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
