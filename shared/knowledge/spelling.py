"""Misspelt words of a question, read as the words that the passages have.

A word is misspelt if no passage has it, the embedding model does not know it as a word either, and a word of the
passages is one letter away: added, left out, changed, or two swapped, as in four of five misspellings (Damerau 1964, A
Technique for Computer Detection and Correction of Spelling Errors). "waranty" is read as "warranty"; "Paris" never as
"parts", because the model knows it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from shared.knowledge.embedding import Embedder
from shared.knowledge.terms import terms

SHORTEST = 5
"""Letters of a word that is corrected. Shorter ones have too many neighbours."""
REMEMBERED = 4096
"""Words of which is known whether the model knows them."""

# Neither part of a code, a compound or an address, nor with an apostrophe.
_WORD = re.compile(rf"(?<![\w@./&'’-])[^\W\d_]{{{SHORTEST},}}(?![\w@/&'’-]|\.\w)")


class Spelling:
    """What is a single token for the embedding model is a common word or name, and never misspelt."""

    def __init__(self, embedder: Embedder) -> None:
        def known(word: str) -> bool:
            return min(embedder.count_tokens(form) for form in (word, word.capitalize())) == 1

        self._known = lru_cache(REMEMBERED)(known)

    def doubts(self, text: str) -> set[str]:
        """Words of the text that may be misspelt, in lower case."""
        return {word for word in _words(text) if not self._known(word)}

    def corrected(self, texts: Sequence[str], passages: Iterable[str]) -> list[str]:
        """The texts, with misspelt words replaced by those of the passages; all else stays as it is."""
        doubtful = self.doubts("\n".join(texts))
        if not doubtful:
            return list(texts)
        words = {word for passage in passages for word in _words(passage)}
        said = set(terms("\n".join(words)))
        meant = {word: _nearest(word, words) for word in doubtful if said.isdisjoint(terms(word))}
        return [_WORD.sub(lambda found: meant.get(found[0].lower()) or found[0], text) for text in texts]


def _words(text: str) -> set[str]:
    return set(map(str.lower, _WORD.findall(text)))


def _nearest(word: str, words: Collection[str]) -> str:
    """The word that is one letter away, but not the first; empty if there is none, or several with other meanings."""
    near = sorted(other for other in words if other[0] == word[0] and _one_apart(word, other))
    return near[0] if len({term for other in near for term in terms(other)}) == 1 else ""


def _one_apart(one: str, other: str) -> bool:
    """Whether one letter added, left out or changed, or two neighbours swapped, makes one the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    one, other = one[start:], other[start:]
    swapped = one[:2] == other[1::-1] and one[2:] == other[2:]
    return swapped or one[1:] == other[1:] or one[1:] == other or one == other[1:]
