"""Excel workbooks and CSV."""

from __future__ import annotations

import csv
import importlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from shared.knowledge import markdown
from shared.knowledge.formats import document
from shared.knowledge.formats.document import ParsedDocument, finish
from shared.knowledge.formats.encodings import decode

_DELIMITERS = ",;\t|"


def read_xlsx(data: bytes, name: str) -> ParsedDocument:
    from openpyxl import load_workbook  # pyright: ignore[reportMissingModuleSource, reportUnknownVariableType]

    book: Any = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    sheets: list[str] = []
    room = document.MAX_CHARACTERS
    hidden = _HiddenStyles()
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            continue
        rows, room = _filled_rows(_visible_rows(book, sheet, hidden), room)
        if rows:
            sheets.append(f"## {sheet.title}\n\n{markdown.table(rows)}")
    return finish("\n\n".join(sheets), name)


def _visible_rows(book: Any, sheet: Any, hidden: _HiddenStyles) -> Iterator[list[str]]:
    """Without hidden rows and columns (a filter hides rows, too), and cells that only look empty."""
    sheet.reset_dimensions()  # what a file declares may be wrong
    rows, columns = _hidden_places(book, sheet)
    for number, row in enumerate(sheet.iter_rows(), 1):
        if number not in rows:
            yield [
                "" if cell.value is None or cell in hidden else cell_text(cell.value)
                for column, cell in enumerate(row, 1)
                if not any(first <= column <= last for first, last in columns)
            ]


def _hidden_places(book: Any, sheet: Any) -> tuple[set[int], list[tuple[int, int]]]:
    """Numbers of rows, and ranges of columns. Reading row by row, openpyxl itself does not tell."""
    etree: Any = importlib.import_module("lxml.etree")
    rows: set[int] = set()
    columns: list[tuple[int, int]] = []
    last = 0
    with book._archive.open(sheet._worksheet_path) as source:  # noqa: SLF001
        for _, element in etree.iterparse(source, tag=("{*}row", "{*}col"), resolve_entities=False):
            is_hidden = element.get("hidden") in ("1", "true")
            if element.tag.endswith("}row"):
                last = int(element.get("r") or last + 1)
                if is_hidden:
                    rows.add(last)
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
            elif is_hidden:
                columns.append((int(element.get("min", 0)), int(element.get("max", 0))))
    return rows, columns


class _HiddenStyles:
    """The styles of cells whose content does not show: white on white, or a format that writes nothing."""

    def __init__(self) -> None:
        self._known: dict[int, bool] = {}

    def __contains__(self, cell: Any) -> bool:
        style = cell._style_id  # noqa: SLF001
        if style not in self._known:
            fill = cell.fill
            on_white = fill.fill_type is None or (fill.fill_type == "solid" and _is_white(fill.fgColor))
            self._known[style] = cell.number_format == ";;;" or (on_white and _is_white(cell.font.color))
        return self._known[style]


def _is_white(color: Any) -> bool:
    """Theme colour 0 is that of the paper."""
    if color is None:
        return False
    return color.theme == 0 if color.type == "theme" else color.type == "rgb" and color.rgb[-6:].upper() == "FFFFFF"


def read_csv(data: bytes, name: str) -> ParsedDocument:
    text = decode(data) or ""
    # Spreadsheets of many countries write semicolons. `csv.Sniffer` takes letters and spaces for delimiters.
    # The first line that has any decides: a title may stand above the header.
    declared = re.match(r"\s*sep=(.)\r?\n", text)
    text = text[declared.end() :] if declared else text
    lines = (re.sub(r'"[^"]*"', "", line) for line in text.splitlines()[:20])
    sample = next((line for line in lines if any(sign in line for sign in _DELIMITERS)), "")
    delimiter = declared.group(1) if declared else max(_DELIMITERS, key=sample.count)
    rows, _ = _filled_rows(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), document.MAX_CHARACTERS)
    return finish(markdown.table(rows) if rows else "", name)


def _filled_rows(source: Iterable[Sequence[str]], room: int) -> tuple[list[Sequence[str]], int]:
    """The rows that hold anything, without columns that are empty at either side, and how much room is left.

    Stops once there are more characters than a document may have.
    """
    rows: list[list[str]] = []
    for row in source:
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            rows.append(cells)
            room -= sum(map(len, cells)) + 3 * len(cells)
        if room < 0:
            break
    first = min((next(i for i, cell in enumerate(row) if cell) for row in rows), default=0)
    return [row[first:] for row in rows], room


def cell_text(value: Any) -> str:
    """A cell as a spreadsheet's reader would write it down."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes") if value.time() != time() else value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
