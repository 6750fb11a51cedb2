"""No ticket is lost, doubled or talked over, whatever fails and whenever.

Many conversations, operators, timers and queue consumers run on one simulated clock, over the real services and the
embedded stores. Any call of store or queue may fail or kill its caller, before or after it took effect, and others run
in between; messages of the queues are delivered up to five times, late, twice at once and out of order; the clock
jumps. When all is quiet again, the stores and what helpdesks received are counted. The same seed plays the same story.

`make chaos` prints the figures; CHAOS_CONVERSATIONS and CHAOS_SEED change the run.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import random
import sqlite3
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from shared.conversation.running import RunningTurn
from shared.conversation.service import URGENT
from shared.conversation.turn import Turn
from shared.errors import Conflict, NotFound, TurnInProgress, Unavailable
from shared.escalation.intents import load_intents
from shared.escalation.outbox import event_id
from shared.escalation.policy import EscalationPolicy
from shared.escalation.queue import ESCALATIONS, REQUESTS, ReceivedMessage
from shared.escalation.ticket import TAKEN, UNRESOLVED, Status, Ticket
from shared.memory.models import ConversationRecord, Operator
from shared.services import Services
from shared.settings import Settings
from shared.sqlite import Database
from tests.chat import SHIPPING, GivenKnowledge
from tests.fakes import HashEmbedder

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONVERSATIONS = int(os.environ.get("CHAOS_CONVERSATIONS", "1000"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
AT_ONCE = 40
DELIVERIES = 5
"""After so many a message is delivered without trouble: the queue would set it aside after ten."""
DUPLICATE_WINDOW = timedelta(seconds=600)
JUMPS = ((70, 10), (11 * 60, 5), (65 * 60, 5), (25 * 3600, 1))
"""Seconds that the clock may jump, and how often that happens among the jumps: past a lock or lease, the window of
duplicate detection, a person's silence, and the life of a conversation."""
TEXTS = (
    "How long does standard delivery take?",
    "What is the airspeed of a swallow?",
    "I want to talk to a human",
    "I will take you to court",
    "Hello? Are you there?",
    "Thanks",
)
OPERATORS = [Operator(name, name.title(), "", START) for name in ("grace", "alan", "mary", "edsger", "tony")]
OPERATORS.append(Operator("ada", "Ada", "", START, role="admin"))

calm = ContextVar("calm", default=False)
"""Nothing fails in a task that has set it."""


class Killed(BaseException):
    """The process ended here: no handler of the product sees it."""


class Inline(ThreadPoolExecutor):
    """Runs at once, in the thread that asks: no thread's timing decides who comes first."""

    def submit[T](self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future = Future[T]()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - handed on as it came
            future.set_exception(error)
        return future


class Trouble:
    """Decides what fails, and keeps the clock, which stands still until somebody waits for it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = START
        self.over = False
        self.seen = Counter[str]()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._numbers = count()

    async def step(self) -> None:
        """Others run, and this process may die, or the part that it called may not answer."""
        for _ in range(self.random.randrange(3)):
            await asyncio.sleep(0)
        if self.over or calm.get():
            return
        chance = self.random.random()
        if chance < 0.015:
            self.seen["kills"] += 1
            raise Killed
        if chance < 0.03:
            self.seen["outages"] += 1
            raise Unavailable("no answer")

    async def sleep(self, most: float) -> None:
        wakes = asyncio.get_running_loop().create_future()
        seconds = self.random.uniform(0.1, most)
        heapq.heappush(self._sleepers, (self.now + timedelta(seconds=seconds), next(self._numbers), wakes))
        await wakes

    async def let_time_pass(self, work: asyncio.Task[None]) -> None:
        while not work.done():
            for _ in range(3):
                await asyncio.sleep(0)
            if self._sleepers:
                until, _, wakes = heapq.heappop(self._sleepers)
                self.now = max(self.now, until)
                if self.random.random() < 0.004:
                    [seconds] = self.random.choices([s for s, _ in JUMPS], [often for _, often in JUMPS])
                    self.now += timedelta(seconds=seconds)
                    self.seen["jumps"] += 1
                if not wakes.done():
                    wakes.set_result(None)
        await work


class Shaky:
    """A store or queue between whose callers and whose effects there is trouble."""

    def __init__(self, part: Any, trouble: Trouble) -> None:
        self._part = part
        self._trouble = trouble

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._trouble.step()
            result = await method(*args, **kwargs)
            await self._trouble.step()
            return result

        return call


class Bot:
    """A `SupportAgent` that takes its time; every second sentence has no source."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble

    async def write(self, turn: Turn) -> AsyncIterator[str]:
        await self._trouble.step()
        yield "Standard delivery takes 3 to 5 working days. [1] " if "delivery" in turn.message.text else ""
        await self._trouble.sleep(120 if self._trouble.random.random() < 0.1 else 30)  # maybe past its lease
        await self._trouble.step()


class World:
    def __init__(self, folder: Path, seed: int) -> None:
        self.trouble = Trouble(seed)
        self.random = self.trouble.random
        settings = Settings(auth_mode="open", data_dir=folder)  # pyright: ignore[reportCallIssue]
        self.services = Services(settings, now=lambda: self.trouble.now)
        self.store, self.queue = self.services.store, self.services.queue
        for part in (self.store, self.queue):
            _hurry(part)
        self.relaxed = Services(settings, now=lambda: self.trouble.now)
        vars(self.relaxed).update(store=self.store, queue=self.queue)
        vars(self.services).update(
            store=Shaky(self.store, self.trouble),
            queue=Shaky(self.queue, self.trouble),
            policy=EscalationPolicy(HashEmbedder(), load_intents()),
            _search=GivenKnowledge(SHIPPING),
        )
        self.chat, self.helpdesk = self.services.conversations, self.services.helpdesk
        self.chat._agent = Bot(self.trouble)  # pyright: ignore[reportAttributeAccessIssue]
        self.sessions: list[str] = []
        self.acknowledged: set[tuple[str, str]] = set()
        self.replied: dict[str, str] = {}
        self.arrivals: dict[str, list[datetime]] = defaultdict(list)
        self.numbers: set[tuple[str, int]] = set()
        self.closing = False

    async def play(self) -> None:
        asyncio.get_running_loop().set_default_executor(Inline())
        for operator in OPERATORS:
            await self.store.save_operator(operator)
        everything = asyncio.create_task(self._everything())
        await self.trouble.let_time_pass(everything)
        await self._settle()

    async def _everything(self) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with room:
                await self.customer()

        async with asyncio.TaskGroup() as others:
            for operator in OPERATORS:
                others.create_task(self.operator(operator))
            for work in (self.relay, self.relay, self.silence, self.router, self.consumer):
                others.create_task(work())
            async with asyncio.TaskGroup() as customers:
                for _ in range(CONVERSATIONS):
                    customers.create_task(one())
            self.closing = True

    async def _settle(self) -> None:
        """Nothing fails any more: whatever was left half done is finished by timers and redeliveries alone."""
        self.trouble.over = True
        escalation, helpdesk = self.relaxed.escalation, self.relaxed.helpdesk
        for minutes in (2, 120, 2):
            self.trouble.now += timedelta(minutes=minutes)
            await helpdesk.return_silent()
            self.trouble.now += timedelta(minutes=2)
            while await escalation.relay():
                pass
            while received := await self.queue.receive(REQUESTS, limit=50):
                for message in received:
                    await escalation.route(message.message.body)
                    await self.queue.complete(message)
            while received := await self.queue.receive(ESCALATIONS, limit=50):
                for message in received:
                    self._arrived(message)
                    await self.queue.complete(message)

    async def persist[T](self, attempt: Callable[[], Awaitable[T]]) -> T | None:
        """As a client does: once more after an outage, a crash or a `TurnInProgress`. None if it is refused."""
        for _ in range(6):
            try:
                return await attempt()
            except (Killed, Unavailable, TurnInProgress):
                await self.trouble.sleep(40)
            except (NotFound, Conflict):
                return None
        return None

    # ---- customers

    async def customer(self) -> None:
        await self.trouble.sleep(30)
        if not (started := await self.persist(lambda: self.chat.start(None))):
            return
        session_id = started[0].session_id
        self.sessions.append(session_id)
        for number in range(self.random.randint(2, 8)):
            await self.trouble.sleep(60)
            chance = self.random.random()
            if chance < 0.01:
                await self.persist(lambda: self.chat.erase(session_id))
                return
            if chance < 0.2:
                comment = self.random.choice(("", "Please hurry"))
                await self.persist(lambda comment=comment: self.chat.escalate(session_id, comment=comment))
            else:
                text = self.random.choice(TEXTS)
                work: list[Coroutine[Any, Any, Any]] = [self.say(session_id, text, f"c{number}")]
                if chance > 0.94:  # impatient: the button while the bot still answers
                    work.append(self.persist(lambda: self.chat.escalate(session_id)))
                await asyncio.gather(*work)

    async def say(self, session_id: str, text: str, name: str) -> None:
        async def attempt() -> None:
            running = await self.chat.begin_turn(session_id, text, client_message_id=name)
            self.acknowledged.add((session_id, running.message.id))
            await self._end_of(running)

        await self.persist(attempt)

    async def _end_of(self, running: RunningTurn) -> None:
        """Of the turn's task, which may die."""
        name = f"turn {running.message.id}"
        mine = [task for task in self.chat._running if task.get_name() == name and _turn_of(task) is running]
        await asyncio.gather(*mine)
        await running.result()

    # ---- people of the company

    async def operator(self, operator: Operator) -> None:
        numbers = count()
        while not self.closing:
            await self.trouble.sleep(8)
            chance = self.random.random()
            mine = await self.listed(TAKEN, operator.username) if chance < 0.7 else None
            others = (
                await self.listed(self.random.choice((UNRESOLVED, ("requested",), ("open",)))) if not mine else None
            )
            if mine:
                await self.work(operator, self.random.choice(mine), f"{next(numbers)}")
            elif others and chance > 0.97:  # not theirs
                await self.work(operator, self.random.choice(others), f"{next(numbers)}")
            elif others:
                ticket = self.random.choice(others)
                await self.persist(lambda ticket=ticket: self.helpdesk.claim(operator, ticket.id))

    async def listed(self, statuses: Sequence[Status], assignee: str | None = None) -> Sequence[Ticket] | None:
        return await self.persist(lambda: self.helpdesk.tickets(statuses=statuses, assignee=assignee, limit=8))

    async def work(self, operator: Operator, ticket: Ticket, name: str) -> None:
        chance = self.random.random()
        if chance < 0.55:
            text = f"{operator.username} {name}"
            if await self.persist(lambda: self.helpdesk.reply(operator, ticket.id, text, client_message_id=name)):
                self.replied[text] = ticket.session_id
            return
        status = "waiting" if chance < 0.65 else "open" if chance < 0.75 else "resolved"
        await self.persist(lambda: self.helpdesk.set_status(operator, ticket.id, status))

    # ---- timers and queues

    async def relay(self) -> None:
        await self._now_and_then(90, self.services.escalation.relay)

    async def silence(self) -> None:
        await self._now_and_then(120, self.helpdesk.return_silent)

    async def _now_and_then(self, most: float, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        while not self.closing:
            await self.trouble.sleep(most)
            with suppress(Killed, Unavailable):
                await work()

    async def router(self) -> None:
        async with asyncio.TaskGroup() as deliveries:
            while not self.closing:
                await self.trouble.sleep(8)
                received = list(await self.queue.receive(REQUESTS, limit=5))
                self.random.shuffle(received)
                for message in received:
                    deliveries.create_task(self._routed(message))

    async def _routed(self, received: ReceivedMessage) -> None:
        last = received.delivery_count >= DELIVERIES
        calm.set(last)
        copies = 1 if last else self.random.choice((1, 1, 1, 2, 3))
        self.trouble.seen["redeliveries"] += copies - (received.delivery_count == 1)
        if not last and self.random.random() < 0.15:
            await self.trouble.sleep(90)  # past its lock
        body, route = received.message.body, self.services.escalation.route
        outcomes = await asyncio.gather(*(_outcome(route(body)) for _ in range(copies)))
        await self._put_back(received, done=last or (all(outcomes) and self.random.random() < 0.7))

    async def _put_back(self, received: ReceivedMessage, *, done: bool) -> None:
        """Or away; or nothing, as a process that died, until the lock runs out."""
        with suppress(Conflict):
            if done:
                await self.queue.complete(received)
            elif self.random.random() < 0.5:
                await self.queue.abandon(received)

    async def consumer(self) -> None:
        """A helpdesk that takes whatever it is sent for new."""
        while not self.closing:
            await self.trouble.sleep(8)
            received = list(await self.queue.receive(ESCALATIONS, limit=10))
            self.random.shuffle(received)
            for message in received:
                self._arrived(message)
                again = message.delivery_count < DELIVERIES and self.random.random() < 0.3
                await self._put_back(message, done=not again)

    def _arrived(self, received: ReceivedMessage) -> None:
        """One more delivery of the same message is the consumer's own doing; another message of the same id is not."""
        if (received.queue, received.sequence_number) in self.numbers:
            self.trouble.seen["redeliveries"] += 1
            return
        self.numbers.add((received.queue, received.sequence_number))
        self.arrivals[received.message.id].append(received.enqueued_at)

    # ---- what is left

    async def records(self) -> Sequence[ConversationRecord]:
        until = self.trouble.now + timedelta(days=1)
        return [record async for record in self.store.records(since=START - timedelta(days=1), until=until)]

    def doubled(self, identifier: str) -> tuple[int, int]:
        """How often an event came again within the queue's window of duplicates, and after it."""
        gaps = [later - earlier for earlier, later in pairwise(sorted(self.arrivals.get(identifier, ())))]
        return sum(gap < DUPLICATE_WINDOW for gap in gaps), sum(gap >= DUPLICATE_WINDOW for gap in gaps)


async def _outcome(work: Awaitable[Any]) -> bool:
    try:
        await work
    except (Killed, Unavailable):
        return False
    return True


def _lost(world: World, record: ConversationRecord) -> list[Ticket]:
    """What helpdesks never heard of, although there is something to do. A person may resolve a ticket before it is
    routed; then there is not."""
    return [one for one in record.tickets if one.id not in world.arrivals and one.status != "resolved"]


def _turn_of(task: asyncio.Task[None]) -> Any:
    frame: Any = task.get_coro()
    return frame.cr_frame.f_locals.get("running") if frame.cr_frame else None


def _hurry(part: Any) -> None:
    """In the caller's thread, and without waiting for the disk: it is no disk that fails here."""
    database: Database = part._database
    connect = database._connect

    def connected() -> sqlite3.Connection:
        connection = connect()
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    database._connect = connected
    database._thread = Inline()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("chaos"), SEED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=world.random.getrandbits(128), version=4))
        asyncio.run(world.play())
    return world


@pytest.fixture(scope="module")
def records(world: World) -> Sequence[ConversationRecord]:
    return asyncio.run(world.records())


def test_there_was_trouble(world: World, records: Sequence[ConversationRecord]) -> None:
    seen = world.trouble.seen
    tickets = [ticket for record in records for ticket in record.tickets]
    within, after = (sum(world.doubled(ticket.id)[part] for ticket in tickets) for part in (0, 1))
    figures = {
        "conversations": len(world.sessions),
        "kills": seen["kills"],
        "outages": seen["outages"],
        "redeliveries": seen["redeliveries"],
        "clock jumps": seen["jumps"],
        "messages": sum(len(record.messages) for record in records),
        "tickets": len(tickets),
        "claims": sum("has joined" in m.text for record in records for m in record.messages),
        "events": len(world.arrivals),
        "lost": sum(len(_lost(world, record)) for record in records),
        "duplicates": within,
        "duplicates after the window": after,
        "bot over human": sum(len(_over_human(record)) for record in records),
    }
    print("\n" + ", ".join(f"{name} {number}" for name, number in figures.items()))
    assert len(world.sessions) >= 0.9 * CONVERSATIONS
    assert seen["kills"] > CONVERSATIONS / 2
    assert seen["outages"] > CONVERSATIONS / 2
    assert seen["redeliveries"] > CONVERSATIONS / 4
    assert seen["jumps"] > 0
    assert len(tickets) > CONVERSATIONS / 4
    assert figures["claims"] > CONVERSATIONS / 8
    assert {"open", "resolved"} <= {ticket.status for ticket in tickets}
    assert {"confirmed", "assumed"} <= {ticket.resolution for ticket in tickets}


def test_no_ticket_is_lost(world: World, records: Sequence[ConversationRecord]) -> None:
    async def left() -> int:
        return await world.queue.count_dead_letters(REQUESTS) + await world.queue.count_dead_letters(ESCALATIONS)

    assert [ticket.id for record in records for ticket in _lost(world, record)] == []
    assert asyncio.run(left()) == 0


def test_no_conversation_has_two_open_tickets(records: Sequence[ConversationRecord]) -> None:
    """But for urgent ones, which must not wait with another."""
    for record in records:
        open_ones = [t.reason for t in record.tickets if t.status in UNRESOLVED and t.reason not in URGENT]
        assert len(open_ones) <= 1, record.conversation.session_id


def test_no_event_comes_twice_within_the_window(world: World) -> None:
    assert [identifier for identifier in world.arrivals if world.doubled(identifier)[0]] == []


def test_the_bot_never_talks_over_a_person(records: Sequence[ConversationRecord]) -> None:
    assert [message for record in records for message in _over_human(record)] == []


def test_all_that_a_customer_says_to_a_person_reaches_the_helpdesk(
    world: World, records: Sequence[ConversationRecord]
) -> None:
    said = [m for record in records for m, person in _with_owner(record) if person and m.role == "user"]
    assert len(said) > CONVERSATIONS / 20
    unheard = [m for m in said if event_id("customer.message", m.session_id, m.id) not in world.arrivals]
    assert unheard == []


def test_what_was_acknowledged_is_there_and_once(world: World, records: Sequence[ConversationRecord]) -> None:
    kept = {record.conversation.session_id for record in records}
    stored = {(message.session_id, message.id) for record in records for message in record.messages}
    assert {message for message in world.acknowledged if message[0] in kept} <= stored
    replies = Counter(m.text for record in records for m in record.messages if m.role == "human_agent")
    assert max(replies.values()) == 1
    assert {text for text, session_id in world.replied.items() if session_id in kept} <= set(replies)


def test_numbers_have_no_gap(records: Sequence[ConversationRecord]) -> None:
    for record in records:
        assert [message.seq for message in record.messages] == list(range(1, len(record.messages) + 1))
        assert record.conversation.last_seq == len(record.messages)
        answered = Counter(message.reply_to for message in record.messages if message.reply_to)
        assert not answered or max(answered.values()) == 1


def test_nothing_is_stuck(world: World, records: Sequence[ConversationRecord]) -> None:
    for record in records:
        conversation = record.conversation
        unresolved = [ticket.id for ticket in record.tickets if ticket.status in UNRESOLVED]
        assert conversation.owner == "bot", "everybody has been silent for two hours"
        assert conversation.lease_until is None or conversation.lease_until <= world.trouble.now
        assert conversation.ticket_id in (unresolved or [None])
        assert all(ticket.status in ("open", "resolved") for ticket in record.tickets)

    async def unsent() -> int:
        later = world.trouble.now + timedelta(days=1)
        tickets = await world.store.unsent_tickets(created_before=later)
        return len(tickets) + len(await world.store.unsent_events(created_before=later))

    assert asyncio.run(unsent()) == 0


def _with_owner(record: ConversationRecord) -> list[tuple[Any, bool]]:
    """Each message, and whether a person owned the conversation when it was stored: the notices tell."""
    person, told = False, list[tuple[Any, bool]]()
    for message in record.messages:
        if message.id.startswith("n-"):
            person = "has joined" in message.text
        told.append((message, person))
    return told


def _over_human(record: ConversationRecord) -> list[Any]:
    return [message for message, person in _with_owner(record) if person and message.reply_to]
