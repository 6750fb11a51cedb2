"""The pages for people: the demo chat and the API's documentation. Nothing on them is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Only our own files, and pictures inside of them: Swagger UI's icons are data URLs."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def demo() -> FileResponse:
    return FileResponse(STATIC / "chat.html", headers={"Content-Security-Policy": POLICY})


@router.get("/docs")
async def docs() -> FileResponse:
    return FileResponse(STATIC / "docs.html", headers={"Content-Security-Policy": POLICY})


def install(app: FastAPI) -> None:
    app.include_router(router)
    app.mount("/static", _Files(directory=STATIC), name="static")
    # The package is only the carrier of Swagger UI's own files, which it holds unchanged.
    app.mount("/docs/assets", _Files(packages=[("fastapi_offline", "static")]), name="docs-assets")


class _Files(StaticFiles):
    """A browser keeps these, and asks each time whether they are still the same."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response
