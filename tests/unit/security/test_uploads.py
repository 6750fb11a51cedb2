import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.attachments import Upload
from shared.errors import InvalidInput, PayloadTooLarge, UnsupportedFile
from shared.security.uploads import MAX_NAME, check_uploads

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def office(part: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(part, "<x/>" * 100)
    return buffer.getvalue()


def check(name: str, data: bytes, content_type: str = "application/octet-stream") -> Upload:
    [upload] = check_uploads([Upload(name, content_type, data)], max_files=5, max_bytes=10_000)
    return upload


@pytest.mark.parametrize(
    ("name", "data", "safe_name", "media_type"),
    [
        ("bill.pdf", b"%PDF-1.7\n\x00\x01", "bill.pdf", "application/pdf"),
        ("bill.PDF", b"junk before\n%PDF-1.4", "bill.PDF", "application/pdf"),
        ("a.docx", office("word/document.xml"), "a.docx", "wordprocessingml.document"),
        ("a.xlsx", office("xl/workbook.xml"), "a.xlsx", "spreadsheetml.sheet"),
        ("a.pptx", office("ppt/presentation.xml"), "a.pptx", "presentationml.presentation"),
        ("notes.md", b"# Notes", "notes.md", "text/markdown"),
        ("t.csv", "Größe,Preis\n1,2\n".encode(), "t.csv", "text/csv"),
        ("latin.txt", "Größe".encode("latin-1"), "latin.txt", "text/plain"),
        ("wide.txt", "Größe".encode("utf-16"), "wide.txt", "text/plain"),
        ("BMW.txt", b"BM is how this text begins", "BMW.txt", "text/plain"),
        ("page.txt", b"<!DOCTYPE html><p>x", "page.txt.html", "text/html"),
        ("server.log", b"started\n", "server.log.txt", "text/plain"),
        # The content decides, whatever the name claims.
        ("photo.png", b"%PDF-1.7\n", "photo.png.pdf", "application/pdf"),
    ],
)
def test_the_content_decides_the_kind(name: str, data: bytes, safe_name: str, media_type: str) -> None:
    upload = check(name, data)

    assert upload.name == safe_name
    assert upload.content_type.endswith(media_type)
    assert upload.data == data


def test_text_without_a_telling_name_is_what_its_sender_says() -> None:
    assert check("notes", b"# Notes", "text/markdown; charset=utf-8").name == "notes.md"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (PNG, "picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "picture"),
        (b"GIF89a\x01\x00\x01\x00", "picture"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "picture"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00", "picture"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00", "before 2007"),
        (office("readme/first.txt"), "Accepted: PDF"),
        (b"\x7fELF\x02\x01\x01\x00", "Accepted: PDF"),
        (b"text with a \x00 in it", "Accepted: PDF"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(data: bytes, says: str) -> None:
    with pytest.raises(UnsupportedFile, match=says):
        check("invoice.pdf", data)


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Attachment 1 is empty"):
        check("a.txt", b"")


def test_too_many_and_too_large_files_are_refused() -> None:
    upload = Upload("a.txt", "text/plain", b"x" * 10)
    assert len(check_uploads([upload] * 2, max_files=2, max_bytes=10)) == 2
    with pytest.raises(PayloadTooLarge, match="At most 1 attachments"):
        check_uploads([upload] * 2, max_files=1, max_bytes=10)
    with pytest.raises(PayloadTooLarge, match="Attachment 2 is too large"):
        check_uploads([upload, Upload("b.txt", "text/plain", b"x" * 11)], max_files=2, max_bytes=10)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd.txt"),
        ("C:\\Users\\me\\notes.txt", "notes.txt"),
        ("", "attachment.txt"),
        ("...", "attachment.txt"),
        ("a\x00b\r\n.txt", "ab.txt"),
        ("invoice\u202etxt.exe", "invoicetxt.exe.txt"),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    assert check(name, b"text").name == safe


@given(name=st.text(max_size=300))
def test_every_name_comes_out_short_and_without_path_or_control_characters(name: str) -> None:
    safe = check(name, b"text").name

    assert 0 < len(safe) <= MAX_NAME
    assert not set(safe) & {"/", "\\", "\0", "\n", "\r"}
    assert not safe.startswith(".")
    assert safe.isprintable() or any(c.isspace() for c in safe)


@given(data=st.binary(min_size=1, max_size=500))
def test_any_bytes_are_either_kept_as_they_are_or_refused(data: bytes) -> None:
    try:
        upload = check("file", data)
    except UnsupportedFile:
        return
    assert upload.data == data
