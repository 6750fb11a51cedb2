"""Shared access signatures.

https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from urllib.parse import parse_qs, quote_plus

KEY_NAME = "RootManageSharedAccessKey"
EMULATOR_KEY = "SAS_KEY_VALUE"
"""No secret: every emulator has it."""


def connection_string(host: str, port: int, key: str = EMULATOR_KEY) -> str:
    return (
        f"Endpoint=sb://{host}:{port};SharedAccessKeyName={KEY_NAME};SharedAccessKey={key};UseDevelopmentEmulator=true;"
    )


def is_signed(key: str, token: str) -> bool:
    """Whether the token was made with this key and is still good."""
    fields = parse_qs(token.removeprefix("SharedAccessSignature "))
    try:
        resource, signature, expiry = fields["sr"][0], fields["sig"][0], fields["se"][0]
        expired = int(expiry) <= time.time()
    except (KeyError, ValueError):
        return False
    digest = hmac.digest(key.encode(), f"{quote_plus(resource)}\n{expiry}".encode(), hashlib.sha256)
    return not expired and hmac.compare_digest(base64.b64encode(digest), signature.encode())
