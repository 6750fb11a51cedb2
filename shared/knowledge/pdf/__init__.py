"""PDF: `reading` finds the words of each page, `tables` makes lines and tables of them, `layout` the Markdown."""

from shared.knowledge.pdf.reading import Locked, Reading, read

__all__ = ["Locked", "Reading", "read"]
