"""What every `VectorIndex` does."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import chromadb
import numpy as np
import pytest

from shared.errors import IndexModelMismatch, Unavailable
from shared.knowledge import chroma, chroma_folder, cosmos
from shared.knowledge.chroma import ChromaIndex
from shared.knowledge.chroma_server import ChromaServer
from shared.knowledge.index import SAMPLED, Chunk, DocumentRecord, DocumentStatus, VectorIndex
from tests.fakes import Generation, InMemoryIndex

DIMENSIONS = 4
MODEL = "some-model"


def chunk(number: int, document: str = "faq.md", text: str = "", **metadata: str | int | float | bool) -> Chunk:
    return Chunk(
        id=f"{document}-{number}",
        document=document,
        version="v1",
        text=text or f"Passage {number} of {document}.",
        breadcrumb="FAQ › Passages",
        start=number * 100,
        end=number * 100 + 50,
        metadata={"source": document, **metadata},
        document_chunks=7,
    )


def axis(number: int, *, tilt: float = 0.0) -> np.ndarray:
    """A unit vector along one axis, tilted towards the next."""
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    vector[number % DIMENSIONS] = 1.0
    vector[(number + 1) % DIMENSIONS] += tilt
    return vector / np.linalg.norm(vector)


def record(name: str, **changes: object) -> DocumentRecord:
    known = DocumentRecord(
        name=name,
        content_hash="abc",
        etag="1-2",
        status=DocumentStatus.INDEXED,
        reason="",
        title="Größe & “Maß” › 尺寸",
        chunks=3,
        indexed_at=datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC),
    )
    return replace(known, **changes)


type Open = Callable[..., VectorIndex]


@pytest.fixture
def embedded_chroma(tmp_path: Path) -> Callable[[str], VectorIndex]:
    return lambda model: ChromaIndex(tmp_path / "index", model)


@pytest.fixture
def served_chroma(chroma_server: ChromaServer) -> Callable[[str], VectorIndex]:
    return lambda model: ChromaIndex(chroma_server, model)


@pytest.fixture
def in_memory() -> Callable[[str], VectorIndex]:
    generations: list[Generation] = []
    return lambda model: InMemoryIndex(model, generations)


@pytest.fixture(params=["embedded_chroma", "served_chroma", "cosmos_index", "in_memory"])
def new_index(request: pytest.FixtureRequest) -> Callable[[str], VectorIndex]:
    return request.getfixturevalue(request.param)


@pytest.fixture
async def open_index(new_index: Callable[[str], VectorIndex]) -> AsyncIterator[Open]:
    """Opens one more instance on the same data, as another process would."""
    opened: list[VectorIndex] = []

    def open_one(model: str = MODEL) -> VectorIndex:
        opened.append(new_index(model))
        return opened[-1]

    yield open_one
    for index in opened:
        await index.close()


@pytest.fixture
def index(open_index: Open) -> VectorIndex:
    return open_index()


async def test_a_chunk_comes_back_as_it_went_in(index: VectorIndex) -> None:
    stored = chunk(1, text="Über “alles”\n\n| a | b |\n", page=3, price=4.5, public=True, note="尺寸")
    await index.upsert([stored], np.stack([axis(0)]))
    assert list(await index.chunks("faq.md")) == [stored]
    [match] = await index.query(axis(0), limit=1)
    assert match.chunk == stored
    assert match.distance == pytest.approx(0, abs=1e-6)


async def test_a_sample_of_few_vectors_is_all_of_them(index: VectorIndex) -> None:
    assert len(await index.sample()) == 0
    await index.upsert([chunk(0), chunk(1), chunk(2)], np.stack([axis(0), axis(0), axis(1)]))
    assert (await index.sample()).sum(axis=0) == pytest.approx([2, 1, 0, 0])
    await index.delete_chunks(["faq.md-2"])
    assert (await index.sample()).sum(axis=0) == pytest.approx([2, 0, 0, 0])


async def test_a_sample_of_many_vectors_is_of_some_from_all_over(index: VectorIndex) -> None:
    number = 2 * SAMPLED + 10
    chunks = [chunk(n, f"{n // 10}.md") for n in range(number)]
    await index.upsert(chunks, np.stack([axis(n // 10) for n in range(number)]))
    sample = await index.sample()
    assert SAMPLED / 2 < len(sample) <= SAMPLED
    assert sample.mean(axis=0) == pytest.approx([0.25] * DIMENSIONS, abs=0.12)


async def test_chunks_are_in_reading_order(index: VectorIndex) -> None:
    await index.upsert([chunk(3), chunk(1), chunk(2)], np.stack([axis(0)] * 3))
    assert [c.start for c in await index.chunks("faq.md")] == [100, 200, 300]
    assert list(await index.chunks("other.md")) == []


async def test_distance_is_cosine_and_the_nearest_come_first(index: VectorIndex) -> None:
    chunks = [chunk(0), chunk(1), chunk(2)]
    await index.upsert(chunks, np.stack([axis(0), axis(0, tilt=1.0), -axis(0)]))
    matches = await index.query(axis(0), limit=10)
    assert [m.chunk.id for m in matches] == [c.id for c in chunks]
    assert [m.distance for m in matches] == pytest.approx([0, 1 - np.sqrt(0.5), 2], abs=1e-5)
    await index.version()
    assert len(await index.query(axis(0), limit=2)) == 2


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({}, {0, 1, 2, 3, 4}),
        ({"product": "Duo"}, {1, 2, 3, 4}),
        ({"product": "duo", "language": "de"}, {2, 3, 4}),
        ({"product": " SOLO "}, {0, 3, 4}),
        ({"product": "Trio"}, {3}),
        ({"product": "Kavendry"}, {3}),
        ({"language": "en-US"}, {0, 1, 3, 4}),
        ({"audience": "*"}, {0, 1, 2, 3}),
        ({"audience": "partners", "product": "Solo"}, {0, 3, 4}),
    ],
)
async def test_a_query_leaves_out_what_is_meant_for_others(
    index: VectorIndex, filters: dict[str, str], numbers: set[int]
) -> None:
    chunks = [
        chunk(0, product="Solo", language="en"),
        chunk(1, product="Duo", language="en-GB"),
        chunk(2, product="Duo", language="DE"),
        chunk(3),
        chunk(4, product="Duo, Kavendry  Trio,Solo", audience="Partners"),
    ]
    await index.upsert(chunks, np.stack([axis(n) for n in range(5)]))
    found = await index.query(axis(0), limit=10, filters=filters)
    assert {m.chunk.id for m in found} == {chunks[n].id for n in numbers}
    assert all(m.chunk in chunks for m in found)


async def test_what_a_document_no_longer_names_is_no_longer_asked_for(index: VectorIndex) -> None:
    await index.upsert([chunk(1, product="Solo"), chunk(2, product="Solo")], np.stack([axis(0), axis(1)]))
    await index.upsert([chunk(1)], np.stack([axis(0)]))
    await index.refresh([chunk(2, product="Duo")])
    assert len(await index.query(axis(0), limit=5, filters={"product": "Duo"})) == 2
    assert len(await index.query(axis(0), limit=5, filters={"product": "Solo"})) == 1


async def test_what_changes_between_two_searches_with_the_same_filter_is_seen(index: VectorIndex) -> None:
    async def found() -> set[str]:
        return {m.chunk.id for m in await index.query(axis(0), limit=5, filters={"product": "Solo"})}

    one, two, everyones = chunk(1, product="Solo"), chunk(2, product="Solo"), chunk(3)
    await index.upsert([one], np.stack([axis(0)]))
    assert await found() == {one.id}
    await index.upsert([two, everyones], np.stack([axis(1), axis(2)]))
    assert await found() == {one.id, two.id, everyones.id}
    await index.refresh([replace(two, metadata={**two.metadata, "product": "Duo"})])
    assert await found() == {one.id, everyones.id}
    await index.delete_chunks([one.id])
    assert await found() == {everyones.id}
    await index.delete_chunks([everyones.id])
    assert await found() == set()


@pytest.mark.parametrize(("few", "most"), [(100, 1_000), (0, 1_000), (0, 1)])
async def test_however_many_a_filter_admits_the_nearest_of_them_are_found(
    index: VectorIndex, monkeypatch: pytest.MonkeyPatch, few: int, most: int
) -> None:
    monkeypatch.setattr(chroma, "FEW", few)
    monkeypatch.setattr(chroma, "MOST_ADMITTED", most)
    chunks = [chunk(n, product="Solo" if n % 2 else "Duo") for n in range(8)]
    await index.upsert(chunks, np.stack([axis(0, tilt=n / 8) for n in range(8)]))
    for _ in range(2):  # asked, and remembered
        found = await index.query(axis(0), limit=3, filters={"product": "Solo"})
        assert [m.chunk for m in found] == [chunks[1], chunks[3], chunks[5]]
        assert found[0].distance == pytest.approx(1 - 1 / np.sqrt(1 + 1 / 64), abs=1e-5)


async def test_what_another_process_deletes_is_no_longer_found_with_a_filter(
    index: VectorIndex, open_index: Open
) -> None:
    chunks = [chunk(1, product="Solo"), chunk(2, product="Solo")]
    await index.upsert(chunks, np.stack([axis(0), axis(1)]))
    assert len(await index.query(axis(0), limit=5, filters={"product": "Solo"})) == 2
    await open_index().delete_chunks([chunks[0].id])
    found = await index.query(axis(0), limit=5, filters={"product": "Solo"})
    assert [m.chunk.id for m in found] == [chunks[1].id]


@pytest.mark.parametrize("code", ["ERR-1042", "2.3.1", "E-4", "100%", "it's", 'say "x"', "v2", "Größe"])
async def test_containing_finds_the_exact_string(index: VectorIndex, code: str) -> None:
    hit, other = chunk(1, text=f"Here: {code}, read on."), chunk(2, text=f"Here: {code.swapcase()[::-1]}, read on.")
    await index.upsert([other, hit], np.stack([axis(0), axis(1)]))
    assert [m.chunk for m in await index.containing(code, axis(0), limit=5)] == [hit]


async def test_containing_gives_the_nearest_first(index: VectorIndex) -> None:
    chunks = [chunk(n, text="Error E-41 again") for n in range(3)]
    await index.upsert(chunks, np.stack([-axis(0), axis(1), axis(0)]))
    assert [m.chunk.id for m in await index.containing("E-41", axis(0), limit=2)] == [chunks[2].id, chunks[1].id]
    assert list(await index.containing("E-42", axis(0), limit=2)) == []


async def test_upsert_replaces(index: VectorIndex) -> None:
    await index.upsert([chunk(1, product="Solo", old=True)], np.stack([axis(0)]))
    await index.version()
    assert len(await index.query(axis(1), limit=5)) == 1  # what was read before is not told again
    changed = replace(chunk(1, product="Duo"), version="v2", start=7, end=9)
    await index.upsert([changed], np.stack([axis(1)]))
    assert await index.count() == 1
    [match] = await index.query(axis(1), limit=5)
    assert match.chunk == changed
    assert match.distance == pytest.approx(0, abs=1e-6)


async def test_refresh_changes_everything_but_the_vector(index: VectorIndex) -> None:
    await index.upsert([chunk(1, product="Solo", old=True), chunk(2)], np.stack([axis(0), axis(1)]))
    assert len(await index.query(axis(0), limit=2)) == 2
    moved = replace(chunk(1, product="Duo"), version="v2", start=7, end=9)
    await index.refresh([moved])
    [match] = await index.query(axis(0), limit=1)
    assert match.chunk == moved
    assert match.distance == pytest.approx(0, abs=1e-6)
    assert await index.count() == 2


async def test_what_another_process_changed_is_read_anew(index: VectorIndex, open_index: Open) -> None:
    reader = open_index()
    await index.upsert([chunk(1, product="Solo")], np.stack([axis(0)]))
    await index.put_records([record("faq.md")])
    before = await reader.version()
    for _ in range(2):
        assert [match.chunk for match in await reader.query(axis(0), limit=1)] == [chunk(1, product="Solo")]
    moved = replace(chunk(1, product="Duo"), version="v2")
    await index.refresh([moved])
    await index.put_records([record("faq.md")])
    assert await reader.version() != before
    assert [match.chunk for match in await reader.query(axis(0), limit=1)] == [moved]


async def test_delete_removes_only_what_is_named(index: VectorIndex) -> None:
    await index.upsert([chunk(1), chunk(2)], np.stack([axis(0), axis(1)]))
    await index.delete_chunks(["faq.md-1", "never-there"])
    assert [c.id for c in await index.chunks("faq.md")] == ["faq.md-2"]


async def test_nothing_to_do_is_fine(index: VectorIndex) -> None:
    await index.upsert([], np.zeros((0, DIMENSIONS), dtype=np.float32))
    await index.refresh([])
    await index.delete_chunks([])
    assert list(await index.query(axis(0), limit=5)) == []
    assert await index.count() == 0
    await index.ping()


async def test_as_many_vectors_as_chunks_are_needed(index: VectorIndex) -> None:
    with pytest.raises(ValueError, match="1 chunks and 2 vectors"):
        await index.upsert([chunk(1)], np.stack([axis(0), axis(1)]))


async def test_more_than_one_batch(index: VectorIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma, "BATCH", 10)
    monkeypatch.setattr(cosmos, "BATCH", 10)
    chunks = [chunk(n) for n in range(25)]
    await index.upsert(chunks, np.stack([axis(n) for n in range(25)]))
    await index.refresh([replace(c, version="v2") for c in chunks])
    assert {c.version for c in await index.chunks("faq.md")} == {"v2"}
    assert len(await index.query(axis(3), limit=25)) == 25
    await index.delete_chunks([c.id for c in chunks[1:]])
    assert await index.count() == 1


def test_a_batch_is_one_that_chroma_takes(tmp_path: Path) -> None:
    client = chromadb.PersistentClient(str(tmp_path))
    assert client.get_max_batch_size() >= chroma.BATCH
    client.close()


async def test_records(index: VectorIndex) -> None:
    assert await index.record("a.md") is None
    second = record("b/ü.md", status=DocumentStatus.EMPTY, reason="The document holds no text.", chunks=0, title="")
    await index.put_records([second])
    await index.put_records([record("a.md")])
    assert await index.record("a.md") == record("a.md")
    assert list(await index.records()) == [record("a.md"), second]
    await index.put_records([record("a.md", etag="new")])
    await index.delete_records(["b/ü.md"])
    await index.delete_records(["never-there.md"])
    assert list(await index.records()) == [record("a.md", etag="new")]
    assert await index.count() == 0


async def test_it_survives_a_restart(index: VectorIndex, open_index: Open) -> None:
    await index.upsert([chunk(1)], np.stack([axis(0)]))
    await index.put_records([record("faq.md")])
    await index.close()
    reopened = open_index()
    assert [m.chunk for m in await reopened.query(axis(0), limit=1)] == [chunk(1)]
    assert list(await reopened.records()) == [record("faq.md")]


async def test_vectors_are_found_by_the_text_they_were_made_of(index: VectorIndex) -> None:
    same = replace(chunk(1, "copy.md"), text=chunk(1).text)
    await index.upsert([chunk(1), chunk(2), same], np.stack([axis(0, tilt=0.3), axis(1), axis(0, tilt=0.3)]))
    found = await index.vectors([chunk(1).embedded_text, chunk(3).embedded_text, chunk(1).text])
    assert list(found) == [chunk(1).embedded_text]
    assert found[chunk(1).embedded_text] == pytest.approx(axis(0, tilt=0.3))
    assert found[chunk(1).embedded_text].dtype == np.float32
    await index.delete_chunks([chunk(1).id])
    assert list(await index.vectors([chunk(1).embedded_text])) == [chunk(1).embedded_text]
    await index.delete_chunks([same.id])
    assert await index.vectors([chunk(1).embedded_text]) == {}
    assert await index.vectors([]) == {}


async def test_the_version_changes_with_every_record_that_is_written(index: VectorIndex, open_index: Open) -> None:
    reader = open_index()
    seen = [await reader.version()]

    async def assert_new_version() -> None:
        assert await index.version() == await reader.version()
        assert await reader.version() not in seen
        seen.append(await reader.version())

    assert await index.version() == await reader.version() == seen[0]
    await index.put_records([record("a.md")])
    await assert_new_version()
    await index.put_records([record("a.md")])
    await assert_new_version()
    await index.upsert([chunk(1, "a.md")], np.stack([axis(0)]))
    await reader.records()
    await reader.query(axis(0), limit=1)
    assert await reader.version() == seen[-1]
    await index.delete_chunks([chunk(1, "a.md").id])
    await assert_new_version()
    await index.delete_records(["a.md"])
    await assert_new_version()
    assert list(await reader.records()) == []
    rebuilt = await index.rebuild()
    await rebuilt.put_records([record("b.md")])
    assert await reader.version() == seen[-1]
    await rebuilt.publish()
    await assert_new_version()
    await (await index.rebuild()).publish()
    await assert_new_version()


async def test_the_version_survives_a_restart(index: VectorIndex, open_index: Open) -> None:
    await index.put_records([record("a.md")])
    version = await index.version()
    await index.close()
    assert await open_index().version() == version


@pytest.mark.parametrize("age", [0, 3600])
async def test_every_write_shows_in_the_version_whatever_the_clock_of_the_files(tmp_path: Path, age: int) -> None:
    """Two writes within one tick of that clock leave the file with the same time."""
    reader, writer = (ChromaIndex(tmp_path, MODEL) for _ in range(2))
    written = time.time_ns() - age * 10**9
    seen: list[str] = []
    for number in range(3):
        await writer.put_records([record("a.md")])
        tick = written if age == 0 else written + number
        os.utime(tmp_path / chroma_folder.FILE, ns=(tick, tick))
        seen.append(await reader.version())
        assert await reader.version() == await writer.version() == seen[-1]
    assert len(set(seen)) == 3
    for index in (reader, writer):
        await index.close()


# ---- rebuilding, and models


async def holds(index: VectorIndex) -> tuple[list[str], list[str]]:
    """Its chunks and its records."""
    chunks = [match.chunk.id for match in await index.query(axis(0), limit=9)]
    assert len(chunks) == await index.count()
    return sorted(chunks), [known.name for known in await index.records()]


async def fill(index: VectorIndex, number: int) -> tuple[list[str], list[str]]:
    await index.upsert([chunk(number)], np.stack([axis(0)]))
    await index.put_records([record(f"{number}.md")])
    return [f"faq.md-{number}"], [f"{number}.md"]


async def test_the_index_in_use_answers_until_the_rebuilt_one_is_published(
    index: VectorIndex, open_index: Open
) -> None:
    old = await fill(index, 1)
    running = open_index()
    assert await holds(running) == old
    rebuilt = await index.rebuild()
    assert await holds(rebuilt) == ([], [])
    new = await fill(rebuilt, 2)
    for one in (index, running, open_index()):
        assert await holds(one) == old
    await rebuilt.publish()
    for one in (index, running, open_index(), rebuilt):
        assert await holds(one) == new
    await running.delete_chunks(new[0])
    assert await rebuilt.count() == 0


async def test_an_index_that_was_never_published_is_removed_by_the_next_attempt(
    index: VectorIndex, open_index: Open
) -> None:
    old = await fill(index, 1)
    abandoned = await index.rebuild()
    await fill(abandoned, 2)
    later = open_index()
    assert await holds(later) == old
    rebuilt = await later.rebuild()
    assert await holds(rebuilt) == ([], [])
    for call in (abandoned.count(), fill(abandoned, 3), abandoned.publish()):
        with pytest.raises(Unavailable):
            await call
    assert await holds(index) == old
    await rebuilt.publish()
    assert await holds(index) == await holds(open_index()) == ([], [])


async def test_an_empty_index_can_be_rebuilt(index: VectorIndex) -> None:
    rebuilt = await index.rebuild()
    new = await fill(rebuilt, 1)
    await rebuilt.publish()
    assert await holds(index) == new


async def test_another_model_is_refused_until_the_index_is_rebuilt(index: VectorIndex, open_index: Open) -> None:
    old = await fill(index, 1)
    other = open_index("other-model")
    for call in (other.ping(), other.records(), other.upsert([chunk(2)], np.stack([axis(0)]))):
        with pytest.raises(IndexModelMismatch, match=r"some-model.*other-model.*python -m tools\.reindex"):
            await call
    rebuilt = await other.rebuild()
    with pytest.raises(IndexModelMismatch):
        await other.count()
    await rebuilt.upsert([chunk(1)], np.ones((1, 9), dtype=np.float32))  # another model, another width
    await rebuilt.publish()
    assert await other.count() == await open_index("other-model").count() == 1
    # An app that still runs with the model before, or is started with it, goes on with what it has …
    assert await holds(index) == await holds(open_index()) == old
    # … until the index is rebuilt again.
    third = await open_index("third-model").rebuild()
    with pytest.raises(IndexModelMismatch):
        await index.count()
    await third.upsert([chunk(1)], np.ones((1, 3), dtype=np.float32))
    await third.publish()
    assert await other.count() == await third.count() == 1


async def test_an_index_without_vectors_suits_any_model(index: VectorIndex, open_index: Open) -> None:
    await index.upsert([chunk(1)], np.stack([axis(0)]))
    await index.delete_chunks([chunk(1).id])
    await index.close()
    other = open_index("other-model")
    await other.upsert([chunk(1)], np.ones((1, 9), dtype=np.float32))
    assert await other.count() == 1


async def test_a_publication_that_is_cut_short_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Chroma then still has of the old index goes with the next attempt."""
    running, index = (ChromaIndex(tmp_path, MODEL) for _ in range(2))
    old = await fill(running, 1)
    rebuilt = await index.rebuild()
    new = await fill(rebuilt, 2)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ChromaIndex, "_remove_all_but", killed)
        with pytest.raises(KeyboardInterrupt):
            rebuilt._publish()
    restarted = ChromaIndex(tmp_path, MODEL)
    assert await holds(restarted) == new
    assert await holds(running) == old
    await restarted.rebuild()
    assert await holds(running) == new
    await (await restarted.rebuild()).publish()
    assert len(restarted._client.list_collections()) == 2
    for one in (running, index, restarted):
        await one.close()


async def test_chunks_are_counted_by_document(index: VectorIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma, "BATCH", 2)
    monkeypatch.setattr(cosmos, "BATCH", 2)
    assert await index.chunk_counts() == {}
    chunks = [chunk(n) for n in range(3)] + [chunk(n, "other.md") for n in range(2)]
    await index.upsert(chunks, np.stack([axis(n) for n in range(5)]))
    assert await index.chunk_counts() == {"faq.md": 3, "other.md": 2}


async def test_chromas_own_client_and_ours_open_the_same_folder(tmp_path: Path) -> None:
    ours = ChromaIndex(tmp_path, MODEL)
    await ours.upsert([chunk(1)], np.stack([axis(2)]))
    await ours.close()

    theirs = chromadb.PersistentClient(str(tmp_path))
    [chunks] = [collection for collection in theirs.list_collections() if collection.name.startswith(chroma.CHUNKS)]
    assert chunks.configuration["hnsw"]["space"] == "cosine"
    found = chunks.get(include=["documents", "embeddings"])
    assert (found["ids"], found["documents"]) == ([chunk(1).id], [chunk(1).text])
    assert np.array_equal(found["embeddings"], [axis(2)])
    chunks.update(ids=found["ids"], documents=["Written by Chroma."], embeddings=[axis(3)])
    theirs.close()

    [match] = await ours.query(axis(3), limit=1)
    assert (match.chunk.text, match.distance) == ("Written by Chroma.", pytest.approx(0, abs=1e-6))
    await ours.close()


async def test_chromas_own_client_reads_what_ours_wrote_on_a_server(chroma_server: ChromaServer) -> None:
    index = ChromaIndex(chroma_server, MODEL)
    await index.upsert([chunk(1)], np.stack([axis(2)]))
    await index.close()

    where = urlsplit(chroma_server.url)
    client = chromadb.HttpClient(
        str(where.hostname), where.port or 80, tenant=chroma_server.tenant, database=chroma_server.database
    )
    [chunks] = [collection for collection in client.list_collections() if collection.name.startswith(chroma.CHUNKS)]
    assert chunks.configuration["hnsw"]["space"] == "cosine"
    found = chunks.get(include=["documents", "embeddings"])
    assert (found["ids"], found["documents"]) == ([chunk(1).id], [chunk(1).text])
    assert np.array_equal(found["embeddings"], [axis(2)])
