"""Connection strings, checked and taken apart without the SDKs that they are for: at the start none is imported yet.

The SDKs refuse the same, later. What a string holds is never quoted: it is a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit


def cosmos_account(text: str) -> tuple[str, str]:
    """Endpoint and key of `AccountEndpoint=…;AccountKey=…;`. Raises `ValueError`, saying what it lacks."""
    given = _fields(text)
    for name in ("AccountEndpoint", "AccountKey"):
        if not given.get(name):
            raise ValueError(f"it has no {name}")
    return given["AccountEndpoint"], given["AccountKey"]


def web_pubsub_endpoint(text: str) -> str:
    """The address in `Endpoint=…;AccessKey=…;`, with the `Port` that may stand beside it. Raises `ValueError`, saying
    what it lacks."""
    given = {name.lower(): value for name, value in _fields(text).items()}
    if not given.get("accesskey"):
        raise ValueError("it has no AccessKey")
    endpoint, port = given.get("endpoint", ""), given.get("port")
    address = urlsplit(endpoint)
    if address.scheme not in ("https", "http") or not address.netloc:
        raise ValueError("it has no Endpoint that begins with https:// or http://")
    return f"{endpoint.rstrip('/')}:{port}" if port else endpoint


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


CHECKS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "cosmos_connection_string": ("Cosmos DB", cosmos_account),
    "service_bus": ("Service Bus", check_service_bus),
    "documents_storage": ("a storage account", check_blob_storage),
    "web_pubsub_connection_string": ("Web PubSub", web_pubsub_endpoint),
}
"""Of each setting that is a connection string: whose it must be, and what raises `ValueError` if it is not."""
