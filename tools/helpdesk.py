"""A helpdesk in the terminal: tickets come in live, a person claims, answers and resolves them.

python -m tools.helpdesk ada                            of the app on this machine
python -m tools.helpdesk ada --url https://HOST         of another

It is also the example for integrators: it knows no more than any helpdesk tool can. Tickets and what customers write
come from the `escalations` queue (see docs/helpdesk.md), everything a person does goes through the HTTP API. A message
of the queue is settled once it is on the screen, and goes to one consumer only: beside a helpdesk tool that is in use,
this one would take its tickets away. Where the app pushes, what happens in the person's own ticket is heard at once,
also that the customer types; the queue brings what was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import json
import random
import shutil
import sys
import textwrap
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
import httpx

from shared.errors import Conflict, SupportAgentError, Unavailable
from shared.escalation.queue import ESCALATIONS, ReceivedMessage, TicketQueue
from shared.services import get_services

POLL_SECONDS = 0.5
PAUSE_SECONDS = 10.0
"""Between two attempts at a queue that does not answer."""
RECONNECT_SECONDS = (1.0, 30.0)
"""Between two attempts at a push channel: doubles from the first to the second, and is spread at random."""
RENEW_SECONDS = 120
"""Before the address of a push channel expires; also how long one is used at least."""
PATIENCE = 20
"""Seconds in which a claim is tried again while the bot finishes an answer."""
HELP = """\
/list             the tickets that wait, and yours
/show N           ticket N with its whole conversation
/claim N          take it: the bot is silent, and what you type goes to the customer
/wait             your ticket waits for the customer
/release          give your ticket back, to a colleague
/resolve [N]      it is done: the bot answers again
/help  /quit"""


class Refused(Exception):
    """The API said no; the message is its reason, `kind` the last part of the problem's type."""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class Api:
    """What an operator can do over HTTP. Every method raises `Refused`."""

    def __init__(self, http: httpx.AsyncClient, username: str, password: str) -> None:
        self._http = http
        self._login = {"username": username, "password": password}

    async def sign_in(self) -> dict[str, Any]:
        account = _content(await self._request("POST", "/auth/login", self._login))
        self._http.headers["Authorization"] = f"Bearer {account['access_token']}"
        return account

    async def tickets(self) -> list[dict[str, Any]]:
        tickets: list[dict[str, Any]] = []
        while page := (await self._call("GET", f"/helpdesk/tickets?limit=100{_after(tickets)}"))["tickets"]:
            tickets += page
        return tickets

    async def read(self, ticket_id: str) -> dict[str, Any]:
        return await self._call("GET", f"/helpdesk/tickets/{ticket_id}")

    async def claim(self, ticket_id: str) -> dict[str, Any]:
        """Waits for the bot's last answer. Raises `Refused` if somebody else has the ticket."""
        async with asyncio.timeout(PATIENCE):
            while True:
                response = await self._send("POST", f"/helpdesk/tickets/{ticket_id}/claim", None)
                if response.status_code != httpx.codes.CONFLICT or "Retry-After" not in response.headers:
                    return _content(response)
                await asyncio.sleep(int(response.headers["Retry-After"]))

    async def reply(self, ticket_id: str, text: str) -> None:
        # The id lets the API know a repeated request from a second reply.
        body = {"message": text, "client_message_id": uuid.uuid4().hex}
        await self._call("POST", f"/helpdesk/tickets/{ticket_id}/replies", body)

    async def negotiate(self, ticket_id: str) -> dict[str, Any]:
        """Where to hear at once what happens in a ticket's conversation."""
        return await self._call("POST", f"/helpdesk/tickets/{ticket_id}/negotiate")

    async def set_status(self, ticket_id: str, status: str) -> None:
        await self._call("PUT", f"/helpdesk/tickets/{ticket_id}/status", {"status": status})

    async def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        return _content(await self._send(method, path, body))

    async def _send(self, method: str, path: str, body: object) -> httpx.Response:
        response = await self._request(method, path, body)
        if response.status_code == httpx.codes.UNAUTHORIZED:  # The token has expired.
            await self.sign_in()
            response = await self._request(method, path, body)
        return response

    async def _request(self, method: str, path: str, body: object) -> httpx.Response:
        try:
            return await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            what = f"{self._http.base_url} does not answer ({type(error).__name__})."
            raise Refused(f"{what} Does the app run? Its address can be given: --url") from None


class Desk:
    """The tickets on the screen, numbered as they came, and the one that the person at the desk has, which `live`
    follows."""

    def __init__(self, api: Api, username: str, say: Callable[[str], None], live: Live | None = None) -> None:
        self._api = api
        self._username = username
        self._say = say
        self._live = live
        self._board: list[str] = []
        self._own_ticket: str | None = None
        self._said: set[tuple[str, int]] = set()
        """The customers' messages on the screen, by ticket and number: queue and push channel both bring them."""
        self._typing: str | None = None
        """The ticket whose customer types, as the screen says already."""

    @property
    def _mine(self) -> str | None:
        return self._own_ticket

    @_mine.setter
    def _mine(self, ticket_id: str | None) -> None:
        if self._live and ticket_id != self._own_ticket:
            self._live.follow(ticket_id, self.hear)
        self._own_ticket = ticket_id

    async def open(self) -> None:
        """Show what came before, and go on with a ticket that the person had already."""
        for ticket in await self._api.tickets():
            if ticket["status"] in ("claimed", "waiting") and ticket["assignee"] == self._username:
                self._mine = ticket["id"]
            self._say(_line(self._number(ticket["id"]), ticket))

    def show(self, event: dict[str, Any]) -> None:
        """One event of the queue. The same one may come again."""
        data = event["data"]
        known = data["ticket_id"] in self._board
        number = self._number(data["ticket_id"])
        match event["type"]:
            case "support.ticket.requested.v1":
                if not known:
                    self._say(_line(number, data | {"status": "open"}))
            case "support.ticket.returned.v1":
                if self._mine == data["ticket_id"]:
                    self._mine = None
                self._say(f"#{number} waits for somebody again")
            case "support.customer.message.v1":
                self._customer_said(data["ticket_id"], data["message"]["seq"], data["message"]["text"])
            case other:
                self._say(f"#{number} {printable(other)}")

    def hear(self, ticket_id: str, frame: dict[str, Any]) -> None:
        """What was pushed of a ticket's conversation (see docs/api.md#pushed-news). The same may come again."""
        text = "".join(event.get("delta", "") for event in frame["events"])
        for event in frame["events"]:
            value = event.get("value") or {}
            match event.get("name"):
                case "message" if value["role"] == "user" and text:  # else it was too long: the queue brings it
                    self._customer_said(ticket_id, value["seq"], text)
                case "typing" if value["role"] == "user" and self._typing != ticket_id:
                    self._typing = ticket_id
                    self._say(f"#{self._number(ticket_id)} the customer is typing …")
                case "feedback":
                    self._say(f"#{self._number(ticket_id)} the customer rates it: {printable(value['rating'])}")
                case _:
                    pass

    def _customer_said(self, ticket_id: str, seq: int, text: str) -> None:
        if (ticket_id, seq) in self._said:
            return
        self._said.add((ticket_id, seq))
        self._typing = None
        self._say(f"#{self._number(ticket_id)} customer: {printable(text)}")

    async def type(self, line: str) -> bool:
        """What the person typed. False if that was good-bye."""
        command, _, rest = line.strip().partition(" ")
        try:
            match command:
                case "":
                    pass
                case "/quit":
                    return False
                case "/list":
                    await self.open()
                case "/show":
                    await self._show(self._ticket(rest))
                case "/claim":
                    await self._claim(self._ticket(rest))
                case "/wait":
                    await self._api.set_status(self._own(), "waiting")
                    self._say("waiting for the customer")
                case "/release":
                    await self._api.set_status(self._own(), "open")
                    self._mine = None
                    self._say("given back")
                case "/resolve":
                    await self._resolve(self._ticket(rest) if rest.strip() else self._own())
                case _ if command.startswith("/"):
                    self._say(HELP)
                case _:
                    await self._api.reply(self._own(), line.strip())
                    self._say("sent")
        except Refused as refused:
            self.warn(str(refused))
        except TimeoutError:
            self.warn("The bot is still answering. Try again.")
        return True

    def warn(self, text: str) -> None:
        self._say(f"! {text}")

    async def _claim(self, ticket_id: str) -> None:
        await self._api.claim(ticket_id)
        self._mine = ticket_id
        await self._show(ticket_id)
        self._say(f"you have #{self._number(ticket_id)}; what you type now goes to the customer")

    async def _resolve(self, ticket_id: str) -> None:
        await self._api.set_status(ticket_id, "resolved")
        if self._mine == ticket_id:
            self._mine = None
        self._say(f"#{self._number(ticket_id)} is resolved")

    async def _show(self, ticket_id: str) -> None:
        file = await self._api.read(ticket_id)
        self._say(_line(self._number(ticket_id), file["ticket"]))
        names = {"user": "customer", "assistant": "bot"}
        for message in file["messages"]:
            who = names.get(message["role"], message["author"])
            self._say(f"   {_clock(message['created_at'])} {printable(who)}: {printable(message['message'])}")
            for attachment in message["attachments"]:
                self._say(f"         attached: {printable(attachment['name'])}")
        for fact in file["facts"]:
            self._say(f"   known: {printable(fact['text'])}")

    def _number(self, ticket_id: str) -> int:
        if ticket_id not in self._board:
            self._board.append(ticket_id)
        return self._board.index(ticket_id) + 1

    def _ticket(self, number: str) -> str:
        number = number.strip().removeprefix("#")
        if not number.isdecimal() or not 0 < int(number) <= len(self._board):
            raise Refused("Which one? Give the number of a ticket on the list.")
        return self._board[int(number) - 1]

    def _own(self) -> str:
        if self._mine is None:
            raise Refused("You have no ticket. Take one first: /claim N")
        return self._mine


type Hear = Callable[[str, dict[str, Any]], None]
"""Is told the ticket and what was pushed."""


class Live:
    """Hears what is pushed of one ticket at a time. Where nothing is pushed, the queue alone brings the news."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._listening: asyncio.Task[None] | None = None

    def follow(self, ticket_id: str | None, hear: Hear) -> None:
        """This one from now on; None: none."""
        if self._listening:
            self._listening.cancel()
        self._listening = asyncio.create_task(self._listen(ticket_id, hear)) if ticket_id else None

    async def close(self) -> None:
        if self._listening:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self, ticket_id: str, hear: Hear) -> None:
        first, longest = RECONNECT_SECONDS
        wait = first
        async with aiohttp.ClientSession() as http:
            while True:
                try:
                    where = await self._api.negotiate(ticket_id)
                    async with http.ws_connect(where["url"], protocols=[where["protocol"]], heartbeat=30) as socket:
                        wait = first
                        expires = datetime.fromisoformat(where["expires_at"]) - datetime.now(UTC)
                        async with asyncio.timeout(max(RENEW_SECONDS, expires.total_seconds() - RENEW_SECONDS)):
                            await self._read(socket, partial(hear, ticket_id))
                except Refused as refused:
                    if refused.kind == "no-push-channel":
                        return
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - no secret
                wait = min(2 * wait, longest)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, hear: Callable[[dict[str, Any]], None]) -> None:
        async for received in socket:
            try:
                told = json.loads(received.data)
                if told["type"] == "message":
                    hear(told["data"])
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # of a newer app: the queue and the API tell it in full


async def watch(queue: TicketQueue, desk: Desk) -> None:
    """Show what comes to the queue, until cancelled."""
    while True:
        try:
            for received in await queue.receive(ESCALATIONS, limit=10):
                await _settle(queue, received, desk)
        except Unavailable as error:
            desk.warn(f"{error} Tickets wait there until it does.")
            await asyncio.sleep(PAUSE_SECONDS)
        await asyncio.sleep(POLL_SECONDS)


async def _settle(queue: TicketQueue, received: ReceivedMessage, desk: Desk) -> None:
    try:
        desk.show(json.loads(received.message.body))
    except (ValueError, KeyError, TypeError) as error:
        await queue.dead_letter(received, reason="NotAnEvent", description=type(error).__name__)
        return
    with contextlib.suppress(Conflict):  # The lock ran out: it comes again, and is shown again.
        await queue.complete(received)


def printable(text: object) -> str:
    """Without control characters: what a customer wrote must not command the terminal."""
    return "".join(c if c.isprintable() else " " for c in str(text)).strip()


def _line(number: int, ticket: dict[str, Any]) -> str:
    urgency = f"{ticket['priority'] or 'new'}/{ticket['team'] or '-'}"
    due = f"due {_clock(ticket['due_at'])}" if ticket["due_at"] else "not routed yet"
    owner = f" by {ticket['assignee']}" if ticket.get("assignee") else ""
    return f"#{number} {ticket['status']}{owner}  {urgency}  {due}  {ticket['reason']}: {printable(ticket['summary'])}"


def _wrapped(text: str) -> str:
    width = shutil.get_terminal_size().columns
    indent = " " * (len(text) - len(text.lstrip()) + 3)
    return "\n".join(textwrap.fill(line, width, subsequent_indent=indent) for line in text.split("\n"))


def _clock(instant: str) -> str:
    """Local time."""
    return datetime.fromisoformat(instant).astimezone().strftime("%d %b %H:%M")


def _after(tickets: Sequence[dict[str, Any]]) -> str:
    return f"&after={tickets[-1]['id']}" if tickets else ""


def _content(response: httpx.Response) -> dict[str, Any]:
    content: dict[str, Any] = response.json() if "json" in response.headers.get("content-type", "") else {}
    if response.is_error:
        kind = str(content.get("type", "")).rpartition(":")[2]
        raise Refused(printable(content.get("detail", f"The app answered {response.status_code}.")), kind)
    return content


async def _lines() -> AsyncIterator[str]:
    """What is typed. A thread that waits for a line must not keep the program from ending, so it is a daemon's."""
    typed, loop = asyncio.Queue[str](), asyncio.get_running_loop()

    def read() -> None:
        for line in iter(sys.stdin.readline, ""):
            loop.call_soon_threadsafe(typed.put_nowait, line)
        loop.call_soon_threadsafe(typed.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()
    while line := await typed.get():
        yield line


async def _converse(desk: Desk) -> None:
    async for line in _lines():
        if not await desk.type(line):
            break


async def work(url: str, username: str, password: str) -> None:
    """From signing in to good-bye. Raises `Refused`, `SupportAgentError`."""
    async with get_services() as services, httpx.AsyncClient(base_url=url, timeout=30) as http:
        api = Api(http, username, password)
        account = await api.sign_in()
        live = Live(api)
        desk = Desk(api, username, lambda text: print(_wrapped(text), flush=True), live)
        print(f"Hello {account['display_name']}. /help says what you can do.", flush=True)
        await desk.open()
        working = [asyncio.create_task(watch(services.queue, desk)), asyncio.create_task(_converse(desk))]
        try:
            done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await live.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.helpdesk", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("username", help="an operator's account: python -m tools.create_operator")
    parser.add_argument("--url", default="http://localhost:7071", help="where the app is (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        asyncio.run(work(options.url, options.username, password))
    except (Refused, SupportAgentError) as error:
        print(error, file=sys.stderr)
        return 1
    except (EOFError, KeyboardInterrupt):
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
