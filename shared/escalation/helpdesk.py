"""What people of the company do with tickets: claim, reply, resolve; and what happens when they fall silent.

While a person owns a conversation the bot says nothing in it, see `ConversationService`. A claim and a turn exclude
each other: a turn that runs holds the conversation's lease, and a claim must wait for its end; a turn that begins later
finds the new owner. So no answer of the bot is ever stored after a person's first word.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared import telemetry
from shared.errors import Conflict, InvalidInput, NotFound, PayloadTooLarge, TurnInProgress
from shared.escalation.outbox import OutboxEvent, event_id
from shared.escalation.service import EscalationService
from shared.escalation.ticket import TAKEN, UNRESOLVED, Status, Ticket, check_transition
from shared.memory.models import Conversation, CustomerFact, Message, Operator
from shared.memory.store import ConversationStore, TicketState
from shared.push.channel import ClientUrl
from shared.push.events import Frame, change_frame, message_frame, typing_frame
from shared.push.service import TOKEN_MINUTES, PushService

logger = logging.getLogger(__name__)

PAGE = 100
"""Tickets read from the store at once; also the most that one list holds."""
MAX_MESSAGES = 1000

JOINED = "{name} has joined the conversation and will answer you here."
RESOLVED = "{name} has closed your request {ticket}. I am the assistant again: ask me anything, or ask for a person."
LEFT = (
    "As nothing more was said, your conversation with {name} has ended and your request {ticket} is closed."
    " I am the assistant again: ask me anything, or ask for a person."
)
RETURNED = (
    "{name} could not get back to you in time. Your request {ticket} stays open, and another colleague will take it."
    " Until then I, the assistant, answer again."
)
GIVEN_BACK = (
    "{name} has passed your request {ticket} on; another colleague will take it."
    " Until then I, the assistant, answer again."
)


@dataclass(frozen=True, slots=True)
class TicketFile:
    """A ticket with all that an operator may know of it. `messages` are the newest ones, oldest first."""

    ticket: Ticket
    conversation: Conversation
    messages: tuple[Message, ...]
    facts: tuple[CustomerFact, ...]


class HelpdeskService:
    """`silence`: how long nobody may say anything until the bot takes over again. `session`: how long a conversation
    lasts at least after a person's last word in it."""

    def __init__(
        self,
        store: ConversationStore,
        escalation: EscalationService,
        *,
        push: PushService,
        silence: timedelta,
        session: timedelta,
        max_message_chars: int,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._escalation = escalation
        self._push = push
        self._silence = silence
        self._session = session
        self._max_message_chars = max_message_chars
        self._now = now
        self._teams = set[str]()

    # ---- reading

    async def tickets(
        self,
        *,
        statuses: Sequence[Status] = UNRESOLVED,
        team: str | None = None,
        assignee: str | None = None,
        after: str | None = None,
        limit: int = PAGE,
    ) -> Sequence[Ticket]:
        """Oldest first; `after` is the last ticket of the page before."""
        return await self._store.tickets(
            statuses=statuses, team=team, assignee=assignee, after=after, limit=min(limit, PAGE)
        )

    async def open(self, ticket_id: str) -> TicketFile:
        """Raises `NotFound`."""
        ticket = await self._store.ticket(ticket_id)
        conversation = await self._store.get(ticket.session_id, expired=True)
        messages = await self._store.messages(
            ticket.session_id,
            after=max(0, conversation.last_seq - MAX_MESSAGES),
            limit=MAX_MESSAGES,
            expired=True,
        )
        return TicketFile(ticket, conversation, messages, await self._store.facts(conversation.customer_id))

    # ---- working

    async def claim(self, operator: Operator, ticket_id: str) -> Ticket:
        """Take a ticket and with it the conversation; the customer is told. Claiming one's own again changes nothing.
        An admin may take it from a colleague.

        Raises `NotFound`; `Conflict` if somebody else has it, or has the conversation; `TurnInProgress` while the bot
        finishes an answer.
        """
        return await self._change(ticket_id, lambda state: self._claimed(state, operator))

    async def reply(
        self, operator: Operator, ticket_id: str, text: str, *, client_message_id: str | None = None
    ) -> Message:
        """Answer the customer. The same client_message_id again returns the first reply.

        Raises `NotFound`, `Conflict` if the operator does not have the ticket, `InvalidInput`, `PayloadTooLarge`.
        """
        text = self._checked(text)
        ticket = await self._store.ticket(ticket_id)
        identifier = _reply_id(ticket, operator, client_message_id or uuid.uuid4().hex)

        def replied(state: TicketState) -> TicketState:
            _must_have(state.ticket, operator)
            now = self._now()
            message = Message(
                id=identifier,
                session_id=ticket.session_id,
                role="human_agent",
                text=text,
                created_at=now,
                author=operator.display_name,
                ticket_id=ticket.id,
            )
            touched = replace(state.ticket, touched_at=now, replied_at=state.ticket.replied_at or now)
            return replace(state, conversation=self._kept(state.conversation), ticket=touched, message=message)

        state = await self._store.change_ticket(ticket, replied, once=identifier)
        self._push.tell(ticket.session_id, message_frame(state.message))
        if ticket.replied_at is None and state.ticket.replied_at == state.message.created_at:
            telemetry.first_reply_seconds.record((state.message.created_at - ticket.created_at).total_seconds())
        logger.info("reply", extra={"ticket_id": ticket.id, "operator": operator.username})
        return state.message

    async def set_status(self, operator: Operator, ticket_id: str, status: Status) -> Ticket:
        """`claimed` takes the ticket or goes on with it, `waiting` waits for the customer, `open` gives it back,
        `resolved` ends it. The status that it has already is no error.

        Raises `NotFound`; `Conflict` for a step that `TRANSITIONS` does not know, or a ticket of somebody else.
        """
        change: dict[Status, Callable[[TicketState], TicketState]] = {
            "claimed": lambda state: self._claimed(state, operator),
            "waiting": lambda state: self._waiting(state, operator),
            "open": lambda state: self._released(state, operator),
            "resolved": lambda state: self._resolved(state, operator),
        }
        if status not in change:
            raise Conflict(f"A ticket cannot be made {status}: it is so when the customer asks for a person.")
        return await self._change(ticket_id, change[status])

    async def resolve(self, operator: Operator, ticket_id: str) -> Ticket:
        """As `set_status` with `resolved`: the bot answers again, and the customer is told."""
        return await self.set_status(operator, ticket_id, "resolved")

    async def client_url(self, ticket_id: str) -> ClientUrl:
        """Where an operator's desk hears at once what happens in a ticket's conversation. Raises `NotFound`,
        `NoPushChannel`, `Unavailable`."""
        ticket = await self._store.ticket(ticket_id)
        until = self._now() + timedelta(minutes=TOKEN_MINUTES)
        return await self._push.client_url(ticket.session_id, "operators", until=until)

    async def typing(self, operator: Operator, ticket_id: str) -> None:
        """The operator types: told to the customer, as far as they look. Raises `NotFound`, `Conflict` if the operator
        does not have the ticket."""
        ticket = await self._store.ticket(ticket_id)
        _must_have(ticket, operator)
        self._push.tell(ticket.session_id, typing_frame(operator.display_name), ("customer",))

    async def return_silent(self) -> int:
        """Give conversations back to the bot in which a person has done nothing for long; returns how many.

        If the customer waits that long for an answer the ticket is open again, and helpdesks learn of it. If the
        person had the last word, the ticket is taken for resolved.
        """
        returned, after = 0, None
        since = self._now() - self._silence
        while page := await self._store.tickets(statuses=TAKEN, untouched_since=since, after=after, limit=PAGE):
            for ticket in page:
                try:
                    returned += await self._return_if_silent(ticket, since)
                except NotFound:
                    continue  # erased at this moment
            after = page[-1].id
        return returned

    async def count_overdue(self) -> int:
        """Tickets that should have been answered by now and were not. Tells the metric, by team."""
        # Who had some a minute ago is told of as having none, too.
        overdue, after, now = Counter[str](dict.fromkeys(self._teams, 0)), None, self._now()
        while page := await self._store.tickets(statuses=UNRESOLVED, after=after, limit=PAGE):
            for ticket in page:
                if ticket.team and ticket.due_at:
                    overdue[ticket.team] += ticket.due_at <= now and ticket.replied_at is None
            after = page[-1].id
        for team, count in overdue.items():
            telemetry.overdue_tickets.set(count, {"team": team})
        self._teams = set(overdue)
        return overdue.total()

    async def _return_if_silent(self, ticket: Ticket, since: datetime) -> bool:
        file, name = await self.open(ticket.id), await self._name(ticket.assignee)
        unanswered = _unanswered(file.messages)
        if (unanswered or file.messages[-1]).created_at > since:
            return False

        def silent(state: TicketState) -> TicketState:
            if (state.ticket, state.message) != (ticket, file.messages[-1]):
                return state  # somebody did something at this moment
            if unanswered:
                return self._returned(state, RETURNED.format(name=name, ticket=ticket.id))
            closed = replace(ticket, status="resolved", resolved_at=self._now(), resolution="assumed")
            return self._told(state, self._freed(state), closed, LEFT.format(name=name, ticket=ticket.id))

        return (await self._change(ticket.id, silent)).status != ticket.status

    # ---- the steps, as changes of a ticket with its conversation

    async def _change(self, ticket_id: str, change: Callable[[TicketState], TicketState]) -> Ticket:
        ticket = await self._store.ticket(ticket_id)
        state = await self._store.change_ticket(ticket, change)
        if state.ticket.status != ticket.status:
            telemetry.ticket_changes.add(1, {"status": state.ticket.status})
            logger.info("ticket", extra={"ticket_id": ticket.id, "status": state.ticket.status})
        if state.ticket != ticket:
            self._push.tell(ticket.session_id, _news(state))
        if state.event:
            await self._escalation.publish(state.event)
        return state.ticket

    def _claimed(self, state: TicketState, operator: Operator) -> TicketState:
        ticket, conversation, now = state.ticket, state.conversation, self._now()
        if ticket.status in TAKEN:
            if ticket.assignee == operator.username:
                if ticket.status == "claimed":
                    return state
                return replace(state, ticket=replace(ticket, status="claimed", touched_at=now))
            if operator.role != "admin":
                raise Conflict(f"{ticket.assignee} has ticket {ticket.id}. An admin can take it over.")
        else:
            check_transition(ticket, "claimed")
            if conversation.owner == "human":
                raise Conflict(f"A colleague is in this conversation already, for ticket {conversation.ticket_id}.")
        if conversation.lease_until and conversation.lease_until > now:
            raise TurnInProgress("The bot is finishing an answer. Try again in a moment.")
        claimed = replace(
            ticket,
            status="claimed",
            assignee=operator.username,
            touched_at=now,
            claimed_at=ticket.claimed_at or now,
        )
        owned = replace(self._kept(conversation), owner="human", ticket_id=ticket.id, lease_until=None)
        return self._told(state, owned, claimed, JOINED.format(name=operator.display_name))

    def _waiting(self, state: TicketState, operator: Operator) -> TicketState:
        _must_have(state.ticket, operator)
        return replace(state, ticket=replace(state.ticket, status="waiting", touched_at=self._now()))

    def _released(self, state: TicketState, operator: Operator) -> TicketState:
        if state.ticket.status == "open":
            return state
        _must_have(state.ticket, operator)
        return self._returned(state, GIVEN_BACK.format(name=operator.display_name, ticket=state.ticket.id))

    def _resolved(self, state: TicketState, operator: Operator) -> TicketState:
        ticket = state.ticket
        if ticket.status == "resolved":
            return state
        if ticket.status in TAKEN:
            _must_have(state.ticket, operator)
        resolved = replace(
            ticket,
            assignee=ticket.assignee or operator.username,
            status="resolved",
            touched_at=self._now(),
            resolved_at=self._now(),
            resolution="confirmed",
        )
        text = RESOLVED.format(name=operator.display_name, ticket=ticket.id)
        return self._told(state, self._freed(state), resolved, text)

    def _returned(self, state: TicketState, text: str) -> TicketState:
        """The ticket waits for a colleague again, and helpdesks are told."""
        ticket, now = state.ticket, self._now()
        check_transition(ticket, "open")
        event = OutboxEvent(
            id=event_id("ticket.returned", ticket.session_id, f"{ticket.id}/{state.conversation.last_seq}"),
            kind="ticket.returned",
            session_id=ticket.session_id,
            ticket_id=ticket.id,
            created_at=now,
        )
        back = replace(ticket, status="open", assignee=None, touched_at=now)
        conversation = replace(state.conversation, owner="bot")
        return replace(self._told(state, conversation, back, text), event=event)

    def _freed(self, state: TicketState) -> Conversation:
        """The conversation without this ticket; another person's stays with them."""
        conversation = state.conversation
        if conversation.ticket_id != state.ticket.id:
            return conversation
        return replace(conversation, owner="bot", ticket_id=None)

    def _told(self, state: TicketState, conversation: Conversation, ticket: Ticket, text: str) -> TicketState:
        """The customer sees what happened, unless somebody else talks with them about another ticket."""
        if conversation.owner == "human" and conversation.ticket_id != ticket.id:
            return replace(state, conversation=conversation, ticket=ticket)
        message = Message(
            id=_notice_id(conversation.last_seq + 1),
            session_id=ticket.session_id,
            role="assistant",
            text=text,
            created_at=self._now(),
            ticket_id=ticket.id,
        )
        return replace(state, conversation=conversation, ticket=ticket, message=message)

    def _kept(self, conversation: Conversation) -> Conversation:
        """The customer must be able to read what a person writes."""
        return replace(conversation, expires_at=max(conversation.expires_at, self._now() + self._session))

    def _checked(self, text: str) -> str:
        text = text.strip()
        if not text or "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
            raise InvalidInput("The reply is empty or holds characters that are not text.")
        if len(text) > self._max_message_chars:
            raise PayloadTooLarge(f"The reply is longer than {self._max_message_chars} characters. Shorten it.")
        return text

    async def _name(self, username: str | None) -> str:
        """Of somebody who may have left the company since."""
        operator = await self._store.operator(username) if username else None
        return operator.display_name if operator else "Our colleague"


def _must_have(ticket: Ticket, operator: Operator) -> None:
    if ticket.status == "resolved":
        raise Conflict(f"Ticket {ticket.id} is resolved.")
    if ticket.status not in TAKEN:
        raise Conflict(f"Ticket {ticket.id} is {ticket.status}. Claim it first.")
    if ticket.assignee != operator.username:
        raise Conflict(f"{ticket.assignee} has ticket {ticket.id}.")


def _news(state: TicketState) -> Frame:
    """A ticket's new status, with what the customer was told of it. A ticket that is resolved asks how it went."""
    ticket, owner, message = state.ticket, state.conversation.owner, state.message
    if message.ticket_id != ticket.id or message.id != _notice_id(message.seq):
        return change_frame(owner=owner, ticket=ticket)
    return message_frame(message, owner=owner, ticket=ticket, asks_feedback=ticket.status == "resolved")


def _notice_id(seq: int) -> str:
    return f"n-{seq}"


def _reply_id(ticket: Ticket, operator: Operator, client_message_id: str) -> str:
    """The same id of two operators, or for two tickets of a conversation, is two replies."""
    cause = f"{ticket.id}/{operator.username}/{client_message_id}"
    return "r-" + hashlib.sha256(cause.encode()).hexdigest()[:32]


def _unanswered(messages: Sequence[Message]) -> Message | None:
    """The first message since a person's last word; None if they had it. `messages` are not empty."""
    first = None
    for message in reversed(messages):
        if message.role == "human_agent":
            break
        first = message
    return first
