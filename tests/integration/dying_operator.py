"""What is done with a ticket, in processes that are killed at each step: `python -m tests.integration.dying_operator
FOLDER`.

Steps are those of `dying_turn`. For each act the n-th process works in FOLDER/act/n, on a copy of FOLDER/act/before,
and kills itself before the n-th step. The last one lives to its end; its number is printed behind the act's name.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from shared.escalation.intents import load_intents
from shared.escalation.policy import EscalationPolicy
from shared.escalation.queue import ESCALATIONS, REQUESTS
from shared.escalation.ticket import Ticket
from shared.memory.models import Conversation, Message, Operator
from shared.services import Services
from shared.settings import Settings
from tests.chat import NOW, SHIPPING, GivenKnowledge
from tests.fakes import HashEmbedder
from tests.integration.dying_turn import Death

SESSION = "s1"
GRACE = Operator("grace", "Grace H.", "", NOW)
POLICY = EscalationPolicy(HashEmbedder(), load_intents())
TICKET = Ticket("t1", SESSION, "m-1", "customer_request", "Wants a person", NOW)


class Desk:
    """The services on one folder; what happens on it is an act."""

    def __init__(self, folder: Path, now: datetime) -> None:
        settings = Settings(auth_mode="open", data_dir=folder)  # pyright: ignore[reportCallIssue]
        self.services = Services(settings, now=lambda: now)
        self.store, self.queue = self.services.store, self.services.queue
        self.escalation, self.helpdesk = self.services.escalation, self.services.helpdesk
        vars(self.services).update(policy=POLICY, _search=GivenKnowledge(SHIPPING))

    async def begin(self) -> None:
        ends = NOW + timedelta(hours=24)
        greeting = Message("greeting", SESSION, "assistant", "Hello!", NOW)
        await self.store.save_operator(GRACE)
        await self.store.create(Conversation(SESSION, f"session:{SESSION}", NOW, ends), greeting)
        await self.store.append(Message("m-1", SESSION, "user", "A person please", NOW), TICKET)

    async def send(self) -> None:
        await self.escalation.send(TICKET)

    async def route(self) -> None:
        for received in await self.queue.receive(REQUESTS):
            await self.escalation.route(received.message.body)
            await self.queue.complete(received)

    async def claim(self) -> None:
        await self.helpdesk.claim(GRACE, TICKET.id)

    async def say(self) -> None:
        chat = self.services.conversations
        running = await chat.begin_turn(SESSION, "Are you there?", client_message_id="2")
        assert await running.result() is None

    async def write(self) -> None:
        """The customer's words, but nobody is told."""
        await self.store.append(Message("m-3", SESSION, "user", "Hello?", NOW))

    async def relay(self) -> None:
        await self.escalation.relay()

    async def reply(self) -> None:
        await self.helpdesk.reply(GRACE, TICKET.id, "I am on it.", client_message_id="1")

    async def give_back(self) -> None:
        await self.helpdesk.set_status(GRACE, TICKET.id, "open")

    async def resolve(self) -> None:
        await self.helpdesk.resolve(GRACE, TICKET.id)

    async def silence(self) -> None:
        await self.helpdesk.return_silent()

    async def state(self) -> tuple[Any, ...]:
        """What customer and operator see: it changes at once or not at all."""
        messages = await self.store.messages(SESSION)
        conversation, ticket = await self.store.get(SESSION), await self.store.ticket(TICKET.id)
        return (
            tuple((message.seq, message.id, message.author, message.text) for message in messages),
            (conversation.owner, conversation.ticket_id, conversation.last_seq),
            (ticket.status, ticket.assignee, ticket.team, ticket.resolution, ticket.replied_at is not None),
        )

    async def sent(self) -> Sequence[str]:
        """The ids of what helpdesks are sent, in the order of their arrival."""
        return [received.message.id for received in await self.queue.receive(ESCALATIONS, limit=50)]

    async def unsent(self) -> int:
        later = NOW + timedelta(days=1)
        tickets = await self.store.unsent_tickets(created_before=later)
        return len(tickets) + len(await self.store.unsent_events(created_before=later))

    async def close(self) -> None:
        await self.services.close()


type Act = Callable[[Desk], Awaitable[None]]

OPEN: Sequence[Act] = (Desk.begin, Desk.send, Desk.route)
ACTS: Mapping[str, tuple[Sequence[Act], int, Act]] = {
    "send": ((Desk.begin,), 0, Desk.send),
    "route": (OPEN[:2], 0, Desk.route),
    "claim": (OPEN, 0, Desk.claim),
    "say": ((*OPEN, Desk.claim), 0, Desk.say),
    "relay": ((*OPEN, Desk.claim, Desk.write), 2, Desk.relay),
    "reply": ((*OPEN, Desk.claim, Desk.say), 0, Desk.reply),
    "give back": ((*OPEN, Desk.claim), 0, Desk.give_back),
    "resolve": ((*OPEN, Desk.claim, Desk.reply), 0, Desk.resolve),
    "silence": ((*OPEN, Desk.claim, Desk.say), 61, Desk.silence),
}
"""What came before, the minutes until the act, and the act."""


def desk_for(name: str, folder: Path, *, later: int = 0) -> Desk:
    return Desk(folder, NOW + timedelta(minutes=ACTS[name][1] + later))


async def prepare(name: str, folder: Path) -> None:
    desk = Desk(folder, NOW)
    for act in ACTS[name][0]:
        await act(desk)
    await desk.close()


async def live(name: str, folder: Path, death: Death) -> None:
    asyncio.get_running_loop().set_task_factory(death.task)
    desk = desk_for(name, folder)
    for part in (desk.store, desk.queue):
        death.watch(part._database)  # pyright: ignore[reportAttributeAccessIssue]

    async def act() -> None:
        await ACTS[name][2](desk)

    death.armed = True
    await asyncio.create_task(act())
    death.armed = False
    await desk.close()


def in_a_process(work: Callable[[], Any]) -> int:
    """Forked from one that has loaded everything, and has one thread. Returns its exit code."""
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(base: Path) -> None:
    _ = Desk(base, NOW).services.conversations  # loads what the processes need
    for name in ACTS:
        before = base / name / "before"
        if code := in_a_process(lambda name=name, before=before: asyncio.run(prepare(name, before))):
            sys.exit(code)
        for number in count(1):
            folder = Path(shutil.copytree(before, base / name / str(number)))
            code = in_a_process(lambda name=name, folder=folder, n=number: asyncio.run(live(name, folder, Death(n))))
            if code != -signal.SIGKILL:
                if code:
                    sys.exit(code)
                print(f"{name}: {number}", flush=True)
                break


if __name__ == "__main__":
    main(Path(sys.argv[1]))
