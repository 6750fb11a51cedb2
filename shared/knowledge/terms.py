"""The words that carry meaning, in the form in which question and passage are compared."""

from __future__ import annotations

import re
from functools import lru_cache
from threading import Lock
from typing import Any, cast

import Stemmer

_WORD = re.compile(r"\w+(?:['’]\w+)?")
_STOP = frozenset(
    "a about after all also am an and any are as at be because been before being but by can could did do does doing "
    "don for from had has have having he her here him his how i if in into is it its just me more most my no nor not "
    "of off on once only or other our out over own please same she should so some such than that the their them then "
    "there these they this those through to too under until up us very was we were what when where which while who "
    "whom why will with would you your i'm i've it's don't can't doesn't isn't won't what's there's".split()
)
_CODE = re.compile(
    r"(?<![\w-])(?:"
    r"(?=[\w.-]*\d)[A-Za-z]{1,6}[-_]?\d[\w.]*(?:-[\w.]+)*"  # ERR-1042, KX-4410-B, E21, v2
    r"|(?=[\w-]*\d)[A-Za-z]{2,}(?:-[A-Za-z0-9]+)+"  # ABC-D-9
    r"|\d+(?:\.\d+){1,3}"  # 2.3.1
    r"|0[xX][0-9A-Fa-f]+"
    r")(?<![.-])"
)
_HEX = re.compile("0x", re.IGNORECASE)
# Where letters and digits meet, a hyphen is written or not.
_JOINTS = re.compile(r"(?<=[A-Za-z])[-_]?(?=\d)|(?<=\d)[-_]?(?=[A-Za-z])")
_stemmer: Any = cast("Any", Stemmer).Stemmer("english")
_at_work = Lock()
"""The stemmer keeps the word that it works on in itself, and searches run in several threads."""


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    with _at_work:
        return _stemmer.stemWord(word)


def words(text: str) -> list[tuple[str, str]]:
    """Content words in order, stop words left out: each in lower case, and as the term that stands for it.

    The term is the stem; numbers and foreign words stay as they are.
    """
    return [(word, _stem(word)) for word in _content_words(text)]


def terms(text: str) -> list[str]:
    """The terms of the content words, in order."""
    return [_stem(word) for word in _content_words(text)]


def _content_words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower().replace("’", "'")) if word not in _STOP]


def spellings(code: str) -> list[str]:
    """How a document may print what a customer types: `ERR-1042` for `err-1042` or `err1042`, `0x1F` for `0X1f`."""
    if _HEX.match(code):
        return list(dict.fromkeys((code, code.upper().replace("0X", "0x", 1), code.lower())))
    parts = _JOINTS.split(code.upper())
    other = "-".join(parts) if "".join(parts) == code.upper() else "".join(parts)
    return list(dict.fromkeys((code, code.upper(), code.lower(), other)))


def code_pattern(code: str) -> str:
    """A regular expression for the code in all its spellings but for capitals."""
    return re.escape(code) if _HEX.match(code) else "[-_]?".join(map(re.escape, _JOINTS.split(code)))


def codes(text: str) -> list[str]:
    """Error codes, part numbers and versions in the text, each once, in order."""
    return list(dict.fromkeys(match.group() for match in _CODE.finditer(text)))
