"""Turns as a customer sees them: the real service, agent, verifier and SQLite store; knowledge and model are given."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import pytest

from shared.conversation.agent import SupportAgent
from shared.conversation.attachments import Upload
from shared.conversation.chat_clients import TOOL_LOOP, extractive_client
from shared.conversation.events import (
    AnswerSentence,
    SourcesCited,
    TicketCreated,
    TurnAnswered,
    TurnEvent,
    TurnHandedToHuman,
)
from shared.conversation.service import OFFERED, ConversationService
from shared.errors import (
    DocumentRejected,
    InvalidInput,
    NotFound,
    Overloaded,
    PayloadTooLarge,
    TurnInProgress,
    Unavailable,
)
from shared.escalation.dead_letters import DeadLetters
from shared.escalation.folder import FolderTranscriptStore
from shared.escalation.intents import load_intents
from shared.escalation.leftovers import Leftovers
from shared.escalation.policy import EscalationPolicy
from shared.escalation.promises import CANNOT_DO, LEFT_TO_COLLEAGUE
from shared.escalation.queue import REQUESTS
from shared.escalation.routing import load_routing
from shared.escalation.service import EscalationService
from shared.escalation.sqlite import SqliteTicketQueue
from shared.memory.models import Message
from shared.memory.sqlite import SqliteConversationStore
from shared.push.service import PushService
from shared.settings import Settings
from tests.chat import NOW, SHIPPING, GivenKnowledge, ScriptedChatClient, Step, calls, fails, says
from tests.fakes import HashEmbedder

OFF_TOPIC = ("Careers", "We hire engineers in Lisbon.", 0.02)


@dataclass
class Parsed:
    markdown: str
    pages: tuple[int, ...] = ()


class GivenParser:
    async def parse(self, data: bytes, name: str) -> Parsed:
        if data.startswith(b"%PDF"):
            raise DocumentRejected("broken", "The file is damaged.")
        return Parsed(data.decode())


@dataclass
class Chat:
    service: ConversationService
    store: SqliteConversationStore
    queue: SqliteTicketQueue
    session_id: str

    async def say(self, text: str, **kwargs: Any) -> Message:
        answer = await (await self.service.begin_turn(self.session_id, text, **kwargs)).result()
        assert answer
        return answer

    async def events(self, text: str, **kwargs: Any) -> list[TurnEvent]:
        return [event async for event in (await self.service.begin_turn(self.session_id, text, **kwargs)).events()]


MakeChat = Callable[..., Any]


@pytest.fixture
async def make_chat(tmp_path: Path) -> AsyncIterator[MakeChat]:
    store = SqliteConversationStore(tmp_path / "conversations.db", now=lambda: NOW)
    queue = SqliteTicketQueue(tmp_path / "queues.db", now=lambda: NOW)
    push = PushService(None, now=lambda: NOW)
    transcripts = FolderTranscriptStore(tmp_path / "transcripts")
    settings = Settings(auth_mode="open", data_dir=tmp_path, company_name="Kavendry", turn_timeout_seconds=5)

    async def make(
        *passages: tuple[str, str, float],
        model: ScriptedChatClient | None = None,
        user_id: str | None = "ada",
        **limits: Any,
    ) -> Chat:
        knowledge: Any = GivenKnowledge(*passages)
        agent = SupportAgent(model or extractive_client(), extractive_client() if model else None, knowledge, settings)
        service = ConversationService(
            store=store,
            agent=agent,
            search=knowledge,
            parser=GivenParser(),
            escalation=EscalationService(
                store, queue, routing=load_routing(), transcripts=transcripts, push=push, now=lambda: NOW
            ),
            leftovers=Leftovers(store, transcripts, DeadLetters(queue)),
            policy=EscalationPolicy(HashEmbedder(), load_intents()),
            push=push,
            settings=settings.model_copy(update=limits),
            now=lambda: NOW,
        )
        conversation, _ = await service.start(user_id)
        return Chat(service, store, queue, conversation.session_id)

    yield make
    await store.close()
    await queue.close()


def scripted(*steps: Step) -> ScriptedChatClient:
    return ScriptedChatClient(steps=steps, function_invocation_configuration=TOOL_LOOP)


# ---- answers


async def test_an_answer_quotes_its_source(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    answer = await chat.say("How long does standard delivery take?")
    assert "Standard delivery takes 3 to 5 working days. [1]" in answer.text
    assert answer.grounded
    assert not answer.requires_escalation
    (source,) = answer.sources
    assert source.content[source.start : source.end] == source.quote
    assert "3 to 5 working days" in source.quote
    assert source.metadata["source"] == "shipping.md"


async def test_the_streamed_sentences_are_the_stored_answer(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    *sentences, sources, answered = await chat.events("How long does standard delivery take?")
    assert isinstance(answered, TurnAnswered)
    assert isinstance(sources, SourcesCited)
    assert "".join(s.text for s in sentences if isinstance(s, AnswerSentence)) == answered.answer.text
    _, messages = await chat.service.history(chat.session_id)
    assert messages[-1] == answered.answer
    assert [m.role for m in messages] == ["assistant", "user", "assistant"]
    assert [m.seq for m in messages] == [1, 2, 3]


async def test_what_the_documents_do_not_cover_is_not_answered(make_chat: MakeChat) -> None:
    chat = await make_chat(OFF_TOPIC)
    answer = await chat.say("Do you sell submarines?")
    assert "could not find" in answer.text
    assert answer.abstained
    assert answer.requires_escalation
    assert not answer.grounded
    assert answer.ticket_id is None


async def test_twice_without_an_answer_asks_a_person(make_chat: MakeChat) -> None:
    chat = await make_chat(OFF_TOPIC)
    await chat.say("Do you sell submarines?")
    second = await chat.say("Can I get a yellow one?")
    assert second.ticket_id
    assert second.ticket_id in second.text
    third = await chat.say("And do you sell rockets?")
    assert third.ticket_id == second.ticket_id, "the colleague who comes reads it all"
    assert "could not find" in third.text
    assert f"has your request already and will answer here; your reference is {second.ticket_id}" in third.text


@pytest.mark.parametrize("no", ["no", "No, thank you.", "never mind"])
async def test_who_says_no_to_a_person_gets_none(make_chat: MakeChat, no: str) -> None:
    for model in (extractive_client(), scripted(says("NO_ANSWER"), says("NO_ANSWER"))):
        chat = await make_chat(OFF_TOPIC, model=model)
        offer = await chat.say("Do you sell submarines?")
        assert "Would you like to talk to a person?" in offer.text
        assert (await chat.say(no)).ticket_id is None


async def test_who_says_yes_to_a_person_hears_of_nothing_else(make_chat: MakeChat) -> None:
    chat = await make_chat(OFF_TOPIC)
    await chat.say("Do you sell submarines?")
    accepted = await chat.say("ok")
    assert accepted.ticket_id
    assert accepted.text.startswith("I have asked a colleague to take over.")


async def test_what_seems_unlikely_to_help_is_told_only_if_it_says_all_that_is_asked(make_chat: MakeChat) -> None:
    chat = await make_chat(("Care plan", "## What is not covered\n\nTheft, loss and scratches.\n", 0.02))
    assert "**What is not covered**" in (await chat.say("Is theft covered?")).text
    assert "could not find" in (await chat.say("Is theft from my office covered?")).text


async def test_what_nobody_would_do_is_not_promised_but_a_colleague_offered(make_chat: MakeChat) -> None:
    promise = ("Returns", "I have issued your refund. Someone will call you tomorrow.", 0.9)
    model = scripted(
        says("I have issued your refund [1]. ", "Someone will call you tomorrow [1]. I will look into it."),
        says("NO_ANSWER"),
    )
    chat = await make_chat(promise, model=model)
    answer = await chat.say("Where is my refund?")
    assert answer.text == f"{CANNOT_DO} \n\n{OFFERED}"
    assert (answer.sources, answer.grounded, answer.requires_escalation) == ((), False, True)
    accepted = await chat.say("yes please")
    assert accepted.ticket_id


async def test_with_a_ticket_a_person_may_be_promised(make_chat: MakeChat) -> None:
    promise = ("Returns", "A colleague will contact you. I have issued your refund.", 0.9)
    model = scripted(says("A colleague will contact you [1]. I have issued your refund [1]."))
    chat = await make_chat(promise, model=model)
    answer = await chat.say("I want to talk to a human about my refund")
    assert answer.text.startswith(f"A colleague will contact you. [1] {LEFT_TO_COLLEAGUE}\n\nI have asked a colleague")
    assert "You can usually expect an answer" in answer.text
    assert OFFERED not in answer.text


async def test_a_danger_makes_a_ticket_of_its_own_once(make_chat: MakeChat) -> None:
    chat = await make_chat(OFF_TOPIC)
    first = await chat.say("I want to talk to a human about my refund")
    danger = await chat.say("There is a gas leak now!")
    assert danger.ticket_id not in (None, first.ticket_id)
    again = await chat.say("The gas leak is still there!")
    assert again.ticket_id == danger.ticket_id


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("hello", "Hello! How can I help you?"),
        ("ok, thanks a lot!", "You are welcome! Is there anything else I can help you with?"),
        ("Hi, I have a question", "How can I help you?"),
        ("can you help me please?", "How can I help you?"),
        ("How are you?", "Thank you for asking! How can I help you?"),
        ("Are you a robot?", "I am an automated assistant. How can I help you?"),
        ("hey, am I talking to a real person?", "I am an automated assistant. How can I help you?"),
    ],
)
async def test_courtesies_are_answered_without_documents(make_chat: MakeChat, message: str, reply: str) -> None:
    chat = await make_chat(OFF_TOPIC)
    answer = await chat.say(message)
    assert answer.text == reply
    assert not answer.abstained
    assert not answer.requires_escalation


async def test_a_question_after_a_thank_you_is_one(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    answer = await chat.say("Thanks, what does delivery cost?")
    assert "You are welcome" not in answer.text


# ---- escalation


async def test_asking_for_a_person_makes_a_ticket_that_reaches_the_queue(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    *_, created, answered = await chat.events("I want to talk to a human please")
    assert isinstance(created, TicketCreated)
    assert isinstance(answered, TurnAnswered)
    assert answered.answer.ticket_id == created.ticket.id
    assert answered.answer.requires_escalation
    (received,) = await chat.queue.receive(REQUESTS, limit=5)
    assert received.message.id == created.ticket.id
    assert not await chat.store.unsent_tickets(created_before=datetime(2027, 1, 1, tzinfo=UTC))


async def test_a_ticket_survives_a_queue_that_is_away(make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = await make_chat(SHIPPING)

    async def away(*_: object) -> None:
        raise Unavailable("The queue does not answer.")

    monkeypatch.setattr(chat.queue, "send", away)
    answer = await chat.say("human please")
    (waiting,) = await chat.store.unsent_tickets(created_before=datetime(2027, 1, 1, tzinfo=UTC))
    assert waiting.id == answer.ticket_id


async def test_the_button_asks_once(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    await chat.say("How long does standard delivery take?")
    first = await chat.service.escalate(chat.session_id, comment="Call me")
    again = await chat.service.escalate(chat.session_id)
    assert first.ticket_id
    assert again == first
    assert len(await chat.queue.receive(REQUESTS, limit=5)) == 1
    assert (await chat.store.ticket(first.ticket_id, chat.session_id)).summary == "Call me"


async def test_the_button_pressed_while_a_turn_hands_over_makes_one_ticket(make_chat: MakeChat) -> None:
    pressed = list[Message]()

    async def press(messages: Any) -> AsyncIterator[Any]:
        pressed.append(await chat.service.escalate(chat.session_id))
        return
        yield

    chat = await make_chat(SHIPPING, model=scripted(press))
    *said, answered = await chat.events("I want to talk to a human please")
    assert isinstance(answered, TurnAnswered)
    assert not any(isinstance(event, TicketCreated) for event in said)
    [button] = pressed
    assert answered.answer.ticket_id == button.ticket_id
    assert (
        answered.answer.text
        == f"A colleague has your request already and will answer here; your reference is {button.ticket_id}."
    )
    assert "".join(event.text for event in said if isinstance(event, AnswerSentence)) == answered.answer.text
    assert [one.message.id for one in await chat.queue.receive(REQUESTS, limit=5)] == [button.ticket_id]


async def test_danger_does_not_wait_with_the_ticket_of_a_button_that_was_faster(make_chat: MakeChat) -> None:
    async def press(messages: Any) -> AsyncIterator[Any]:
        await chat.service.escalate(chat.session_id)
        return
        yield

    chat = await make_chat(SHIPPING, model=scripted(press))
    *_, created, answered = await chat.events("I will take you to court")
    assert isinstance(created, TicketCreated)
    assert answered.answer.ticket_id == created.ticket.id
    assert created.ticket.reason == "legal"
    assert len(await chat.queue.receive(REQUESTS, limit=5)) == 2


async def test_a_turn_that_hands_over_before_the_button_is_stored_makes_one_ticket(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await make_chat(SHIPPING)
    append, answers = chat.store.append, list[Message]()

    async def after_a_turn(*args: Any, **kwargs: Any) -> Message:
        monkeypatch.setattr(chat.store, "append", append)
        answers.append(await chat.say("I want to talk to a human please"))
        return await append(*args, **kwargs)

    monkeypatch.setattr(chat.store, "append", after_a_turn)
    assert await chat.service.escalate(chat.session_id) == answers[0]
    assert [one.message.id for one in await chat.queue.receive(REQUESTS, limit=5)] == [answers[0].ticket_id]


async def test_while_a_person_owns_the_conversation_the_bot_is_silent(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await make_chat(SHIPPING)
    real_open = chat.store.open_turn

    async def owned(*args: Any, **kwargs: Any) -> Any:
        from dataclasses import replace

        opened = await real_open(*args, **kwargs)
        return replace(opened, conversation=replace(opened.conversation, owner="human"))

    monkeypatch.setattr(chat.store, "open_turn", owned)
    assert await chat.events("How long does standard delivery take?") == [TurnHandedToHuman()]
    _, messages = await chat.service.history(chat.session_id)
    assert messages[-1].role == "user"


# ---- memory


async def test_what_the_customer_asks_to_remember_is_known_in_the_next_conversation(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    answer = await chat.say("Please remember that I have the Solo machine.")
    assert "I will remember: I have the Solo machine." in answer.text
    model = scripted(says("NO_ANSWER"))
    later = await make_chat(SHIPPING, model=model)
    await later.say("Which machine do I have?")
    assert any("I have the Solo machine" in message.text for message in model.seen[0])
    stranger_model = scripted(says("NO_ANSWER"))
    stranger = await make_chat(SHIPPING, model=stranger_model, user_id="eve")
    await stranger.say("Which machine do I have?")
    assert not any("Solo" in message.text for message in stranger_model.seen[0])


async def test_what_is_remembered_can_be_corrected_and_forgotten(make_chat: MakeChat) -> None:
    chat = await make_chat()
    await chat.say("Please remember that I have the Solo machine.")
    (fact,) = await chat.service.facts(chat.session_id)
    corrected = await chat.service.correct_fact(chat.session_id, fact.id, " I have the  Duo machine ")
    assert corrected == replace(fact, text="I have the Duo machine")
    assert await chat.service.facts(chat.session_id) == (corrected,)
    for unusable, error in (("  ", InvalidInput), ("x" * 301, PayloadTooLarge)):
        with pytest.raises(error):
            await chat.service.correct_fact(chat.session_id, fact.id, unusable)
    for _ in range(2):
        await chat.service.forget_fact(chat.session_id, fact.id)
    assert await chat.service.facts(chat.session_id) == ()
    with pytest.raises(NotFound):
        await chat.service.correct_fact(chat.session_id, fact.id, "I have the Duo machine")


async def test_of_a_long_conversation_the_model_sees_the_newest_part(make_chat: MakeChat) -> None:
    model = scripted(says("Standard delivery takes 3 to 5 working days. [1]"), says("You are welcome!"))
    chat = await make_chat(SHIPPING, model=model)
    chat.service._agent._agent.context_providers[0]._tokens = 40
    await chat.say("How long does delivery take? " + "I am in a hurry. " * 20)
    await chat.say("Thanks")
    assert "hurry" not in "".join(message.text for message in model.seen[1])


async def test_a_follow_up_is_searched_with_the_question_before_it(make_chat: MakeChat) -> None:
    model = scripted(says("NO_ANSWER"), says("NO_ANSWER"))
    chat = await make_chat(SHIPPING, model=model)
    await chat.say("How long does delivery to Norway take?")
    await chat.say("And how much?")
    assert [m.role for m in model.seen[1]][:3] == ["user", "assistant", "user"]


# ---- language models


async def test_without_the_index_the_customer_is_told_and_can_have_a_person(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise Unavailable("The search index does not answer.")

    monkeypatch.setattr(GivenKnowledge, "find", fail)
    chat = await make_chat(SHIPPING)
    answer = await chat.say("How long does delivery take?")
    assert "cannot look into our documents at the moment" in answer.text
    assert answer.degraded
    assert answer.requires_escalation
    assert (await chat.say("Yes please")).ticket_id


async def test_a_models_sentence_without_support_is_dropped(make_chat: MakeChat) -> None:
    model = scripted(says("Express delivery costs 9.90 EUR [1]. ", "It is free on Sundays [1]."))
    answer = await (await make_chat(SHIPPING, model=model)).say("What does express cost?")
    assert answer.text.strip() == "Express delivery costs 9.90 EUR. [1]"
    assert answer.grounded


async def test_a_model_can_search_again_and_cite_what_it_found(make_chat: MakeChat) -> None:
    model = scripted(calls("search_knowledge_base", query="express"), says("Express delivery costs 9.90 EUR. [1]"))
    chat = await make_chat(SHIPPING, model=model)
    assert (await chat.say("What does express cost?")).grounded
    assert any(c.type == "function_result" for m in model.seen[1] for c in m.contents)


async def test_a_model_that_would_hand_over_asks_the_customer_first(make_chat: MakeChat) -> None:
    answer = "Express delivery costs 9.90 EUR. [1]"
    model = scripted(calls("escalate_to_human", summary="Wants 500 machines"), says(answer), says("NO_ANSWER"))
    chat = await make_chat(SHIPPING, model=model)
    offer = await chat.say("What does express cost for 500 machines?")
    assert offer.text == f"{answer}\n\nWould you like a colleague to take over? Just say yes."
    assert (offer.requires_escalation, offer.ticket_id) == (True, None)
    accepted = await chat.say("Yes, please")
    ticket = await chat.store.ticket(str(accepted.ticket_id), chat.session_id)
    assert (ticket.reason, ticket.summary) == ("customer_request", "What does express cost for 500 machines?")


async def test_a_customer_in_danger_is_not_asked_first(make_chat: MakeChat) -> None:
    model = scripted(calls("escalate_to_human", summary="Machine smokes"), says(""))
    chat = await make_chat(SHIPPING, model=model)
    answer = await chat.say("Help, my machine is smoking!")
    ticket = await chat.store.ticket(str(answer.ticket_id), chat.session_id)
    assert (ticket.reason, ticket.summary) == ("agent_decision", "Machine smokes")


async def test_evidence_reaches_the_model_as_data_between_fences_it_cannot_guess(make_chat: MakeChat) -> None:
    model = scripted(says("NO_ANSWER"), says("NO_ANSWER"))
    chat = await make_chat(SHIPPING, model=model)
    await chat.say("What does express cost?")
    await chat.say("What does standard delivery cost in Norway?")
    fences = [next(m for m in seen if m.author_name == "knowledge").text.splitlines()[0] for seen in model.seen]
    assert fences[0] != fences[1]
    assert fences[0] in model.instructions[0]


@pytest.mark.parametrize(
    "failure",
    [openai.APIConnectionError(request=None), TimeoutError()],  # pyright: ignore[reportArgumentType]
)
async def test_when_the_model_fails_the_turn_is_answered_without_it(make_chat: MakeChat, failure: Exception) -> None:
    chat = await make_chat(SHIPPING, model=scripted(fails(failure)))
    answer = await chat.say("How long does standard delivery take?")
    assert "3 to 5 working days" in answer.text
    assert answer.degraded


async def test_a_model_that_breaks_off_leaves_what_it_had_said(make_chat: MakeChat) -> None:
    broken = fails(openai.APIConnectionError(request=None), after="Express delivery costs 9.90 EUR. [1] And ")  # pyright: ignore[reportArgumentType]
    answer = await (await make_chat(SHIPPING, model=scripted(broken))).say("What does express cost?")
    assert answer.text.strip() == "Express delivery costs 9.90 EUR. [1]"
    assert answer.degraded


# ---- attachments


async def test_an_attachment_is_read_and_cited(make_chat: MakeChat) -> None:
    chat = await make_chat(OFF_TOPIC)
    upload = Upload("order.txt", "text/plain", b"Order 4711 was sent on 3 March with parcel number 99-1.")
    answer = await chat.say("Which parcel number has my order?", uploads=[upload])
    assert "parcel number 99-1" in answer.text
    assert answer.sources[0].metadata["attachment"] is True
    later = await chat.say("When was order 4711 sent?")
    assert "3 March" in later.text


async def test_what_comes_with_a_file_is_answered_from_the_file(make_chat: MakeChat) -> None:
    chat = await make_chat(("Returns", "An order is sent back within 30 days.", 0.9))
    await chat.say("How long may I send an order back?")
    upload = Upload("order.txt", "text/plain", b"Order 4711 was sent on 3 March with parcel number 99-1.")
    answer = await chat.say("When was it sent, this order?", uploads=[upload])
    assert "3 March" in answer.text
    assert "30 days" not in answer.text


async def test_an_attachment_that_cannot_be_read_is_named(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    answer = await chat.say(
        "How long does standard delivery take?", uploads=[Upload("a.pdf", "application/pdf", b"%PDF-1.7 broken")]
    )
    assert "I could not read a.pdf: The file is damaged." in answer.text
    assert "3 to 5 working days" in answer.text


# ---- a turn happens once


async def test_sending_the_same_message_again_returns_the_first_answer(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    first = await chat.say("How long does standard delivery take?", client_message_id="c1")
    again = await chat.say("How long does standard delivery take?", client_message_id="c1")
    assert again == first
    assert len((await chat.service.history(chat.session_id))[1]) == 3


async def test_two_messages_at_once_are_never_interleaved(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    running = await chat.service.begin_turn(chat.session_id, "How long does standard delivery take?")
    with pytest.raises(TurnInProgress):
        await chat.service.begin_turn(chat.session_id, "And express?")
    await running.result()
    await chat.say("What does express delivery cost?")


async def test_a_reader_that_goes_away_does_not_lose_the_answer(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    running = await chat.service.begin_turn(chat.session_id, "How long does standard delivery take?")
    async for _ in running.events():
        break
    await chat.service.drain(5)
    _, messages = await chat.service.history(chat.session_id, after=2)
    assert "3 to 5 working days" in messages[0].text


async def test_a_turn_that_fails_can_be_sent_again_at_once(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await make_chat(SHIPPING)
    real_facts = chat.store.facts

    async def broken(*_: object) -> None:
        raise Unavailable("The store does not answer.")

    monkeypatch.setattr(chat.store, "facts", broken)
    running = await chat.service.begin_turn(chat.session_id, "How long is delivery?", client_message_id="c1")
    with pytest.raises(Unavailable):
        await running.result()
    monkeypatch.setattr(chat.store, "facts", real_facts)
    assert (await chat.say("How long is delivery?", client_message_id="c1")).grounded
    assert len((await chat.service.history(chat.session_id))[1]) == 3


async def test_a_turn_that_takes_too_long_ends(make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = await make_chat(SHIPPING)

    async def slow(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(chat.service._search, "find", slow)
    monkeypatch.setattr(
        chat.service, "_settings", chat.service._settings.model_copy(update={"turn_timeout_seconds": 0.05})
    )
    running = await chat.service.begin_turn(chat.session_id, "How long is delivery?")
    with pytest.raises(Unavailable, match="too long"):
        await running.result()


# ---- bad input leaves no trace


@pytest.mark.parametrize(
    ("text", "kwargs", "error"),
    [
        ("  \n ", {}, InvalidInput),
        ("x" * 4001, {}, PayloadTooLarge),
        ("a\x00b", {}, InvalidInput),
        ("a\ud800b", {}, InvalidInput),
        ("hi", {"client_message_id": "spaces are bad"}, InvalidInput),
        ("hi", {"client_message_id": "x" * 101}, InvalidInput),
        ("hi", {"uploads": [Upload("a.txt", "text/plain", b"x")] * 6}, InvalidInput),
        ("hi", {"uploads": [Upload("a.txt", "text/plain", b"x" * 10_000_001)]}, PayloadTooLarge),
        ("hi", {"uploads": [Upload("a.exe", "text/plain", b"MZ\x90\x00\x03")]}, InvalidInput),
    ],
)
async def test_bad_messages_are_refused_whole(
    make_chat: MakeChat, text: str, kwargs: dict[str, Any], error: type[Exception]
) -> None:
    chat = await make_chat(SHIPPING)
    with pytest.raises(error):
        await chat.service.begin_turn(chat.session_id, text, **kwargs)
    assert len((await chat.service.history(chat.session_id))[1]) == 1


async def test_an_unknown_conversation_is_not_found(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    for uploads in ([], [Upload("a.txt", "text/plain", b"x")]):
        with pytest.raises(NotFound):
            await chat.service.begin_turn("nobody", "hi", uploads=uploads)


@pytest.mark.parametrize("user_id", ["", "  ", "x" * 201, "a\nb"])
async def test_an_unusable_user_id_is_refused(make_chat: MakeChat, user_id: str) -> None:
    chat = await make_chat(SHIPPING)
    with pytest.raises(InvalidInput):
        await chat.service.start(user_id)


# ---- history


async def test_a_long_history_is_whole(make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.conversation.service.PAGE", 3)
    chat = await make_chat(SHIPPING)
    for _ in range(4):
        await chat.say("hello")
    _, messages = await chat.service.history(chat.session_id)
    assert [m.seq for m in messages] == list(range(1, 10))
    _, new = await chat.service.history(chat.session_id, after=7)
    assert [m.seq for m in new] == [8, 9]


# ---- feedback and erasure


async def test_feedback_can_be_changed(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    answer = await chat.say("How long does standard delivery take?")
    await chat.service.give_feedback(chat.session_id, answer.id, "up")
    rated = await chat.service.give_feedback(chat.session_id, answer.id, "down", "Not for Norway")
    assert rated.feedback
    assert (rated.feedback.rating, rated.feedback.comment) == ("down", "Not for Norway")
    with pytest.raises(PayloadTooLarge):
        await chat.service.give_feedback(chat.session_id, answer.id, "up", "x" * 1001)


async def test_an_erased_conversation_is_gone(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING)
    answer = await chat.say("human please")
    erasure = await chat.service.erase(chat.session_id)
    assert (erasure.conversations, erasure.messages, erasure.tickets) == (1, 3, 1)
    with pytest.raises(NotFound):
        await chat.service.history(chat.session_id)
    with pytest.raises(NotFound):
        await chat.store.ticket(str(answer.ticket_id), chat.session_id)


# ---- more than can be answered


def waits_for(gate: asyncio.Event) -> Step:
    async def step(messages: Any) -> AsyncIterator[Any]:
        await gate.wait()
        async for content in says("Express delivery costs 9.90 EUR. [1]")(messages):
            yield content

    return step


async def test_what_comes_beyond_the_limit_is_refused_and_not_stored(make_chat: MakeChat) -> None:
    gate = asyncio.Event()
    model = scripted(waits_for(gate), says("Express delivery costs 9.90 EUR. [1]"))
    chat = await make_chat(SHIPPING, model=model, turns_at_once=1, turn_wait_seconds=0)
    other, _ = await chat.service.start(None)
    first = await chat.service.begin_turn(chat.session_id, "What does express cost?")

    with pytest.raises(Overloaded):
        await chat.service.begin_turn(other.session_id, "And standard?", client_message_id="again")
    _, stored = await chat.service.history(other.session_id)
    assert [message.role for message in stored] == ["assistant"]

    gate.set()
    answer = await first.result()
    assert answer
    assert "9.90" in answer.text
    await chat.service.drain(seconds=60)
    again = await chat.service.begin_turn(other.session_id, "And standard?", client_message_id="again")
    assert await again.result()


async def test_a_message_that_cannot_be_answered_keeps_no_place(make_chat: MakeChat) -> None:
    chat = await make_chat(SHIPPING, turns_at_once=1, turn_wait_seconds=60)
    for _ in range(2):
        with pytest.raises(NotFound):
            await chat.service.begin_turn("00000000-0000-4000-8000-000000000000", "Hello?")
    first = await chat.say("What does express cost?", client_message_id="once")
    assert await chat.say("What does express cost?", client_message_id="once") == first
    assert await chat.say("What does standard cost?")


async def test_a_person_is_not_kept_from_answering_by_it(make_chat: MakeChat) -> None:
    gate = asyncio.Event()
    chat = await make_chat(SHIPPING, model=scripted(waits_for(gate)), turns_at_once=1, turn_wait_seconds=0)
    waiting, _ = await chat.service.start(None)
    running = await chat.service.begin_turn(chat.session_id, "What does express cost?")
    assert (await chat.service.escalate(waiting.session_id)).ticket_id
    gate.set()
    assert await running.result()
