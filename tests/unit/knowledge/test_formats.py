from __future__ import annotations

import io
import re
import struct
import zipfile
from datetime import datetime
from typing import Any

import pytest

from shared.errors import DocumentRejected
from shared.knowledge.formats import Kind, ParsedDocument, archive, convert, document, kind_of, read_text
from shared.knowledge.index import DocumentStatus
from tests import files


def parse(data: bytes | str, name: str) -> ParsedDocument:
    content = data.encode() if isinstance(data, str) else data
    return convert(kind_of(content, name), content, name)


def rejection(data: bytes | str, name: str) -> tuple[str, str]:
    with pytest.raises(DocumentRejected) as caught:
        parse(data, name)
    return caught.value.status, str(caught.value)


# ---- kinds


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.md", b"# A", Kind.MARKDOWN),
        ("README", b"text", Kind.TEXT),
        ("a.txt", b"text", Kind.TEXT),
        ("a.txt", b"\n <!DOCTYPE html><p>x", Kind.HTML),
        ("a.md", b"<html>", Kind.MARKDOWN),
        ("a.HTM", b"<p>x", Kind.HTML),
        ("a.csv", b"a;b", Kind.CSV),
        ("a.txt", b"%PDF-1.7 ...", Kind.PDF),
        ("a.pdf", b"junk before\n%PDF-1.7 ...", Kind.PDF),
        ("a.md", b"PDF files start with %PDF-", Kind.MARKDOWN),
        ("a.pdf", b"PK\x03\x04...", Kind.OFFICE),
        ("a.txt", "Größe".encode("utf-16"), Kind.TEXT),
        ("a.txt", "Die Größe kostet 5 €".encode("cp1252"), Kind.TEXT),
    ],
)
def test_the_content_decides(name: str, data: bytes, kind: Kind) -> None:
    assert kind_of(data, name) is kind


@pytest.mark.parametrize(
    ("name", "data", "status", "reason"),
    [
        ("a.md", b"", "empty", "The file is empty"),
        ("a.txt", b" \r\n\0\0", "empty", "The file is empty"),
        ("a.txt", bytes(range(256)) * 10, "broken", "save it as UTF-8"),
        ("a.pdf", b"not a pdf", "broken", "The name says that this is a PDF file"),
        ("a.docx", b"not a docx", "broken", "The name says that this is a Word file"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, "unsupported", "before 2007. Save it as .docx"),
        ("a.png", b"\x89PNG\r\n\x1a\n....", "unsupported", "picture"),
        ("a.txt", b"\xff\xd8\xff\xe0 jpeg", "unsupported", "picture"),
        ("a.webp", b"RIFF\x10\0\0\0WEBPVP8 ", "unsupported", "picture"),
        ("a.rtf", b"{\\rtf1 hello}", "unsupported", "Save it as .docx"),
        ("a.txt", b"{\\rtf1 hello}", "unsupported", "rich text"),
        ("a.json", b'{"a": 1}', "unsupported", "data (JSON)"),
        ("a.py", b"import a", "unsupported", "Readable: PDF, Word"),
        ("a.eml", b"Subject: a", "unsupported", "e-mail"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, "unsupported", "Save it as .xlsx"),
        (
            "a",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "PowerPoint Document".encode("utf-16-le"),
            "unsupported",
            "Save it as .pptx",
        ),
        (
            "a.odt",
            b"PK\x03\x04" + b"x" * 26 + b"mimetypeapplication/vnd.oasis.opendocument.text",
            "unsupported",
            ".docx",
        ),
        ("a.ods", files.archive({"content.xml": b"<a/>"}), "unsupported", "Save it as .xlsx"),
        ("a.xlsb", files.archive({"xl/workbook.bin": b"x"}), "unsupported", "Save it as .xlsx"),
        ("a.bin", b"\0\1\2\3", "unsupported", ".bin"),
        ("a.zip", files.archive({"a.md": b"# A"}), "unsupported", "archive"),
        ("a.docx", b"PK\x03\x04 cut off", "broken", "damaged"),
    ],
)
def test_what_cannot_be_read_says_why(name: str, data: bytes, status: str, reason: str) -> None:
    found, text = rejection(data, name)
    assert (found, reason in text) == (status, True), text


def test_a_locked_office_file_is_recognised() -> None:
    locked = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 500
    assert rejection(locked, "a.docx") == (
        DocumentStatus.ENCRYPTED,
        "The document is protected by a password. Save a copy without one.",
    )


def test_a_zip_bomb_is_not_opened() -> None:
    bomb = bytearray(files.archive({"word/document.xml": b"<x/>", "word/big.xml": b"x"}))
    end = bomb.rindex(b"PK\x01\x02")  # the last entry of the central directory: claim 4 GB for it
    bomb[end + 24 : end + 28] = struct.pack("<I", 0xFFFFFFF0)
    assert rejection(bytes(bomb), "a.docx")[0] == DocumentStatus.TOO_LARGE
    many = files.archive({f"x{n}": b"" for n in range(archive.MAX_ENTRIES + 1)})
    assert rejection(many, "a.docx")[0] == DocumentStatus.TOO_LARGE


def test_a_locked_archive_is_recognised() -> None:
    data = bytearray(files.archive({"word/document.xml": b"<x/>"}))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    assert zipfile.is_zipfile(io.BytesIO(data))
    assert rejection(bytes(data), "a.docx")[0] == DocumentStatus.ENCRYPTED


# ---- text


def test_markdown() -> None:
    text = (
        "---\ntitle: Returns and refunds\nproduct: Solo\n---\n# Returns\n\nSend it back <!-- note -->within 30 days.\n"
    )
    assert read_text(text.encode(), "returns/policy.md") == ParsedDocument(
        "# Returns\n\nSend it back within 30 days.", "Returns and refunds", {"product": "Solo"}
    )


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("returns/how-to_return.md", "No heading.", "How to return"),
        ("A B-C.txt", "No heading.", "A B-C"),
        ("C:\\docs\\privacy.txt", "No heading.", "Privacy"),
        ("x.md", "## Sub\n\n# The **title**\n", "The title"),
        ("x.md", "# " + "long " * 100, "long " * 40),
        ("", "Text.", "Untitled"),
    ],
)
def test_the_title(name: str, text: str, title: str) -> None:
    assert read_text(text.encode(), name).title == title


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_of_text(encoding: str) -> None:
    assert read_text("# Größe\n\n5 € für „alle“".encode(encoding), "a.txt").markdown == "# Größe\n\n5 € für „alle“"


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-16-le", "utf-16-be"])
def test_encodings_of_japanese(encoding: str) -> None:
    text = "部品番号,説明,価格\nKX-2210,浄水フィルター,3495\nKX-4410,電源ボタンを長押しして設定を初期化します,4900\n"
    assert "| KX-2210 | 浄水フィルター | 3495 |" in parse(text.encode(encoding), "a.csv").markdown


def test_encoding_of_cyrillic() -> None:
    text = "Артикул;Описание\nKX-2210;Фильтр для воды, меняйте каждые шесть месяцев\n"
    assert "Фильтр для воды" in parse(text.encode("cp1251"), "a.csv").markdown


def test_text_without_words_is_empty() -> None:
    assert rejection("---\n***\n| - | - |\n", "a.md")[0] == DocumentStatus.EMPTY
    assert rejection("<!-- all of it hidden -->", "a.md")[0] == DocumentStatus.EMPTY


def test_too_much_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_CHARACTERS", 100)
    assert rejection("x" * 101, "a.txt") == (
        "too_large",
        "The document has more than 100 characters of text. Split it.",
    )
    assert rejection("a,b\n" + "1,2\n" * 50, "a.csv")[0] == "too_large"
    assert rejection(files.xlsx({"A": [["x"] * 10] * 10}), "a.xlsx")[0] == "too_large"


# ---- HTML


def test_html_is_reduced_to_its_article() -> None:
    page = """<!doctype html><html lang="de-AT"><head><title>Garantie | Hilfe</title>
    <link rel="canonical" href="https://x.example/garantie"><style>p {}</style></head><body>
    <header><a href="/">Logo</a></header><nav>Menü</nav>
    <main><h1>Garantie</h1><p>Zwei <b>Jahre</b> auf KX_2200*.</p><script>track()</script>
    <p hidden>versteckt</p><p style="color:red; display : none">versteckt</p><p aria-hidden="true">versteckt</p>
    <div style="font-size:0">versteckt</div><div style="font-size:0.9em">sichtbar</div>
    <p><a href="javascript:alert(1)">Klick</a> <a href="https://x.example/a_b">mehr</a>
    <img src="data:image/png;base64,AAAA" alt="Foto"></p>
    <table><tr><th>Teil</th><th>Jahre</th></tr><tr><td>Pumpe</td><td>5</td></tr></table></main>
    <footer>Impressum</footer></body></html>"""
    parsed = parse(page, "garantie.html")
    assert parsed.title == "Garantie"
    assert parsed.metadata == {"url": "https://x.example/garantie", "language": "de-AT"}
    assert parsed.markdown == (
        "# Garantie\n\nZwei **Jahre** auf KX_2200*.\n\nsichtbar\n\nKlick [mehr](https://x.example/a_b)\nFoto\n\n"
        "| Teil | Jahre |\n| --- | --- |\n| Pumpe | 5 |"
    )


@pytest.mark.parametrize(
    "hidden",
    [
        '<span style="font-size:1px">secret</span>',
        '<span style="opacity: 0.0">secret</span>',
        '<div style="position:absolute; left:-9999px">secret</div>',
        '<p style="color:#FFF">secret</p>',
        '<font color="white">secret</font>',
        '<div style="background-color: rgb(10, 20, 30)"><p style="color:#0a141e">secret</p></div>',
    ],
)
def test_hidden_text_of_html(hidden: str) -> None:
    assert parse(f"<body><p>Seen.</p>{hidden}", "a.html").markdown == "Seen."


def test_white_text_that_is_seen() -> None:
    page = (
        '<table><tr><th bgcolor="#003366"><font color="#ffffff">Zone</font></th></tr></table>'
        '<div style="background:navy"><p style="color:#fff">Fees</p></div>'
    )
    assert "Zone" in (text := parse(page, "a.html").markdown)
    assert "Fees" in text
    styled = '<link rel="stylesheet" href="a.css"><div class="hero"><h1 style="color:#fff">Welcome</h1></div>'
    assert parse(styled, "a.html").markdown == "# Welcome"


def test_html_without_landmarks() -> None:
    page = (
        "<title>Delivery\n times</title><div><header>Menu</header><header><h2>Zone 1</h2></header><p>2 days</p></div>"
    )
    parsed = parse(page, "d.html")
    assert (parsed.title, parsed.markdown) == ("Delivery times", "2 days")
    page = "<body><article><header><h1>Fees</h1></header><p>None.</p></article><article>Other</article></body>"
    assert parse(page, "f.html").markdown == "# Fees\n\nNone.\n\nOther"


@pytest.mark.parametrize(
    "declaration",
    [
        '<meta charset="Shift_JIS">',
        '<meta http-equiv="Content-Type" content="text/html; charset=shift_jis">',
        '<?xml version="1.0" encoding="Shift_JIS"?><html><body>',
    ],
)
def test_html_in_the_encoding_that_it_declares(declaration: str) -> None:
    page = f"{declaration}<p>設定を初期化するには、電源ボタンを長押しします。①</p>"
    assert parse(page.encode("cp932"), "a.html").markdown == "設定を初期化するには、電源ボタンを長押しします。①"


def test_a_wrong_or_odd_declaration_does_no_harm() -> None:
    assert parse("<meta charset=shift_jis><p>Größe".encode(), "a.html").markdown == "Größe"
    assert parse("<meta charset=utf-7><p>5 £ +AGE-".encode("cp1252"), "a.html").markdown == "5 £ +AGE-"
    assert parse("<meta charset=windows-1299><p>5 £".encode("cp1252"), "a.html").markdown == "5 £"


def test_deeply_nested_html_is_read_as_text() -> None:
    assert "in the deep" in parse("<div>" * 3000 + "in the deep" + "</div>" * 3000, "deep.html").markdown


# ---- Office


def test_word() -> None:
    parsed = parse(files.docx(body=["Send the KX_2200 to **Cork**."], table=[["Zone", "Fee"], ["1", "free"]]), "r.docx")
    assert parsed.title == "Repairs"
    assert parsed.markdown == (
        "# Repairs\n\nSend the KX_2200 to **Cork**.\n\n| Zone | Fee |\n| --- | --- |\n| 1 | free |"
    )


def test_hidden_text_of_word_and_its_fields() -> None:
    def run(text: str, properties: str = "") -> str:
        return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"

    body = (
        run("Edition ")
        + f'<w:fldSimple w:instr="DOCPROPERTY">{run("7")}</w:fldSimple>'
        + run(" internal", "<w:vanish/>")
    ) + run(" of May", '<w:vanish w:val="0"/>')
    data = files.docx(body=["BODY"])
    changed = files.changed(data, lambda text: re.sub(rb"<w:r><w:t[^>]*>BODY</w:t></w:r>", body.encode(), text))
    assert parse(changed, "e.docx").markdown == "# Repairs\n\nEdition 7 of May"


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WHITE = '<w:color w:val="FFFFFF"/>'


def test_white_tiny_and_styled_text_of_word() -> None:
    styles = (
        f'<w:styles {WORD}><w:style w:styleId="Base"><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:styleId="Internal"><w:basedOn w:val="Base"/></w:style></w:styles>'
    )
    body = f"""<w:p>{run("Seen")}{run(" white", WHITE)}{run(" tiny", '<w:sz w:val="2"/>')}
        {run(" styled", '<w:rStyle w:val="Internal"/>')}</w:p>
        <w:p><w:pPr><w:pStyle w:val="Internal"/></w:pPr>{run("hidden")}</w:p>
        <w:p>{run("On blue", WHITE + '<w:shd w:fill="0000FF"/>')}</w:p>
        <w:tbl><w:tr><w:tc><w:tcPr><w:shd w:fill="000000"/></w:tcPr><w:p>{run("Zone", WHITE)}</w:p></w:tc></w:tr>
        </w:tbl>"""
    assert parse(files.word(body, parts={"word/styles.xml": styles}), "a.docx").markdown == (
        "Seen\n\nOn blue\n\n| Zone |\n| --- |"
    )


def test_changes_and_comments_of_word() -> None:
    body = f"""<w:p>{run("Keep")}<w:del><w:r><w:delText> deleted</w:delText></w:r></w:del>
        <w:ins>{run(" inserted")}</w:ins><w:moveFrom>{run(" from")}</w:moveFrom><w:moveTo>{run(" moved")}</w:moveTo>
        <w:customXml>{run(" wrapped")}</w:customXml>
        <w:r><w:commentReference w:id="0"/></w:r></w:p>"""
    comments = (
        f'<w:comments {WORD}><w:comment w:id="0" w:initials="X"><w:p>{run("internal")}</w:p></w:comment></w:comments>'
    )
    relation = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="c" Type="{RELATIONS}/comments" Target="comments.xml"/></Relationships>'
    )
    parts = {
        "word/comments.xml": comments,
        "word/_rels/document.xml.rels": relation,
        "mammoth/style-map": "comment-reference => sup",
    }
    assert parse(files.word(body, parts=parts), "a.docx").markdown == "Keep inserted moved wrapped"


def test_footnotes_and_text_boxes_of_word() -> None:
    body = f"""<w:p>{run("Fee")}<w:r><w:footnoteReference w:id="1"/></w:r></w:p>
        <w:p><w:r><w:pict><v:shape xmlns:v="urn:schemas-microsoft-com:vml"><v:textbox><w:txbxContent>
        <w:p>{run("In a box", WHITE)}</w:p></w:txbxContent></v:textbox></v:shape></w:pict></w:r></w:p>"""
    note = f"<w:p>{run('Free from 50 euros.')}{run(' hidden', '<w:vanish/>')}</w:p>"
    notes = f'<w:footnotes {WORD}><w:footnote w:id="1">{note}</w:footnote></w:footnotes>'
    relation = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="n" Type="{RELATIONS}/footnotes" Target="footnotes.xml"/></Relationships>'
    )
    data = files.word(body, parts={"word/footnotes.xml": notes, "word/_rels/document.xml.rels": relation})
    text = parse(data, "a.docx").markdown
    assert "In a box" in text
    assert "Free from 50 euros." in text
    assert "hidden" not in text


DRAWING = (
    '<d:dataModel xmlns:d="http://schemas.openxmlformats.org/drawingml/2006/diagram" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><d:ptLst>'
    '<d:pt><d:t><a:p><a:r><a:t>Unpack</a:t></a:r></a:p></d:t></d:pt><d:pt type="pres"/>'
    "<d:pt><d:t><a:p><a:r><a:t>Rinse </a:t></a:r><a:r><a:t>twice</a:t></a:r></a:p></d:t></d:pt></d:ptLst></d:dataModel>"
)


def test_documents_and_drawings_inside_of_word() -> None:
    body = f"""<w:p>{run("Steps")}<w:r><w:drawing><d:relIds xmlns:d="http://schemas.openxmlformats.org/drawingml/2006/diagram"
        xmlns:r="{RELATIONS}" r:dm="d"/></w:drawing></w:r></w:p><w:altChunk xmlns:r="{RELATIONS}" r:id="h"/>"""
    relations = "".join(
        f'<Relationship Id="{name}" Type="{RELATIONS}/x" Target="{target}"/>'
        for name, target in (("d", "diagrams/data1.xml"), ("h", "/word/part.html"))
    )
    parts = {
        "word/_rels/document.xml.rels": (
            f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relations}</Relationships>'
        ),
        "word/diagrams/data1.xml": DRAWING,
        "word/part.html": "<html><body><h2>Fees</h2><p>None.<span hidden>secret</span></p></body></html>",
    }
    assert parse(files.word(body, parts=parts), "a.docx").markdown == (
        "Steps\n\nUnpack\n\nRinse twice\n\n## Fees\n\nNone."
    )


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.docx", files.docx()),
        ("a.xlsx", files.xlsx({"Parts": files.PRICES})),
        ("a.pptx", files.pptx({"Milk": "Keep it cold."})),
    ],
)
def test_archives_with_backslashes(name: str, data: bytes) -> None:
    def rename(member: str) -> str:
        wrong = "[content_types].xml" if "Types" in member else member.replace("sharedStrings", "sharedstrings")
        return wrong.replace("/", "\\")

    assert parse(files.changed(data, rename=rename), name) == parse(data, name)


def test_a_workbook_of_charts_says_what_is_not_read() -> None:
    assert rejection(files.xlsx({"Chart": []}), "c.xlsx") == (
        DocumentStatus.EMPTY,
        "The document holds no text. Pictures, charts and embedded files are not read.",
    )


def test_excel() -> None:
    data = files.xlsx({"Parts": files.PRICES, "Empty": [], "Internal": [["margin", 0.4]]}, hidden="Internal")
    parsed = parse(data, "price-list.xlsx")
    assert parsed.title == "Price list"
    assert parsed.markdown == (
        "## Parts\n\n| Part | Price | Since |\n| --- | --- | --- |\n"
        "| KX-2210 | 34.95 | 2026-03-01 |\n| KX-4410 | 49 | |"
    )


def test_hidden_places_of_excel() -> None:
    from openpyxl.styles import Font, PatternFill

    def change(sheet: Any) -> None:
        sheet.row_dimensions[3].hidden = True
        sheet.column_dimensions["B"].hidden = True
        sheet["C2"].font = Font(color="FFFFFFFF")
        sheet["A1"].font = Font(color="FFFFFFFF")
        sheet["A1"].fill = PatternFill("solid", fgColor="FF003366")
        sheet["C4"].number_format = ";;;"

    rows = [["Part", "Cost", "Price"], ["KX-1", 1, 10], ["KX-2", 2, 20], ["KX-3", 3, 30], ["KX-4", 4, 40]]
    assert parse(files.xlsx({"S": rows}, change=change), "a.xlsx").markdown == (
        "## S\n\n| Part | Price |\n| --- | --- |\n| KX-1 | |\n| KX-3 | |\n| KX-4 | 40 |"
    )


def test_cells_are_written_as_people_write_them() -> None:
    rows = [
        [None, None],
        [None, "Value"],
        [None, True],
        [None, 1 / 3],
        [None, datetime(2026, 3, 1, 14, 30)],  # noqa: DTZ001 - cells have no zone
        [None, "a\nb|c"],
    ]
    assert parse(files.xlsx({"S": rows}), "v.xlsx").markdown.split("\n")[2:] == [
        "| Value |",
        "| --- |",
        "| True |",
        "| 0.333333333333 |",
        "| 2026-03-01 14:30 |",
        r"| a b\|c |",
    ]


def test_powerpoint() -> None:
    parsed = parse(files.pptx({"First week": "Rinse the tank.\nFit the filter.", "Milk": "Keep it cold."}), "w.pptx")
    assert parsed.title == "First week"
    assert parsed.markdown == "# First week\n- Rinse the tank.\n- Fit the filter.\n\n# Milk\nKeep it cold."


def test_powerpoint_without_what_its_audience_does_not_see() -> None:
    def change(presentation: Any) -> None:
        first, second, third = presentation.slides
        first.notes_slide.notes_text_frame.text = "Internal: never promise a date."
        second._element.set("show", "0")
        third.placeholders[1]._element._nvXxPr.cNvPr.set("hidden", "1")
        beside = third.shapes.add_textbox(presentation.slide_width + 100, 0, 9000, 9000)
        beside.text_frame.text = "beside the slide"

    slides = {"Repairs": "Send it to Cork.", "Margins": "40 percent", "Fees": "hidden box"}
    parsed = parse(files.pptx(slides, change), "r.pptx")
    assert parsed.markdown == "# Repairs\nSend it to Cork.\n\n# Fees"
    assert parsed.pages == (0, parsed.markdown.index("# Fees"), parsed.markdown.index("# Fees"))


def test_smartart_of_powerpoint() -> None:
    def change(presentation: Any) -> None:
        from pptx.opc.package import Part
        from pptx.opc.packuri import PackURI

        slide = presentation.slides[0]
        frame = slide.shapes.add_table(1, 1, 0, 0, 99, 99)._element
        uri = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
        part = Part(PackURI("/ppt/diagrams/data1.xml"), "application/xml", slide.part.package, DRAWING.encode())
        data = frame.graphic.graphicData
        data.set("uri", uri)
        for child in list(data):
            data.remove(child)
        relation = slide.part.relate_to(part, f"{RELATIONS}/diagramData")
        data.append(data.makeelement(f"{{{uri}}}relIds", {f"{{{RELATIONS}}}dm": relation}))

    assert "- Unpack\n- Rinse twice" in parse(files.pptx({"Steps": "Two:"}, change), "s.pptx").markdown


def test_powerpoint_shapes() -> None:
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    def change(presentation: Any) -> None:
        shapes = presentation.slides[0].shapes
        table = shapes.add_table(2, 2, 0, Inches(5), Inches(4), Inches(1)).table
        for number, text in enumerate(["Zone", "Days", "1", "2"]):
            table.cell(*divmod(number, 2)).text = text
        group = shapes.add_group_shape()
        group.shapes.add_textbox(0, Inches(6), Inches(3), Inches(1)).text_frame.text = "in a group"
        data = CategoryChartData()
        data.categories = ["2025", "2026"]
        data.add_series("Parcels", (10, 12.5))
        shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, Inches(7), Inches(4), Inches(2), data)
        odd = shapes.add_textbox(0, Inches(7.2), Inches(3), Inches(1))  # neither a text box nor a shape of any geometry
        odd.text_frame.text = "an odd shape"
        del odd._element.nvSpPr.cNvSpPr.attrib["txBox"]
        odd._element.spPr.remove(odd._element.spPr.prstGeom)

    assert parse(files.pptx({"Delivery": "1. Pack\nb"}, change), "d.pptx").markdown == (
        "# Delivery\n1. Pack\n- b\n\n| Zone | Days |\n| --- | --- |\n| 1 | 2 |\n\nin a group\n\n"
        "| | Parcels |\n| --- | --- |\n| 2025 | 10 |\n| 2026 | 12.5 |\n\nan odd shape"
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(delimiter: str) -> None:
    rows = [["Zone", "Days"], ["1", '"two, or; three"'], [], ["2", "5"]]
    text = "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows)
    assert parse(text, "zones.csv").markdown == ("| Zone | Days |\n| --- | --- |\n| 1 | two, or; three |\n| 2 | 5 |")


def test_csv_with_lines_above_its_header() -> None:
    expected = "| Name, first | Price |\n| --- | --- |\n| Anna | 1,50 |"
    assert parse('sep=;\r\n"Name, first";Price\r\nAnna;1,50\r\n', "c.csv").markdown == expected
    assert parse('Prices\n"Name, first";Price\nAnna;1,50\n', "c.csv").markdown == (
        "| Prices | |\n| --- | --- |\n| Name, first | Price |\n| Anna | 1,50 |"
    )
    assert parse("a\tb\n1\t2\n", "c.tsv").markdown == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_csv_of_one_column() -> None:
    assert parse("Country\nIreland\nMalta\n", "c.csv").markdown == "| Country |\n| --- |\n| Ireland |\n| Malta |"


# ---- PDF


def test_pdf() -> None:
    parsed = parse(files.pdf("Descale when the machine shows E-41.", "Use 2 sachets."), "descaling_guide.pdf")
    assert parsed == ParsedDocument(
        "Descale when the machine shows E-41. Use 2 sachets.", "Descaling guide", pages=(0,)
    )


def test_a_scan_asks_for_text_recognition() -> None:
    status, reason = rejection(files.pdf(), "scan.pdf")
    assert status == DocumentStatus.EMPTY
    assert "OCR" in reason
    status, reason = rejection(files.pdf(" "), "empty.pdf")
    assert (status, "OCR" in reason) == (DocumentStatus.EMPTY, False)


def test_a_locked_pdf_is_recognised() -> None:
    assert rejection(files.pdf("secret", password="swordfish"), "a.pdf")[0] == DocumentStatus.ENCRYPTED


def test_a_cell_over_several_rows_is_in_each_of_them():
    page = (
        "<table><tr><th>Zone<th>Weight<th>Fee</tr><tr><td rowspan=2>North<td>1 kg<td>5</tr><tr><td>2 kg<td>7</tr>"
        "<tr><td colspan=2>Anywhere<td rowspan=2>9</tr><tr><td>a<td>b</tr><tr><td>c<td rowspan=x>d<td>e</tr></table>"
    )
    assert parse(page.encode(), "a.html").markdown == (
        "| Zone | Weight | Fee |\n| --- | --- | --- |\n| North | 1 kg | 5 |\n| North | 2 kg | 7 |\n"
        "| Anywhere | | 9 |\n| a | b | 9 |\n| c | d | e |"
    )


def test_a_long_cell_is_not_repeated():
    page = f"<table><tr><td rowspan=60000>{'long ' * 200}<td>1</tr>" + "<tr><td>2</tr>" * 50 + "</table>"
    markdown = parse(page.encode(), "a.html").markdown
    assert markdown.count("long") == 200
    assert markdown.endswith("\n| | 2 |")


def test_a_merged_cell_and_the_title_of_a_word_file():
    def cell(text: str, merge: str = "") -> str:
        return f"<w:tc><w:tcPr>{merge}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>"

    rows = (
        cell("Zone") + cell("Weight"),
        cell("North", '<w:vMerge w:val="restart"/>') + cell("1 kg"),
        cell("", "<w:vMerge/>") + cell("2 kg"),
        cell("South") + cell("3 kg"),
    )
    title = '<w:p><w:pPr><w:pStyle w:val="Titel"/></w:pPr><w:r><w:t>Fees</w:t></w:r></w:p>'
    body = title + "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    styles = (
        '<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        '<w:style w:type="paragraph" w:styleId="Titel"><w:name w:val="Title"/></w:style></w:styles>'
    )
    parsed = parse(files.word(body, parts={"word/styles.xml": styles}), "a.docx")
    assert parsed.title == "Fees"
    assert parsed.markdown == (
        "# Fees\n\n| Zone | Weight |\n| --- | --- |\n| North | 1 kg |\n| North | 2 kg |\n| South | 3 kg |"
    )
