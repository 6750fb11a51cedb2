"""What every reader gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from shared.errors import DocumentRejected
from shared.knowledge import markdown
from shared.knowledge.index import DocumentStatus
from shared.knowledge.markdown import Part

MAX_CHARACTERS = 5_000_000
"""Most text of one document; 2,500 printed pages, and some 7,000 chunks."""


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """`markdown` is clean (see `markdown.clean`), `title` never empty, `metadata` what the document says of itself.

    `pages` has, for documents of pages or slides, the offset in `markdown` at which each begins; a paragraph belongs to
    the page that it begins on, a row of a table to its own.
    """

    markdown: str
    title: str
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    pages: Sequence[int] = ()


def finish(
    content: str | Sequence[Part], name: str, *, title: str = "", metadata: Mapping[str, str] | None = None
) -> ParsedDocument:
    """Clean the text and settle the title: the document's own word, else its first heading, `title`, or the file name.

    Raises `DocumentRejected` for too much text, or none.
    """
    if (len(content) if isinstance(content, str) else sum(len(part.text) for part in content)) > MAX_CHARACTERS:
        raise DocumentRejected(
            DocumentStatus.TOO_LARGE, f"The document has more than {MAX_CHARACTERS:,} characters of text. Split it."
        )
    text, pages = (markdown.clean(content), ()) if isinstance(content, str) else markdown.join(content)
    if not any(map(str.isalnum, text)):
        raise DocumentRejected(
            DocumentStatus.EMPTY, "The document holds no text. Pictures, charts and embedded files are not read."
        )
    known = dict(metadata or {})
    own = known.pop("title", "")
    chosen = own or markdown.first_title(text) or markdown.plain(title) or _title_of(name)
    return ParsedDocument(text, chosen[: markdown.MAX_TITLE], known, pages)


def encrypted() -> DocumentRejected:
    return DocumentRejected(
        DocumentStatus.ENCRYPTED, "The document is protected by a password. Save a copy without one."
    )


def _title_of(name: str) -> str:
    stem = PurePosixPath(name.replace("\\", "/")).stem
    words = (stem if " " in stem else stem.replace("-", " ").replace("_", " ")).split()
    title = " ".join(words) or "Untitled"
    return title[0].upper() + title[1:]
