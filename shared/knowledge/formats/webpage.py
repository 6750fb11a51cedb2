"""Web pages."""

from __future__ import annotations

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
    return BeautifulSoup(decode_html(data) or "", "html.parser")


def to_markdown(soup: Any) -> str:
    """What a reader of the page sees of its article. Changes the soup."""
    from markitdown import StreamInfo
    from markitdown.converters import HtmlConverter

    content = _main_content(soup)
    page = io.BytesIO(str(content).encode())
    try:
        return HtmlConverter().convert(page, StreamInfo(charset="utf-8"), strict=True, **MARKDOWNIFY).markdown
    except RecursionError:  # nested too deeply to keep its structure
        return content.get_text("\n", strip=True)


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
