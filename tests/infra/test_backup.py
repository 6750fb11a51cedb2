"""The copy of Chroma's folder, made by the script that the backup job runs, opens and answers like the original."""

import importlib.util
import threading
from pathlib import Path
from types import ModuleType

import chromadb
import pytest

from tests.infra.bicep import ROOT


@pytest.fixture
def backup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chroma_backup", ROOT / "infra" / "chroma" / "backup.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def vector(n: int) -> list[float]:
    return [1.0, n / 1000, (n % 7) / 10]


def write(collection: chromadb.Collection, numbers: range) -> None:
    ids = [str(n) for n in numbers]
    collection.upsert(ids, embeddings=[vector(n) for n in numbers], documents=[f"text {n}" for n in numbers])


def test_a_copy_of_an_index_at_work_has_all_that_was_written(backup: ModuleType, tmp_path: Path) -> None:
    data, backups = tmp_path / "data", tmp_path / "backups"
    backups.mkdir()
    collection = chromadb.PersistentClient(str(data)).create_collection("chunks", metadata={"hnsw:sync_threshold": 100})
    write(collection, range(1050))  # some in the vectors' files, some still in the database
    written, stop = threading.Event(), threading.Event()

    def keep_writing() -> None:
        n = 1050
        while not stop.is_set():
            write(collection, range(n, n + 1))
            n += 1
            written.set()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        assert written.wait(30)
        assert backup.main(data, backups, pause=0) == 0
    finally:
        stop.set()
        writer.join()

    (copy,) = backups.iterdir()
    assert any(path.suffix == ".bin" for path in copy.rglob("*"))
    copied = chromadb.PersistentClient(str(copy)).get_collection("chunks")
    assert copied.count() >= 1051
    for n in (0, 500, 1049):
        found = copied.query(query_embeddings=[vector(n)], n_results=1)
        assert found["ids"][0] == [str(n)]
        assert copied.get(ids=[str(n)])["documents"] == [f"text {n}"]


def test_only_the_last_copies_are_kept(backup: ModuleType, tmp_path: Path) -> None:
    data, backups = tmp_path / "data", tmp_path / "backups"
    write(chromadb.PersistentClient(str(data)).create_collection("chunks"), range(5))
    for day in range(1, 6):
        (backups / f"2025010{day}T023000Z").mkdir(parents=True)
    assert backup.main(data, backups) == 0
    kept = sorted(path.name for path in backups.iterdir())
    assert kept[:2] == ["20250104T023000Z", "20250105T023000Z"]
    assert len(kept) == 3


def test_a_copy_is_none_while_vectors_are_written(
    backup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, backups = tmp_path / "data", tmp_path / "backups"
    backups.mkdir()
    write(chromadb.PersistentClient(str(data)).create_collection("chunks"), range(5))
    (data / "vectors").mkdir()
    changing = data / "vectors" / "data_level0.bin"
    changing.write_bytes(b"")
    copytree = backup.shutil.copytree

    def copy_and_change(*arguments: object) -> None:
        copytree(*arguments)
        changing.write_bytes(changing.read_bytes() + b"x")

    monkeypatch.setattr(backup.shutil, "copytree", copy_and_change)
    assert backup.main(data, backups, pause=0) == 1
    assert list(backups.iterdir()) == []
    assert "nothing was copied" in capsys.readouterr().err
