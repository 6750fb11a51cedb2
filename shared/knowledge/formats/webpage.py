"""Web pages."""

from __future__ import annotations

import copy
import io
import re
from typing import Any

from shared.knowledge import markdown
from shared.knowledge.formats.document import ParsedDocument, finish
from shared.knowledge.formats.encodings import decode_html

_NOT_CONTENT = (
    "title, script, style, noscript, template, iframe, svg, nav, footer, dialog, button, input, select, textarea,"
    "[role=navigation], [role=contentinfo], [hidden], [aria-hidden=true]"
)
_HIDING_STYLE = re.compile(
    r"(?<![\w-])(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0(?:\.0+)?(?![.\d])"
    r"|font-size\s*:\s*(?:0(?![.\d])|[01](?:\.\d+)?p[xt])|(?:text-indent|left|top|margin-left)\s*:\s*-\d{3,}"
    r"|color\s*:\s*transparent)",
    re.IGNORECASE,
)
MAX_COLUMNS = 1000
MAX_ROWS = 65_534
"""What browsers make of larger spans: https://html.spec.whatwg.org/multipage/tables.html#attributes-common-to-td-and-th-elements"""
MAX_REPEATED = 500
"""Characters of a spanning cell that are worth repeating; a longer one would make a large document of a small one."""
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*>")
_COLOUR = re.compile(r"(?<![\w-])color\s*:\s*([^;!]+)", re.IGNORECASE)
_BACKGROUND = re.compile(r"(?<![\w-])background(?:-color)?\s*:\s*([^;!]+)", re.IGNORECASE)
_SHORT_COLOUR = re.compile(r"#([0-9a-f])([0-9a-f])([0-9a-f])")
_RGB = re.compile(r"rgba?\((\d+),(\d+),(\d+)(?:,1(?:\.0)?)?\)")
MARKDOWNIFY: dict[str, Any] = {
    # Escapes would stand in quotes that customers see, and inside codes that they search for.
    "escape_underscores": False,
    "escape_asterisks": False,
    "escape_misc": False,
    "table_infer_header": True,  # few tables mark their header, nearly all have one
}


def read_html(data: bytes, name: str) -> ParsedDocument:
    soup = parse(data)
    metadata = markdown.metadata(
        {
            "url": _attribute(soup.find("link", rel="canonical"), "href"),
            "language": _attribute(soup.find("html"), "lang"),
        }
    )
    title = soup.title.get_text() if soup.title else ""
    return finish(to_markdown(soup), name, title=title, metadata=metadata)


def parse(data: bytes) -> Any:
    from bs4 import BeautifulSoup

    # Bytes that are no text were turned away by `kind_of`; the parser would guess from the page's own declaration.
    # Python's own parser knows no omitted end tags, which leave a table's cells inside each other.
    return BeautifulSoup(_XML_DECLARATION.sub("", decode_html(data) or ""), "lxml")


def to_markdown(soup: Any) -> str:
    """What a reader of the page sees of its article. Changes the soup."""
    from markitdown import StreamInfo
    from markitdown.converters import HtmlConverter

    content = _main_content(soup)
    for table in content.find_all("table"):
        _fill_rows(table)
    page = io.BytesIO(str(content).encode())
    try:
        return HtmlConverter().convert(page, StreamInfo(charset="utf-8"), strict=True, **MARKDOWNIFY).markdown
    except RecursionError:  # nested too deeply to keep its structure
        return content.get_text("\n", strip=True)


def _fill_rows(table: Any) -> None:
    """Write a cell that spans several rows into each of them: Markdown has no such cells, and rows are cited alone."""
    spans: dict[int, tuple[Any, int]] = {}  # the cell that reaches into a column from above, and how far
    for row in table.find_all("tr"):
        if row.find_parent("table") is not table:
            continue
        column, cells = 0, iter(row.find_all(["td", "th"], recursive=False))
        cell = next(cells, None)
        while column < MAX_COLUMNS and (cell is not None or any(above >= column for above in spans)):
            if column in spans:
                above, rows = spans.pop(column)
                width = _span(above, "colspan", MAX_COLUMNS)
                copied = copy.copy(above)
                if len(above.get_text()) > MAX_REPEATED:
                    copied.clear()
                if cell is None:
                    row.append(copied)
                else:
                    cell.insert_before(copied)
                if rows > 1:
                    spans[column] = (above, rows - 1)
                column += width
            elif cell is not None:
                rows = _span(cell, "rowspan", MAX_ROWS)
                if rows > 1:
                    spans[column] = (cell, rows - 1)
                column += _span(cell, "colspan", MAX_COLUMNS)
                cell = next(cells, None)
            else:
                column += 1


def _span(cell: Any, key: str, most: int) -> int:
    value = _attribute(cell, key).strip()
    return min(int(value), most) if value.isascii() and value.isdecimal() and int(value) > 0 else 1


def _attribute(element: Any, key: str) -> str:
    value = element.get(key) if element is not None else None
    return value if isinstance(value, str) else ""


def _main_content(soup: Any) -> Any:
    """The page's article, without what is around it and what its reader does not see."""
    _drop_text_in_the_colour_of_its_background(soup)
    for element in [*soup.select(_NOT_CONTENT), *soup.find_all(style=_HIDING_STYLE)]:
        if not element.decomposed:  # with a parent, already
            element.decompose()
    for candidates in (soup.select("main, [role=main]"), soup.find_all("article")):
        if len(candidates) == 1 and candidates[0].get_text(strip=True):
            return candidates[0]
    # A page's header holds its logo and menu; an article's own header, its title.
    for header in soup.select("header, [role=banner]"):
        if not header.decomposed and header.find("h1") is None:
            header.decompose()
    return soup.body or soup


def _drop_text_in_the_colour_of_its_background(soup: Any) -> None:
    """As far as the elements themselves say; what style sheets do is not followed. Without any, a page is white."""
    plain = soup.find("style") is None and soup.find("link", rel="stylesheet") is None
    for element in soup.find_all(_own_colour):
        if element.decomposed:
            continue
        around = (_own_background(tag) for tag in [element, *element.parents])
        background = next(filter(None, around), "#ffffff" if plain else "")
        inner = element.find(_own_colour)
        if _own_colour(element) == background and inner is None:
            element.decompose()


def _own_colour(tag: Any) -> str:
    found = _COLOUR.search(_attribute(tag, "style"))
    return _rgb(found.group(1) if found else _attribute(tag, "color") if tag.name == "font" else "")


def _own_background(tag: Any) -> str:
    found = _BACKGROUND.search(_attribute(tag, "style"))
    return _rgb(found.group(1) if found else _attribute(tag, "bgcolor"))


def _rgb(colour: str) -> str:
    """As `#rrggbb`, or as it is written."""
    text = "".join(colour.lower().split())
    if match := _RGB.fullmatch(text):
        return "#" + "".join(f"{min(int(part), 255):02x}" for part in match.groups())
    if match := _SHORT_COLOUR.fullmatch(text):
        return "#" + "".join(2 * part for part in match.groups())
    return {"white": "#ffffff", "black": "#000000"}.get(text, text)
