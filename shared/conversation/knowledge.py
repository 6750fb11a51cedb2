"""Where a turn's evidence comes from: the knowledge base, and the files the customer added."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from shared.conversation.evidence import Evidence
from shared.conversation.rewriting import QuestionRewriter
from shared.conversation.turn import Turn
from shared.errors import Unavailable
from shared.escalation.language import language_of
from shared.knowledge.chunking import Chunker
from shared.knowledge.embedding import Embedder
from shared.knowledge.index import Match
from shared.knowledge.question import Question, parts, stands_alone
from shared.knowledge.ranking import Passage, rank
from shared.knowledge.retrieval import Retriever
from shared.memory.models import Attachment

logger = logging.getLogger(__name__)

PASSAGES = 6
"""Passages of one search that become evidence: about 1,200 tokens, and the right one is among them in most cases."""
ATTACHMENT_PASSAGES = 4
"""Passages read of one attachment."""


class KnowledgeSearch:
    """`rewriter`, if given, words a follow-up anew, which is then searched for, too; a message that stands alone is
    none."""

    def __init__(
        self, retriever: Retriever, embedder: Embedder, chunker: Chunker, rewriter: QuestionRewriter | None = None
    ) -> None:
        self._rewriter = rewriter
        self._retriever = retriever
        self._embedder = embedder
        self._chunker = chunker

    async def find(self, turn: Turn, query: Question | str) -> Sequence[Evidence]:
        """Search what the conversation is about; what is found becomes evidence of the turn. Best first."""
        if self._rewriter and isinstance(query, Question) and query.asked and _may_lean(query.text):
            found = await self._both(turn, query, self._rewriter)
        else:
            found = await self._retrieve(turn, query)
        return [_add(turn, passage) for passage in found]

    async def _retrieve(self, turn: Turn, query: Question | str) -> Sequence[Passage]:
        return await self._retriever.retrieve(query, limit=PASSAGES, filters=turn.conversation.filters)

    async def _both(self, turn: Turn, query: Question, rewriter: QuestionRewriter) -> Sequence[Passage]:
        """What is found for the customer's words and for the model's."""
        rewriting = asyncio.create_task(rewriter.rewrite(turn))
        try:
            found = await self._retrieve(turn, query)
            rewritten = await rewriting
        finally:
            rewriting.cancel()
        if not rewritten:
            return found
        try:
            return _fused(found, await self._retrieve(turn, rewritten))
        except Unavailable as failure:
            logger.warning("rewritten question not searched for", extra={"error": type(failure).__name__})
            return found

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
            pages=attachment.pages,
        )
        if not chunks:
            return []
        question = turn.message.text
        distances = 1 - self._embedder.embed_documents([c.embedded_text for c in chunks]) @ self._embedder.embed_query(
            question
        )
        matches = [Match(chunk, float(distance)) for chunk, distance in zip(chunks, distances, strict=True)]
        return rank(parts(Question(question)), matches)[:ATTACHMENT_PASSAGES]


def _may_lean(message: str) -> bool:
    """Whether the message might need what was said before: a model that is asked in vain costs the customer a second.

    Which words point back is known of English alone.
    """
    return language_of([message]) != "en" or not stands_alone(message)


def _fused(one: Sequence[Passage], other: Sequence[Passage]) -> list[Passage]:
    """Every passage of both, by its better rank and with its higher relevance; at the same rank, the one's first."""
    ranked = sorted([*enumerate(one), *enumerate(other)], key=lambda entry: entry[0])
    fused: dict[str, Passage] = {}
    for _, passage in ranked:
        known = fused.get(passage.chunk.id)
        fused[passage.chunk.id] = max(known or passage, passage, key=lambda found: found.relevance)
    return list(fused.values())


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
