"""What every `ConversationStore` must do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.errors import Conflict, NotFound, TicketOpen, TurnInProgress
from shared.escalation.outbox import OutboxEvent, event_id
from shared.escalation.ticket import TAKEN, UNRESOLVED, Status, Ticket
from shared.memory.models import (
    Attachment,
    Conversation,
    CustomerFact,
    Erasure,
    Feedback,
    Message,
    OpenTurn,
    Operator,
    Source,
    Usage,
)
from shared.memory.store import ConversationStore, Stored, TicketState

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE = 30


def conversation(session_id: str = "s1", *, user_id: str | None = None, customer_id: str | None = None) -> Conversation:
    return Conversation(
        session_id=session_id,
        customer_id=customer_id or f"session:{session_id}",
        user_id=user_id,
        created_at=START,
        expires_at=START + timedelta(hours=24),
    )


def said(name: str, session_id: str = "s1", text: str = "Where is my parcel?") -> Message:
    return Message(id=name, session_id=session_id, role="user", text=text, created_at=START)


def answer(to: str, session_id: str = "s1", text: str = "On its way.") -> Message:
    return Message(id=f"answer-{to}", session_id=session_id, role="assistant", text=text, created_at=START, reply_to=to)


def ticket(name: str, session_id: str = "s1", *, age: float = 0) -> Ticket:
    return Ticket(
        id=name,
        session_id=session_id,
        message_id="m1",
        reason="customer_request",
        summary="Wants a person",
        created_at=START - timedelta(seconds=age),
    )


async def begin(store: ConversationStore, session_id: str = "s1", **about: str) -> None:
    await store.create(
        conversation(session_id, **about),
        Message(id="greeting", session_id=session_id, role="assistant", text="Hello", created_at=START),
    )


async def opened(store: ConversationStore, clock, name: str, session_id: str = "s1", history: int = 10) -> OpenTurn:
    return await store.open_turn(
        said(name, session_id), lease_until=clock.now + timedelta(seconds=LEASE), history=history
    )


def reply(name: str = "r1", session_id: str = "s1", text: str = "I am on it.") -> Message:
    return Message(id=name, session_id=session_id, role="human_agent", text=text, created_at=START, author="Grace")


async def owned(store: ConversationStore, session_id: str = "s1") -> Ticket:
    """A conversation that a person has taken over, with ticket `t-<session>`: messages 1 to 3."""
    await begin(store, session_id)
    wanted = ticket(f"t-{session_id}", session_id)
    await store.append(said("m1", session_id), wanted)
    return (await store.change_ticket(wanted, take)).ticket


async def another(store: ConversationStore, message: Message, ticket: Ticket) -> Message:
    """A message with a ticket, beside the one that the conversation may have."""
    return await store.append(message, ticket, beside=(await store.get(ticket.session_id)).ticket_id)


def take(state: TicketState) -> TicketState:
    return replace(
        state,
        conversation=replace(state.conversation, owner="human", ticket_id=state.ticket.id, lease_until=None),
        ticket=replace(state.ticket, status="claimed", assignee="grace", touched_at=START),
        message=replace(reply(f"joined-{state.conversation.last_seq}", state.ticket.session_id), role="assistant"),
    )


def finish(state: TicketState) -> TicketState:
    return replace(
        state,
        conversation=replace(state.conversation, owner="bot", ticket_id=None),
        ticket=replace(state.ticket, status="resolved"),
    )


async def waiting(store: ConversationStore) -> list[tuple[str, int | None]]:
    """The kinds and message numbers of the events in the outbox."""
    events = await store.unsent_events(created_before=START + timedelta(days=400))
    return [(event.kind, event.seq) for event in events]


async def texts(store: ConversationStore, session_id: str = "s1") -> list[tuple[int, str]]:
    return [(message.seq, message.id) for message in await store.messages(session_id)]


# ---- a conversation


async def test_a_new_conversation_holds_its_greeting(store):
    await begin(store, user_id="ada", customer_id="user:ada")
    assert await store.get("s1") == replace(conversation(user_id="ada", customer_id="user:ada"), last_seq=1)
    assert await texts(store) == [(1, "greeting")]


async def test_what_a_conversation_is_narrowed_to_is_kept(store, clock):
    narrowed = replace(conversation(), filters={"product": "Größe", "language": "en"})
    await store.create(narrowed, said("greeting"))
    assert (await store.get("s1")).filters == narrowed.filters
    assert (await opened(store, clock, "m1")).conversation.filters == narrowed.filters


async def test_an_id_is_taken_once(store):
    await begin(store)
    with pytest.raises(Conflict):
        await begin(store)
    assert await texts(store) == [(1, "greeting")]


async def test_an_unknown_conversation_is_not_found(store, clock):
    attempts = [
        store.get("nope"),
        store.messages("nope"),
        opened(store, clock, "m1", "nope"),
        store.append(said("m1", "nope")),
        store.set_feedback("nope", "m1", Feedback("up")),
        store.ticket("t1", "nope"),
        store.save_route(ticket("t1", "nope")),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            await attempt


async def test_an_expired_conversation_is_not_found(store, clock):
    await begin(store)
    turn = await opened(store, clock, "m1")
    await clock.sleep(24 * 3600 - 1)
    assert (await store.get("s1")).session_id == "s1"
    await clock.sleep(1)
    attempts = [
        store.get("s1"),
        store.messages("s1"),
        opened(store, clock, "m2"),
        store.close_turn(turn, answer("m1")),
        store.append(said("m3")),
        store.set_feedback("s1", "greeting", Feedback("up")),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            await attempt


async def test_all_of_a_message_is_kept(store, clock):
    await begin(store)
    full = replace(
        said("m1", text="Grüße \U0001f44b\n\t\"quoted\" \\ 'single'"),
        attachments=(Attachment("a1", "scan.pdf", 12, problem="no text"), Attachment("a2", "x.md", 3, markdown="# x")),
    )
    turn = await store.open_turn(full, lease_until=clock.now + timedelta(seconds=LEASE), history=0)
    assert turn.message == replace(full, seq=2)
    reply = replace(
        answer("m1"),
        sources=(Source("c1", "one two", {"source": "a.md", "page": 3, "score": 0.5, "new": True}, 0.25, "one", 0, 3),),
        grounded=True,
        degraded=True,
        abstained=True,
        requires_escalation=True,
        ticket_id="t1",
        usage=Usage(10, 20, 30),
    )
    stored = await store.close_turn(turn, reply)
    assert stored == replace(reply, seq=3)
    assert (await store.messages("s1"))[1:] == (turn.message, stored)


async def test_times_come_back_as_the_same_moment(store):
    elsewhere = timedelta(hours=5, minutes=30)
    await begin(store)
    sent = replace(said("m1"), created_at=datetime(2026, 3, 1, 17, 30, 0, 123456, timezone(elsewhere)))
    stored = await store.append(sent)
    (_, again) = await store.messages("s1")
    assert stored.created_at == again.created_at == datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)


# ---- a turn


async def test_a_turn_stores_question_and_answer_in_order(store, clock):
    await begin(store)
    turn = await opened(store, clock, "m1")
    assert turn.message == replace(said("m1"), seq=2)
    assert turn.answer is None
    assert turn.conversation.lease_until == clock.now + timedelta(seconds=LEASE)
    assert [message.id for message in turn.history] == ["greeting"]
    assert await texts(store) == [(1, "greeting"), (2, "m1")]  # stored before it is answered
    stored = await store.close_turn(turn, answer("m1"))
    assert stored == replace(answer("m1"), seq=3)
    assert await texts(store) == [(1, "greeting"), (2, "m1"), (3, "answer-m1")]
    after = await store.get("s1")
    assert (after.last_seq, after.lease_until) == (3, None)


async def test_history_is_what_came_before_cut_to_the_newest(store, clock):
    await begin(store)
    for name in ("m1", "m2"):
        await store.close_turn(await opened(store, clock, name), answer(name))
    turn = await opened(store, clock, "m3", history=3)
    assert [message.id for message in turn.history] == ["answer-m1", "m2", "answer-m2"]
    await store.close_turn(turn, answer("m3"))
    assert (await opened(store, clock, "m4", history=0)).history == ()
    again = await opened(store, clock, "m2", history=2)  # not what came after it
    assert [message.id for message in again.history] == ["m1", "answer-m1"]


async def test_a_message_seen_and_answered_gives_the_answer_and_takes_no_lease(store, clock):
    await begin(store)
    first = await store.close_turn(await opened(store, clock, "m1"), answer("m1"))
    again = await opened(store, clock, "m1")
    assert again.answer == first
    assert again.conversation.lease_until is None
    assert (await store.get("s1")).lease_until is None
    other = await opened(store, clock, "m2")
    assert (await opened(store, clock, "m1")).answer == first  # also while another turn runs
    assert await store.close_turn(other, answer("m2"))
    assert await store.close_turn(again, answer("m1", text="Another")) == first
    assert len(await store.messages("s1")) == 5


async def test_one_turn_at_a_time(store, clock):
    await begin(store)
    turn = await opened(store, clock, "m1")
    for name in ("m2", "m1"):  # the same message again is a second answer, too
        with pytest.raises(TurnInProgress) as refused:
            await opened(store, clock, name)
        assert refused.value.retry_after >= 1
    assert await texts(store) == [(1, "greeting"), (2, "m1")]
    await store.close_turn(turn, answer("m1"))
    assert (await opened(store, clock, "m2")).message.seq == 4


async def test_conversations_do_not_wait_for_each_other(store, clock):
    await begin(store)
    await begin(store, "s2")
    await opened(store, clock, "m1")
    assert (await opened(store, clock, "m1", "s2")).message.seq == 2


async def test_of_many_turns_at_once_exactly_one_begins(open_store: Callable[[], ConversationStore], clock):
    stores = [open_store(), open_store()]
    await begin(stores[0])
    names = [f"m{n}" for n in range(6)] + ["m0"] * 4
    results = await asyncio.gather(
        *(opened(stores[n % 2], clock, name) for n, name in enumerate(names)), return_exceptions=True
    )
    won = [result for result in results if isinstance(result, OpenTurn)]
    assert len(won) == 1
    assert all(isinstance(result, OpenTurn | TurnInProgress) for result in results)
    assert await texts(stores[0]) == [(1, "greeting"), (2, won[0].message.id)]


async def test_a_turn_whose_process_died_is_taken_up_again(open_store: Callable[[], ConversationStore], clock):
    first = open_store()
    await begin(first)
    lost = await opened(first, clock, "m1")
    second = open_store()  # `first` never closes its turn
    with pytest.raises(TurnInProgress):
        await opened(second, clock, "m1")
    await clock.sleep(LEASE)
    again = await second.open_turn(
        said("m1", text="changed"), lease_until=clock.now + timedelta(seconds=LEASE), history=9
    )
    assert again.message == lost.message  # kept as it was
    assert [message.id for message in again.history] == ["greeting"]
    stored = await second.close_turn(again, answer("m1"))
    assert stored is not None
    assert await texts(second) == [(1, "greeting"), (2, "m1"), (3, "answer-m1")]


async def test_an_unanswered_message_does_not_block_the_next_one(store, clock):
    await begin(store)
    await opened(store, clock, "m1")
    await clock.sleep(LEASE)
    turn = await opened(store, clock, "m2")
    assert [message.id for message in turn.history] == ["greeting", "m1"]
    assert turn.message.seq == 3


async def test_closing_twice_returns_the_first_answer(store, clock):
    await begin(store)
    turn = await opened(store, clock, "m1")
    first = await store.close_turn(turn, answer("m1"), ticket("t1"))
    second = replace(answer("m1", text="Another"), id="other")
    assert await store.close_turn(turn, second, ticket("t2")) == first
    assert len(await store.messages("s1")) == 3
    with pytest.raises(NotFound):
        await store.ticket("t2", "s1")


async def test_a_turn_can_end_without_an_answer(store, clock):
    await begin(store)
    turn = await opened(store, clock, "m1")
    assert await store.close_turn(turn, None) is None
    assert (await store.get("s1")).lease_until is None
    assert await store.close_turn(turn, answer("m1")) is None  # it is closed
    assert await texts(store) == [(1, "greeting"), (2, "m1")]
    again = await opened(store, clock, "m1")  # the customer tries again
    assert again.answer is None
    assert await store.close_turn(again, answer("m1"))


async def test_a_lost_lease_cannot_answer(store, clock):
    await begin(store)
    late = await opened(store, clock, "m1")
    await clock.sleep(LEASE + 1)
    running = await opened(store, clock, "m2")
    with pytest.raises(Conflict):
        await store.close_turn(late, answer("m1"), ticket("t1"))
    assert await store.close_turn(running, answer("m2"))
    with pytest.raises(Conflict):  # nor when the other turn is over
        await store.close_turn(late, answer("m1"), ticket("t1"))
    assert await texts(store) == [(1, "greeting"), (2, "m1"), (3, "m2"), (4, "answer-m2")]
    with pytest.raises(NotFound):
        await store.ticket("t1", "s1")


async def test_who_lost_the_lease_to_the_same_message_gets_its_answer(store, clock):
    await begin(store)
    late = await opened(store, clock, "m1")
    await clock.sleep(LEASE + 1)
    first = await store.close_turn(await opened(store, clock, "m1"), answer("m1"))
    assert await store.close_turn(late, replace(answer("m1", text="Late"), id="late")) == first


async def test_a_late_turn_may_still_answer_if_no_other_has_begun(store, clock):
    await begin(store)
    late = await opened(store, clock, "m1")
    await clock.sleep(LEASE + 1)
    assert await store.close_turn(late, answer("m1")) == replace(answer("m1"), seq=3)


async def test_an_answer_comes_with_its_ticket(store, clock):
    await begin(store)
    turn = await opened(store, clock, "m1")
    await store.close_turn(turn, answer("m1"), ticket("t1"))
    assert await store.ticket("t1", "s1") == ticket("t1")
    assert await store.unsent_tickets(created_before=START + timedelta(seconds=1)) == [ticket("t1")]


# ---- messages outside a turn


async def test_append_numbers_and_is_idempotent(store):
    await begin(store)
    reply = Message(id="h1", session_id="s1", role="human_agent", text="Hi", created_at=START, author="Grace")
    first = await store.append(reply, ticket("t1"))
    assert first == replace(reply, seq=2)
    assert await store.append(replace(reply, text="changed"), ticket("t2")) == first
    assert await texts(store) == [(1, "greeting"), (2, "h1")]
    assert [one.id for one in await store.unsent_tickets(created_before=START + timedelta(hours=1))] == ["t1"]


async def test_a_reply_during_a_turn_keeps_lease_and_numbers_straight(store, clock):
    await begin(store)
    turn = await opened(store, clock, "m1")
    await store.append(replace(said("h1"), role="human_agent", reply_to="m1"))
    with pytest.raises(TurnInProgress):
        await opened(store, clock, "m2")
    await store.close_turn(turn, answer("m1"))
    assert await texts(store) == [(1, "greeting"), (2, "m1"), (3, "h1"), (4, "answer-m1")]


async def test_numbers_have_no_gap_whoever_writes(open_store: Callable[[], ConversationStore]):
    stores = [open_store(), open_store()]
    await begin(stores[0])
    stored = await asyncio.gather(*(stores[n % 2].append(said(f"m{n}")) for n in range(20)))
    assert sorted(message.seq for message in stored) == list(range(2, 22))
    assert (await stores[1].get("s1")).last_seq == 21


async def test_messages_after_a_number(store):
    await begin(store)
    for n in range(5):
        await store.append(said(f"m{n}"))
    assert [message.seq for message in await store.messages("s1", after=2)] == [3, 4, 5, 6]
    assert [message.seq for message in await store.messages("s1", after=2, limit=2)] == [3, 4]
    assert await store.messages("s1", after=6) == ()


async def test_feedback_replaces_feedback(store, clock):
    await begin(store)
    await store.close_turn(await opened(store, clock, "m1"), answer("m1"))
    await store.set_feedback("s1", "answer-m1", Feedback("down", "wrong", START))
    rated = await store.set_feedback("s1", "answer-m1", Feedback("up", "", START))
    assert rated == replace(answer("m1"), seq=3, feedback=Feedback("up", "", START))
    assert (await store.messages("s1"))[-1] == rated
    for other in ("nope", "m1"):  # unknown; the customer's own
        with pytest.raises(NotFound):
            await store.set_feedback("s1", other, Feedback("up"))


# ---- erasing


async def test_erasing_leaves_nothing(store, clock):
    await begin(store)
    await begin(store, "s2")
    await store.remember(CustomerFact("f1", "session:s1", "likes tea", "m1", START))
    await store.remember(CustomerFact("f1", "session:s2", "likes coffee", "m1", START))
    await store.close_turn(await opened(store, clock, "m1"), answer("m1"), ticket("t1"))
    await store.append(said("m1", "s2"), ticket("t2", "s2"))
    assert await store.erase("s1") == Erasure(conversations=1, messages=3, tickets=1, facts=1)
    assert await store.erase("s1") == Erasure()
    for attempt in (store.get("s1"), store.messages("s1"), store.ticket("t1", "s1")):
        with pytest.raises(NotFound):
            await attempt
    assert await store.facts("session:s1") == ()
    assert len(await store.facts("session:s2")) == 1
    assert [one.id for one in await store.unsent_tickets(created_before=START + timedelta(hours=1))] == ["t2"]
    assert await texts(store, "s2") == [(1, "greeting"), (2, "m1")]


async def test_erasing_during_a_turn_leaves_nothing(open_store: Callable[[], ConversationStore], clock):
    store, other = open_store(), open_store()
    await begin(store)
    turn = await opened(store, clock, "m1")
    await other.erase("s1")
    with pytest.raises(NotFound):
        await store.close_turn(turn, answer("m1"), ticket("t1"))
    assert await store.erase("s1") == Erasure()
    assert await store.unsent_tickets(created_before=START + timedelta(hours=1)) == []


async def test_a_known_customers_facts_outlive_one_conversation(store):
    await begin(store, user_id="ada", customer_id="user:ada")
    await store.remember(CustomerFact("f1", "user:ada", "likes tea", "m1", START))
    assert (await store.erase("s1")).facts == 0
    assert len(await store.facts("user:ada")) == 1


async def test_erasing_a_customer_finds_every_name_of_theirs(store):
    await begin(store, "s1", user_id="ada", customer_id="user:ada")
    await begin(store, "s2", user_id="ada", customer_id="session:s2")
    await begin(store, "s3", user_id="bob", customer_id="user:bob")
    for key in ("ada", "user:ada", "session:s2", "user:bob"):
        await store.remember(CustomerFact("f1", key, "likes tea", "m1", START))
    await store.append(said("m1"), ticket("t1"))
    assert await store.erase_customer("ada") == Erasure(conversations=2, messages=3, tickets=1, facts=3)
    assert await store.erase_customer("ada") == Erasure()
    assert [await store.facts(key) for key in ("ada", "user:ada", "session:s2")] == [(), (), ()]
    assert len(await store.facts("user:bob")) == 1
    assert await store.erase_customer("user:bob") == Erasure(conversations=1, messages=1, facts=1)


# ---- tickets


async def test_the_outbox_gives_the_oldest_first_and_leaves_the_young(store):
    await begin(store)
    for name, age in (("young", 0), ("old", 50), ("oldest", 90), ("older", 70)):
        await another(store, said(f"m-{name}"), ticket(name, age=age))
    waiting = await store.unsent_tickets(created_before=START - timedelta(seconds=30))
    assert [one.id for one in waiting] == ["oldest", "older", "old"]
    assert [one.id for one in await store.unsent_tickets(created_before=START, limit=2)] == ["oldest", "older"]
    assert await store.unsent_tickets(created_before=START - timedelta(seconds=90)) == []


async def test_a_sent_ticket_leaves_the_outbox(store):
    await begin(store)
    await store.append(said("m1"), ticket("t1", age=60))
    await store.mark_sent(ticket("t1"), START)
    await store.mark_sent(ticket("t1"), START + timedelta(seconds=9))
    assert await store.unsent_tickets(created_before=START) == []
    assert (await store.ticket("t1", "s1")).sent_at == START
    await store.mark_sent(ticket("erased"), START)


async def test_routing_and_sending_do_not_undo_each_other(store):
    await begin(store)
    await store.append(said("m1"), ticket("t1", age=60))
    read_by_routing = await store.ticket("t1", "s1")
    await store.mark_sent(ticket("t1"), START)  # only now the sender comes to mark it
    routed = replace(read_by_routing, status="open", category="billing", priority="high", team="billing", due_at=START)
    await store.save_route(routed)
    await store.mark_sent(ticket("t1"), START + timedelta(seconds=9))
    assert await store.ticket("t1", "s1") == replace(routed, sent_at=START)
    assert await store.unsent_tickets(created_before=START) == []


async def test_a_ticket_outlives_its_conversation_until_it_is_routed(store, clock):
    await begin(store)
    await store.append(said("m1"), ticket("t1"))
    await clock.sleep(25 * 3600)
    await store.create(
        replace(conversation("s2"), expires_at=clock.now + timedelta(hours=1)),
        Message(id="greeting", session_id="s2", role="assistant", text="Hello", created_at=clock.now),
    )
    assert [one.id for one in await store.unsent_tickets(created_before=clock.now)] == ["t1"]
    await store.mark_sent(ticket("t1"), clock.now)
    await store.save_route(replace(await store.ticket("t1", "s1"), status="open", team="care"))
    assert (await store.ticket("t1", "s1")).team == "care"


# ---- tickets that people work on


async def test_a_ticket_changes_with_its_conversation_message_and_event(open_store: Callable[[], ConversationStore]):
    store, other = open_store(), open_store()
    await begin(store)
    await store.append(said("m1"), ticket("t1"))
    event = OutboxEvent("e1", "ticket.returned", "s1", "t1", START)
    seen: list[TicketState] = []

    def change(state: TicketState) -> TicketState:
        seen.append(state)
        return replace(take(state), event=event)

    state = await store.change_ticket(ticket("t1"), change)
    assert seen[-1].ticket == ticket("t1")
    assert seen[-1].message == replace(said("m1"), seq=2)
    assert (seen[-1].conversation.last_seq, seen[-1].conversation.ticket_id) == (2, "t1")
    assert (state.message.id, state.message.seq, state.conversation.last_seq) == ("joined-2", 3, 3)
    assert state.event == event
    assert await other.get("s1") == state.conversation
    assert state.conversation.owner == "human"
    assert await other.ticket("t1") == await other.ticket("t1", "s1") == state.ticket
    assert state.ticket.assignee == "grace"
    assert (await other.messages("s1"))[-1] == state.message
    assert await other.unsent_events(created_before=START + timedelta(seconds=1)) == [event]


async def test_a_change_may_leave_the_messages_alone(store):
    await owned(store)
    state = await store.change_ticket(ticket("t-s1"), finish)
    assert (state.message.id, state.conversation.last_seq) == ("joined-2", 3)
    assert (await store.get("s1")).owner == "bot"
    assert (await store.ticket("t-s1")).status == "resolved"
    assert await texts(store) == [(1, "greeting"), (2, "m1"), (3, "joined-2")]
    assert await waiting(store) == []


async def test_a_change_that_raises_leaves_everything_as_it_was(store):
    taken = await owned(store)
    before = await store.get("s1")

    def refused(state: TicketState) -> TicketState:
        finish(state)
        raise Conflict("no")

    with pytest.raises(Conflict):
        await store.change_ticket(taken, refused)
    assert await store.get("s1") == before
    assert await store.ticket("t-s1") == taken
    assert len(await store.messages("s1")) == 3
    assert await waiting(store) == []


async def test_a_message_added_once_is_returned_and_nothing_changes(store):
    taken = await owned(store)

    def replied(state: TicketState) -> TicketState:
        return replace(state, ticket=replace(state.ticket, replied_at=START), message=reply())

    first = await store.change_ticket(taken, replied, once="r1")
    await store.append(said("m2"))
    await store.change_ticket(taken, finish)
    ended = await store.get("s1")

    def never(state: TicketState) -> TicketState:
        raise AssertionError("the change is not asked for again")

    again = await store.change_ticket(taken, never, once="r1")
    assert again.message == first.message == replace(reply(), seq=4)
    assert (again.ticket.status, again.conversation) == ("resolved", ended)
    assert await store.get("s1") == ended
    assert [seq for seq, _ in await texts(store)] == [1, 2, 3, 4, 5]


async def test_of_many_who_take_a_ticket_one_has_it(open_store: Callable[[], ConversationStore]):
    stores = [open_store(), open_store()]
    await begin(stores[0])
    await stores[0].append(said("m1"), ticket("t1"))

    def taker(name: str) -> Callable[[TicketState], TicketState]:
        def change(state: TicketState) -> TicketState:
            if state.conversation.owner == "human":
                raise Conflict("taken")
            taken = take(state)
            return replace(taken, ticket=replace(taken.ticket, assignee=name))

        return change

    results = await asyncio.gather(
        *(stores[n % 2].change_ticket(ticket("t1"), taker(f"op{n}")) for n in range(8)), return_exceptions=True
    )
    (winner,) = [result for result in results if isinstance(result, TicketState)]
    assert sum(isinstance(result, Conflict) for result in results) == 7
    assert (await stores[1].ticket("t1")).assignee == winner.ticket.assignee
    assert len(await stores[1].messages("s1")) == 3


async def test_a_claim_and_a_turn_exclude_each_other(open_store: Callable[[], ConversationStore], clock):
    def claim(state: TicketState) -> TicketState:
        if state.conversation.lease_until and state.conversation.lease_until > clock.now:
            raise TurnInProgress("busy")
        return take(state)

    for n in range(10):
        stores, name = [open_store(), open_store()], f"s{n}"
        await begin(stores[0], name)
        await stores[0].append(said("m1", name), ticket(f"t{n}", name))
        turn, claimed = await asyncio.gather(
            opened(stores[0], clock, "m2", name),
            stores[1].change_ticket(ticket(f"t{n}", name), claim),
            return_exceptions=True,
        )
        assert isinstance(turn, OpenTurn)
        assert isinstance(claimed, TurnInProgress) == (turn.conversation.owner == "bot")


async def test_numbers_have_no_gap_when_customer_and_person_write_at_once(open_store: Callable[[], ConversationStore]):
    stores = [open_store(), open_store()]
    taken = await owned(stores[0])

    async def answers(n: int) -> None:
        await stores[1].change_ticket(taken, lambda state: replace(state, message=reply(f"r{n}")), once=f"r{n}")

    await asyncio.gather(*(stores[0].append(said(f"c{n}")) for n in range(8)), *(answers(n) for n in range(8)))
    assert [seq for seq, _ in await texts(stores[0])] == list(range(1, 20))
    assert sorted(seq or 0 for _, seq in await waiting(stores[0])) == [
        message.seq for message in await stores[0].messages("s1", after=3) if message.role == "user"
    ]


async def test_changing_what_was_erased_is_not_found(store):
    taken = await owned(store)
    await store.erase("s1")
    for once in (None, "joined-2"):
        with pytest.raises(NotFound):
            await store.change_ticket(taken, finish, once=once)
    assert await store.erase("s1") == Erasure()


async def test_a_ticket_of_an_expired_conversation_can_be_worked_on(store, clock):
    taken = await owned(store)
    await clock.sleep(25 * 3600)
    with pytest.raises(NotFound):
        await store.get("s1")
    assert (await store.get("s1", expired=True)).owner == "human"
    with pytest.raises(NotFound):
        await store.messages("s1")
    assert len(await store.messages("s1", expired=True)) == 3
    later = clock.now + timedelta(hours=1)

    def replied(state: TicketState) -> TicketState:
        return replace(state, conversation=replace(state.conversation, expires_at=later), message=reply())

    await store.change_ticket(taken, replied)
    assert (await store.get("s1")).expires_at == later  # the customer can read the reply
    assert (await store.messages("s1"))[-1] == replace(reply(), seq=4)
    for expired in (False, True):
        with pytest.raises(NotFound):
            await store.get("nope", expired=expired)


async def test_a_turn_joins_the_ticket_that_came_while_it_ran(store, clock):
    await begin(store)
    turn = await opened(store, clock, "m1")
    await store.append(said("button"), ticket("t1"))
    with pytest.raises(TicketOpen) as open_already:
        await store.close_turn(turn, answer("m1"), ticket("t2"))
    assert open_already.value.ticket_id == "t1"
    assert await texts(store) == [(1, "greeting"), (2, "m1"), (3, "button")]
    assert await store.close_turn(turn, answer("m1")) == replace(answer("m1"), seq=4)
    with pytest.raises(NotFound):
        await store.ticket("t2")


async def test_a_ticket_stands_beside_the_one_that_its_writer_knows(store, clock):
    await begin(store)
    turn = await opened(store, clock, "m1")
    await store.append(said("button"), ticket("t1"))
    assert await store.close_turn(turn, answer("m1"), ticket("t2"), beside="t1")
    assert (await store.get("s1")).ticket_id == "t2"
    with pytest.raises(TicketOpen):
        await store.append(said("m2"), ticket("t3"), beside="t1")
    assert await store.close_turn(turn, answer("m1"), ticket("t4")) == replace(answer("m1"), seq=4)


async def test_the_button_joins_the_ticket_of_a_turn_that_was_faster(store, clock):
    await begin(store)
    await store.close_turn(await opened(store, clock, "m1"), answer("m1"), ticket("t1"))
    with pytest.raises(TicketOpen):
        await store.append(said("button"), ticket("t2"))
    assert await texts(store) == [(1, "greeting"), (2, "m1"), (3, "answer-m1")]
    assert [one.id for one in await store.unsent_tickets(created_before=START + timedelta(hours=1))] == ["t1"]


async def test_a_resolved_ticket_is_not_in_the_way_of_a_new_one(store, clock):
    await begin(store)
    turn = await opened(store, clock, "m1")
    await store.append(said("button"), ticket("t1"))
    await store.change_ticket(ticket("t1"), finish)
    assert await store.close_turn(turn, answer("m1"), ticket("t2"))
    assert (await store.get("s1")).ticket_id == "t2"


async def test_a_conversation_is_left_with_its_newest_ticket_that_is_not_resolved(store):
    await begin(store)
    for name, age in (("old", 30), ("urgent", 10), ("newer", 20)):
        await another(store, said(f"m-{name}"), ticket(name, age=age))
    left: list[str | None] = []
    for name in ("newer", "urgent", "old"):
        await store.change_ticket(ticket(name), take)
        assert (await store.get("s1")).ticket_id == name
        left.append((await store.change_ticket(ticket(name), finish)).conversation.ticket_id)
        assert (await store.get("s1")).ticket_id == left[-1]
    assert left == ["urgent", "old", None]


async def test_a_ticket_that_comes_while_a_person_owns_the_conversation_leaves_it_with_theirs(store):
    taken = await owned(store)
    await another(store, said("m2"), ticket("t2"))
    after = await store.get("s1")
    assert (after.owner, after.ticket_id) == ("human", taken.id)
    assert (await store.ticket("t2")).status == "requested"
    assert (await store.change_ticket(taken, finish)).conversation.ticket_id == "t2"


async def test_tickets_are_listed_oldest_first_by_status_team_and_assignee(store):
    states: list[tuple[str, Status, str | None, str | None]] = [
        ("new", "requested", None, None),
        ("free", "open", "billing", None),
        ("hers", "claimed", "billing", "grace"),
        ("his", "waiting", "delivery", "alan"),
        ("done", "resolved", "billing", "grace"),
    ]
    for n, (name, status, team, assignee) in enumerate(states):
        await begin(store, name)
        await store.append(said("m1", name), ticket(name, name, age=n))

        def change(state: TicketState, about: tuple[Status, str | None, str | None] = (status, team, assignee)):
            changed = replace(state.ticket, status=about[0], team=about[1], assignee=about[2])
            return replace(state, ticket=changed)

        await store.change_ticket(ticket(name, name), change)

    async def listed(**wanted: object) -> list[str]:
        return [one.id for one in await store.tickets(**wanted)]

    assert await listed(statuses=UNRESOLVED) == ["his", "hers", "free", "new"]
    assert await listed(statuses=["resolved"]) == ["done"]
    assert await listed(statuses=TAKEN) == ["his", "hers"]
    assert await listed(statuses=[]) == []
    assert await listed(statuses=UNRESOLVED, team="billing") == ["hers", "free"]
    assert await listed(statuses=UNRESOLVED, assignee="alan") == ["his"]
    assert await listed(statuses=[*UNRESOLVED, "resolved"], assignee="grace", team="billing") == ["done", "hers"]
    assert await listed(statuses=UNRESOLVED, team="none") == []
    assert await listed(statuses=UNRESOLVED, limit=2) == ["his", "hers"]
    assert await listed(statuses=UNRESOLVED, after="hers") == ["free", "new"]
    assert await listed(statuses=["open"], after="his") == ["free"]  # also after one that is not among them
    (hers,) = await store.tickets(statuses=UNRESOLVED, assignee="grace")
    assert hers == await store.ticket("hers")


async def test_pages_of_tickets_are_stable_while_they_change(store):
    await begin(store)
    for n in range(12):  # four of each age
        await another(store, said(f"m{n}"), ticket(f"t{n:02}", age=n // 4))
    expected = [f"t{n:02}" for n in (8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3)]
    read: list[str] = []
    after = None
    while page := await store.tickets(statuses=UNRESOLVED, after=after, limit=5):
        read += [one.id for one in page]
        after = page[-1].id
        for one in page:  # what was read leaves the list, and new ones come behind
            await store.change_ticket(one, finish)
    assert read == expected


async def test_tickets_that_nobody_touched_since(store, clock):
    for n, touched in enumerate((None, START, START + timedelta(hours=1))):
        await begin(store, f"s{n}")
        await store.append(said("m1", f"s{n}"), ticket(f"t{n}", f"s{n}", age=60))

        def touch(state: TicketState, at: datetime | None = touched) -> TicketState:
            return replace(state, ticket=replace(state.ticket, status="claimed", touched_at=at))

        await store.change_ticket(ticket(f"t{n}", f"s{n}"), touch)

    async def untouched(since: datetime) -> list[str]:
        return [one.id for one in await store.tickets(statuses=TAKEN, untouched_since=since)]

    assert await untouched(START - timedelta(seconds=61)) == []
    assert await untouched(START - timedelta(seconds=1)) == ["t0"]
    assert await untouched(START) == ["t0", "t1"]
    assert await untouched(START + timedelta(hours=1)) == ["t0", "t1", "t2"]


async def test_routing_leaves_what_an_operator_did(store):
    taken = await owned(store)
    routed = replace(ticket("t-s1"), status="open", category="billing", priority="high", team="care", due_at=START)
    stored = await store.save_route(routed)
    expected = replace(taken, category="billing", priority="high", team="care", due_at=START)
    assert stored == expected == await store.ticket("t-s1")
    await store.change_ticket(taken, finish)
    assert (await store.save_route(routed)).status == "resolved"


async def test_what_was_routed_first_stays(store):
    await begin(store)
    await store.append(said("m1"), ticket("t1"))
    first = await store.save_route(replace(ticket("t1"), status="open", category="billing", team="care", due_at=START))
    assert (first.status, first.category) == ("open", "billing")
    late = replace(ticket("t1"), status="open", category="delivery", team="depot", due_at=START + timedelta(hours=1))
    assert await store.save_route(late) == first == await store.ticket("t1")


# ---- what the customer says to a person


async def test_what_is_said_to_a_person_is_put_into_the_outbox(store, clock):
    taken = await owned(store)
    turn = await opened(store, clock, "m2")
    (event,) = await store.unsent_events(created_before=START + timedelta(seconds=1))
    assert turn.conversation.owner == "human"
    assert event == OutboxEvent(
        id=event_id("customer.message", "s1", "m2"),
        kind="customer.message",
        session_id="s1",
        ticket_id=taken.id,
        created_at=START,
        seq=4,
    )
    await store.close_turn(turn, None)
    await store.append(said("m3"))
    await store.append(reply())
    assert await waiting(store) == [("customer.message", 4), ("customer.message", 5)]


async def test_what_is_said_to_the_bot_is_not(store, clock):
    await begin(store)
    await store.append(said("m0"), ticket("t1"))
    await store.close_turn(await opened(store, clock, "m1"), answer("m1"))
    assert await waiting(store) == []


async def test_a_message_said_again_is_one_event(store, clock):
    await owned(store)
    for _ in range(2):
        await store.close_turn(await opened(store, clock, "m2"), None)
        await store.append(said("m3"))
    (first, second) = await store.unsent_events(created_before=START + timedelta(seconds=1))
    assert (first.seq, second.seq) == (4, 5)
    await store.mark_event_sent(first, START)
    await opened(store, clock, "m2")
    assert await waiting(store) == [("customer.message", 5)]


async def test_a_message_said_to_the_bot_and_again_to_a_person_is_theirs(store, clock):
    await begin(store)
    await store.append(said("m0"), ticket("t1"))
    await store.close_turn(await opened(store, clock, "m1"), None)  # the bot failed
    await store.change_ticket(ticket("t1"), take)
    turn = await opened(store, clock, "m1")
    assert turn.message.seq == 3
    assert await waiting(store) == [("customer.message", 3)]


async def test_a_turn_stores_nothing_after_a_person_has_taken_over(store, clock):
    await begin(store)
    await store.append(said("m0"), ticket("t1"))
    late = await opened(store, clock, "m1")
    await clock.sleep(LEASE + 1)  # its process stalls, and somebody claims meanwhile
    await store.change_ticket(ticket("t1"), take)
    fact = CustomerFact("f1", "session:s1", "likes tea", "m1", START)
    assert await store.close_turn(late, answer("m1"), ticket("t2"), [fact]) is None
    assert await store.close_turn(late, None) is None
    assert [name for _, name in await texts(store)] == ["greeting", "m0", "m1", "joined-3"]
    with pytest.raises(NotFound):
        await store.ticket("t2")
    assert await store.facts("session:s1") == ()
    await store.change_ticket(ticket("t1"), finish)  # not even when the bot answers again
    assert await store.close_turn(late, answer("m1")) is None
    assert len(await store.messages("s1")) == 4


async def test_events_leave_the_outbox_oldest_first_and_once(store):
    await owned(store)
    for n, age in enumerate((10, 40, 30)):
        await store.append(replace(said(f"c{n}"), created_at=START - timedelta(seconds=age)))
    old = await store.unsent_events(created_before=START - timedelta(seconds=20))
    assert [event.seq for event in old] == [5, 6]
    assert [event.seq for event in await store.unsent_events(created_before=START, limit=1)] == [5]
    for _ in range(2):
        await store.mark_event_sent(old[0], START)
    assert await waiting(store) == [("customer.message", 6), ("customer.message", 4)]
    await store.mark_event_sent(replace(old[0], id="nope"), START)
    await store.mark_event_sent(replace(old[0], session_id="nope"), START)


async def test_erasing_takes_events_and_tickets_along(store):
    for name in ("s1", "s2"):
        await owned(store, name)
        await store.append(said("m2", name))
    (event, _) = await store.unsent_events(created_before=START + timedelta(seconds=1))
    assert await store.erase(event.session_id) == Erasure(conversations=1, messages=4, tickets=1)
    await store.mark_event_sent(event, START)  # its sender did not know
    assert len(await waiting(store)) == 1
    assert len(await store.tickets(statuses=UNRESOLVED)) == 1
    with pytest.raises(NotFound):
        await store.ticket(event.ticket_id)


# ---- what happened


async def test_records_are_whole_conversations_of_a_time_oldest_first(store, clock):
    for n in (3, 1, 2, 0):
        name = f"s{n}"
        await store.create(
            replace(conversation(name), created_at=START + timedelta(hours=n)),
            Message(id="greeting", session_id=name, role="assistant", text="Hello", created_at=START),
        )
    await store.append(said("m1", "s1"), ticket("t1", "s1", age=5))
    await another(store, said("m2", "s1"), ticket("t0", "s1", age=9))
    await clock.sleep(25 * 3600)  # all but the newest have expired

    async def records(since: int, until: int):
        times = {"since": START + timedelta(hours=since), "until": START + timedelta(hours=until)}
        return [record async for record in store.records(**times)]

    assert [record.conversation.session_id for record in await records(0, 24)] == ["s0", "s1", "s2", "s3"]
    found = await records(1, 3)
    assert [record.conversation.session_id for record in found] == ["s1", "s2"]
    assert found[0].conversation == await store.get("s1", expired=True)
    assert found[0].messages == await store.messages("s1", expired=True)
    assert [one.id for one in found[0].tickets] == ["t0", "t1"]
    assert found[1].tickets == ()
    assert await records(4, 9) == []


async def test_there_may_be_more_records_than_are_read_at_once(store):
    for n in range(250):
        await begin(store, f"s{n:03}")  # all at the same moment
    names = [
        record.conversation.session_id
        async for record in store.records(since=START, until=START + timedelta(seconds=1))
    ]
    assert names == [f"s{n:03}" for n in range(250)]


# ---- customer facts, operators, rate limits


async def test_facts_are_a_customers_own_and_oldest_first(store):
    late = CustomerFact("f1", "ada", "has a dog", "m1", START + timedelta(seconds=1))
    early = CustomerFact("f2", "ada", "likes tea", "m2", START)
    for fact in (late, early, CustomerFact("f1", "bob", "likes coffee", "m1", START)):
        await store.remember(fact)
    assert await store.facts("ada") == (early, late)
    await store.remember(replace(early, text="likes green tea"))
    assert [fact.text for fact in await store.facts("ada")] == ["likes green tea", "has a dog"]
    assert await store.facts("nobody") == ()


async def test_facts_are_stored_with_the_answer_or_not_at_all(open_store: Callable[[], ConversationStore], clock):
    store, other = open_store(), open_store()
    await begin(store)
    fact = CustomerFact("f1", "session:s1", "likes tea", "m1", START)
    turn = await opened(store, clock, "m1")
    assert await store.facts("session:s1") == ()
    await store.close_turn(turn, answer("m1"), None, [fact])
    await store.close_turn(turn, answer("m1"), None, [replace(fact, id="f2")])
    assert await store.facts("session:s1") == (fact,)
    late = await opened(store, clock, "m2")
    await other.erase("s1")
    with pytest.raises(NotFound):
        await store.close_turn(late, answer("m2"), None, [fact])
    assert await store.facts("session:s1") == ()


async def test_a_fact_is_forgotten_when_asked_and_when_its_time_is_over(store, clock):
    short = CustomerFact("f1", "ada", "has a dog", "m1", START, START + timedelta(seconds=30))
    long = CustomerFact("f2", "ada", "likes tea", "m1", START)
    for fact in (short, long):
        await store.remember(fact)
    assert await store.facts("ada") == (short, long)
    clock.now += timedelta(seconds=30)
    assert await store.facts("ada") == (long,)
    for _ in range(2):
        await store.forget_fact("ada", "f2")
    await store.forget_fact("bob", "f1")
    assert await store.facts("ada") == ()


async def test_operators(store):
    grace = Operator("grace", "Grace", "$argon2id$…", START)
    assert await store.operator("grace") is None
    await store.save_operator(grace)
    await store.save_operator(replace(grace, display_name="Grace H."))
    assert await store.operator("grace") == replace(grace, display_name="Grace H.")


async def test_hits_are_counted_per_key_and_window(store):
    minute = START.replace(second=30)
    hits = [await store.count_hit("a", window=60, now=minute + timedelta(seconds=n)) for n in (0, 10, 29, 30, 40, 600)]
    assert hits == [1, 2, 3, 1, 2, 1]
    assert await store.count_hit("b", window=60, now=minute) == 1
    assert await store.count_hit("b", window=3600, now=minute) == 1


async def test_hits_are_shared_by_all_instances(open_store: Callable[[], ConversationStore]):
    stores = [open_store(), open_store()]
    hits = await asyncio.gather(*(stores[n % 2].count_hit("a", window=60, now=START) for n in range(20)))
    assert sorted(hits) == list(range(1, 21))


async def test_a_key_can_be_claimed_once(store, clock):
    until = clock() + timedelta(minutes=5)
    assert [await store.claim(key, until=until) for key in ("a", "a", "b", "a")] == [True, False, True, False]
    # Neither a later end nor a count of the same name opens it again.
    await store.count_hit("a", window=60, now=clock())
    assert not await store.claim("a", until=until + timedelta(hours=1))
    await clock.sleep(299)
    assert not await store.claim("a", until=until)


async def test_of_all_instances_one_gets_a_key(open_store: Callable[[], ConversationStore], clock):
    stores, until = [open_store(), open_store()], clock() + timedelta(minutes=5)
    claims = await asyncio.gather(*(stores[n % 2].claim("a", until=until) for n in range(20)))
    assert sorted(claims) == [False] * 19 + [True]


async def test_ping(store):
    await store.ping()


# ---- backup
async def kept(store: ConversationStore) -> list[Stored]:
    return [one async for one in store.everything()]


async def fill(store: ConversationStore, clock) -> None:
    """Two conversations, one of which a person has; a running turn, tickets, events, facts and an operator."""
    await owned(store, "s1")
    await store.append(said("m9", "s1"))
    await begin(store, "s2", user_id="ada", customer_id="ada")
    turn = await opened(store, clock, "m1", "s2")
    remembered = CustomerFact("f1", "ada", "Has the Solo.", "m1", START)
    await store.close_turn(turn, answer("m1", "s2"), ticket("t2", "s2"), [remembered])
    await store.set_feedback("s2", "answer-m1", Feedback("up", "Thanks", START))
    await opened(store, clock, "m2", "s2")
    await store.save_operator(Operator("grace", "Grace", "hash", START))


async def test_everything_that_is_kept_is_told_a_conversation_first(store: ConversationStore, clock) -> None:
    assert await kept(store) == []
    await fill(store, clock)
    values = await kept(store)
    counts = Counter(type(one) for one in values)
    assert counts == {Conversation: 2, Message: 8, Ticket: 2, OutboxEvent: 1, CustomerFact: 1, Operator: 1}
    known = set[str]()
    for one in values:
        if isinstance(one, Conversation):
            known.add(one.session_id)
        elif isinstance(one, Message | Ticket | OutboxEvent):
            assert one.session_id in known
    assert [one.text for one in values if isinstance(one, CustomerFact)] == ["Has the Solo."]


async def test_what_is_kept_of_a_person_is_found_by_name_and_by_conversation(store: ConversationStore, clock) -> None:
    await fill(store, clock)
    everything = await kept(store)
    clock.now += timedelta(days=2)  # it has expired, and is kept nevertheless

    async def of(*names: str, sessions: tuple[str, ...] = ()) -> list[Stored]:
        return [one async for one in store.kept(names=names, sessions=sessions)]

    hers = [one for one in everything if getattr(one, "session_id", None) == "s2" or isinstance(one, CustomerFact)]
    assert await of("ada") == hers
    assert isinstance(hers[0], Conversation)
    his = [one for one in everything if getattr(one, "session_id", None) == "s1"]
    assert await of("session:s1") == his == await of(sessions=("s1",))
    assert await of("ada", "somebody", sessions=("s1", "nowhere")) == [*his, *hers]
    assert await of("somebody", sessions=("nowhere",)) == []


async def test_what_is_put_back_is_as_it_was_and_goes_on(
    store: ConversationStore, open_store: Callable[[], ConversationStore], clock
) -> None:
    await fill(store, clock)
    before = await kept(store)
    for session_id in ("s1", "s2"):
        await store.erase(session_id)
    await store.erase_customer("ada")
    for part in ([one] for one in before):  # any parts, and twice
        await store.put_back(part)
    await store.put_back(before)
    after = await kept(open_store())
    running = next(one for one in before if isinstance(one, Conversation) and one.session_id == "s2")
    assert running.lease_until
    assert after == [replace(one, lease_until=None) if one == running else one for one in before]
    # A killed turn's message can be sent again at once, numbers go on, and the outbox has what it had.
    turn = await opened(store, clock, "m2", "s2")
    assert (turn.message.seq, turn.answer) == (4, None)
    assert await store.close_turn(turn, answer("m2", "s2"))
    assert (await store.append(said("m10", "s1"))).seq == max(
        one.seq for one in before if isinstance(one, Message) and one.session_id == "s1"
    ) + 1
    later = clock.now + timedelta(seconds=1)
    assert {one.id for one in await store.unsent_tickets(created_before=later)} >= {"t2"}
    assert len(await store.unsent_events(created_before=later)) == 2
    assert (await store.operator("grace")) == Operator("grace", "Grace", "hash", START)
