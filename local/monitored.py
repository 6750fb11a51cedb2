"""Runs the app under Prometheus with varied traffic for a few minutes, and draws the dashboard from what was measured.

python -m local.monitored --out docs/images/dashboard.png [--minutes 5]

Needs Debian's `prometheus`. The language model is a stand-in on this machine that quotes the first passage it is given
and, for a while in the middle, fails: so that tokens, cost, degraded answers and errors have something to show.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml
from websockets import Subprotocol
from websockets.sync.client import connect

from emulators.processes import ServerProcess
from shared.settings import ROOT
from tools.render_dashboard import render

PASSWORD = "correct horse battery staple"  # noqa: S105 - of an account that lives for minutes, on this machine
SCRAPE_SECONDS = 2
HOLIDAY = (0.45, 0.6)
"""The part of the time in which the model fails."""
PAGES = 12
"""Customers' pages that stay open, the newest ones."""
OTHERS = ("Which of your colours sings best?", "Do you repair bicycles?", "What is the capital of Peru?")
HUMAN = ("I want to talk to a human please", "This is a complaint: the grinder caught fire", "I will call my lawyer")


class Model(BaseHTTPRequestHandler):
    """Chat Completions, as far as the agent asks for them: one sentence of the first passage, cited."""

    failing = False

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if Model.failing:
            self.send_error(503)
            return
        text = "\n".join(str(message.get("content", "")) for message in json.loads(asked)["messages"])
        found = re.search(r'"text": "((?:[^"\\]|\\.)*)"', text)
        passage = json.loads(f'"{found[1]}"') if found else ""
        sentences = [line for line in re.split(r"(?<=[.!?])\s+|\n", passage) if line[-1:] in (".", "!")]
        answer = f"{sentences[0]} [1]" if sentences else "I do not know."
        time.sleep(random.uniform(0.05, 0.6))  # noqa: S311 - as a model would take
        usage = {"prompt_tokens": len(asked) // 4, "completion_tokens": len(answer) // 4, "total_tokens": 0}
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        about = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "stand-in"}
        choice = {"index": 0, "delta": {"role": "assistant", "content": answer}, "finish_reason": None}
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        parts = [{**about, "choices": [choice]}, {**about, "choices": [last]}, {**about, "choices": [], "usage": usage}]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write("".join(f"data: {json.dumps(part)}\n\n" for part in parts).encode() + b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@contextlib.contextmanager
def running(folder: Path) -> Generator[tuple[httpx.Client, str, Path]]:
    """A client of the app, Prometheus' URL, and the folder of documents."""
    documents = folder / "documents"
    shutil.copytree(ROOT / "samples" / "documents", documents)
    model = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    settings = {
        "CHAT_PROVIDER": "openai",
        "OPENAI_API_KEY": "none",
        "OPENAI_MODEL": "stand-in",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{model.server_port}/v1",
        "MODEL_INPUT_PRICE": "0.4",
        "MODEL_OUTPUT_PRICE": "1.6",
        "AUTH_MODE": "open",
        "DATA_DIR": str(folder),
        "DOCUMENTS_DIR": str(documents),
    }
    settings |= dict.fromkeys(["SESSIONS_PER_MINUTE", "HEALTH_PER_MINUTE"], "100000") | {"MESSAGES_PER_MINUTE": "400"}
    account = [sys.executable, "-m", "tools.create_operator", "ada", "--display-name", "Ada", "--stdin"]
    subprocess.run(account, cwd=ROOT, env=os.environ | settings, input=PASSWORD, text=True, check=True)  # noqa: S603

    def app(port: int) -> list[str]:
        return ["/usr/bin/env", f"PORT={port}", sys.executable, "-m", "local"]

    def prometheus(port: int) -> list[str]:
        stored, listens = f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"
        return ["prometheus", f"--config.file={folder / 'prometheus.yml'}", stored, listens]

    with ServerProcess(app, folder / "app.log", os.environ | settings) as served:
        config = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text("utf-8"))
        config |= {"rule_files": [], "global": {"scrape_interval": f"{SCRAPE_SECONDS}s"}}
        config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{served.port}"]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        with (
            ServerProcess(prometheus, folder / "prometheus.log") as watching,
            httpx.Client(base_url=f"http://127.0.0.1:{served.port}", timeout=60, trust_env=False) as client,
        ):
            yield client, f"http://127.0.0.1:{watching.port}", documents
    model.shutdown()


def play(client: httpx.Client, documents: Path, minutes: float) -> None:
    """Customers come in waves; people answer them; files and documents change; the model is away for a while."""
    questions = [json.loads(line)["question"] for line in (ROOT / "samples/questions.jsonl").open(encoding="utf-8")]
    signed_in = client.post("/auth/login", json={"username": "ada", "password": PASSWORD}).raise_for_status().json()
    operator = {"Authorization": f"Bearer {signed_in['access_token']}"}
    chance, begin, number = random.Random(7), time.monotonic(), 0  # noqa: S311 - the same traffic every time
    pages = deque[contextlib.ExitStack]()
    while (passed := (time.monotonic() - begin) / (minutes * 60)) < 1:
        number += 1
        Model.failing = HOLIDAY[0] < passed < HOLIDAY[1]
        with contextlib.suppress(httpx.HTTPStatusError):  # a refusal is traffic, too
            pages.append(one_conversation(client, operator, chance, questions))
        if len(pages) > PAGES:
            pages.popleft().close()
        if number % 6 == 0:
            (documents / f"notice-{number}.md").write_text(f"# Notice {number}\n\nThe shop closes at {number % 12}.\n")
        client.get("/nowhere")
        time.sleep(0.1 if 0.2 < passed < 0.4 or passed > 0.75 else 1.5)
    for page in pages:
        page.close()


def one_conversation(
    client: httpx.Client, operator: dict[str, str], chance: random.Random, asked: list[str]
) -> contextlib.ExitStack:
    """Returns the customer's page, which stays open and hears what is pushed until it is closed."""
    started = client.post("/chat/sessions").raise_for_status().json()
    path, headers = f"/chat/sessions/{started['session_id']}", {"Authorization": f"Bearer {started['token']}"}

    def say(text: str, **more: Any) -> dict[str, Any]:
        answer = client.post(f"{path}/messages", data={"message": text}, headers=headers, **more)
        return answer.raise_for_status().json()

    answer = say(chance.choice(asked))
    for _ in range(chance.randint(0, 2)):
        answer = say(chance.choice(asked))
    if chance.random() < 0.3:
        rating = {"rating": chance.choice(["up", "up", "down"])}
        client.post(f"{path}/messages/{answer['message_id']}/feedback", json=rating, headers=headers)
    if chance.random() < 0.3:
        file = chance.choice([("bill.txt", b"# Bill 12\n\nOne grinder.", "text/plain"), ("a.pdf", b"%PDF-1.7", "")])
        say("What does my file say?", files={"attachments": file})
    if chance.random() < 0.3:
        say(chance.choice(OTHERS))
    if chance.random() < 0.3 and (ticket := say(chance.choice(HUMAN)).get("ticket_id")) and chance.random() < 0.7:
        desk = f"/helpdesk/tickets/{ticket}"
        client.post(f"{desk}/claim", headers=operator).raise_for_status()
        client.post(f"{desk}/replies", json={"message": "Ada here."}, headers=operator).raise_for_status()
        client.post(f"{path}/messages", data={"message": "Thank you"}, headers=headers).raise_for_status()
        client.post(f"{desk}/resolve", headers=operator).raise_for_status()
    where = client.post(f"{path}/negotiate", headers=headers).raise_for_status().json()
    page = contextlib.ExitStack()
    page.enter_context(connect(where["url"], subprotocols=[Subprotocol(where["protocol"])]))
    return page


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="monitored", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images/dashboard.png")
    parser.add_argument("--minutes", type=float, default=5)
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="support-agent-monitored-") as folder,
        running(Path(folder)) as (client, prometheus, documents),
    ):
        begin = time.time()
        play(client, documents, options.minutes)
        render(prometheus, options.out, start=begin, end=time.time())
    return 0


if __name__ == "__main__":
    sys.exit(main())
