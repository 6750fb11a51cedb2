"""Put the files of a folder among the documents, as the content team would; the agent reads them from there.

python -m tools.upload_documents FOLDER
python -m tools.upload_documents FOLDER --under returns/2026

Hidden and temporary files stay behind. A document of the same name is replaced.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.errors import InvalidInput, SupportAgentError
from shared.knowledge.folder import FolderDocumentStore
from shared.services import get_services


async def upload(folder: Path, under: str) -> int:
    """Number of files that could not be taken; each is named. Raises `Unavailable`."""
    source = FolderDocumentStore(folder)
    failed = 0
    async with get_services() as services:
        infos = sorted([info async for info in source.list()], key=lambda info: info.name)
        for number, info in enumerate(infos, start=1):
            name = "/".join(filter(None, (under.strip("/"), info.name)))
            try:
                data = await source.read(info.name, max_bytes=services.settings.max_document_bytes)
                await services.documents.write(name, data)
            except InvalidInput as error:
                failed += 1
                print(f"{number} of {len(infos)}: {name} NOT UPLOADED: {error}", file=sys.stderr)
            else:
                print(f"{number} of {len(infos)}: {name}")
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.upload_documents", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--under", metavar="PREFIX", default="", help="put them below this path")
    options = parser.parse_args(arguments)

    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    try:
        return 1 if asyncio.run(upload(options.folder, options.under)) else 0
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
