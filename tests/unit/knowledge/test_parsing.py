"""The parser with its real child process, which is started once for most tests here."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
import pytest_asyncio

from shared.errors import DocumentRejected, Unavailable
from shared.knowledge.formats import ParsedDocument
from shared.knowledge.index import DocumentStatus
from shared.knowledge.parsing import DocumentParser
from tests import files

pytestmark = pytest.mark.asyncio(loop_scope="module")

MB = 1 << 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parser():
    parser = DocumentParser(timeout=30, memory_mb=512, max_bytes=10 * MB)
    yield parser
    await parser.close()


def strict(parser: DocumentParser, **limits: float) -> None:
    """Give the next documents other limits; the child process learns them with each."""
    for name, value in limits.items():
        setattr(parser, f"_{name}", value)


@pytest.fixture
def limits(parser: DocumentParser):
    before = vars(parser).copy()
    yield lambda **limits: strict(parser, **limits)
    strict(parser, timeout=before["_timeout"], memory_mb=before["_memory_mb"])


async def rejection(parser: DocumentParser, data: bytes, name: str) -> DocumentRejected:
    with pytest.raises(DocumentRejected) as caught:
        await parser.parse(data, name)
    assert DocumentStatus(caught.value.status)
    return caught.value


async def test_text_needs_no_child_process() -> None:
    parser = DocumentParser(timeout=5, memory_mb=64, max_bytes=MB)
    assert await parser.parse(b"---\nproduct: Solo\n---\n# Title\n\nText.", "a.md") == ParsedDocument(
        "# Title\n\nText.", "Title", {"product": "Solo"}
    )
    with pytest.raises(DocumentRejected):
        await parser.parse(b"\x89PNG....", "a.png")
    assert parser._process is None
    await parser.close()


async def test_documents_of_every_kind(parser: DocumentParser) -> None:
    page = b"<html lang=en><title>Fees</title><body><p>No fee for KX_2200.</p>"
    parsed = await asyncio.gather(
        parser.parse(files.docx(), "repairs.docx"),
        parser.parse(files.xlsx({"Parts": files.PRICES}), "parts.xlsx"),
        parser.parse(files.pptx({"First week": "Rinse the tank."}), "week.pptx"),
        parser.parse(files.pdf("Use 2 sachets."), "descaling.pdf"),
        parser.parse(page, "fees.html"),
        parser.parse(b"Zone;Days\n1;2\n", "zones.csv"),
    )
    assert [(p.title, p.markdown.split("\n")[-1]) for p in parsed] == [
        ("Repairs", "Send it to Cork."),
        ("Parts", "| KX-4410 | 49 | |"),
        ("First week", "Rinse the tank."),
        ("Descaling", "Use 2 sachets."),
        ("Fees", "No fee for KX_2200."),
        ("Zones", "| 1 | 2 |"),
    ]
    assert parsed[4].metadata == {"language": "en"}


async def test_a_rejection_crosses_the_process(parser: DocumentParser) -> None:
    assert (await rejection(parser, files.pdf(), "scan.pdf")).status == DocumentStatus.EMPTY
    assert (await rejection(parser, files.pdf("x", password="p"), "locked.pdf")).status == DocumentStatus.ENCRYPTED
    assert (await rejection(parser, b"PK\x03\x04 cut off", "a.docx")).status == DocumentStatus.BROKEN


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 20),
        ("a.docx", files.archive({"word/document.xml": b"<not closed"})),
        ("a.xlsx", files.archive({"xl/workbook.xml": b"no xml at all"})),
        ("a.pptx", files.archive({"ppt/presentation.xml": b"<p:presentation/>"})),
        ("a.docx", files.docx()[:-40]),
    ],
)
async def test_a_broken_file_says_so(parser: DocumentParser, name: str, data: bytes) -> None:
    rejected = await rejection(parser, data, name)
    assert rejected.status in (DocumentStatus.BROKEN, DocumentStatus.EMPTY)
    assert "damaged" in str(rejected) or "no text" in str(rejected)


async def test_size_limit() -> None:
    parser = DocumentParser(timeout=5, memory_mb=64, max_bytes=1_500_000)
    rejected = await rejection(parser, b"x" * 1_500_001, "a.txt")
    assert (rejected.status, str(rejected)) == ("too_large", "The file is larger than 1.5 MB. Split it.")
    await parser.close()


async def test_time_limit(parser: DocumentParser, limits) -> None:
    limits(timeout=0.05)
    slow = files.pdf(*["All work and no play."] * 40, pages=100)
    rejected = await rejection(parser, slow, "slow.pdf")
    assert rejected.status == DocumentStatus.TOO_SLOW
    limits(timeout=30)
    assert (await parser.parse(files.docx(), "next.docx")).title == "Repairs"


async def test_memory_limit(parser: DocumentParser, limits) -> None:
    limits(memory_mb=24)
    bomb = files.docx(body=["all work and no play " * 2_000_000])
    assert len(bomb) < MB
    rejected = await rejection(parser, bomb, "bomb.docx")
    assert (rejected.status, "24 MB of memory" in str(rejected)) == (DocumentStatus.TOO_LARGE, True)
    assert (await parser.parse(files.docx(), "next.docx")).title == "Repairs"


async def test_memory_limit_of_a_pdf(parser: DocumentParser, limits) -> None:
    limits(memory_mb=32)
    rejected = await rejection(parser, files.pdf(*["all work and no play " * 4000] * 400), "bomb.pdf")
    assert (rejected.status, "32 MB of memory" in str(rejected)) == (DocumentStatus.TOO_LARGE, True)


async def test_the_most_memory_held_is_told(parser: DocumentParser) -> None:
    await parser.parse(files.docx(), "a.docx")
    small = parser.peak_mb
    await parser.parse(files.docx(body=["all work and no play " * 100_000]), "b.docx")
    assert 5 < small < parser.peak_mb
    await parser.parse(b"Text.", "c.txt")
    assert parser.peak_mb == 0


async def test_a_killed_child_process_is_replaced(parser: DocumentParser) -> None:
    await parser.parse(files.docx(), "a.docx")
    assert parser._process
    os.kill(parser._process.pid, signal.SIGKILL)
    parser._process.wait()
    assert (await parser.parse(files.docx(), "a.docx")).title == "Repairs"


def has_forked(pid: int) -> bool:
    """Whether the process reads a document now."""
    return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text())


async def test_a_child_process_that_dies_meanwhile_is_reported(parser: DocumentParser) -> None:
    await parser.parse(files.docx(), "a.docx")
    assert parser._process
    reader = parser._process.pid
    slow = asyncio.create_task(parser.parse(files.pdf(*["x"] * 40, pages=400), "slow.pdf"))
    while not has_forked(reader) and not slow.done():  # noqa: ASYNC110 - in another process
        await asyncio.sleep(0.01)
    os.killpg(reader, signal.SIGKILL)
    with pytest.raises(Unavailable):
        await slow
    assert (await parser.parse(files.docx(), "a.docx")).title == "Repairs"


async def test_a_child_process_that_does_not_start_is_reported(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    parser = DocumentParser(timeout=5, memory_mb=64, max_bytes=MB)
    with pytest.raises(Unavailable, match="does not start"):
        await parser.parse(files.docx(), "a.docx")
    await parser.close()


async def test_a_document_learns_nothing_of_the_process_that_asks(
    monkeypatch: pytest.MonkeyPatch, parser: DocumentParser
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    fresh = DocumentParser(timeout=30, memory_mb=512, max_bytes=MB)
    await fresh.parse(files.docx(), "a.docx")
    assert fresh._process
    with open(f"/proc/{fresh._process.pid}/environ", "rb") as file:  # noqa: ASYNC230, PTH123
        assert b"secret" not in file.read()
    await fresh.close()
    assert fresh._process is None
