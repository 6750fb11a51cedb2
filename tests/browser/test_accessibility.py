"""WCAG 2.2 AA: axe-core finds nothing in any state, and everything can be done with a keyboard, on any screen."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Desk, Visitor

PASSWORD = "How do I reset my password?"
POLL = 35_000


@pytest.mark.parametrize(
    ("scheme", "width", "height", "attributes"),
    [
        ("light", 1280, 800, {"suggestions": "How long is the warranty?"}),
        ("dark", 1280, 800, {"suggestions": "How long is the warranty?"}),
        ("light", 320, 640, {}),
        ("dark", 640, 360, {"lang": "ja", "dir": "rtl"}),
    ],
    ids=["light", "dark", "320px", "dark at 200 %, Japanese, mirrored"],
)
async def test_axe_finds_nothing_in_any_state(
    visitor: Visitor, desk: Desk, *, scheme: Any, width: int, height: int, attributes: dict[str, str]
) -> None:
    visitor.expect_errors = True
    found: dict[str, list[Any]] = {}
    await visitor.page.set_viewport_size({"width": width, "height": height})
    await visitor.page.emulate_media(color_scheme=scheme)
    # A page in dark colours is the page's own affair.
    await visitor.visit(attributes=attributes, head="<style>body { background: #fff; color: #000; }</style>")
    await expect(visitor.launcher).to_be_visible()
    found["closed"] = await visitor.axe()
    await visitor.launcher.click()
    found["greeting"] = await visitor.axe()
    await talk_to_the_bot(visitor, found)
    await talk_to_a_person(visitor, desk, found)
    assert {state: wrong for state, wrong in found.items() if wrong} == {}
    print(f"axe: {scheme} {width}x{height}: nothing in {len(found)} states: {', '.join(found)}")


async def talk_to_the_bot(visitor: Visitor, found: dict[str, list[Any]]) -> None:
    window = visitor.window
    await window.locator(".menu > button").click()
    found["menu"] = await visitor.axe()
    await visitor.page.keyboard.press("Escape")

    await window.locator("input[type=file]").set_input_files(
        [
            {"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"},
            {"name": "b.png", "mimeType": "image/png", "buffer": b"b"},
        ]
    )
    found["files and a refusal"] = await visitor.axe()
    await window.locator(".composer .files button").click()
    gate = visitor.line.hold_before("TEXT_MESSAGE_START")
    await visitor.ask(PASSWORD)
    await gate.reached()
    await expect(window.locator(".typing")).to_be_visible()
    found["typing"] = await visitor.axe()
    gate.open()
    await expect(visitor.answers).to_have_count(1)
    found["answer"] = await visitor.axe()
    await visitor.answers.last.locator(".chip").first.click()
    await expect(window.locator("mark")).to_be_visible()
    found["citation"] = await visitor.axe()
    await visitor.page.keyboard.press("Escape")
    await visitor.answers.last.locator(".thumb").first.click()
    await expect(visitor.answers.last.locator("form")).to_be_visible()
    found["feedback"] = await visitor.axe()
    await visitor.page.keyboard.press("Escape")


async def talk_to_a_person(visitor: Visitor, desk: Desk, found: dict[str, list[Any]]) -> None:
    window = visitor.window
    visitor.line.answer(r"POST .*/messages", 503, {"type": "urn:support-agent:problem:unavailable"})
    await visitor.ask("I would like to talk to a person, please.")
    await expect(window.locator(".notice")).to_be_visible()
    found["error"] = await visitor.axe()
    await window.locator(".notice button").click()
    await expect(window.locator(".escalation")).to_be_visible()
    found["escalation"] = await visitor.axe()

    ticket = (await visitor.stored())[-1]["ticket_id"]
    desk.claim(ticket)
    desk.reply(ticket, "Hello, this is Ada.")
    await visitor.page.reload()
    await expect(window.locator(".message.human")).to_be_visible()
    found["human reply"] = await visitor.axe()
    desk.resolve(ticket)
    await window.locator(".menu > button").click()
    await window.locator("[role=menuitem].danger").click()
    await expect(window.get_by_role("alertdialog")).to_be_visible()
    found["delete"] = await visitor.axe()


async def test_everything_can_be_done_with_a_keyboard(visitor: Visitor) -> None:
    keys = visitor.page.keyboard
    await visitor.visit()
    await expect(visitor.launcher).to_be_visible()
    await visitor.page.locator("#before").focus()
    await keys.press("Tab")
    await expect(visitor.launcher).to_be_focused()
    await keys.press("Enter")
    await expect(visitor.field).to_be_focused()
    await keys.type("How do I reset")
    await keys.press("Shift+Enter")
    await keys.type("my password?")
    await keys.press("Enter")
    await expect(visitor.answers).to_have_count(1)
    await expect(visitor.window.locator(".message.user .written")).to_have_text("How do I reset\nmy password?")
    await expect(visitor.field).to_be_focused()

    names: list[str] = []
    for _ in range(20):
        await keys.press("Shift+Tab")
        names.append(
            await visitor.page.evaluate(
                """() => {
                  const focused = document.activeElement.shadowRoot?.activeElement;
                  return focused ? focused.getAttribute('aria-label') ?? focused.textContent : 'outside';
                }"""
            )
        )
    assert "Attach files" in names
    assert "Helpful" in names
    assert "Source 1: Password, sign-in and two-factor login" in names
    assert "More options" in names
    assert "Close chat" in names

    await visitor.window.get_by_role("button", name="More options").focus()
    await keys.press("Enter")
    entries = visitor.window.get_by_role("menuitem")
    await expect(entries.first).to_be_focused()
    await keys.press("ArrowUp")
    await expect(entries.last).to_be_focused()
    await keys.press("ArrowDown")
    await expect(entries.first).to_be_focused()
    await keys.press("End")
    await keys.press("Home")
    await expect(entries.first).to_be_focused()
    await keys.press("Escape")
    await expect(entries).to_have_count(0)
    await expect(visitor.window.get_by_role("button", name="More options")).to_be_focused()
    await keys.press("Escape")
    await expect(visitor.window).to_have_count(0)
    await expect(visitor.launcher).to_be_focused()


@pytest.mark.parametrize(("width", "height"), [(320, 568), (640, 400)], ids=["320 px", "1280 px at 200 %"])
async def test_on_small_screens_it_covers_the_page_and_keeps_the_focus(
    visitor: Visitor, width: int, height: int
) -> None:
    await visitor.page.set_viewport_size({"width": width, "height": height})
    window = await visitor.opened()
    assert await window.bounding_box() == {"x": 0, "y": 0, "width": width, "height": height}
    await expect(window).to_have_attribute("aria-modal", "true")
    answer = await visitor.answer("My Duo shows E-21. What does it mean?")
    await answer.locator(".chip").first.click()
    await expect(window.locator("mark")).to_be_in_viewport()
    await visitor.page.keyboard.press("Escape")
    assert await visitor.log.evaluate("element => element.scrollWidth <= element.clientWidth")
    await expect(visitor.field).to_be_in_viewport()
    for _ in range(30):
        await visitor.page.keyboard.press("Tab")
        assert await visitor.page.evaluate("document.activeElement.localName") == "support-agent"
    await window.get_by_role("button", name="Close chat").click()
    await expect(visitor.launcher).to_be_focused()


@pytest.mark.parametrize(("motion", "animated"), [("reduce", False), ("no-preference", True)])
async def test_nothing_moves_for_those_who_do_not_want_it(visitor: Visitor, motion: Any, animated: bool) -> None:
    await visitor.page.emulate_media(reduced_motion=motion)
    window = await visitor.opened()
    gate = visitor.line.hold_before("TEXT_MESSAGE_START")
    await visitor.ask(PASSWORD)
    await expect(window.locator(".dots")).to_be_visible()
    names = "elements => elements.map(element => getComputedStyle(element).animationName)"
    moving = await visitor.page.locator(".window, .dots i").evaluate_all(names)
    assert (set(moving) != {"none"}) is animated
    gate.open()
    await expect(visitor.answers).to_have_count(1)
