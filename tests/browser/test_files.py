"""Attachments: by button, by drag, by paste; on their way, and refused."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from tests.browser.conftest import Visitor

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)

TRANSFER = """(element, [kind, files]) => {
  const data = new DataTransfer();
  for (const [name, text] of files) data.items.add(new File([text], name, {type: 'text/plain'}));
  const options = {bubbles: true, cancelable: true, composed: true};
  if (kind === 'paste') element.dispatchEvent(new ClipboardEvent('paste', {...options, clipboardData: data}));
  else element.dispatchEvent(new DragEvent(kind, {...options, dataTransfer: data}));
}"""


def file(name: str, content: bytes = b"words") -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


async def test_a_file_is_sent_with_progress_and_can_be_cited(visitor: Visitor) -> None:
    window = await visitor.opened()
    padding = b"<!--" + b" " * 7_000_000 + b"-->"  # more than the sockets' buffers hold
    big = file("offer.html", b"<p>The discount code of this offer is SUMMER-7781.</p>" + padding)
    await window.locator("input[type=file]").set_input_files(big)
    await expect(window.locator(".composer .files")).to_contain_text("offer.html")
    await expect(window.locator(".composer .files")).to_contain_text("7 MB")
    await expect(window.locator(".composer")).to_contain_text("Add a few words about the file.")

    gate = visitor.line.hold_upload()
    await visitor.ask("What is the discount code of this offer?")
    await gate.reached()
    await expect(window.get_by_role("progressbar")).to_be_visible()
    gate.open()

    await expect(visitor.answers).to_have_count(1)
    await expect(window.get_by_role("progressbar")).to_have_count(0)
    await expect(visitor.answers.last).to_contain_text("SUMMER-7781")
    await expect(window.locator(".message.user .files")).to_contain_text("offer.html")
    await visitor.answers.last.locator(".chip").first.click()
    await expect(window.locator("mark")).to_contain_text("SUMMER-7781")


async def test_files_can_be_dropped_pasted_and_removed(visitor: Visitor) -> None:
    window = await visitor.opened()
    await window.evaluate(TRANSFER, ["dragover", [["a.txt", "a"]]])
    await expect(window.locator(".drop")).to_be_visible()
    await window.evaluate(TRANSFER, ["drop", [["a.txt", "a"]]])
    await expect(window.locator(".drop")).to_have_count(0)
    await visitor.field.evaluate(TRANSFER, ["paste", [["b.md", "b"]]])
    await expect(window.locator(".composer .file-name")).to_have_text(["a.txt", "b.md"])

    await window.get_by_role("button", name="Remove a.txt").click()
    await expect(window.locator(".composer .file-name")).to_have_text(["b.md"])
    await expect(visitor.field).to_be_focused()


async def test_what_cannot_be_sent_is_refused_at_once_with_the_reason(visitor: Visitor) -> None:
    await visitor.visit(attributes={"max-files": "2", "max-file-mb": "1"})
    window = await visitor.open()
    await window.locator("input[type=file]").set_input_files(
        [file("photo.png"), file("empty.txt", b""), file("big.pdf", bytes(1_000_001)), file("1.md"), file("2.md")]
    )
    await expect(window.locator(".refusals li")).to_have_text(
        [
            "photo.png cannot be read here. Send PDF, Word, Excel, PowerPoint, HTML, Markdown, CSV or text.",
            "empty.txt is empty.",
            "big.pdf is larger than 1 MB.",
        ]
    )
    await expect(window.get_by_role("status")).to_contain_text("big.pdf is larger than 1 MB.")
    await expect(window.locator(".composer .file-name")).to_have_text(["1.md", "2.md"])
    await window.locator("input[type=file]").set_input_files(file("3.md"))
    await expect(window.locator(".refusals")).to_have_text("At most 2 files can be sent with one message.")


async def test_what_the_service_refuses_is_told_in_its_words(visitor: Visitor) -> None:
    visitor.expect_errors = True
    window = await visitor.opened()
    await window.locator("input[type=file]").set_input_files(file("picture.pdf", PNG))
    await visitor.ask("What is in this picture?")
    await expect(window.locator(".notice")).to_contain_text("This could not be done. ")
    await expect(window.locator(".notice")).to_contain_text("picture")
    await expect(window.locator(".message.user")).to_contain_text("Not sent")
    await visitor.answer("How do I reset my password?")
    await expect(window.locator(".notice")).to_have_count(0)

    # It keeps its place, also when what came after it is read anew.
    await window.get_by_role("button", name="More options").click()
    await window.get_by_role("menuitem", name="Talk to a person").click()
    await expect(window.locator(".escalation")).to_be_visible()
    await expect(window.locator(".written")).to_have_text(["What is in this picture?", "How do I reset my password?"])
    await expect(window.locator(".message").last.locator(".escalation")).to_be_visible()
