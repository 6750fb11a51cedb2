"""What goes wrong between a browser and a server: nothing is lost or shown twice, and people know what to do."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visitor

PASSWORD = "How do I reset my password?"
SEND = r"POST /chat/sessions/[\w-]+/messages"
READ = r"GET /chat/sessions/[\w-]+/messages.*"


async def answered_once(visitor: Visitor) -> None:
    await expect(visitor.answers).to_have_count(1)
    await expect(visitor.answers.last).to_contain_text("your machines stay connected")
    await expect(visitor.window.locator(".message.user")).to_have_count(1)
    await expect(visitor.window.locator(".notice, .failed, .typing")).to_have_count(0)
    assert [message["role"] for message in await visitor.stored()] == ["assistant", "user", "assistant"]


@pytest.mark.parametrize("event", ["RUN_STARTED", "TEXT_MESSAGE_CONTENT", "RUN_FINISHED"])
async def test_a_cut_line_recovers_by_itself(visitor: Visitor, event: str) -> None:
    visitor.expect_errors = True
    await visitor.opened()
    visitor.line.cut_before(event)
    await visitor.ask(PASSWORD)
    await answered_once(visitor)
    assert visitor.line.count(SEND) == 1
    assert visitor.line.count(READ) >= 1


async def test_a_message_that_never_arrived_is_sent_again(visitor: Visitor) -> None:
    visitor.expect_errors = True
    await visitor.opened()
    visitor.line.cut(SEND)
    await visitor.ask(PASSWORD)
    await answered_once(visitor)
    assert visitor.line.count(SEND) == 2
    assert len({body for body in visitor.line.bodies if b"client_message_id" in body}) == 1


async def test_a_page_that_is_loaded_anew_meanwhile_shows_the_finished_answer(visitor: Visitor) -> None:
    await visitor.opened()
    gate = visitor.line.hold_before("TEXT_MESSAGE_CONTENT")
    await visitor.ask(PASSWORD)
    await gate.reached()
    await visitor.page.reload()
    await expect(visitor.window).to_be_visible()  # as it was
    await answered_once(visitor)
    gate.open()


async def test_a_conversation_goes_on_after_a_reload(visitor: Visitor) -> None:
    await visitor.opened()
    await visitor.answer(PASSWORD)
    await visitor.window.get_by_role("button", name="Close chat").click()
    await visitor.page.reload()
    await expect(visitor.window).to_have_count(0)
    await visitor.open()
    await answered_once(visitor)
    await expect(visitor.answers.last.locator(".chip").first).to_be_visible()
    await visitor.answer("How long is the warranty?")


async def test_offline_messages_wait_for_the_connection(visitor: Visitor) -> None:
    visitor.expect_errors = True
    await visitor.opened()
    await visitor.page.context.set_offline(True)
    await visitor.ask(PASSWORD)
    await expect(visitor.window.locator(".notice")).to_have_text("You are offline. We go on once you are connected.")
    await expect(visitor.window.get_by_role("status")).to_contain_text("You are offline.")
    await visitor.page.context.set_offline(False)
    await answered_once(visitor)


async def test_too_many_requests_wait_as_long_as_told(visitor: Visitor) -> None:
    visitor.expect_errors = True
    await visitor.opened()
    visitor.line.answer("POST /chat/sessions", 429, {"type": "urn:support-agent:problem:rate-limited"}, Retry_After="2")
    await visitor.ask(PASSWORD)
    await expect(visitor.window.locator(".notice")).to_contain_text("That was a lot at once. We go on in")
    await answered_once(visitor)


async def test_an_answer_in_progress_is_waited_for(visitor: Visitor) -> None:
    visitor.expect_errors = True
    await visitor.opened()
    visitor.line.answer(SEND, 409, {"type": "urn:support-agent:problem:turn-in-progress"}, Retry_After="1")
    await visitor.ask(PASSWORD)
    await answered_once(visitor)


async def test_a_service_that_is_away_can_be_tried_again(visitor: Visitor) -> None:
    visitor.expect_errors = True
    await visitor.opened()
    visitor.line.answer(SEND, 503, {"type": "urn:support-agent:problem:unavailable"}, Retry_After="30")
    await visitor.ask(PASSWORD)
    await expect(visitor.window.locator(".notice")).to_contain_text("We cannot be reached.")
    await expect(visitor.window.locator(".message.user")).to_contain_text("Not sent")
    await visitor.window.get_by_role("button", name="Try again").click()
    await answered_once(visitor)


async def test_a_turn_that_failed_can_be_tried_again(visitor: Visitor) -> None:
    def fail(event: dict[str, Any]) -> dict[str, Any]:
        if event["type"] != "RUN_FINISHED":
            return event
        visitor.line.rewrite = lambda other: other
        return {"type": "RUN_ERROR", "message": "Something went wrong.", "code": "unavailable"}

    await visitor.opened()
    visitor.line.rewrite = fail
    await visitor.ask(PASSWORD)
    await expect(visitor.window.locator(".notice")).to_contain_text("The answer could not be finished.")
    await visitor.window.get_by_role("button", name="Try again").click()
    await answered_once(visitor)


async def test_a_conversation_that_has_ended_gives_way_to_a_new_one(visitor: Visitor) -> None:
    visitor.expect_errors = True
    await visitor.opened()
    await visitor.answer("How long is the warranty?")
    record = await visitor.record()
    assert record
    place = f"{visitor.line.app_url}/chat/sessions/{record['sessionId']}"
    await visitor.page.request.delete(place, headers={"Authorization": f"Bearer {record['token']}"})
    await visitor.ask(PASSWORD)
    await expect(visitor.window.locator(".notice")).to_contain_text("This conversation has ended.")
    await expect(visitor.field).to_have_count(0)
    await visitor.window.get_by_role("button", name="New conversation").click()
    await answered_once(visitor)


async def test_a_token_is_renewed_before_it_expires(visitor: Visitor) -> None:
    await visitor.opened()
    await visitor.answer(PASSWORD)
    record = await visitor.record()
    assert record
    key = f"support-agent:{visitor.line.url}:default"
    soon = "([key, record]) => localStorage.setItem(key, JSON.stringify({...record, expiresAt: Date.now() + 60000}))"
    await visitor.page.evaluate(soon, [key, record])
    await visitor.page.reload()
    await expect(visitor.answers).to_have_count(1)
    await visitor.answer("How long is the warranty?")
    renewed = await visitor.record()
    assert renewed
    assert renewed["expiresAt"] == record["expiresAt"]
    assert visitor.line.count(r"POST /chat/sessions/[\w-]+/token") == 1


async def test_two_tabs_stay_in_step(visitor: Visitor) -> None:
    await visitor.opened()
    await visitor.answer("How long is the warranty?")
    other = await visitor.page.context.new_page()
    visitor.follow(other)
    await other.goto(visitor.page.url)
    await other.locator(".launcher").click()
    await expect(other.locator(".message.user")).to_have_count(1)

    await visitor.answer(PASSWORD)
    await expect(other.locator(".message.user")).to_have_count(2)
    answers = other.locator(".message.assistant[aria-busy=false]")
    await expect(answers).to_have_count(2)
    await expect(answers.last).to_have_text(await visitor.answers.last.inner_text(), use_inner_text=True)
    await other.locator(".composer textarea").fill("What does ERR-1042 mean?")
    await other.locator(".composer textarea").press("Enter")
    await expect(visitor.answers).to_have_count(3)
    await expect(answers).to_have_count(3)

    await visitor.window.get_by_role("button", name="More options").click()
    await visitor.window.get_by_role("menuitem", name="New conversation").click()
    await expect(other.locator(".message.user")).to_have_count(0)


async def test_without_storage_a_conversation_lasts_as_long_as_the_page(visitor: Visitor) -> None:
    forbid = "Object.defineProperty(window, '{}', {{get() {{ throw new DOMException('denied', 'SecurityError'); }}}})"
    for name in ("localStorage", "sessionStorage"):
        await visitor.page.add_init_script(forbid.format(name))
    await visitor.opened()
    await visitor.answer(PASSWORD)
    await visitor.answer("How long is the warranty?")
    assert visitor.line.count("POST /chat/sessions") == 1
