"""The words of a SmartArt drawing, which stand in a part of their own (ECMA-376 part 1, §21.4)."""

from __future__ import annotations

import importlib
from typing import Any

_NOT_CONTENT = ("pres", "parTrans", "sibTrans")
"""Kinds of points that hold the drawing's layout."""


def texts(xml: bytes) -> list[str]:
    """One for each shape of the drawing that has words, in the order of the file."""
    etree: Any = importlib.import_module("lxml.etree")
    root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False))
    points = (point for point in root.iter("{*}pt") if point.get("type") not in _NOT_CONTENT)
    found = (
        " ".join("".join(text.text or "" for text in point.iter("{*}t") if len(text) == 0).split()) for point in points
    )
    return [text for text in found if text]
