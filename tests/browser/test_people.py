"""A person is asked, comes, answers and goes; the customer sees all of it without doing anything."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import expect

from tests.browser.conftest import Desk, Visitor

HUMAN = "I would like to talk to a person, please."
READ = r"GET /chat/sessions/[\w-]+/messages.*"
POLL = 35_000
"""Milliseconds after which the widget has asked once more, however long it had heard nothing."""


async def ticket_of(visitor: Visitor) -> str:
    notice = visitor.window.locator(".escalation")
    await expect(notice).to_contain_text("A colleague will take over")
    found = re.search(r"tkt-\w+", await notice.inner_text())
    assert found
    return found[0]


async def test_from_the_wish_for_a_person_to_their_goodbye(visitor: Visitor, desk: Desk) -> None:
    await visitor.page.clock.install()
    window = await visitor.opened()
    await visitor.answer(HUMAN)
    await expect(window.locator(".escalation")).to_contain_text("expect an answer")
    await expect(window.locator(".heading")).to_contain_text("Waiting for a colleague")
    ticket = await ticket_of(visitor)

    desk.claim(ticket)
    desk.reply(ticket, "Hello, this is Ada.\nI have asked the courier.")
    await visitor.page.clock.run_for(POLL)
    await expect(window.locator(".remark")).to_contain_text("Ada Lindqvist has joined")
    reply = window.locator(".message.human")
    await expect(reply).to_contain_text("I have asked the courier.")
    await expect(reply.locator(".person")).to_have_text("ALAda Lindqvist Support team")
    await expect(window.locator(".heading")).to_contain_text("Ada Lindqvist")
    await expect(window.get_by_role("status")).to_contain_text("Ada Lindqvist: Hello, this is Ada.")

    await visitor.ask("Thank you, Ada!")
    await expect(window.locator(".message.user")).to_have_count(2)
    await expect(window.locator(".typing, .notice")).to_have_count(0)
    await expect(window.locator(".send")).to_be_visible()
    assert desk.messages(ticket)[-1]["message"] == "Thank you, Ada!"

    desk.resolve(ticket)
    await visitor.page.clock.run_for(POLL)
    await expect(window.locator(".remark").last).to_contain_text(f"has closed your request {ticket}")
    await expect(window.locator(".heading")).to_contain_text("AI assistant")
    await visitor.answer("How do I reset my password?")  # meanwhile comes what was asked for just before
    asked = visitor.line.count(READ)
    await visitor.page.clock.run_for(10 * POLL)
    await visitor.answer("How long is the warranty?")
    assert visitor.line.count(READ) == asked  # nobody is expected: nobody is asked for


async def test_nobody_is_asked_for_without_a_reason(visitor: Visitor) -> None:
    await visitor.page.clock.install()
    await visitor.opened()
    await visitor.answer("How do I reset my password?")
    await visitor.page.clock.run_for(10 * POLL)
    await visitor.answer("How long is the warranty?")
    assert visitor.line.count(READ) == 0


async def test_the_menu_asks_for_a_person_too(visitor: Visitor, desk: Desk) -> None:
    window = await visitor.opened()
    await window.get_by_role("button", name="More options").click()
    await window.get_by_role("menuitem", name="Talk to a person").click()
    ticket = await ticket_of(visitor)
    assert desk.messages(ticket)[-1]["ticket_id"] == ticket
    await expect(window.get_by_role("status")).to_contain_text(ticket)


async def test_a_reply_that_comes_while_the_window_is_closed_is_counted(visitor: Visitor, desk: Desk) -> None:
    await visitor.page.clock.install()
    await visitor.opened()
    await visitor.answer(HUMAN)
    ticket = await ticket_of(visitor)
    await visitor.page.keyboard.press("Escape")
    await visitor.page.reload()  # also on the next page
    await expect(visitor.launcher).to_have_accessible_name("Open support chat")
    desk.claim(ticket)
    await visitor.page.clock.run_for(POLL)
    await expect(visitor.launcher).to_have_accessible_name("Open support chat, 1 new")
    await visitor.open()
    await expect(visitor.window.locator(".remark")).to_contain_text("Ada Lindqvist has joined")
    await expect(visitor.launcher).to_have_accessible_name("Close chat")
    desk.resolve(ticket)


async def test_a_page_hears_of_messages(visitor: Visitor, desk: Desk) -> None:
    await visitor.page.clock.install()
    await visitor.opened()
    await visitor.page.evaluate(
        "window.told = []; void SupportAgent.on('message', message => window.told.push(message))"
    )
    await visitor.answer(HUMAN)
    ticket = await ticket_of(visitor)
    desk.claim(ticket)
    desk.reply(ticket, "Hello!")
    await visitor.page.clock.run_for(POLL)
    await expect(visitor.window.locator(".message.human")).to_be_visible()
    told: list[dict[str, Any]] = await visitor.page.evaluate("window.told")
    assert [message["role"] for message in told] == ["user", "assistant", "assistant", "human_agent"]
    assert told[-1] | {"id": ""} == {"id": "", "role": "human_agent", "text": "Hello!", "author": "Ada Lindqvist"}
    desk.resolve(ticket)
