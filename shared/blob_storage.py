"""Blob Storage as the adapters see it: the containers of one account, and errors of our own.

The SDK repeats what got no answer. All that is done here may be done twice: a blob is written whole, and what is
deleted stays deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient, LinearRetry

from shared.errors import ConfigurationError, NotFound, Unavailable

CONNECT_SECONDS = 3
READ_SECONDS = 20
"""Longest wait for the next bytes of an answer."""
RETRIES = LinearRetry(backoff=1, random_jitter_range=1, retry_total=3)
"""Three times, each after 0 to 2 s: by default the SDK would let a customer wait for a minute."""

logger = logging.getLogger(__name__)


class BlobAccount:
    """One client for all containers, connected when first used.

    `where` is a connection string or, with `credential`, which stays its owner's to close, the account's address
    (https://NAME.blob.core.windows.net).
    Raises `ConfigurationError` for a connection string that is none, without quoting it.
    """

    def __init__(self, where: str, credential: AsyncTokenCredential | None = None) -> None:
        patience: dict[str, Any] = {
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retry_policy": RETRIES,
        }
        if credential is not None:
            self._client = BlobServiceClient(where, credential, **patience)
            return
        try:
            self._client = BlobServiceClient.from_connection_string(where, **patience)
        except ValueError:
            raise ConfigurationError("DOCUMENTS_STORAGE: this is no connection string of a storage account.") from None

    def container(self, name: str) -> Any:
        """The SDK's `ContainerClient`."""
        return self._client.get_container_client(name)

    async def create(self, containers: Sequence[str]) -> None:
        """Those that are not there. Raises `Unavailable`."""
        with translated():
            for name in containers:
                with suppress(ResourceExistsError):
                    await self.container(name).create_container()

    async def close(self) -> None:
        """A second time does nothing."""
        await self._client.close()


@contextmanager
def translated(missing: str = "There is no such blob.") -> Generator[None]:
    """Turn the SDK's errors into ours: `NotFound`, saying `missing`, or `Unavailable`."""
    try:
        yield
    except ResourceNotFoundError as error:
        if _code(error) == "BlobNotFound":
            raise NotFound(missing) from None
        logger.error("blob_storage_failed", extra={"problem": _code(error)})
        raise Unavailable("The container is not there: python -m tools.create_stores makes it.") from error
    except HttpResponseError as error:
        logger.error("blob_storage_failed", extra={"status": error.status_code, "problem": _code(error)})
        raise Unavailable("The blob storage refuses the request or has too much to do: see the log.") from error
    except AzureError as error:
        logger.warning("blob_storage_unanswered", extra={"error_type": type(error).__name__})
        raise Unavailable("The blob storage does not answer. Try again.") from error


def _code(error: HttpResponseError) -> str:
    """The service's word for it. The text of an error may quote a blob's name."""
    return str(getattr(error, "error_code", None) or type(error).__name__)
