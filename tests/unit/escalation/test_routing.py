from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from shared.errors import ConfigurationError
from shared.escalation.routing import Route, Routing, load_routing
from shared.escalation.ticket import Reason
from shared.settings import ROOT

RULES = """
default = "general"

[category.billing]
words = ["refund*", "credit card", "don't recognise"]
priority = "high"
team = "money"
sla_minutes = 30

[category.orders]
words = ["parcel", "credit note"]
reasons = ["legal"]
priority = "low"
team = "orders"
sla_minutes = 60

[category.general]
words = []
priority = "normal"
team = "care"
sla_minutes = 1440
"""

HOURS = """
[hours]
time_zone = "Europe/Berlin"
monday = "09:00-17:00"
friday = "09:00-12:00, 13:00-17:00"
holidays = [2026-11-23]
"""
FRIDAY = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
"""Half past four in Berlin; the Monday after it is the holiday."""


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


def test_a_reason_stands_for_a_word(routing: Routing) -> None:
    assert routing.decide(["hello"], "legal").category == "orders"
    assert routing.decide(["hello"], "complaint").category == "general"
    assert routing.decide(["my refund"], "legal").category == "billing"  # the first category from the top


# ---- hours


def due(rules: Path, text: str, added: str) -> datetime:
    rules.write_text(RULES + added, "utf-8")
    return load_routing(rules).decide([text]).due(FRIDAY)


def test_without_hours_somebody_is_always_there(routing: Routing) -> None:
    assert routing.decide(["my parcel"]).due(FRIDAY) == FRIDAY + timedelta(minutes=60)


def test_the_sla_runs_in_business_hours(rules: Path) -> None:
    assert due(rules, "my parcel", HOURS) == datetime(2026, 11, 27, 8, 30, tzinfo=UTC)


def test_a_team_may_have_hours_of_its_own(rules: Path) -> None:
    saturday = '\n[team.orders]\nsaturday = "10:00-12:00"\n'
    assert due(rules, "my parcel", HOURS + saturday) == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert due(rules, "my refund", HOURS + saturday) == datetime(2026, 11, 20, 16, tzinfo=UTC)
    tokyo = saturday + 'monday = "09:00-17:00"\ntime_zone = "Asia/Tokyo"\nholidays = [2026-11-21]\n'
    assert due(rules, "my parcel", HOURS + tokyo) == datetime(2026, 11, 23, 1, tzinfo=UTC)
    assert due(rules, "my parcel", tokyo) == datetime(2026, 11, 23, 1, tzinfo=UTC)


def test_around_the_clock(rules: Path) -> None:
    rules.write_text(RULES.replace("sla_minutes = 60", "sla_minutes = 60\naround_the_clock = true") + HOURS, "utf-8")
    route = load_routing(rules).decide(["my parcel"])
    assert route.due(FRIDAY) == FRIDAY + timedelta(minutes=60)
    assert route.expectation(FRIDAY) == "You can usually expect an answer within 1 hour."


def test_the_customer_is_told_by_the_team_s_hours(rules: Path) -> None:
    rules.write_text(RULES + HOURS, "utf-8")
    told = load_routing(rules).decide(["my parcel"]).expectation(FRIDAY + timedelta(hours=1))
    assert told.startswith("Our team is back on Friday, 27 November at 09:00 (Europe/Berlin)")


@pytest.mark.parametrize(
    ("line", "instead", "complaint"),
    [
        ("Europe/Berlin", "Berlin", "hours.time_zone: 'Berlin' is no known time zone"),
        ('time_zone = "Europe/Berlin"', "", "hours.time_zone: is missing"),
        ('monday = "09:00-17:00"', 'monday = "9 to 5"', "hours.monday: '9 to 5' is no opening time"),
        ("12:00, 13:00", "13:00, 12:00", "hours.friday: .*in order"),
        ("monday =", "munday =", "hours.munday: Extra inputs"),
        ("[2026-11-23]", '["2026-11-23"]', "hours.holidays.0: .*valid date"),
        ("[2026-11-23]", "[2026-13-23]", "cannot be read"),
        ('monday = "09:00-17:00"\nfriday = "09:00-12:00, 13:00-17:00"', "", "hours: it is closed all week"),
        ("holidays", '[team.nobody]\nmonday = "09:00-17:00"\nholidays', "team.nobody: no category has this team"),
        ("holidays", "[team.money]\nholidays", "team.money: it is closed all week"),
        ("09:00-12:00, 13:00-17:00", "09:00-09:01", "category.general.sla_minutes: is more than .* a year"),
    ],
)
def test_a_mistake_in_the_hours_is_named(rules: Path, line: str, instead: str, complaint: str) -> None:
    text = RULES.replace("sla_minutes = 1440", "sla_minutes = 26000") + HOURS
    assert line in text
    rules.write_text(text.replace(line, instead, 1), "utf-8")
    with pytest.raises(ConfigurationError, match=r"^routing\.toml.*" + complaint):
        load_routing(rules)


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
        (
            'reasons = ["legal"]',
            'reasons = ["lawyer"]',
            "category.orders.reasons.0: Input should be 'customer_request'",
        ),
        ("sla_minutes = 30", "sla_minutes = 600000", "category.billing.sla_minutes: is more than .* a year"),
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
        ("the charger caught fire, I want a refund", "safety"),
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


def test_danger_and_crime_are_looked_after_day_and_night_others_in_hours() -> None:
    routing, sunday = load_routing(), datetime(2026, 11, 22, 3, tzinfo=UTC)
    for route in (routing.decide(["I was hacked"]), routing.decide(["it tingles when I touch the plug"], "safety")):
        assert route.due(sunday) == sunday + timedelta(minutes=30)
    assert routing.decide(["where is my parcel"]).due(sunday) == datetime(2026, 11, 23, 16, tzinfo=UTC)


# ---- docs/routing.md


def test_the_document_s_examples_are_rules(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "routing.md").read_text("utf-8")
    category, hours, team = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    rules = tmp_path / "routing.toml"
    rules.write_text(f'default = "billing"\n{category}{hours}{team.replace("legal", "billing")}', "utf-8")
    assert load_routing(rules).decide(["my refunds"]).team == "billing"
    rules.write_text(f'default = "billing"\n{category}{hours}', "utf-8")
    route = load_routing(rules).decide(["my refunds"])
    for asked, due in (("2026-11-23T10:00", "14:00"), ("2026-11-23T17:00", "13:30"), ("2026-11-22T10:00", "13:00")):
        moment = datetime.fromisoformat(asked).replace(tzinfo=ZoneInfo("Europe/Berlin"))
        assert f"{route.due(moment).astimezone(moment.tzinfo):%H:%M}" == due
        assert f"| {route.expectation(moment)} |" in text
    assert set(re.findall(r'^\| `"(\w+)"` \|', text, re.MULTILINE)) == set(get_args(Reason))
