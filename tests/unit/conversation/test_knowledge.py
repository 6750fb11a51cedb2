from collections.abc import Sequence
from datetime import timedelta

import pytest

from shared.conversation.evidence import Evidence
from shared.conversation.knowledge import PASSAGES, KnowledgeSearch
from shared.conversation.turn import Turn
from shared.knowledge.chunking import Chunker
from shared.knowledge.retrieval import Retriever
from shared.memory.models import Attachment, Conversation, Message
from tests.chat import NOW
from tests.fakes import HashEmbedder, InMemoryIndex


def make_turn(**filters: str) -> Turn:
    conversation = Conversation("s1", "session:s1", NOW, NOW + timedelta(hours=1), filters=filters)
    return Turn(conversation, Message("m-1", "s1", "user", "How do I rinse the tank?", NOW), ())


class Base:
    """A knowledge base of Markdown documents, and a search of it."""

    def __init__(self) -> None:
        self.embedder = HashEmbedder()
        self.chunker = Chunker(self.embedder)
        self.index = InMemoryIndex(self.embedder.fingerprint)
        self.search = KnowledgeSearch(Retriever(self.embedder, self.index), self.embedder, self.chunker)

    async def add(self, name: str, text: str, **metadata: str) -> None:
        about = {"source": name, **metadata}
        chunks = self.chunker.chunk(text, document=name, version="1", title=name, metadata=about)
        await self.index.upsert(chunks, self.embedder.embed_documents([chunk.embedded_text for chunk in chunks]))


@pytest.fixture
def base() -> Base:
    return Base()


def sources(found: Sequence[Evidence]) -> set[object]:
    return {evidence.metadata["source"] for evidence in found}


async def test_a_turn_searches_what_its_conversation_is_narrowed_to(base: Base) -> None:
    await base.add("solo.md", "Rinse the tank every 5 days.", product="Solo")
    await base.add("duo.md", "Rinse the tank every 9 days.", product="Duo")
    await base.add("tips.md", "Soft water is kind to the tank.")
    assert sources(await base.search.find(make_turn(), "Rinse the tank?")) == {"solo.md", "duo.md", "tips.md"}
    turn = make_turn(product="solo")
    assert sources(await base.search.find(turn, "Rinse the tank?")) == {"solo.md", "tips.md"}
    assert sources(list(turn.evidence)) == {"solo.md", "tips.md"}


async def test_a_passage_found_again_keeps_its_number(base: Base) -> None:
    for number in range(2 * PASSAGES):
        await base.add(f"{number}.md", f"Rinse the tank {number} of the machine, and the tray {number}.")
    turn = make_turn()
    first = await base.search.find(turn, "Rinse the tank 3?")
    again = await base.search.find(turn, "Rinse the tray 3?")
    assert len(first) == len(again) == PASSAGES
    numbers = {evidence.id: evidence.number for evidence in turn.evidence}
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))
    assert all(numbers[evidence.id] == evidence.number for evidence in [*first, *again])


async def test_what_is_read_of_a_file_tells_its_page(base: Base) -> None:
    first = "Fill the tank with water. " * 60
    file = Attachment(
        "a1", "manual.pdf", 1, markdown=f"{first}\n\n## Rinse\n\nRinse the tank.", pages=(0, len(first) + 2)
    )
    found = await base.search.look_into(make_turn(), file)
    pages = {evidence.metadata["page"] for evidence in found if "Rinse the tank." in evidence.content}
    assert pages == {2}
