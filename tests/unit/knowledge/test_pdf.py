"""PDF files as programs write them, drawn here with ReportLab."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import ListFlowable, Paragraph, SimpleDocTemplate, Table

from shared.knowledge import pdf
from shared.knowledge.markdown import join

WIDTH, HEIGHT = A4
SENTENCE = "The tank is full, so that the pump can draw water as long as the machine is on. "


def drawn(*pages: Callable[[Any], None], title: str | None = None, rotation: int = 0) -> str:
    content = io.BytesIO()
    canvas = Canvas(content, pagesize=A4)
    if title:
        canvas.setTitle(title)
    for page in pages:
        canvas.setPageRotation(rotation)
        page(canvas)
        canvas.showPage()
    canvas.save()
    return join(pdf.read(content.getvalue()).parts)[0]


def flowing(*flowables: Any, heading: str = "") -> str:
    def header(canvas: Any, document: Any) -> None:
        canvas.drawString(72, HEIGHT - 40, heading)
        canvas.drawRightString(WIDTH - 72, 30, f"Page {document.page}")

    content = io.BytesIO()
    document = SimpleDocTemplate(content, pagesize=A4)
    document.build(list(flowables), onFirstPage=header, onLaterPages=header)
    return join(pdf.read(content.getvalue()).parts)[0]


STYLES = getSampleStyleSheet()


def text(words: str, style: str = "BodyText") -> Paragraph:
    return Paragraph(words, STYLES[style])


def test_headings_paragraphs_and_lists() -> None:
    long = (SENTENCE * 3).strip()
    assert flowing(
        text("User manual", "Title"),
        text("1 Safety", "Heading1"),
        text(long),
        text(long),
        text("1.1 Before you start", "Heading3"),
        ListFlowable([text(long), text("Close the lid.")], bulletType="bullet"),
        text("Then:"),
        ListFlowable([text("Press OK."), text(long)], bulletFormat="%s."),
    ) == (
        f"# User manual\n\n# 1 Safety\n\n{long}\n\n{long}\n\n## 1.1 Before you start\n\n- {long}\n- Close the lid.\n\n"
        f"Then:\n\n1. Press OK.\n2. {long}"
    )


def test_running_headers_and_footers_are_left_out() -> None:
    pages = flowing(*[text(SENTENCE * 4) for _ in range(30)], heading="Kavendry Duo - manual")
    assert "Kavendry" not in pages
    assert "Page" not in pages
    assert pages.count("The tank is full") == 120


def test_a_table_over_two_pages_with_wrapped_cells() -> None:
    rows = [["Code", "Meaning", "What to do"]]
    rows += [[f"E-{n}", f"Fault of pump number {n}", SENTENCE * 2] for n in range(10, 50)]
    cells = [[text(cell) for cell in row] for row in rows]
    grid = Table(cells, colWidths=[50, 120, 250], repeatRows=1, style=[("GRID", (0, 0), (-1, -1), 0.5, "black")])
    lines = flowing(grid, heading="Manual").splitlines()
    assert lines[:2] == ["| Code | Meaning | What to do |", "| --- | --- | --- |"]
    assert lines[2:] == [f"| E-{n} | Fault of pump number {n} | {(SENTENCE * 2).strip()} |" for n in range(10, 50)]


@pytest.mark.parametrize(
    "rules", [[], [("LINEABOVE", (0, 0), (-1, 1), 1, "black"), ("LINEBELOW", (0, -1), (-1, -1), 1, "black")]]
)
def test_a_table_without_a_grid(rules: list[Any]) -> None:
    rows = [["Water", "Without filter", "With filter"], ["soft", "6 months", "12 months"], ["hard", "6 weeks", ""]]
    assert flowing(text("Limescale", "Heading1"), Table(rows, style=rules), text(SENTENCE)) == (
        "# Limescale\n\n| Water | Without filter | With filter |\n| --- | --- | --- |\n"
        f"| soft | 6 months | 12 months |\n| hard | 6 weeks | |\n\n{SENTENCE.strip()}"
    )


def test_what_nobody_sees_is_not_read() -> None:
    def page(canvas: Any) -> None:
        canvas.drawString(72, 700, "Seen.")
        canvas.setFillColorRGB(1, 1, 1)
        canvas.drawString(72, 600, "White on paper.")
        canvas.rect(60, 190, 300, 30, fill=1, stroke=0)
        canvas.drawString(72, 200, "White on white.")
        canvas.setFillColorRGB(0, 0, 0.5)
        canvas.rect(60, 490, 300, 30, fill=1)
        canvas.setFillColorRGB(1, 1, 1)
        canvas.drawString(72, 500, "White on blue.")
        canvas.setFillColorRGB(0, 0, 0, alpha=0.01)
        canvas.drawString(72, 300, "Hardly painted.")
        canvas.setFillColorRGB(0, 0, 0, alpha=1)
        canvas.drawString(72, HEIGHT + 50, "Off the page.")
        canvas.setFont("Helvetica", 0.5)
        canvas.drawString(72, 400, "Dust.")
        canvas.setFont("Helvetica", 40)
        canvas.rotate(45)
        canvas.drawString(300, 100, "DRAFT")

    assert drawn(page) == "Seen.\n\nWhite on blue."


def test_the_text_under_a_scan_is_read() -> None:
    def page(canvas: Any) -> None:
        canvas.drawInlineImage(Image.new("L", (20, 20)), 0, HEIGHT / 2, WIDTH, HEIGHT / 2)
        layer = canvas.beginText(72, 700)
        layer.setTextRenderMode(3)
        layer.textLine("Recognised text.")
        layer.setTextOrigin(72, 100)
        layer.textLine("Not painted, on paper.")
        canvas.drawText(layer)

    assert drawn(page) == "Recognised text."


@pytest.mark.parametrize(
    ("rotation", "turn", "to"), [(90, 90, (0, -HEIGHT)), (180, 180, (-WIDTH, -HEIGHT)), (270, 270, (-WIDTH, 0))]
)
def test_pages_that_lie_on_their_side(rotation: int, turn: int, to: tuple[float, float]) -> None:
    def page(canvas: Any) -> None:
        canvas.rotate(turn)
        canvas.translate(*to)
        for number, line in enumerate(["Lift the machine with two people and place it", "on a level surface."]):
            canvas.drawString(72, 400 - 14 * number, line)

    assert drawn(page, rotation=rotation) == "Lift the machine with two people and place it on a level surface."


def test_columns_are_read_one_after_the_other() -> None:
    def page(canvas: Any) -> None:
        for left in (72, 320):
            for number in range(20):
                canvas.drawString(
                    left, 700 - 14 * number, f"{'left' if left == 72 else 'right'} column, line {number:02}"
                )

    words = drawn(page).split()
    assert words.index("right") == 20 * 4


def test_every_page_is_told() -> None:
    def page(*lines: str) -> Callable[[Any], None]:
        return lambda canvas: [canvas.drawString(72, 500 - 40 * n, line) for n, line in enumerate(lines)]

    content = io.BytesIO()
    canvas = Canvas(content, pagesize=A4)
    for lines in [("First page.", "Still."), (), ("Third page.",)]:
        page(*lines)(canvas)
        canvas.showPage()
    canvas.save()
    text, pages = join(pdf.read(content.getvalue()).parts)
    assert text == "First page.\n\nStill.\n\nThird page."
    assert pages == (0, text.index("Third"), text.index("Third"))


def test_every_row_of_a_long_table_is_on_its_own_page() -> None:
    rows = [["Code", "What to do"], *([f"E-{n}", SENTENCE * 2] for n in range(10, 60))]
    content = io.BytesIO()
    grid = Table(
        [[text(cell) for cell in row] for row in rows], repeatRows=1, style=[("GRID", (0, 0), (-1, -1), 1, "red")]
    )
    SimpleDocTemplate(content, pagesize=A4).build([grid])
    markdown, pages = join(pdf.read(content.getvalue()).parts)
    assert len(pages) > 2
    assert markdown.count("\n\n") == 0
    assert all(markdown[start:].startswith("| E-") for start in pages[1:])


def test_lines_that_end_on_purpose_stay_lines() -> None:
    def page(canvas: Any) -> None:
        lines = ["Kavendry Ltd", "7 Marlow Quay", "Cork", "", (SENTENCE * 2)[:95], "and so on."]
        for number, line in enumerate(lines):
            canvas.drawString(72, 700 - 14 * number, line)

    assert drawn(page) == f"Kavendry Ltd\n7 Marlow Quay\nCork\n\n{(SENTENCE * 2)[:95].strip()} and so on."


def test_a_word_divided_at_the_end_of_a_line() -> None:
    def page(canvas: Any) -> None:
        for number, line in enumerate(["Take out the water fil-", "ter and order part KX-", "4410 in our shop."]):
            canvas.drawString(72, 700 - 14 * number, line)

    assert drawn(page) == "Take out the water filter and order part KX-4410 in our shop."


@pytest.mark.parametrize(
    ("title", "used"),
    [
        ("Descaling and water hardness", "Descaling and water hardness"),
        ("Microsoft Word - manual_v3 final.docx", ""),
        ("manual_v3", ""),
        ("untitled", ""),
        ("4711", ""),
    ],
)
def test_the_title_of_the_file(title: str, used: str) -> None:
    content = io.BytesIO()
    canvas = Canvas(content)
    canvas.setTitle(title)
    canvas.drawString(72, 700, "Text.")
    canvas.save()
    assert pdf.read(content.getvalue()).title == used
