import logging
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from functions.escalation_queue import function
from shared.errors import InvalidInput, Unavailable

CONTEXT: Any = Mock(invocation_id="i1")


def message(delivery_count: int = 1) -> Any:
    return Mock(get_body=lambda: b"{}", delivery_count=delivery_count, message_id="tkt-1", application_properties={})


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Any:
    services = Mock()
    services.escalation.route = AsyncMock()
    services.webhook.deliver = AsyncMock()
    monkeypatch.setattr(function, "get_services", lambda: services)
    return services


@pytest.fixture(params=["escalation_queue", "deliver_webhook"])
def trigger(request: pytest.FixtureRequest, services: Any) -> tuple[Any, AsyncMock]:
    """A queue function, and what it calls."""
    called = {"escalation_queue": services.escalation.route, "deliver_webhook": services.webhook.deliver}
    return getattr(function, request.param).build().get_user_function(), called[request.param]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(function, "sleep", sleep)  # not asyncio's: other threads of this process sleep too
    return pauses


async def test_a_message_is_handled(trigger: Any, pauses: list[float]) -> None:
    handle, called = trigger
    await handle(message(), CONTEXT)
    called.assert_awaited_once_with(b"{}")
    assert pauses == []


async def test_what_can_never_be_handled_is_given_back_at_once(trigger: Any, pauses: list[float]) -> None:
    handle, called = trigger
    called.side_effect = InvalidInput("no ticket")
    with pytest.raises(InvalidInput):
        await handle(message(), CONTEXT)
    assert pauses == []


async def test_an_outage_is_waited_for_longer_each_time_and_never_past_the_lock(
    trigger: Any, pauses: list[float]
) -> None:
    handle, called = trigger
    called.side_effect = Unavailable("no store")
    for delivery in range(1, 11):
        with pytest.raises(Unavailable):
            await handle(message(delivery), CONTEXT)
    assert pauses == sorted(pauses)
    assert pauses[-1] < 60
    assert sum(pauses) > 120, "an outage of two minutes costs no ticket"


@pytest.mark.parametrize(("asked", "waited"), [(1, 2), (17, 17), (3600, 30)])
async def test_a_wait_that_is_asked_for_is_kept_within_bounds(
    trigger: Any, pauses: list[float], asked: int, waited: float
) -> None:
    handle, called = trigger
    called.side_effect = Unavailable("The webhook answered 429.", retry_after=asked)
    with pytest.raises(Unavailable):
        await handle(message(), CONTEXT)
    assert pauses == [waited]


async def test_the_log_says_which_message_was_given_back_and_why(
    trigger: Any, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    handle, called = trigger
    called.side_effect = InvalidInput("Not a ticket request of version 1: summary: missing")
    with pytest.raises(InvalidInput):
        await handle(message(3), CONTEXT)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert (vars(record)["message_id"], vars(record)["delivery"]) == ("tkt-1", 3)
    assert vars(record)["problem"] == "InvalidInput: Not a ticket request of version 1: summary: missing"


async def test_a_webhook_that_was_removed_keeps_nothing_waiting(services: Any) -> None:
    services.webhook = None
    await function.deliver_webhook.build().get_user_function()(message(), CONTEXT)


async def test_dead_letters_are_counted_each_minute(services: Any) -> None:
    services.escalation.relay, services.dead_letters.count = AsyncMock(), AsyncMock()
    await function.relay_tickets.build().get_user_function()(Mock(), CONTEXT)
    services.escalation.relay.assert_awaited_once()
    services.dead_letters.count.assert_awaited_once()


async def test_leftovers_are_erased_by_a_timer(services: Any) -> None:
    services.leftovers.erase = AsyncMock()
    await function.erase_leftovers.build().get_user_function()(Mock(), CONTEXT)
    services.leftovers.erase.assert_awaited_once()
