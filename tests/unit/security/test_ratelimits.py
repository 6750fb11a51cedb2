from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import RateLimited
from shared.security.ratelimits import LocalHits, RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, 0, 15, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


async def test_the_allowance_can_be_used_up_and_comes_back_with_the_next_minute() -> None:
    clock = Clock()
    limiter = RateLimiter(LocalHits(), clock)
    for _ in range(3):
        await limiter.check("messages:a", per_minute=3)

    with pytest.raises(RateLimited, match="Only 3 requests a minute") as refused:
        await limiter.check("messages:a", per_minute=3)
    assert refused.value.retry_after == 45

    clock.now += timedelta(seconds=refused.value.retry_after - 1)
    with pytest.raises(RateLimited):
        await limiter.check("messages:a", per_minute=3)
    clock.now += timedelta(seconds=1)
    await limiter.check("messages:a", per_minute=3)


async def test_clients_and_kinds_of_call_have_their_own_allowance() -> None:
    limiter = RateLimiter(LocalHits(), Clock())
    await limiter.check("messages:a", per_minute=1)
    await limiter.check("messages:b", per_minute=1)
    await limiter.check("sessions:a", per_minute=1)

    with pytest.raises(RateLimited):
        await limiter.check("messages:a", per_minute=1)


async def test_waiting_as_long_as_told_is_always_enough() -> None:
    clock = Clock()
    clock.now = datetime(2026, 1, 1, 12, 0, 59, 700_000, tzinfo=UTC)
    limiter = RateLimiter(LocalHits(), clock)
    await limiter.check("a", per_minute=1)
    with pytest.raises(RateLimited) as refused:
        await limiter.check("a", per_minute=1)

    clock.now += timedelta(seconds=refused.value.retry_after)
    await limiter.check("a", per_minute=1)
