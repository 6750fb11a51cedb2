"""Whatever is done to a conversation, both adapters of `ConversationStore` say the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulators.cosmos.auth import EMULATOR_KEY
from emulators.cosmos.server import CosmosEmulator
from shared.cosmos import Cosmos
from shared.errors import SupportAgentError
from shared.escalation.outbox import OutboxEvent, event_id
from shared.escalation.ticket import Ticket
from shared.memory import cosmos_schema
from shared.memory.cosmos import CosmosConversationStore
from shared.memory.models import Conversation, CustomerFact, Feedback, Message, OpenTurn
from shared.memory.sqlite import SqliteConversationStore
from shared.memory.store import ConversationStore, TicketState

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SMALL = st.integers(0, 2)
STEP = st.one_of(
    st.tuples(st.just("open"), SMALL, st.integers(0, 4)),
    st.tuples(st.just("close"), SMALL, st.sampled_from(["answer", "ticket", "fact", "all", "nothing"])),
    st.tuples(st.just("append"), SMALL, st.booleans()),
    st.tuples(st.just("reply"), SMALL, SMALL),
    st.tuples(st.just("change"), SMALL, st.sampled_from(["take", "finish", "prolong", "return", "refuse"])),
    st.tuples(st.just("rate"), SMALL, st.just(0)),
    st.tuples(st.just("route"), SMALL, SMALL),
    st.tuples(st.just("sent"), SMALL, st.just(0)),
    st.tuples(st.just("event sent"), SMALL, st.just(0)),
    st.tuples(st.just("forget"), SMALL, st.just(0)),
    st.tuples(st.just("sleep"), st.sampled_from([10, 40, 24 * 3600]), st.just(0)),
    st.tuples(st.just("erase"), st.just(0), st.just(0)),
)

BEGINNING = st.sampled_from(
    [
        [],
        [("open", 0, 2), ("close", 0, "all")],
        [("append", 0, True), ("change", 0, "take")],
        [("append", 0, True), ("append", 1, True), ("change", 1, "take"), ("open", 2, 2)],
    ]
)
"""Where stories become interesting."""


class Player:
    """Plays steps on one conversation and notes what the store says."""

    def __init__(self, store: ConversationStore, session_id: str) -> None:
        self.now = START
        self._store = store
        self._session_id = session_id
        self._turns: list[OpenTurn] = []

    async def play(self, steps: list[tuple[str, Any, Any]]) -> list[Any]:
        self.now = START
        conversation = Conversation(
            self._session_id, f"session:{self._session_id}", START, START + timedelta(hours=24), user_id="ada"
        )
        await self._store.create(conversation, self._message("greeting", "assistant"))
        said: list[Any] = []
        for step in steps:
            try:
                said.append((step, _plain(await self._step(*step))))
            except SupportAgentError as refused:
                said.append((step, type(refused).__name__))
            said.append(await self._state())
        return said

    async def _step(self, name: str, one: Any, other: Any) -> Any:
        store, session_id = self._store, self._session_id
        ticket = self._ticket(one)
        match name:
            case "open":
                until = self.now + timedelta(seconds=30)
                turn = await store.open_turn(self._message(f"m{one}"), lease_until=until, history=other)
                self._turns.append(turn)
                return turn
            case "close" if self._turns:
                turn = self._turns[one % len(self._turns)]
                answer = self._message(f"a-{turn.message.id}", "assistant")
                fact = CustomerFact(f"f{one}", f"session:{session_id}", "likes tea", turn.message.id, START)
                return await store.close_turn(
                    turn,
                    None if other == "nothing" else answer,
                    ticket if other in ("ticket", "all") else None,
                    [fact] if other in ("fact", "all") else [],
                    beside=turn.conversation.ticket_id,
                )
            case "append":
                return await store.append(self._message(f"m{one}"), ticket if other else None)
            case "reply":
                return await store.append(self._message(f"h{one}", "human_agent"), None)
            case "change":
                return await store.change_ticket(ticket, lambda state: self._changed(state, other))
            case "rate":
                return await store.set_feedback(session_id, ("greeting", "m0", "a-m0")[one], Feedback("up"))
            case "route":
                return await store.save_route(replace(ticket, status="open", category=f"c{other}", team="care"))
            case "sent":
                return await store.mark_sent(ticket, self.now)
            case "event sent":
                name = event_id("customer.message", session_id, f"m{one}")
                return await store.mark_event_sent(
                    OutboxEvent(name, "customer.message", session_id, "t", START), self.now
                )
            case "forget":
                return await store.forget_fact(f"session:{session_id}", f"f{one}")
            case "erase":
                return await store.erase(session_id)
            case "sleep":
                self.now += timedelta(seconds=one)
        return None

    def _changed(self, state: TicketState, how: str) -> TicketState:
        conversation, ticket = state.conversation, state.ticket
        match how:
            case "take":
                conversation = replace(conversation, owner="human", ticket_id=ticket.id, lease_until=None)
                joined = self._message(f"joined-{conversation.last_seq}", "assistant")
                return replace(
                    state, conversation=conversation, ticket=replace(ticket, status="claimed"), message=joined
                )
            case "finish":
                conversation = replace(conversation, owner="bot", ticket_id=None)
                return replace(state, conversation=conversation, ticket=replace(ticket, status="resolved"))
            case "prolong":
                return replace(state, conversation=replace(conversation, expires_at=self.now + timedelta(hours=24)))
            case "return":
                name = event_id("ticket.returned", ticket.session_id, ticket.id)
                return replace(
                    state, event=OutboxEvent(name, "ticket.returned", ticket.session_id, ticket.id, self.now)
                )
            case _:
                raise SupportAgentError("no")

    async def _state(self) -> Any:
        """All that the store has of this conversation."""
        store, late = self._store, START + timedelta(days=99)
        try:
            conversation = await store.get(self._session_id, expired=True)
            messages = await store.messages(self._session_id, expired=True)
        except SupportAgentError as missing:
            conversation, messages = type(missing).__name__, ()
        mine = self._session_id
        return (
            conversation,
            messages,
            await store.facts(f"session:{mine}"),
            [one for one in await store.unsent_tickets(created_before=late, limit=9999) if one.session_id == mine],
            sorted(
                (one for one in await store.unsent_events(created_before=late, limit=9999) if one.session_id == mine),
                key=lambda one: one.id,
            ),
        )

    def _message(self, name: str, role: Any = "user") -> Message:
        return Message(name, self._session_id, role, f"text of {name}", START)

    def _ticket(self, number: int) -> Ticket:
        created = START - timedelta(seconds=number)
        return Ticket(f"t{number}-{self._session_id}", self._session_id, "m0", "customer_request", "Help", created)


def _plain(said: Any) -> Any:
    """An open turn by what the port promises of it."""
    if isinstance(said, OpenTurn):
        return said.conversation, said.message, said.history, said.answer
    return said


@pytest.fixture
def compare(cosmos: CosmosEmulator, tmp_path: Path) -> Iterator[Callable[[list[tuple[str, Any, Any]]], None]]:
    database, names = f"test-{uuid4().hex}", count()
    with asyncio.Runner() as runner:
        runner.run(cosmos_schema.create(cosmos.url, EMULATOR_KEY, database))
        players: list[Player] = []

        def now() -> datetime:
            return players[-1].now

        cosmos.storage.clock = lambda: now().timestamp()
        keep = timedelta(days=99)
        stores: list[ConversationStore] = [
            SqliteConversationStore(tmp_path / "conversations.db", retention=keep, now=now),
            CosmosConversationStore(Cosmos(cosmos.url, EMULATOR_KEY, database), retention=keep, now=now),
        ]

        def play(steps: list[tuple[str, Any, Any]]) -> None:
            name = f"s{next(names)}"
            said: list[list[Any]] = []
            for store in stores:
                players.append(Player(store, name))
                said.append(runner.run(players[-1].play(steps)))
            for embedded, azure in zip(*said, strict=True):
                assert azure == embedded
            for store in stores:
                runner.run(store.erase(name))

        players.append(Player(stores[0], "none"))
        yield play
        for store in stores:
            runner.run(store.close())
    cosmos.storage.delete_database(database)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(beginning=BEGINNING, steps=st.lists(STEP, min_size=3, max_size=12))
def test_both_adapters_say_the_same(compare, beginning: list[Any], steps: list[Any]) -> None:
    compare(beginning + steps)
