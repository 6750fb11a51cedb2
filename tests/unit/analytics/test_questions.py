import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.analytics.questions import MAX_CHARS, Cluster, NewestQuestions, Question, cluster, unanswered
from tests.fakes import HashEmbedder
from tests.records import START, Story

EMBEDDER = HashEmbedder()
PARKING = ["where can I park my car", "where can I park my red car", "where can I park my old car"]
REFUND = ["how long does a refund take", "how long does a refund take please"]
words = st.lists(st.sampled_from("park car where refund long take when socks".split()), min_size=1, max_size=6)
texts = st.lists(words.map(" ".join), max_size=30)


def test_alike_questions_come_together_under_the_most_central_one() -> None:
    found = cluster([*REFUND, *PARKING, "do you sell socks"], EMBEDDER)
    assert [found_one.count for found_one in found] == [3, 2, 1]
    assert found[0].question == PARKING[0]
    assert found[1].question in REFUND
    assert found[2] == Cluster("do you sell socks", 1)


def test_the_same_question_asked_often_counts_so_often_and_is_embedded_once() -> None:
    embedder = HashEmbedder()
    assert cluster(["any socks?"] * 7, embedder) == [Cluster("any socks?", 7)]
    assert embedder.embedded == ["any socks?"]


def test_nothing_asked_is_no_cluster() -> None:
    assert cluster([], EMBEDDER) == []


@given(texts, st.randoms(use_true_random=False))
def test_every_question_is_in_one_cluster_whatever_the_order(asked: list[str], order: random.Random) -> None:
    found = cluster(asked, EMBEDDER)
    assert sum(one.count for one in found) == len(asked)
    assert [one.count for one in found] == sorted((one.count for one in found), reverse=True)
    shown = [one.question for one in found]
    assert set(shown) <= set(asked)
    # No two that are shown are alike, else they would be one.
    vectors = EMBEDDER.embed_documents(shown)
    assert all(vectors[i] @ vectors[j] < 0.7 for i in range(len(shown)) for j in range(i))
    order.shuffle(asked)
    assert cluster(asked, EMBEDDER) == found


def test_a_question_without_an_answer_is_the_customers_own_message() -> None:
    told = Story().asks("How do I descale it?").answers("a.md").asks("Do you sell  blue\nsocks?").abstains().told()
    (question,) = unanswered(told)
    assert (question.text, question.message_id) == ("Do you sell blue socks?", told.messages[3].id)


def test_a_follow_up_is_told_with_the_question_that_it_follows() -> None:
    told = Story().asks("Do you ship parcels to Norway?").answers("a.md").asks("And to Peru?").abstains().told()
    assert [question.text for question in unanswered(told)] == ["Do you ship parcels to Norway? And to Peru?"]


@pytest.mark.parametrize(
    ("story", "asked"),
    [
        (Story().asks("Any socks?").abstains().asks("Any blue socks?").hands_over("unanswered"), 2),
        (Story().asks("Any socks?").abstains().asks("Yes please").hands_over("customer_request"), 1),
        (Story().asks("I will sue you").hands_over("legal"), 0),
        (Story().asks("Any socks?").answers("a.md").escalates().asks("I want to talk to a person").abstains(), 0),
    ],
)
def test_whoever_wants_a_person_has_not_asked_in_vain(story: Story, asked: int) -> None:
    assert len(list(unanswered(story.told()))) == asked


def test_what_could_not_be_looked_up_is_not_held_against_the_documents() -> None:
    assert not list(unanswered(Story().asks("Any socks?").abstains(degraded=True).told()))


def test_a_long_question_is_cut() -> None:
    (question,) = unanswered(Story().asks("socks " * 500).abstains().told())
    assert len(question.text) == MAX_CHARS


@given(st.permutations(range(12)))
def test_the_newest_questions_are_kept_and_all_are_counted(order: list[int]) -> None:
    newest = NewestQuestions(limit=5)
    for number in order:
        # Two at the same moment each.
        newest.add(Question(START + timedelta(minutes=number // 2), f"s{number % 2}", "m", f"question {number}"))
    assert newest.total == 12
    assert newest.texts() == [f"question {number}" for number in (7, 8, 9, 10, 11)]
