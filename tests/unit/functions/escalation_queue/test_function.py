from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from functions.escalation_queue import function
from shared.errors import InvalidInput, Unavailable

CONTEXT: Any = Mock(invocation_id="i1")


def message(delivery_count: int = 1) -> Any:
    return Mock(get_body=lambda: b"{}", delivery_count=delivery_count)


@pytest.fixture
def route(monkeypatch: pytest.MonkeyPatch) -> AsyncMock:
    services = Mock()
    services.escalation.route = AsyncMock()
    monkeypatch.setattr(function, "get_services", lambda: services)
    return services.escalation.route


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(function.asyncio, "sleep", sleep)
    return pauses


async def handle(message: Any) -> None:
    await function.escalation_queue.build().get_user_function()(message, CONTEXT)


async def test_a_message_is_routed(route: AsyncMock, pauses: list[float]) -> None:
    await handle(message())
    route.assert_awaited_once_with(b"{}")


async def test_what_can_never_be_routed_is_given_back_at_once(route: AsyncMock, pauses: list[float]) -> None:
    route.side_effect = InvalidInput("no ticket")
    with pytest.raises(InvalidInput):
        await handle(message())
    assert pauses == []


async def test_an_outage_is_waited_for_longer_each_time_and_never_past_the_lock(
    route: AsyncMock, pauses: list[float]
) -> None:
    route.side_effect = Unavailable("no store")
    for delivery in range(1, 11):
        with pytest.raises(Unavailable):
            await handle(message(delivery))
    assert pauses == sorted(pauses)
    assert pauses[-1] < 60
    assert sum(pauses) > 120, "an outage of two minutes costs no ticket"
