"""Show what the agent knows of one document: its record, and its passages as they are found and cited.

python -m tools.show_document NAME

NAME is its path below the container, as `python -m tools.list_documents` prints it. Before each passage stands where
in the text it begins and ends, counted in characters of the document's Markdown, and the headings above it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import unicodedata
from collections.abc import Sequence

from shared.errors import NotFound, SupportAgentError
from shared.knowledge.index import Chunk, DocumentRecord
from shared.services import get_services

RECORD = """{name}
status      {status}{reason}
title       {title}
read        {read}
version     {version}
etag        {etag}
metadata    {metadata}
passages    {passages}"""
OWN = ("source", "title", "section")
"""Metadata that the record and the breadcrumb show already."""


async def look_up(name: str) -> tuple[DocumentRecord, Sequence[Chunk]]:
    """Raises `NotFound`, `Unavailable`, `IndexModelMismatch`."""
    async with get_services() as services:
        record = await services.index.record(name)
        if record is None:
            raise NotFound(f"No document {name!r} is known. python -m tools.list_documents lists those that are.")
        return record, await services.index.chunks(name)


def described(record: DocumentRecord, chunks: Sequence[Chunk]) -> str:
    metadata = {key: value for chunk in chunks[:1] for key, value in chunk.metadata.items() if key not in OWN}
    head = RECORD.format(
        name=record.name,
        status=record.status.value,
        reason=f": {record.reason}" if record.reason else "",
        title=record.title or "-",
        read=record.indexed_at.isoformat(sep=" ", timespec="seconds"),
        version=record.content_hash or "unfinished",
        etag=record.etag or "-",
        metadata=", ".join(f"{key}={value}" for key, value in sorted(metadata.items())) or "-",
        passages=len(chunks),
    )
    passages = (
        f"[{number}] {chunk.start}-{chunk.end}  {chunk.breadcrumb}\n{chunk.text}"
        for number, chunk in enumerate(chunks, start=1)
    )
    return "\n\n".join([head, *passages])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.show_document", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", metavar="NAME")
    options = parser.parse_args(arguments)

    try:
        print(described(*asyncio.run(look_up(unicodedata.normalize("NFC", options.name)))))
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
