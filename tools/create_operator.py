"""Create an operator's account, or give one a new password.

python -m tools.create_operator ada --display-name "Ada L."            asks for the password
python -m tools.create_operator ada --role admin                       … of one who also sees numbers and erases
printf %s "$PASSWORD" | python -m tools.create_operator ada --stdin    reads it
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import re
import sys
from collections.abc import Sequence
from typing import get_args

from shared.clock import utc_now
from shared.errors import SupportAgentError
from shared.memory.models import Operator, OperatorRole
from shared.security.passwords import MAX_PASSWORD, MIN_PASSWORD, hash_password
from shared.services import Services, get_services

USERNAME = re.compile(r"[a-zA-Z0-9._@-]{1,64}")


async def create_operator(
    services: Services, username: str, display_name: str, password: str, role: OperatorRole = "agent"
) -> None:
    """Store the account; one of the same name is replaced. Raises `Unavailable`."""
    password_hash = await asyncio.to_thread(hash_password, password)
    await services.store.save_operator(Operator(username, display_name, password_hash, utc_now(), role))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="create_operator", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("username", help="1 to 64 letters, digits or . _ @ -")
    parser.add_argument("--display-name", help="what customers see; default: the username")
    parser.add_argument(
        "--role",
        choices=get_args(OperatorRole),
        default="agent",
        help="agent: works on tickets; admin: also takes them over, sees the numbers and erases customers",
    )
    parser.add_argument("--stdin", action="store_true", help="read the password from standard input")
    options = parser.parse_args(arguments)

    if not USERNAME.fullmatch(options.username):
        parser.error("username: 1 to 64 letters, digits or . _ @ -")
    password = sys.stdin.readline().rstrip("\r\n") if options.stdin else _ask()
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        parser.error(f"the password must have {MIN_PASSWORD} to {MAX_PASSWORD} characters")

    try:
        asyncio.run(_create(options.username, options.display_name or options.username, password, options.role))
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.username} can sign in with POST /auth/login.")
    return 0


async def _create(username: str, display_name: str, password: str, role: OperatorRole) -> None:
    async with get_services() as services:
        await create_operator(services, username, display_name, password, role)


def _ask() -> str:
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Once more: "):
        sys.exit("The two passwords differ.")
    return password


if __name__ == "__main__":
    sys.exit(main())
