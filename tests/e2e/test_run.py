"""`make run` as a person uses it: start, ask, change the documents, stop, start again."""

import contextlib
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.settings import ROOT

PATIENCE = 60
"""Seconds to wait for what takes a few."""

PASSWORDS = "# Passwords\n\nTo reset your password, press Forgot password on the sign-in page and follow the e-mail.\n"
SHIPPING = "# Shipping\n\nA parcel to Norway takes nine working days and costs 14 euros.\n"
SHIPPING_FASTER = "# Shipping\n\nA parcel to Norway takes four working days and costs 21 euros.\n"
WARRANTY = "# Warranty\n\nThe grinder is covered by the warranty for thirty-six months.\n"


class App:
    """`python -m local` in a process of its own."""

    def __init__(self, data_dir: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local"],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name not in ("AUTH_MODE", "DOCUMENTS_DIR")}
            | {"DATA_DIR": str(data_dir), "PORT": "0"}
            | {"SESSIONS_PER_MINUTE": "1000", "HEALTH_PER_MINUTE": "1000"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self.output = ""
        self.errors = ""
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._readers = [threading.Thread(target=self._read_output), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()
        self.client = httpx.Client(base_url=self._wait_for_url(), timeout=PATIENCE, trust_env=False)

    def _read_output(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        for line in self._process.stderr:
            self.errors += line

    def _wait_for_url(self) -> str:
        url = self.hear("demo page").split()[-1]
        self.hear("stop        Ctrl-C")
        return url

    def hear(self, words: str) -> str:
        """The next line on the terminal with these words in it."""
        while line := self._lines.get(timeout=PATIENCE):
            self.output += line
            if words in line:
                return line
        raise AssertionError(f"it was not told: {words}\n{self.output}\n{self.errors}")

    def ask(self, question: str) -> dict[str, Any]:
        session = self.client.post("/chat/sessions").raise_for_status().json()
        answer = self.client.post(f"/chat/sessions/{session['session_id']}/messages", json={"message": question})
        return answer.raise_for_status().json()

    def documents(self) -> int:
        return self.client.get("/health/detailed").raise_for_status().json()["components"]["knowledge"]["documents"]

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Returns the exit code. Nothing of the app's process group may be left."""
        self.client.close()
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        while line := self._lines.get(timeout=PATIENCE):
            self.output += line
        with pytest.raises(ProcessLookupError):
            os.killpg(self._process.pid, 0)
        return code

    def kill(self) -> None:
        """Whatever happened: leave nothing behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        for stream in (self._process.stdout, self._process.stderr):
            stream.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], App]]:
    """Starts the app on one data folder, with two documents in it."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "passwords.md").write_text(PASSWORDS)
    (folder / "shipping.md").write_text(SHIPPING)
    apps: list[App] = []

    def start() -> App:
        apps.append(App(tmp_path))
        return apps[-1]

    yield start
    for app in apps:
        app.kill()


def eventually(look: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def test_documents_follow_the_folder_and_everything_survives_a_restart(
    start: Callable[[], App], tmp_path: Path
) -> None:
    folder = tmp_path / "documents"

    app = start()
    assert "reading 2 of 2: shipping.md" in app.output
    answer = app.ask("How do I reset my password?")
    assert answer["grounded"]
    assert "Forgot password" in answer["message"]
    assert answer["sources"][0]["metadata"]["source"] == "passwords.md"

    (folder / "warranty.md").write_text(WARRANTY)
    assert eventually(lambda: app.documents() == 3)
    assert "thirty-six months" in app.ask("How long is the warranty of the grinder?")["message"]

    (folder / "shipping.md").write_text(SHIPPING_FASTER)
    assert eventually(lambda: "four working days" in app.ask("How long does a parcel to Norway take?")["message"])

    (folder / "warranty.md").unlink()
    assert eventually(lambda: app.documents() == 2)
    assert "thirty-six months" not in app.ask("How long is the warranty of the grinder?")["message"]

    session = app.client.post("/chat/sessions").raise_for_status().json()
    place = f"/chat/sessions/{session['session_id']}"
    app.client.post(f"{place}/messages", json={"message": "How do I reset my password?"}).raise_for_status()
    before = app.client.get(f"{place}/history").json()
    assert app.stop() == 0
    assert "Traceback" not in app.errors

    (folder / "passwords.md").write_text(PASSWORDS.replace("Forgot password", "Lost password"))

    again = start()
    assert "reading 1 of 1: passwords.md" in again.output
    assert again.documents() == 2
    assert again.client.get(f"{place}/history").json() == before
    assert "Lost password" in again.ask("How do I reset my password?")["message"]
    assert again.stop(signal.SIGTERM) == 0
    assert "Traceback" not in again.errors

    unchanged = start()
    assert "reading" not in unchanged.output
    assert unchanged.documents() == 2
    assert unchanged.stop() == 0


def test_a_file_that_cannot_be_read_is_told_with_the_reason(start: Callable[[], App], tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    app = start()
    assert "could not be read" not in app.output
    (folder / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "photo.png could not be read: This is a picture." in app.hear("could not be read")
    assert app.documents() == 2
    (folder / "photo.png").unlink()
    assert "forgetting photo.png" in app.hear("forgetting")

    (folder / "empty.txt").touch()
    assert "empty.txt could not be read: The file is empty." in app.hear("could not be read")
    assert app.stop() == 0
    again = start()
    assert "1 could not be read: python -m tools.list_documents says why" in again.output
    assert again.stop() == 0


def test_the_readmes_example_runs_as_it_stands(start: Callable[[], App], capsys: pytest.CaptureFixture[str]) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    app = start()
    url = str(app.client.base_url).rstrip("/")
    assert "http://localhost:7071" in example
    exec(example.replace("http://localhost:7071", url), {})
    answer, source = capsys.readouterr().out.splitlines()
    assert "press Forgot password" in answer
    assert source.startswith("Passwords — To reset your password")
    assert app.stop() == 0


def test_every_path_is_the_apis_own(start: Callable[[], App]) -> None:
    app = start()
    assert app.client.get("/openapi.json").json()["info"]["title"] == "Support Agent"
    docs = app.client.get("/docs")
    assert docs.status_code == 200
    assert "https://" not in docs.text
    assert app.client.get("/redoc").status_code == 404
    assert "support_" in app.client.get("/metrics").text
    assert app.client.get("/").headers["content-type"].startswith("text/html")
    assert app.stop() == 0


def test_an_answer_is_finished_whoever_leaves(start: Callable[[], App]) -> None:
    app = start()
    session = app.client.post("/chat/sessions").raise_for_status().json()
    place = f"/chat/sessions/{session['session_id']}/messages"
    question = {"message": "How do I reset my password?"}
    stream = {"Accept": "text/event-stream"}

    with app.client.stream("POST", place, json=question, headers=stream) as response:
        assert "RUN_STARTED" in next(response.iter_lines())
    # The reader has left: the answer is there when it comes back.
    assert eventually(lambda: app.client.get(place).json()["messages"][-1]["role"] == "assistant")
    asked, answer = app.client.get(place, params={"after": 1}).json()["messages"]
    assert answer["reply_to"] == asked["message_id"]
    assert "Forgot password" in answer["message"]

    with app.client.stream("POST", place, json=question, headers=stream) as response:
        lines = response.iter_lines()
        assert "RUN_STARTED" in next(lines)
        app.interrupt()
        assert "RUN_FINISHED" in "".join(lines)
    assert app.stop() == 0


def refusal(data_dir: Path, port: str) -> str:
    """What an app that cannot start says, in one line."""
    app = subprocess.run(
        [sys.executable, "-m", "local"],
        cwd=ROOT,
        env=os.environ | {"DATA_DIR": str(data_dir), "PORT": port},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert app.returncode == 2
    assert app.stderr.count("\n") == 1
    return app.stderr


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"PORT={port} cannot be used" in refusal(tmp_path, port)


def test_a_second_app_does_not_share_the_first_ones_index(start: Callable[[], App], tmp_path: Path) -> None:
    app = start()
    assert f"DATA_DIR={tmp_path} is in use" in refusal(tmp_path, "0")
    assert app.ask("How do I reset my password?")["grounded"]
    app.kill()
    assert start().ask("How do I reset my password?")["grounded"]
