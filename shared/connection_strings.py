"""Whether a connection string is one, told without the SDK that it is for: at the start, when no SDK is imported yet.

The SDKs refuse the same, later. What a string holds is never quoted: it is a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit


def check_service_bus(text: str) -> None:
    """Raises `ValueError` for what is no connection string of Service Bus, saying what it lacks."""
    given = _fields(text)
    if not urlsplit(given.get("Endpoint", "")).netloc:
        raise ValueError("it has no Endpoint with a host")
    signature = next((value for name, value in given.items() if name.lower() == "sharedaccesssignature"), "")
    name, key = given.get("SharedAccessKeyName", ""), given.get("SharedAccessKey", "")
    if bool(name) != bool(key):
        raise ValueError("SharedAccessKeyName and SharedAccessKey go together")
    if bool(key) == bool(signature):
        raise ValueError("it needs either a SharedAccessKey or a SharedAccessSignature")


def check_blob_storage(text: str) -> None:
    """Raises `ValueError` for what is no connection string of a storage account with blobs, saying what it lacks."""
    given = {name.lower(): value for name, value in _fields(text).items()}
    if given.get("usedevelopmentstorage") == "true" or given.get("blobendpoint"):
        return
    if "blobsecondaryendpoint" in given or not given.get("accountname"):
        raise ValueError("it has no AccountName and no BlobEndpoint")


def _fields(text: str) -> Mapping[str, str]:
    pairs = [part.partition("=") for part in text.strip().rstrip(";").split(";")]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError("it is not made of NAME=VALUE, with ; between them")
    return {name: value for name, _, value in pairs}


CHECKS: Mapping[str, tuple[str, Callable[[str], None]]] = {
    "service_bus": ("Service Bus", check_service_bus),
    "documents_storage": ("a storage account", check_blob_storage),
}
"""Of each setting that is a connection string: whose it must be, and how that is told."""
