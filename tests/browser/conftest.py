"""The widget in a real browser, against the real app under the genuine runtime. One of each for all tests.

Everything waits for events, with Playwright's own patience; nothing sleeps.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from shared.settings import ROOT
from tests.browser.line import Line
from tests.browser.site import Site
from tests.node import PACKAGES, need_packages

START = 300
"""Seconds until the app has read the sample documents, at most."""
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
AXE = PACKAGES / "axe-core" / "axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
DOCUMENTS = (
    *("account/password-and-two-factor.md", "returns/returns-and-refunds.md", "returns/warranty.html"),
    *("products/duo-manual.pdf", "products/wifi-troubleshooting.md", "company/contact-and-opening-hours.md"),
)
"""Of the samples, what the tests ask for: the app starts sooner with few."""
IDENTITY_SECRET = b"0123456789abcdef0123456789abcdef"
"""What the site signs its identity tokens with; IDENTITY_KEYS holds the same."""
IDENTITY_KEYS = (
    '{"keys": [{"kty": "oct", "kid": "site", "alg": "HS256", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}'
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all: a browser belongs to the loop that started it."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def chromium() -> str:
    found = subprocess.run([ROOT / "tools" / "chromium.sh"], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(found.stderr.strip())
    return found.stdout.strip()


expect.set_options(timeout=15_000)
"""Milliseconds to wait for what takes one second at most: other tests run beside these."""


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    served = Site()
    yield served
    served.close()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    for name in DOCUMENTS:
        (folder / "documents" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "samples" / "documents" / name, folder / "documents" / name)
    return folder


@pytest.fixture(scope="session")
def app_url(chromium: str, site: Site, data_dir: Path) -> Iterator[str]:
    """`python -m local`, with tokens asked for as in Azure."""
    app = subprocess.Popen(
        [sys.executable, "-m", "local"],
        cwd=ROOT,
        env=os.environ
        | {"DATA_DIR": str(data_dir), "DOCUMENTS_DIR": "", "HOST": "127.0.0.1", "PORT": "0", "AUTH_MODE": "token"}
        | {"ALLOWED_ORIGINS": site.origin, "COMPANY_NAME": "Kavendry", "IDENTITY_KEYS": IDENTITY_KEYS}
        | {"SESSIONS_PER_MINUTE": "10000", "MESSAGES_PER_MINUTE": "10000", "LOGINS_PER_MINUTE": "10000"},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    late = threading.Timer(START, app.kill)
    late.start()
    try:
        url = next((line.split()[-1].rstrip("/") for line in app.stdout or () if "demo page" in line), None)
        late.cancel()
        assert url, f"the app did not start within {START} s"
        yield url
        app.send_signal(signal.SIGINT)
        assert app.wait(START) == 0
    finally:
        late.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(app.pid, signal.SIGKILL)
        app.wait()
        if app.stdout:
            app.stdout.close()


@pytest.fixture(scope="session")
def whole_line(app_url: str) -> Iterator[Line]:
    line = Line(app_url)
    yield line
    line.close()


@pytest.fixture
def line(whole_line: Line) -> Line:
    whole_line.reset()
    return whole_line


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield launched
        await launched.close()


class Visitor:
    """Somebody with a browser of their own: their page, and the widget on it."""

    def __init__(self, page: Page, line: Line, site: Site) -> None:
        self.page = page
        self.line = line
        self.site = site
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.expect_errors = False
        self.follow(page)

    def follow(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)

    def script(self, **attributes: str) -> str:
        data = " ".join(f'data-{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
        return f'<script src="{self.line.url}/widget.js" {data} async></script>'

    async def visit(self, *scripts: str, attributes: dict[str, str] | None = None, **page: Any) -> None:
        await self.page.goto(self.site.page(*(scripts or [self.script(**(attributes or {}))]), **page))

    async def opened(self, **page: Any) -> Locator:
        """The window of a widget that was just opened."""
        await self.visit(**page)
        return await self.open()

    async def open(self) -> Locator:
        await self.launcher.click()
        await expect(self.window).to_be_visible()
        return self.window

    @property
    def launcher(self) -> Locator:
        return self.page.locator(".launcher")

    @property
    def window(self) -> Locator:
        return self.page.locator(".window")

    @property
    def log(self) -> Locator:
        return self.window.locator(".log")

    @property
    def field(self) -> Locator:
        return self.window.locator(".composer textarea")

    @property
    def answers(self) -> Locator:
        """The bot's finished answers; the greeting is none."""
        return self.window.locator(".message.assistant[aria-busy=false]")

    async def ask(self, text: str) -> None:
        await self.field.fill(text)
        await self.field.press("Enter")

    async def answer(self, text: str) -> Locator:
        """Ask, and wait for the whole answer."""
        before = await self.answers.count()
        await self.ask(text)
        await expect(self.answers).to_have_count(before + 1)
        return self.answers.last

    async def stored(self) -> list[dict[str, Any]]:
        """The conversation as the app has it."""
        record = await self.record()
        assert record
        headers = {"Authorization": f"Bearer {record['token']}"}
        async with httpx.AsyncClient(base_url=self.line.app_url, headers=headers, trust_env=False) as http:
            history = await http.get(f"/chat/sessions/{record['sessionId']}/history")
        return history.raise_for_status().json()["messages"]

    async def record(self, name: str = "default") -> dict[str, Any] | None:
        """What is kept in the browser."""
        return await self.page.evaluate(
            "key => JSON.parse(localStorage.getItem(key))", f"support-agent:{self.line.url}:{name}"
        )

    async def axe(self) -> list[Any]:
        """What axe-core finds wrong on the page: rule and elements."""
        need_packages()
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(AXE.read_text("utf-8"))
        found = await self.page.evaluate("tags => axe.run(document, {runOnly: tags})", STANDARDS)
        assert found["passes"]
        return [(wrong["id"], [node["target"] for node in wrong["nodes"]]) for wrong in found["violations"]]


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, line: Line, site: Site) -> AsyncIterator[Visitor]:
    """Asserts at the end that nothing was loaded from elsewhere, and no script failed."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    guest = Visitor(await context.new_page(), line, site)
    context.on("request", lambda request: _note(guest, request.url))
    yield guest
    await context.close()
    assert guest.elsewhere == []
    assert guest.expect_errors or guest.errors == []


def _note(visitor: Visitor, url: str) -> None:
    ours = (visitor.line.url, visitor.site.origin, visitor.line.app_url, "data:", "blob:")
    if not url.startswith(ours):
        visitor.elsewhere.append(url)


class Desk:
    """A person of the company at work: claims the ticket of a conversation, replies, resolves."""

    def __init__(self, app_url: str, name: str, password: str) -> None:
        self._http = httpx.Client(base_url=app_url, trust_env=False, timeout=30)
        token = self._call("POST", "/auth/login", {"username": name, "password": password})["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._http.request(method, path, json=body).raise_for_status().json()

    def claim(self, ticket: str) -> None:
        self._call("POST", f"/helpdesk/tickets/{ticket}/claim")

    def reply(self, ticket: str, text: str) -> None:
        self._call("POST", f"/helpdesk/tickets/{ticket}/replies", {"message": text})

    def type(self, ticket: str) -> None:
        self._http.post(f"/helpdesk/tickets/{ticket}/typing").raise_for_status()

    def resolve(self, ticket: str) -> None:
        self._call("POST", f"/helpdesk/tickets/{ticket}/resolve")

    def messages(self, ticket: str) -> list[dict[str, Any]]:
        return self._call("GET", f"/helpdesk/tickets/{ticket}")["messages"]

    def close(self) -> None:
        self._http.close()


@pytest.fixture(scope="session")
def desk(app_url: str, data_dir: Path) -> Iterator[Desk]:
    password = secrets.token_urlsafe(16)
    subprocess.run(
        [sys.executable, "-m", "tools.create_operator", "ada", "--display-name", "Ada Lindqvist", "--stdin"],
        cwd=ROOT,
        env=os.environ | {"DATA_DIR": str(data_dir), "AUTH_MODE": "open"},
        input=password + "\n",
        text=True,
        check=True,
        capture_output=True,
    )
    signed_in = Desk(app_url, "ada", password)
    yield signed_in
    signed_in.close()
