from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import IndexModelMismatch, Unavailable
from shared.knowledge import ingestion, steps
from shared.knowledge.chroma import ChromaIndex
from shared.knowledge.chunking import Chunker
from shared.knowledge.embedding_pool import EmbeddingPool
from shared.knowledge.folder import FolderDocumentStore
from shared.knowledge.index import DocumentStatus
from shared.knowledge.ingestion import IngestionService, Reconciliation
from shared.knowledge.parsing import DocumentParser
from shared.knowledge.retrieval import Retriever
from tests import files
from tests.fakes import HashEmbedder

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LIMIT = 10_000


class Interrupted(Exception):
    """The process dies here."""


class Recording:
    """Passes every call on, notes its name, and fails at the one that is asked for."""

    def __init__(self, target: Any, *, fail: Callable[[str], None] = lambda _: None) -> None:
        self.target = target
        self.calls: list[str] = []
        self.fail = fail

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.target, name)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            self.fail(name)
            return method(*args, **kwargs)

        return call


class Knowledge:
    """The service with its real parts and a small embedder; `index` and `documents` can be told to fail."""

    def __init__(self, folder: Path, embedder: HashEmbedder | None = None) -> None:
        self.embedder = embedder or HashEmbedder()
        self.index = Recording(ChromaIndex(folder / "index", self.embedder.fingerprint))
        self.documents = Recording(FolderDocumentStore(folder / "documents"))
        self.parser = DocumentParser(timeout=5, memory_mb=64, max_bytes=LIMIT)
        self.service = IngestionService(
            documents=self.documents,
            parser=self.parser,
            chunker=Chunker(self.embedder),
            embedder=self.embedder,
            index=self.index,
            max_bytes=LIMIT,
            now=lambda: NOW,
        )

    async def put(self, name: str, text: str | bytes) -> Any:
        """Write a document and report it, as the blob trigger does."""
        data = text.encode() if isinstance(text, str) else text
        info = await self.documents.target.write(name, data)
        return await self.service.ingest(name, data, etag=info.etag)

    async def texts(self, name: str) -> list[str]:
        return [chunk.text for chunk in await self.index.target.chunks(name)]

    async def contents(self) -> Any:
        """All that the index holds."""
        records = await self.index.target.records()
        chunks = [list(await self.index.target.chunks(record.name)) for record in records]
        assert sum(map(len, chunks)) == await self.index.target.count()
        return records, chunks

    async def empty(self) -> None:
        """Replace the index by an empty one, for the embedder's model."""
        await (await self.index.target.rebuild()).publish()

    async def close(self) -> None:
        await self.index.target.close()
        await self.parser.close()


@pytest.fixture
async def knowledge(tmp_path: Path):
    knowledge = Knowledge(tmp_path)
    yield knowledge
    await knowledge.close()


def section(name: str, words: int = 190) -> str:
    return f"## {name}\n\n" + " ".join(f"{name.lower()}{n}" for n in range(words))


ARTICLE = "# Guide\n\n" + "\n\n".join(section(name) for name in ("Alpha", "Beta", "Gamma"))


async def test_a_passage_of_a_pdf_knows_its_page(knowledge: Knowledge) -> None:
    lines = ["Fill " + " ".join(f"word{n}" for n in range(10)) + "." for _ in range(30)]
    assert (await knowledge.put("manual.pdf", files.pdf(*lines, pages=2))).status is DocumentStatus.INDEXED
    pages = [chunk.metadata["page"] for chunk in await knowledge.index.target.chunks("manual.pdf")]
    assert (pages[0], pages[-1], pages) == (1, 2, sorted(pages))


async def test_a_document_becomes_chunks_and_a_record(knowledge: Knowledge) -> None:
    record = await knowledge.put("guides/solo.md", f"---\nproduct: Solo\ntitle: Solo\n---\n{ARTICLE}")
    assert (record.status, record.title, record.chunks, record.reason) == (DocumentStatus.INDEXED, "Solo", 3, "")
    assert record.etag == (await knowledge.documents.target.info("guides/solo.md")).etag
    assert list(await knowledge.service.records()) == [record]
    chunks = await knowledge.index.target.chunks("guides/solo.md")
    assert [c.breadcrumb for c in chunks] == [f"Solo › Guide › {name}" for name in ("Alpha", "Beta", "Gamma")]
    assert {c.version for c in chunks} == {record.content_hash}
    assert chunks[0].metadata == {
        "source": "guides/solo.md",
        "title": "Solo",
        "product": "Solo",
        "section": "Guide › Alpha",
    }
    [match] = await knowledge.index.target.query(knowledge.embedder.embed_query(chunks[1].embedded_text), limit=1)
    assert match.chunk == chunks[1]


async def test_unchanged_content_costs_nothing(knowledge: Knowledge) -> None:
    first = await knowledge.put("a.md", ARTICLE)
    knowledge.embedder.embedded.clear()
    knowledge.index.calls.clear()
    again = await knowledge.put("a.md", ARTICLE)  # written anew: another etag
    assert again.content_hash == first.content_hash
    assert again.etag != first.etag
    assert knowledge.embedder.embedded == []
    assert knowledge.index.calls == ["record", "put_records"]
    assert await knowledge.service.reconcile() == Reconciliation(unchanged=1)


async def test_an_edit_embeds_only_what_changed(knowledge: Knowledge) -> None:
    await knowledge.put("a.md", ARTICLE)
    knowledge.embedder.embedded.clear()
    edited = ARTICLE.replace("beta7", "changed").replace("# Guide\n", "# Guide\n\n\n")
    await knowledge.put("a.md", edited)
    assert len(knowledge.embedder.embedded) == 1
    assert "changed" in knowledge.embedder.embedded[0]
    chunks = await knowledge.index.target.chunks("a.md")
    assert len(chunks) == 3
    assert len({c.version for c in chunks}) == 1
    [match] = await knowledge.index.target.query(knowledge.embedder.embed_query(chunks[2].embedded_text), limit=1)
    assert match.chunk == chunks[2]
    await knowledge.put("a.md", section("Gamma"))
    assert await knowledge.texts("a.md") == [match.chunk.text]


async def test_what_moves_down_keeps_its_vector_and_gets_its_new_place(knowledge: Knowledge) -> None:
    await knowledge.put("a.md", ARTICLE)
    knowledge.embedder.embedded.clear()
    text = ARTICLE.replace("## Alpha", section("New") + "\n\n## Alpha")
    await knowledge.put("a.md", text)
    assert len(knowledge.embedder.embedded) == 1
    chunks = await knowledge.index.target.chunks("a.md")
    assert all(text[c.start : c.end] == c.text for c in chunks)
    assert len(chunks) == 4


async def test_metadata_alone_is_a_change(knowledge: Knowledge) -> None:
    await knowledge.put("a.md", f"---\nproduct: Solo\n---\n{ARTICLE}")
    knowledge.embedder.embedded.clear()
    await knowledge.put("a.md", f"---\nproduct: Duo\n---\n{ARTICLE}")
    assert {c.metadata["product"] for c in await knowledge.index.target.chunks("a.md")} == {"Duo"}
    info = await knowledge.documents.target.info("a.md")
    data = await knowledge.documents.target.read("a.md", max_bytes=LIMIT)
    await knowledge.service.ingest("a.md", data, etag=info.etag, metadata={"product": "Trio"})
    assert {c.metadata["product"] for c in await knowledge.index.target.chunks("a.md")} == {"Trio"}
    assert knowledge.embedder.embedded == []


async def test_a_deleted_document_is_forgotten(knowledge: Knowledge) -> None:
    await knowledge.put("a.md", ARTICLE)
    await knowledge.put("b.md", section("Other"))
    await knowledge.documents.target.delete("a.md")
    await knowledge.service.forget("a.md")
    await knowledge.service.forget("a.md")
    assert [record.name for record in await knowledge.service.records()] == ["b.md"]
    assert await knowledge.index.target.count() == 1


@pytest.mark.parametrize(
    ("name", "data", "status", "reason"),
    [
        ("a.md", b"", DocumentStatus.EMPTY, "empty"),
        ("a.txt", b"\x00\x01\x02\x03", DocumentStatus.BROKEN, "UTF-8"),
        ("a.png", b"\x89PNG\r\n", DocumentStatus.UNSUPPORTED, "picture"),
        ("a.md", b"x" * (LIMIT + 1), DocumentStatus.TOO_LARGE, "0.01 MB"),
    ],
)
async def test_what_cannot_be_read_has_a_record_that_says_why(
    knowledge: Knowledge, name: str, data: bytes, status: DocumentStatus, reason: str
) -> None:
    await knowledge.put(name, section("Before")) if name.endswith(("md", "txt")) else None
    record = await knowledge.put(name, data)
    assert (record.status, record.chunks) == (status, 0)
    assert reason in record.reason
    assert await knowledge.index.target.count() == 0
    knowledge.index.calls.clear()
    assert await knowledge.service.reconcile() == Reconciliation(unchanged=1)
    assert knowledge.index.calls == ["records", "count"]
    if name.endswith("md"):
        assert (await knowledge.put(name, ARTICLE)).status == DocumentStatus.INDEXED


async def test_a_document_that_took_too_long_gets_another_chance(knowledge: Knowledge, monkeypatch) -> None:
    from shared.errors import DocumentRejected

    async def too_slow(data: bytes, name: str) -> None:
        raise DocumentRejected(DocumentStatus.TOO_SLOW, "It took too long.")

    with monkeypatch.context() as patch:
        patch.setattr(knowledge.parser, "parse", too_slow)
        assert (await knowledge.put("a.md", ARTICLE)).status == DocumentStatus.TOO_SLOW
        assert await knowledge.service.reconcile() == Reconciliation(unchanged=1)
    assert (await knowledge.put("a.md", ARTICLE)).status == DocumentStatus.INDEXED


# ---- events late and out of order


async def test_a_late_event_brings_no_old_content(knowledge: Knowledge) -> None:
    await knowledge.put("a.md", section("New"))
    record = await knowledge.service.ingest("a.md", section("Old").encode(), etag="older")
    assert record
    assert record.etag == (await knowledge.documents.target.info("a.md")).etag
    assert "new0" in (await knowledge.texts("a.md"))[0]


async def test_an_event_for_a_document_that_is_gone_forgets_it(knowledge: Knowledge) -> None:
    await knowledge.put("a.md", ARTICLE)
    await knowledge.documents.target.delete("a.md")
    assert await knowledge.service.ingest("a.md", ARTICLE.encode(), etag="some") is None
    assert await knowledge.contents() == ([], [])


async def test_a_late_deletion_does_not_forget_what_came_back(knowledge: Knowledge) -> None:
    await knowledge.put("a.md", section("Old"))
    await knowledge.documents.target.write("a.md", section("Back").encode())
    await knowledge.service.forget("a.md")
    assert "back0" in (await knowledge.texts("a.md"))[0]


async def test_without_its_store_an_event_is_believed(knowledge: Knowledge) -> None:
    def unreachable(call: str) -> None:
        raise Unavailable("The store does not answer.")

    knowledge.documents.fail = unreachable
    record = await knowledge.service.ingest("a.md", ARTICLE.encode(), etag="1")
    assert record
    assert (record.etag, record.chunks) == ("1", 3)
    await knowledge.service.forget("a.md")
    assert await knowledge.contents() == ([], [])
    with pytest.raises(Unavailable):
        await knowledge.service.reconcile()


async def test_events_for_one_document_do_not_interleave(knowledge: Knowledge) -> None:
    texts = [section(name) for name in ("One", "Two", "Three")]
    await asyncio.gather(*(knowledge.put("a.md", text) for text in texts))
    truth = (await knowledge.documents.target.read("a.md", max_bytes=LIMIT)).decode()
    [text] = await knowledge.texts("a.md")
    assert text in truth
    assert await knowledge.service.reconcile() == Reconciliation(unchanged=1)


# ---- renamed, and forgotten


@pytest.mark.parametrize("order", ["created first", "deleted first", "reconciled"])
async def test_a_rename_embeds_nothing(knowledge: Knowledge, order: str) -> None:
    await knowledge.put("old.md", ARTICLE)
    before = await knowledge.index.target.vectors(knowledge.embedder.embedded)
    await knowledge.documents.target.delete("old.md")
    knowledge.embedder.embedded.clear()
    if order == "reconciled":
        await knowledge.documents.target.write("new/name.md", ARTICLE.encode())
        assert await knowledge.service.reconcile() == Reconciliation(ingested=1, forgotten=1)
    elif order == "created first":
        await knowledge.put("new/name.md", ARTICLE)
        await knowledge.service.forget("old.md")
    else:
        await knowledge.service.forget("old.md")
        await knowledge.put("new/name.md", ARTICLE)
    assert knowledge.embedder.embedded == []
    chunks = await knowledge.index.target.chunks("new/name.md")
    assert len(chunks) == await knowledge.index.target.count() == 3
    after = await knowledge.index.target.vectors([chunk.embedded_text for chunk in chunks])
    assert before.keys() == after.keys()
    for text, vector in after.items():
        assert vector == pytest.approx(before[text], abs=1e-6)


async def test_a_renamed_and_edited_document_embeds_what_was_edited(knowledge: Knowledge) -> None:
    await knowledge.put("old.md", ARTICLE)
    await knowledge.documents.target.delete("old.md")
    knowledge.embedder.embedded.clear()
    await knowledge.documents.target.write("new.md", ARTICLE.replace("beta7", "changed").encode())
    await knowledge.service.reconcile()
    assert len(knowledge.embedder.embedded) == 1
    assert "changed" in knowledge.embedder.embedded[0]


async def test_the_memory_of_removed_vectors_is_bounded(knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion, "REMEMBERED", 2)
    for name in ("one", "two", "three"):
        await knowledge.put(f"{name}.md", section(name))
        await knowledge.documents.target.delete(f"{name}.md")
        await knowledge.service.forget(f"{name}.md")
    knowledge.embedder.embedded.clear()
    for name in ("one", "two", "three"):
        await knowledge.documents.target.write(f"{name}.md", section(name).encode())
    await knowledge.service.reconcile()
    assert len(knowledge.embedder.embedded) == 1
    assert "one7" in knowledge.embedder.embedded[0]


async def test_nothing_of_a_deleted_document_is_retrieved(knowledge: Knowledge) -> None:
    secret = ARTICLE.replace("beta7", "KX-4410-B")
    await knowledge.put("secret.md", secret)
    await knowledge.put("other.md", section("Other"))
    retriever = Retriever(knowledge.embedder, knowledge.index.target)
    questions = ["beta8 beta9 beta10", "What is KX-4410-B?", "other7", secret]

    async def documents() -> list[set[str]]:
        return [{p.chunk.document for p in await retriever.retrieve(question, limit=50)} for question in questions]

    assert await documents() == [{"secret.md", "other.md"}] * len(questions)
    await knowledge.documents.target.delete("secret.md")
    await knowledge.service.forget("secret.md")
    assert await documents() == [{"other.md"}] * len(questions)
    assert not await knowledge.index.target.containing("KX-4410-B", np.ones(64, dtype=np.float32), limit=9)
    assert await knowledge.index.target.record("secret.md") is None


# ---- the index is rebuilt


async def test_a_rebuilt_index_answers_in_place_of_the_old_one(knowledge: Knowledge, tmp_path: Path) -> None:
    await knowledge.put("a.md", ARTICLE)
    await knowledge.put("bad.txt", b"\0\1\2")
    before = await knowledge.contents()
    question = knowledge.embedder.embed_query("beta7")
    [old] = await knowledge.index.target.query(question, limit=1)
    other = Knowledge(tmp_path, HashEmbedder("other", dimensions=32))
    seen: list[int] = []

    def look(number: int, total: int, name: str) -> None:
        seen.append(number)

    assert await other.service.rebuild(look) == Reconciliation(ingested=1, failed=1)
    assert seen == [1, 2]
    assert len(other.embedder.embedded) == 3
    assert await other.contents() == before
    # The app that still runs with the model before goes on with it until it is restarted.
    assert await knowledge.index.target.query(question, limit=1) == [old]
    await other.close()


async def test_a_change_while_the_index_is_rebuilt_is_not_lost(knowledge: Knowledge, monkeypatch: Any) -> None:
    await knowledge.put("edited.md", section("Before"))
    await knowledge.put("gone.md", section("Gone"))
    store = knowledge.documents.target
    parse = knowledge.parser.parse

    async def meanwhile(data: bytes, name: str) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(knowledge.parser, "parse", parse)
            if name == "gone.md":
                await store.delete("gone.md")
                await knowledge.service.forget("gone.md")
                await knowledge.put("edited.md", section("After"))
                await knowledge.put("new.md", section("New"))
        return await parse(data, name)

    monkeypatch.setattr(knowledge.parser, "parse", meanwhile)
    await knowledge.service.rebuild()
    assert [record.name for record in await knowledge.service.records()] == ["edited.md", "new.md"]
    assert "after0" in (await knowledge.texts("edited.md"))[0]
    assert await knowledge.index.target.count() == 2
    assert await knowledge.service.reconcile() == Reconciliation(unchanged=2)


async def test_the_index_stays_if_a_document_cannot_be_read_now(knowledge: Knowledge, monkeypatch: Any) -> None:
    await knowledge.put("a.md", ARTICLE)
    await knowledge.put("b.md", section("Other"))
    before = await knowledge.contents()

    def unreachable(call: str) -> None:
        if call == "read":
            raise Unavailable("The store does not answer.")

    knowledge.documents.fail = unreachable
    with pytest.raises(Unavailable, match="2 documents could not be read now"):
        await knowledge.service.rebuild()
    assert await knowledge.contents() == before
    knowledge.documents.fail = lambda _: None
    assert await knowledge.service.rebuild() == Reconciliation(ingested=2)
    assert await knowledge.contents() == before


async def test_chunks_that_were_lost_are_put_back(knowledge: Knowledge) -> None:
    """By whatever happened to the index itself: a record says how many there should be."""
    await knowledge.put("a.md", ARTICLE)
    await knowledge.put("b.md", section("Other"))
    before = await knowledge.contents()
    [first, *_] = await knowledge.index.target.chunks("a.md")
    await knowledge.index.target.delete_chunks([first.id])
    knowledge.embedder.embedded.clear()
    assert await knowledge.service.reconcile() == Reconciliation(ingested=1, unchanged=1)
    assert knowledge.embedder.embedded == [first.embedded_text]
    assert await knowledge.contents() == before


# ---- reconciliation and interruptions


async def test_reconcile_makes_the_index_equal_to_the_store(knowledge: Knowledge, tmp_path: Path) -> None:
    store = knowledge.documents.target
    await knowledge.put("same.md", section("Same"))
    await knowledge.put("edited.md", section("Before"))
    await knowledge.put("gone.md", section("Gone"))
    await store.write("edited.md", section("After").encode())
    await store.delete("gone.md")
    await store.write("new.md", section("New").encode())
    await store.write("bad.json", b"{}")
    seen: list[tuple[int, int, str]] = []
    outcome = await knowledge.service.reconcile(lambda *progress: seen.append(progress))
    assert outcome == Reconciliation(ingested=2, forgotten=1, unchanged=1, failed=1)
    assert seen == [(1, 3, "bad.json"), (2, 3, "edited.md"), (3, 3, "new.md")]
    assert [record.name for record in await knowledge.service.records()] == [
        "bad.json", "edited.md", "new.md", "same.md",
    ]  # fmt: skip
    assert "after0" in (await knowledge.texts("edited.md"))[0]
    assert await knowledge.service.reconcile() == Reconciliation(unchanged=4)


async def test_one_document_does_not_keep_the_others_out(knowledge: Knowledge, monkeypatch) -> None:
    for name in ("a.md", "b.md", "c.md"):
        await knowledge.documents.target.write(name, section(name[0]).encode())
    parse = knowledge.parser.parse

    async def fail_at_b(data: bytes, name: str) -> Any:
        if name == "b.md":
            raise ZeroDivisionError
        return await parse(data, name)

    with monkeypatch.context() as patch:
        patch.setattr(knowledge.parser, "parse", fail_at_b)
        assert await knowledge.service.reconcile() == Reconciliation(ingested=2, failed=1)
    assert await knowledge.service.reconcile() == Reconciliation(ingested=1, unchanged=2)


async def test_another_pipeline_reads_everything_again(knowledge: Knowledge, monkeypatch) -> None:
    await knowledge.put("a.md", ARTICLE)
    monkeypatch.setattr(ingestion, "PIPELINE", "99.1")
    assert await knowledge.service.reconcile() == Reconciliation(ingested=1)
    assert await knowledge.service.reconcile() == Reconciliation(unchanged=1)


async def test_another_model_is_refused(knowledge: Knowledge, tmp_path: Path) -> None:
    await knowledge.put("a.md", ARTICLE)
    other = Knowledge(tmp_path, HashEmbedder("other", dimensions=32))
    with pytest.raises(IndexModelMismatch, match=r"tools\.reindex"):
        await other.service.reconcile()
    with pytest.raises(IndexModelMismatch):
        await other.put("b.md", ARTICLE)
    await other.empty()
    assert await other.service.reconcile() == Reconciliation(ingested=2)
    await other.close()


async def test_many_documents_share_their_writes(knowledge: Knowledge) -> None:
    for number in range(20):
        await knowledge.documents.target.write(f"{number}.md", section(f"Word{number}x").encode())
    assert await knowledge.service.reconcile() == Reconciliation(ingested=20)
    writes = [call for call in knowledge.index.calls if call in {"put_records", "upsert", "delete_chunks"}]
    assert writes == ["put_records", "upsert", "put_records"]
    for number in range(20):
        await knowledge.documents.target.delete(f"{number}.md")
    assert await knowledge.service.reconcile() == Reconciliation(forgotten=20)
    assert await knowledge.contents() == ([], [])


async def test_a_document_that_cannot_be_written_does_not_keep_its_step_out(knowledge: Knowledge) -> None:
    for name in ("a.md", "b.md", "c.md"):
        await knowledge.documents.target.write(name, section(name[0]).encode())
    upsert = knowledge.index.target.upsert

    async def fail_at_b(chunks: Any, vectors: Any) -> None:
        if any(chunk.document == "b.md" for chunk in chunks):
            raise ValueError
        await upsert(chunks, vectors)

    knowledge.index.target.upsert = fail_at_b
    assert await knowledge.service.reconcile() == Reconciliation(ingested=2, failed=1)
    knowledge.index.target.upsert = upsert
    assert await knowledge.service.reconcile() == Reconciliation(ingested=1, unchanged=2)


async def test_a_document_larger_than_a_step(knowledge: Knowledge, monkeypatch: Any) -> None:
    monkeypatch.setattr(steps, "CHUNKS", 2)
    await knowledge.documents.target.write("a.md", ARTICLE.encode())
    await knowledge.documents.target.write("b.md", ARTICLE.replace("alpha", "delta").encode())
    assert await knowledge.service.reconcile() == Reconciliation(ingested=2)
    assert [len(chunks) for chunks in (await knowledge.contents())[1]] == [3, 3]
    assert await knowledge.service.reconcile() == Reconciliation(unchanged=2)


async def test_the_first_step_is_small(knowledge: Knowledge, monkeypatch: Any) -> None:
    """So that its passages are embedded while the other documents are read."""
    monkeypatch.setattr(steps, "FIRST", 1)
    monkeypatch.setattr(steps, "CHUNKS", 4)
    for name in ("first", "second"):
        await knowledge.documents.target.write(f"{name}.md", ARTICLE.replace("alpha", name).encode())
    upsert, written = knowledge.index.target.upsert, []

    async def note(chunks: Any, vectors: Any) -> None:
        written.append(len(chunks))
        await upsert(chunks, vectors)

    knowledge.index.target.upsert = note
    assert await knowledge.service.reconcile() == Reconciliation(ingested=2)
    assert written == [1, 4, 1]


async def test_chunks_without_a_record_go(knowledge: Knowledge) -> None:
    await knowledge.put("a.md", ARTICLE)
    before = await knowledge.contents()
    await knowledge.put("stray.md", section("Stray"))
    await knowledge.documents.target.delete("stray.md")
    await knowledge.index.target.delete_records(["stray.md"])
    assert await knowledge.service.reconcile() == Reconciliation(unchanged=1, forgotten=1)
    assert await knowledge.contents() == before
    knowledge.index.calls.clear()
    await knowledge.service.reconcile()
    assert knowledge.index.calls == ["records", "count"]


@pytest.mark.parametrize("alive", [True, False])
async def test_much_text_is_embedded_in_other_processes(knowledge: Knowledge, monkeypatch: Any, alive: bool) -> None:
    """They end with the reconciliation. If they do not last, this process does their work."""
    pools: list[EmbeddingPool] = []

    def pool() -> EmbeddingPool:
        pools.append(EmbeddingPool(HashEmbedder if alive else partial(int, "no embedder"), 2))
        return pools[-1]

    monkeypatch.setattr(ingestion, "FEW", 1)
    monkeypatch.setattr(knowledge.service, "_pool", pool)
    for name in ("a.md", "b.md"):
        await knowledge.documents.target.write(name, ARTICLE.replace("alpha", name).encode())
    assert await knowledge.service.reconcile() == Reconciliation(ingested=2)
    assert not pools[0]._started
    assert bool(knowledge.embedder.embedded) is not alive
    chunks = await knowledge.index.target.chunks("a.md")
    [match] = await knowledge.index.target.query(knowledge.embedder.embed_query(chunks[1].embedded_text), limit=1)
    assert match.chunk.text == chunks[1].text


async def test_few_texts_go_where_many_are_embedded(knowledge: Knowledge, monkeypatch: Any) -> None:
    monkeypatch.setattr(ingestion, "FEW", 1)
    monkeypatch.setattr(steps, "CHUNKS", 3)
    monkeypatch.setattr(knowledge.service, "_pool", lambda: EmbeddingPool(HashEmbedder, 2))
    for number in range(3):  # at the third, the processes have been started
        await knowledge.documents.target.write(f"{number}.md", ARTICLE.replace("alpha", f"alpha{number}").encode())
    await knowledge.documents.target.write("last.md", section("Last").encode())
    assert await knowledge.service.reconcile() == Reconciliation(ingested=4)
    assert knowledge.embedder.embedded == []
    assert await knowledge.texts("last.md") == [section("Last").partition("\n\n")[2]]


BEFORE = "# Guide\n\n" + "\n\n".join(section(name) for name in ("Alpha", "Beta", "Gamma"))
AFTER = "# Guide\n\n" + "\n\n".join(section(name) for name in ("Delta", "Gamma", "Alpha"))


def interrupted_at(number: int) -> Callable[[str], None]:
    """Lets `number` calls pass."""
    calls = iter(range(number))

    def fail(call: str) -> None:
        if next(calls, None) is None:
            raise Interrupted(call)

    return fail


async def ingest_edit(knowledge: Knowledge) -> None:
    await knowledge.put("a.md", AFTER)


async def ingest_rejected(knowledge: Knowledge) -> None:
    await knowledge.put("a.md", b"\0\1\2")


async def forget(knowledge: Knowledge) -> None:
    await knowledge.documents.target.delete("a.md")
    await knowledge.service.forget("a.md")


async def ingest_new(knowledge: Knowledge) -> None:
    await knowledge.put("new.md", AFTER)


@pytest.mark.parametrize("work", [ingest_edit, ingest_rejected, forget, ingest_new])
@pytest.mark.parametrize("later", ["as it is", "back to what it was", "deleted"])
async def test_whatever_is_interrupted_is_repaired(tmp_path: Path, work: Any, later: str) -> None:
    """At each call to the index in turn; then the document may even change again before it is repaired."""
    knowledge = Knowledge(tmp_path)
    store, number, finished = knowledge.documents.target, 0, False
    while not finished:
        await knowledge.empty()
        await store.delete("new.md")
        await knowledge.put("a.md", BEFORE)
        before = await store.info("a.md")
        knowledge.index.fail = interrupted_at(number)
        try:
            await work(knowledge)
            finished = True
        except Interrupted:
            number += 1
        knowledge.index.fail = lambda _: None
        if later == "deleted":
            await store.delete("a.md")
            await store.delete("new.md")
        elif later == "back to what it was":
            await store.write("a.md", BEFORE.encode())
            await store.delete("new.md")
        await knowledge.service.reconcile()
        repaired = await knowledge.contents()
        await knowledge.empty()
        await knowledge.service.reconcile()
        assert repaired == await knowledge.contents(), f"interrupted at call {number}"
        assert before.name == "a.md"
    assert number >= 4
    await knowledge.close()
