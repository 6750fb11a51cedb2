import asyncio
import tomllib
from pathlib import Path
from typing import Any

import pytest

from functions.chat_http import health
from functions.chat_http.version import BUILD, read_build
from shared.errors import IndexModelMismatch, Unavailable

ROOT = Path(__file__).parents[4]


async def test_the_version_is_the_projects(api: Any) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    for path in ("/health/", "/health"):
        assert (await api.http.get(path)).json() == {"status": "healthy", "version": version, "build": BUILD}


def test_a_package_tells_its_own_build(tmp_path: Path) -> None:
    assert read_build(tmp_path) == "source"
    (tmp_path / "BUILD").write_text("7e3ce0a4b1c2\n")
    assert read_build(tmp_path) == "7e3ce0a4b1c2"


async def test_liveness_asks_nobody(api: Any) -> None:
    response = await api.http.get("/health/liveness")

    assert response.json() == {"status": "alive"}
    services = api.services
    assert [part.pings for part in (services.store, services.index, services.queue, services.documents)] == [0, 0, 0, 0]


@pytest.mark.parametrize("path", ["/", "/docs", "/health", "/health/", "/health/liveness", "/health/readiness"])
async def test_who_asks_for_the_status_alone_gets_it(path: str, api: Any) -> None:
    assert (await api.http.head(path)).status_code == 200


async def test_who_asks_for_the_status_alone_learns_that_a_part_is_away(api: Any) -> None:
    api.services.store.broken = Unavailable("secret")
    assert (await api.http.head("/health/readiness")).status_code == 503


async def test_every_part_is_told_of(api: Any) -> None:
    detailed = (await api.http.get("/health/detailed")).json()

    assert detailed["status"] == "healthy"
    assert detailed["components"] == {
        "store": {"status": "healthy"},
        "queue": {"status": "healthy"},
        "documents": {"status": "healthy"},
        "knowledge": {"status": "healthy", "documents": 2, "chunks": 17, "embedding_model": "all-MiniLM-L6-v2"},
        "chat_model": {"provider": "extractive"},
    }


@pytest.mark.parametrize("part", ["store", "queue", "documents", "index"])
@pytest.mark.parametrize("error", [Unavailable("secret"), IndexModelMismatch("secret"), OSError("secret")])
async def test_a_part_that_does_not_answer_degrades_the_whole(api: Any, part: str, error: Exception) -> None:
    getattr(api.services, part).broken = error
    response = await api.http.get("/health/detailed")

    assert response.status_code == 200
    assert "secret" not in response.text
    detailed = response.json()
    assert detailed["status"] == "degraded"
    name = "knowledge" if part == "index" else part
    unhealthy = [n for n, c in detailed["components"].items() if c.get("status") == "unhealthy"]
    assert unhealthy == [name]


@pytest.mark.parametrize(("part", "ready"), [("store", False), ("index", False), ("queue", True), ("documents", True)])
async def test_ready_is_what_can_answer_customers(api: Any, problem: Any, part: str, ready: bool) -> None:
    assert (await api.http.get("/health/readiness")).json() == {"status": "ready"}
    getattr(api.services, part).broken = Unavailable("secret")

    response = await api.http.get("/health/readiness")
    if ready:
        assert response.status_code == 200
        return
    refused = problem(response, 503)
    assert part in refused["detail"]
    assert "secret" not in refused["detail"]
    assert response.headers["retry-after"] == "10"


async def test_a_part_that_hangs_counts_as_not_answering(
    api: Any, problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(health, "TIMEOUT", 0.01)
    monkeypatch.setattr(api.services.store, "ping", hang)
    problem(await api.http.get("/health/readiness"), 503)


async def test_health_is_told_also_when_the_store_that_counts_calls_is_gone(api: Any) -> None:
    async def gone(*_: object, **__: object) -> None:
        raise Unavailable("The store does not answer.")

    api.services.rate_limiter.check = gone
    assert (await api.http.get("/health/liveness")).status_code == 200
    assert (await api.http.get("/health/detailed")).status_code == 200


async def test_metrics_are_prometheus_text(api: Any) -> None:
    response = await api.http.get("/metrics")

    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE python_info gauge" in response.text
