"""Making the queues of a namespace, through the real SDK, against answers in the words of the service."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from azure.core.pipeline.transport import AsyncHttpResponse, AsyncHttpTransport
from azure.servicebus.aio.management import ServiceBusAdministrationClient

from shared.errors import ConfigurationError, Unavailable
from shared.escalation import servicebus_schema
from shared.escalation.queue import QUEUES

CONNECTION = "Endpoint=sb://name.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0"
XML = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"


class Answer(AsyncHttpResponse):
    def __init__(self, request: Any, status: int, body: str) -> None:
        super().__init__(request, None)
        self.status_code, self.reason = status, "reason"
        self.headers = {"Content-Type": "application/atom+xml;type=entry;charset=utf-8"}
        self.content_type = self.headers["Content-Type"]
        self._text = body

    def body(self) -> bytes:
        return self._text.encode()

    async def load_body(self) -> None:
        pass


class Namespace(AsyncHttpTransport):
    """Keeps the description that each queue was made with; `refuses` is the status of every answer."""

    def __init__(self) -> None:
        self.queues: dict[str, str] = {}
        self.changes: list[str] = []
        self.refuses: int | None = None

    async def send(self, request: Any, **_: Any) -> Answer:
        name = request.url.partition("?")[0].rsplit("/", 1)[-1]
        if self.refuses:
            return Answer(request, self.refuses, "<Error><Code>401</Code><Detail>no</Detail></Error>")
        if request.method == "GET":
            return Answer(request, 200, entry(name, self.queues[name]))
        exists = name in self.queues
        if exists and "If-Match" not in request.headers:
            return Answer(request, 409, "<Error><Code>409</Code><Detail>exists</Detail></Error>")
        self.changes.append(f"{'update' if exists else 'create'} {name}")
        self.queues[name] = ElementTree.tostring(
            ElementTree.fromstring(request.body).find(f".//{{{XML}}}QueueDescription"), encoding="unicode"
        )
        return Answer(request, 201, entry(name, self.queues[name]))

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...

    def value(self, queue: str, field: str) -> str | None:
        found = re.search(rf"<(?:\w+:)?{field}>([^<]*)<", self.queues[queue])
        return found[1] if found else None


def entry(name: str, description: str) -> str:
    return (
        f'<entry xmlns="http://www.w3.org/2005/Atom"><title type="text">{name}</title>'
        f'<content type="application/xml">{description}</content></entry>'
    )


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch) -> Namespace:
    namespace = Namespace()

    class Client(ServiceBusAdministrationClient):
        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, transport=namespace, **options)

    monkeypatch.setattr(servicebus_schema, "ServiceBusAdministrationClient", Client)
    return namespace


async def test_all_queues_are_made_as_the_product_needs_them(namespace: Namespace) -> None:
    assert await servicebus_schema.create(CONNECTION) == list(QUEUES)
    assert namespace.changes == [f"create {name}" for name in QUEUES]
    for name in QUEUES:
        assert namespace.value(name, "RequiresDuplicateDetection") == "true"
        assert namespace.value(name, "DuplicateDetectionHistoryTimeWindow") == "PT10M"
        assert namespace.value(name, "LockDuration") == "PT1M"
        assert namespace.value(name, "MaxDeliveryCount") == "10"


async def test_a_second_time_changes_nothing(namespace: Namespace) -> None:
    await servicebus_schema.create(CONNECTION)
    namespace.changes.clear()
    assert await servicebus_schema.create(CONNECTION) == list(QUEUES)
    assert namespace.changes == []


async def test_what_can_be_changed_is_brought_up_to_date(namespace: Namespace) -> None:
    await servicebus_schema.create(CONNECTION)
    name = QUEUES[0]
    namespace.queues[name] = namespace.queues[name].replace(">10<", ">3<", 1)
    namespace.changes.clear()
    await servicebus_schema.create(CONNECTION)
    assert namespace.changes == [f"update {name}"]
    assert namespace.value(name, "MaxDeliveryCount") == "10"


async def test_a_queue_that_drops_no_duplicates_is_named(namespace: Namespace) -> None:
    await servicebus_schema.create(CONNECTION)
    name = QUEUES[1]
    field = "RequiresDuplicateDetection"
    namespace.queues[name] = re.sub(rf"({field}>)true", r"\1false", namespace.queues[name])
    with pytest.raises(ConfigurationError, match=f"{name} drops no duplicates"):
        await servicebus_schema.create(CONNECTION)


async def test_who_may_not_manage_is_told(namespace: Namespace) -> None:
    namespace.refuses = 401
    with pytest.raises(Unavailable, match="may this account manage"):
        await servicebus_schema.create(CONNECTION)


async def test_what_is_no_connection_string_is_not_quoted() -> None:
    with pytest.raises(ConfigurationError, match="SERVICE_BUS") as error:
        await servicebus_schema.create("SharedAccessKey=c2VjcmV0")
    assert "c2VjcmV0" not in str(error.value)


def test_emulators_are_known() -> None:
    assert servicebus_schema.is_emulator(f"{CONNECTION};UseDevelopmentEmulator=true;")
    assert not servicebus_schema.is_emulator(CONNECTION)
