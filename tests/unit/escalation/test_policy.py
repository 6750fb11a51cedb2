"""The policy with the shipped model, on messages that none of the exemplars were written from."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.escalation.intents import NONE, load_intents, words
from shared.escalation.policy import EscalationPolicy, should_offer_human
from shared.escalation.ticket import Reason
from shared.escalation.topics import Topic, load_topics
from shared.knowledge.embedding import Embedder
from shared.knowledge.onnx import OnnxEmbedder
from shared.memory.models import Message, Role
from shared.settings import ROOT, Settings
from tests.fakes import HashEmbedder
from tools.train_intents import digest, read, train

HELD_OUT = ROOT / "evaluation" / "data" / "escalation" / "queries.jsonl"
AT = datetime(2026, 3, 1, tzinfo=UTC)
ASKED = Message("m", "s", "user", "How do I reset it?", AT)
ADVISED = (ASKED, Message("a", "s", "assistant", "Hold the button for ten seconds.", AT, reply_to="m"))
GREETED = (Message("greeting", "s", "assistant", "Hello!", AT),)


@cache
def embedder() -> Embedder:
    return OnnxEmbedder(Settings(auth_mode="open").embedding_model_path)


@cache
def policy(*topics: Topic) -> EscalationPolicy:
    return EscalationPolicy(embedder(), load_intents(), topics)


def reason(text: str, history: tuple[Message, ...] = ()) -> str | None:
    decision = policy().decide(text, history)
    return decision and decision.reason


def test_the_model_is_trained_on_the_present_examples_for_the_shipped_embedder() -> None:
    model = load_intents()
    outdated = "run `python -m tools.train_intents`"
    assert model.fingerprint == embedder().fingerprint, outdated
    assert model.trained_on == digest(read()), outdated
    assert set(model.labels) == set(read())
    assert set(model.labels) - {NONE} <= set(get_args(Reason))


def test_no_held_out_message_is_an_example() -> None:
    examples = {line.casefold() for lines in read().values() for line in lines}
    assert not [row["text"] for row in rows() if row["text"].casefold() in examples and row["category"] != "in_scope"]


def rows() -> list[dict[str, str]]:
    return [json.loads(line) for line in HELD_OUT.read_text("utf-8").splitlines()]


def test_held_out_messages() -> None:
    """Floors a little below what was measured: 34/35, 15/15, 9/10, 9/10, 6/7; 1/22, 1/30, 0/16, 0/8."""
    shares: dict[str, list[bool]] = defaultdict(list)
    for row in rows():
        history = ADVISED if row.get("before") else ()
        shares[row["category"]].append(policy().decide(row["text"], history) is not None)
    handed_over = {category: sum(found) / len(found) for category, found in shares.items()}
    assert handed_over["human_request"] >= 0.94
    assert handed_over["angry_complaint"] >= 0.93
    assert handed_over["safety"] >= 0.8
    assert handed_over["legal"] >= 0.8
    assert handed_over["repeated_failure"] >= 0.7
    assert handed_over["hard_negative_human_word"] <= 0.1
    assert handed_over["out_of_scope"] <= 0.07
    assert handed_over["in_scope"] == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I want to talk to a human", "customer_request"),
        ("this leads nowhere, who is in charge here?", "customer_request"),
        ("Ich möchte mit einem Menschen sprechen", "customer_request"),
        ("Je voudrais parler à un conseiller", "customer_request"),
        ("Quiero hablar con una persona", "customer_request"),
        ("Quero falar com um atendente", "customer_request"),
        ("担当者と話したい", "customer_request"),
        ("Your company is a disgrace and I am leaving", "complaint"),
        ("The charger caught fire", "safety"),
        ("I will sue you", "legal"),
        ("I demand a copy of my personal data under the GDPR", "legal"),
        ("Are you a real person?", None),
        ("How long does delivery take?", None),
        ("Puedo hablar con mi altavoz?", None),
        ("thanks", None),
        ("", None),
        ("?!", None),
    ],
)
def test_reasons(text: str, expected: str | None) -> None:
    assert reason(text) == expected


def test_one_sentence_of_many_is_enough() -> None:
    text = "I ordered a lamp. It came in blue. You are thieves, and I will never buy from you again! It is lamp 3"
    decision = policy().decide(text)
    assert decision
    assert (decision.reason, decision.matched) == ("complaint", "You are thieves, and I will never buy from you again!")


def test_a_failure_counts_once_advice_was_given() -> None:
    text = "that did not help, it is still not working"
    assert reason(text) is None
    assert reason(text, GREETED) is None
    assert reason(text, ADVISED) == "repeated_failure"


@pytest.mark.parametrize(
    "text",
    [
        "ok",
        "It worked!",
        "Hi again!",
        "One more question",
        "I have another question",
        "Tell me more",
        "That's clear now",
    ],
)
def test_small_talk_after_an_answer_calls_nobody(text: str) -> None:
    assert reason(text, ADVISED) is None


def test_a_complaint_counts_once_and_a_danger_always() -> None:
    def again(text: str) -> str | None:
        escalation = policy().decide(text, ADVISED, ticket_open=True)
        return escalation and escalation.reason

    assert reason("you are a useless company, shame on you", ADVISED) == "complaint"
    assert again("you are a useless company, shame on you") is None
    assert again("smoke comes out of the plug") == "safety"
    assert again("let me talk to a human") == "customer_request"


def test_a_topic_of_the_company() -> None:
    topic = Topic("bereavement", ("my husband died and I have to close his account",), 0.6)
    decision = policy(topic).decide("My wife has died, I must close her account")
    assert decision
    assert (decision.reason, decision.matched) == ("topic", "bereavement")
    assert decision.confidence >= 0.6
    assert policy(topic).decide("How do I open an account?") is None


def test_with_another_embedder_the_rules_decide_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    rules = EscalationPolicy(HashEmbedder(), load_intents())
    assert "tools.train_intents" in caplog.text
    decision = rules.decide("I want to talk to a human")
    assert decision
    assert (decision.reason, decision.confidence) == ("customer_request", 1)
    assert rules.decide("this leads nowhere, who is in charge here?") is None


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_decision(text: str) -> None:
    decision = policy().decide(text, ADVISED)
    assert decision is None or 0 < decision.confidence <= 1


def test_words_are_those_of_the_text_and_its_neighbours() -> None:
    assert words("Don’t go, GO!") == ["don't", "go", "!", "< don't", "don't go", "go go", "go !", "! >"]
    assert words("") == ["< >"]


def test_training_twice_makes_the_same_model_and_it_survives_its_file(tmp_path: Path) -> None:
    examples = {
        "customer_request": ["a person please", "let me talk to a person"],
        NONE: ["where is my parcel", "parcel"],
    }
    first, second = (train(examples, HashEmbedder()) for _ in range(2))
    first.save(tmp_path / "intents.npz")
    loaded = load_intents(tmp_path / "intents.npz")
    vector = HashEmbedder().embed_query("a person")
    probabilities = loaded.probabilities("a person", vector)
    assert probabilities == second.probabilities("a person", vector)
    assert sum(probabilities.values()) == pytest.approx(1)
    assert probabilities["customer_request"] > 0.5


def test_a_broken_model_file_names_the_command(tmp_path: Path) -> None:
    (tmp_path / "intents.npz").write_bytes(b"no archive")
    for name in ("intents.npz", "missing.npz"):
        with pytest.raises(ConfigurationError, match=r"tools\.train_intents"):
            load_intents(tmp_path / name)


def test_the_shipped_topics_are_none() -> None:
    assert load_topics() == []


def test_topics_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "topics.toml"
    file.write_text('[topic.press]\nexamples = ["I write for a newspaper"]\nsimilarity = 0.7\n', "utf-8")
    assert load_topics(file) == [Topic("press", ("I write for a newspaper",), 0.7)]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[topic.press]\nexamples = []", "topic.press.examples"),
        ('[topic.press]\nexamples = ["x"]\nsimilarity = 2', "topic.press.similarity"),
        ('[topic.press]\nexample = ["x"]', "topic.press.example"),
        ("[topic", "topics.toml"),
    ],
)
def test_a_mistake_in_topics_names_the_entry(tmp_path: Path, content: str, named: str) -> None:
    file = tmp_path / "topics.toml"
    file.write_text(content, "utf-8")
    with pytest.raises(ConfigurationError, match=named):
        load_topics(file)


def message(role: Role, *, abstained: bool = False, ticket_id: str | None = None) -> Message:
    return Message("m", "s", role, "text", AT, abstained=abstained, ticket_id=ticket_id)


ABSTENTION = message("assistant", abstained=True)
ANSWER = message("assistant")
QUESTION = message("user")


@pytest.mark.parametrize(
    ("history", "offered"),
    [
        ((), False),
        ((ANSWER,), False),
        ((ANSWER, QUESTION, ABSTENTION), True),
        ((ANSWER, QUESTION, ABSTENTION, QUESTION), True),
        ((ABSTENTION, QUESTION, ANSWER), False),
        ((ABSTENTION, message("human_agent")), False),
        ((message("assistant", abstained=True, ticket_id="tkt-1"),), False),
        ((message("assistant", abstained=True, ticket_id="tkt-1"), QUESTION, ABSTENTION), True),
    ],
)
def test_the_second_abstention_in_a_row_offers_a_human(history: tuple[Message, ...], offered: bool) -> None:
    assert should_offer_human(history) is offered
