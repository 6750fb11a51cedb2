"""Messages that could not be handled: look at them, send them again, remove them.

python -m tools.dead_letters list              what was set aside, and why
python -m tools.dead_letters show ID           one whole, with the customer's words
python -m tools.dead_letters replay ID         back into its queue, when the trouble is over
python -m tools.dead_letters replay --all
python -m tools.dead_letters discard ID        for good

An ID is that of the message: of the ticket, or of the event. Events of one id in several queues are meant together;
--queue names one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from shared.errors import NotFound, SupportAgentError
from shared.escalation.dead_letters import DeadLetters, diagnose
from shared.escalation.queue import QUEUES, DeadLetter
from shared.services import get_services


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1: a queue does not answer, or there is no such dead letter."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(options))
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1


async def _run(options: argparse.Namespace) -> int:
    async with get_services() as services:
        return await _do(options, services.dead_letters)


async def _do(options: argparse.Namespace, dead_letters: DeadLetters) -> int:
    queues = [options.queue] if options.queue else QUEUES
    wanted = None if options.command == "list" or (options.command == "replay" and options.all) else options.id
    letters = [one async for one in dead_letters.list(queues) if wanted is None or one.message.id == wanted]
    if wanted is not None and not letters:
        raise NotFound(f"There is no dead letter {wanted}. See: python -m tools.dead_letters list")
    if options.command == "list":
        _list(letters)
    for letter in letters:
        if options.command == "show":
            _show(letter)
        elif options.command == "replay":
            await dead_letters.replay(letter)
            print(f"{letter.message.id} is in {letter.queue} again.")
        elif options.command == "discard":
            await dead_letters.discard(letter)
            print(f"{letter.message.id} is removed from {letter.queue}.")
    return 0


def _list(letters: Sequence[DeadLetter]) -> None:
    for letter in letters:
        print(f"{letter.message.id}  {letter.queue}  {letter.enqueued_at:%Y-%m-%d %H:%M} UTC  {letter.reason}")
        print(f"    {_why(letter)}")
    print("There are no dead letters." if not letters else f"{len(letters)} in all.")


def _show(letter: DeadLetter) -> None:
    message = letter.message
    for name, value in (
        ("id", message.id),
        ("queue", letter.queue),
        ("sent", f"{letter.enqueued_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("deliveries", letter.delivery_count),
        ("reason", letter.reason),
        ("why", _why(letter)),
        ("subject", message.subject or ""),
        ("conversation", message.correlation_id or ""),
        *message.properties.items(),
    ):
        print(f"{name + ':':14}{value}")
    print(f"\n{message.body.decode(errors='replace')}\n")


def _why(letter: DeadLetter) -> str:
    """What went wrong, and whether the message itself is at fault."""
    told, wrong = " ".join(letter.description.split()), diagnose(letter)
    if wrong is None:
        return told
    return f"{told.rstrip('.')}. Sending it again is in vain" + ("." if wrong in told else f": {wrong}")


def _parser() -> argparse.ArgumentParser:
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m tools.dead_letters", description=about)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("list", "what was set aside, and why"),
        ("show", "one whole, with the customer's words"),
        ("replay", "back into its queue"),
        ("discard", "remove for good"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("--queue", choices=QUEUES, help="of this queue only; default: of all")
        if name == "replay":
            which = command.add_mutually_exclusive_group(required=True)
            which.add_argument("id", nargs="?", metavar="ID")
            which.add_argument("--all", action="store_true", help="all of them")
        elif name != "list":
            command.add_argument("id", metavar="ID")
    return parser


if __name__ == "__main__":
    sys.exit(main())
