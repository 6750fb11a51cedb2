"""The port to those who look at a conversation at this moment: the customer's open pages, the operators' desks.

What is pushed is only the news of what the store has already. Whoever misses it finds it by asking: a channel may lose
and repeat. Its adapter is `webpubsub.py`; on a laptop it talks to the hub of `local/`, which speaks the same protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

PROTOCOL = "json.webpubsub.azure.v1"
"""The WebSocket subprotocol that clients name:
https://learn.microsoft.com/azure/azure-web-pubsub/reference-json-webpubsub-subprotocol"""

Audience = Literal["customer", "operators"]
"""The two sides of a conversation. Neither hears what is meant for the other alone."""


@dataclass(frozen=True, slots=True)
class ClientUrl:
    """Where a client connects. Whoever has `url` hears one side of one conversation until `expires_at`, and can do
    nothing else there."""

    url: str
    protocol: str
    expires_at: datetime


class PushChannel(Protocol):
    @property
    def origin(self) -> str:
        """Scheme, host and port that clients connect to, as a page's Content-Security-Policy names it."""
        ...

    async def client_url(self, session_id: str, audience: Audience, *, minutes: int) -> ClientUrl:
        """For one client, to connect within `minutes` (at least 1). Raises `Unavailable`."""
        ...

    async def publish(self, session_id: str, audience: Audience, frame: Mapping[str, Any]) -> None:
        """Send a JSON object to all who are connected now; to nobody, if there are none. Raises `Unavailable`."""
        ...

    async def close(self) -> None: ...
