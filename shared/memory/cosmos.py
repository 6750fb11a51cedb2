"""`ConversationStore` on Cosmos DB: the memory in Azure. Its data model is told in docs/decisions/0009.

Whatever changes a conversation is one transactional batch in its partition, and the first operation of every batch
replaces the conversation's item if it is still as it was read. So changes of one conversation come one after the
other; who comes second reads again and decides anew. Each batch leaves a token in that item, by which its writer knows
it again when the answer got lost on the way.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

from shared.clock import iso, utc_now
from shared.cosmos import BATCH, Changed, Container, Cosmos, Item, Operation, again, item_id, value
from shared.errors import Conflict, NotFound, TurnInProgress, Unavailable
from shared.escalation.outbox import OutboxEvent, customer_message, event_id
from shared.escalation.ticket import Status, Ticket
from shared.memory import cosmos_schema as schema
from shared.memory.cosmos_backup import CosmosBackup
from shared.memory.cosmos_facts import CosmosFacts
from shared.memory.cosmos_items import (
    CONVERSATION,
    Head,
    Lives,
    changed_item,
    event_item,
    head_item,
    head_of,
    message_item,
    operator_item,
    ticket_item,
    waiting_fact_item,
)
from shared.memory.cosmos_limits import CosmosLimits
from shared.memory.models import (
    Conversation,
    ConversationRecord,
    CustomerFact,
    Erasure,
    Feedback,
    Message,
    OpenTurn,
    Operator,
    id_of_session,
)
from shared.memory.store import Stored, TicketState, check_alone, with_route, with_ticket

RECORDS_AT_ONCE = 100
"""Conversations that are read at once when all of a time are asked for."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Turn(OpenTurn):
    """An open turn that knows how it left the conversation: unless somebody wrote since, closing it reads nothing."""

    head: Head | None = None


@dataclass(frozen=True, slots=True)
class _Step[T]:
    """What is to be written, and what its writer gets to know. Without a conversation nothing is written."""

    result: Callable[[Head], T]
    conversation: Conversation | None = None
    operations: Sequence[Operation] = ()
    lease: str | None = None


class CosmosConversationStore:
    """`create` in `cosmos_schema` makes the database. An expired conversation is kept for `retention`; then Cosmos DB
    removes its items by their ttl. To close it closes the client, which others may share.

    The token of a turn is its lease's end, as in `sqlite.py`.
    """

    def __init__(
        self,
        cosmos: Cosmos,
        *,
        retention: timedelta = timedelta(0),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._cosmos = cosmos
        self._conversations = Container(self._cosmos, schema.CONVERSATIONS)
        self._operators = Container(self._cosmos, schema.OPERATORS)
        self._facts = CosmosFacts(self._cosmos, self._conversations, now)
        self._limits = CosmosLimits(self._cosmos, now)
        customers = Container(self._cosmos, schema.CUSTOMERS)
        self._backup = CosmosBackup(self._conversations, customers, self._operators, self._lives, now)
        self._retention = retention
        self._now = now

    async def create(self, conversation: Conversation, greeting: Message) -> None:
        token = token_hex(8)
        stored = replace(conversation, last_seq=0, lease_until=None)
        stored, _, operations = self._added(stored, greeting)
        head = head_item(Head(stored, writes=(token,)), self._lives(stored))
        batch = [("create", (head,)), *operations]

        async def work() -> None:
            try:
                await self._conversations.batch(stored.session_id, batch)
            except Changed:
                if (found := await self._conversations.read(CONVERSATION, stored.session_id)) is None:
                    raise
                if token not in found["writes"]:
                    raise Conflict("There is a conversation of this id already.") from None

        await again(work)

    async def get(self, session_id: str, *, expired: bool = False) -> Conversation:
        head = await self._head(session_id)
        return head.conversation if expired else self._unexpired(head)

    async def open_turn(self, message: Message, *, lease_until: datetime, history: int) -> OpenTurn:
        token = token_hex(8)
        event_name = item_id("event", event_id("customer.message", message.session_id, message.id))
        waiting: list[Item] = []

        async def step(head: Head) -> _Step[OpenTurn]:
            conversation = self._unexpired(head)
            after = conversation.last_seq - history
            rows = await self._conversations.query(
                "SELECT * FROM c WHERE c.type = 'fact' OR c.id = @event"
                " OR (c.type = 'message' AND (c.seq > @after OR c.id = @id OR c.answer_to = @message))",
                message.session_id,
                after=after,
                id=item_id("message", message.id),
                message=message.id,
                event=event_name,
            )
            waiting[:] = [row for row in rows if row["type"] == "fact"]
            messages = _messages(rows)
            stored = next((one for one in messages if one.id == message.id), None)
            answer = _answer(messages, message)
            before = tuple(one for one in messages if one.seq > after)
            if stored:
                before = await self._before(stored, history)
            if stored and answer:
                return _Step(lambda _: OpenTurn(conversation, stored, before, answer))
            if conversation.lease_until and conversation.lease_until > self._now():
                raise TurnInProgress("An earlier message of this conversation is still being answered.")
            operations: list[Operation] = []
            if stored is None:
                conversation, stored, operations = self._added(conversation, message)
            elif all(row["id"] != event_name for row in rows):
                operations = self._told(conversation, stored)
            question = stored
            return _Step(
                lambda head: _Turn(head.conversation, question, before, head=head),
                replace(conversation, lease_until=lease_until),
                operations,
                iso(lease_until),
            )

        turn = await self._write(message.session_id, step, token)
        await self._facts.deliver(waiting)
        return turn

    async def close_turn(
        self,
        turn: OpenTurn,
        answer: Message | None,
        ticket: Ticket | None = None,
        facts: Sequence[CustomerFact] = (),
        *,
        beside: str | None = None,
    ) -> Message | None:
        session_id, opened = turn.message.session_id, turn.head if isinstance(turn, _Turn) else None
        if opened and opened.conversation.expires_at <= self._now():
            opened = None  # it may have been prolonged since
        if opened and ticket and opened.conversation.ticket_id != beside:
            opened = None  # its writer knows better
        waiting: list[Item] = []

        async def step(head: Head) -> _Step[Message | None]:
            waiting.clear()
            conversation, known = self._unexpired(head), None
            if head is not opened:
                rows = await self._conversations.query(
                    "SELECT * FROM c WHERE c.answer_to = @message OR c.id = @ticket",
                    session_id,
                    message=turn.message.id,
                    ticket=item_id("ticket", ticket.id) if ticket else None,
                )
                if first := _answer(_messages(rows), turn.message):
                    return _Step(lambda _: first)
                known = next((row for row in rows if row["type"] == "ticket"), None)
            lease = turn.conversation.lease_until
            if lease is None or iso(lease) != head.last_lease:
                raise Conflict("This turn took too long; another one of the same conversation has begun since.")
            if conversation.lease_until is None:
                return _Step(lambda _: None)  # closed before, without an answer; or a person came after the lease
            check_alone(conversation, ticket, beside)
            conversation = replace(conversation, lease_until=None)
            stored, operations = None, list[Operation]()
            if answer is not None:
                conversation, stored, operations = self._added(conversation, replace(answer, reply_to=turn.message.id))
            if ticket is not None:
                conversation, more = self._with_ticket(conversation, ticket, known)
                operations += more
            waiting.extend(waiting_fact_item(session_id, fact, self._lives(conversation)) for fact in facts)
            operations += [("upsert", (item,)) for item in waiting]
            return _Step(lambda _: stored, conversation, operations)

        closed = await self._write(session_id, step, token_hex(8), opened)
        await self._facts.deliver(waiting)
        return closed

    async def append(self, message: Message, ticket: Ticket | None = None, *, beside: str | None = None) -> Message:
        async def step(head: Head) -> _Step[Message]:
            conversation = self._unexpired(head)
            rows = await self._conversations.query(
                "SELECT * FROM c WHERE c.id IN (@message, @ticket)",
                message.session_id,
                message=item_id("message", message.id),
                ticket=item_id("ticket", ticket.id) if ticket else None,
            )
            for earlier in _messages(rows):
                return _Step(lambda _, stored=earlier: stored)
            check_alone(conversation, ticket, beside)
            conversation, stored, operations = self._added(conversation, message)
            if ticket is not None:
                conversation, more = self._with_ticket(conversation, ticket, rows[0] if rows else None)
                operations += more
            return _Step(lambda _: stored, conversation, operations)

        return await self._write(message.session_id, step, token_hex(8))

    async def messages(
        self, session_id: str, *, after: int = 0, limit: int = 1000, expired: bool = False
    ) -> tuple[Message, ...]:
        if (await self.get(session_id, expired=expired)).last_seq <= after:
            return ()
        rows = await self._conversations.query(
            "SELECT TOP @limit * FROM c WHERE c.type = 'message' AND c.seq > @after ORDER BY c.seq",
            session_id,
            limit=limit,
            after=after,
        )
        return tuple(_messages(rows))

    async def set_feedback(self, session_id: str, message_id: str, feedback: Feedback) -> Message:
        await self.get(session_id)

        def rated(item: Item) -> Message:
            message = value(Message, item)
            if message.role == "user":
                raise NotFound("There is no such answer in this conversation.")
            return replace(message, feedback=feedback)

        message = await self._change(session_id, item_id("message", message_id), rated)
        if message is None:
            raise NotFound("There is no such answer in this conversation.")
        return message

    async def erase(self, session_id: str) -> Erasure:
        item = await self._conversations.read(CONVERSATION, session_id)
        # Facts that no other conversation can read are this one's.
        own = head_of(item).conversation.customer_id if item else None
        if own != id_of_session(session_id):
            own = None
        await self._facts.deliver(await self._conversations.query("SELECT * FROM c WHERE c.type = 'fact'", session_id))
        facts = await self._facts.remove(own) if own else 0
        kinds = await self._conversations.clear(session_id, last=CONVERSATION)
        # A fact may have come while the items went.
        facts += await self._facts.remove(own) if own else 0
        return Erasure(kinds.count(CONVERSATION), kinds.count("message"), kinds.count("ticket"), facts)

    # ---- tickets
    async def ticket(self, ticket_id: str, session_id: str | None = None) -> Ticket:
        name = item_id("ticket", ticket_id)
        if session_id is not None:
            item = await self._conversations.read(name, session_id)
        else:
            rows = await self._conversations.query("SELECT * FROM c WHERE c.type = 'ticket' AND c.id = @id", id=name)
            item = rows[0] if rows else None
        if item is None:
            raise NotFound("There is no such ticket.")
        return value(Ticket, item)

    async def tickets(
        self,
        *,
        statuses: Collection[Status],
        team: str | None = None,
        assignee: str | None = None,
        untouched_since: datetime | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[Ticket]:
        if not statuses:
            return []
        wanted: dict[str, Any] = {f"status{n}": status for n, status in enumerate(statuses)}
        conditions = ["c.type = 'ticket'", f"c.document.status IN ({', '.join(f'@{name}' for name in wanted)})"]
        for name, given in (("team", team), ("assignee", assignee)):
            if given is not None:
                conditions.append(f"c.document.{name} = @{name}")
                wanted[name] = given
        if untouched_since is not None:
            untouched = "c.document.touched_at = null AND c.document.created_at <= @since"
            conditions.append(f"(c.document.touched_at <= @since OR ({untouched}))")
            wanted["since"] = iso(untouched_since)
        if after is not None:
            try:
                last = await self.ticket(after)
            except NotFound:
                return []
            later = "c.document.created_at = @created AND c.id > @after"
            conditions.append(f"(c.document.created_at > @created OR ({later}))")
            wanted |= {"created": iso(last.created_at), "after": item_id("ticket", after)}
        rows = await self._conversations.query(
            f"SELECT TOP @limit * FROM c WHERE {' AND '.join(conditions)} ORDER BY c.document.created_at, c.id",  # noqa: S608
            limit=limit,
            **wanted,
        )
        return [value(Ticket, row) for row in rows]

    async def change_ticket(
        self, ticket: Ticket, change: Callable[[TicketState], TicketState], *, once: str | None = None
    ) -> TicketState:
        prolonged = False

        async def step(head: Head) -> _Step[TicketState]:
            nonlocal prolonged
            conversation = head.conversation
            rows = await self._conversations.query(
                "SELECT * FROM c WHERE c.type = 'ticket' OR (c.type = 'message' AND (c.seq = @newest OR c.id = @once))",
                ticket.session_id,
                newest=conversation.last_seq,
                once=item_id("message", once) if once else None,
            )
            tickets = {row["id"]: row for row in rows if row["type"] == "ticket"}
            if (item := tickets.get(item_id("ticket", ticket.id))) is None:
                raise NotFound("There is no such ticket.")
            messages = _messages(rows)
            newest = next((one for one in messages if one.seq == conversation.last_seq), None)
            if newest is None:
                raise Changed  # it was read before the conversation's item
            state = TicketState(conversation, value(Ticket, item), newest)
            for earlier in messages:
                if earlier.id == once:
                    return _Step(lambda _, stored=earlier: replace(state, message=stored))
            changed = change(state)
            prolonged = changed.conversation.expires_at > conversation.expires_at
            conversation, message, operations = changed.conversation, changed.message, list[Operation]()
            if message is not newest:
                conversation, message, operations = self._added(conversation, message)
            lives = self._lives(conversation)
            stored = ticket_item(changed.ticket, lives)
            operations.append(("replace", (item["id"], stored), {"if_match_etag": item["_etag"]}))
            if changed.event and await self._is_new(event := event_item(changed.event, lives)):
                operations.append(("create", (event,)))
            if conversation.ticket_id is None:
                left = [value(Ticket, row) for row in (tickets | {item["id"]: stored}).values()]
                open_ones = sorted((one.created_at, one.id) for one in left if one.status != "resolved")
                conversation = replace(conversation, ticket_id=open_ones[-1][1] if open_ones else None)
            after = replace(changed, conversation=conversation, message=message)
            return _Step(lambda _: after, conversation, operations)

        state = await self._write(ticket.session_id, step, token_hex(8))
        if prolonged:
            await self._keep(state.conversation)
        return state

    # ---- the outbox
    async def unsent_tickets(self, *, created_before: datetime, limit: int = 100) -> Sequence[Ticket]:
        # Who asks is the relay; facts whose turn died before it could deliver them wait for it, too.
        await self._facts.deliver(
            await self._conversations.query(
                "SELECT TOP @limit * FROM c WHERE c.type = 'fact' AND c.stored_at < @before",
                limit=limit,
                before=iso(created_before),
            )
        )
        return [value(Ticket, row) for row in await self._unsent("ticket", created_before, limit)]

    async def mark_sent(self, ticket: Ticket, at: datetime) -> None:
        def sent(item: Item) -> Ticket:
            stored = value(Ticket, item)
            return stored if stored.sent_at else replace(stored, sent_at=at)

        await self._change(ticket.session_id, item_id("ticket", ticket.id), sent)

    async def save_route(self, ticket: Ticket) -> Ticket:
        stored = await self._change(
            ticket.session_id, item_id("ticket", ticket.id), lambda item: with_route(value(Ticket, item), ticket)
        )
        if stored is None:
            raise NotFound("There is no such ticket.")
        return stored

    async def unsent_events(self, *, created_before: datetime, limit: int = 100) -> Sequence[OutboxEvent]:
        return [value(OutboxEvent, row) for row in await self._unsent("event", created_before, limit)]

    async def mark_event_sent(self, event: OutboxEvent, at: datetime) -> None:
        def sent(item: Item) -> OutboxEvent:
            stored = value(OutboxEvent, item)
            return stored if stored.sent_at else replace(stored, sent_at=at)

        await self._change(event.session_id, item_id("event", event.id), sent)

    # ---- customer facts
    async def remember(self, fact: CustomerFact) -> None:
        await self._facts.remember(fact)

    async def facts(self, customer_id: str) -> tuple[CustomerFact, ...]:
        return await self._facts.of(customer_id)

    async def forget_fact(self, customer_id: str, fact_id: str) -> None:
        await self._facts.forget(customer_id, fact_id)

    async def erase_customer(self, customer_id: str) -> Erasure:
        rows = await self._conversations.query(
            "SELECT * FROM c WHERE c.type = 'conversation'"
            " AND (c.document.customer_id = @name OR c.document.user_id = @name)",
            name=customer_id,
        )
        conversations = [value(Conversation, row) for row in rows]
        erased = sum([await self.erase(one.session_id) for one in conversations], Erasure())
        keys = {customer_id} | {one.customer_id for one in conversations}
        return erased + Erasure(facts=sum([await self._facts.remove(key) for key in keys]))

    # ---- what happened
    async def records(self, *, since: datetime, until: datetime) -> AsyncIterator[ConversationRecord]:
        created, session_id = iso(since), ""
        while True:
            heads = await self._conversations.query(
                "SELECT TOP @limit * FROM c WHERE c.type = 'conversation' AND c.document.created_at < @until"
                " AND (c.document.created_at > @created OR (c.document.created_at = @created AND c.session_id > @last))"
                " ORDER BY c.document.created_at, c.session_id",
                limit=RECORDS_AT_ONCE,
                until=iso(until),
                created=created,
                last=session_id,
            )
            if not heads:
                return
            names = {f"session{n}": head["session_id"] for n, head in enumerate(heads)}
            rows = await self._conversations.query(
                "SELECT * FROM c WHERE c.type IN ('message', 'ticket') AND c.session_id IN"  # noqa: S608
                f" ({', '.join(f'@{name}' for name in names)})",
                **names,
            )
            for head in heads:
                own = [row for row in rows if row["session_id"] == head["session_id"]]
                tickets = [value(Ticket, row) for row in own if row["type"] == "ticket"]
                yield ConversationRecord(
                    value(Conversation, head),
                    tuple(_messages(own)),
                    tuple(sorted(tickets, key=lambda one: (one.created_at, one.id))),
                )
            created, session_id = heads[-1]["document"]["created_at"], heads[-1]["session_id"]

    # ---- operators
    async def operator(self, username: str) -> Operator | None:
        name = item_id("operator", username)
        item = await self._operators.read(name, name)
        return value(Operator, item) if item else None

    async def save_operator(self, operator: Operator) -> None:
        await again(lambda: self._operators.upsert(operator_item(operator)))

    # ---- people
    def kept(self, *, names: Collection[str], sessions: Collection[str]) -> AsyncIterator[Stored]:
        return self._backup.kept(names, sessions)

    # ---- backup
    def everything(self) -> AsyncIterator[Stored]:
        return self._backup.everything()

    async def put_back(self, values: Sequence[Stored]) -> None:
        await self._backup.put_back(values)

    # ---- rate limits
    async def count_hit(self, key: str, *, window: int, now: datetime) -> int:
        return await self._limits.count_hit(key, window=window, now=now)

    # ---- what may be used once
    async def claim(self, key: str, *, until: datetime) -> bool:
        return await self._limits.claim(key, until=until)

    # ---- life cycle
    async def ping(self) -> None:
        await self._operators.read("ping", "ping")

    async def close(self) -> None:
        await self._cosmos.close()

    # ---- changes of a conversation
    async def _write[T](
        self, session_id: str, step: Callable[[Head], Awaitable[_Step[T]]], token: str, head: Head | None = None
    ) -> T:
        """Carry out what `step` makes of the conversation as it is now; of a newer state, if somebody was faster."""
        tried: _Step[T] | None = None

        async def work() -> T:
            nonlocal head, tried
            known, head = head or await self._head(session_id), None
            if tried and token in known.writes:
                return tried.result(known)
            made = await step(known)
            if made.conversation is None:
                return made.result(known)
            tried = made
            new = Head(made.conversation, None, made.lease or known.last_lease, (*known.writes, token))
            first = head_item(new, self._lives(new.conversation))
            batch = [("replace", (CONVERSATION, first), {"if_match_etag": known.etag}), *made.operations]
            etags = await self._conversations.batch(session_id, batch)
            return made.result(replace(new, etag=etags[0]))

        return await again(work)

    async def _change[T](self, session_id: str, name: str, change: Callable[[Item], T]) -> T | None:
        """Exchange the document of one item; None if there is no such item. To repeat it changes nothing more."""

        async def work() -> T | None:
            if (item := await self._conversations.read(name, session_id)) is None:
                return None
            changed = change(item)
            new = changed_item(item, self._now(), changed)
            if new["document"] != item["document"]:
                await self._conversations.replace(new)
            return changed

        return await again(work)

    def _added(self, conversation: Conversation, message: Message) -> tuple[Conversation, Message, list[Operation]]:
        """A message under the next number, with its event."""
        message = replace(message, seq=conversation.last_seq + 1)
        conversation = replace(conversation, last_seq=message.seq)
        create: Operation = ("create", (message_item(message, self._lives(conversation)),))
        return conversation, message, [create, *self._told(conversation, message)]

    def _told(self, conversation: Conversation, message: Message) -> list[Operation]:
        """What the customer writes goes to the person who owns the conversation."""
        event = customer_message(conversation, message)
        return [("create", (event_item(event, self._lives(conversation)),))] if event else []

    def _with_ticket(
        self, conversation: Conversation, ticket: Ticket, known: Item | None
    ) -> tuple[Conversation, list[Operation]]:
        """The same message makes the same ticket: the first one stays."""
        operations: list[Operation] = [] if known else [("create", (ticket_item(ticket, self._lives(conversation)),))]
        return with_ticket(conversation, ticket), operations

    async def _keep(self, conversation: Conversation) -> None:
        """Let all items live as long as the conversation, which was prolonged."""
        lives = self._lives(conversation)
        fields = lives.fields()
        try:
            rows = await self._conversations.query(
                "SELECT c.id FROM c WHERE c.kept_until < @until AND c.ttl != -1",
                conversation.session_id,
                until=fields["kept_until"],
            )
            patch = [{"op": "set", "path": f"/{name}", "value": given} for name, given in fields.items()]
            for n in range(0, len(rows), BATCH):
                operations = [("patch", (row["id"], patch)) for row in rows[n : n + BATCH]]
                await self._conversations.batch(conversation.session_id, operations)
        except (Changed, Unavailable) as error:
            # The next change does it; until then some items would go earlier, days after the customer's session.
            logger.warning("conversation_not_prolonged", extra={"error_type": type(error).__name__})

    # ---- reading
    async def _head(self, session_id: str) -> Head:
        item = await self._conversations.read(CONVERSATION, session_id)
        if item is None:
            raise NotFound("There is no such conversation, or it has expired.")
        return head_of(item)

    def _unexpired(self, head: Head) -> Conversation:
        if head.conversation.expires_at <= self._now():
            raise NotFound("There is no such conversation, or it has expired.")
        return head.conversation

    def _lives(self, conversation: Conversation) -> Lives:
        return Lives(conversation.expires_at + self._retention, self._now())

    async def _before(self, message: Message, history: int) -> tuple[Message, ...]:
        rows = await self._conversations.query(
            "SELECT * FROM c WHERE c.type = 'message' AND c.seq >= @first AND c.seq < @seq",
            message.session_id,
            first=message.seq - history,
            seq=message.seq,
        )
        return tuple(_messages(rows))

    async def _is_new(self, item: Item) -> bool:
        return await self._conversations.read(item["id"], item["session_id"]) is None

    async def _unsent(self, kind: str, created_before: datetime, limit: int) -> list[Item]:
        return await self._conversations.query(
            "SELECT TOP @limit * FROM c WHERE c.type = @type AND c.document.sent_at = null"
            " AND c.document.created_at < @before ORDER BY c.document.created_at, c.id",
            limit=limit,
            type=kind,
            before=iso(created_before),
        )


def _messages(rows: Sequence[Item]) -> list[Message]:
    """Oldest first."""
    return sorted((value(Message, row) for row in rows if row["type"] == "message"), key=lambda one: one.seq)


def _answer(messages: Sequence[Message], to: Message) -> Message | None:
    return next((one for one in messages if one.role == "assistant" and one.reply_to == to.id), None)
