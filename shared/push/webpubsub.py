"""Azure Web PubSub, and what speaks its protocol: each side of each conversation is a group of one hub.

A client's token names the one group that its connection is in from the beginning, and no role: without one the service
lets a client neither join nor leave a group, nor send to one.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt

from shared.azure_http import proxies_for
from shared.connection_strings import web_pubsub_endpoint
from shared.errors import ConfigurationError, Unavailable
from shared.push.channel import PROTOCOL, Audience, ClientUrl

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

CONNECT_SECONDS = 2
READ_SECONDS = 3
SERVER_ERROR = 500
"""From this status on, and without any answer, a call is repeated at once, and once. The SDK would by default wait for
half a minute, and not repeat what got no answer."""

logger = logging.getLogger(__name__)


class WebPubSubChannel:
    """A `PushChannel`. `where` is a connection string or, with `credential`, which stays its owner's to close, the
    service's address (https://NAME.webpubsub.azure.com). `hub` begins with a letter and holds letters, digits and _.

    Raises `ConfigurationError` for a connection string that is none, without quoting it.
    """

    def __init__(self, where: str, hub: str, credential: AsyncTokenCredential | None = None) -> None:
        self._where = where
        self._hub = hub
        self._credential = credential
        try:
            self._endpoint = where if credential else web_pubsub_endpoint(where)
        except ValueError:
            raise ConfigurationError(
                "WEB_PUBSUB_CONNECTION_STRING: this is no connection string of Web PubSub."
            ) from None

    @cached_property
    def _client(self) -> Any:  # whose `send_to_group` is partly untyped
        """The SDK's. It is imported with the first token or frame: no answer needs it, and it takes its time."""
        from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient

        settings: dict[str, Any] = {
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retry_total": 0,
            "use_env_settings": False,
            "proxies": proxies_for(self._endpoint),
        }
        if self._credential:
            return WebPubSubServiceClient(self._where, self._hub, self._credential, **settings)
        return WebPubSubServiceClient.from_connection_string(self._where, self._hub, **settings)

    @property
    def origin(self) -> str:
        parts = urlsplit(self._endpoint)
        return f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"

    async def client_url(self, session_id: str, audience: Audience, *, minutes: int) -> ClientUrl:
        with _translated():
            made: Any = await self._client.get_client_access_token(
                groups=[group(session_id, audience)], minutes_to_expire=minutes
            )
        # It was made by the service, or by the client library beside us: what it says is only read.
        claims = jwt.decode(made["token"], options={"verify_signature": False})
        return ClientUrl(made["url"], PROTOCOL, datetime.fromtimestamp(claims["exp"], UTC))

    async def publish(self, session_id: str, audience: Audience, frame: Mapping[str, Any]) -> None:
        from azure.core.exceptions import AzureError, HttpResponseError

        with _translated():
            try:
                await self._send(group(session_id, audience), frame)
            except HttpResponseError as error:
                if (error.status_code or 0) < SERVER_ERROR:
                    raise
                await self._send(group(session_id, audience), frame)
            except AzureError:  # it may have been sent: clients go by a frame's number
                await self._send(group(session_id, audience), frame)

    async def _send(self, name: str, frame: Mapping[str, Any]) -> None:
        await self._client.send_to_group(name, frame, content_type="application/json")

    async def close(self) -> None:
        if "_client" in vars(self):
            await self._client.close()


def group(session_id: str, audience: Audience) -> str:
    """A session's id holds letters, digits and hyphens only, so no two conversations share a group."""
    return f"{audience}.{session_id}"


@contextmanager
def _translated() -> Generator[None]:
    """Turn the SDK's errors into `Unavailable`. Their own texts may quote an address with its token."""
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        logger.warning("web_pubsub_failed", extra={"status": error.status_code})
        raise Unavailable("The push channel refuses the request: see the log.") from error
    except AzureError as error:
        logger.warning("web_pubsub_unanswered", extra={"error_type": type(error).__name__})
        raise Unavailable("The push channel does not answer. Poll meanwhile.") from error
