"""What a busy service and a bad network do to the Cosmos DB adapter: no write is lost, none has an effect twice, and
no lease stays."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from emulators.cosmos.faults import WRITES, Fault
from emulators.cosmos.server import CosmosEmulator
from emulators.faults import Faults
from shared import cosmos as cosmos_client
from shared.errors import NotFound, TurnInProgress, Unavailable
from shared.escalation.outbox import OutboxEvent
from shared.escalation.ticket import Ticket
from shared.memory.models import Conversation, CustomerFact, Erasure, Feedback, Message, OpenTurn
from shared.memory.store import ConversationStore, TicketState

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE = START + timedelta(seconds=30)
LATER = START + timedelta(hours=1)
pytestmark = pytest.mark.skipif("COSMOS_TEST_ENDPOINT" in os.environ, reason="only the emulator fails on request")

FAULTS = {
    "throttled": Fault(status=429, retry_after_ms=5, times=2),
    "cut before": Fault(cut=True),
    "cut after": Fault(cut=True, applied=True),
    "failed before": Fault(WRITES, status=500),
    "failed after": Fault(WRITES, status=500, applied=True),
    "to be repeated": Fault(WRITES, status=449),
}
MOST_REQUESTS = 12
"""No operation below has as many."""


@pytest.fixture
def store(cosmos_store: Callable[[], ConversationStore]) -> ConversationStore:
    return cosmos_store()


@pytest.fixture(autouse=True)
async def closed(store: ConversationStore):
    yield
    await store.close()


def said(name: str, session_id: str) -> Message:
    return Message(name, session_id, "user", "Where is my parcel?", START)


def answer(session_id: str) -> Message:
    return Message("a1", session_id, "assistant", "On its way.", START, reply_to="m1")


def ticket(session_id: str) -> Ticket:
    return Ticket(f"t-{session_id}", session_id, "m1", "customer_request", "Wants a person", START)


def fact(session_id: str) -> CustomerFact:
    return CustomerFact("f1", f"session:{session_id}", "likes tea", "m1", START)


@dataclass
class Story:
    """Operations on one conversation, told up to the one that a fault befalls."""

    store: ConversationStore
    session_id: str
    faults: Faults[Fault]
    fault: Fault
    happened: bool = False

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        """The fault befalls what is done meanwhile, and not what is checked later."""
        self.faults.add(self.fault)
        yield
        self.happened = not self.faults.clear()

    async def begin(self) -> None:
        await self.store.create(
            Conversation(self.session_id, f"session:{self.session_id}", START, START + timedelta(hours=24)),
            Message("greeting", self.session_id, "assistant", "Hello", START),
        )

    async def open(self) -> OpenTurn:
        return await self.store.open_turn(said("m1", self.session_id), lease_until=LEASE, history=5)

    async def close(self, turn: OpenTurn) -> Message | None:
        return await self.store.close_turn(
            turn, answer(self.session_id), ticket(self.session_id), [fact(self.session_id)]
        )

    async def ids(self) -> list[tuple[int, str]]:
        return [(message.seq, message.id) for message in await self.store.messages(self.session_id)]

    async def own_tickets(self) -> list[Ticket]:
        waiting = await self.store.unsent_tickets(created_before=LATER, limit=1000)
        return [one for one in waiting if one.session_id == self.session_id]


async def creating(story: Story) -> None:
    with story.meanwhile():
        await story.begin()
    assert await story.ids() == [(1, "greeting")]


async def opening(story: Story) -> None:
    await story.begin()
    with story.meanwhile():
        turn = await story.open()
    assert (turn.message.seq, [one.id for one in turn.history]) == (2, ["greeting"])
    assert await story.ids() == [(1, "greeting"), (2, "m1")]
    assert turn.conversation.lease_until == LEASE == (await story.store.get(story.session_id)).lease_until
    with pytest.raises(TurnInProgress):
        await story.open()
    assert await story.close(turn)


async def closing(story: Story) -> None:
    await story.begin()
    turn = await story.open()
    with story.meanwhile():
        stored = await story.close(turn)
    assert stored == replace(answer(story.session_id), seq=3)
    assert await story.ids() == [(1, "greeting"), (2, "m1"), (3, "a1")]
    assert (await story.store.get(story.session_id)).lease_until is None
    assert await story.own_tickets() == [ticket(story.session_id)]
    # One that could not be delivered at once was so by the relay, just now.
    assert await story.store.facts(f"session:{story.session_id}") == (fact(story.session_id),)


async def appending(story: Story) -> None:
    await story.begin()
    with story.meanwhile():
        stored = await story.store.append(said("m1", story.session_id), ticket(story.session_id))
    assert stored.seq == 2
    assert await story.ids() == [(1, "greeting"), (2, "m1")]
    assert len(await story.own_tickets()) == 1


async def changing(story: Story) -> None:
    await story.begin()
    await story.store.append(said("m1", story.session_id), ticket(story.session_id))
    event = OutboxEvent(f"e-{story.session_id}", "ticket.returned", story.session_id, f"t-{story.session_id}", START)

    def replied(state: TicketState) -> TicketState:
        count = int(state.ticket.summary) + 1 if state.ticket.summary.isdigit() else 1
        reply = Message(f"r{count}", story.session_id, "human_agent", "I am on it.", START)
        return replace(state, ticket=replace(state.ticket, summary=str(count)), message=reply, event=event)

    with story.meanwhile():
        state = await story.store.change_ticket(ticket(story.session_id), replied)
    assert (state.message.id, state.message.seq, state.ticket.summary) == ("r1", 3, "1")
    assert await story.ids() == [(1, "greeting"), (2, "m1"), (3, "r1")]
    assert [one.summary for one in await story.own_tickets()] == ["1"]
    events = await story.store.unsent_events(created_before=LATER, limit=1000)
    assert [one for one in events if one.session_id == story.session_id] == [event]


async def routing_and_sending(story: Story) -> None:
    await story.begin()
    await story.store.append(said("m1", story.session_id), ticket(story.session_id))
    routed = replace(ticket(story.session_id), status="open", category="billing", team="care", due_at=LATER)
    with story.meanwhile():
        assert await story.store.save_route(routed) == routed
        await story.store.mark_sent(ticket(story.session_id), LATER)
    expected = replace(routed, sent_at=LATER)
    assert await story.store.ticket(routed.id) == expected
    assert await story.own_tickets() == []


async def rating(story: Story) -> None:
    await story.begin()
    with story.meanwhile():
        await story.store.set_feedback(story.session_id, "greeting", Feedback("up"))
    (greeting,) = await story.store.messages(story.session_id)
    assert greeting.feedback == Feedback("up")


async def remembering_and_forgetting(story: Story) -> None:
    key = f"session:{story.session_id}"
    with story.meanwhile():
        await story.store.remember(fact(story.session_id))
        assert await story.store.facts(key) == (fact(story.session_id),)
        await story.store.forget_fact(key, "f1")
        assert await story.store.facts(key) == ()


async def claiming(story: Story) -> None:
    with story.meanwhile():
        assert await story.store.claim(story.session_id, until=LATER)
    assert not await story.store.claim(story.session_id, until=LATER)


async def counting(story: Story) -> None:
    with story.meanwhile():
        first = await story.store.count_hit(story.session_id, window=60, now=START)
    assert 1 <= first <= 3  # an increment whose answer got lost counts again
    assert await story.store.count_hit(story.session_id, window=60, now=START) > first


async def erasing(story: Story) -> None:
    await story.begin()
    await story.close(await story.open())
    with story.meanwhile():
        erased = await story.store.erase(story.session_id)
    assert replace(erased, facts=0) == Erasure(conversations=1, messages=3, tickets=1)
    with pytest.raises(NotFound):
        await story.store.get(story.session_id)
    assert await story.store.erase(story.session_id) == Erasure()
    assert await story.own_tickets() == []
    assert await story.store.facts(f"session:{story.session_id}") == ()


STORIES: list[Callable[[Story], Awaitable[None]]] = [
    creating,
    opening,
    closing,
    appending,
    changing,
    routing_and_sending,
    rating,
    remembering_and_forgetting,
    claiming,
    counting,
    erasing,
]


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("tell", STORIES, ids=lambda story: story.__name__)
async def test_a_fault_at_any_request_changes_nothing(store, cosmos: CosmosEmulator, tell, name: str):
    """Each request of an operation fails in turn; what the caller and the store know is as if none had."""
    for skip in range(MOST_REQUESTS):
        story = Story(store, f"s{skip}", cosmos.server.faults, replace(FAULTS[name], skip=skip))
        await tell(story)
        if not story.happened:
            assert skip
            return
    pytest.fail("the operation never ended")


async def test_a_503_after_the_write_is_the_write(store, cosmos: CosmosEmulator):
    cosmos.server.faults.add(Fault(["batch"], status=503, applied=True))
    story = Story(store, "s1", cosmos.server.faults, Fault())
    await story.begin()
    cosmos.server.faults.add(Fault(["batch"], status=503, applied=True))
    turn = await story.open()
    cosmos.server.faults.add(Fault(["batch"], status=503, applied=True))
    assert await story.close(turn) == replace(answer("s1"), seq=3)
    assert len(await story.ids()) == 3


async def test_a_late_answer_is_no_second_write(store, cosmos: CosmosEmulator, monkeypatch):
    monkeypatch.setattr(cosmos_client, "READ_SECONDS", 0.2)
    story = Story(store, "s1", cosmos.server.faults, Fault())
    await story.begin()
    cosmos.server.faults.add(Fault(["batch"], delay=0.5, applied=True))
    turn = await story.open()
    assert await story.ids() == [(1, "greeting"), (2, "m1")]
    assert await story.close(turn)


async def test_throttled_for_long_is_told_with_the_time_to_wait(store, cosmos: CosmosEmulator, monkeypatch):
    monkeypatch.setattr(cosmos_client, "THROTTLED_SECONDS", 1)
    story = Story(store, "s1", cosmos.server.faults, Fault())
    await story.begin()
    cosmos.server.faults.add(Fault(status=429, retry_after_ms=1600, times=99))
    with pytest.raises(Unavailable) as refused:
        await story.open()
    assert refused.value.retry_after == 2
    cosmos.server.faults.clear()
    assert (await story.open()).message.seq == 2


async def test_a_turn_that_could_not_be_opened_leaves_no_lease_for_good(store, cosmos: CosmosEmulator, clock):
    story = Story(store, "s1", cosmos.server.faults, Fault())
    await story.begin()
    cosmos.server.faults.add(Fault(container="conversations", status=500, applied=True, times=99))
    with pytest.raises(Unavailable):
        await story.open()
    cosmos.server.faults.clear()
    await clock.sleep(31)
    turn = await store.open_turn(said("m1", "s1"), lease_until=clock() + timedelta(seconds=30), history=5)
    assert turn.message.seq == 2
    assert await story.close(turn)
    assert await story.ids() == [(1, "greeting"), (2, "m1"), (3, "a1")]


async def test_facts_wait_with_their_turn_while_the_customers_partition_is_away(store, cosmos: CosmosEmulator, clock):
    for name, after in (("s1", "turn"), ("s2", "relay")):
        story, key = Story(store, name, cosmos.server.faults, Fault()), f"session:{name}"
        await story.begin()
        turn = await story.open()
        cosmos.server.faults.add(Fault(container="customers", status=500, times=99))
        assert await story.close(turn)
        cosmos.server.faults.clear()
        assert await store.facts(key) == ()
        if after == "turn":
            await store.open_turn(said("m2", name), lease_until=LEASE, history=5)
        else:
            await store.unsent_tickets(created_before=clock())  # too young: its own turn may be at it
            assert await store.facts(key) == ()
            await store.unsent_tickets(created_before=clock() + timedelta(seconds=1))
        assert await store.facts(key) == (fact(name),)


async def test_facts_that_wait_are_erased_with_their_conversation(store, cosmos: CosmosEmulator):
    story = Story(store, "s1", cosmos.server.faults, Fault())
    await story.begin()
    turn = await story.open()
    cosmos.server.faults.add(Fault(container="customers", status=500, times=99))
    await story.close(turn)
    cosmos.server.faults.clear()
    assert await store.erase("s1") == Erasure(conversations=1, messages=3, tickets=1, facts=1)
    await store.unsent_tickets(created_before=LATER)
    assert await store.facts("session:s1") == ()
