"""Files that a customer adds to a message: read like documents, citable, never part of the knowledge base."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared import telemetry
from shared.errors import DocumentRejected
from shared.memory.models import Attachment

MAX_MARKDOWN = 100_000
"""Characters kept of one attachment: about 40 pages, and small beside a store's 2 MB limit per item."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came in."""

    name: str
    content_type: str
    data: bytes


class _Parsed(Protocol):
    @property
    def markdown(self) -> str: ...

    @property
    def pages(self) -> Sequence[int]: ...


class Parser(Protocol):
    """What this module needs of `shared.knowledge.parsing.DocumentParser`."""

    async def parse(self, data: bytes, name: str) -> _Parsed:
        """Raises `DocumentRejected`."""
        ...


async def read_attachments(uploads: Sequence[Upload], parser: Parser) -> tuple[Attachment, ...]:
    """Each upload as Markdown; one that cannot be read has no text and a `problem` that says why."""
    return tuple([await _read(upload, parser) for upload in uploads])


async def _read(upload: Upload, parser: Parser) -> Attachment:
    identifier = hashlib.sha256(upload.data).hexdigest()[:16]
    try:
        with telemetry.span("read attachment"):
            parsed = await parser.parse(upload.data, upload.name)
    except DocumentRejected as rejected:
        telemetry.attachment_processing.add(1, {"outcome": "unreadable"})
        return Attachment(identifier, upload.name, len(upload.data), problem=str(rejected))
    telemetry.attachment_processing.add(1, {"outcome": "read"})
    text = parsed.markdown[:MAX_MARKDOWN]
    pages = tuple(start for start in parsed.pages if start < len(text))
    return Attachment(identifier, upload.name, len(upload.data), markdown=text, pages=pages)
