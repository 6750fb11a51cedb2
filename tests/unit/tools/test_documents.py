"""The tools for documents, one after the other, with a small embedder."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import services as composition
from shared.errors import Unavailable
from tests.fakes import HashEmbedder
from tools import list_documents, reindex, show_document, upload_documents


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AUTH_MODE", "open")
    monkeypatch.setenv("MAX_DOCUMENT_BYTES", "1000")
    use_model(monkeypatch, "first-model")


def use_model(monkeypatch: pytest.MonkeyPatch, fingerprint: str, dimensions: int = 64) -> None:
    def services() -> composition.Services:
        services = composition.Services(composition.load_settings())
        vars(services)["embedder"] = HashEmbedder(fingerprint, dimensions=dimensions)
        return services

    for tool in (list_documents, reindex, show_document, upload_documents):
        monkeypatch.setattr(tool, "get_services", services)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "to upload"
    (folder / "deep").mkdir(parents=True)
    (folder / "faq.md").write_text("# FAQ\n\nShips in two days.")
    (folder / "deep" / "notes.txt").write_text("")
    (folder / ".hidden.md").write_text("secret")
    return folder


def test_documents_are_uploaded_indexed_and_listed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert upload_documents.main([str(folder), "--under", "/help/"]) == 0
    assert capsys.readouterr().out == "1 of 2: help/deep/notes.txt\n2 of 2: help/faq.md\n"
    assert (tmp_path / "data/documents/help/faq.md").read_text() == "# FAQ\n\nShips in two days."

    assert reindex.main([]) == 0
    printed = capsys.readouterr().out
    assert "reading 2 of 2: help/faq.md\n" in printed
    assert "1 documents indexed, 1 could not be read" in printed

    assert list_documents.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "empty            0  help/deep/notes.txt: The file is empty.",
        "indexed          1  help/faq.md",
        "2 documents: 1 empty, 1 indexed",
    ]


def test_another_model_is_taken_on_by_reindex_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    upload_documents.main([str(folder)])
    reindex.main([])
    use_model(monkeypatch, "second-model", dimensions=32)
    assert list_documents.main([]) == 1
    assert "python -m tools.reindex" in capsys.readouterr().err
    assert reindex.main([]) == 0
    assert list_documents.main([]) == 0


def test_an_interrupted_reindex_leaves_the_index_in_use(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    upload_documents.main([str(folder)])
    reindex.main([])

    def interrupt(number: int, total: int, name: str) -> None:
        if number == 2:
            raise Unavailable("The folder is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(reindex, "_show", interrupt)
        capsys.readouterr()
        assert reindex.main([]) == 1
        assert capsys.readouterr().err == "The folder is gone.\n"
    assert list_documents.main([]) == 0
    assert capsys.readouterr().out.endswith("2 documents: 1 empty, 1 indexed\n")
    assert reindex.main([]) == 0


def test_a_document_is_shown_with_its_passages(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "faq.md").write_text("---\nproduct: Solo\n---\n# FAQ\n\n## Shipping\n\nShips in two days.")
    upload_documents.main([str(folder)])
    reindex.main([])
    capsys.readouterr()

    assert show_document.main(["faq.md"]) == 0
    name, status, title, read, version, etag, metadata, passages, _, place, *text = capsys.readouterr().out.splitlines()
    assert (name, status, title) == ("faq.md", "status      indexed", "title       FAQ")
    assert read.startswith("read        20")
    assert version.startswith("version     ")
    assert len(etag) > 20
    assert (metadata, passages) == ("metadata    product=Solo", "passages    1")
    assert place == "[1] 20-38  FAQ › Shipping"
    assert text == ["Ships in two days."]

    assert show_document.main(["deep/notes.txt"]) == 0
    assert "status      empty: The file is empty.\n" in capsys.readouterr().out
    assert show_document.main(["nowhere.md"]) == 1
    assert "No document 'nowhere.md' is known." in capsys.readouterr().err


def test_a_file_that_is_too_large_is_named_and_the_rest_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "big.md").write_bytes(b"x" * 1001)
    assert upload_documents.main([str(folder)]) == 1
    printed = capsys.readouterr()
    assert "big.md NOT UPLOADED: 'big.md' is larger than 0.001 MB." in printed.err
    assert "3 of 3: faq.md" in printed.out


def test_a_folder_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        upload_documents.main([str(tmp_path / "nowhere")])


def test_an_empty_knowledge_base_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_documents.main([]) == 0
    assert capsys.readouterr().out == "0 documents\n"
