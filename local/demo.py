"""`python -m local.demo`: one conversation from the first question to its erasure, played without a person.

Starts the app with a fresh data folder, talks to it over HTTP as a customer, and takes the ticket from the queue as a
helpdesk would. Each step is checked; the exit code is 0 if all went well.
"""

from __future__ import annotations

import asyncio
import json
import os
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
from shared.escalation.queue import ESCALATIONS
from shared.escalation.sqlite import SqliteTicketQueue

START, STOP, ANSWER, TICKET = 300, 30, 60, 30
"""Seconds to wait for each of them at most."""

QUESTIONS = (
    ("My tracking says delivered, but I have nothing. What now?", {"shipping/tracking-and-lost-parcels.md"}),
    ("How many days do I have to return something?", {"returns/returns-and-refunds.md"}),
    ("What does ERR-1042 mean?", {"products/wifi-troubleshooting.md", "products/duo-manual.pdf"}),
)
"""Each with the documents that answer it; one of them must be among the sources."""

HUMAN = "I would like to talk to a person, please."


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
    except (Wrong, httpx.HTTPError, subprocess.TimeoutExpired, LookupError, ValueError) as error:
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
        with story("ticket", "The helpdesk takes the ticket from its queue"):
            asyncio.run(take_ticket(data_dir / "queues.db", answer["ticket_id"]))
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


async def take_ticket(path: Path, ticket_id: str) -> None:
    queue = SqliteTicketQueue(path)
    try:
        async with asyncio.timeout(TICKET):
            while not (received := await queue.receive(ESCALATIONS)):  # noqa: ASYNC110 - another process fills it
                await asyncio.sleep(0.2)
        event = json.loads(received[0].message.body)
        ticket = event["data"]
        for name in ("type", "time"):
            print(f"  {name:<9} {event[name]}")
        for name in ("ticket_id", "team", "category", "priority", "due_at", "summary"):
            print(f"  {name:<9} {ticket[name]}")
        expect(ticket["ticket_id"] == ticket_id, f"the queue held {ticket['ticket_id']}, not {ticket_id}")
        await queue.complete(received[0])
    except TimeoutError:
        raise Wrong(f"no ticket within {TICKET} s") from None
    finally:
        await queue.close()


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
