import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared import services as composition
from shared.memory.sqlite import SqliteConversationStore
from tests.records import Story
from tools.report import main


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AUTH_MODE", "open")
    monkeypatch.setattr("tools.report.get_services", lambda: composition.Services(composition.load_settings()))


@pytest.fixture
def conversations(tmp_path: Path) -> None:
    async def fill() -> None:
        begun = datetime.now(UTC) - timedelta(hours=20)
        store = SqliteConversationStore(tmp_path / "conversations.db")
        for story in (
            Story("s1", start=begun).asks("How do I descale it?").answers("a.md").rates("up"),
            Story("s2", start=begun).asks("Do you sell \x1b[31mred socks?").abstains().escalates("unanswered"),
            Story("s3", start=begun).asks("Do you sell red socks?").abstains(),
            Story("s4", start=begun),
        ):
            told = story.told()
            await store.create(told.conversation, told.messages[0])
            for message in told.messages[1:]:
                ticket = next((ticket for ticket in told.tickets if ticket.message_id == message.id), None)
                await store.append(message, ticket)
        await store.close()

    asyncio.run(fill())


@pytest.mark.usefixtures("conversations")
def test_the_report_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for line in (
        "counted 3",
        "only opened 1",
        "confirmed 1 of 1 (100%)",
        "(still going on) 2",
        "conversations 1 of 3 (33%)",
        "unanswered 1, in 1 of 3 (33%)",
        "no answer found 2 of 3 (67%)",
        "first response median 1.0 min, p90 1.0 min, of 3",
        "people's none",
        "1 1 0 a.md not indexed any more",
    ):
        assert line in lines
    assert "Unanswered questions: 2" in lines
    assert "\x1b" not in printed


@pytest.mark.usefixtures("conversations")
def test_the_report_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["resolutions"]["confirmed"] == {"count": 1, "of": 1, "rate": 1.0}
    assert found["at"].endswith("Z")
    clusters = found["unanswered"]["clusters"]
    assert sum(cluster["count"] for cluster in clusters) == 2


def test_a_report_on_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--since", "2026-01-01", "--until", "2026-01-02"]) == 0
    printed = capsys.readouterr().out
    assert "from 2026-01-01 00:00 to 2026-01-02 00:00 UTC" in printed
    assert "RETENTION_DAYS" in printed


@pytest.mark.parametrize("arguments", [["--since", "yesterday"], ["--since", "2026-01-01", "--until", "2025-01-01"]])
def test_what_is_no_period_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert "since" in capsys.readouterr().err


def test_a_store_that_does_not_answer_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "file"))
    assert main([]) == 1
    assert capsys.readouterr().err
