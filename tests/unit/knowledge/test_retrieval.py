from collections.abc import Mapping, Sequence

import pytest

from shared.knowledge.index import Chunk, Match, Scalar
from shared.knowledge.ranking import Passage
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
        self, question: str, *, limit: int = 6, where: Mapping[str, Scalar] | None = None
    ) -> Sequence[Passage]:
        if self.chunks:
            vectors = self.embedder.embed_documents([chunk.embedded_text for chunk in self.chunks])
            await self.index.upsert(self.chunks, vectors)
        containing = self.index.containing

        async def watched(text: str, vector, *, limit: int) -> Sequence[Match]:
            self.looked_up.append(text)
            return await containing(text, vector, limit=limit)

        self.index.containing = watched  # pyright: ignore[reportAttributeAccessIssue]
        return await Retriever(self.embedder, self.index).retrieve(question, limit=limit, where=where)


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
    assert len(set(map(str.upper, base.looked_up))) == CODES


async def test_only_chunks_with_the_metadata_are_found_also_by_a_code() -> None:
    base = Base(chunk("ERR-1042 in English", language="en"), chunk("ERR-1042 auf Deutsch", language="de"))
    found = await base.ask("ERR-1042", where={"language": "de"})
    assert [p.chunk.metadata["language"] for p in found] == ["de"]


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
