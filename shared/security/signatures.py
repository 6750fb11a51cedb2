"""Signs what is posted to others, as Standard Webhooks has it.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""

from __future__ import annotations

import base64
import hashlib
import hmac

MIN_KEY, MAX_KEY = 24, 64
"""Bytes, by the specification."""


def sign(key: bytes, identifier: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`; `timestamp` is in Unix seconds."""
    signed = f"{identifier}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def read_key(secret: str) -> bytes:
    """The key of a secret like `whsec_…`. Raises `ValueError` that says what it must be."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith("whsec_") or not MIN_KEY <= len(key) <= MAX_KEY:
        raise ValueError(f"must be whsec_ and {MIN_KEY} to {MAX_KEY} random bytes in base64")
    return key
