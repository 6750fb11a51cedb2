"""Word documents: what their reader sees goes to markitdown, which leaves the reading to mammoth."""

from __future__ import annotations

import copy
import importlib
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from shared.knowledge.formats import smartart, webpage
from shared.knowledge.formats.archive import read_member, rewritten
from shared.knowledge.formats.document import ParsedDocument, finish
from shared.knowledge.formats.encodings import decode

MIN_SIZE = 4
"""Half points; nobody reads smaller type."""
_OFF = ("0", "false", "off")
_WRAPPERS = ("{*}fldSimple", "{*}moveTo", "{*}customXml")  # mammoth leaves out what stands in them


def read_docx(data: bytes, name: str) -> ParsedDocument:
    return finish(_to_markdown(data, nested=False), name)


def _to_markdown(data: bytes, *, nested: bool) -> str:
    from markitdown import StreamInfo
    from markitdown.converters import DocxConverter

    with zipfile.ZipFile(io.BytesIO(data)) as package:
        part = _Part(package)
        changes: dict[str, Callable[[bytes], bytes]] = {
            "word/document.xml": part.visible,
            "word/footnotes.xml": part.visible,
            "word/endnotes.xml": part.visible,
            "word/styles.xml": _with_title_as_heading,
            # The document's own word on how to read it could bring back its comments.
            "mammoth/style-map": _empty,
        }
        data = rewritten(data, changes)
    text = DocxConverter().convert(io.BytesIO(data), StreamInfo(extension=".docx"), **webpage.MARKDOWNIFY).markdown
    text = re.sub(r"</?u>", "", text)
    for mark, target in part.chunks.items():
        text = text.replace(mark, "" if nested else _chunk(target, data))
    return text


def _with_title_as_heading(xml: bytes) -> bytes:
    """The style `Title` is the document's first heading to its reader, and none to mammoth."""
    return xml.replace(b'w:name w:val="Title"', b'w:name w:val="heading 1"')


def _empty(_: bytes) -> bytes:
    return b"\n"


def _chunk(target: str, data: bytes) -> str:
    """A document inside the document (`altChunk`), as mail merge and report generators leave it."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        content = read_member(package, target)
    match PurePosixPath(target).suffix.lower():
        case ".html" | ".htm" | ".xhtml":
            return webpage.to_markdown(webpage.parse(content))
        case ".txt":
            return decode(content) or ""
        case ".docx" if content:
            return _to_markdown(content, nested=True)
        case _:
            return ""


class _Part:
    """Takes out of a part of the document what its reader does not see, and puts in what mammoth would leave out."""

    def __init__(self, package: zipfile.ZipFile) -> None:
        self._package = package
        self._styles = _Styles(read_member(package, "word/styles.xml"))
        self.chunks: dict[str, str] = {}
        """Marks in the text, and the name of the document that belongs there."""

    def visible(self, xml: bytes) -> bytes:
        etree: Any = importlib.import_module("lxml.etree")
        root = _parsed(xml)
        before = etree.tostring(root)
        coloured = root.find("{*}background") is not None
        for run in list(root.iter("{*}r")):
            if self._styles.hide(run, coloured=coloured):
                run.getparent().remove(run)
        etree.strip_tags(root, *_WRAPPERS)
        self._add_smartart(root)
        self._mark_chunks(root)
        for table in list(root.iter("{*}tbl")):
            _fill_rows(table)
        if etree.tostring(root) == before:
            return xml
        return etree.tostring(root, encoding="UTF-8", xml_declaration=True)

    def _add_smartart(self, root: Any) -> None:
        done: set[str] = set()
        for drawing in list(root.iter("{*}relIds")):
            identifier = _attribute(drawing, "dm")
            paragraph = next(drawing.iterancestors("{*}p"), None)
            xml = read_member(self._package, self._target(identifier))
            if paragraph is None or identifier in done or not xml:
                continue
            done.add(identifier)
            for text in reversed(smartart.texts(xml)):
                paragraph.addnext(_paragraph(paragraph.tag, text))

    def _mark_chunks(self, root: Any) -> None:
        for element in list(root.iter("{*}altChunk")):
            mark = f"altChunk{len(self.chunks)}of{id(self)}"  # not what a text could say by chance
            self.chunks[mark] = self._target(_attribute(element, "id"))
            element.getparent().replace(element, _paragraph(element.tag.replace("}altChunk", "}p"), mark))

    def _target(self, identifier: str) -> str:
        """The file inside the package that a relationship of the document means; empty if it has none."""
        xml = read_member(self._package, "word/_rels/document.xml.rels")
        for relation in _parsed(xml) if xml else ():
            if relation.get("Id") == identifier and relation.get("TargetMode") != "External":
                target = relation.get("Target", "")
                return target[1:] if target.startswith("/") else f"word/{target}"
        return ""


def _fill_rows(table: Any) -> None:
    """Write a cell that was merged downwards into each of its rows, as `webpage` does."""
    above: dict[int, Any] = {}  # the cell that reaches into a column from above; None if it is too long
    for row in table.iterfind("{*}tr"):
        column = 0
        for cell in row.iterfind("{*}tc"):
            merge = cell.find("{*}tcPr/{*}vMerge")
            if merge is None:
                above.pop(column, None)
            elif _attribute(merge, "val") == "restart":
                above[column] = cell if sum(map(len, cell.itertext())) <= webpage.MAX_REPEATED else None
                merge.getparent().remove(merge)
            elif above.get(column) is not None:
                merge.getparent().remove(merge)
                for content in cell.findall("{*}p"):
                    cell.remove(content)
                cell.extend(copy.deepcopy(above[column].findall("{*}p")))
            span = _attribute(cell.find("{*}tcPr/{*}gridSpan"), "val")
            column += int(span) if span.isdecimal() else 1


class _Styles:
    """Which styles hide their text, make it white, or colour what is behind it; styles inherit from others."""

    def __init__(self, xml: bytes) -> None:
        self._hidden, self._white, self._shaded = set[str](), set[str](), set[str]()
        styles = list(_parsed(xml).iter("{*}style")) if xml else []
        for _ in range(5):  # as deep as anyone nests them
            for style in styles:
                name, base = _attribute(style, "styleId"), _attribute(style.find("{*}basedOn"), "val")
                properties = style.find("{*}rPr")
                if _vanishes(properties) or (base in self._hidden and not _shows(properties)):
                    self._hidden.add(name)
                colour = _colour(properties)
                if colour == "FFFFFF" or (base in self._white and not colour):
                    self._white.add(name)
                if base in self._shaded or next(style.iter("{*}shd"), None) is not None:
                    self._shaded.add(name)

    def hide(self, run: Any, *, coloured: bool) -> bool:
        """`coloured` is a document whose pages are."""
        properties = run.find("{*}rPr")
        paragraph = next(run.iterancestors("{*}p"), None)
        names = {
            _attribute(properties.find("{*}rStyle"), "val") if properties is not None else "",
            _attribute(paragraph.find("{*}pPr/{*}pStyle"), "val") if paragraph is not None else "",
        }
        if _vanishes(properties) or (names & self._hidden and not _shows(properties)):
            return True
        size = _attribute(properties.find("{*}sz"), "val") if properties is not None else ""
        if size.isdecimal() and int(size) < MIN_SIZE:
            return True
        colour = _colour(properties)
        white = colour == "FFFFFF" or (not colour and bool(names & self._white))
        return white and not coloured and not names & self._shaded and not _has_background(run)


def _has_background(run: Any) -> bool:
    """Its own, that of its paragraph, cell or table, or that of a drawing which it stands in."""
    if run.find("{*}rPr/{*}shd") is not None or run.find("{*}rPr/{*}highlight") is not None:
        return True
    for ancestor in run.iterancestors("{*}p", "{*}tc", "{*}tbl", "{*}txbxContent"):
        if ancestor.tag.endswith("}txbxContent"):
            return True
        if any(ancestor.find(path) is not None for path in ("{*}pPr/{*}shd", "{*}tcPr/{*}shd", "{*}tblPr/{*}tblStyle")):
            return True
    return False


def _vanishes(properties: Any) -> bool:
    mark = properties.find("{*}vanish") if properties is not None else None
    return mark is not None and _attribute(mark, "val") not in _OFF


def _shows(properties: Any) -> bool:
    """Against its style."""
    mark = properties.find("{*}vanish") if properties is not None else None
    return mark is not None and _attribute(mark, "val") in _OFF


def _colour(properties: Any) -> str:
    return _attribute(properties.find("{*}color"), "val").upper() if properties is not None else ""


def _attribute(element: Any, name: str) -> str:
    """Whatever its namespace: there are two for Word."""
    if element is None:
        return ""
    return next((str(value) for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def _paragraph(tag: str, text: str) -> Any:
    etree: Any = importlib.import_module("lxml.etree")
    namespace = tag.rpartition("}")[0] + "}"
    paragraph = etree.Element(f"{namespace}p")
    etree.SubElement(etree.SubElement(paragraph, f"{namespace}r"), f"{namespace}t").text = text
    return paragraph


def _parsed(xml: bytes) -> Any:
    etree: Any = importlib.import_module("lxml.etree")
    return etree.fromstring(xml, etree.XMLParser(resolve_entities=False))
