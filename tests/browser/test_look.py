from tests.browser.conftest import Visitor
from playwright.async_api import expect

async def test_look(visitor: Visitor) -> None:
    visitor.expect_errors = True
    await visitor.page.goto(visitor.line.url + "/")
    await visitor.page.screenshot(path="/tmp/wt-shot0.png")
    await visitor.open()
    await visitor.page.screenshot(path="/tmp/wt-shot1.png")
    await visitor.answer("How do I reset my password?")
    await visitor.page.screenshot(path="/tmp/wt-shot2.png")
    await visitor.answers.last.locator(".chip").first.click()
    await visitor.page.screenshot(path="/tmp/wt-shot3.png")
    await visitor.page.keyboard.press("Escape")
    await visitor.answer("I would like to talk to a person, please.")
    await visitor.page.screenshot(path="/tmp/wt-shot4.png")
    print(visitor.errors)
    print(await visitor.axe())
