"""A backup: conversations, documents and transcripts of any adapters, in a folder, to be put into any others.

    conversations.jsonl   a line for each stored value, {"kind": …, "document": …}, as `codec.py` writes it
    documents.jsonl       a line for each document, {"name", "metadata", "sha256"}; its bytes are in documents/<sha256>
    transcripts.jsonl     a line for each long transcript, {"session_id", "ticket_id", "text"}
    manifest.json         what belongs to it, with a hash of each file: written last, so without it nothing is whole

The search index is not in it: it is made from the documents. Nor are counts of requests, which are over in minutes. All
of it is personal data: nobody but the owner may read the files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from pathlib import Path
from typing import IO, Any, Self

from shared.clock import iso
from shared.codec import SCHEMA, as_document, from_document
from shared.errors import InvalidInput, NotFound
from shared.escalation.outbox import OutboxEvent
from shared.escalation.ticket import Ticket
from shared.escalation.transcripts import TranscriptStore
from shared.files import write_whole
from shared.knowledge.documents import DocumentStore
from shared.memory.models import Conversation, CustomerFact, Message, Operator
from shared.memory.store import ConversationStore, Stored

FORMAT = 1
CONVERSATIONS, DOCUMENTS, TRANSCRIPTS, MANIFEST = (
    "conversations.jsonl",
    "documents.jsonl",
    "transcripts.jsonl",
    "manifest.json",
)
LINES = (CONVERSATIONS, DOCUMENTS, TRANSCRIPTS)
KINDS: Mapping[str, type[Any]] = {
    kind.__name__: kind for kind in (Conversation, Message, Ticket, OutboxEvent, CustomerFact, Operator)
}
FOR_THE_OWNER = 0o600
AT_ONCE = 100
"""Values that are put back together."""
LARGEST_DOCUMENT = 1 << 31
"""Bytes. Each is in memory once."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What is backed up, or put back into."""

    conversations: ConversationStore
    documents: DocumentStore
    transcripts: TranscriptStore


async def back_up(stores: Stores, folder: Path, now: datetime) -> Mapping[str, int]:
    """Write a backup into an empty or new folder, while the app goes on. Returns the numbers of what is in it.

    Raises `InvalidInput` for a folder that has something in it, `Unavailable`.
    """
    _make_folder(folder)
    counts = Counter[str]()
    with ExitStack() as stack:
        values, documents, transcripts = (stack.enter_context(_Lines(folder / name)) for name in LINES)
        with_transcripts = set(await stores.transcripts.sessions())
        async for value in stores.conversations.everything():
            kind = type(value).__name__
            values.write({"kind": kind, "document": as_document(value)})
            counts[kind] += 1
            if isinstance(value, Ticket) and value.session_id in with_transcripts:
                counts["Transcript"] += await _back_up_transcript(stores.transcripts, value, transcripts)
        async for name in _names(stores.documents):
            counts["Document"] += await _back_up_document(stores.documents, name, documents, folder)
    manifest = {"format": FORMAT, "schema": SCHEMA, "at": iso(now), "counts": dict(counts)}
    whole = json.dumps(manifest | {"sha256": {one: _hash(folder / one) for one in LINES}})
    write_whole(folder / MANIFEST, whole.encode(), mode=FOR_THE_OWNER)
    return counts


async def put_back(stores: Stores, folder: Path, *, into_existing: bool = False) -> Mapping[str, int]:
    """Put everything of a backup back. Returns the numbers; may be repeated after an interruption.

    What is there already stays, unless it has the same id or name. Raises `Unavailable`; `InvalidInput` for a folder
    that is no whole backup, or one of a newer version; unless `into_existing`, for stores that are not empty; and at
    the end for documents that these stores do not take as they are.
    """
    check(folder)
    if not into_existing and not await _is_empty(stores):
        raise InvalidInput(
            "There are conversations or documents already. To put the backup among them: --into-existing"
        )
    counts = Counter[str]()
    for lines in batched(_read(folder / CONVERSATIONS), AT_ONCE, strict=False):
        values: list[Stored] = [from_document(KINDS[line["kind"]], line["document"]) for line in lines]
        await stores.conversations.put_back(values)
        counts.update(line["kind"] for line in lines)
    for line in _read(folder / TRANSCRIPTS):
        await stores.transcripts.write(line["session_id"], line["ticket_id"], line["text"].encode())
        counts["Transcript"] += 1
    refused = [refusal async for refusal in _put_back_documents(stores.documents, folder, counts)]
    if refused:
        raise InvalidInput(f"All else is back, but not: {'; '.join(refused)}")
    return counts


async def _put_back_documents(documents: DocumentStore, folder: Path, counts: Counter[str]) -> AsyncIterator[str]:
    """Yields what is refused: a folder keeps no metadata, and each store has names of its own that it does not take."""
    for line in _read(folder / DOCUMENTS):
        data = (folder / "documents" / line["sha256"]).read_bytes()
        try:
            await documents.write(line["name"], data, line["metadata"])
            counts["Document"] += 1
        except InvalidInput as error:
            yield f"{line['name']}: {error}"


def check(folder: Path) -> None:
    """Raises `InvalidInput` unless this is a whole backup that this version can read."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"{folder} is no whole backup: {MANIFEST}, which is written last, is missing.") from None
    except ValueError:
        raise InvalidInput(f"{folder / MANIFEST} is damaged.") from None
    if manifest["format"] > FORMAT or manifest["schema"] > SCHEMA:
        raise InvalidInput(f"{folder} was written by a newer version of this app. Use that version.")
    damaged = [name for name, digest in manifest["sha256"].items() if _hash(folder / name) != digest]
    damaged += [
        line["name"]
        for line in (() if damaged else _read(folder / DOCUMENTS))
        if _hash(folder / "documents" / line["sha256"]) != line["sha256"]
    ]
    if damaged:
        raise InvalidInput(f"{folder} is damaged or incomplete: {', '.join(damaged[:10])}")


async def _back_up_transcript(transcripts: TranscriptStore, ticket: Ticket, lines: _Lines) -> bool:
    try:
        document = await transcripts.read(ticket.session_id, ticket.id)
    except NotFound:
        return False
    lines.write({"session_id": ticket.session_id, "ticket_id": ticket.id, "text": document.decode()})
    return True


async def _back_up_document(documents: DocumentStore, name: str, lines: _Lines, folder: Path) -> bool:
    try:
        info = await documents.info(name)
        data = await documents.read(name, max_bytes=LARGEST_DOCUMENT)
    except NotFound:  # it went in the meantime
        return False
    digest = hashlib.sha256(data).hexdigest()
    write_whole(folder / "documents" / digest, data, mode=FOR_THE_OWNER)
    lines.write({"name": name, "metadata": dict(info.metadata), "sha256": digest})
    return True


async def _names(documents: DocumentStore) -> AsyncIterator[str]:
    async for info in documents.list():
        yield info.name


async def _is_empty(stores: Stores) -> bool:
    async for value in stores.conversations.everything():
        if not isinstance(value, Operator):  # whoever puts it back may have an account already
            return False
    async for _ in stores.documents.list():
        return False
    return True


class _Lines:
    """A file of JSON lines that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self._file = open(self._path, "w", encoding="utf-8", opener=_for_the_owner)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            raise ValueError("the file is not open")
        self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InvalidInput(f"{folder} is not empty. A backup needs a folder of its own.")
    (folder / "documents").mkdir(mode=0o700)


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, FOR_THE_OWNER)


def _hash(path: Path) -> str | None:
    """None if there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
