import asyncio
import gc
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Unavailable
from shared.knowledge.embedding import Vectors
from shared.knowledge.filters import Filters
from shared.knowledge.index import Chunk, DocumentRecord, DocumentStatus, Match, Scalar
from shared.knowledge.question import Question
from shared.knowledge.ranking import Passage
from shared.knowledge.remembering import RememberingEmbedder
from shared.knowledge.retrieval import CODES, Retriever
from tests.fakes import HashEmbedder, InMemoryIndex


def chunk(text: str, *, document: str = "", version: str = "1", **metadata: Scalar) -> Chunk:
    name = document or text
    return Chunk(f"{name}/{version}/{text}", name, version, text, "", 0, len(text), metadata)


class Base:
    """Chunks in an index, and the searches of it for a code."""

    def __init__(self, *chunks: Chunk) -> None:
        self.chunks = chunks
        self.embedder = HashEmbedder()
        self.index = InMemoryIndex(self.embedder.fingerprint)
        self.looked_up: list[str] = []

    async def ask(
        self, question: Question | str, *, limit: int = 6, filters: Filters | None = None
    ) -> Sequence[Passage]:
        if self.chunks:
            vectors = self.embedder.embed_documents([chunk.embedded_text for chunk in self.chunks])
            await self.index.upsert(self.chunks, vectors)
        containing = self.index.containing

        async def watched(text: str, vector, *, limit: int) -> Sequence[Match]:
            self.looked_up.append(text)
            return await containing(text, vector, limit=limit)

        self.index.containing = watched  # pyright: ignore[reportAttributeAccessIssue]
        return await Retriever(self.embedder, self.index).retrieve(question, limit=limit, filters=filters)


NOISE = [chunk(f"The machine shows a fault, number {number}, what can I do?") for number in range(150)]


async def test_an_empty_index_has_no_passages() -> None:
    assert list(await Base().ask("How do I return it?")) == []


async def test_at_most_the_limit_is_given_best_first() -> None:
    found = await Base(*NOISE).ask("What fault is number 7?", limit=4)
    assert len(found) == 4
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


@pytest.mark.parametrize(
    ("printed", "asked"),
    [
        ("ERR-1042", "ERR-1042"),
        ("ERR-1042", "err-1042"),
        ("ERR-1042", "err1042"),
        ("E21", "e-21"),
        ("0x1F3C", "0X1f3c"),
        ("KX-4410-B", "kx-4410-b"),
        ("v2.3.1", "2.3.1"),
        ("2.3.1", "2.3.1."),
    ],
)
async def test_a_code_is_found_among_many_that_are_nearer(printed: str, asked: str) -> None:
    found = await Base(*NOISE, chunk(f"Water was spilt here; see {printed}")).ask(f"Whatever does {asked} mean")
    assert printed in found[0].chunk.text
    assert found[0].relevance > found[1].relevance


@pytest.mark.parametrize(("asked", "other"), [("2.3", "2.3.1"), ("2.3", "12.3"), ("2.3", "1.2.3"), ("E21", "E211")])
async def test_part_of_a_longer_code_is_no_hit(asked: str, other: str) -> None:
    found = await Base(chunk(f"It came with {other}"), chunk(f"It went with {asked}.")).ask(f"Was it {asked}")
    assert asked == found[0].chunk.text.rstrip(".").split()[-1]


async def test_of_a_pasted_log_only_the_first_codes_are_looked_up() -> None:
    base = Base(*NOISE[:3])
    await base.ask(" ".join(f"ERR-{number}" for number in range(2000, 2040)))
    assert len({looked_up.upper().replace("-", "") for looked_up in base.looked_up}) == CODES


async def test_a_misspelt_question_finds_what_the_right_one_does() -> None:
    class Reader(HashEmbedder):
        def count_tokens(self, text: str) -> int:
            return 2 if text.lower() == "waranty" else 1

    base = Base(*NOISE, chunk("It begins on the day of delivery.", document="begin"), chunk("The warranty is 2 years."))
    base.embedder = Reader()
    right = await base.ask("How long is the warranty?")
    assert right[0].chunk.text == "The warranty is 2 years."
    assert await base.ask("How long is the waranty?") == right
    followed = [
        await base.ask(Question("How long?", asked=(f"Is there a {word}?",))) for word in ("warranty", "waranty")
    ]
    assert followed[0] == followed[1]
    base.embedder = HashEmbedder()  # knows the word
    assert await base.ask("How long is the waranty?") != right


async def test_what_is_meant_for_others_is_not_found_also_by_a_code() -> None:
    base = Base(chunk("ERR-1042 in English", language="en"), chunk("ERR-1042 auf Deutsch", language="DE"))
    found = await base.ask("ERR-1042", filters={"language": "de"})
    assert [p.chunk.metadata["language"] for p in found] == ["DE"]


@pytest.mark.parametrize("question", ["What shows a fault?", "What does ERR-1042 mean?"])
async def test_what_is_far_down_is_found_if_what_is_nearer_is_meant_for_others(question: str) -> None:
    others = [chunk(f"{question} {question} ERR-1042, fault {number}", product="Duo") for number in range(450)]
    mine = [chunk(f"It may be wet and see ERR-1042, {number}", product="Mill, Solo") for number in range(3)]
    everyones = chunk("Call us about ERR-1042")
    found = await Base(*others, *mine, everyones).ask(question, filters={"product": "solo"})
    assert {p.chunk.id for p in found} == {c.id for c in [*mine, everyones]}


async def test_passages_are_of_one_version_of_a_document() -> None:
    old = chunk("Returns within 14 days, see R-100", document="returns", version="old")
    new = chunk("Returns within 30 days", document="returns", version="new")
    found = await Base(old, new).ask("Returns within 30 days? R-100")
    assert len({p.chunk.version for p in found}) == 1


async def test_the_question_of_a_short_message_counts_more_than_what_it_is_wrapped_in() -> None:
    told = chunk("The hotel by the river has forty rooms and a garden")
    asked = chunk("A taxi to the airport costs twenty pounds")
    message = "The hotel by the river has forty rooms and a garden. What costs a taxi to the airport?"
    plain = Base(told, asked).embedder
    whole = plain.embed_query(message)
    assert whole @ plain.embed_query(told.text) > whole @ plain.embed_query(asked.text)
    found = {p.chunk.text: p.distance for p in await Base(told, asked).ask(message)}
    assert found[asked.text] < 1 - whole @ plain.embed_query(asked.text)


# ---- what is kept in memory

TEXTS = ("Returns take 14 days", "Returns take 30 days", "Delivery takes 3 days")
QUESTIONS = ("How many days do returns take?", "How long does delivery take?")
STEPS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from("ab"), st.sampled_from(TEXTS)),
    st.tuples(st.just("forget"), st.sampled_from("ab"), st.none()),
    st.tuples(st.just("rebuild"), st.none(), st.none()),
    st.tuples(st.just("ask"), st.sampled_from(QUESTIONS), st.sampled_from([{}, {"product": "Solo"}])),
)


class Library:
    """Documents of one chunk, written as the ingestion writes them: the record before and after the chunks."""

    def __init__(self) -> None:
        self.embedder = HashEmbedder()
        self.index = InMemoryIndex(self.embedder.fingerprint)
        self.texts: dict[str, str] = {}

    async def write(self, name: str, text: str) -> None:
        await self.index.put_records([record(name)])
        await self.index.delete_chunks([c.id for c in await self.index.chunks(name)])
        await self._add(self.index, name, text)
        self.texts[name] = text

    async def forget(self, name: str) -> None:
        await self.index.put_records([record(name)])
        await self.index.delete_chunks([c.id for c in await self.index.chunks(name)])
        await self.index.delete_records([name])
        self.texts.pop(name, None)

    async def rebuild(self) -> None:
        rebuilt = await self.index.rebuild()
        for name, text in self.texts.items():
            await self._add(rebuilt, name, text)
        await rebuilt.publish()

    async def _add(self, index: InMemoryIndex, name: str, text: str) -> None:
        added = chunk(text, document=name, version=text, product="Solo" if name == "a" else "Duo")
        await index.upsert([added], self.embedder.embed_documents([added.embedded_text]))
        await index.put_records([record(name)])


def record(name: str) -> DocumentRecord:
    return DocumentRecord(name, "", "", DocumentStatus.INDEXED, "", name, 1, datetime(2026, 3, 1, tzinfo=UTC))


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_whatever_happens_to_documents_answers_are_those_of_now(steps: list[tuple[str, Any, Any]]) -> None:
    async def run() -> None:
        library = Library()
        one, other = (Retriever(library.embedder, library.index) for _ in range(2))
        for step, first, second in steps:
            match step:
                case "write":
                    await library.write(first, second)
                case "forget":
                    await library.forget(first)
                case "rebuild":
                    await library.rebuild()
                case _:
                    afresh = await Retriever(library.embedder, library.index).retrieve(first, filters=second)
                    assert await one.retrieve(first, filters=second) == afresh
                    assert await one.retrieve(first, filters=second) == afresh
                    if len(first) % 2:
                        assert await other.retrieve(first, filters=second) == afresh

    asyncio.run(run())


class Counting(InMemoryIndex):
    """Counts its searches; with `gate`, a search waits there after it has found something."""

    searches = 0
    gate: asyncio.Event | None = None
    reached: asyncio.Event

    async def query(self, vector: Vectors, *, limit: int, filters: Filters | None = None) -> Sequence[Match]:
        self.searches += 1
        found = await super().query(vector, limit=limit, filters=filters)
        if self.gate:
            self.reached.set()
            await self.gate.wait()
        return found


async def test_the_same_question_is_searched_and_embedded_once() -> None:
    library = Library()
    library.index = Counting(library.embedder.fingerprint)
    await library.write("a", TEXTS[0])
    embedded: list[str] = []
    embed_query = library.embedder.embed_query
    library.embedder.embed_query = lambda text: embedded.append(text) or embed_query(text)
    retriever = Retriever(RememberingEmbedder(library.embedder), library.index)

    first = await retriever.retrieve(QUESTIONS[0])
    assert await retriever.retrieve(QUESTIONS[0]) == first
    assert (library.index.searches, len(embedded)) == (1, 1)
    await retriever.retrieve(QUESTIONS[0], limit=1)
    await retriever.retrieve(QUESTIONS[0], filters={"product": "Solo"})
    await library.write("b", TEXTS[1])
    await retriever.retrieve(QUESTIONS[0])
    assert (library.index.searches, len(embedded)) == (4, 1)


async def test_what_was_found_before_a_change_is_not_kept_after_it() -> None:
    library = Library()
    library.index = Counting(library.embedder.fingerprint)
    await library.write("a", TEXTS[0])
    retriever = Retriever(library.embedder, library.index)
    library.index.gate, library.index.reached = asyncio.Event(), asyncio.Event()
    slow = asyncio.create_task(retriever.retrieve(QUESTIONS[0]))
    await library.index.reached.wait()
    await library.forget("a")
    library.index.gate.set()
    await slow
    assert await retriever.retrieve(QUESTIONS[0]) == []


async def test_nothing_of_a_forgotten_document_stays_in_memory() -> None:
    library = Library()
    await library.write("a", TEXTS[0])
    retriever = Retriever(library.embedder, library.index)
    assert await retriever.retrieve(QUESTIONS[0])
    await library.forget("a")
    await retriever.retrieve(QUESTIONS[1])
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Passage) and thing.chunk.text == TEXTS[0]]


async def test_an_index_that_does_not_answer_is_not_covered_up() -> None:
    library = Library()
    await library.write("a", TEXTS[0])
    retriever = Retriever(library.embedder, library.index)
    await retriever.retrieve(QUESTIONS[0])

    async def away() -> str:
        raise Unavailable("The search index does not answer.")

    library.index.version = away
    with pytest.raises(Unavailable):
        await retriever.retrieve(QUESTIONS[0])
