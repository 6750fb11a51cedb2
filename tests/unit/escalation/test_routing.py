from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.escalation.routing import Route, Routing, load_routing

RULES = """
default = "general"

[category.billing]
words = ["refund*", "credit card", "don't recognise"]
priority = "high"
team = "money"
sla_minutes = 30

[category.orders]
words = ["parcel", "credit note"]
priority = "low"
team = "orders"
sla_minutes = 60

[category.general]
words = []
priority = "normal"
team = "care"
sla_minutes = 1440
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "routing.toml"
    path.write_text(RULES, "utf-8")
    return path


@pytest.fixture
def routing(rules: Path) -> Routing:
    return load_routing(rules)


def test_a_route_has_all_its_category_says(routing: Routing) -> None:
    assert routing.decide(["my parcel"]) == Route("orders", "low", "orders", timedelta(minutes=60))


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("REFUND me", "billing"),
        ("I was refunded twice", "billing"),
        ("a prerefund", "general"),
        ("my credit\n  card", "billing"),
        ("my credit is low, the card is new", "general"),
        ("I don’t recognise this", "billing"),
        ("two parcels", "general"),
        ("parcel, credit card", "billing"),  # the first category from the top
        ("", "general"),
    ],
)
def test_words_decide(routing: Routing, text: str, category: str) -> None:
    assert routing.decide([text]).category == category


def test_the_first_text_with_a_word_decides(routing: Routing) -> None:
    assert routing.decide(["hello", "my parcel", "my refund"]).category == "orders"
    assert routing.decide([]).category == "general"


@pytest.mark.parametrize(
    ("line", "instead", "complaint"),
    [
        ("sla_minutes = 30", "sla_minutes = 0", "category.billing.sla_minutes: .*greater than 0"),
        ("sla_minutes = 30", "", "category.billing.sla_minutes: Field required"),
        ('priority = "low"', 'priority = "asap"', "category.orders.priority: .*'low', 'normal', 'high' or 'urgent'"),
        ('team = "care"', 'team = " "', "category.general.team: .*at least 1 character"),
        ('team = "care"', 'team = "care"\nteams = "x"', "category.general.teams: Extra inputs"),
        ('"parcel"', '"parcel", ""', "category.orders.words.1: .*at least 1 character"),
        ('default = "general"', 'default = "other"', r"default: there is no \[category.other\]"),
        ('default = "general"', "", "default: Field required"),
        ('default = "general"', "default =", "cannot be read: .*line 2"),
        ("[category.orders]", "[category.billing]", "cannot be read: .*category.*billing"),
        ('"refund*"', '"*"', "category.billing.words.0: .*star"),
        ('"refund*"', '"pay * back"', "category.billing.words.0: .*star"),
    ],
)
def test_a_mistake_is_named(rules: Path, line: str, instead: str, complaint: str) -> None:
    rules.write_text(RULES.replace(line, instead, 1), "utf-8")
    with pytest.raises(ConfigurationError, match=r"^routing\.toml.*" + complaint):
        load_routing(rules)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"routing\.toml cannot be read"):
        load_routing(tmp_path / "routing.toml")


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Someone hacked me and ordered three machines", "security"),
        ("there is a payment I do not recognise", "security"),
        ("I will talk to my lawyer about this", "legal"),
        ("I was charged twice, I want a refund", "billing"),
        ("my parcel has not been delivered", "delivery"),
        ("I forgot my password", "account"),
        ("the app crashes with an error", "technical"),
        ("this is unacceptable", "complaint"),
        ("let me talk to a person", "general"),
    ],
)
def test_the_shipped_rules(text: str, category: str) -> None:
    assert load_routing().decide([text]).category == category
