"""PowerPoint presentations."""

from __future__ import annotations

import io
import re
from typing import Any

from shared.knowledge import markdown
from shared.knowledge.formats import smartart
from shared.knowledge.formats.document import ParsedDocument, finish
from shared.knowledge.formats.spreadsheet import cell_text
from shared.knowledge.markdown import Part


def read_pptx(data: bytes, name: str) -> ParsedDocument:
    from pptx import Presentation

    slides: list[Part] = []
    presentation: Any = Presentation(io.BytesIO(data))
    for number, slide in enumerate(presentation.slides, 1):
        if slide._element.get("show") not in ("0", "false"):  # noqa: SLF001 - python-pptx has no name for it
            title = slide.shapes.title
            # Speaker notes are left out: they are for whoever presents, and often internal.
            parts = [f"# {' '.join(title.text_frame.text.split())}"] if title and title.text_frame.text.strip() else []
            seen = [shape for shape in slide.shapes if _on_slide(shape, presentation)]
            parts += _shapes(seen, skip=title.shape_id if title else None)
            slides.append(Part("\n".join(parts), number))
    return finish(slides, name)


_RELATIONS = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_PICTURE_FILE = re.compile(r"\S+\.(?:png|jpe?g|gif|bmp|tiff?|svg|emf|wmf)$", re.IGNORECASE)  # no description
_NUMBER = re.compile(r"\d{1,3}[.)]\s")


def _on_slide(shape: Any, presentation: Any) -> bool:
    """What lies beside the slide is for whoever edits it."""
    if None in (shape.left, shape.top, shape.width, shape.height):
        return True
    across = shape.left < presentation.slide_width and shape.left + shape.width > 0
    return across and shape.top < presentation.slide_height and shape.top + shape.height > 0


def _shapes(shapes: Any, *, skip: int | None = None) -> list[str]:
    """The text of each shape, from top to bottom and left to right."""
    parts: list[str] = []
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        about = shape._element._nvXxPr.cNvPr  # noqa: SLF001
        if shape.shape_id == skip or about.get("hidden") in ("1", "true"):
            continue
        if hasattr(shape, "shapes"):
            parts += _shapes(shape.shapes)
        elif getattr(shape, "has_table", False):
            rows = [[cell.text for cell in row.cells] for row in shape.table.rows]
            parts.append(f"\n{markdown.table(rows)}\n")
        elif getattr(shape, "has_chart", False):
            parts.append(_chart(shape.chart))
        elif shape.has_text_frame:
            parts += _paragraphs(shape)
        elif (drawing := next(shape._element.iter("{*}relIds"), None)) is not None:  # noqa: SLF001
            part = shape.part.related_part(drawing.get(f"{_RELATIONS}dm"))
            parts += [f"- {text}" for text in smartart.texts(part.blob)]
        else:  # a picture: its description
            parts.append(_PICTURE_FILE.sub("", about.get("descr", "")))
    return [part for part in parts if part.strip()]


def _paragraphs(shape: Any) -> list[str]:
    from pptx.enum.shapes import PP_PLACEHOLDER

    kinds = (PP_PLACEHOLDER.SUBTITLE, PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE)
    places = (PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER)
    kind = shape.placeholder_format.type if shape.is_placeholder else None
    if kind in places:
        return []
    texts = [(p.level, " ".join(p.text.split())) for p in shape.text_frame.paragraphs]
    texts = [(level, text) for level, text in texts if text]
    if kind is None or kind in kinds or len(texts) < 2:
        return [text for _, text in texts]
    return [text if _NUMBER.match(text) else f"{'  ' * level}- {text}" for level, text in texts]


def _chart(chart: Any) -> str:
    """The numbers behind a chart as a table; empty for kinds of charts that have no categories."""
    try:
        plot = chart.plots[0]
        series = list(plot.series)
        rows = [["", *(line.name for line in series)]]
        rows += [[str(name), *(cell_text(line.values[n]) for line in series)] for n, name in enumerate(plot.categories)]
    except (AttributeError, IndexError, KeyError, NotImplementedError, TypeError, ValueError):
        return ""
    return f"\n{markdown.table(rows)}\n" if len(rows) > 1 else ""
