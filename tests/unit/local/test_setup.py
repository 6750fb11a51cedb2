import os
import socket
import stat
from pathlib import Path

import pytest

from local.setup import held, lay_out_documents, listen, offer_hub, set_defaults
from shared.errors import ConfigurationError
from shared.settings import load_settings


def test_a_laptop_needs_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for name in ("AUTH_MODE", "TOKEN_SECRET", "TRUSTED_PROXIES", "COMPANY_NAME"):
        monkeypatch.setenv(name, "")  # empty is not set; and what is set here is taken back
    set_defaults(os.environ)
    assert load_settings().auth_mode == "open"


def test_what_is_set_stays(tmp_path: Path) -> None:
    environ = {"DATA_DIR": str(tmp_path), "AUTH_MODE": "token", "TOKEN_SECRET": "s" * 32, "COMPANY_NAME": "Acme"}
    set_defaults(environ)
    assert environ["AUTH_MODE"] == "token"
    assert environ["TOKEN_SECRET"] == "s" * 32
    assert environ["COMPANY_NAME"] == "Acme"


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    first, second = {"DATA_DIR": str(tmp_path)}, {"DATA_DIR": str(tmp_path)}
    set_defaults(first)
    set_defaults(second)
    assert len(first["TOKEN_SECRET"]) >= 32
    assert first["TOKEN_SECRET"] == second["TOKEN_SECRET"]
    assert stat.S_IMODE((tmp_path / "token-secret").stat().st_mode) == 0o600


def test_a_data_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"DATA_DIR=.*file cannot be written to: .*DATA_DIR=FOLDER make run"):
        set_defaults({"DATA_DIR": str(tmp_path / "file")})
    with pytest.raises(ConfigurationError, match="cannot be written to"):
        set_defaults({"DATA_DIR": str(tmp_path / "file" / "below")})


def test_a_new_data_folder_is_its_owners_only(tmp_path: Path) -> None:
    set_defaults({"DATA_DIR": str(tmp_path / "data")})
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_data_folder_serves_one_app_at_a_time(tmp_path: Path) -> None:
    refused = pytest.raises(ConfigurationError, match=r"in use.* DATA_DIR=.* PORT=.* make run")
    with held(tmp_path), refused, held(tmp_path):
        pass
    with held(tmp_path):
        pass


def test_a_file_in_place_of_the_documents_is_named(tmp_path: Path) -> None:
    (tmp_path / "documents").touch()
    with pytest.raises(ConfigurationError, match=r"DOCUMENTS_DIR=.* is not a folder"):
        lay_out_documents(tmp_path / "documents")


def test_the_samples_are_laid_out_on_the_first_run_only(tmp_path: Path) -> None:
    samples, folder = tmp_path / "samples", tmp_path / "data" / "documents"
    (samples / "sub").mkdir(parents=True)
    (samples / "sub" / "a.md").write_text("sample")
    assert lay_out_documents(folder, samples)
    assert (folder / "sub" / "a.md").read_text() == "sample"
    (folder / "sub" / "a.md").unlink()
    assert not lay_out_documents(folder, samples)
    assert not (folder / "sub" / "a.md").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["documents"]


def test_without_samples_the_folder_is_empty(tmp_path: Path) -> None:
    assert lay_out_documents(tmp_path / "documents", tmp_path / "none")
    assert list((tmp_path / "documents").iterdir()) == []


@pytest.mark.parametrize("port", ["", "http", "-1", "65536"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    with pytest.raises(ConfigurationError, match="PORT"):
        listen("127.0.0.1", port)


def test_connections_do_not_wait_for_more_data_before_they_send() -> None:
    """asyncio sets TCP_NODELAY on what it accepts only if the listening socket names its protocol."""
    with listen("127.0.0.1", "0") as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_a_port_that_is_taken_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match=rf"PORT={port} cannot be used.*make run"):
            listen("127.0.0.1", port)


def test_the_app_pushes_through_a_hub_of_its_own_unless_it_has_another() -> None:
    environment: dict[str, str] = {}
    key = offer_hub(environment, "http://127.0.0.1:7071")
    assert key
    assert environment == {
        "WEB_PUBSUB_CONNECTION_STRING": f"Endpoint=http://127.0.0.1:7071;AccessKey={key};Version=1.0;"
    }
    assert offer_hub({}, "http://127.0.0.1:7071") != key
    for name in ("WEB_PUBSUB_ENDPOINT", "WEB_PUBSUB_CONNECTION_STRING"):
        given = {name: "another"}
        assert offer_hub(given, "http://127.0.0.1:7071") is None
        assert given == {name: "another"}
