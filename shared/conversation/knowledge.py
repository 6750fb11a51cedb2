"""Where a turn's evidence comes from: the knowledge base, and the files the customer added."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.conversation.evidence import Evidence
from shared.conversation.turn import Turn
from shared.knowledge.chunking import Chunker
from shared.knowledge.embedding import Embedder
from shared.knowledge.index import Match
from shared.knowledge.question import Question, parts
from shared.knowledge.ranking import Passage, rank
from shared.knowledge.retrieval import Retriever
from shared.memory.models import Attachment

PASSAGES = 6
"""Passages of one search that become evidence: about 1,200 tokens, and the right one is among them in most cases."""
ATTACHMENT_PASSAGES = 4
"""Passages read of one attachment."""


class KnowledgeSearch:
    def __init__(self, retriever: Retriever, embedder: Embedder, chunker: Chunker) -> None:
        self._retriever = retriever
        self._embedder = embedder
        self._chunker = chunker

    async def find(self, turn: Turn, query: Question | str) -> Sequence[Evidence]:
        """Search what the conversation is about; what is found becomes evidence of the turn. Best first."""
        found = await self._retriever.retrieve(query, limit=PASSAGES, filters=turn.conversation.filters)
        return [_add(turn, passage) for passage in found]

    async def look_into(self, turn: Turn, attachment: Attachment) -> Sequence[Evidence]:
        """The passages of an attachment nearest to the customer's question; they become evidence of the turn."""
        return [_add(turn, passage) for passage in await asyncio.to_thread(self._rank_attachment, turn, attachment)]

    def _rank_attachment(self, turn: Turn, attachment: Attachment) -> Sequence[Passage]:
        chunks = self._chunker.chunk(
            attachment.markdown,
            document=f"attachment/{attachment.id}",
            version=attachment.id,
            title=attachment.name,
            metadata={"source": attachment.name, "title": attachment.name, "attachment": True},
        )
        if not chunks:
            return []
        question = turn.message.text
        distances = 1 - self._embedder.embed_documents([c.embedded_text for c in chunks]) @ self._embedder.embed_query(
            question
        )
        matches = [Match(chunk, float(distance)) for chunk, distance in zip(chunks, distances, strict=True)]
        return rank(parts(Question(question)), matches)[:ATTACHMENT_PASSAGES]


def _add(turn: Turn, passage: Passage) -> Evidence:
    chunk = passage.chunk
    return turn.evidence.add(
        id=chunk.id,
        heading=chunk.breadcrumb,
        content=chunk.text,
        distance=passage.distance,
        relevance=passage.relevance,
        metadata=chunk.metadata,
    )
