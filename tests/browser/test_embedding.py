"""On other companies' pages: strict policies, hostile styles, several widgets, calls, languages, colours."""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt
import pytest
from playwright.async_api import Locator, expect

from functions.chat_http.widget import read
from tests.browser.conftest import IDENTITY_SECRET, Visitor
from tests.browser.site import Site

PASSWORD = "How do I reset my password?"

HOSTILE = """<style>
html { font-size: 30px; }
* { color: red !important; font: 40px serif !important; letter-spacing: 9px !important;
    box-sizing: content-box !important;
    text-transform: uppercase !important; background: yellow !important; opacity: .4 !important; }
button, textarea, ul { display: none !important; }
div, p, support-agent { border: 9px solid lime !important; transform: rotate(9deg) !important; }
support-agent { filter: blur(3px) !important; }
support-agent { display: none !important; }
.window, .launcher, .root { visibility: hidden !important; }
</style>"""


async def style(locator: Locator, name: str) -> str:
    return await locator.evaluate("(element, name) => getComputedStyle(element)[name]", name)


def identity(customer: str, secret: bytes = IDENTITY_SECRET) -> str:
    claims = {"sub": customer, "aud": "support-agent", "exp": int(time.time()) + 300, "jti": str(uuid.uuid4())}
    return jwt.encode(claims, secret, algorithm="HS256", headers={"kid": "site"})


async def test_a_strict_policy_of_the_page_is_no_obstacle(visitor: Visitor) -> None:
    api = visitor.line.url
    policy = (
        f"default-src 'none'; script-src {api}; connect-src {api};"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )
    await visitor.visit(attributes={"accent": "#7a1f5c", "lang": "de"}, headers={"Content-Security-Policy": policy})
    await visitor.open()
    answer = await visitor.answer(PASSWORD)
    await answer.locator(".chip").first.click()
    await expect(visitor.window.locator("mark")).to_be_visible()
    assert await style(visitor.launcher, "borderRadius") == "50%"
    assert await style(visitor.launcher, "backgroundColor") == "rgb(122, 31, 92)"
    assert visitor.errors == []


async def test_styles_of_the_page_do_not_reach_in(visitor: Visitor) -> None:
    await visitor.opened(head=HOSTILE)
    answer = await visitor.answer(PASSWORD)
    bubble = answer.locator(".bubble")
    assert await style(bubble, "fontSize") == "15px"
    assert await style(bubble, "color") == "rgb(28, 30, 36)"
    assert await style(bubble, "letterSpacing") == "normal"
    assert await style(bubble, "textTransform") == "none"
    assert await style(bubble, "borderTopWidth") == "0px"
    root = visitor.page.locator("support-agent")
    assert await style(root, "opacity") == "1"
    assert await style(root, "filter") == "none"
    assert await style(root, "display") == "contents"
    await expect(visitor.field).to_be_visible()


async def test_two_widgets_on_a_page_keep_apart(visitor: Visitor) -> None:
    await visitor.visit(
        visitor.script(id="sales", position="left", title="Sales"), visitor.script(id="help", title="Help")
    )
    sales, helping = visitor.page.locator("support-agent").nth(0), visitor.page.locator("support-agent").nth(1)
    if await sales.get_attribute("data-id") != "sales":
        sales, helping = helping, sales
    await sales.locator(".launcher").click()
    await helping.locator(".launcher").click()
    await expect(visitor.page.locator(".window")).to_have_count(2)
    await sales.locator(".composer textarea").fill(PASSWORD)
    await sales.locator(".composer textarea").press("Enter")
    await expect(sales.locator(".message.assistant").last).to_contain_text("your machines stay connected")
    await expect(helping.locator(".message.user")).to_have_count(0)
    assert await visitor.record("sales")
    assert await visitor.record("help") is None
    left, right = await sales.locator(".window").bounding_box(), await helping.locator(".window").bounding_box()
    assert left
    assert right
    assert left["x"] + left["width"] < right["x"]


async def test_the_same_script_twice_is_one_widget(visitor: Visitor) -> None:
    await visitor.visit(visitor.script(), visitor.script())
    await visitor.open()
    await expect(visitor.page.locator("support-agent")).to_have_count(1)


async def test_a_page_may_place_the_element_itself(visitor: Visitor) -> None:
    element = f'<support-agent data-api="{visitor.line.url}" data-title="Here"></support-agent>'
    await visitor.visit(element, visitor.script(element="none"))
    await expect(await visitor.open()).to_have_accessible_name("Here")
    await visitor.answer(PASSWORD)
    await expect(visitor.page.locator("support-agent")).to_have_count(1)


async def test_a_page_opens_and_closes_it_and_gets_the_focus_back(visitor: Visitor) -> None:
    await visitor.visit()
    await expect(visitor.launcher).to_be_visible()
    await visitor.page.evaluate(
        """() => {
          window.told = [];
          SupportAgent.on('open', () => window.told.push('open'));
          const stop = SupportAgent.on('close', () => { window.told.push('close'); stop(); });
          document.getElementById('before').onclick = () => SupportAgent.open();
        }"""
    )
    await visitor.page.locator("#before").press("Enter")
    await expect(visitor.field).to_be_focused()
    await visitor.page.evaluate("SupportAgent.close()")
    await expect(visitor.window).to_have_count(0)
    await expect(visitor.page.locator("#before")).to_be_focused()
    await visitor.page.evaluate("SupportAgent.get('default').open()")
    await visitor.page.evaluate("SupportAgent.close()")
    assert await visitor.page.evaluate("window.told") == ["open", "close", "open"]


async def test_the_site_says_who_the_customer_is(visitor: Visitor) -> None:
    await visitor.page.expose_function("tokenOf", identity)
    await visitor.visit()
    await expect(visitor.launcher).to_be_visible()
    await visitor.page.evaluate("SupportAgent.identify(() => tokenOf('anna'))")
    await visitor.open()
    await visitor.answer(PASSWORD)
    first = await visitor.record()
    assert first
    assert await user_id(visitor, first) == "anna"

    await visitor.page.evaluate("SupportAgent.identify(() => tokenOf('anna'))")  # the next page of the same customer
    await expect(visitor.window.locator(".message.user")).to_have_count(1)
    await visitor.page.evaluate("SupportAgent.identify(() => tokenOf('bert'))")
    await expect(visitor.window.locator(".message.user")).to_have_count(0)
    await visitor.answer(PASSWORD)
    second = await visitor.record()
    assert second
    assert await user_id(visitor, second) == "bert"
    await visitor.page.evaluate("SupportAgent.identify(null)")
    await expect(visitor.window.locator(".message.user")).to_have_count(0)
    assert await visitor.record() is None


async def user_id(visitor: Visitor, record: dict[str, Any]) -> str | None:
    place = f"{visitor.line.app_url}/chat/sessions/{record['sessionId']}/history"
    history = await visitor.page.request.get(place, headers={"Authorization": f"Bearer {record['token']}"})
    return (await history.json())["user_id"]


async def test_a_forged_identity_is_told_and_not_ignored(visitor: Visitor) -> None:
    visitor.expect_errors = True
    await visitor.opened()
    await visitor.page.evaluate("token => SupportAgent.identify(token)", identity("anna", b"x" * 32))
    await visitor.ask(PASSWORD)
    await expect(visitor.window.locator(".notice")).to_contain_text("We could not confirm who you are.")
    await expect(visitor.window.locator(".message.user")).to_contain_text("Not sent")
    assert await visitor.record() is None


@pytest.mark.parametrize("honest", [True, False])
async def test_a_pinned_script_runs_only_as_it_was_pinned(visitor: Visitor, honest: bool) -> None:
    visitor.expect_errors = not honest
    script = read("widget.js")
    integrity = script.integrity if honest else read("texts/de.json").integrity
    await visitor.visit(
        f'<script src="{visitor.line.url}/widget/{script.version}/widget.js" integrity="{integrity}"'
        ' crossorigin="anonymous" onload="document.title = `loaded`" onerror="document.title = `refused`"></script>'
    )
    await expect(visitor.page).to_have_title("loaded" if honest else "refused")
    await expect(visitor.page.locator("support-agent")).to_have_count(int(honest))


async def test_a_page_that_is_not_listed_is_refused(visitor: Visitor) -> None:
    visitor.expect_errors = True
    stranger = Site()
    try:
        visitor.site = stranger
        await visitor.page.clock.install()
        await visitor.opened()
        async with visitor.page.expect_event("requestfailed"):
            await visitor.ask(PASSWORD)
        notice = visitor.window.locator(".notice")
        for _ in range(5):
            async with visitor.page.expect_event("requestfailed"):
                await visitor.page.clock.run_for(10_000)
        await expect(notice).to_contain_text("We cannot be reached.")
        assert await visitor.record() is None
    finally:
        visitor.elsewhere.clear()  # the stranger's own pages
        stranger.close()


async def test_it_speaks_the_language_of_the_page(visitor: Visitor) -> None:
    for tag, label, language in (
        ("en-GB", "Open support chat", "en"),
        ("de", "Support-Chat öffnen", "de"),
        ("fr-CA", "Ouvrir le chat d’assistance", "fr"),
        ("es", "Abrir el chat de ayuda", "es"),
        ("pt-BR", "Abrir o chat de suporte", "pt"),
        ("ja", "サポートチャットを開く", "ja"),
        ("nl", "Open support chat", "en"),
    ):
        await visitor.visit(lang=tag)
        await expect(visitor.launcher).to_have_accessible_name(label)
        await expect(visitor.page.locator(".root")).to_have_attribute("lang", language)


async def test_the_language_can_be_changed_and_texts_that_cannot_be_had_are_english(visitor: Visitor) -> None:
    visitor.expect_errors = True
    await visitor.visit()
    await expect(visitor.launcher).to_have_accessible_name("Open support chat")
    change = "language => document.querySelector('support-agent').dataset.lang = language"
    await visitor.page.evaluate(change, "fr")
    await expect(visitor.launcher).to_have_accessible_name("Ouvrir le chat d’assistance")
    visitor.line.answer("GET /widget/texts/es.json", 503, {})
    await visitor.page.evaluate(change, "es")
    await expect(visitor.launcher).to_have_accessible_name("Open support chat")


async def test_right_to_left_pages_get_a_mirrored_widget(visitor: Visitor) -> None:
    await visitor.visit(attributes={"lang": "ar"})
    await visitor.open()
    await expect(visitor.page.locator(".root")).to_have_attribute("dir", "rtl")
    box = await visitor.launcher.bounding_box()
    assert box
    assert box["x"] < 100
    await visitor.answer(PASSWORD)
    own = await visitor.window.locator(".message.user .bubble").bounding_box()
    answer = await visitor.answers.last.locator(".bubble").bounding_box()
    assert own
    assert answer
    assert own["x"] < answer["x"]


async def test_colours_can_be_set_and_stay_readable(visitor: Visitor) -> None:
    head = "<style>support-agent { --support-background: rgb(250, 240, 230); --support-radius: 3px; }</style>"
    await visitor.visit(attributes={"accent": "#ffd54a"}, head=head)
    window = await visitor.open()
    assert await style(visitor.launcher, "backgroundColor") == "rgb(255, 213, 74)"
    assert await style(visitor.launcher, "color") == "rgb(16, 19, 26)"  # black on yellow
    assert await style(window, "backgroundColor") == "rgb(250, 240, 230)"
    assert await style(window, "borderTopLeftRadius") == "3px"


@pytest.mark.parametrize(
    ("system", "theme", "background"),
    [
        ("light", "auto", "rgb(255, 255, 255)"),
        ("dark", "auto", "rgb(23, 25, 31)"),
        ("light", "dark", "rgb(23, 25, 31)"),
        ("dark", "light", "rgb(255, 255, 255)"),
    ],
)
async def test_light_and_dark_follow_the_system_or_the_page(
    visitor: Visitor, system: Any, theme: str, background: str
) -> None:
    await visitor.page.emulate_media(color_scheme=system)
    await visitor.visit(attributes={"theme": theme})
    window = await visitor.open()
    assert await style(window, "backgroundColor") == background
    other: Any = "light" if system == "dark" else "dark"
    if theme == "auto":
        await visitor.page.emulate_media(color_scheme=other)
        await expect(window).not_to_have_css("background-color", background)
