"""What operators do with tickets, and what the customer sees of it: the real services on the embedded stores."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Conflict, InvalidInput, NotFound, PayloadTooLarge, TurnInProgress, Unavailable
from shared.escalation.queue import ESCALATIONS, QueueMessage
from shared.escalation.ticket import Status, Ticket
from shared.memory.models import Conversation, CustomerFact, Message, Operator
from shared.services import Services
from shared.settings import Settings

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SILENCE = timedelta(minutes=60)
SESSION = timedelta(hours=24)
GRACE = Operator("grace", "Grace H.", "", START)
ALAN = Operator("alan", "Alan T.", "", START)
ADA = Operator("ada", "Ada L.", "", START, role="admin")


class Desk:
    """Store, queue and services on one clock."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.services = Services(Settings(auth_mode="open", data_dir=folder), now=lambda: self.now)  # pyright: ignore[reportCallIssue]
        self.store, self.queue = self.services.store, self.services.queue
        self.escalation, self.helpdesk = self.services.escalation, self.services.helpdesk
        self._said = 0

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    async def begin(self, session_id: str = "s1") -> None:
        await self.store.create(
            Conversation(session_id, f"session:{session_id}", self.now, self.now + SESSION),
            Message("greeting", session_id, "assistant", "Hello!", self.now),
        )

    async def ask(self, name: str = "t1", session_id: str = "s1", *, routed: bool = True) -> Ticket:
        """A message of the customer with a ticket."""
        ticket = Ticket(name, session_id, f"m-{name}", "customer_request", "Wants a person", self.now)
        beside = (await self.store.get(session_id, expired=True)).ticket_id
        message = Message(f"m-{name}", session_id, "user", "A person please", self.now)
        await self.store.append(message, ticket, beside=beside)
        if routed:
            await self.escalation.send(ticket)
            ticket = await self.store.save_route(replace(ticket, status="open", category="general", team="care"))
        return ticket

    async def say(self, text: str = "Hello?", session_id: str = "s1") -> Message:
        self._said += 1
        return await self.store.append(Message(f"c{self._said}", session_id, "user", text, self.now))

    async def notices(self, session_id: str = "s1") -> list[str]:
        """What the customer was told by the product since the greeting."""
        messages = await self.store.messages(session_id, expired=True)
        return [message.text for message in messages[1:] if message.role == "assistant"]

    async def owner(self, session_id: str = "s1") -> tuple[str, str | None]:
        conversation = await self.store.get(session_id, expired=True)
        return conversation.owner, conversation.ticket_id

    async def events(self) -> list[QueueMessage]:
        return [received.message for received in await self.queue.receive(ESCALATIONS, limit=100)]

    async def everything(self) -> tuple[Any, ...]:
        return (
            await self.store.get("s1", expired=True),
            await self.store.messages("s1", expired=True),
            await self.store.tickets(statuses=["requested", "open", "claimed", "waiting", "resolved"]),
            await self.store.unsent_events(created_before=self.now + timedelta(days=1)),
        )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    for operator in (GRACE, ALAN, ADA):
        await desk.store.save_operator(operator)
    await desk.begin()
    yield desk
    await desk.services.close()


@pytest.fixture
async def claimed(desk: Desk) -> Desk:
    """Grace has t1."""
    await desk.ask()
    await desk.helpdesk.claim(GRACE, "t1")
    return desk


async def unchanged(desk: Desk, attempt: Callable[[], Any], error: type[Exception], words: str = "") -> Exception:
    """The attempt is refused, and nothing has changed."""
    before = await desk.everything()
    with pytest.raises(error) as refused:
        await attempt()
    assert words in str(refused.value)
    assert await desk.everything() == before
    return refused.value


# ---- claim


@pytest.mark.parametrize("routed", [True, False])
async def test_who_claims_a_ticket_has_it_and_the_conversation(desk: Desk, routed: bool) -> None:
    await desk.ask(routed=routed)
    desk.later(minutes=5)
    ticket = await desk.helpdesk.claim(GRACE, "t1")
    assert (ticket.status, ticket.assignee, ticket.claimed_at, ticket.touched_at) == (
        "claimed",
        "grace",
        desk.now,
        desk.now,
    )
    assert await desk.store.ticket("t1") == ticket
    assert await desk.owner() == ("human", "t1")
    assert await desk.notices() == ["Grace H. has joined the conversation and will answer you here."]


async def test_routing_after_the_claim_leaves_the_ticket_with_its_person(desk: Desk) -> None:
    ticket = await desk.ask(routed=False)
    await desk.helpdesk.claim(GRACE, "t1")
    await desk.escalation.send(ticket)
    (request,) = await desk.queue.receive("escalation-requests")
    await desk.escalation.route(request.message.body)
    stored = await desk.store.ticket("t1")
    assert (stored.status, stored.assignee) == ("claimed", "grace")
    assert stored.team
    assert [event.id for event in await desk.events()] == ["t1"]


async def test_claiming_ones_own_again_changes_nothing(claimed: Desk) -> None:
    before = await claimed.everything()
    claimed.later(minutes=1)
    await claimed.helpdesk.claim(GRACE, "t1")
    assert await claimed.everything() == before


async def test_a_colleagues_ticket_is_refused(claimed: Desk) -> None:
    await unchanged(claimed, lambda: claimed.helpdesk.claim(ALAN, "t1"), Conflict, "grace has ticket t1")


@pytest.mark.parametrize("status", ["claimed", "waiting"])
async def test_an_admin_takes_a_ticket_over(claimed: Desk, status: Status) -> None:
    await claimed.helpdesk.reply(GRACE, "t1", "One moment")
    await claimed.helpdesk.set_status(GRACE, "t1", status)
    first = (await claimed.store.ticket("t1")).claimed_at
    claimed.later(minutes=9)
    ticket = await claimed.helpdesk.claim(ADA, "t1")
    assert (ticket.status, ticket.assignee, ticket.touched_at) == ("claimed", "ada", claimed.now)
    assert ticket.claimed_at == first
    assert (await claimed.notices())[-1] == "Ada L. has joined the conversation and will answer you here."
    assert await claimed.owner() == ("human", "t1")
    await unchanged(claimed, lambda: claimed.helpdesk.reply(GRACE, "t1", "Here I am"), Conflict, "ada has ticket t1")
    assert (await claimed.helpdesk.reply(ADA, "t1", "Hello")).author == "Ada L."


async def test_of_two_who_claim_at_once_one_gets_it(desk: Desk) -> None:
    await desk.ask()
    results = await asyncio.gather(
        desk.helpdesk.claim(GRACE, "t1"), desk.helpdesk.claim(ALAN, "t1"), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "Ticket"]
    assert len(await desk.notices()) == 1


async def test_a_claim_waits_for_the_bots_answer(desk: Desk) -> None:
    await desk.ask()
    question = Message("m9", "s1", "user", "And delivery?", desk.now)
    turn = await desk.store.open_turn(question, lease_until=desk.now + timedelta(seconds=70), history=9)
    refused = await unchanged(desk, lambda: desk.helpdesk.claim(GRACE, "t1"), TurnInProgress)
    assert isinstance(refused, TurnInProgress)
    assert refused.retry_after >= 1
    answer = Message("a9", "s1", "assistant", "Five days.", desk.now)
    assert await desk.store.close_turn(turn, answer)
    await desk.helpdesk.claim(GRACE, "t1")


async def test_a_turn_whose_lease_ran_out_says_nothing_after_the_claim(desk: Desk) -> None:
    await desk.ask()
    question = Message("m9", "s1", "user", "And delivery?", desk.now)
    turn = await desk.store.open_turn(question, lease_until=desk.now + timedelta(seconds=70), history=9)
    desk.later(seconds=70)
    await desk.helpdesk.claim(GRACE, "t1")
    assert await desk.store.close_turn(turn, Message("a9", "s1", "assistant", "Five days.", desk.now)) is None
    assert (await desk.store.messages("s1"))[-1].text.startswith("Grace H. has joined")


async def test_one_person_at_a_time_in_a_conversation(claimed: Desk) -> None:
    await claimed.ask("t2")
    assert await claimed.owner() == ("human", "t1")
    for operator in (GRACE, ALAN, ADA):
        await unchanged(
            claimed, lambda operator=operator: claimed.helpdesk.claim(operator, "t2"), Conflict, "for ticket t1"
        )
    await claimed.helpdesk.resolve(GRACE, "t1")
    assert await claimed.owner() == ("bot", "t2")
    await claimed.helpdesk.claim(ALAN, "t2")
    assert await claimed.owner() == ("human", "t2")


async def test_a_claim_lets_an_old_conversation_live_on(desk: Desk) -> None:
    await desk.ask()
    desk.later(hours=30)
    with pytest.raises(NotFound):
        await desk.store.get("s1")
    await desk.helpdesk.claim(GRACE, "t1")
    assert (await desk.store.get("s1")).expires_at == desk.now + SESSION


# ---- reply


async def test_the_customer_reads_a_reply_with_the_persons_name(claimed: Desk) -> None:
    claimed.later(minutes=3)
    reply = await claimed.helpdesk.reply(GRACE, "t1", "  I have sent a new label.\n")
    assert (reply.role, reply.author, reply.text) == ("human_agent", "Grace H.", "I have sent a new label.")
    assert (reply.seq, reply.ticket_id, reply.created_at, reply.reply_to) == (4, "t1", claimed.now, None)
    assert (await claimed.store.messages("s1"))[-1] == reply
    ticket = await claimed.store.ticket("t1")
    assert (ticket.replied_at, ticket.touched_at, ticket.status) == (claimed.now, claimed.now, "claimed")


async def test_the_first_reply_is_the_one_that_counts(claimed: Desk) -> None:
    await claimed.helpdesk.reply(GRACE, "t1", "One moment")
    first = claimed.now
    claimed.later(minutes=3)
    await claimed.helpdesk.reply(GRACE, "t1", "Done")
    ticket = await claimed.store.ticket("t1")
    assert (ticket.replied_at, ticket.touched_at) == (first, claimed.now)


async def test_a_reply_sent_again_is_one_reply(claimed: Desk) -> None:
    first = await claimed.helpdesk.reply(GRACE, "t1", "Done", client_message_id="c1")
    before = await claimed.everything()
    claimed.later(minutes=1)
    assert await claimed.helpdesk.reply(GRACE, "t1", "Done", client_message_id="c1") == first
    assert await claimed.everything() == before
    # Its sender may learn that it arrived even when the ticket has gone on.
    await claimed.helpdesk.resolve(GRACE, "t1")
    assert await claimed.helpdesk.reply(GRACE, "t1", "Done", client_message_id="c1") == first
    assert len(await claimed.store.messages("s1")) == 5


async def test_replies_without_an_id_are_replies_of_their_own(claimed: Desk) -> None:
    said = [await claimed.helpdesk.reply(GRACE, "t1", "Yes") for _ in range(3)]
    assert [reply.seq for reply in said] == [4, 5, 6]


async def test_no_reply_is_taken_for_another(claimed: Desk) -> None:
    """Whatever ids the clients of several operators count up, and whatever is numbered by itself."""
    await claimed.helpdesk.reply(GRACE, "t1", "one", client_message_id="5")
    await claimed.helpdesk.reply(GRACE, "t1", "two")
    await claimed.helpdesk.reply(GRACE, "t1", "three", client_message_id="6")
    await claimed.helpdesk.claim(ADA, "t1")
    await claimed.helpdesk.reply(ADA, "t1", "four", client_message_id="5")
    await claimed.helpdesk.resolve(ADA, "t1")
    await claimed.ask("t2")
    await claimed.helpdesk.claim(GRACE, "t2")
    await claimed.helpdesk.reply(GRACE, "t2", "five", client_message_id="5")
    said = [message.text for message in await claimed.store.messages("s1") if message.role == "human_agent"]
    assert said == ["one", "two", "three", "four", "five"]


@pytest.mark.parametrize(
    ("text", "error"),
    [*((text, InvalidInput) for text in ("", " \n ", "a\x00b", "\ud800")), ("x" * 4001, PayloadTooLarge)],
)
async def test_what_is_no_text_is_refused(claimed: Desk, text: str, error: type[Exception]) -> None:
    await unchanged(claimed, lambda: claimed.helpdesk.reply(GRACE, "t1", text), error)


async def test_only_who_has_the_ticket_replies(desk: Desk) -> None:
    await desk.ask()
    await unchanged(desk, lambda: desk.helpdesk.reply(GRACE, "t1", "Hi"), Conflict, "is open. Claim it first")
    await desk.helpdesk.claim(GRACE, "t1")
    for other in (ALAN, ADA):
        await unchanged(desk, lambda other=other: desk.helpdesk.reply(other, "t1", "Hi"), Conflict, "grace has ticket")
    await desk.helpdesk.resolve(GRACE, "t1")
    await unchanged(desk, lambda: desk.helpdesk.reply(GRACE, "t1", "Hi"), Conflict, "is resolved")


async def test_a_reply_can_be_read_for_a_whole_session(claimed: Desk) -> None:
    claimed.later(hours=47)
    await claimed.helpdesk.reply(GRACE, "t1", "Sorry it took so long")
    claimed.later(hours=23)
    assert (await claimed.store.messages("s1"))[-1].text == "Sorry it took so long"


async def test_what_the_customer_says_meanwhile_reaches_the_helpdesk(claimed: Desk) -> None:
    await claimed.say("Are you there?")
    claimed.later(seconds=31)
    assert await claimed.escalation.relay() == 1
    (event,) = await claimed.events()
    data = json.loads(event.body)["data"]
    assert event.subject == "support.customer.message.v1"
    assert (data["ticket_id"], data["assignee"], data["message"]["text"]) == ("t1", "grace", "Are you there?")


# ---- wait, give back, resolve


async def test_waiting_for_the_customer_and_going_on(claimed: Desk) -> None:
    claimed.later(minutes=1)
    ticket = await claimed.helpdesk.set_status(GRACE, "t1", "waiting")
    assert (ticket.status, ticket.touched_at) == ("waiting", claimed.now)
    assert await claimed.owner() == ("human", "t1")
    assert (await claimed.helpdesk.set_status(GRACE, "t1", "waiting")).status == "waiting"
    claimed.later(minutes=1)
    ticket = await claimed.helpdesk.set_status(GRACE, "t1", "claimed")
    assert (ticket.status, ticket.touched_at) == ("claimed", claimed.now)
    assert len(await claimed.notices()) == 1  # the customer sees none of it
    await claimed.helpdesk.set_status(GRACE, "t1", "waiting")
    await claimed.helpdesk.reply(GRACE, "t1", "Any news?")


async def test_a_ticket_given_back_waits_for_a_colleague(claimed: Desk) -> None:
    claimed.later(minutes=1)
    ticket = await claimed.helpdesk.set_status(GRACE, "t1", "open")
    assert (ticket.status, ticket.assignee, ticket.touched_at) == ("open", None, claimed.now)
    assert await claimed.owner() == ("bot", "t1")
    assert (await claimed.notices())[-1] == (
        "Grace H. has passed your request t1 on; another colleague will take it."
        " Until then I, the assistant, answer again."
    )
    (event,) = await claimed.events()
    assert event.subject == "support.ticket.returned.v1"
    assert json.loads(event.body)["data"]["ticket_id"] == "t1"
    before = await claimed.everything()
    await claimed.helpdesk.set_status(GRACE, "t1", "open")
    assert await claimed.everything() == before
    await claimed.helpdesk.claim(ALAN, "t1")
    assert await claimed.owner() == ("human", "t1")


async def test_each_time_that_a_ticket_is_given_back_is_an_event_of_its_own(claimed: Desk) -> None:
    for operator in (GRACE, ALAN, GRACE):
        await claimed.helpdesk.claim(operator, "t1")
        await claimed.helpdesk.set_status(operator, "t1", "open")
    events = await claimed.events()
    assert len({event.id for event in events}) == len(events) == 3


async def test_a_resolved_ticket_returns_the_conversation_to_the_bot(claimed: Desk) -> None:
    await claimed.helpdesk.reply(GRACE, "t1", "Done")
    claimed.later(minutes=2)
    ticket = await claimed.helpdesk.resolve(GRACE, "t1")
    assert (ticket.status, ticket.resolution, ticket.resolved_at) == ("resolved", "confirmed", claimed.now)
    assert await claimed.owner() == ("bot", None)
    assert (await claimed.notices())[-1] == (
        "Grace H. has closed your request t1. I am the assistant again: ask me anything, or ask for a person."
    )
    before = await claimed.everything()
    claimed.later(minutes=2)
    for operator in (GRACE, ALAN):
        assert (await claimed.helpdesk.resolve(operator, "t1")).resolved_at == ticket.resolved_at
    assert await claimed.everything() == before


@pytest.mark.parametrize("routed", [True, False])
async def test_a_ticket_can_be_resolved_without_being_claimed(desk: Desk, routed: bool) -> None:
    await desk.ask(routed=routed)
    ticket = await desk.helpdesk.resolve(GRACE, "t1")
    assert (ticket.status, ticket.assignee, ticket.claimed_at) == ("resolved", "grace", None)
    assert await desk.owner() == ("bot", None)


async def test_resolving_another_ticket_leaves_a_persons_conversation_alone(claimed: Desk) -> None:
    await claimed.ask("t2")
    seen = await claimed.store.messages("s1")
    assert (await claimed.helpdesk.resolve(ALAN, "t2")).status == "resolved"
    assert await claimed.owner() == ("human", "t1")
    assert await claimed.store.messages("s1") == seen  # Grace talks with the customer, who is told nothing by others


async def test_the_older_of_two_tickets_stays_the_conversations(desk: Desk) -> None:
    await desk.ask("t1")
    desk.later(seconds=1)
    await desk.ask("t2")
    await desk.helpdesk.resolve(GRACE, "t2")
    assert await desk.owner() == ("bot", "t1")
    await desk.helpdesk.resolve(GRACE, "t1")
    assert await desk.owner() == ("bot", None)


async def test_steps_that_are_not_possible_are_refused(desk: Desk) -> None:
    await desk.ask("t1", routed=False)
    attempts: list[tuple[Operator, Status, str]] = [
        (GRACE, "requested", "cannot be made requested"),
        (GRACE, "waiting", "is requested. Claim it first"),
        (GRACE, "open", "is requested. Claim it first"),
    ]
    for operator, status, words in attempts:
        await unchanged(desk, lambda o=operator, s=status: desk.helpdesk.set_status(o, "t1", s), Conflict, words)
    await desk.helpdesk.claim(GRACE, "t1")
    for operator in (ALAN, ADA):
        for status in ("waiting", "open", "resolved"):
            await unchanged(
                desk,
                lambda o=operator, s=status: desk.helpdesk.set_status(o, "t1", s),
                Conflict,
                "grace has ticket t1",
            )
    await desk.helpdesk.resolve(GRACE, "t1")
    for status in ("claimed", "waiting", "open"):
        await unchanged(desk, lambda s=status: desk.helpdesk.set_status(GRACE, "t1", s), Conflict, "is resolved")


async def test_what_is_not_there_or_erased_is_not_found(desk: Desk) -> None:
    await desk.ask("t1")
    await desk.store.erase("s1")
    for name in ("t1", "nope"):
        for attempt in (
            desk.helpdesk.open(name),
            desk.helpdesk.claim(GRACE, name),
            desk.helpdesk.reply(GRACE, name, "Hi"),
            desk.helpdesk.set_status(GRACE, name, "open"),
            desk.helpdesk.resolve(GRACE, name),
        ):
            with pytest.raises(NotFound):
                await attempt
    with pytest.raises(Conflict):
        await desk.helpdesk.set_status(GRACE, "nope", "requested")


async def test_a_queue_that_is_away_stops_no_operator(claimed: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("no queue")

    with monkeypatch.context() as patch:
        patch.setattr(claimed.queue, "send", away)
        assert (await claimed.helpdesk.set_status(GRACE, "t1", "open")).status == "open"
    claimed.later(seconds=31)
    assert await claimed.escalation.relay() == 1
    assert [event.subject for event in await claimed.events()] == ["support.ticket.returned.v1"]


# ---- silence


async def test_a_customer_who_waits_too_long_gets_the_bot_back(claimed: Desk) -> None:
    await claimed.helpdesk.reply(GRACE, "t1", "One moment")
    await claimed.say("And now?")
    claimed.later(minutes=59, seconds=59)
    assert await claimed.helpdesk.return_silent() == 0
    claimed.later(seconds=1)
    assert await claimed.helpdesk.return_silent() == 1
    ticket = await claimed.store.ticket("t1")
    assert (ticket.status, ticket.assignee, ticket.touched_at) == ("open", None, claimed.now)
    assert await claimed.owner() == ("bot", "t1")
    assert (await claimed.notices())[-1] == (
        "Grace H. could not get back to you in time. Your request t1 stays open, and another colleague will take it."
        " Until then I, the assistant, answer again."
    )
    kinds = [event.subject for event in await claimed.events()]
    assert kinds == ["support.ticket.returned.v1"]
    assert await claimed.helpdesk.return_silent() == 0
    await unchanged(claimed, lambda: claimed.helpdesk.reply(GRACE, "t1", "Sorry!"), Conflict, "Claim it first")


async def test_a_person_who_never_says_a_word_loses_the_ticket(claimed: Desk) -> None:
    claimed.later(minutes=60)
    assert await claimed.helpdesk.return_silent() == 1
    assert (await claimed.store.ticket("t1")).status == "open"


async def test_a_customer_who_keeps_asking_does_not_wait_longer(claimed: Desk) -> None:
    await claimed.helpdesk.reply(GRACE, "t1", "One moment")
    returned = 0
    for _ in range(7):
        claimed.later(minutes=10)
        await claimed.say("Hello?")
        returned = await claimed.helpdesk.return_silent()
    assert returned == 1  # an hour after the first of them, however many followed
    assert (await claimed.store.ticket("t1")).status == "open"


@pytest.mark.parametrize("status", ["claimed", "waiting"])
async def test_if_the_person_had_the_last_word_the_ticket_is_taken_for_resolved(claimed: Desk, status: Status) -> None:
    await claimed.helpdesk.reply(GRACE, "t1", "Is it solved?")
    await claimed.helpdesk.set_status(GRACE, "t1", status)
    claimed.later(minutes=60)
    assert await claimed.helpdesk.return_silent() == 1
    ticket = await claimed.store.ticket("t1")
    assert (ticket.status, ticket.resolution, ticket.assignee) == ("resolved", "assumed", "grace")
    assert ticket.resolved_at == claimed.now
    assert await claimed.owner() == ("bot", None)
    assert (await claimed.notices())[-1] == (
        "As nothing more was said, your conversation with Grace H. has ended and your request t1 is closed."
        " I am the assistant again: ask me anything, or ask for a person."
    )
    assert await claimed.events() == []


async def test_a_notice_of_the_product_is_nobodys_last_word(claimed: Desk) -> None:
    """After the customer's comment the product says that a colleague is on it: the customer waits all the same."""
    await claimed.helpdesk.reply(GRACE, "t1", "One moment")
    await claimed.say("One more thing")
    await claimed.store.append(Message("h-9", "s1", "assistant", "A colleague has it already.", claimed.now))
    claimed.later(minutes=60)
    assert await claimed.helpdesk.return_silent() == 1
    assert (await claimed.store.ticket("t1")).status == "open"


async def test_who_takes_over_and_says_nothing_has_not_resolved_it(claimed: Desk) -> None:
    await claimed.helpdesk.reply(GRACE, "t1", "My colleague will know")
    await claimed.helpdesk.claim(ADA, "t1")
    claimed.later(minutes=60)
    assert await claimed.helpdesk.return_silent() == 1
    assert (await claimed.store.ticket("t1")).status == "open"


@pytest.mark.parametrize("act", ["reply", "waiting", "admin"])
async def test_whoever_does_something_keeps_the_conversation(claimed: Desk, act: str) -> None:
    await claimed.say()
    claimed.later(minutes=59)
    if act == "reply":
        await claimed.helpdesk.reply(GRACE, "t1", "Here")
    elif act == "waiting":
        await claimed.helpdesk.set_status(GRACE, "t1", "waiting")
    else:
        await claimed.helpdesk.claim(ADA, "t1")
    claimed.later(minutes=59)
    assert await claimed.helpdesk.return_silent() == 0
    assert await claimed.owner() == ("human", "t1")


async def test_a_customer_who_comes_back_late_gives_the_person_time(claimed: Desk) -> None:
    await claimed.helpdesk.reply(GRACE, "t1", "Try it and tell me")
    claimed.later(minutes=50)
    await claimed.say("It works not")
    claimed.later(minutes=59)
    assert await claimed.helpdesk.return_silent() == 0
    claimed.later(minutes=1)
    assert await claimed.helpdesk.return_silent() == 1
    assert (await claimed.store.ticket("t1")).status == "open"


@pytest.mark.parametrize("what", ["customer", "person", "resolve", "erase"])
async def test_what_happens_at_the_last_moment_counts(
    claimed: Desk, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    await claimed.helpdesk.reply(GRACE, "t1", "Is it solved?")
    claimed.later(minutes=60)
    change = claimed.store.change_ticket

    async def a_moment_before(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(claimed.store, "change_ticket", change)
        if what == "customer":
            await claimed.say("No")
        elif what == "person":
            await claimed.helpdesk.reply(GRACE, "t1", "Hello?")
        elif what == "resolve":
            await claimed.helpdesk.resolve(GRACE, "t1")
        else:
            await claimed.store.erase("s1")
        return await change(*args, **kwargs)

    monkeypatch.setattr(claimed.store, "change_ticket", a_moment_before)
    await claimed.helpdesk.return_silent()
    if what == "erase":
        with pytest.raises(NotFound):
            await claimed.store.ticket("t1")
    else:
        assert await claimed.owner() == (("bot", None) if what == "resolve" else ("human", "t1"))
        assert (await claimed.store.ticket("t1")).resolution == ("confirmed" if what == "resolve" else None)


async def test_silence_is_noticed_after_the_conversation_expired_and_the_account_is_gone(desk: Desk) -> None:
    await desk.ask()
    await desk.helpdesk.claim(Operator("gone", "Gone", "", START), "t1")
    desk.later(hours=48)
    assert await desk.helpdesk.return_silent() == 1
    assert (await desk.notices())[-1].startswith("Our colleague could not get back to you in time.")


async def test_many_silent_conversations_are_all_returned(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.escalation.helpdesk.PAGE", 3)
    for n in range(2, 10):
        await desk.begin(f"s{n}")
        await desk.ask(f"t{n}", f"s{n}")
        await desk.helpdesk.claim(GRACE, f"t{n}")
        if n % 2:
            await desk.helpdesk.reply(GRACE, f"t{n}", "Solved?")
    desk.later(minutes=61)
    assert await desk.helpdesk.return_silent() == 8
    assert [await desk.owner(f"s{n}") for n in range(2, 10)] == [
        ("bot", None) if n % 2 else ("bot", f"t{n}") for n in range(2, 10)
    ]


# ---- reading


async def test_a_file_holds_all_that_is_known(claimed: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await claimed.store.remember(CustomerFact("f1", "session:s1", "has a dog", "m1", START))
    file = await claimed.helpdesk.open("t1")
    assert file.ticket == await claimed.store.ticket("t1")
    assert file.conversation.owner == "human"
    assert [message.seq for message in file.messages] == [1, 2, 3]
    assert [fact.text for fact in file.facts] == ["has a dog"]
    monkeypatch.setattr("shared.escalation.helpdesk.MAX_MESSAGES", 2)
    assert [message.seq for message in (await claimed.helpdesk.open("t1")).messages] == [2, 3]
    claimed.later(hours=48)
    assert len((await claimed.helpdesk.open("t1")).messages) == 2  # expired, and still a person's to look at


async def test_the_list_is_of_open_work_unless_asked_otherwise(claimed: Desk) -> None:
    for n in (2, 3):
        claimed.later(seconds=1)
        await claimed.begin(f"s{n}")
        await claimed.ask(f"t{n}", f"s{n}")
    await claimed.helpdesk.resolve(GRACE, "t2")
    assert [ticket.id for ticket in await claimed.helpdesk.tickets()] == ["t1", "t3"]
    assert [ticket.id for ticket in await claimed.helpdesk.tickets(assignee="grace")] == ["t1"]
    assert [ticket.id for ticket in await claimed.helpdesk.tickets(statuses=["resolved"])] == ["t2"]
    assert [ticket.id for ticket in await claimed.helpdesk.tickets(after="t1", team="care")] == ["t3"]
    assert [ticket.id for ticket in await claimed.helpdesk.tickets(limit=1)] == ["t1"]
