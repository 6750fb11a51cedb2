import asyncio
import io
from pathlib import Path

import pytest

from shared import services as composition
from shared.memory.models import Operator
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


async def stored(folder: Path, username: str) -> Operator:
    store = SqliteConversationStore(folder / "conversations.db")
    try:
        operator = await store.operator(username)
    finally:
        await store.close()
    assert operator
    return operator


def test_an_account_is_made_and_can_get_a_new_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    give(monkeypatch, "an older password")
    assert main(["ada", "--stdin"]) == 0
    give(monkeypatch, PASSWORD)
    assert main(["ada", "--display-name", "Ada L.", "--stdin"]) == 0

    assert "ada can sign in" in capsys.readouterr().out
    ada = asyncio.run(stored(tmp_path, "ada"))
    assert (ada.display_name, ada.role) == ("Ada L.", "agent")
    assert verify_password(ada.password_hash, PASSWORD)
    assert PASSWORD.encode() not in (tmp_path / "conversations.db").read_bytes()


def test_a_new_password_takes_neither_role_nor_name_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for password, more in (("an older password", ["--role", "admin", "--display-name", "Ada L."]), (PASSWORD, [])):
        give(monkeypatch, password)
        assert main(["ada", "--stdin", *more]) == 0
    ada = asyncio.run(stored(tmp_path, "ada"))
    assert (ada.display_name, ada.role) == ("Ada L.", "admin")
    assert verify_password(ada.password_hash, PASSWORD)

    give(monkeypatch, PASSWORD)
    assert main(["ada", "--stdin", "--role", "agent"]) == 0
    assert asyncio.run(stored(tmp_path, "ada")).role == "agent"


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


@pytest.mark.parametrize("left", [EOFError, KeyboardInterrupt])
def test_who_gives_no_password_is_told_that_nothing_changed(
    left: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(_: str) -> str:
        raise left

    monkeypatch.setattr("getpass.getpass", leave)
    with pytest.raises(SystemExit, match="nothing has changed"):
        main(["ada"])
