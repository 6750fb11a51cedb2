"""Customers' facts on Cosmos DB.

They lie in their customer's partition, so that all conversations of a customer can read them at the price of one query.
A batch is of one partition, and a turn's facts must be stored with its answer: so they are first stored beside the
answer, where they wait, and brought over right after. If the process dies between the two, the conversation's next turn
or the relay's timer brings them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from shared.cosmos import Changed, Container, Cosmos, Item, again, item_id, value
from shared.errors import Unavailable
from shared.memory import cosmos_schema as schema
from shared.memory.cosmos_items import CONVERSATION, fact_item
from shared.memory.models import CustomerFact

logger = logging.getLogger(__name__)


class CosmosFacts:
    def __init__(self, cosmos: Cosmos, conversations: Container, now: Callable[[], datetime]) -> None:
        self._conversations = conversations
        self._customers = Container(cosmos, schema.CUSTOMERS)
        self._now = now

    async def remember(self, fact: CustomerFact) -> None:
        await again(lambda: self._customers.upsert(fact_item(fact, self._now())))

    async def of(self, customer_id: str) -> tuple[CustomerFact, ...]:
        facts = [value(CustomerFact, row) for row in await self._customers.query("SELECT * FROM c", customer_id)]
        kept = [fact for fact in facts if not self._is_over(fact)]
        return tuple(sorted(kept, key=lambda fact: (fact.created_at, fact.id)))

    async def forget(self, customer_id: str, fact_id: str) -> None:
        await again(lambda: self._customers.delete(item_id("fact", fact_id), customer_id))

    async def remove(self, customer_id: str) -> int:
        """All of a customer; returns how many there were."""
        return len(await self._customers.clear(customer_id))

    async def deliver(self, waiting: Sequence[Item]) -> None:
        """Bring facts from their conversation to their customer. Those that cannot go now wait on."""
        for item in waiting:
            try:
                await self._deliver(value(CustomerFact, item), item)
            except (Changed, Unavailable) as error:
                logger.warning("fact_waits", extra={"error_type": type(error).__name__})

    async def _deliver(self, fact: CustomerFact, item: Item) -> None:
        if not self._is_over(fact):
            await self._customers.upsert(fact_item(fact, self._now()))
        session_id = item["session_id"]
        taken = await self._conversations.delete(item["id"], session_id)
        if not taken and await self._conversations.read(CONVERSATION, session_id) is None:
            # The conversation was erased meanwhile, and this fact with it.
            await again(lambda: self._customers.delete(item_id("fact", fact.id), fact.customer_id))

    def _is_over(self, fact: CustomerFact) -> bool:
        return fact.expires_at is not None and fact.expires_at <= self._now()
