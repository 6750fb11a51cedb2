"""The pictures in the documentation: `make screenshots` keeps them, `make test` sees that they can be made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from shared.settings import ROOT
from tests.browser.conftest import Desk, Visitor

RETURNS = "How many days do I have to return something?"
HUMAN = "I would like to talk to a person, please."
MAX_BYTES = 150_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return ROOT / "docs" / "images" if os.environ.get("SCREENSHOTS") else tmp_path


@pytest.mark.parametrize(
    ("name", "scheme", "width", "height"),
    [("light", "light", 1280, 760), ("dark", "dark", 1280, 760), ("mobile", "light", 390, 780)],
)
async def test_a_conversation(
    visitor: Visitor, desk: Desk, folder: Path, *, name: str, scheme: Any, width: int, height: int
) -> None:
    pictures: list[Path] = []

    async def picture(name: str) -> None:
        await expect(visitor.page.locator(".typing")).to_have_count(0)
        pictures.append(folder / name)
        await visitor.page.screenshot(path=pictures[-1])

    await visitor.page.set_viewport_size({"width": width, "height": height})
    await visitor.page.emulate_media(color_scheme=scheme)
    await visitor.page.goto(visitor.line.url + "/")
    window = await visitor.open()
    if name == "light":
        await picture("widget-light.png")
    await visitor.answer(RETURNS)
    await picture("demo-page.png" if name == "light" else f"widget-{name}.png")
    if name == "light":
        await visitor.answers.last.locator(".chip").first.click()
        await expect(window.locator("mark")).to_be_visible()
        await picture("widget-citation.png")
        await visitor.page.keyboard.press("Escape")
        await visitor.answer(HUMAN)
        await picture("widget-escalation.png")
        ticket = (await visitor.stored())[-1]["ticket_id"]
        desk.claim(ticket)
        desk.reply(ticket, "Hello, this is Ada. I have looked at your order: you can send it back until 14 May.")
        await visitor.page.reload()
        await expect(window.locator(".message.human")).to_be_visible()
        await picture("widget-human-reply.png")
        desk.resolve(ticket)
    for made in pictures:
        assert made.stat().st_size < MAX_BYTES, made.name
