"""Create the databases and containers that the app's settings name, as far as they are not there.

python -m tools.create_stores

Needs an account that may (the app's own identity may only read and write); may be repeated.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from shared.errors import SupportAgentError
from shared.services import get_services


async def create_stores() -> list[str]:
    """What is there now. Raises `Unavailable`."""
    async with get_services() as services:
        return await services.create_stores()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.create_stores", description=(__doc__ or "").splitlines()[0])
    parser.parse_args(arguments)
    try:
        stores = asyncio.run(create_stores())
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(f"{store} is there" for store in stores) or "The embedded stores need nothing.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
