import io
import zipfile
from dataclasses import replace

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


def check(name: str, data: bytes) -> Upload:
    upload = Upload(name, "application/octet-stream", data)
    [checked] = check_uploads([upload], max_files=5, max_bytes=10_000)
    assert checked == replace(upload, name=checked.name)
    return checked


@pytest.mark.parametrize(
    ("name", "data", "safe_name"),
    [
        ("bill.pdf", b"%PDF-1.7\n\x00\x01", "bill.pdf"),
        ("a.docx", office("word/document.xml"), "a.docx"),
        ("a.xlsx", office("xl/workbook.xml"), "a.xlsx"),
        ("a.pptx", office("ppt/presentation.xml"), "a.pptx"),
        ("notes.md", b"# Notes", "notes.md"),
        ("notes", b"# Notes", "notes"),
        ("t.csv", "Größe,Preis\n1,2\n".encode(), "t.csv"),
        ("latin.txt", "Größe: groß".encode("cp1252"), "latin.txt"),
        ("wide.txt", "Größe".encode("utf-16"), "wide.txt"),
        ("page.html", b"<!DOCTYPE html><p>x", "page.html"),
        ("server.log", b"started\n", "server.log.txt"),
        # The content decides, whatever the name claims.
        ("photo.png", b"%PDF-1.7\n", "photo.png"),
    ],
)
def test_what_can_be_read_is_accepted(name: str, data: bytes, safe_name: str) -> None:
    assert check(name, data).name == safe_name


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (PNG, "picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "picture"),
        (b"GIF89a\x01\x00\x01\x00", "picture"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "picture"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00", "before 2007"),
        (office("readme/first.txt"), "Archives"),
        (b"\x7fELF\x02\x01\x01\x00", "Readable: PDF"),
        (b"text with a \x00 in it", "Readable: PDF"),
    ],
)
@pytest.mark.parametrize("name", ["invoice.pdf", "invoice.txt", "invoice", "invoice.exe"])
def test_what_cannot_be_read_is_refused_with_the_reason(name: str, data: bytes, says: str) -> None:
    with pytest.raises(UnsupportedFile, match=f"Attachment 1: .*{says}") as refused:
        check(name, data)
    assert str(refused.value).count("Readable: ") == 1


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Attachment 1: The file is empty"):
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
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\notes.txt", "notes.txt"),
        ("", "attachment"),
        ("...", "attachment"),
        (".txt", "txt"),
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


@given(data=st.binary(min_size=1, max_size=500))
def test_any_bytes_are_either_kept_as_they_are_or_refused(data: bytes) -> None:
    try:
        upload = check("file", data)
    except (UnsupportedFile, InvalidInput):
        return
    assert upload.data == data
