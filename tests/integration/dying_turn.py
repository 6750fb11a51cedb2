"""One turn, in processes that are killed at each of its steps: `python -m tests.integration.dying_turn FOLDER`.

A step is what the event loop does between two awaits, or one statement of SQLite. The n-th process, which works in
FOLDER/n, kills itself before the n-th step of the turn. The last one lives to its end; its number is printed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Generator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from shared.conversation.agent import SupportAgent
from shared.conversation.chat_clients import TOOL_LOOP, extractive_client
from shared.conversation.service import ConversationService
from shared.escalation.dead_letters import DeadLetters
from shared.escalation.folder import FolderTranscriptStore
from shared.escalation.intents import load_intents
from shared.escalation.leftovers import Leftovers
from shared.escalation.policy import EscalationPolicy
from shared.escalation.routing import load_routing
from shared.escalation.service import EscalationService
from shared.escalation.sqlite import SqliteTicketQueue
from shared.memory.sqlite import SqliteConversationStore
from shared.push.service import PushService
from shared.settings import Settings
from shared.sqlite import Database
from tests.chat import NOW, SHIPPING, GivenKnowledge, ScriptedChatClient, calls, says
from tests.fakes import HashEmbedder

QUESTION = "How long does delivery take? Please remember that I have the Solo machine. I want to talk to a human."
MESSAGE_ID = "question-1"
SESSION = "session"
"""The file with the id of the conversation."""


class Desk:
    """Store, queue and service on one folder; the model cites, remembers and hands over in one turn."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self.store = SqliteConversationStore(folder / "conversations.db", now=now)
        self.queue = SqliteTicketQueue(folder / "queues.db", now=now)
        push = PushService(None, now=now)
        transcripts = FolderTranscriptStore(folder / "transcripts")
        self.escalation = EscalationService(
            self.store, self.queue, routing=load_routing(), transcripts=transcripts, push=push, now=now
        )
        knowledge: Any = GivenKnowledge(SHIPPING)
        model = ScriptedChatClient(
            steps=[
                calls("remember", fact="I have the Solo machine"),
                calls("escalate_to_human", summary="Wants a person"),
                says("Standard delivery takes 3 to 5 working days. [1]"),
            ],
            function_invocation_configuration=TOOL_LOOP,
        )
        parser: Any = None
        settings = Settings(auth_mode="open", data_dir=folder, turn_timeout_seconds=5)  # pyright: ignore[reportCallIssue]
        self.service = ConversationService(
            store=self.store,
            agent=SupportAgent(model, extractive_client(), knowledge, settings),
            search=knowledge,
            parser=parser,
            escalation=self.escalation,
            leftovers=Leftovers(self.store, transcripts, DeadLetters(self.queue)),
            policy=EscalationPolicy(HashEmbedder(), load_intents()),
            push=push,
            settings=settings,
            now=now,
        )

    async def close(self) -> None:
        await self.store.close()
        await self.queue.close()


class Death:
    """Kills this process before its `last` step, once it is armed. SIGKILL: nothing is cleaned up."""

    def __init__(self, last: int) -> None:
        self._left = last
        self.armed = False

    def step(self) -> None:
        if self.armed:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)

    def task[T](self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], **options: Any) -> asyncio.Task[T]:
        return asyncio.Task(self._stepwise(work), loop=loop, **options)

    async def _stepwise[T](self, work: Coroutine[Any, Any, T]) -> T:
        return await _Stepwise(work, self.step)

    def watch(self, database: Database) -> None:
        """Count the statements of a database, which run in a thread of their own."""
        connect = database._connect

        def watched() -> sqlite3.Connection:
            connection = connect()
            connection.set_trace_callback(lambda _: self.step())
            return connection

        database._connect = watched


class _Stepwise[T]:
    def __init__(self, work: Coroutine[Any, Any, T], step: Callable[[], None]) -> None:
        self._work = work
        self._step = step

    def __await__(self) -> Generator[Any, Any, T]:
        sent: Any = None
        raised: BaseException | None = None
        while True:
            self._step()
            try:
                waits_for = self._work.throw(raised) if raised else self._work.send(sent)
            except StopIteration as end:
                return end.value
            sent, raised = None, None
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 - handed on as it came
                raised = error


async def live(folder: Path, death: Death) -> None:
    asyncio.get_running_loop().set_task_factory(death.task)
    desk = Desk(folder, lambda: NOW)
    for database in (desk.store._database, desk.queue._database):
        death.watch(database)
    conversation, _ = await desk.service.start("ada")
    (folder / SESSION).write_text(conversation.session_id)

    async def turn() -> None:
        running = await desk.service.begin_turn(conversation.session_id, QUESTION, client_message_id=MESSAGE_ID)
        await running.result()

    death.armed = True
    await asyncio.create_task(turn())
    await desk.service.drain(seconds=5)
    death.armed = False
    await desk.close()


def main(base: Path) -> None:
    for number in count(1):
        folder = base / str(number)
        folder.mkdir()
        child = os.fork()  # from a process that has loaded everything, and has one thread
        if not child:
            asyncio.run(live(folder, Death(number)))
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != -signal.SIGKILL:
            print(number)
            sys.exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
