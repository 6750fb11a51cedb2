"""The web widget: its script and texts, which pages of any site may load.

They are built from `widget/` and committed, so that nobody needs Node to run the app. `docs/widget.md` tells how to
embed them.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.errors import NotFound

FOLDER = Path(__file__).parent / "static" / "widget"
LANGUAGES = frozenset(path.stem for path in (FOLDER / "texts").glob("*.json"))

EVERGREEN = "public, max-age=300, must-revalidate"
"""Asked for again after five minutes; a page that is loaded meanwhile needs no request."""
IMMUTABLE = "public, max-age=31536000, immutable"
METHODS = ["GET", "HEAD"]

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class File:
    content: bytes
    zipped: bytes
    media_type: str
    version: str
    """The first 16 hex digits of its SHA-256: another content has another address."""
    integrity: str
    """For the `integrity` attribute of a script tag (Subresource Integrity)."""


@cache
def read(name: str) -> File:
    """A file of the widget, read and compressed once per process."""
    content = (FOLDER / name).read_bytes()
    return File(
        content=content,
        zipped=gzip.compress(content, mtime=0),
        media_type="text/javascript" if name.endswith(".js") else "application/json",
        version=hashlib.sha256(content).hexdigest()[:16],
        integrity="sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode(),
    )


@router.api_route("/widget.js", methods=METHODS)
async def evergreen(request: Request) -> Response:
    return _answer(request, read("widget.js"), EVERGREEN)


@router.api_route("/widget/{version}/widget.js", methods=METHODS)
async def pinned(version: str, request: Request) -> Response:
    script = read("widget.js")
    if version != script.version:
        raise NotFound("This version of the widget is not served any more. See /widget.js for the present one.")
    return _answer(request, script, IMMUTABLE)


@router.api_route("/widget/texts/{language}.json", methods=METHODS)
async def texts(language: str, request: Request) -> Response:
    if language not in LANGUAGES:
        raise NotFound("The widget does not speak this language.")
    return _answer(request, read(f"texts/{language}.json"), EVERGREEN)


def _answer(request: Request, file: File, caching: str) -> Response:
    zipped = "gzip" in request.headers.get("accept-encoding", "").lower()
    tag = f'"{file.version}{"-gzip" if zipped else ""}"'
    headers = {
        "ETag": tag,
        "Cache-Control": caching,
        "Vary": "Accept-Encoding",
        # Public, the same for everybody: any page may load it, also with an integrity attribute.
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    known = {entry.strip().removeprefix("W/") for entry in request.headers.get("if-none-match", "").split(",")}
    if tag in known:
        return Response(status_code=304, headers=headers)
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return Response(file.zipped if zipped else file.content, media_type=file.media_type, headers=headers)
