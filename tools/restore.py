"""Put a backup of `tools.backup` back, into whatever stores the settings name.

python -m tools.restore FOLDER
python -m tools.restore FOLDER --into-existing     where there are conversations or documents already

May be repeated after an interruption, with --into-existing. The app reads the documents with its next reconciliation,
or at once by `tools.reindex`. Customers who were erased since the backup are in it: erase them again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.backup import Stores, put_back
from shared.errors import SupportAgentError
from shared.services import get_services
from tools.backup import summary


async def run(folder: Path, *, into_existing: bool) -> Mapping[str, int]:
    """Raises `InvalidInput`, `Unavailable`."""
    async with get_services() as services:
        stores = Stores(services.store, services.documents, services.transcripts)
        return await put_back(stores, folder, into_existing=into_existing)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.restore", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into-existing", action="store_true", help="also where there is something already")
    options = parser.parse_args(arguments)
    try:
        counts = asyncio.run(run(options.folder, into_existing=options.into_existing))
    except (SupportAgentError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"put back: {summary(counts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
