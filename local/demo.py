"""`python -m local.demo`: one conversation from the first question to its erasure, played without a person.

Starts the app with a fresh data folder, talks to it over HTTP as a customer, and works on the ticket with the helpdesk
of `tools.helpdesk` as a person would. Each step is checked; the exit code is 0 if all went well.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from local.setup import ROOT

START, STOP, ANSWER, DESK = 300, 30, 60, 30
"""Seconds to wait for each of them at most."""

QUESTIONS = (
    ("My tracking says delivered, but I have nothing. What now?", {"shipping/tracking-and-lost-parcels.md"}),
    ("How many days do I have to return something?", {"returns/returns-and-refunds.md"}),
    ("What does ERR-1042 mean?", {"products/wifi-troubleshooting.md", "products/duo-manual.pdf"}),
)
"""Each with the documents that answer it; one of them must be among the sources."""

HUMAN = "I would like to talk to a person, please."
REPLY = "Hello, this is Ada. I have asked the courier where your parcel is."
THANKS = "Thank you, Ada!"


class Wrong(Exception):
    """A step did not do what it should; the message says what came instead."""


class Story:
    """Prints the steps and how long each took."""

    def __init__(self) -> None:
        self.step = "start"
        self.timings: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str, title: str) -> Generator[None]:
        self.step = step
        print(f"\n● {title}", flush=True)
        begin = time.monotonic()
        yield
        self.timings[step] = time.monotonic() - begin

    def summary(self) -> str:
        return ", ".join(f"{step} {seconds:.1f} s" for step, seconds in self.timings.items())


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    story = Story()
    try:
        with tempfile.TemporaryDirectory(prefix="support-agent-demo-") as folder:
            tell(story, Path(folder))
    except (Wrong, httpx.HTTPError, subprocess.SubprocessError, LookupError, ValueError) as error:
        print(f"\ndemo: failed at {story.step}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\ndemo: ok ({story.summary()})")
    return 0


def tell(story: Story, data_dir: Path) -> None:
    with running_app(story, data_dir) as url, httpx.Client(base_url=url, timeout=ANSWER, trust_env=False) as customer:
        with story("session", "A customer opens the chat"):
            session = answered(customer.post("/chat/sessions", json={"user_id": "demo"}), 201)
            customer.headers["Authorization"] = f"Bearer {session['token']}"
            place = f"/chat/sessions/{session['session_id']}"
            show("agent", session["message"])
        with story("questions", "… asks what the documents know"):
            for question, documents in QUESTIONS:
                ask(customer, place, question, documents)
        with story("human", "… and then for a person"):
            show("customer", HUMAN)
            answer = answered(customer.post(f"{place}/messages", json={"message": HUMAN}))
            show("agent", answer["message"])
            expect(bool(answer["ticket_id"]), "the answer brought no ticket")
        with story("ticket", "A colleague takes the ticket from the helpdesk's queue"), helpdesk(url, data_dir) as desk:
            work_on_ticket(desk, customer, place, answer["ticket_id"])
        with story("again", "… and the bot answers again"):
            question, documents = QUESTIONS[0]
            ask(customer, place, question, documents)
        with story("erasure", "The customer wants the conversation erased"):
            answered(customer.delete(place), 200, 204)
            answered(customer.get(f"{place}/history"), 404)
            print("  it is gone: 404")


@contextmanager
def running_app(story: Story, data_dir: Path) -> Generator[str]:
    """The app's URL, once it has read the samples. The app is ended in any case; in order, if all went well."""
    app = subprocess.Popen(
        [sys.executable, "-m", "local"],
        cwd=ROOT,
        env=os.environ | {"DATA_DIR": str(data_dir), "DOCUMENTS_DIR": "", "HOST": "127.0.0.1", "PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        with story("documents", "The app starts and reads the sample documents"):
            url = wait_until_ready(app)
            health = answered(httpx.get(f"{url}/health/detailed", timeout=ANSWER, trust_env=False))
            knowledge = health["components"]["knowledge"]
            expect(knowledge["documents"] > 0, "no document was read")
            print(f"  {knowledge['documents']} documents, {knowledge['chunks']} passages")
        yield url
        with story("stop", "The app is stopped"):
            app.send_signal(signal.SIGINT)
            expect(app.wait(STOP) == 0, f"the app ended with code {app.returncode}")
    finally:
        if app.poll() is None:
            app.terminate()
            try:
                app.wait(STOP)
            except subprocess.TimeoutExpired:
                app.kill()
        app.wait()


def wait_until_ready(app: subprocess.Popen[str]) -> str:
    """Reads along until the app says where it is; shows how far it got with the documents."""
    late = threading.Timer(START, app.kill)
    late.start()
    try:
        for line in app.stdout or ():
            if line.startswith("reading "):
                print(f"  {line.rstrip()}", flush=True)
            elif "demo page" in line:
                return line.split()[-1].rstrip("/")
    finally:
        late.cancel()
    raise Wrong(f"the app ended or took more than {START} s")


def ask(customer: httpx.Client, place: str, question: str, documents: set[str]) -> None:
    show("customer", question)
    answer = answered(customer.post(f"{place}/messages", json={"message": question}))
    show("agent", answer["message"])
    for number, source in enumerate(answer["sources"], 1):
        print(f"           [{number}] {source['metadata']['source']}: {shorten(source['quote'])}")
    expect(answer["grounded"], f"the answer to {question!r} rests on no source")
    sources = {source["metadata"]["source"] for source in answer["sources"]}
    expect(bool(documents & sources), f"{question!r} was answered from {sorted(sources)}, not {sorted(documents)}")


class Desk:
    """The helpdesk in a terminal of its own, and a person at it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def type(self, line: str) -> None:
        print(f"  {'desk':>8} > {line}")
        self.enter(line)

    def enter(self, line: str) -> None:
        if typing := self._process.stdin:
            typing.write(line + "\n")
            typing.flush()

    def leave(self) -> None:
        self.enter("/quit")
        expect(self._process.wait(DESK) == 0, f"the helpdesk ended with code {self._process.returncode}")

    def wait_for(self, text: str) -> None:
        """Reads along until the helpdesk shows this text."""
        late = threading.Timer(DESK, self._process.kill)
        late.start()
        try:
            for line in self._process.stdout or ():
                print(f"  {'desk':>8} {line.rstrip()}", flush=True)
                if text in line:
                    return
        finally:
            late.cancel()
        raise Wrong(f"the helpdesk did not show {text!r} within {DESK} s")


@contextmanager
def helpdesk(url: str, data_dir: Path) -> Generator[Desk]:
    """The consumer, signed in with an account made for this story."""
    env = os.environ | {"DATA_DIR": str(data_dir), "AUTH_MODE": "open", "COLUMNS": "200"}
    password = secrets.token_urlsafe(16)
    subprocess.run(
        [sys.executable, "-m", "tools.create_operator", "ada", "--display-name", "Ada", "--stdin"],
        cwd=ROOT,
        env=env,
        input=password + "\n",
        text=True,
        check=True,
        timeout=DESK,
    )
    process = subprocess.Popen(  # noqa: S603 - the URL is that of the app started above
        [sys.executable, "-m", "tools.helpdesk", "ada", "--url", url],
        cwd=ROOT,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        desk = Desk(process)
        desk.enter(password)
        yield desk
        desk.leave()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def work_on_ticket(desk: Desk, customer: httpx.Client, place: str, ticket_id: str) -> None:
    """Claim, reply, hear from the customer, resolve; and what the customer sees of it."""
    desk.wait_for("customer_request: ")
    desk.type("/claim 1")
    desk.wait_for("you have #1")
    desk.type(REPLY)
    desk.wait_for("sent")
    seen = answered(customer.get(f"{place}/messages"))
    reply = seen["messages"][-1]
    show(reply["author"] or "?", reply["message"])
    expect((reply["role"], reply["message"]) == ("human_agent", REPLY), "the customer does not see the reply")
    show("customer", THANKS)
    silent = answered(customer.post(f"{place}/messages", json={"message": THANKS}), 202)
    expect(silent["message"] is None, "the bot spoke while a person had the conversation")
    desk.wait_for(THANKS)
    desk.type("/resolve")
    desk.wait_for("resolved")
    notice = answered(customer.get(f"{place}/messages"))["messages"][-1]
    show("agent", notice["message"])
    expect(ticket_id in notice["message"], "the customer does not see that the request is closed")


def answered(response: httpx.Response, *expected: int) -> Any:
    """The JSON of an answer; `Wrong` if its status is not as expected (200)."""
    call = f"{response.request.method} {response.request.url.path}"
    expect(response.status_code in (expected or (200,)), f"{call} answered {response.status_code}: {response.text}")
    return response.json() if response.content else None


def expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Wrong(otherwise)


def show(who: str, text: str) -> None:
    first, *rest = text.splitlines() or [""]
    print(f"  {who:>8} {first}", *(f"           {line}" for line in rest if line.strip()), sep="\n")


def shorten(text: str, width: int = 90) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


if __name__ == "__main__":
    sys.exit(main())
