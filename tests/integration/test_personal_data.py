"""What is kept about a person: handed out whole, and nowhere after an erasure: not in the free pages of a file, not in
any item, message or blob of Azure's stores."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from emulators import processes
from emulators.cosmos.auth import EMULATOR_KEY
from emulators.cosmos.server import CosmosEmulator
from emulators.servicebus.broker import QueueOptions
from emulators.servicebus.server import ServiceBusEmulator
from functions.chat_http.app import create_app
from shared.blob_storage import BlobAccount
from shared.clock import utc_now
from shared.escalation import transcripts
from shared.escalation.queue import QUEUES
from shared.knowledge import documents
from shared.memory.models import Operator
from shared.security import receipts
from shared.services import Services
from shared.settings import Settings

SECRET = "0123456789abcdef0123456789abcdef"
CANARY = st.from_regex(r"canary[a-z]{12}", fullmatch=True)
SAID = st.lists(
    st.sampled_from(
        ["How do I reset {}?", "Remember that {} is my cat", "I want to talk to a human about {}", "FILE {}"]
    ),
    min_size=1,
    max_size=4,
)


@dataclass
class Place:
    """The app on some stores. `holding` names what of them holds a text, read past the app."""

    services: Services
    http: httpx.AsyncClient
    folder: Path
    emulators: tuple[CosmosEmulator, ServiceBusEmulator] | None
    blobs: BlobAccount | None

    async def holding(self, text: str) -> list[str]:
        raw = {str(f.relative_to(self.folder)): f.read_bytes() for f in self.folder.rglob("*") if f.is_file()}
        if self.emulators:
            cosmos, bus = self.emulators
            raw |= {f"item {i}": row.encode() for i, row in enumerate(cosmos.storage._db.iterdump())}
            rows = bus.run(lambda: bus.broker._db.execute("SELECT number, queue, raw FROM messages").fetchall())
            raw |= {f"message {number} of {queue}": content for number, queue, content in rows}
        if self.blobs:
            raw |= await blobs_of(self.blobs)
        memory = self.services.conversations, self.services.retriever, self.services.queue, self.services.store
        raw |= {f"memory of {type(part).__name__}": "\n".join(texts_in(part)).encode() for part in memory}
        return [name for name, content in raw.items() if text.encode() in content]


async def blobs_of(account: BlobAccount) -> Mapping[str, bytes]:
    found = dict[str, bytes]()
    for name in (documents.CONTAINER, transcripts.CONTAINER):
        container = account.container(name)
        async for blob in container.list_blobs(include=["snapshots", "deleted", "metadata"]):
            content = await (await container.download_blob(blob.name, snapshot=blob.snapshot)).readall()
            found[f"{name}/{blob.name}"] = content + json.dumps([blob.name, blob.metadata]).encode()
    return found


def texts_in(part: object) -> Iterator[str]:
    """Every text that a part of the product keeps in memory, in caches and elsewhere."""
    seen, ahead = set[int](), [part]
    while ahead:
        one = ahead.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        match one:
            case str():
                yield one
            case bytes():
                yield one.decode("utf-8", "replace")
            case Mapping():
                ahead += [*one.keys(), *one.values()]
            case list() | tuple() | set() | frozenset():
                ahead += one
            case _ if type(one).__module__.startswith("shared"):
                slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
                ahead += [getattr(one, name) for name in slots if hasattr(one, name)]
                ahead += vars(one).values() if hasattr(one, "__dict__") else []
            case _:
                pass


@pytest.fixture(params=["embedded", "azure"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    folder = tmp_path / "data"
    options: dict[str, Any] = {"data_dir": folder, "token_secret": SECRET}
    options |= dict.fromkeys(["sessions_per_minute", "messages_per_minute", "operator_calls_per_minute"], 100_000)
    emulators = blobs = None
    if request.param == "azure":
        emulators = request.getfixturevalue("emulators")
        cosmos, bus = emulators
        options |= {
            "cosmos_connection_string": f"AccountEndpoint={cosmos.url};AccountKey={EMULATOR_KEY};",
            "cosmos_database": f"test-{uuid4().hex}",
            "vector_index": "cosmos",
            "service_bus": bus.connection_string,
        }
        # Without Node.js there is no Azurite: then transcripts stay in a folder, and all else is as in Azure.
        if connection := request.getfixturevalue("storage"):
            options["documents_storage"] = connection
            blobs = BlobAccount(connection)
    services = Services(Settings(**options))
    await services.create_stores()
    await services.store.save_operator(Operator("ada", "Ada L.", "", utc_now(), role="admin"))
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as http:
        yield Place(services, http, folder, emulators, blobs)
    await services.close()
    if blobs:
        await blobs.close()


@pytest.fixture(scope="module")
def emulators() -> Iterator[tuple[CosmosEmulator, ServiceBusEmulator]]:
    with CosmosEmulator() as cosmos, ServiceBusEmulator(dict.fromkeys(QUEUES, QueueOptions())) as bus:
        yield cosmos, bus


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """Azurite's connection string."""
    if shutil.which("node") is None or not processes.AZURITE.exists():
        yield None
        return
    with processes.azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield processes.azurite_connection(server.port)


async def tell(place: Place, user: str, word: str, said: list[str]) -> str:
    """A conversation in which this word is said, with whatever may hold it: a dead letter of each queue, a transcript,
    a ticket that a person has claimed, what is written to that person and waits for them, a comment, a fact."""
    http, services, operator = place.http, place.services, Operator("ada", "Ada L.", "", utc_now(), role="admin")
    started = (await http.post("/chat/sessions", json={"user_id": user})).json()
    session, headers = started["session_id"], {"Authorization": f"Bearer {started['token']}"}
    path = f"/chat/sessions/{session}"

    async def say(text: str) -> httpx.Response:
        files = {"attachments": (f"{word}.txt", f"# {word}".encode(), "text/plain")} if "FILE" in text else None
        answer = await http.post(f"{path}/messages", data={"message": text.format(word)}, files=files, headers=headers)
        assert answer.status_code in (200, 202), answer.text
        return answer

    for text in said:
        answer = (await say(text)).json()
    rated = await http.post(
        f"{path}/messages/{answer['message_id']}/feedback", json={"rating": "down", "comment": word}, headers=headers
    )
    assert rated.status_code == 200, rated.text
    ticket = (await http.post(f"{path}/escalate", json={"comment": word}, headers=headers)).json()["ticket_id"]
    await services.helpdesk.claim(operator, ticket)
    await services.helpdesk.reply(operator, ticket, f"Is it about {word}?")
    assert (await say("It is about {}")).status_code == 202
    await services.transcripts.write(session, ticket, word.encode())
    await services.transcripts.write(session, "of-a-ticket-that-is-gone", word.encode())
    for queue in QUEUES:
        for received in await services.queue.receive(queue, limit=10):
            await services.queue.dead_letter(received, reason="Test", description="planted")
    return session


@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.generate],  # each takes seconds: a failure is told as it is
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(canary=CANARY, said=SAID)
async def test_nothing_of_a_customer_is_left_anywhere(place: Place, canary: str, said: list[str]) -> None:
    user, other = f"{canary}@example.com", f"other{uuid4().hex}"
    await tell(place, user, canary, said)
    await tell(place, other, other, ["Where is {}?"])
    data = place.services.personal_data
    person = await data.customer(user)
    found = await data.export(person)
    everywhere = {"Conversation", "Message", "Ticket", "OutboxEvent", "Transcript", "DeadLetter"}
    assert everywhere <= found.keys()
    for kind in ("Conversation", "Message", "Transcript", "DeadLetter"):
        assert canary in json.dumps(found[kind]), kind
    assert other not in json.dumps(found)
    assert len(await place.holding(canary)) > 3

    headers = {"Authorization": f"Bearer {place.services.tokens.issue_operator('ada')[0]}"}
    answer = await place.http.delete(f"/customers/{user}", headers=headers)
    assert answer.status_code == 200, answer.text
    receipt = answer.json()
    assert (receipt["conversations"], receipt["left"], receipt["unchecked"]) == (1, {}, [])
    assert receipts.read(SECRET, receipt["receipt"], f"user/{user}")["outcome"]["left"] == {}
    assert await data.export(person) == {}
    assert await place.holding(canary) == []
    assert await place.holding(other)


async def test_a_customer_erases_a_conversation_and_gets_the_receipt(place: Place) -> None:
    session = await tell(place, "kim", "canaryofkim", ["I want to talk to a human about {}"])
    expires = (await place.services.store.get(session)).expires_at
    headers = {"Authorization": f"Bearer {place.services.tokens.issue_session(session, expires)}"}
    receipt = (await place.http.delete(f"/chat/sessions/{session}", headers=headers)).json()
    assert (receipt["conversations"], receipt["left"], receipt["unchecked"]) == (1, {}, [])
    assert receipts.read(SECRET, receipt["receipt"], f"session/{session}")
    assert await place.holding("canaryofkim") == []
