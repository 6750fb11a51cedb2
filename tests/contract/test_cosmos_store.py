"""What only the Cosmos DB adapter promises: what a turn costs, how long items live, what never leaves it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.cosmos.aio import CosmosClient

from emulators.cosmos.auth import EMULATOR_KEY
from emulators.cosmos.server import CosmosEmulator
from shared import telemetry
from shared.cosmos import Cosmos
from shared.errors import NotFound, PayloadTooLarge, Unavailable
from shared.escalation.ticket import Ticket
from shared.memory import cosmos_schema
from shared.memory.cosmos import CosmosConversationStore
from shared.memory.cosmos_items import CONVERSATION
from shared.memory.models import Conversation, CustomerFact, Erasure, Message, Operator, Source
from shared.memory.store import ConversationStore, TicketState

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DATABASE = "lives"

pytestmark = pytest.mark.skipif("COSMOS_TEST_ENDPOINT" in os.environ, reason="looks into the emulator")


@pytest.fixture
async def store(cosmos: CosmosEmulator, clock) -> AsyncIterator[ConversationStore]:
    await cosmos_schema.create(cosmos.url, EMULATOR_KEY, DATABASE)
    store = CosmosConversationStore(Cosmos(cosmos.url, EMULATOR_KEY, DATABASE), retention=timedelta(hours=1), now=clock)
    yield store
    await store.close()
    cosmos.storage.delete_database(DATABASE)


def said(name: str, text: str = "Where is my parcel?") -> Message:
    return Message(name, "s1", "user", text, START)


def answer(to: str) -> Message:
    return Message(f"answer-{to}", "s1", "assistant", "On its way.", START, reply_to=to)


def ticket(name: str = "t1") -> Ticket:
    return Ticket(name, "s1", "m1", "customer_request", "Wants a person", START)


async def begin(store: ConversationStore) -> None:
    await store.create(
        Conversation("s1", "session:s1", START, START + timedelta(hours=24)),
        Message("greeting", "s1", "assistant", "Hello", START),
    )


async def turn(store: ConversationStore, name: str, *facts: CustomerFact, with_ticket: Ticket | None = None):
    opened = await store.open_turn(said(name), lease_until=START + timedelta(days=9), history=20)
    return await store.close_turn(opened, answer(name), with_ticket, facts)


def asked(cosmos: CosmosEmulator) -> list[tuple[str, str | None]]:
    """What the store asked for; what the SDK finds out about account and containers, once, left out."""
    made = [(one.operation, one.container) for one in cosmos.server.requests if one.operation != "metadata"]
    cosmos.server.requests.clear()
    return made


async def test_a_turn_is_one_point_read_one_query_and_two_writes(store, cosmos: CosmosEmulator):
    await begin(store)
    assert asked(cosmos) == [("batch", "conversations")]
    a_turn = [(operation, "conversations") for operation in ("read", "query", "batch", "batch")]
    await turn(store, "m1")
    assert asked(cosmos) == a_turn
    await turn(store, "m2", with_ticket=ticket())
    assert asked(cosmos) == a_turn
    await turn(store, "m3", CustomerFact("f1", "session:s1", "likes tea", "m3", START))
    assert asked(cosmos) == [*a_turn, ("upsert", "customers"), ("delete", "conversations")]


async def test_to_ask_whether_there_is_news_is_one_point_read(store, cosmos: CosmosEmulator):
    await begin(store)
    asked(cosmos)
    assert await store.messages("s1", after=1) == ()
    assert asked(cosmos) == [("read", "conversations")]


async def test_a_turn_that_somebody_wrote_into_is_closed_all_the_same(store, cosmos: CosmosEmulator):
    await begin(store)
    opened = await store.open_turn(said("m1"), lease_until=START + timedelta(minutes=1), history=20)
    await store.append(replace(said("h1"), role="human_agent"))
    assert await store.close_turn(opened, answer("m1")) == replace(answer("m1"), seq=4)


async def test_a_turn_is_closed_in_a_conversation_that_was_prolonged_since(store, clock):
    await begin(store)
    await store.append(said("m0"), ticket())
    opened = await store.open_turn(said("m1"), lease_until=START + timedelta(minutes=1), history=20)
    await clock.sleep(24 * 3600)

    def prolong(state: TicketState) -> TicketState:
        return replace(state, conversation=replace(state.conversation, expires_at=clock() + timedelta(hours=1)))

    await store.change_ticket(ticket(), prolong)
    assert await store.close_turn(opened, answer("m1")) == replace(answer("m1"), seq=4)


async def test_what_is_written_to_a_ticket_while_it_changes_is_not_lost(store, cosmos: CosmosEmulator, clock):
    await begin(store)
    await turn(store, "m1", with_ticket=ticket())
    asked_for: list[Ticket] = []

    async def send() -> None:
        other = CosmosConversationStore(Cosmos(cosmos.url, EMULATOR_KEY, DATABASE), now=clock)
        await other.mark_sent(ticket(), START)
        await other.close()

    def claim(state: TicketState) -> TicketState:
        asked_for.append(state.ticket)
        if len(asked_for) == 1:  # between what is read and what is written
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, send()).result()
        return replace(state, ticket=replace(state.ticket, status="claimed"))

    state = await store.change_ticket(ticket(), claim)
    assert [one.sent_at for one in asked_for] == [None, START]
    assert state.ticket == await store.ticket("t1") == replace(ticket(), status="claimed", sent_at=START)


async def test_items_go_when_they_are_no_longer_kept(store, cosmos: CosmosEmulator, clock):
    await begin(store)
    await turn(store, "m1", CustomerFact("f1", "session:s1", "likes tea", "m1", START, START + timedelta(hours=2)))
    await store.count_hit("a", window=60, now=clock())
    assert await store.claim("a", until=clock() + timedelta(minutes=5))
    await clock.sleep(25 * 3600 - 1)
    assert len(await store.messages("s1", expired=True)) == 3
    await clock.sleep(2)
    with pytest.raises(NotFound):
        await store.get("s1", expired=True)
    for name in cosmos_schema.CONTAINERS:
        assert list(cosmos.storage.items(cosmos.storage.container(DATABASE, name))) == []
    await begin(store)


async def test_a_ticket_stays_until_it_was_routed(store, clock):
    await begin(store)
    await turn(store, "m1", with_ticket=ticket())
    await clock.sleep(30 * 3600)
    assert [one.id for one in await store.unsent_tickets(created_before=clock())] == ["t1"]
    await store.mark_sent(ticket(), clock())
    await clock.sleep(30 * 3600)
    await store.save_route(replace(ticket(), status="open", category="billing", team="care"))
    await clock.sleep(23 * 3600)
    assert (await store.ticket("t1")).team == "care"
    await clock.sleep(2 * 3600)
    with pytest.raises(NotFound):
        await store.ticket("t1")


async def test_what_is_prolonged_stays_whole(store, clock):
    await begin(store)
    for n in range(60):
        await store.append(said(f"m{n}"), ticket() if n == 0 else None)
        await store.append(replace(said(f"r{n}"), role="human_agent"))
    await clock.sleep(23 * 3600)

    def prolong(state: TicketState) -> TicketState:
        longer = replace(state.conversation, expires_at=clock() + timedelta(hours=24))
        return replace(state, conversation=longer, ticket=replace(state.ticket, status="claimed"))

    await store.change_ticket(ticket(), prolong)
    await clock.sleep(24 * 3600 - 1)
    assert len(await store.messages("s1")) == 121
    assert (await store.ticket("t1", "s1")).status == "claimed"
    await clock.sleep(3602)
    with pytest.raises(NotFound):
        await store.get("s1", expired=True)
    with pytest.raises(NotFound):
        await store.ticket("t1")


async def test_a_conversation_of_any_length_is_erased(store, cosmos: CosmosEmulator):
    await begin(store)
    for n in range(250):
        await store.append(said(f"m{n}"))
    assert await store.erase("s1") == Erasure(conversations=1, messages=251)
    assert list(cosmos.storage.items(cosmos.storage.container(DATABASE, "conversations"))) == []


@pytest.mark.parametrize("name", ["a/b\\c?d#e", "ends with ", "Größe", "x" * 5000, "100%", "a+b&c=d", "\u2028'\"", "."])
async def test_any_text_may_be_a_name(store, name: str):
    await store.create(
        Conversation("s1", name[:500], START, START + timedelta(hours=24), user_id=name[:500]),
        replace(said("greeting"), role="assistant"),
    )
    opened = await store.open_turn(said(name), lease_until=START + timedelta(minutes=1), history=1)
    assert opened.message.id == name
    await store.close_turn(opened, replace(answer(name), id=f"to {name}"), None, [
        CustomerFact(name, name[:500], "likes tea", name, START)
    ])  # fmt: skip
    assert [one.id for one in await store.facts(name[:500])] == [name]
    assert (await store.open_turn(said(name), lease_until=START, history=1)).answer is not None
    await store.save_operator(Operator(name, "Grace", "$argon2id$…", START))
    assert (await store.operator(name)).username == name
    assert [await store.claim(name, until=START + timedelta(minutes=1)) for _ in range(2)] == [True, False]
    assert await store.erase_customer(name[:500]) == Erasure(1, 3, 0, 1)


async def test_what_has_lost_its_conversation_is_found(store, cosmos: CosmosEmulator):
    await begin(store)
    fact = CustomerFact("f1", "session:s1", "likes tea", "m1", START)
    await turn(store, "m1", fact, with_ticket=ticket())
    async with CosmosClient(cosmos.url, EMULATOR_KEY) as client:
        await client.get_database_client(DATABASE).get_container_client("conversations").delete_item(CONVERSATION, "s1")
    left = [one async for one in store.kept(names=["session:s1"], sessions=["s1"])]
    assert [type(one).__name__ for one in left] == ["Message"] * 3 + ["Ticket", "CustomerFact"]


async def test_what_is_too_large_is_said(store):
    await begin(store)
    with pytest.raises(PayloadTooLarge, match="2 MB"):
        await store.append(said("m1", "x" * 2_200_000))
    assert (await store.append(said("m2"))).seq == 2


async def test_numbers_come_back_as_they_were(store):
    await begin(store)
    metadata = {"page": 3, "score": 0.1, "whole": 2.0, "new": True, "name": "1.0"}
    source = Source("c1", "one two", metadata, 1e-17, "one", 0, 3)
    stored = await store.append(replace(answer("m1"), sources=(source,)))
    assert (await store.messages("s1"))[-1] == stored
    assert stored.sources == (source,)


async def test_every_request_is_counted_with_its_charge(store):
    telemetry.set_up_metrics()

    def charged() -> float:
        lines = telemetry.prometheus_text().decode().splitlines()
        start = 'support_cosmos_request_charge_sum{container="conversations"}'
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start))

    before = charged()
    await begin(store)
    assert charged() >= before + 10


async def test_what_went_wrong_is_told_in_our_words(cosmos: CosmosEmulator, clock):
    wrong = {
        "key": (EMULATOR_KEY.replace("C2", "D2"), DATABASE),
        "database": (EMULATOR_KEY, "nope"),
    }
    for key, database in wrong.values():
        store: ConversationStore = CosmosConversationStore(Cosmos(cosmos.url, key, database), now=clock)
        with pytest.raises(Unavailable):
            await store.get("s1")
        await store.close()


async def test_a_closed_store_is_unavailable(store):
    await store.ping()
    await store.close()
    await store.close()
    with pytest.raises(Unavailable):
        await store.get("s1")


async def test_the_schema_is_made_once_and_brought_up_to_date(store, cosmos: CosmosEmulator):
    await begin(store)
    container = cosmos.storage.container(DATABASE, "conversations")
    old = {key: value for key, value in container.items() if not key.startswith("_")} | {"indexingPolicy": {}}
    cosmos.storage.replace_container(DATABASE, "conversations", old)
    await cosmos_schema.create(cosmos.url, EMULATOR_KEY, DATABASE)
    policy = cosmos.storage.container(DATABASE, "conversations")["indexingPolicy"]
    assert policy["compositeIndexes"] == container["indexingPolicy"]["compositeIndexes"]
    assert (await store.get("s1")).last_seq == 1
    cosmos.server.requests.clear()
    await cosmos_schema.create(cosmos.url, EMULATOR_KEY, DATABASE)
    assert 201 not in [one.status for one in cosmos.server.requests]
