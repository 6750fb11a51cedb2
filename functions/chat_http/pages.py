"""The pages for people: one with the widget on it, and the API's documentation. Nothing is loaded from elsewhere.

Where the samples are, the first is the sample company's site; they are not deployed, so in Azure it is a plain page.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from functions.chat_http import widget
from functions.chat_http.access import Provided
from shared.services import Services
from shared.settings import ROOT

STATIC = Path(__file__).parent / "static"
SITE = ROOT / "samples" / "site"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Only our own files, and pictures inside of them: Swagger UI's icons are data URLs."""

STRICT_POLICY = POLICY + "; require-trusted-types-for 'script'; trusted-types 'none'"
"""No script may make HTML or code of a text. The widget does not."""

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=widget.METHODS)
async def home(services: Provided) -> FileResponse:
    page = SITE / "index.html"
    if not page.exists():
        page = STATIC / "index.html"
    return FileResponse(page, headers={"Content-Security-Policy": _with_push(STRICT_POLICY, services)})


@router.api_route("/docs", methods=widget.METHODS)
async def docs() -> FileResponse:
    return FileResponse(STATIC / "docs.html", headers={"Content-Security-Policy": POLICY})


def _with_push(policy: str, services: Services) -> str:
    """The policy of a page with the widget on it, which also connects to where news are pushed."""
    origin = services.push.origin
    return policy.replace("connect-src 'self'", f"connect-src 'self' {origin}") if origin else policy


def install(app: FastAPI) -> None:
    app.include_router(router)
    app.include_router(widget.router)
    app.mount("/static", _Files(directory=STATIC), name="static")
    app.mount("/site", _Files(directory=SITE, check_dir=False), name="site")
    # The package is only the carrier of Swagger UI's own files, which it holds unchanged.
    app.mount("/docs/assets", _Files(packages=[("fastapi_offline", "static")]), name="docs-assets")


class _Files(StaticFiles):
    """A browser keeps these, and asks each time whether they are still the same."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response
