"""Narrowing a search to the documents that are meant for a product, a language, an audience.

A document says so in its front matter or its blob's metadata: one value, or several with commas between them, any of
which will do. One that names no value is for everyone. Filters narrow and do not protect: whoever opens a conversation
chooses them.
"""

from __future__ import annotations

from collections.abc import Mapping

FILTERS = ("product", "language", "audience")
EVERYONE = "all"
"""A document that says so is as one that names no value."""

type Filters = Mapping[str, str]
"""By some of `FILTERS`, the one value that is wanted."""


def values(key: str, text: str) -> frozenset[str]:
    """The values that a document or a filter names, in the form in which they are compared; empty for everyone.

    Case and repeated spaces do not count, nor what a language is narrowed down to: `en-GB` is `en` (RFC 5646 §2.2.1).
    """
    named = (" ".join(value.casefold().split()) for value in text.split(","))
    if key == "language":
        named = (value.replace("_", "-").partition("-")[0] for value in named)
    found = frozenset(filter(None, named))
    return frozenset() if EVERYONE in found else found


def admits(filters: Filters, metadata: Mapping[str, object]) -> bool:
    """Whether a document with this metadata is among those that are wanted."""
    for key, wanted in filters.items():
        named = values(key, str(metadata.get(key, "")))
        if named and named.isdisjoint(values(key, wanted)):
            return False
    return True
