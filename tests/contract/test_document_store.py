"""What every `DocumentStore` does; then what is a folder's own, and what is Blob Storage's."""

from __future__ import annotations

import os
import shutil
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.blob_storage import BlobAccount
from shared.errors import InvalidInput, NotFound, PayloadTooLarge, Unavailable
from shared.knowledge.blob import BlobDocumentStore
from shared.knowledge.documents import CONTAINER, DocumentInfo, DocumentStore
from shared.knowledge.folder import FolderDocumentStore

OUTSIDE = [
    "../secret.md",
    "a/../../secret.md",
    "/etc/hostname",
    "a//b.md",
    "./a.md",
    "",
    "a/",
    "a\0.md",
    "..",
    "\ud800.md",
]
NOT_DOCUMENTS = [".hidden.md", ".git/config.md", "~$report.docx", "report.docx.tmp", "movie.part", "a/x.CRDOWNLOAD"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "documents"


@pytest.fixture
async def folder(root: Path):
    store = FolderDocumentStore(root)
    yield store
    await store.close()


@pytest.fixture
def blobs(blob_account: BlobAccount) -> DocumentStore:
    return BlobDocumentStore(blob_account)


@pytest.fixture(params=["folder", "blobs"])
def store(request: pytest.FixtureRequest) -> DocumentStore:
    return request.getfixturevalue(request.param)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def listed(store: DocumentStore) -> dict[str, DocumentInfo]:
    return {info.name: info async for info in store.list()}


async def test_what_is_written_can_be_read(store: DocumentStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    info = await store.write("billing/vat (2026).md", b"# VAT\r\n\0")
    assert await store.read("billing/vat (2026).md", max_bytes=100) == b"# VAT\r\n\0"
    assert (info.name, info.size) == ("billing/vat (2026).md", 8)
    assert before < info.modified_at < datetime.now(UTC) + timedelta(seconds=5)
    assert await store.info("billing/vat (2026).md") == info
    assert await listed(store) == {"billing/vat (2026).md": info}


async def test_a_change_changes_the_etag(store: DocumentStore) -> None:
    first = await store.write("a.md", b"one")
    second = await store.write("a.md", b"two")
    assert first.etag != second.etag
    assert await store.read("a.md", max_bytes=3) == b"two"
    assert await listed(store) == {"a.md": second}


async def test_delete_is_silent_about_what_is_not_there(store: DocumentStore) -> None:
    await store.write("a.md", b"one")
    await store.delete("a.md")
    await store.delete("a.md")
    await store.delete("never/there.md")
    assert await listed(store) == {}
    with pytest.raises(NotFound):
        await store.info("a.md")
    with pytest.raises(NotFound):
        await store.read("a.md", max_bytes=10)


async def test_a_document_over_the_limit_is_not_read(store: DocumentStore) -> None:
    await store.write("big.txt", b"x" * 11)
    assert len(await store.read("big.txt", max_bytes=11)) == 11
    with pytest.raises(PayloadTooLarge, match=r"big\.txt"):
        await store.read("big.txt", max_bytes=10)


@pytest.mark.parametrize("name", [*OUTSIDE, *NOT_DOCUMENTS])
async def test_a_name_that_is_no_documents_is_neither_written_nor_found(store: DocumentStore, name: str) -> None:
    with pytest.raises(InvalidInput):
        await store.write(name, b"x")
    with pytest.raises(NotFound):
        await store.read(name, max_bytes=10)
    with pytest.raises(NotFound):
        await store.info(name)
    await store.delete(name)
    assert await listed(store) == {}


async def test_names_are_composed_characters(store: DocumentStore) -> None:
    composed, split = "Größe/Café.md", unicodedata.normalize("NFD", "Größe/Café.md")
    assert (await store.write(split, b"x")).name == composed
    assert list(await listed(store)) == [composed]
    assert await store.read(composed, max_bytes=1) == b"x"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(min_size=1, max_size=30))
async def test_any_name_is_kept_or_refused_and_stays_inside(name: str, store: DocumentStore, tmp_path: Path) -> None:
    try:
        info = await store.write(name, b"content")
    except InvalidInput:
        return
    assert info.name == unicodedata.normalize("NFC", name)
    assert (await listed(store))[info.name] == info
    assert await store.read(info.name, max_bytes=10) == b"content"
    assert set(names_in(tmp_path)) <= {"documents"}
    await store.delete(info.name)
    with pytest.raises(NotFound):
        await store.info(info.name)


# ---- a folder


async def test_unfinished_and_hidden_files_are_not_listed(folder: DocumentStore, root: Path) -> None:
    for name in ("a.md", ".a.md", "~$a.docx", "a.md.tmp", "b.pdf.part", "c.pdf.crdownload"):
        (root / name).write_bytes(b"x")
    (root / ".git").mkdir()
    (root / ".git" / "b.md").write_bytes(b"x")
    assert list(await listed(folder)) == ["a.md"]


async def test_links_that_lead_out_are_no_documents(folder: DocumentStore, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "keys.md").write_bytes(b"secret")
    (root / "keys.md").symlink_to(tmp_path / "secret" / "keys.md")
    (root / "folder").symlink_to(tmp_path / "secret")
    (root / "loop.md").symlink_to(root / "loop.md")
    (root / "real.md").write_bytes(b"fine")
    (root / "alias.md").symlink_to(root / "real.md")
    assert sorted(await listed(folder)) == ["alias.md", "real.md"]
    for name in ("keys.md", "folder/keys.md", "loop.md"):
        with pytest.raises(NotFound):
            await folder.read(name, max_bytes=10)
    with pytest.raises(InvalidInput):
        await folder.write("folder/new.md", b"x")
    assert names_in(tmp_path / "secret") == ["keys.md"]


async def test_writing_over_a_link_leaves_its_target_alone(folder: DocumentStore, root: Path, tmp_path: Path) -> None:
    (tmp_path / "target.md").write_bytes(b"secret")
    (root / "a.md").symlink_to(tmp_path / "target.md")
    await folder.write("a.md", b"new")
    assert (tmp_path / "target.md").read_bytes() == b"secret"
    assert await folder.read("a.md", max_bytes=10) == b"new"


async def test_names_of_another_system_are_found(folder: DocumentStore, root: Path) -> None:
    (root / unicodedata.normalize("NFD", "Größe")).mkdir()
    (root / unicodedata.normalize("NFD", "Größe/Maß.md")).write_bytes(b"x")
    [name] = await listed(folder)
    assert name == "Größe/Maß.md"
    assert await folder.read(name, max_bytes=10) == b"x"


async def test_a_name_that_is_not_utf8_is_left_out(folder: DocumentStore, root: Path) -> None:
    (root / "fine.md").write_bytes(b"x")
    (root / os.fsdecode(b"caf\xe9.md")).write_bytes(b"x")
    assert list(await listed(folder)) == ["fine.md"]


async def test_a_file_and_a_folder_cannot_share_a_name(folder: DocumentStore) -> None:
    await folder.write("a/b.md", b"x")
    with pytest.raises(InvalidInput, match="in its way"):
        await folder.write("a", b"x")
    with pytest.raises(InvalidInput, match="in its way"):
        await folder.write("a/b.md/c.md", b"x")
    with pytest.raises(NotFound):
        await folder.read("a", max_bytes=10)
    with pytest.raises(InvalidInput, match="too long"):
        await folder.write("x" * 300 + ".md", b"x")
    assert list(await listed(folder)) == ["a/b.md"]


async def test_a_failed_write_leaves_nothing_behind(folder: DocumentStore, root: Path, monkeypatch) -> None:
    await folder.write("a.md", b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable, match="No space left on device"):
        await folder.write("a.md", b"new")
    assert await folder.read("a.md", max_bytes=10) == b"old"
    assert names_in(root) == ["a.md"]


async def test_a_folder_that_is_gone_is_not_an_empty_one(folder: DocumentStore, root: Path) -> None:
    await folder.ping()
    shutil.rmtree(root)
    with pytest.raises(Unavailable):
        await listed(folder)
    with pytest.raises(Unavailable):
        await folder.ping()


async def test_metadata_has_no_place_in_a_folder(folder: DocumentStore) -> None:
    with pytest.raises(InvalidInput, match="front matter"):
        await folder.write("a.md", b"x", {"product": "Solo"})


# ---- Blob Storage


async def test_a_blob_of_another_spelling_is_the_same_document(blobs: DocumentStore, blob_account: BlobAccount) -> None:
    """Programs on a Mac upload names whose accents are letters of their own."""
    composed, split = (unicodedata.normalize(form, "Größe/Café (é).md") for form in ("NFC", "NFD"))
    container = blob_account.container(CONTAINER)
    await container.upload_blob(split, b"old")
    await container.upload_blob("Größe/Cafés.md", b"another")
    assert sorted(await listed(blobs)) == [composed, "Größe/Cafés.md"]
    assert await blobs.read(composed, max_bytes=10) == b"old"
    assert (await blobs.write(composed, b"new")).name == composed
    assert [blob.name async for blob in container.list_blobs(name_starts_with="G")] == [split, "Größe/Cafés.md"]
    assert await blobs.read(composed, max_bytes=10) == b"new"
    await blobs.delete(composed)
    assert list(await listed(blobs)) == ["Größe/Cafés.md"]


async def test_what_others_put_into_the_container_under_odd_names_is_no_document(
    blobs: DocumentStore, blob_account: BlobAccount
) -> None:
    for name in (".hidden.md", "a//b.md", "folder/~$a.docx", "a.md.tmp", "fine.md"):
        await blob_account.container(CONTAINER).upload_blob(name, b"x")
    assert list(await listed(blobs)) == ["fine.md"]


async def test_metadata_comes_back_whatever_its_capitals(blobs: DocumentStore, blob_account: BlobAccount) -> None:
    info = await blobs.write("a.md", b"x", {"Product": "Kavendry Solo", "language": "en"})
    assert info.metadata == {"product": "Kavendry Solo", "language": "en"}
    assert await blobs.info("a.md") == info
    assert await listed(blobs) == {"a.md": info}
    await blob_account.container(CONTAINER).upload_blob("b.md", b"x", metadata={"AUDIENCE": "partners"})
    assert (await blobs.info("b.md")).metadata == {"audience": "partners"}


@pytest.mark.parametrize("metadata", [{"a-b": "x"}, {"1a": "x"}, {"": "x"}, {"product": "Größe"}, {"product": "a\nb"}])
async def test_metadata_that_no_header_can_carry_is_refused(blobs: DocumentStore, metadata: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="front matter"):
        await blobs.write("a.md", b"x", metadata)
    assert await listed(blobs) == {}


@pytest.mark.parametrize("name", ["a\\b.md", "a./b.md", "a.", "a\nb.md", "x" * 1025, "/".join("x" * 255)])
async def test_a_name_that_blob_storage_would_change_or_refuse_is_refused(blobs: DocumentStore, name: str) -> None:
    with pytest.raises(InvalidInput):
        await blobs.write(name, b"x")


async def test_a_document_that_changes_while_it_is_read_is_read_anew(
    blobs: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blobs.write("a.md", b"old")
    find, changes = blobs._existing, iter([b"new", b"far too long to be read", b"newer"])

    async def changing(name: str):
        found = await find(name)
        if data := next(changes, None):
            await blobs.write(name, data)
        return found

    monkeypatch.setattr(blobs, "_existing", changing)
    with pytest.raises(PayloadTooLarge):
        await blobs.read("a.md", max_bytes=10)
    changes = iter([b"1", b"2"])
    assert await blobs.read("a.md", max_bytes=50) == b"2"
    changes = iter([b"1", b"2", b"3"])
    with pytest.raises(Unavailable, match="changes faster"):
        await blobs.read("a.md", max_bytes=10)


async def test_a_container_that_is_gone_is_not_an_empty_one(blobs: DocumentStore, blob_account: BlobAccount) -> None:
    await blobs.write("a.md", b"x")
    await blobs.ping()
    await blob_account.container(CONTAINER).delete_container()
    for call in (
        listed(blobs),
        blobs.ping(),
        blobs.info("a.md"),
        blobs.read("a.md", max_bytes=10),
        blobs.write("a.md", b"x"),
        blobs.delete("a.md"),
    ):
        with pytest.raises(Unavailable, match="create_stores"):
            await call
