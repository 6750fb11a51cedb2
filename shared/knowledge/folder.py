"""Documents in a folder."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from shared.errors import InvalidInput, NotFound, PayloadTooLarge, Unavailable
from shared.files import write_whole
from shared.knowledge.documents import DocumentInfo, composed, is_text, is_visible, parts_of

logger = logging.getLogger(__name__)


class FolderDocumentStore:
    """A `DocumentStore`. A document's name is its path below the root.

    Symbolic links to files inside the root are followed; those that lead out of it, and links to folders, are no
    documents. A folder keeps no metadata of its own: a document's front matter does. The root is made if it is missing.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root.resolve()

    async def list(self) -> AsyncIterator[DocumentInfo]:
        for info in await self._run(self._scan):
            yield info

    async def info(self, name: str) -> DocumentInfo:
        return await self._run(lambda: self._info(composed(name), self._existing(name)))

    async def read(self, name: str, *, max_bytes: int) -> bytes:
        return await self._run(lambda: self._read(name, max_bytes))

    async def write(self, name: str, data: bytes, metadata: Mapping[str, str] | None = None) -> DocumentInfo:
        if metadata:
            raise InvalidInput("A folder keeps no metadata beside a file. Put it into the document's front matter.")
        return await self._run(lambda: self._write(name, data))

    async def delete(self, name: str) -> None:
        def work() -> None:
            with contextlib.suppress(NotFound, FileNotFoundError):
                self._existing(name).unlink()

        await self._run(work)

    async def ping(self) -> None:
        await self._run(lambda: next(self._root.iterdir(), None))

    async def close(self) -> None:
        pass

    # ---- in a thread

    async def _run[T](self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise Unavailable(f"The folder of documents cannot be used: {error.strerror}.") from error

    def _scan(self) -> list[DocumentInfo]:
        found: dict[str, DocumentInfo] = {}
        for path in self._files():
            name = composed(path.relative_to(self._root).as_posix())
            if not is_text(name):
                logger.warning("a file whose name is not UTF-8 is left out", extra={"document": ascii(name)})
                continue
            # Two spellings of one name: the same that `_existing` finds.
            with contextlib.suppress(NotFound, FileNotFoundError):
                found.setdefault(name, self._info(name, self._existing(name)))
        return list(found.values())

    def _files(self) -> Iterator[Path]:
        def fail(error: OSError) -> None:
            raise error  # a folder that cannot be read must not look like an empty one

        for folder, folders, files in os.walk(self._root, onerror=fail):
            folders[:] = [name for name in folders if is_visible(name)]
            yield from (Path(folder, name) for name in files if is_visible(name))

    def _existing(self, name: str) -> Path:
        """The document's file. Raises `NotFound`, also for what is no document."""
        missing = NotFound(f"There is no document {name!r}.")
        try:
            parts = parts_of(name)
        except InvalidInput:
            raise missing from None
        path = self._root
        for part in parts:
            if path.is_symlink():
                raise missing
            path = _entry(path, part, missing)
        target = path.resolve()
        if not (target.is_relative_to(self._root) and target.is_file()):
            raise missing
        return path

    def _info(self, name: str, path: Path) -> DocumentInfo:
        try:
            status = path.stat()
        except FileNotFoundError:
            raise NotFound(f"There is no document {name!r}.") from None
        return _described(name, status)

    def _read(self, name: str, max_bytes: int) -> bytes:
        path = self._existing(name)
        if self._info(name, path).size <= max_bytes:
            with path.open("rb") as file:
                data = file.read(max_bytes + 1)  # it may be growing
            if len(data) <= max_bytes:
                return data
        raise PayloadTooLarge(f"{name!r} is larger than {max_bytes / 1e6:g} MB.")

    def _write(self, name: str, data: bytes) -> DocumentInfo:
        path = self._root.joinpath(*parts_of(name))
        if path.parent.resolve() != path.parent:
            raise InvalidInput(f"{name!r} leads out of the folder of documents.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            status = write_whole(path, data)
        except OSError as error:
            if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
                raise InvalidInput(f"{name!r} cannot be a document: a folder or a file is in its way.") from None
            if error.errno == errno.ENAMETOOLONG:
                raise InvalidInput(f"{name!r} is too long for the name of a file.") from None
            raise
        return _described(composed(name), status)


def _described(name: str, status: os.stat_result) -> DocumentInfo:
    return DocumentInfo(
        name=name,
        size=status.st_size,
        modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
        etag=f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}",
    )


def _entry(folder: Path, part: str, missing: NotFound) -> Path:
    """The entry of that name, however its accents are encoded on disk."""
    path = folder / part
    if path.exists(follow_symlinks=False):
        return path
    if not part.isascii() and folder.is_dir():
        for entry in folder.iterdir():
            if composed(entry.name) == part:
                return entry
    raise missing
