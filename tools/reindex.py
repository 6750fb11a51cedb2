"""Empty the search index and fill it again from the documents, for the embedding model that is set now.

python -m tools.reindex

Needed after a change of EMBEDDING_MODEL, EMBEDDING_BACKEND or EMBEDDING_DIMENSIONS. Customers get no answers from the
documents until it is done. Stop the app first where the index is a folder: two processes would write to it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from shared.errors import SupportAgentError
from shared.knowledge.ingestion import Reconciliation
from shared.services import get_services


async def reindex() -> Reconciliation:
    """Raises `Unavailable`; what was done by then is kept, and the next reconciliation does the rest."""
    services = get_services()
    try:
        await services.index.clear()
        return await services.ingestion.reconcile(_show)
    finally:
        await services.close()


def _show(number: int, total: int, name: str) -> None:
    print(f"reading {number} of {total}: {name}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="reindex", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.parse_args(arguments)

    try:
        outcome = asyncio.run(reindex())
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{outcome.ingested} documents indexed, {outcome.failed} could not be read")
    if outcome.failed:
        print("python -m tools.list_documents says why")
    return 0


if __name__ == "__main__":
    sys.exit(main())
