"""Markdown as the knowledge base keeps it: nothing invisible, nothing that cannot be read, no padding.

Every function takes time in proportion to its text: documents of strangers go through here.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

FRONT_MATTER_LIMIT = 8_192
"""Characters. A longer block between two `---` is content."""
MAX_METADATA_VALUE = 500
"""Characters of one front matter value that are kept."""
MAX_TITLE = 200
"""Characters."""
SAFE_SCHEMES = frozenset({"http", "https", "mailto", "tel"})

# Control characters, soft hyphens, zero-width spaces, marks of direction, lone surrogates and what Unicode calls
# default ignorable: they show nothing, break up words, or carry text that only a model reads. Zero-width joiners stay
# between the letters of scripts and the emoji that need them, and one variation selector after a character.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
    "|(?<![^\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f])|(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]+"
)
# What means the same to a reader and is another word to a search: typographic spaces, and the ligatures of PDFs.
_PLAIN_CHARACTERS = str.maketrans(
    {
        "\u00a0": " ",
        "\u2007": " ",
        "\u202f": " ",
        "\u2028": "\n",
        "\u2029": "\n\n",
        "\r": "\n",
        "\v": "\n",
        "\f": "\n\n",
    }
    | {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_ATX_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|$)")
_SETEXT_RULE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_BLOCK_START = re.compile(r"[ \t]*(?:[-*+>|#]|\d+[.)]\s)")
_EMPHASIS = re.compile(r"(\*{1,3}|_{2,3})(?=\S)([^*_\n]+)(?<=\S)\1")
_HEADING_ID = re.compile(r"\{#[^{}]*\}$")

_TARGET = r"\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)"  # may hold one level of parentheses
_IMAGE = re.compile(rf"!\[([^\[\]\n]{{0,1000}})\]{_TARGET}")
_LINK = re.compile(rf"\[([^\[\]\n]{{0,1000}})\]({_TARGET})")
_AUTOLINK = re.compile(r"<([A-Za-z][A-Za-z0-9+.-]{1,31}):[^<>\s]*>")
_REFERENCE = re.compile(r"^ {0,3}\[[^\[\]\n]{1,200}\]:[ \t]{0,9}(\S+)[^\n]*$", re.MULTILINE)
_UNREADABLE = [
    (re.compile(r"<!--"), re.compile(r"-->")),
    (re.compile(r"<(?:script|style)\b", re.IGNORECASE), re.compile(r"</(?:script|style)\s{0,9}>", re.IGNORECASE)),
    (
        re.compile(
            r"<(?:span|div|p)\s[^<>]{0,200}?(?:hidden\b|style\s{0,9}=[^<>]{0,200}?"
            r"(?:display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden|(?:font-size|opacity)\s{0,9}:\s{0,9}0(?![.\d])))"
            r"[^<>]{0,200}>",
            re.IGNORECASE,
        ),
        re.compile(r"</(?:span|div|p)\s{0,9}>", re.IGNORECASE),
    ),
]
# HTML in Markdown. Only what is HTML: `<name>` stands for something in many a manual. Code spans come first and stay.
_INLINE_TAGS = "a|abbr|b|big|code|del|em|font|i|ins|kbd|mark|s|small|span|strong|sub|sup|u"
_BLOCK_TAGS = (
    "article|blockquote|br|button|caption|center|col|colgroup|dd|details|div|dl|dt|figcaption|figure|footer|h[1-6]|header"
    "|hr|iframe|img|input|label|li|nav|ol|p|pre|section|source|summary|svg|table|tbody|td|tfoot|th|thead|tr|ul|video"
)
_TAG = re.compile(
    rf"(`+[^`\n]+`+)|(</?(?:{_INLINE_TAGS})(?:\s[^<>]*)?/?>)|</?(?:{_BLOCK_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE
)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_RESERVED = ("attachment", "page", "section", "source")  # what the knowledge base itself says of a passage
_METADATA_KEY = re.compile(r"[a-z][a-z0-9_-]{0,63}")


# ---- structure


def lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Offset, line with its line break, and whether it belongs to a fenced code block (the fences do)."""
    fence = ""
    for match in _LINE.finditer(text):
        line = match.group()
        mark = _FENCE.match(line)
        if not fence:
            # A backtick later in the line makes it a span of code, not a fence.
            if mark and not (mark.group(1)[0] == "`" and "`" in line[mark.end() :]):
                fence = mark.group(1)
            yield match.start(), line, bool(fence)
        else:
            yield match.start(), line, True
            if mark and mark.group(1).startswith(fence) and not line[mark.end() :].strip():
                fence = ""


def headings(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Start, end, level (1 … 6) and plain text of each heading outside code; the end is past its line break.

    ATX headings (`## Title`), and setext headings (underlined) of one line.
    """
    previous: tuple[int, str] | None = None  # the paragraph's only line so far
    in_paragraph = False
    for offset, line, code in lines(text):
        if code or not line.strip():
            previous, in_paragraph = None, False
            continue
        if match := _ATX_HEADING.match(line):
            title = line[match.end() :].strip()
            body = title.rstrip("#")
            title = body.rstrip() if not body or body[-1] in " \t" else title  # `## C#` keeps its last character
            yield offset, offset + len(line), len(match.group(1)), plain(title)
            previous, in_paragraph = None, False
        elif previous and (match := _SETEXT_RULE.match(line)):
            yield previous[0], offset + len(line), 1 if match.group(1)[0] == "=" else 2, plain(previous[1])
            previous, in_paragraph = None, False
        else:
            previous = None if in_paragraph or _BLOCK_START.match(line) else (offset, line.strip())
            in_paragraph = True


def is_table_rule(line: str) -> bool:
    """Whether this is the line under a table's header, like `|---|:-:|`."""
    stripped = line.strip()
    return "-" in stripped and "|" in stripped and not stripped.strip("|:- \t")


def cells(line: str) -> list[str]:
    """The cells of a table row, as plain text."""
    row = line.strip().removeprefix("|").removesuffix("|").replace(r"\|", "\0")
    return [plain(cell.replace("\0", "|")) for cell in row.split("|")]


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first row the header; shorter rows are filled up."""
    width = max(map(len, rows))

    def line(row: Sequence[str]) -> str:
        texts = (" ".join(cell.split()).replace("|", r"\|") for cell in row)
        return "| " + " | ".join([*texts, *[""] * (width - len(row))]) + " |"

    return "\n".join([line(rows[0]), "|" + " --- |" * width, *map(line, rows[1:])])


def plain(text: str) -> str:
    """One line of Markdown as its reader sees it: no emphasis, code marks, link targets or heading ids."""
    text = _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", _IMAGE.sub(r"\1", text)))
    text = _HEADING_ID.sub("", text.replace("`", "").strip())
    return " ".join(html.unescape(text).split())


# ---- clean-up


def clean(text: str) -> str:
    """What is kept of a document.

    Invisible characters, comments, HTML (its text stays, unless it is hidden), images (their description stays) and
    links with unsafe schemes (their text stays) go; tables lose their padding; characters are composed (NFC); lines
    lose trailing and repeated blanks.
    """
    text = _INVISIBLE.sub("", text.replace("\r\n", "\n").translate(_PLAIN_CHARACTERS))
    text = unicodedata.normalize("NFC", text)
    text = "".join(part if code else _clean_prose(part) for code, part in _code_and_prose(text))
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _code_and_prose(text: str) -> Iterator[tuple[bool, str]]:
    start, in_code = 0, False
    for offset, _, code in lines(text):
        if code != in_code:
            if offset > start:
                yield in_code, text[start:offset]
            start, in_code = offset, code
    yield in_code, text[start:]


def _clean_prose(text: str) -> str:
    for opening, closing in _UNREADABLE:
        text = _without(text, opening, closing)
    text = _TAG.sub(lambda tag: tag.group(1) or ("" if tag.group(2) else " "), text)
    text = _IMAGE.sub(r"\1", text)
    text = _LINK.sub(_safe_link, text)
    text = _AUTOLINK.sub(lambda link: link.group() if link.group(1).lower() in SAFE_SCHEMES else "", text)
    text = _REFERENCE.sub(lambda link: link.group() if _is_safe(link.group(1)) else "", text)
    return "\n".join(_without_padding(line) if line.lstrip().startswith("|") else line for line in text.split("\n"))


def _safe_link(link: re.Match[str]) -> str:
    label, target = link.groups()
    return link.group() if label.strip() and _is_safe(target[1:-1]) else label


def _without(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str:
    """Without what stands from each opening to the next closing mark; an opening that is never closed is text."""
    pieces: list[str] = []
    position = 0
    while (start := opening.search(text, position)) and (end := closing.search(text, start.end())):
        pieces.append(text[position : start.start()])
        position = end.end()
    return "".join([*pieces, text[position:]])


def _without_padding(row: str) -> str:
    if is_table_rule(row):
        row = re.sub(r"-{4,}", "---", row)
    return re.sub(r"[ \t]{2,}", " ", row)


def _is_safe(target: str) -> bool:
    address = re.sub(r"[\s\x00-\x1f<>]", "", html.unescape(target))
    scheme = _SCHEME.match(address)
    return scheme is None or scheme.group(1).lower() in SAFE_SCHEMES


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a document on the page (or slide) of that number, from 1.

    `below` means that it stands on the line under the part before it, as the rows of a table do.
    """

    text: str
    page: int
    below: bool = False


def join(parts: Iterable[Part]) -> tuple[str, tuple[int, ...]]:
    """The clean text of the parts, in the order of their pages, and where in it each page begins.

    A page without text begins where the next one does.
    """
    pieces: list[str] = []
    length = 0
    pages: list[int] = []
    for part in parts:
        text = clean(part.text)
        if not text:
            continue
        if pieces:
            pieces.append("\n" if part.below else "\n\n")
            length += len(pieces[-1])
        pages += [length] * (part.page - len(pages))
        pieces.append(text)
        length += len(text)
    return "".join(pieces), tuple(pages)


# ---- what is known about a document


def split_front_matter(text: str) -> tuple[dict[str, str], str]:
    """The metadata of a YAML block at the very top, and the text after it; lists become `a, b`, nested maps go.

    A block that is no YAML mapping is content.
    """
    if not text.startswith(("---\n", "---\r\n")):
        return {}, text
    end = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?$\n?", re.MULTILINE).search(text, 4, FRONT_MATTER_LIMIT)
    if not end:
        return {}, text
    import yaml

    try:
        # BaseLoader makes strings only: no dates, no objects.
        block = yaml.load(text[4 : end.start()], Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError):
        return {}, text
    if not isinstance(block, dict):
        return {}, text
    return metadata(cast("dict[Any, Any]", block)), text[end.end() :]


def metadata(values: dict[Any, Any]) -> dict[str, str]:
    """The usable part of a document's own metadata: simple keys in lower case, short text; `url` only if it is one."""
    kept: dict[str, str] = {}
    for key, value in values.items():
        name = str(key).strip().lower()
        if isinstance(value, list):
            value = ", ".join(item for item in cast("list[Any]", value) if isinstance(item, str))  # noqa: PLW2901
        if not isinstance(value, str) or not _METADATA_KEY.fullmatch(name) or name in _RESERVED:
            continue
        text = " ".join(_INVISIBLE.sub("", value).split())[:MAX_METADATA_VALUE]
        if text and (name != "url" or text.lower().startswith(("https://", "http://"))):
            kept[name] = text
    return kept


def first_title(text: str) -> str:
    """The first heading of level 1; empty if there is none."""
    return next((title[:MAX_TITLE] for _, _, level, title in headings(text) if level == 1 and title), "")
