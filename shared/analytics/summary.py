"""The numbers of a period, made in one pass over its conversations. `docs/analytics.md` defines each.

A `Tally` holds counts and the newest unanswered questions: it grows with the number of documents, not with that of
conversations. The order in which they come does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.analytics.durations import DurationCounts, Durations, first_response, person_first_replies, person_replies
from shared.analytics.outcome import Outcome, outcome, took_part
from shared.analytics.period import Period
from shared.analytics.questions import Cluster, NewestQuestions, unanswered
from shared.escalation.ticket import Reason, Ticket
from shared.knowledge.index import DocumentRecord, DocumentStatus
from shared.memory.models import ConversationRecord, Message

DOCUMENTS = 10
"""Documents that are told at each end."""


@dataclass(frozen=True, slots=True)
class Share:
    """`rate` is `count` / `of`, None if there is nothing to have a share of."""

    count: int
    of: int
    rate: float | None


def share(count: int, of: int) -> Share:
    return Share(count, of, round(count / of, 4) if of else None)


@dataclass(frozen=True, slots=True)
class Conversations:
    """`started` = `silent` + `counted`: those that the customer only opened, and those that all else is about."""

    started: int
    silent: int
    counted: int


@dataclass(frozen=True, slots=True)
class Resolutions:
    """Every counted conversation is in exactly one of `confirmed_by_customer`, `confirmed_by_person`, `assumed`,
    `unresolved` and `ongoing`. The shares are of those that are not ongoing."""

    confirmed: Share
    confirmed_by_customer: int
    confirmed_by_person: int
    assumed: Share
    unresolved: Share
    ongoing: int


@dataclass(frozen=True, slots=True)
class ReasonCount:
    reason: Reason
    tickets: int
    conversations: Share


@dataclass(frozen=True, slots=True)
class Escalations:
    """`by_reason`: a conversation with tickets for two reasons is counted under both."""

    conversations: Share
    tickets: int
    by_reason: Sequence[ReasonCount]


@dataclass(frozen=True, slots=True)
class Answers:
    """Of the bot. Those that are neither grounded nor abstained greet, ask back, hand over or tell what was done."""

    total: int
    grounded: Share
    abstained: Share
    degraded: Share


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    first_response: Durations
    person_first_reply: Durations
    person_reply: Durations


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """Tickets and the time until which a person had to reply. `breached` is of those where that is decided; `pending`
    ones may still be in time; `unrouted` ones have no due time yet."""

    breached: Share
    pending: int
    unrouted: int


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """Ratings that are up, of all ratings."""

    all: Share
    bot: Share
    people: Share


@dataclass(frozen=True, slots=True)
class Unanswered:
    """`compared` of `questions`, the newest ones, are in the clusters; `clusters` are the largest of these."""

    questions: int
    compared: int
    clusters: Sequence[Cluster]


@dataclass(frozen=True, slots=True)
class DocumentUse:
    """`answers` cite the document; `ups` and `downs` are the ratings of these. `title` is None if it is not indexed."""

    source: str
    title: str | None
    answers: int
    ups: int
    downs: int


@dataclass(frozen=True, slots=True)
class Documents:
    """`least` are indexed documents, those that no answer cites first."""

    indexed: int
    never_cited: int
    most: Sequence[DocumentUse]
    least: Sequence[DocumentUse]


@dataclass(frozen=True, slots=True)
class Summary:
    """`complete`: False if the period reaches back further than conversations are kept for certain."""

    since: datetime
    until: datetime
    at: datetime
    complete: bool
    conversations: Conversations
    resolutions: Resolutions
    escalations: Escalations
    answers: Answers
    response_times: ResponseTimes
    service_level: ServiceLevel
    satisfaction: Satisfaction
    unanswered: Unanswered
    documents: Documents


class Tally:
    """Add every conversation of the period, then ask for the summary. `now` decides what is over and what is late."""

    def __init__(self, now: datetime) -> None:
        self.questions = NewestQuestions()
        self._now = now
        self._started = 0
        self._escalated = 0
        self._outcomes: Counter[Outcome] = Counter()
        self._tickets_by_reason: Counter[Reason] = Counter()
        self._conversations_by_reason: Counter[Reason] = Counter()
        self._answers: Counter[str] = Counter()
        self._ratings: Counter[tuple[str, str]] = Counter()
        self._due: Counter[str] = Counter()
        self._first_response = DurationCounts()
        self._person_first_reply = DurationCounts()
        self._person_reply = DurationCounts()
        self._cited: dict[str, Counter[str]] = {}

    def add(self, record: ConversationRecord) -> None:
        self._started += 1
        if not took_part(record):
            return
        self._outcomes[outcome(record, now=self._now)] += 1
        self._escalated += bool(record.tickets)
        self._tickets_by_reason.update(ticket.reason for ticket in record.tickets)
        self._conversations_by_reason.update({ticket.reason for ticket in record.tickets})
        self._due.update(self._punctuality(ticket) for ticket in record.tickets)
        for message in record.messages:
            self._add_message(message)
        for question in unanswered(record):
            self.questions.add(question)
            self._answers["abstained"] += 1
        if (waited := first_response(record)) is not None:
            self._first_response.add(waited)
        for waited in person_first_replies(record):
            self._person_first_reply.add(waited)
        for waited in person_replies(record):
            self._person_reply.add(waited)

    def _add_message(self, message: Message) -> None:
        rating = message.feedback.rating if message.feedback else None
        if rating:
            self._ratings[message.role, rating] += 1
        if message.role != "assistant" or message.reply_to is None:
            return
        self._answers["total"] += 1
        self._answers["grounded"] += message.grounded
        self._answers["degraded"] += message.degraded
        # What a customer attached is not a document of the company, and its name is not for everybody.
        cited = {str(source.metadata["source"]) for source in message.sources if "attachment" not in source.metadata}
        for name in cited:
            use = self._cited.setdefault(name, Counter())
            use["answers"] += 1
            if rating:
                use[rating] += 1

    def _punctuality(self, ticket: Ticket) -> str:
        """Solving a ticket without a word is as good as a reply."""
        if ticket.due_at is None:
            return "unrouted"
        served_at = min((at for at in (ticket.replied_at, ticket.resolved_at) if at), default=None)
        if (served_at or self._now) > ticket.due_at:
            return "breached"
        return "met" if served_at else "pending"

    def summary(
        self, period: Period, *, complete: bool, clusters: Sequence[Cluster], records: Sequence[DocumentRecord]
    ) -> Summary:
        """`clusters` are those of `questions`; `records` are the documents that the index knows."""
        counted = self._outcomes.total()
        return Summary(
            since=period.since,
            until=period.until,
            at=self._now,
            complete=complete,
            conversations=Conversations(self._started, self._started - counted, counted),
            resolutions=self._resolutions(),
            escalations=Escalations(
                share(self._escalated, counted),
                self._tickets_by_reason.total(),
                [
                    ReasonCount(reason, tickets, share(self._conversations_by_reason[reason], counted))
                    for reason, tickets in sorted(self._tickets_by_reason.items(), key=lambda item: (-item[1], item[0]))
                ],
            ),
            answers=Answers(
                self._answers["total"],
                *(share(self._answers[kind], self._answers["total"]) for kind in ("grounded", "abstained", "degraded")),
            ),
            response_times=ResponseTimes(
                self._first_response.durations(), self._person_first_reply.durations(), self._person_reply.durations()
            ),
            service_level=ServiceLevel(
                share(self._due["breached"], self._due["breached"] + self._due["met"]),
                self._due["pending"],
                self._due["unrouted"],
            ),
            satisfaction=Satisfaction(
                self._rated("assistant", "human_agent"), self._rated("assistant"), self._rated("human_agent")
            ),
            unanswered=Unanswered(self.questions.total, len(self.questions.texts()), clusters),
            documents=self._documents(records),
        )

    def _resolutions(self) -> Resolutions:
        outcomes = self._outcomes
        over = outcomes.total() - outcomes["ongoing"]
        by_customer, by_person = outcomes["confirmed_by_customer"], outcomes["confirmed_by_person"]
        return Resolutions(
            confirmed=share(by_customer + by_person, over),
            confirmed_by_customer=by_customer,
            confirmed_by_person=by_person,
            assumed=share(outcomes["assumed"], over),
            unresolved=share(outcomes["unresolved"], over),
            ongoing=outcomes["ongoing"],
        )

    def _rated(self, *roles: str) -> Share:
        ups, downs = (sum(self._ratings[role, rating] for role in roles) for rating in ("up", "down"))
        return share(ups, ups + downs)

    def _documents(self, records: Sequence[DocumentRecord]) -> Documents:
        titles = {record.name: record.title for record in records if record.status is DocumentStatus.INDEXED}
        uses = [
            DocumentUse(name, titles.get(name), use["answers"], use["up"], use["down"])
            for name in self._cited.keys() | titles.keys()
            for use in [self._cited.get(name, Counter())]
        ]
        most = sorted((use for use in uses if use.answers), key=lambda use: (-use.answers, use.source))
        least = sorted((use for use in uses if use.source in titles), key=lambda use: (use.answers, use.source))
        return Documents(
            indexed=len(titles),
            never_cited=sum(use.answers == 0 for use in least),
            most=most[:DOCUMENTS],
            least=least[:DOCUMENTS],
        )
