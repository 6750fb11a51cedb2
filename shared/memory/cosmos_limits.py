"""Rate limits and claims on Cosmos DB: one small item each, alone in its partition, that goes by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from secrets import token_hex

from shared.cosmos import Changed, Container, Cosmos, Missing, again, item_id
from shared.memory import cosmos_schema as schema
from shared.memory.cosmos_items import seconds


class CosmosLimits:
    """See `ConversationStore`, whose methods these are."""

    def __init__(self, cosmos: Cosmos, now: Callable[[], datetime]) -> None:
        self._limits = Container(cosmos, schema.LIMITS)
        self._now = now

    async def count_hit(self, key: str, *, window: int, now: datetime) -> int:
        """A hit whose answer got lost may be counted twice."""
        name = item_id("hits", f"{window}:{int(now.timestamp()) // window}:{key}")

        async def work() -> int:
            try:
                item = await self._limits.patch(name, name, [{"op": "incr", "path": "/count", "value": 1}])
            except Missing:
                await self._limits.create({"id": name, "count": 1, "ttl": window + 1})
                return 1
            return item["count"]

        return await again(work)

    async def claim(self, key: str, *, until: datetime) -> bool:
        name, token = item_id("claim", key), token_hex(8)

        async def work() -> bool:
            try:
                await self._limits.create({"id": name, "token": token, "ttl": seconds(until - self._now())})
            except Changed:
                if (item := await self._limits.read(name, name)) is None:
                    raise
                return item["token"] == token  # its own, if an answer got lost
            return True

        return await again(work)
