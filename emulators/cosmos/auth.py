"""Signatures by the account's key, and tokens in their place, as the REST API defines them.

https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qs, unquote

EMULATOR_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
"""Published by Microsoft for its own emulator; it protects nothing."""


def sign(key: str, verb: str, path: str, date: str) -> str:
    """The signature of a request: `path` is that of the URL, decoded; `date` the x-ms-date header."""
    resource_type, link = _resource(path)
    text = f"{verb.lower()}\n{resource_type}\n{link}\n{date.lower()}\n\n"
    return base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()


def is_signed(key: str, verb: str, path: str, date: str, authorization: str) -> bool:
    """Whether the Authorization header (`type=master&ver=1.0&sig=…`, URL-encoded) was made with this key."""
    fields = parse_qs(unquote(authorization).replace("+", "%2B"))
    (signature,) = fields.get("sig", [""])
    return fields.get("type") == ["master"] and hmac.compare_digest(signature, sign(key, verb, path, date))


def is_token(token: str | None, authorization: str) -> bool:
    """Whether the Authorization header (`type=aad&ver=1.0&sig=…`) carries this token of Microsoft Entra ID."""
    fields = parse_qs(unquote(authorization).replace("+", "%2B"))
    return token is not None and fields.get("type") == ["aad"] and fields.get("sig") == [token]


def _resource(path: str) -> tuple[str, str]:
    """The type that is signed, and the link: of the resource itself, or of what a feed belongs to."""
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) % 2:
        return segments[-1], "/".join(segments[:-1])
    return (segments[-2] if segments else ""), "/".join(segments)
