"""In Azure the app opens its stores by its identity: the adapters that the settings choose, and their tokens."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import azure.identity.aio
import pytest
from azure.core.credentials import AccessToken
from azure.cosmos.aio import CosmosClient
from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient
from azure.servicebus.aio import ServiceBusClient
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from emulators.cosmos.server import CosmosEmulator
from emulators.servicebus.broker import QueueOptions
from emulators.servicebus.server import ServiceBusEmulator
from emulators.webpubsub.server import WebPubSubEmulator
from shared import cosmos as cosmos_client
from shared.errors import Unavailable
from shared.escalation import servicebus
from shared.escalation.blob import BlobTranscriptStore
from shared.escalation.queue import QUEUES, REQUESTS, QueueMessage
from shared.knowledge.blob import BlobDocumentStore
from shared.services import Services
from shared.settings import Settings
from tests.contract.push import Listener

TOKEN = "token-of-the-app"


class Credential:
    """In the place of `DefaultAzureCredential`."""

    made: list[Credential]

    def __init__(self) -> None:
        self.scopes = set[str]()
        self.closed = 0
        self.made.append(self)

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert not self.closed
        self.scopes.update(scopes)
        return AccessToken(TOKEN, 4102444800)

    async def close(self) -> None:
        self.closed += 1

    async def __aenter__(self) -> Credential:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> list[Credential]:
    Credential.made = []
    monkeypatch.setattr(azure.identity.aio, "DefaultAzureCredential", Credential)
    return Credential.made


@pytest.fixture
def cosmos(tmp_path: Path) -> Iterator[CosmosEmulator]:
    with CosmosEmulator(tls=own_certificate(tmp_path)) as emulator:
        yield emulator


def own_certificate(folder: Path) -> ssl.SSLContext:
    """Of a server that nobody vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture
def service_bus() -> Iterator[ServiceBusEmulator]:
    with ServiceBusEmulator(dict.fromkeys(QUEUES, QueueOptions())) as emulator:
        yield emulator


def services(tmp_path: Path, **options: Any) -> Services:
    return Services(Settings(auth_mode="open", data_dir=tmp_path, **options))


async def test_cosmos_db_is_opened_by_the_apps_identity(
    cosmos: CosmosEmulator, credentials: list[Credential], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cosmos_client, "CosmosClient", partial(CosmosClient, connection_verify=False))
    app = services(tmp_path, cosmos_endpoint=cosmos.url)
    with pytest.raises(Unavailable):
        await app.create_stores()  # with a token that nobody knows
    cosmos.server.token = TOKEN
    assert "Cosmos DB: support-agent/conversations" in await app.create_stores()
    conversation, _ = await app.conversations.start("ada")
    assert await app.store.get(conversation.session_id) == conversation
    await app.close()
    [credential] = credentials
    assert credential.closed == 1
    assert all(scope.endswith("/.default") for scope in credential.scopes)


async def test_service_bus_is_opened_by_the_apps_identity(
    service_bus: ServiceBusEmulator, credentials: list[Credential], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = service_bus.connection_string.partition("Endpoint=")[2].partition(";")[0]
    monkeypatch.setattr(servicebus, "ServiceBusClient", partial(ServiceBusClient, use_tls=False))
    app = services(tmp_path, service_bus__fullyqualifiednamespace=address.removeprefix("sb://"))
    with pytest.raises(Unavailable):
        await app.queue.send(REQUESTS, QueueMessage("1", b"{}"))
    service_bus.server.token = TOKEN
    await app.queue.send(REQUESTS, QueueMessage("1", b"{}"))
    [received] = await app.queue.receive(REQUESTS, limit=1)
    assert received.message.body == b"{}"
    await app.close()
    [credential] = credentials
    assert credential.closed == 1
    assert credential.scopes == {"https://servicebus.azure.net//.default"}


async def test_blob_storage_is_opened_by_the_apps_identity(credentials: list[Credential], tmp_path: Path) -> None:
    app = services(tmp_path, documents_storage__blobserviceuri="https://name.blob.core.windows.net")
    documents, transcripts = app.documents, app.transcripts
    assert isinstance(documents, BlobDocumentStore)
    assert isinstance(transcripts, BlobTranscriptStore)
    [credential] = credentials
    for container in (documents._container, transcripts._container):
        assert container.url.startswith("https://name.blob.core.windows.net/")
        assert container.credential is credential
    await app.close()
    assert credential.closed == 1


async def test_nothing_is_opened_by_settings_alone(credentials: list[Credential], tmp_path: Path) -> None:
    folder = tmp_path / "data"
    app = services(
        folder,
        cosmos_endpoint="https://name.documents.azure.com",
        documents_storage__blobserviceuri="https://name.blob.core.windows.net",
        service_bus__fullyqualifiednamespace="name.servicebus.windows.net",
        chroma_url="http://chroma:8000",
    )
    assert app.settings.documents_in_blobs
    await app.close()
    assert credentials == []
    assert not folder.exists()


async def test_web_pubsub_makes_clients_tokens_for_the_apps_identity(
    credentials: list[Credential], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = partial(WebPubSubServiceClient, connection_verify=False)
    monkeypatch.setattr("azure.messaging.webpubsubservice.aio.WebPubSubServiceClient", client)
    own_certificate(tmp_path)
    with WebPubSubEmulator(certificate=str(tmp_path / "server.pem")) as emulator:
        app = services(tmp_path, web_pubsub_endpoint=emulator.url)
        conversation, _ = await app.conversations.start("ada")
        with pytest.raises(Unavailable):
            await app.conversations.client_url(conversation.session_id)  # with a token that nobody knows
        emulator.hub.token = TOKEN
        where = await app.conversations.client_url(conversation.session_id)
        async with Listener(where, verify=False) as page:
            group = f"operators.{conversation.session_id}"
            assert (await page.ask(type="joinGroup", group=group, ackId=1))["error"]["name"] == "Forbidden"
            app.push.tell(conversation.session_id, {"seq": 1}, ("operators",))
            app.push.tell(conversation.session_id, {"seq": 2})
            assert await page.frame() == {"seq": 2}
        await app.close()
    [credential] = credentials
    assert credential.closed == 1
    assert credential.scopes == {"https://webpubsub.azure.com/.default"}
