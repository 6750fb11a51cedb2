"""The hand-off packet: what a person needs to take over a ticket, from the conversation that it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.errors import NotFound
from shared.escalation.events.event import (
    AttachedFile,
    Customer,
    HandOff,
    Links,
    Transcript,
    TranscriptMessage,
    TriedSource,
)
from shared.escalation.language import language_of
from shared.escalation.ticket import Ticket
from shared.memory.models import (
    Attachment,
    Conversation,
    CustomerFact,
    Message,
    Source,
    id_of_session,
    id_of_user,
)
from shared.memory.store import ConversationStore

MAX_EVENT_BYTES = 200_000
"""Of the event's body; below the 256 KB of a Service Bus message with room for its properties."""
MAX_SUMMARY = 1000
"""Characters. The stored ticket has the whole."""
MAX_MESSAGES = 10_000
"""The newest of a conversation; no more are read, so that no conversation is too long to be handed over."""
PAGE = 200
"""Messages read from the store at once; with them come their attachments' texts, which are not kept."""
MAX_SOURCES = 50
MAX_FACTS = 50
MAX_FILES = 100


@dataclass(frozen=True, slots=True)
class Story:
    """What is known of a ticket's conversation; nothing when it was erased. `sources` are newest first, the rest oldest
    first."""

    conversation: Conversation | None = None
    messages: tuple[TranscriptMessage, ...] = ()
    files: tuple[AttachedFile, ...] = ()
    sources: tuple[TriedSource, ...] = ()
    facts: tuple[CustomerFact, ...] = ()

    def said(self) -> Iterator[str]:
        """What the customer wrote, newest first."""
        return (message.text for message in reversed(self.messages) if message.role == "user")

    @property
    def whole(self) -> bool:
        return bool(self.messages) and self.messages[0].seq == 1


async def read_story(store: ConversationStore, ticket: Ticket) -> Story:
    """Raises `Unavailable`."""
    messages: list[TranscriptMessage] = []
    files: list[AttachedFile] = []
    cited: list[list[TriedSource]] = []
    try:
        conversation = await store.get(ticket.session_id, expired=True)
        after = max(0, conversation.last_seq - MAX_MESSAGES)
        while page := await store.messages(ticket.session_id, after=after, limit=PAGE, expired=True):
            messages += map(in_transcript, page)
            files += (_attached(message, file) for message in page for file in message.attachments)
            cited += ([_tried(source) for source in message.sources] for message in page)
            after = page[-1].seq
    except NotFound:
        return Story()
    facts = await store.facts(conversation.customer_id)
    sources = dict.fromkeys(source for answer in reversed(cited) for source in answer)
    return Story(conversation, tuple(messages), tuple(files), tuple(sources), facts)


def hand_off(ticket: Ticket, story: Story, *, public_url: str | None = None) -> HandOff:
    """The packet of a routed ticket, with as much of the newest transcript as fits beside the rest."""
    packet = HandOff.model_validate(
        {
            "ticket_id": ticket.id,
            "session_id": ticket.session_id,
            "message_id": ticket.message_id,
            "reason": ticket.reason,
            "summary": ticket.summary[:MAX_SUMMARY],
            "category": ticket.category,
            "priority": ticket.priority,
            "team": ticket.team,
            "created_at": ticket.created_at,
            "due_at": ticket.due_at,
            "customer": _customer(ticket, story.conversation),
            "language": language_of(story.said()),
            "customer_facts": tuple(fact.text for fact in story.facts[-MAX_FACTS:]),
            "sources_tried": story.sources[:MAX_SOURCES],
            "attachments": story.files[-MAX_FILES:],
            "links": _links(ticket, public_url),
            "transcript": (),
            "transcript_truncated": True,
            "transcript_ref": None,
        }
    )
    newest = _newest(story.messages, room=MAX_EVENT_BYTES - _bytes(packet))
    whole = story.whole and len(newest) == len(story.messages)
    return packet.model_copy(update={"transcript": newest, "transcript_truncated": not whole})


def transcript(ticket: Ticket, story: Story) -> Transcript:
    return Transcript(
        ticket_id=ticket.id, session_id=ticket.session_id, messages=story.messages, truncated=not story.whole
    )


def in_transcript(message: Message) -> TranscriptMessage:
    return TranscriptMessage(
        seq=message.seq,
        role=message.role,
        text=message.text,
        time=message.created_at,
        attachments=tuple(attachment.name for attachment in message.attachments),
    )


def _customer(ticket: Ticket, conversation: Conversation | None) -> Customer:
    key = conversation.customer_id if conversation else id_of_session(ticket.session_id)
    # A name that nobody vouched for never becomes the key of what is known about a customer.
    verified = ticket.user_id is not None and key == id_of_user(ticket.user_id)
    return Customer(id=key, user_id=ticket.user_id, verified=verified)


def _links(ticket: Ticket, public_url: str | None) -> Links:
    place = f"{(public_url or '').rstrip('/')}/helpdesk/tickets/{ticket.id}"
    return Links(ticket=place, transcript=f"{place}/transcript")


def _attached(message: Message, file: Attachment) -> AttachedFile:
    return AttachedFile(seq=message.seq, name=file.name, size=file.size, problem=file.problem)


def _tried(source: Source) -> TriedSource:
    about = source.metadata
    title, url = about.get("title"), about.get("url")
    return TriedSource(
        source=str(about.get("source", source.id)),
        title=None if title is None else str(title),
        url=None if url is None else str(url),
    )


def _newest(messages: Sequence[TranscriptMessage], *, room: int) -> tuple[TranscriptMessage, ...]:
    """As many of the last messages as fit into so many bytes."""
    first = len(messages)
    while first and (room := room - _bytes(messages[first - 1]) - 1) >= 0:
        first -= 1
    return tuple(messages[first:])


def _bytes(model: HandOff | TranscriptMessage) -> int:
    return len(model.model_dump_json().encode())
