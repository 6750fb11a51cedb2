"""The values of the Cosmos DB store as a backup has them, or a person's export: out of it, and back into it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.cosmos import Changed, Container, Item, Operation, again, batches, value
from shared.errors import NotFound
from shared.escalation.outbox import OutboxEvent
from shared.escalation.ticket import Ticket
from shared.memory.cosmos_items import (
    CONVERSATION,
    Head,
    Lives,
    event_item,
    fact_item,
    head_item,
    head_of,
    message_item,
    operator_item,
    ticket_item,
)
from shared.memory.models import Conversation, CustomerFact, Message, Operator
from shared.memory.store import Stored

type OfConversation = Conversation | Message | Ticket | OutboxEvent

ORDER: Mapping[str, type[Any]] = {
    CONVERSATION: Conversation,
    "message": Message,
    "ticket": Ticket,
    "event": OutboxEvent,
    "fact": CustomerFact,
}
"""By the type of an item; a conversation comes before what belongs to it."""


class CosmosBackup:
    """`lives` says how long the items of a conversation are kept."""

    def __init__(
        self,
        conversations: Container,
        customers: Container,
        operators: Container,
        lives: Callable[[Conversation], Lives],
        now: Callable[[], datetime],
    ) -> None:
        self._conversations = conversations
        self._customers = customers
        self._operators = operators
        self._lives = lives
        self._now = now

    async def everything(self) -> AsyncIterator[Stored]:
        named = "SELECT VALUE c.session_id FROM c WHERE c.type = 'conversation'"
        sessions: Any = await again(lambda: self._conversations.query(named))
        for session_id in sorted(sessions):
            for one in await again(lambda session_id=session_id: self._whole(session_id)):
                yield one
        for container, kind in ((self._customers, CustomerFact), (self._operators, Operator)):
            for row in await again(lambda container=container: container.query("SELECT * FROM c")):
                yield value(kind, row)

    async def kept(self, names: Collection[str], sessions: Collection[str]) -> AsyncIterator[Stored]:
        named: Any = await self._conversations.query(
            "SELECT VALUE c.session_id FROM c WHERE c.type = 'conversation' AND"
            " (ARRAY_CONTAINS(@names, c.document.customer_id) OR ARRAY_CONTAINS(@names, c.document.user_id))",
            names=list(names),
        )
        for session_id in sorted({*sessions, *named}):
            for one in _in_order(await self._conversations.query("SELECT * FROM c", session_id)):
                yield one
        for name in sorted(names):
            for row in await self._customers.query("SELECT * FROM c", name):
                yield value(CustomerFact, row)

    async def _whole(self, session_id: str) -> list[Stored]:
        """A conversation with what belongs to it, as it was at one moment; empty if it is gone. Raises `Changed`."""
        before = await self._conversations.read(CONVERSATION, session_id)
        rows = await self._conversations.query("SELECT * FROM c", session_id)
        after = await self._conversations.read(CONVERSATION, session_id)
        if before is None or after is None:
            return []
        if before["_etag"] != after["_etag"]:
            raise Changed
        return _in_order(rows)

    async def put_back(self, values: Sequence[Stored]) -> None:
        whose: defaultdict[str, list[OfConversation]] = defaultdict(list)
        for one in values:
            match one:
                case CustomerFact():
                    await again(lambda one=one: self._customers.upsert(fact_item(one, self._now())))
                case Operator():
                    await again(lambda one=one: self._operators.upsert(operator_item(one)))
                case _:
                    whose[one.session_id].append(one)
        for session_id, own in whose.items():
            lives = self._lives(await self._conversation(session_id, own))
            operations: list[Operation] = [("upsert", (_item(one, lives),)) for one in own]
            for part in batches(operations):
                await again(lambda session_id=session_id, part=part: self._conversations.batch(session_id, part))

    async def _conversation(self, session_id: str, values: Sequence[OfConversation]) -> Conversation:
        """Among these values, or put back before."""
        for one in values:
            if isinstance(one, Conversation):
                return one
        item = await again(lambda: self._conversations.read(CONVERSATION, session_id))
        if item is None:
            raise NotFound(f"The conversation {session_id} has to be put back before what belongs to it.")
        return head_of(item).conversation


def _in_order(rows: Sequence[Item]) -> list[Stored]:
    kinds = list(ORDER)
    ordered = sorted(rows, key=lambda row: (kinds.index(row["type"]), row.get("seq", 0), row["id"]))
    return [value(ORDER[row["type"]], row) for row in ordered]


def _item(of: OfConversation, lives: Lives) -> Item:
    match of:
        case Conversation():
            return head_item(Head(replace(of, lease_until=None)), lives)
        case Message():
            return message_item(of, lives)
        case Ticket():
            return ticket_item(of, lives)
        case OutboxEvent():
            return event_item(of, lives)
