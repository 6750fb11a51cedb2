"""The story of a turn, and what else a customer can do with a conversation."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared import telemetry
from shared.conversation.admission import Admission
from shared.conversation.agent import SupportAgent
from shared.conversation.attachments import Parser, Upload, read_attachments
from shared.conversation.events import (
    AnswerSentence,
    SourcesCited,
    TicketCreated,
    TurnAnswered,
    TurnEvent,
    TurnFailed,
    TurnHandedToHuman,
)
from shared.conversation.evidence import EvidenceSet
from shared.conversation.grounding import AnswerVerifier
from shared.conversation.knowledge import KnowledgeSearch
from shared.conversation.query import search_question
from shared.conversation.running import RunningTurn
from shared.conversation.turn import Turn
from shared.conversation.wishes import accepts_person
from shared.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    SupportAgentError,
    TicketOpen,
    Unavailable,
)
from shared.escalation.leftovers import Leftovers
from shared.escalation.outbox import customer_message
from shared.escalation.policy import EscalationPolicy, should_offer_human
from shared.escalation.promises import keep_promises
from shared.escalation.requests import declines
from shared.escalation.service import EscalationService
from shared.escalation.ticket import Reason, Ticket, ticket_id
from shared.knowledge.filters import Filters
from shared.memory.models import (
    MAX_COMMENT,
    MAX_FACT,
    Attachment,
    Conversation,
    CustomerFact,
    Erasure,
    Feedback,
    Message,
    OpenTurn,
    Rating,
    Usage,
    id_of_session,
    id_of_user,
)
from shared.memory.store import ConversationStore
from shared.push.channel import ClientUrl
from shared.push.events import feedback_frame, message_frame, typing_frame
from shared.push.service import PushService
from shared.security.links import LinkPolicy
from shared.settings import Settings

logger = logging.getLogger(__name__)

HISTORY = 20
"""Messages of the conversation that a turn sees: ten exchanges, about 3,000 tokens."""
PAGE = 500
"""Messages read from the store at once."""
CLIENT_MESSAGE_ID = re.compile(r"[\w.:-]{1,100}")
MAX_USER_ID = 200
URGENT: frozenset[Reason] = frozenset({"safety", "legal"})
"""Reasons that make a ticket of their own while another one waits: they must not wait with it."""

GREETING = "Hello! I am the assistant of {company}. I answer from our documents and show you where they say so."
STILL_NOT_FOUND = "I could not find an answer to this in our documents."
NOT_FOUND = STILL_NOT_FOUND + " Would you like to talk to a person? Just say so."
NOT_SEARCHED = "I cannot look into our documents at the moment. Please try again later, or ask for a person."
HANDED_OVER = "I have asked a colleague to take over. They will answer here; your reference is {ticket}. {expectation}"
ALREADY_ASKED = "A colleague has your request already and will answer here; your reference is {ticket}."
OFFERED = "Would you like a colleague to take over? Just say yes."
REMEMBERED = "I will remember: {fact}."
UNREADABLE = "I could not read {name}: {problem}"


class ConversationService:
    def __init__(
        self,
        *,
        store: ConversationStore,
        agent: SupportAgent,
        search: KnowledgeSearch,
        parser: Parser,
        escalation: EscalationService,
        leftovers: Leftovers,
        policy: EscalationPolicy,
        push: PushService,
        settings: Settings,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._agent = agent
        self._search = search
        self._parser = parser
        self._escalation = escalation
        self._leftovers = leftovers
        self._policy = policy
        self._push = push
        self._settings = settings
        self._now = now
        self._links = LinkPolicy(settings.link_hosts.split(","), origins=settings.allowed_origins.split(","))
        self._admission = Admission(settings.turns_at_once, settings.turn_wait_seconds)
        self._running: set[asyncio.Task[None]] = set()

    # ---- a conversation begins

    async def start(
        self, user_id: str | None, *, verified: bool = False, filters: Filters | None = None
    ) -> tuple[Conversation, Message]:
        """A new conversation and its greeting. `verified`: somebody vouched for the user_id. `filters`
        narrow what it searches.

        Raises `InvalidInput` for an unusable user_id.
        """
        if user_id is not None:
            user_id = user_id.strip()
            if not 0 < len(user_id) <= MAX_USER_ID or not user_id.isprintable():
                raise InvalidInput(f"user_id must be 1 to {MAX_USER_ID} printable characters, or left out.")
        session_id, now = str(uuid.uuid4()), self._now()
        # A name that nobody vouched for must not open another customer's facts: see Conversation.customer_id.
        trusted = verified or self._settings.auth_mode == "open"
        conversation = Conversation(
            session_id=session_id,
            user_id=user_id,
            customer_id=id_of_user(user_id) if user_id and trusted else id_of_session(session_id),
            created_at=now,
            expires_at=now + timedelta(hours=self._settings.session_hours),
            last_seq=1,
            filters=filters or {},
        )
        greeting = Message(
            id="greeting",
            session_id=session_id,
            role="assistant",
            text=GREETING.format(company=self._settings.company_name),
            created_at=now,
            seq=1,
        )
        await self._store.create(conversation, greeting)
        telemetry.sessions_started.add(1)
        return conversation, greeting

    # ---- a turn

    async def begin_turn(
        self, session_id: str, text: str, *, uploads: Sequence[Upload] = (), client_message_id: str | None = None
    ) -> RunningTurn:
        """Store the customer's message and start to answer it. Once this returns, nothing is lost.

        Sending the same client_message_id again returns the first answer, or goes on with an answer that was cut off.
        Raises `InvalidInput` (and its kinds), `NotFound`, `TurnInProgress`, `Overloaded`, `Unavailable`; then nothing
        was stored.
        """
        message = self._customer_message(session_id, text, client_message_id)
        checked = self._checked(uploads) if uploads else ()
        await self._admission.enter()
        task = None
        try:
            opened = await self._open(message, checked)
            running = RunningTurn(opened.message, answer_id(opened.message))
            if opened.answer:
                running.finish(list(_replayed(opened.answer)))
            else:
                self._tell(opened.conversation, opened.message)
                task = asyncio.create_task(self._run(opened, running), name=f"turn {message.id}")
                self._running.add(task)
                task.add_done_callback(self._ended)
        finally:
            if task is None:  # else the turn keeps its place to its end, whether or not anybody reads along
                self._admission.leave()
        return running

    async def _open(self, message: Message, uploads: Sequence[Upload]) -> OpenTurn:
        """The first batch."""
        if uploads:
            await self._store.get(message.session_id)  # no parsing for a conversation that does not exist
            message = replace(message, attachments=await read_attachments(uploads, self._parser))
        with telemetry.span("store open_turn"):
            return await self._store.open_turn(
                message,
                lease_until=self._now() + timedelta(seconds=self._settings.turn_timeout_seconds + 10),
                history=HISTORY,
            )

    def _tell(self, conversation: Conversation, message: Message, ticket: Ticket | None = None) -> None:
        """Push a message of a turn, if a person has the conversation or will have it. Else only who asks waits for the
        answer, and reads it as it comes: docs/decisions/0018-push.md."""
        if ticket or conversation.ticket_id:
            self._push.tell(conversation.session_id, message_frame(message, ticket=ticket))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._admission.leave()

    async def _run(self, opened: OpenTurn, running: RunningTurn) -> None:
        """One turn, to its end, whether or not anybody reads along. Never raises."""
        began = time.perf_counter()
        session_id = opened.conversation.session_id
        telemetry.active_sessions.saw(session_id)
        with (
            telemetry.log_context(session_id=session_id),
            telemetry.span("turn", attributes={"gen_ai.conversation.id": session_id}) as span,
        ):
            try:
                async with asyncio.timeout(self._settings.turn_timeout_seconds):
                    outcome = await self._answer(opened, running)
            except TimeoutError:
                telemetry.errors.add(1, {"place": "turn", "error": "TimeoutError"})
                outcome = await self._fail(opened, running, Unavailable("The answer took too long. Please try again."))
            except SupportAgentError as error:
                telemetry.errors.add(1, {"place": "turn", "error": type(error).__name__})
                outcome = await self._fail(opened, running, error)
            except Exception as error:
                logger.exception("turn failed")
                telemetry.errors.add(1, {"place": "turn", "error": type(error).__name__})
                outcome = await self._fail(opened, running, Unavailable("Something went wrong. Please try again."))
            seconds = time.perf_counter() - began
            span.set_attribute("support.outcome", outcome)
            telemetry.chat_messages.add(1, {"outcome": outcome})
            telemetry.chat_message_duration.record(seconds, {"outcome": outcome})
            logger.info(
                "turn", extra={"outcome": outcome, "seconds": round(seconds, 3), "message_id": opened.message.id}
            )

    async def _answer(self, opened: OpenTurn, running: RunningTurn) -> str:
        if opened.conversation.owner == "human":
            return await self._leave_to_human(opened, running)

        turn = await self._prepare(opened)
        verified, verifier = await self._write(turn, running)
        self._count_tokens(turn.usage)
        return await self._conclude(opened, turn, verified, verifier, running)

    async def _conclude(
        self, opened: OpenTurn, turn: Turn, verified: Sequence[str], verifier: AnswerVerifier, running: RunningTurn
    ) -> str:
        """The second batch. What the product itself says, about a ticket above all, is told once it is stored."""
        conversation, message = turn.conversation, turn.message
        notices = self._notices(turn)
        abstained = not verified and not notices
        wish = self._wish(turn, abstained=abstained)
        if wish and wish[0] != "unanswered":
            abstained = False  # nothing was left unanswered: a person was needed anyway
        waits = await self._covering(conversation, wish[0]) if wish else None
        ticket = self._make_ticket(conversation, message.id, *wish) if wish and not waits else None
        if not wish:
            notices += self._offers(turn, abstained=abstained)
        if waits:
            notices += [STILL_NOT_FOUND] * abstained + [ALREADY_ASKED.format(ticket=waits)]
        if ticket:
            notices.append(self._handed_over(ticket, [*turn.history, message]))
        sentences = [*verified]
        for notice in notices:
            sentences.append(_spaced(notice, after=sentences))

        answer = Message(
            id=answer_id(message),
            session_id=message.session_id,
            role="assistant",
            text="".join(sentences),
            created_at=self._now(),
            reply_to=message.id,
            sources=verifier.sources,
            grounded=bool(verifier.sources),
            degraded=turn.degraded,
            abstained=abstained,
            requires_escalation=abstained or turn.offered or wish is not None,
            ticket_id=ticket.id if ticket else waits,
            usage=turn.usage,
        )
        try:
            with telemetry.span("store close_turn"):
                stored = await self._store.close_turn(
                    opened, answer, ticket, self._facts(turn), beside=conversation.ticket_id
                )
        except TicketOpen as faster:  # the customer pressed the button meanwhile
            turn.conversation = replace(conversation, ticket_id=faster.ticket_id)
            return await self._conclude(opened, turn, verified, verifier, running)
        if stored is None:
            return await self._leave_to_human(opened, running)
        for sentence in sentences[len(verified) :]:
            running.tell(AnswerSentence(sentence))
        if verifier.sources:
            running.tell(SourcesCited(verifier.sources))
        if ticket:
            running.tell(TicketCreated(ticket))
        self._tell(conversation, stored, ticket)
        if ticket:
            telemetry.chat_escalations.add(1, {"reason": ticket.reason})
            await self._escalation.send(ticket)
        running.finish([TurnAnswered(stored)])
        return "handed_over" if ticket else "abstained" if abstained else "answered"

    async def _leave_to_human(self, opened: OpenTurn, running: RunningTurn) -> str:
        """A person owns the conversation: they are told what the customer wrote, and the bot is silent."""
        await self._store.close_turn(opened, None)
        if event := customer_message(opened.conversation, opened.message):
            await self._escalation.publish(event)
        running.finish([TurnHandedToHuman()])
        return "handed_to_human"

    async def _prepare(self, opened: OpenTurn) -> Turn:
        """What the agent starts from: facts, files, the evidence for the question, and whether a person is needed."""
        conversation, message, history = opened.conversation, opened.message, opened.history
        turn = Turn(
            conversation=conversation,
            message=message,
            history=history,
            attachments=_attachments_of([*history, message]),
            evidence=EvidenceSet(self._links),
        )
        turn.facts, turn.escalation, _ = await asyncio.gather(
            self._store.facts(conversation.customer_id),
            asyncio.to_thread(self._policy.decide, message.text, history, ticket_open=bool(conversation.ticket_id)),
            self._find_evidence(turn),
        )
        return turn

    async def _find_evidence(self, turn: Turn) -> None:
        # What comes with a file is about the file.
        before = () if turn.message.attachments else turn.history
        try:
            await self._search.find(turn, search_question(turn.message.text, before))
        except Unavailable as error:
            # What needs no documents (files, facts, a person) is still done, and the customer is told about the rest.
            turn.searched, turn.degraded = False, True
            telemetry.degraded_answers.add(1, {"error": "IndexUnavailable"})
            logger.warning("search index unavailable: %s", error)

    async def _write(self, turn: Turn, running: RunningTurn) -> tuple[list[str], AnswerVerifier]:
        """The agent's answer, each sentence told only after it was verified."""
        verified = list[str]()

        def keep(sentence: str) -> str:
            kept = keep_promises(sentence, ticket_open=self._has_ticket(turn))
            turn.offered = turn.offered or (kept != sentence and not self._has_ticket(turn))
            return kept

        verifier = AnswerVerifier(turn.evidence, keep)

        def tell(sentences: Sequence[str]) -> None:
            for sentence in sentences:
                if verified or sentence.strip():
                    verified.append(sentence)
                    running.tell(AnswerSentence(sentence))

        async for text in self._agent.write(turn):
            tell(verifier.feed(text))
        tell(verifier.finish())
        if verifier.rewritten:
            telemetry.rewritten_promises.add(verifier.rewritten)
        if verifier.dropped:
            telemetry.dropped_sentences.add(verifier.dropped)
            logger.info("sentences dropped", extra={"dropped": verifier.dropped, "kept": len(verified)})
        return verified, verifier

    def _count_tokens(self, usage: Usage) -> None:
        """The model's, and what they cost if prices are set."""
        if not usage.total_tokens:
            return
        telemetry.model_tokens.add(usage.input_tokens, {"direction": "input"})
        telemetry.model_tokens.add(usage.output_tokens, {"direction": "output"})
        dollars = usage.input_tokens * self._settings.model_input_price
        dollars += usage.output_tokens * self._settings.model_output_price
        if dollars:
            telemetry.model_cost.add(dollars / 1_000_000)

    def _notices(self, turn: Turn) -> list[str]:
        """What was done for the customer, and which files could not be read, in the product's own words."""
        unreadable = [a for a in turn.message.attachments if a.problem]
        return [
            *(UNREADABLE.format(name=attachment.name, problem=attachment.problem) for attachment in unreadable),
            *(REMEMBERED.format(fact=self._links.clean(text)) for text in turn.remembered),
        ]

    def _offers(self, turn: Turn, *, abstained: bool) -> list[str]:
        """A person, to whoever did not ask for one."""
        if abstained:
            return [NOT_FOUND if turn.searched else NOT_SEARCHED]
        return [OFFERED] if turn.offered else []

    def _facts(self, turn: Turn) -> list[CustomerFact]:
        customer_id, now = turn.conversation.customer_id, self._now()
        return [
            CustomerFact(
                id=_fact_id(customer_id, text),
                customer_id=customer_id,
                text=text,
                message_id=turn.message.id,
                created_at=now,
                expires_at=now + timedelta(days=self._settings.fact_days),
            )
            for text in turn.remembered
        ]

    def _wish(self, turn: Turn, *, abstained: bool) -> tuple[Reason, str] | None:
        """Why a person is needed, and for what: the customer's words, the agent, or a second unanswered question in a
        row ask for one."""
        if turn.escalation:
            return turn.escalation.reason, turn.message.text
        if accepts_person(turn.message.text, turn.history):
            asked = next((m.text for m in reversed(turn.history) if m.role == "user"), turn.message.text)
            return "customer_request", asked
        if turn.handover:
            return turn.handover
        if abstained and (turn.conversation.ticket_id or should_offer_human(turn.history)):
            return None if declines(turn.message.text) else ("unanswered", turn.message.text)
        return None

    async def _covering(self, conversation: Conversation, reason: Reason) -> str | None:
        """The open ticket that is enough for another wish for a person."""
        if conversation.ticket_id is None or reason not in URGENT:
            return conversation.ticket_id
        open_ticket = await self._store.ticket(conversation.ticket_id, conversation.session_id)
        return open_ticket.id if open_ticket.reason in URGENT else None

    def _has_ticket(self, turn: Turn) -> bool:
        """Whether a person has the customer's request, or will have it when this turn is stored."""
        return turn.conversation.ticket_id is not None or self._wish(turn, abstained=False) is not None

    def _make_ticket(self, conversation: Conversation, message_id: str, reason: Reason, summary: str) -> Ticket:
        return Ticket(
            id=ticket_id(conversation.session_id, message_id),
            session_id=conversation.session_id,
            message_id=message_id,
            user_id=conversation.user_id,
            reason=reason,
            summary=" ".join(summary.split())[:300],
            created_at=self._now(),
        )

    async def _fail(self, opened: OpenTurn, running: RunningTurn, error: SupportAgentError) -> str:
        """Give the lease back, so that the customer can try again at once. The message stays, unanswered."""
        try:
            await self._store.close_turn(opened, None)
        except (NotFound, Conflict, Unavailable) as lost:
            logger.warning("turn could not be closed", extra={"error": type(lost).__name__})
        running.finish([TurnFailed(error)])
        return "failed"

    def _checked(self, uploads: Sequence[Upload]) -> Sequence[Upload]:
        from shared.security.uploads import check_uploads  # with the readers of all kinds of documents

        return check_uploads(
            uploads, max_files=self._settings.max_attachments, max_bytes=self._settings.max_attachment_bytes
        )

    def _customer_message(self, session_id: str, text: str, client_message_id: str | None) -> Message:
        text = text.strip()
        if not text:
            raise InvalidInput("The message is empty. Send some text.")
        if len(text) > self._settings.max_message_chars:
            raise PayloadTooLarge(
                f"The message is longer than {self._settings.max_message_chars} characters. Shorten it."
            )
        # NUL ends strings in some stores; half a surrogate pair is JSON, but no text that could be stored.
        if "\x00" in text or (not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)):
            raise InvalidInput("The message holds characters that are not text. Send plain text.")
        if client_message_id is not None and not CLIENT_MESSAGE_ID.fullmatch(client_message_id):
            raise InvalidInput("client_message_id must be 1 to 100 letters, digits, or any of . : _ -")
        return Message(
            id=f"m-{client_message_id or uuid.uuid4().hex}",
            session_id=session_id,
            role="user",
            text=text,
            created_at=self._now(),
        )

    # ---- the rest of a conversation's life

    async def history(self, session_id: str, *, after: int = 0) -> tuple[Conversation, tuple[Message, ...]]:
        """The conversation and its messages with `seq` > after. Raises `NotFound`."""
        conversation = await self._store.get(session_id)
        messages: list[Message] = []
        while True:
            page = await self._store.messages(session_id, after=after, limit=PAGE)
            messages += page
            if len(page) < PAGE:
                return conversation, tuple(messages)
            after = page[-1].seq

    async def escalate(self, session_id: str, *, comment: str = "") -> Message:
        """The customer asks for a human by button or API. Returns the notice, with its ticket_id; while a ticket waits,
        the notice of that one. Raises `NotFound`, `PayloadTooLarge`."""
        if len(comment) > MAX_COMMENT:
            raise PayloadTooLarge(f"The comment is longer than {MAX_COMMENT} characters. Shorten it.")
        conversation = await self._store.get(session_id)
        messages = await self._store.messages(session_id, after=max(0, conversation.last_seq - HISTORY))
        if conversation.ticket_id:
            return await self._escalate_again(conversation, messages, comment)
        cause = f"h-{conversation.last_seq}"
        last = next((m.text for m in reversed(messages) if m.role == "user"), "")
        ticket = self._make_ticket(conversation, cause, "customer_request", comment or last or "Asked for a person")
        notice = self._notice(cause, self._handed_over(ticket, messages), ticket.id, session_id)
        try:
            stored = await self._store.append(notice, ticket)
        except TicketOpen:  # a turn was faster, or the same customer in another window: theirs is joined
            return await self.escalate(session_id, comment=comment)
        self._push.tell(session_id, message_frame(stored, ticket=ticket))
        telemetry.chat_escalations.add(1, {"reason": ticket.reason})
        await self._escalation.send(ticket)
        return stored

    async def _escalate_again(self, conversation: Conversation, messages: Sequence[Message], comment: str) -> Message:
        """What the customer adds is for the person who has, or will have, the ticket."""
        session_id, ticket = conversation.session_id, str(conversation.ticket_id)
        seq, text = conversation.last_seq, ALREADY_ASKED.format(ticket=ticket)
        if comment.strip():
            said = replace(self._customer_message(session_id, comment, None), id=f"m-h-{seq}")
            stored = await self._store.append(said)
            self._push.tell(session_id, message_frame(stored))
            if event := customer_message(conversation, stored):
                await self._escalation.publish(event)
            seq = stored.seq
        elif told := next((m for m in reversed(messages) if m.ticket_id == ticket and m.role == "assistant"), None):
            return told
        notice = await self._store.append(self._notice(f"h-{seq}", text, ticket, session_id))
        self._push.tell(session_id, message_frame(notice))
        return notice

    def _handed_over(self, ticket: Ticket, messages: Sequence[Message]) -> str:
        said = (message.text for message in reversed(messages) if message.role == "user")
        return HANDED_OVER.format(ticket=ticket.id, expectation=self._escalation.expectation(ticket, said))

    def _notice(self, identifier: str, text: str, ticket: str, session_id: str) -> Message:
        return Message(
            id=identifier,
            session_id=session_id,
            role="assistant",
            text=text,
            created_at=self._now(),
            requires_escalation=True,
            ticket_id=ticket,
        )

    async def give_feedback(self, session_id: str, message_id: str, rating: Rating, comment: str = "") -> Message:
        """Rate an answer; a later rating replaces an earlier one. Raises `NotFound`, `PayloadTooLarge`."""
        if len(comment) > MAX_COMMENT:
            raise PayloadTooLarge(f"The comment is longer than {MAX_COMMENT} characters. Shorten it.")
        rated = await self._store.set_feedback(session_id, message_id, Feedback(rating, comment.strip(), self._now()))
        self._push.tell(session_id, feedback_frame(rated), ("operators",))
        telemetry.feedback.add(1, {"rating": rating})
        return rated

    async def client_url(self, session_id: str) -> ClientUrl:
        """Where the customer's page hears at once what is new. Raises `NotFound`, `NoPushChannel`, `Unavailable`."""
        conversation = await self._store.get(session_id)
        return await self._push.client_url(session_id, "customer", until=conversation.expires_at)

    async def typing(self, session_id: str) -> None:
        """The customer types: told to operators while there is a ticket, as far as they look. Raises `NotFound`."""
        conversation = await self._store.get(session_id)
        if conversation.ticket_id:
            self._push.tell(session_id, typing_frame(None), ("operators",))

    async def facts(self, session_id: str) -> tuple[CustomerFact, ...]:
        """What is remembered about the customer of this conversation, oldest first. Raises `NotFound`."""
        conversation = await self._store.get(session_id)
        return await self._store.facts(conversation.customer_id)

    async def correct_fact(self, session_id: str, fact_id: str, text: str) -> CustomerFact:
        """Let a fact say something else. Raises `NotFound`, `InvalidInput`, `PayloadTooLarge`."""
        text = " ".join(text.split())
        if not text or not text.isprintable():
            raise InvalidInput("The fact is empty or holds characters that are not text. To forget it, DELETE it.")
        if len(text) > MAX_FACT:
            raise PayloadTooLarge(f"The fact is longer than {MAX_FACT} characters. Shorten it.")
        for fact in await self.facts(session_id):
            if fact.id == fact_id:
                corrected = replace(fact, text=text)
                await self._store.remember(corrected)
                return corrected
        raise NotFound("There is no such fact, or it has expired.")

    async def forget_fact(self, session_id: str, fact_id: str) -> None:
        """Forget one fact; one that is gone already is no error. Raises `NotFound` for an unknown conversation."""
        conversation = await self._store.get(session_id)
        await self._store.forget_fact(conversation.customer_id, fact_id)

    async def erase(self, session_id: str) -> Erasure:
        """Forget a conversation with its messages and tickets."""
        erased = await self._store.erase(session_id)
        telemetry.active_sessions.forget(session_id)
        await _or_later(self._leftovers.erase_of(session_id))
        return erased

    async def erase_customer(self, user_id: str) -> Erasure:
        """Forget all conversations, tickets and facts of a customer."""
        # Facts outlive the conversations they came from, and are then found by their own key alone.
        by_name = await self._store.erase_customer(user_id)
        by_key = await self._store.erase_customer(id_of_user(user_id))
        await _or_later(self._leftovers.erase())
        return by_name + by_key

    async def drain(self, seconds: float) -> None:
        """Wait for the turns that are being answered, at most so long."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)


async def _or_later(erasing: Awaitable[object]) -> None:
    """What cannot be erased now, a timer finds."""
    try:
        await erasing
    except Unavailable:
        logger.warning("leftovers_not_erased")


def _fact_id(customer_id: str, text: str) -> str:
    """The same fact told twice is one."""
    return hashlib.sha256(f"{customer_id}/{text}".encode()).hexdigest()[:24]


def answer_id(message: Message) -> str:
    """An answer's id follows from the message's, so that a retried turn can only ever make one."""
    return f"a-{message.id.removeprefix('m-')}"


def _attachments_of(messages: Sequence[Message]) -> tuple[Attachment, ...]:
    return tuple(attachment for message in messages for attachment in message.attachments)


def _spaced(notice: str, *, after: Sequence[str]) -> str:
    """A notice is a paragraph of its own."""
    if not after:
        return notice
    return "\n\n"[: max(0, 2 - (len(after[-1]) - len(after[-1].rstrip("\n"))))] + notice


def _replayed(answer: Message) -> Iterator[TurnEvent]:
    """The events of an answer that was made before."""
    yield AnswerSentence(answer.text)
    if answer.sources:
        yield SourcesCited(answer.sources)
    yield TurnAnswered(answer)
