"""A customer's page and an operator's desk hear what happens at once; while nobody pushes, they lose nothing.

The app over HTTP with its real embedded services; the hub in a process of its own, which is killed and started again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from emulators.processes import ServerProcess
from emulators.webpubsub.server import connection_string
from functions.chat_http.app import create_app
from shared.escalation.queue import REQUESTS
from shared.services import Services
from shared.settings import Settings
from tools.create_operator import create_operator
from tools.helpdesk import Api, Desk, Live

PASSWORD = "correct horse battery staple"
PATIENCE = 30


class Reader:
    """What a widget does: applies a message once by its number, and asks for what it missed. `refresh` reads what is
    new, `negotiate` says where to connect."""

    def __init__(self, http: httpx.AsyncClient, path: str, headers: dict[str, str], messages: str) -> None:
        self._http = http
        self._path = path
        self._headers = headers
        self._messages = messages
        self.shown: list[tuple[int, str]] = []
        self.heard: list[Any] = []
        self.connected = asyncio.Event()
        self._news = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Reader:
        await self.refresh()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listening
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def until(self, found: Callable[[], Any]) -> Any:
        """Wait for something to be shown or heard."""
        async with asyncio.timeout(PATIENCE):
            while not (what := found()):
                self._news.clear()
                await self._news.wait()
            return what

    async def refresh(self) -> None:
        after = self.shown[-1][0] if self.shown else 0
        answer = await self._http.get(self._messages.format(after=after), headers=self._headers)
        for message in answer.raise_for_status().json()["messages"]:
            self._show(message["seq"], message["message"])

    def named(self, name: str) -> list[Any]:
        return [e["value"] for frame in self.heard for e in frame["events"] if e.get("name") == name and "value" in e]

    async def _listen(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    answer = await self._http.post(f"{self._path}/negotiate", headers=self._headers)
                    where = answer.raise_for_status().json()
                    async with session.ws_connect(where["url"], protocols=[where["protocol"]]) as socket:
                        await self._follow(socket)
                except (aiohttp.ClientError, httpx.HTTPStatusError):
                    pass
                self.connected.clear()
                self._news.set()
                await asyncio.sleep(0.05)

    async def _follow(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for told in socket:
            message = told.json()
            if message.get("event") == "connected":
                await self.refresh()  # what came while it was away
                self.connected.set()
            elif message["type"] == "message":
                await self._apply(message["data"])
            self._news.set()

    async def _apply(self, frame: Any) -> None:
        self.heard.append(frame)
        seq, last = frame["seq"], self.shown[-1][0] if self.shown else 0
        if seq is None or seq <= last:
            return
        if seq > last + 1:
            await self.refresh()
            return
        self._show(seq, "".join(event.get("delta", "") for event in frame["events"]))

    def _show(self, seq: int, text: str) -> None:
        self.shown.append((seq, text))
        self._news.set()


class Story:
    def __init__(self, folder: Path, connection: str) -> None:
        options: Any = {
            "data_dir": folder,
            "token_secret": "0123456789abcdef0123456789abcdef",
            "web_pubsub_connection_string": connection,
            "messages_per_minute": 100_000,
            "operator_calls_per_minute": 100_000,
        }
        self.services = Services(Settings(**options))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(self.services)), base_url="http://agent")

    async def begin(self) -> None:
        await create_operator(self.services, "grace", "Grace H.", PASSWORD)
        login = await self.http.post("/auth/login", json={"username": "grace", "password": PASSWORD})
        self.operator = {"Authorization": f"Bearer {login.json()['access_token']}"}
        started = (await self.http.post("/chat/sessions")).json()
        self.path = f"/chat/sessions/{started['session_id']}"
        self.customer = {"Authorization": f"Bearer {started['token']}"}

    async def hand_over(self) -> None:
        self.ticket = f"/helpdesk/tickets/{(await self.say('A person, please.')).json()['ticket_id']}"
        for received in await self.services.queue.receive(REQUESTS, limit=10):
            await self.services.escalation.route(received.message.body)

    async def say(self, text: str) -> httpx.Response:
        return await self.http.post(f"{self.path}/messages", json={"message": text}, headers=self.customer)

    async def work(self, call: str, body: Any = None, *, method: str = "POST") -> httpx.Response:
        answer = await self.http.request(method, f"{self.ticket}/{call}", json=body, headers=self.operator)
        return answer.raise_for_status()

    def page(self) -> Reader:
        return Reader(self.http, self.path, self.customer, self.path + "/messages?after={after}")

    async def stored(self) -> list[tuple[int, str]]:
        messages = (await self.http.get(f"{self.path}/messages", headers=self.customer)).json()["messages"]
        return [(message["seq"], message["message"]) for message in messages]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(
        lambda port: [sys.executable, "-m", "emulators.webpubsub", "--port", str(port)], tmp_path / "hub.log"
    )
    with server:
        yield server


@pytest.fixture
async def story(tmp_path: Path, hub: ServerProcess) -> AsyncIterator[Story]:
    told = Story(tmp_path, connection_string("127.0.0.1", hub.port))
    await told.begin()
    yield told
    await told.http.aclose()
    await told.services.close()


class Watcher(Reader):
    """An operator's: it hears, and reads the ticket anew by itself."""

    async def refresh(self) -> None:
        pass


async def test_both_sides_hear_at_once_what_happens(story: Story) -> None:
    async with story.page() as page, story.page() as second:
        await asyncio.gather(page.connected.wait(), second.connected.wait())
        await story.hand_over()
        await second.until(lambda: second.named("ticket") and second.named("ticket")[-1]["status"] == "open")
        assert second.shown == await story.stored()  # the answer in another tab

        async with Watcher(story.http, story.ticket, story.operator, "") as desk:
            await desk.connected.wait()
            await story.work("claim")
            await page.until(lambda: {"owner": "human"} in page.named("owner"))
            await desk.until(lambda: desk.named("ticket"))
            assert desk.named("ticket")[-1]["status"] == "claimed"

            await story.http.post(f"{story.path}/typing", headers=story.customer)
            await desk.until(lambda: {"role": "user", "author": None} in desk.named("typing"))
            await story.say("Are you there?")
            await desk.until(lambda: any(m["role"] == "user" for m in desk.named("message")))

            await story.work("typing")
            await page.until(lambda: {"role": "human_agent", "author": "Grace H."} in page.named("typing"))
            await story.work("replies", {"message": "Yes, I am."})
            await page.until(lambda: page.shown[-1][1] == "Yes, I am.")

            await story.work("status", {"status": "waiting"}, method="PUT")
            await page.until(lambda: page.named("ticket")[-1]["status"] == "waiting")
            polled = (await story.http.get(f"{story.path}/messages?after=99", headers=story.customer)).json()
            assert (polled["owner"], polled["ticket_status"]) == ("human", "waiting")

            await story.work("resolve")
            await page.until(lambda: {"owner": "bot"} in page.named("owner"))
            [wanted] = page.named("feedback_request")
            rating = {"rating": "up"}
            feedback = f"{story.path}/messages/{wanted['message_id']}/feedback"
            assert (await story.http.post(feedback, json=rating, headers=story.customer)).is_success
            await desk.until(lambda: desk.named("feedback"))
            assert not page.named("feedback")  # which is for the company
            assert not [t for t in desk.named("typing") if t["role"] == "human_agent"]
        assert page.shown == second.shown == await story.stored()


async def test_the_helpdesk_in_the_terminal_hears_its_customer(story: Story, hub: ServerProcess) -> None:
    await story.hand_over()
    screen, said = list[str](), asyncio.Event()

    def say(text: str) -> None:
        screen.append(text)
        said.set()

    async def shown(text: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while not any(text in line for line in screen):
                said.clear()
                await said.wait()

    api = Api(story.http, "grace", PASSWORD)
    await api.sign_in()
    live = Live(api)
    desk = Desk(api, "grace", say, live)
    try:
        await desk.open()
        await desk.type("/claim 1")

        async def customer_types() -> None:
            while True:  # until the desk is connected, which it does not tell
                await story.http.post(f"{story.path}/typing", headers=story.customer)
                await asyncio.sleep(0.05)

        typing = asyncio.create_task(customer_types())
        await shown("the customer is typing")
        typing.cancel()
        await story.say("Are you there?")
        await shown("#1 customer: Are you there?")
        assert len([line for line in screen if "Are you there?" in line]) == 1
    finally:
        await live.close()


async def test_an_operator_types_only_in_their_own_conversations(story: Story) -> None:
    await story.hand_over()
    refused = await story.http.post(f"{story.ticket}/typing", headers=story.operator)
    assert refused.status_code == 409
    assert (await story.http.post("/helpdesk/tickets/none/negotiate", headers=story.operator)).status_code == 404


async def test_a_hub_that_is_killed_mid_hand_off_loses_and_doubles_nothing(story: Story, hub: ServerProcess) -> None:
    await story.hand_over()
    async with story.page() as page:
        await page.connected.wait()
        await story.work("claim")
        for round_ in range(3):
            await story.work("replies", {"message": f"before {round_}"})
            await page.until(lambda n=round_: page.shown[-1][1] == f"before {n}")
            hub.kill()
            await page.until(lambda: not page.connected.is_set())
            # Nobody pushes, and nobody is held up by that.
            await story.work("replies", {"message": f"meanwhile {round_}"})
            assert (await story.say(f"customer {round_}")).status_code == 202
            hub.start()
            await page.connected.wait()
            await story.work("replies", {"message": f"after {round_}"})
            await page.until(lambda n=round_: page.shown[-1][1] == f"after {n}")
        await story.work("resolve")
        await page.until(lambda: {"owner": "bot"} in page.named("owner"))
        await page.refresh()
        assert page.shown == await story.stored()
        assert [seq for seq, _ in page.shown] == list(range(1, len(page.shown) + 1))


async def test_without_a_channel_everything_works_as_before(tmp_path: Path) -> None:
    story = Story(tmp_path, "")
    await story.begin()
    await story.hand_over()
    await story.work("claim")
    await story.work("typing")
    assert (await story.http.post(f"{story.path}/typing", headers=story.customer)).status_code == 204
    await story.work("replies", {"message": "Yes?"})
    assert (await story.stored())[-1][1] == "Yes?"
    for path, headers in ((story.path, story.customer), (story.ticket, story.operator)):
        told = await story.http.post(f"{path}/negotiate", headers=headers)
        assert told.status_code == 404
        assert told.json()["type"] == "urn:support-agent:problem:no-push-channel"
    home = await story.http.get("/")
    assert "connect-src 'self';" in home.headers["content-security-policy"]
    await story.http.aclose()
    await story.services.close()


async def test_the_page_of_the_widget_may_connect_to_the_channel(story: Story, hub: ServerProcess) -> None:
    policy = (await story.http.get("/")).headers["content-security-policy"]
    assert f"connect-src 'self' ws://127.0.0.1:{hub.port};" in policy
    assert "ws:" not in (await story.http.get("/docs")).headers["content-security-policy"]
