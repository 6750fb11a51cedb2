"""Documents in, questions, a ticket, a person's reply, a document out, everything off and on again."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
from azure.storage.blob.aio import ContainerClient

from emulators.processes import AZURITE_SAVES
from local.demo import ANSWER, HUMAN, REPLY, Story, answered, expect, shorten, show
from local.rehearsal.azure import Azure
from local.rehearsal.customer import Conversation, Operator
from local.rehearsal.helpdesk import Helpdesk
from local.setup import ROOT
from shared.knowledge.documents import CONTAINER

OPERATOR, NAME = "ada", "Ada"
TRACKING = "My tracking says delivered, but I have nothing. What now?"
LOST_PARCELS = "shipping/tracking-and-lost-parcels.md"
NEWS, NEWS_TEXT = "news/showroom.md", "# Showroom\n\nOur showroom in Galway opens on Saturdays from ten to four.\n"
SHOWROOM = "When does the showroom in Galway open?"
READ_SECONDS, TICKET_SECONDS, FORGET_SECONDS = 120, 90, 60
"""Longest waits; all of it takes seconds."""


async def tell(story: Story, azure: Azure, password: str) -> None:
    """Raises `Wrong` for the first thing that is not as it should be."""
    with story("stores", "The stores are made, and the sample documents uploaded"):
        for line in azure.tool("create_stores").splitlines():
            print(f"  {line}")
        azure.tool("create_stores")  # a second time changes nothing
        uploaded = azure.tool("upload_documents", str(ROOT / "samples" / "documents"))
        number = len(uploaded.splitlines())
        print(f"  {number} documents uploaded")
        azure.tool("create_operator", OPERATOR, "--display-name", NAME, "--stdin", typed=password + "\n")
    with story("start", "The app starts and reads them"):
        azure.start_app()
        await known(azure.url, number)
    async with (
        httpx.AsyncClient(base_url=azure.url, timeout=ANSWER, trust_env=False) as client,
        Helpdesk(azure.service_bus_connection) as helpdesk,
        ContainerClient.from_connection_string(azure.blob_connection, CONTAINER) as documents,
    ):
        conversation = await Conversation.open(client)
        with story("chat", "A customer asks, and is answered in a stream"):
            await expect_from(LOST_PARCELS, conversation, TRACKING)
        with story("ticket", "… asks for a person: a helpdesk gets the ticket over Service Bus"):
            ticket_id = (await asked(conversation, HUMAN))["ticket_id"]
            expect(bool(ticket_id), "the answer brought no ticket")
            ticket = await helpdesk.ticket(ticket_id, seconds=TICKET_SECONDS)
            print(f"  {ticket_id}: {ticket['category']}, {ticket['priority']}, {len(ticket['transcript'])} messages")
        with story("reply", "… and a person's reply comes back"):
            operator = await Operator.sign_in(client, OPERATOR, password)
            await operator.help(ticket_id, REPLY)
            before = await conversation.messages()
            replies = [message for message in before if message["role"] == "human_agent"]
            expect([one["message"] for one in replies] == [REPLY], "the customer does not see the reply")
            show(replies[0]["author"] or "?", replies[0]["message"])
        with story("document", "A document is uploaded and known, changed, deleted and forgotten"):
            await documents.upload_blob(NEWS, NEWS_TEXT.encode())
            await eventually(client, "ten to four")
            await documents.upload_blob(NEWS, NEWS_TEXT.replace("ten to four", "nine to five").encode(), overwrite=True)
            await eventually(client, "nine to five")
            await documents.delete_blob(NEWS)
            await eventually(client, None)
        with story("restart", "Everything is killed and started again, and the conversation goes on"):
            await asyncio.sleep(AZURITE_SAVES)
            await asyncio.to_thread(azure.kill)
            await asyncio.to_thread(azure.restart)
            expect(await conversation.messages() == before, "the history is another")
            await expect_from(LOST_PARCELS, conversation, TRACKING)
            answer = await asked(await Conversation.open(client), SHOWROOM)
            expect(NEWS not in answer["documents"], "the deleted document came back")
    left = sorted(path.name for path in azure.data_dir.iterdir() if path.name != "logs")
    expect(not left, f"the app keeps something on its own disk: {', '.join(left)}")


async def known(url: str, number: int) -> None:
    """Wait until so many documents can be found."""
    end = time.monotonic() + READ_SECONDS
    async with httpx.AsyncClient(base_url=url, timeout=ANSWER, trust_env=False) as client:
        while True:
            knowledge = answered(await client.get("/health/detailed"))["components"]["knowledge"]
            if (knowledge["documents"] or 0) >= number:
                return
            expect(time.monotonic() < end, f"the documents are not read: {knowledge}")
            await asyncio.sleep(0.5)


async def asked(conversation: Conversation, question: str) -> dict[str, Any]:
    show("customer", question)
    answer = await conversation.ask(question)
    show("agent", shorten(answer["message"]))
    return answer


async def expect_from(document: str, conversation: Conversation, question: str) -> None:
    answer = await asked(conversation, question)
    expect(document in answer["documents"], f"answered from {answer['documents']}")


async def eventually(client: httpx.AsyncClient, words: str | None) -> None:
    """Ask until the news are cited with these words; with None, until they are not cited any more."""
    begin = time.monotonic()
    while True:
        answer = await (await Conversation.open(client)).ask(SHOWROOM)
        cited = NEWS in answer["documents"]
        if (words is None and not cited) or (words is not None and cited and words in answer["message"]):
            print(f"  {f'“… {words}”' if words else 'forgotten'} after {time.monotonic() - begin:.1f} s")
            return
        expect(time.monotonic() - begin < FORGET_SECONDS, f"{NEWS} is not as it should be: {answer['documents']}")
