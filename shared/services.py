"""The composition root: the one place that chooses adapters. Each part is built once, when it is first used.

Building a part may take a moment (a model, an index), but none connects to anything or reads a file before it is
needed, so that a process that only answers a health check stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache, cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self, cast

from shared import telemetry
from shared.clock import utc_now
from shared.connection_strings import cosmos_account
from shared.settings import Settings, load_settings

if TYPE_CHECKING:
    from azure.identity.aio import DefaultAzureCredential

    from shared.analytics.service import AnalyticsService
    from shared.blob_storage import BlobAccount
    from shared.conversation.knowledge import KnowledgeSearch
    from shared.conversation.service import ConversationService
    from shared.cosmos import Cosmos
    from shared.erasure import ErasureService
    from shared.escalation.dead_letters import DeadLetters
    from shared.escalation.events.webhook import Webhook
    from shared.escalation.helpdesk import HelpdeskService
    from shared.escalation.leftovers import Leftovers
    from shared.escalation.policy import EscalationPolicy
    from shared.escalation.queue import TicketQueue
    from shared.escalation.service import EscalationService
    from shared.escalation.transcripts import TranscriptStore
    from shared.knowledge.chroma_server import ChromaServer
    from shared.knowledge.chunking import Chunker
    from shared.knowledge.documents import DocumentStore
    from shared.knowledge.embedding import Embedder
    from shared.knowledge.index import VectorIndex
    from shared.knowledge.ingestion import IngestionService
    from shared.knowledge.parsing import DocumentParser
    from shared.knowledge.retrieval import Retriever
    from shared.knowledge.spelling import Spelling
    from shared.memory.store import ConversationStore
    from shared.personal_data import PersonalData
    from shared.push.channel import PushChannel
    from shared.push.service import PushService
    from shared.security.identity import IdentityTokens
    from shared.security.ratelimits import RateLimiter
    from shared.security.tokens import Tokens


class Services:
    """Everything a trigger calls. `settings` is the only thing that must be right at once. As a context manager it is
    closed at the end."""

    def __init__(self, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self.settings = settings
        self._now = now

    # ---- adapters

    @cached_property
    def store(self) -> ConversationStore:
        retention = timedelta(days=self.settings.retention_days)
        if self._cosmos:
            from shared.memory.cosmos import CosmosConversationStore

            return CosmosConversationStore(self._cosmos, retention=retention, now=self._now)
        from shared.memory.sqlite import SqliteConversationStore

        return SqliteConversationStore(self.settings.data_dir / "conversations.db", retention=retention, now=self._now)

    @cached_property
    def _cosmos(self) -> Cosmos | None:
        """The process's one client."""
        if (account := self._cosmos_account) is None:
            return None
        with _beside(lambda: import_module("aiohttp")):  # which reads certificates
            from shared.cosmos import Cosmos

        return Cosmos(*account, self.settings.cosmos_database)

    @property
    def _cosmos_account(self) -> tuple[str, Any] | None:
        """Its endpoint, and what opens it; None on a laptop."""
        if text := self.settings.cosmos_connection_string.get_secret_value():
            return cosmos_account(text)
        if self.settings.cosmos_endpoint is None:
            return None
        return self.settings.cosmos_endpoint, self._credential

    @cached_property
    def _credential(self) -> DefaultAzureCredential:
        """The app's identity, by which every account is opened. It has connections of its own."""
        from azure.identity.aio import DefaultAzureCredential

        return DefaultAzureCredential()

    @cached_property
    def queue(self) -> TicketQueue:
        if namespace := self.settings.service_bus__fullyqualifiednamespace:
            from shared.escalation.servicebus import ServiceBusTicketQueue

            return ServiceBusTicketQueue(namespace, self._credential, now=self._now)
        if connection := self.settings.service_bus.get_secret_value():
            from shared.escalation.servicebus import ServiceBusTicketQueue

            return ServiceBusTicketQueue(connection, now=self._now)
        from shared.escalation.sqlite import SqliteTicketQueue

        return SqliteTicketQueue(self.settings.data_dir / "queues.db", now=self._now)

    @cached_property
    def _blob_account(self) -> BlobAccount | None:
        """None on a laptop."""
        if url := self.settings.documents_storage__blobserviceuri:
            from shared.blob_storage import BlobAccount

            return BlobAccount(url, self._credential)
        if connection := self.settings.documents_storage.get_secret_value():
            from shared.blob_storage import BlobAccount

            return BlobAccount(connection)
        return None

    @cached_property
    def transcripts(self) -> TranscriptStore:
        if account := self._blob_account:
            from shared.escalation.blob import BlobTranscriptStore

            return BlobTranscriptStore(account)
        from shared.escalation.folder import FolderTranscriptStore

        return FolderTranscriptStore(self.settings.data_dir / "transcripts")

    @cached_property
    def documents(self) -> DocumentStore:
        if account := self._blob_account:
            from shared.knowledge.blob import BlobDocumentStore

            return BlobDocumentStore(account)
        from shared.knowledge.folder import FolderDocumentStore

        return FolderDocumentStore(self.settings.documents)

    @cached_property
    def embedder(self) -> Embedder:
        from shared.knowledge.remembering import RememberingEmbedder

        return RememberingEmbedder(self._make_embedder())

    @cached_property
    def _make_embedder(self) -> Callable[[], Embedder]:
        """Also for other processes."""
        model, dimensions = self.settings.embedding_model_path, self.settings.embedding_dimensions
        if self.settings.embedding_backend == "onnx":
            from shared.knowledge.onnx import OnnxEmbedder

            return partial(OnnxEmbedder, model, dimensions=dimensions)
        from shared.knowledge.sentence_transformers import SentenceTransformersEmbedder

        return partial(SentenceTransformersEmbedder, model, dimensions=dimensions)

    @cached_property
    def index(self) -> VectorIndex:
        if self.settings.vector_index == "cosmos" and self._cosmos:
            from shared.knowledge.cosmos import CosmosVectorIndex

            return CosmosVectorIndex(self._cosmos, self.embedder.fingerprint, self.embedder.dimensions)
        from shared.knowledge.chroma import ChromaIndex

        return ChromaIndex(self._chroma_server or self.settings.data_dir / "index", self.embedder.fingerprint)

    @property
    def _chroma_server(self) -> ChromaServer | None:
        """None if the index is in this process."""
        if (url := self.settings.chroma_url) is None:
            return None
        from shared.knowledge.chroma_server import ChromaServer

        return ChromaServer(url, self.settings.chroma_tenant, self.settings.chroma_database)

    @cached_property
    def push_channel(self) -> PushChannel | None:
        """None where clients poll."""
        hub = self.settings.web_pubsub_hub
        if url := self.settings.web_pubsub_endpoint:
            from shared.push.webpubsub import WebPubSubChannel

            return WebPubSubChannel(url, hub, self._credential)
        if connection := self.settings.web_pubsub_connection_string.get_secret_value():
            from shared.push.webpubsub import WebPubSubChannel

            return WebPubSubChannel(connection, hub)
        return None

    # ---- services

    @cached_property
    def push(self) -> PushService:
        from shared.push.service import PushService

        return PushService(self.push_channel, now=self._now)

    @cached_property
    def parser(self) -> DocumentParser:
        return self._new_parser()

    @cached_property
    def attachment_parser(self) -> DocumentParser:
        """A process of its own: a customer does not wait for the document that is read meanwhile."""
        return self._new_parser()

    def _new_parser(self) -> DocumentParser:
        from shared.knowledge.parsing import DocumentParser

        return DocumentParser(
            timeout=self.settings.parse_timeout_seconds,
            memory_mb=self.settings.parse_memory_mb,
            max_bytes=self.settings.max_document_bytes,
        )

    @cached_property
    def chunker(self) -> Chunker:
        from shared.knowledge.chunking import Chunker

        return Chunker(self.embedder)

    @cached_property
    def ingestion(self) -> IngestionService:
        from shared.knowledge.embedding_pool import EmbeddingPool
        from shared.knowledge.ingestion import IngestionService

        processes = self.settings.processes_that_embed
        return IngestionService(
            documents=self.documents,
            parser=self.parser,
            chunker=self.chunker,
            embedder=self.embedder,
            index=self.index,
            max_bytes=self.settings.max_document_bytes,
            now=self._now,
            pool=partial(EmbeddingPool, self._make_embedder, processes) if processes > 1 else None,
        )

    @cached_property
    def retriever(self) -> Retriever:
        from shared.knowledge.retrieval import Retriever

        return Retriever(self.embedder, self.index)

    @cached_property
    def _search(self) -> KnowledgeSearch:
        from shared.conversation.knowledge import KnowledgeSearch
        from shared.conversation.rewriting import QuestionRewriter

        rewriter = None if self.settings.chat_provider == "extractive" else QuestionRewriter(self.chat_client)
        return KnowledgeSearch(self.retriever, self.embedder, self.chunker, rewriter)

    @cached_property
    def chat_client(self) -> Any:
        from shared.conversation.chat_clients import build_chat_client

        return build_chat_client(self.settings, self._spelling)

    @cached_property
    def _spelling(self) -> Spelling:
        from shared.knowledge.spelling import Spelling

        return Spelling(self.embedder)

    @cached_property
    def conversations(self) -> ConversationService:
        with _beside(lambda: self.embedder):
            from shared.conversation.agent import SupportAgent
            from shared.conversation.chat_clients import extractive_client
            from shared.conversation.service import ConversationService

        keyless = self.settings.chat_provider == "extractive"
        agent = SupportAgent(
            self.chat_client,
            None if keyless else extractive_client(self._spelling),
            self._search,
            self.settings,
        )
        return ConversationService(
            store=self.store,
            agent=agent,
            search=self._search,
            parser=_when_used(lambda: self.attachment_parser),
            escalation=self.escalation,
            leftovers=self.leftovers,
            policy=self.policy,
            push=self.push,
            settings=self.settings,
            now=self._now,
        )

    @cached_property
    def escalation(self) -> EscalationService:
        from shared.escalation.routing import load_routing
        from shared.escalation.service import EscalationService

        return EscalationService(
            self.store,
            _when_used(lambda: self.queue),
            routing=load_routing(),
            transcripts=_when_used(lambda: self.transcripts),
            push=self.push,
            public_url=self.settings.public_url,
            webhook=bool(self.settings.webhook_url),
            now=self._now,
        )

    @cached_property
    def webhook(self) -> Webhook | None:
        """None without WEBHOOK_URL."""
        if not (url := self.settings.webhook_url):
            return None
        from shared.escalation.events.webhook import Webhook, WebhookTarget
        from shared.security.signatures import read_key

        secret = self.settings.webhook_secret.get_secret_value()
        target = WebhookTarget(
            url=url,
            format=self.settings.webhook_format,
            key=read_key(secret) if secret else None,
            authorization=self.settings.webhook_authorization.get_secret_value() or None,
        )
        return Webhook(target, self.store, now=self._now)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        from shared.escalation.dead_letters import DeadLetters

        return DeadLetters(_when_used(lambda: self.queue))

    @cached_property
    def leftovers(self) -> Leftovers:
        from shared.escalation.leftovers import Leftovers

        return Leftovers(self.store, _when_used(lambda: self.transcripts), self.dead_letters)

    @cached_property
    def personal_data(self) -> PersonalData:
        from shared.personal_data import PersonalData

        return PersonalData(self.store, _when_used(lambda: self.transcripts), self.dead_letters)

    @cached_property
    def erasure(self) -> ErasureService:
        from shared.erasure import ErasureService

        secret = self.settings.token_secret.get_secret_value()
        return ErasureService(self.conversations, self.personal_data, secret=secret, now=self._now)

    @cached_property
    def helpdesk(self) -> HelpdeskService:
        from shared.escalation.helpdesk import HelpdeskService

        return HelpdeskService(
            self.store,
            self.escalation,
            push=self.push,
            silence=timedelta(minutes=self.settings.human_silence_minutes),
            session=timedelta(hours=self.settings.session_hours),
            max_message_chars=self.settings.max_message_chars,
            now=self._now,
        )

    @cached_property
    def analytics(self) -> AnalyticsService:
        from shared.analytics.service import AnalyticsService

        retention = timedelta(days=self.settings.retention_days)
        return AnalyticsService(self.store, self.index, self.embedder, retention=retention, now=self._now)

    @cached_property
    def policy(self) -> EscalationPolicy:
        from shared.escalation.intents import load_intents
        from shared.escalation.policy import EscalationPolicy
        from shared.escalation.topics import load_topics

        return EscalationPolicy(self.embedder, load_intents(), load_topics())

    @cached_property
    def tokens(self) -> Tokens:
        from shared.security.tokens import Tokens

        return Tokens(
            self.settings.token_secret.get_secret_value(),
            operator_minutes=self.settings.operator_token_minutes,
            now=self._now,
        )

    @cached_property
    def identity(self) -> IdentityTokens | None:
        """None without IDENTITY_KEYS: nobody vouches for customers then."""
        if not (keys := self.settings.identity_keys.get_secret_value()):
            return None
        from shared.security.identity import IdentityTokens, read_keys

        return IdentityTokens(
            read_keys(keys),
            audience=self.settings.identity_audience,
            max_minutes=self.settings.identity_max_minutes,
            claims=self.store,
            now=self._now,
        )

    @cached_property
    def rate_limiter(self) -> RateLimiter:
        from shared.security.ratelimits import RateLimiter

        return RateLimiter(self.store, self._now)

    async def create_stores(self) -> list[str]:
        """Create what the Azure adapters in use need, as far as it is not there; returns what that is. Raises
        `Unavailable`. The embedded ones need nothing."""
        made: list[str] = []
        if cosmos := self._cosmos_account:
            from shared.memory.cosmos_schema import CONTAINERS, create

            database, containers, vectors = self.settings.cosmos_database, dict(CONTAINERS), None
            if self.settings.vector_index == "cosmos":
                from shared.knowledge import cosmos_schema

                containers |= cosmos_schema.containers(self.embedder.dimensions)
                vectors = cosmos_schema.vectors(self.embedder.dimensions)
            await create(*cosmos, database, containers, vectors)
            made += [f"Cosmos DB: {database}/{container}" for container in containers]
        made += await self._create_queues()
        if account := self._blob_account:
            from shared.escalation import transcripts
            from shared.knowledge import documents

            containers = (documents.CONTAINER, transcripts.CONTAINER)
            await account.create(containers)
            made += [f"Blob Storage: {container}" for container in containers]
        if server := self._chroma_server:
            await server.create()
            made.append(f"Chroma: {server.tenant}/{server.database}")
        return made

    async def _create_queues(self) -> list[str]:
        namespace, connection = self.settings.service_bus__fullyqualifiednamespace, self.settings.service_bus
        if not namespace and not connection.get_secret_value():
            return []
        from shared.escalation import servicebus_schema

        if namespace:
            queues = await servicebus_schema.create(namespace, self._credential)
        elif servicebus_schema.is_emulator(connection.get_secret_value()):
            return ["Service Bus: the emulator, with the queues that it was started with,"]
        else:
            queues = await servicebus_schema.create(connection.get_secret_value())
        return [f"Service Bus: {queue}" for queue in queues]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let running turns finish, then release files, threads and child processes. Only what was built is closed."""
        built: dict[str, Any] = vars(self)
        if conversations := built.get("conversations"):
            await conversations.drain(seconds=10)
        parts = ("parser", "attachment_parser", "index", "documents", "webhook", "transcripts", "queue", "store")
        for name in ("push", *parts, "_blob_account", "_credential"):
            if part := built.get(name):
                await part.close()


@contextmanager
def _beside(load: Callable[[], object]) -> Generator[None]:
    """Load something in a thread while the block imports. Half of its time is none of Python's; who uses it then has
    it, or its error."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(load)
        yield


class _WhenUsed:
    def __init__(self, part: Callable[[], Any]) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part(), name)


def _when_used[T](part: Callable[[], T]) -> T:
    """Stands in for a part until something is asked of it: who holds the tickets' queue may answer questions for long
    before the first ticket, and needs no SDK of it until then."""
    return cast("T", _WhenUsed(part))


@cache
def get_services() -> Services:
    """This process's services. Raises `ConfigurationError` for wrong settings, naming the variable."""
    settings = load_settings()
    telemetry.set_up_logging(settings.log_level)
    telemetry.set_up_metrics(settings)
    telemetry.set_up_traces(settings)
    return Services(settings)
