"""Everything is killed in turn, while customers write, editors change documents and operators answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import httpx
from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import ContainerClient

from emulators.processes import AZURITE_SAVES
from local.demo import HUMAN, QUESTIONS
from local.rehearsal.azure import Azure
from local.rehearsal.customer import Conversation, Operator, Stuck
from local.rehearsal.helpdesk import Helpdesk
from local.rehearsal.report import Report
from local.rehearsal.story import OPERATOR
from shared.escalation.queue import QUEUES
from shared.knowledge.documents import CONTAINER

CUSTOMERS = 4
MESSAGES = (2, 5)
"""How many messages a conversation has."""
FOR_A_PERSON = 0.2
"""Share of the messages that ask for one."""
ANSWER_SECONDS = 40
"""Longest wait for one HTTP answer: a turn gives up after 15."""
UNDER_LOAD = (2.0, 6.0)
DOWN = (0.2, 3.0)
"""Seconds between two kills, and until what was killed is started again."""
SETTLE_SECONDS = 240
"""Longest wait for what has to arrive: the outbox is looked through every minute, and a lock lasts one."""
WORDS = "amber basalt cedar delta ember fjord garnet harbor indigo jasper kelp lagoon maple nectar onyx pepper".split()


@dataclass(slots=True)
class Said:
    """A customer's message that was acknowledged. `answer_id` is None while a person had the conversation."""

    text: str
    message_id: str
    answer_id: str | None
    answer: str | None


@dataclass(slots=True)
class Kept:
    """A conversation and all that was acknowledged in it."""

    conversation: Conversation
    said: list[Said] = field(default_factory=list[Said])
    replies: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Play:
    azure: Azure
    operator: Operator
    client: httpx.AsyncClient
    helpdesk: Helpdesk
    random: random.Random
    report: Report
    kept: list[Kept] = field(default_factory=list[Kept])
    tickets: dict[str, Kept] = field(default_factory=dict[str, Kept])
    forgotten: dict[str, float] = field(default_factory=dict[str, float])
    """Deleted documents, and since when no answer came from them."""
    unresolved: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue[str | None])
    """Tickets for the operator; None when there will be no more."""
    editing: asyncio.Lock = field(default_factory=asyncio.Lock)
    over: asyncio.Event = field(default_factory=asyncio.Event)


async def unleash(azure: Azure, password: str, *, kills: int, seed: int) -> Report:
    """Plays it to its end and counts. The same seed kills the same things in the same order, after the same pauses."""
    limits = httpx.Limits(max_connections=100)
    async with (
        httpx.AsyncClient(base_url=azure.url, timeout=ANSWER_SECONDS, limits=limits, trust_env=False) as client,
        Helpdesk(azure.service_bus_connection) as helpdesk,
    ):
        operator = await Operator.sign_in(client, OPERATOR, password)
        play = Play(azure, operator, client, helpdesk, random.Random(seed), Report())  # noqa: S311 - a story, no secret
        async with asyncio.TaskGroup() as group:
            customers = [
                group.create_task(_write(play, random.Random(f"{seed}-{number}")))  # noqa: S311
                for number in range(CUSTOMERS)
            ]
            group.create_task(_answer(play))
            group.create_task(_edit(play))
            await _kill(play, kills)
            play.over.set()
            await asyncio.wait(customers)
            play.unresolved.put_nowait(None)
        await _count(play)
        return play.report


async def _kill(play: Play, kills: int) -> None:
    things = {**play.azure.servers, "app": play.azure.app}
    order = [name for _ in range(-(-kills // len(things))) for name in play.random.sample(sorted(things), len(things))]
    for name in order[:kills]:
        await asyncio.sleep(play.random.uniform(*UNDER_LOAD))
        down = play.random.uniform(*DOWN)
        thing = things[name]
        if not play.azure.app.running:
            play.report.problems["app ended by itself"].append(f"before {name} was killed")
        print(f"  {name} is killed, for {down:.1f} s", flush=True)
        play.report.kills[name] += 1
        if name == "Blob Storage":
            async with play.editing:
                await asyncio.sleep(AZURITE_SAVES)
                await asyncio.to_thread(thing.kill)
        else:
            await asyncio.to_thread(thing.kill)
        await asyncio.sleep(down)
        await asyncio.to_thread(thing.start)


async def _write(play: Play, rng: random.Random) -> None:
    """One conversation after the other."""
    while not play.over.is_set():
        kept: Kept | None = None
        try:
            kept = Kept(await Conversation.open(play.client, tried=play.report.tried))
            play.kept.append(kept)
            for number in range(rng.randint(*MESSAGES)):
                text = HUMAN if rng.random() < FOR_A_PERSON else rng.choice(QUESTIONS)[0]
                await _say(play, kept, text, f"c{number}")
                await asyncio.sleep(rng.uniform(0, 0.5))
        except Stuck as stuck:
            play.report.problems["sessions stuck"].append(f"{kept.conversation.id if kept else 'none opened'}: {stuck}")


async def _say(play: Play, kept: Kept, text: str, client_message_id: str) -> None:
    asked = time.monotonic()
    answer = await kept.conversation.say(text, client_message_id, play.report.tried)
    kept.said.append(Said(text, answer["reply_to"], answer["message_id"], answer["message"]))
    play.report.answers += not answer["handed_over"]
    play.report.handed_over += answer["handed_over"]
    play.report.degraded += answer["degraded"]
    _check_sources(play, asked, answer["documents"])
    if ticket_id := answer["ticket_id"]:
        if ticket_id not in play.tickets:
            play.unresolved.put_nowait(ticket_id)
        play.tickets[ticket_id] = kept


def _check_sources(play: Play, asked: float, documents: set[str]) -> None:
    for name in documents & play.forgotten.keys():
        if asked > play.forgotten[name]:
            play.report.problems["answers from deleted documents"].append(name)


async def _answer(play: Play) -> None:
    """Every other ticket is worked on by a person, who knows of it from the helpdesk: one that is resolved sooner is
    no news there, and would be missed."""
    for number in count():
        if (ticket_id := await play.unresolved.get()) is None:
            return
        if number % 2 == 0:
            with suppress(TimeoutError):  # `_count` tells that it is lost
                await play.helpdesk.ticket(ticket_id, seconds=SETTLE_SECONDS)
            reply = f"This is Ada about {ticket_id}."
            await play.operator.help(ticket_id, reply, play.report.tried)
            play.tickets[ticket_id].replies.append(reply)
            play.report.resolved += 1


async def _edit(play: Play) -> None:
    """Upload a document, wait until it is known; delete every other one, wait until it is forgotten."""
    async with ContainerClient.from_connection_string(play.azure.blob_connection, CONTAINER, retry_total=0) as blobs:
        for number in count():
            if play.over.is_set():
                return
            word = f"{WORDS[number % len(WORDS)]}{number}"
            name, question = f"offers/{word}.md", f"What does the discount code of the {word} offer give?"
            text = f"# The {word} offer\n\nThe discount code of the {word} offer gives {number + 3} percent.\n".encode()
            await _until_done(play, lambda name=name, text=text: blobs.upload_blob(name, text, overwrite=True))
            play.report.documents += 1
            play.report.slowest_known = max(play.report.slowest_known, await _seen(play, question, name, cited=True))
            if number % 2 == 0:
                await _until_done(play, lambda name=name: blobs.delete_blob(name))
                play.report.deleted += 1
                took = await _seen(play, question, name, cited=False)
                play.report.slowest_forgotten = max(play.report.slowest_forgotten, took)


async def _until_done(play: Play, edit: Callable[[], Awaitable[object]]) -> None:
    while True:
        async with play.editing:
            with suppress(AzureError):
                await edit()
                return
        await asyncio.sleep(0.2)


async def _seen(play: Play, question: str, name: str, *, cited: bool) -> float:
    """Seconds until an answer cites it, or does not any more."""
    begin = time.monotonic()
    while (waited := time.monotonic() - begin) < SETTLE_SECONDS:
        asked = time.monotonic()
        conversation = await Conversation.open(play.client, tried=play.report.tried)
        answer = await conversation.say(question, "c0", play.report.tried)
        _check_sources(play, asked, answer["documents"])
        # Without the index nothing is cited; that does not mean that it is forgotten.
        if not answer["degraded"] and (name in answer["documents"]) == cited:
            if not cited:
                play.forgotten[name] = time.monotonic()
            return waited
        await asyncio.sleep(0.2)
    play.report.problems["documents never known or forgotten"].append(name)
    return waited


async def _count(play: Play) -> None:
    """When all is quiet: what was acknowledged must be there, and every conversation must go on."""
    report, problems = play.report, play.report.problems
    report.conversations, report.tickets = len(play.kept), len(play.tickets)
    for ticket_id in play.tickets:
        try:
            await play.helpdesk.ticket(ticket_id, seconds=SETTLE_SECONDS)
        except TimeoutError:
            problems["tickets lost"].append(ticket_id)
    report.events = len(play.helpdesk.deliveries)
    report.events_again = play.helpdesk.deliveries.total() - report.events
    for kept in play.kept:
        try:
            await _say(play, kept, QUESTIONS[0][0], "last")
            _compare(kept, await kept.conversation.messages(), problems)
        except Stuck as stuck:
            problems["sessions stuck"].append(f"{kept.conversation.id}: {stuck}")
        except httpx.HTTPError as error:
            problems["conversations lost"].append(f"{kept.conversation.id}: {error}")
    for name in play.forgotten:
        word = name.removeprefix("offers/").removesuffix(".md")
        conversation = await Conversation.open(play.client)
        answer = await conversation.say(f"What does the discount code of the {word} offer give?", "c0")
        _check_sources(play, time.monotonic(), answer["documents"])
    problems["dead letters"] += await _dead_letters(play)


def _compare(kept: Kept, messages: list[dict[str, object]], problems: dict[str, list[str]]) -> None:
    here = kept.conversation.id
    by_id = {message["message_id"]: message for message in messages}
    answers = Counter(
        message["reply_to"] for message in messages if message["role"] == "assistant" and message["reply_to"]
    )
    for said in kept.said:
        question = by_id.get(said.message_id)
        answer = by_id.get(said.answer_id) if said.answer_id else None
        if question is None or question["message"] != said.text:
            problems["messages or answers lost"].append(f"{here} {said.message_id}")
        if said.answer_id and (answer is None or answer["message"] != said.answer):
            problems["messages or answers lost"].append(f"{here} {said.answer_id}")
        if answers[said.message_id] > 1:
            problems["messages answered twice"].append(f"{here} {said.message_id}")
    replies = [message["message"] for message in messages if message["role"] == "human_agent"]
    for reply in kept.replies:
        if replies.count(reply) != 1:
            problems["replies of people lost"].append(f"{here}: {replies.count(reply)} times {reply!r}")


async def _dead_letters(play: Play) -> list[str]:
    found = list[str]()
    async with ServiceBusClient.from_connection_string(play.azure.service_bus_connection) as client:
        for queue in QUEUES:
            async with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
                found += [f"{queue} {message.message_id}" for message in await receiver.peek_messages(100)]
    return found
