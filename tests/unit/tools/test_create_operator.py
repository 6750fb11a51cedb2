import io
from pathlib import Path

import pytest

from shared import services as composition
from shared.memory.sqlite import SqliteConversationStore
from shared.security.passwords import verify_password
from tools.create_operator import main

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AUTH_MODE", "open")
    monkeypatch.setattr("tools.create_operator.get_services", lambda: composition.Services(composition.load_settings()))


def give(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))


async def stored_hash(folder: Path, username: str) -> str | None:
    store = SqliteConversationStore(folder / "conversations.db")
    try:
        operator = await store.operator(username)
    finally:
        await store.close()
    return operator.password_hash if operator else None


def test_an_account_is_made_and_can_get_a_new_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    give(monkeypatch, "an older password")
    assert main(["ada", "--stdin"]) == 0
    give(monkeypatch, PASSWORD)
    assert main(["ada", "--display-name", "Ada L.", "--stdin"]) == 0

    assert "ada can sign in" in capsys.readouterr().out
    password_hash = asyncio.run(stored_hash(tmp_path, "ada"))
    assert password_hash
    assert verify_password(password_hash, PASSWORD)
    assert PASSWORD.encode() not in (tmp_path / "conversations.db").read_bytes()


@pytest.mark.parametrize(("username", "password"), [("ada", "too short"), ("a b", PASSWORD), ("", PASSWORD)])
def test_weak_passwords_and_odd_names_are_refused(
    username: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, password)
    with pytest.raises(SystemExit) as stopped:
        main([username, "--stdin"])
    assert stopped.value.code == 2


def test_the_password_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([PASSWORD, PASSWORD, PASSWORD, "something else altogether"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))

    assert main(["ada"]) == 0
    with pytest.raises(SystemExit, match="differ"):
        main(["ada"])
