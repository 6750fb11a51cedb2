from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.analytics.period import Period
from shared.analytics.questions import cluster
from shared.analytics.summary import DocumentUse, ReasonCount, Share, Summary, Tally, share
from shared.knowledge.index import DocumentRecord, DocumentStatus
from shared.memory.models import ConversationRecord
from tests.fakes import HashEmbedder
from tests.records import LATER, START, Story

PERIOD = Period(START, START + timedelta(days=1))
HOUR = timedelta(hours=1)


def document(name: str, status: DocumentStatus = DocumentStatus.INDEXED) -> DocumentRecord:
    return DocumentRecord(name, "h", "e", status, "", name.upper(), 3, START)


DOCUMENTS = [document("a.md"), document("b.md"), document("c.md"), document("scan.pdf", DocumentStatus.EMPTY)]


def summarise(*told: ConversationRecord) -> Summary:
    tally = Tally(LATER)
    for record in told:
        tally.add(record)
    clusters = cluster(tally.questions.texts(), HashEmbedder())
    return tally.summary(PERIOD, complete=True, clusters=clusters, records=DOCUMENTS)


def test_nothing_is_no_rate() -> None:
    found = summarise()
    assert found.resolutions.confirmed == found.satisfaction.all == Share(0, 0, None)
    assert found.response_times.first_response.median is None
    assert (found.unanswered.questions, found.unanswered.clusters) == (0, [])


def test_conversations_that_were_only_opened_are_told_apart_and_count_nowhere() -> None:
    found = summarise(Story("s1").told(), Story("s2").rates("up").told(), Story("s3").asks().answers("a.md").told())
    assert (found.conversations.started, found.conversations.silent, found.conversations.counted) == (3, 2, 1)
    assert found.satisfaction.all.of == 0


def test_confirmed_and_assumed_are_kept_apart() -> None:
    found = summarise(
        Story("s1").asks().answers("a.md").rates("up").told(),
        Story("s2").asks().escalates().claims().replies().resolves().told(),
        Story("s3").asks().answers("a.md").told(),
        Story("s4").asks().abstains().told(),
        Story("s5", start=LATER - HOUR).asks().answers("a.md").told(),
    ).resolutions
    assert (found.confirmed, found.confirmed_by_customer, found.confirmed_by_person) == (share(2, 4), 1, 1)
    assert (found.assumed, found.unresolved, found.ongoing) == (share(1, 4), share(1, 4), 1)


def test_escalations_by_reason() -> None:
    found = summarise(
        Story("s1").asks().escalates("legal").told(),
        Story("s2").asks().escalates("unanswered").escalates("unanswered").escalates("legal").told(),
        Story("s3").asks().answers("a.md").told(),
    ).escalations
    assert (found.conversations, found.tickets) == (share(2, 3), 4)
    assert found.by_reason == [ReasonCount("legal", 2, share(2, 3)), ReasonCount("unanswered", 2, share(1, 3))]


@pytest.mark.parametrize(
    ("story", "breached", "pending", "unrouted"),
    [
        (Story().asks().escalates(due=HOUR).waits(minutes=60).replies(), share(0, 1), 0, 0),
        (Story().asks().escalates(due=HOUR).waits(minutes=61).replies(), share(1, 1), 0, 0),
        (Story().asks().escalates(due=HOUR), share(1, 1), 0, 0),
        (Story().asks().escalates(due=HOUR).resolves(), share(0, 1), 0, 0),
        (Story().asks().escalates(due=HOUR).waits(minutes=61).resolves(), share(1, 1), 0, 0),
        (Story().asks().escalates(due=timedelta(days=4)), share(0, 0), 1, 0),
        (Story().asks().escalates(), share(0, 0), 0, 1),
    ],
)
def test_a_reply_after_its_due_time_is_late_and_so_is_none(
    story: Story, breached: Share, pending: int, unrouted: int
) -> None:
    found = summarise(story.told()).service_level
    assert (found.breached, found.pending, found.unrouted) == (breached, pending, unrouted)


def test_satisfaction_of_the_bots_answers_and_of_peoples() -> None:
    found = summarise(
        Story("s1").asks().answers("a.md").rates("up").asks().answers("a.md").rates("down").told(),
        Story("s2").asks().escalates().claims().replies().rates("up").resolves().told(),
    ).satisfaction
    assert (found.all, found.bot, found.people) == (share(2, 3), share(1, 2), share(1, 1))


def test_answers_by_kind() -> None:
    found = summarise(
        Story().asks().answers("a.md").asks("Thanks").answers().asks().abstains().asks().answers("b.md", degraded=True)
        .asks().hands_over("complaint")
        .escalates().told()  # a notice is no answer
    ).answers  # fmt: skip
    assert (found.total, found.grounded, found.abstained, found.degraded) == (5, share(2, 5), share(1, 5), share(1, 5))


def test_a_wait_of_no_time_is_a_wait() -> None:
    times = summarise(Story().asks().waits(seconds=0).answers("a.md").told()).response_times
    assert (times.first_response.count, times.first_response.median) == (1, 0)


def test_documents_that_answer_most_and_least() -> None:
    found = summarise(
        Story("s1").asks().answers("b.md", "b.md", "gone.md").rates("up").told(),
        Story("s2").asks().answers("b.md").rates("down").asks().answers("b.md", attachment="my-tax-file.pdf").told(),
        Story("s3").asks().answers("a.md").told(),
    )
    documents = found.documents
    assert documents.most == [
        DocumentUse("b.md", "B.MD", 3, 1, 1),
        DocumentUse("a.md", "A.MD", 1, 0, 0),
        DocumentUse("gone.md", None, 1, 1, 0),
    ]
    assert [(use.source, use.answers) for use in documents.least] == [("c.md", 0), ("a.md", 1), ("b.md", 3)]
    assert (documents.indexed, documents.never_cited) == (3, 1)
    assert "my-tax-file" not in repr(found)


# ---- whatever happens in them

STEPS = "asks answers courtesy abstains ups downs escalates hands_over claims replies resolves gives_up".split()


TOPICS = ("socks in Peru", "parcels to Chile", "refunds to Peru", "socks and parcels")


def tell(number: int, steps: Sequence[str]) -> ConversationRecord:
    story = Story(f"s{number}", start=START + timedelta(hours=7 * (number % 12)))
    asked = open_ticket = False
    for step in steps:
        story.waits(minutes=1 + number)
        if step == "asks":
            story.asks(
                f"what about {'socks parcels refunds'.split()[number % 3]} in {'Peru Chile'.split()[number % 2]}"
            )
            asked = True
        elif step in ("answers", "courtesy", "abstains") and asked:
            {"answers": lambda: story.answers("a.md"), "courtesy": story.answers, "abstains": story.abstains}[step]()
        elif step in ("ups", "downs"):
            story.rates("up" if step == "ups" else "down")
        elif step == "escalates":
            story.escalates("legal" if number % 2 else "unanswered", due=HOUR if number % 3 else None)
            open_ticket = True
        elif step == "hands_over" and asked:
            story.hands_over("complaint")
            open_ticket = True
        elif step in ("claims", "replies", "resolves", "gives_up") and open_ticket:
            open_ticket = step in ("claims", "replies")
            {"claims": story.claims, "replies": story.replies}.get(
                step, lambda step=step: story.resolves("confirmed" if step == "resolves" else "assumed")
            )()
    return story.told()


records = st.lists(st.lists(st.sampled_from(STEPS), max_size=9), max_size=12).map(
    lambda stories: [tell(number, steps) for number, steps in enumerate(stories)]
)


@given(records)
def test_the_sums_add_up(told: list[ConversationRecord]) -> None:
    found = summarise(*told)
    counted, resolutions = found.conversations.counted, found.resolutions
    assert found.conversations.started == found.conversations.silent + counted == len(told)
    parts = resolutions.confirmed.count + resolutions.assumed.count + resolutions.unresolved.count
    assert parts == resolutions.confirmed.of == resolutions.assumed.of == resolutions.unresolved.of
    assert parts + resolutions.ongoing == counted
    assert resolutions.confirmed_by_customer + resolutions.confirmed_by_person == resolutions.confirmed.count

    tickets = sum(len(record.tickets) for record in told)
    assert sum(reason.tickets for reason in found.escalations.by_reason) == found.escalations.tickets == tickets
    level = found.service_level
    assert level.breached.of + level.pending + level.unrouted == tickets
    assert found.response_times.person_first_reply.count <= tickets
    assert found.response_times.first_response.count <= counted

    satisfaction = found.satisfaction
    assert satisfaction.all.of == satisfaction.bot.of + satisfaction.people.of
    assert found.answers.grounded.count + found.answers.abstained.count <= found.answers.total
    assert sum(one.count for one in found.unanswered.clusters) == found.unanswered.questions
    assert found.unanswered.questions == found.answers.abstained.count

    shares = [resolutions.confirmed, found.escalations.conversations, level.breached, satisfaction.all]
    assert all(0 <= one.count <= one.of for one in shares)


@given(records, st.randoms(use_true_random=False))
def test_the_order_of_conversations_does_not_matter(told: list[ConversationRecord], order) -> None:
    found = summarise(*told)
    order.shuffle(told)
    assert summarise(*told) == found
