"""Create an operator's account, or give one a new password.

python -m tools.create_operator ada --display-name "Ada L."            asks for the password
python -m tools.create_operator ada --role admin                       … of one who also sees numbers and erases
printf %s "$PASSWORD" | python -m tools.create_operator ada --stdin    reads it

An account that is there already keeps its display name and its role, unless others are given.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from shared.clock import utc_now
from shared.errors import SupportAgentError
from shared.memory.models import Operator, OperatorRole
from shared.security.passwords import MAX_PASSWORD, MIN_PASSWORD, hash_password
from shared.services import Services, get_services

USERNAME = re.compile(r"[a-zA-Z0-9._@-]{1,64}")


async def create_operator(
    services: Services, username: str, display_name: str | None, password: str, role: OperatorRole | None = None
) -> None:
    """Store the account; one of the same name gets the new password, and keeps what is None. Raises `Unavailable`."""
    password_hash = await asyncio.to_thread(hash_password, password)
    known = await services.store.operator(username)
    if known is None:
        account = Operator(username, display_name or username, password_hash, utc_now(), role or "agent")
    else:
        account = replace(
            known,
            display_name=display_name or known.display_name,
            password_hash=password_hash,
            role=role or known.role,
        )
    await services.store.save_operator(account)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.create_operator", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("username", help="1 to 64 letters, digits or . _ @ -")
    parser.add_argument("--display-name", help="what customers see; default of a new account: the username")
    parser.add_argument(
        "--role",
        choices=get_args(OperatorRole),
        help="agent, the default of a new account: works on tickets;"
        " admin: also takes them over, sees the numbers and erases customers",
    )
    parser.add_argument("--stdin", action="store_true", help="read the password from standard input")
    options = parser.parse_args(arguments)

    if not USERNAME.fullmatch(options.username):
        parser.error("username: 1 to 64 letters, digits or . _ @ -")
    password = sys.stdin.readline().rstrip("\r\n") if options.stdin else _ask()
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        parser.error(f"the password must have {MIN_PASSWORD} to {MAX_PASSWORD} characters")

    try:
        asyncio.run(_create(options.username, options.display_name, password, options.role))
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.username} can sign in with POST /auth/login.")
    return 0


async def _create(username: str, display_name: str | None, password: str, role: OperatorRole | None) -> None:
    async with get_services() as services:
        await create_operator(services, username, display_name, password, role)


def _ask() -> str:
    try:
        password, again = getpass.getpass("Password: "), getpass.getpass("Once more: ")
    except (EOFError, KeyboardInterrupt):
        sys.exit("\nNo password was given; nothing has changed. From a program, use --stdin.")
    if password != again:
        sys.exit("The two passwords differ.")
    return password


if __name__ == "__main__":
    sys.exit(main())
