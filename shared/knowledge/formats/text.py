"""Plain text and Markdown."""

from __future__ import annotations

from shared.knowledge import markdown
from shared.knowledge.formats.document import ParsedDocument, finish
from shared.knowledge.formats.encodings import decode


def read_text(data: bytes, name: str) -> ParsedDocument:
    """A document of kind MARKDOWN or TEXT. Raises `DocumentRejected`."""
    metadata, text = markdown.split_front_matter((decode(data) or "").removeprefix("\ufeff"))
    return finish(text, name, metadata=metadata)
