"""Which team works on a ticket, how urgent it is and until when: the rules of `routing.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints
from pydantic.types import PositiveInt

from shared.errors import ConfigurationError
from shared.escalation.expectation import expectation
from shared.escalation.hours import BusinessHours, Spans, parse_spans, parse_zone
from shared.escalation.rules import read_rules
from shared.escalation.ticket import Priority, Reason

RULES = Path(__file__).with_name("routing.toml")
MAX_WEEKS = 52
"""Of open time that an SLA may be long."""
MAX_HOLIDAYS = 1000

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _phrase(text: str) -> str:
    if not re.fullmatch(r"[^\s*]+\*?(?:\s+[^\s*]+\*?)*", text):
        raise ValueError("a star may only stand at the end of a word, after a letter")
    return text


_Day = Annotated[Spans, BeforeValidator(parse_spans)]


class _Category(BaseModel):
    model_config = ConfigDict(extra="forbid")

    words: list[Annotated[_Text, AfterValidator(_phrase)]]
    reasons: list[Reason] = []
    priority: Priority
    team: _Text
    sla_minutes: PositiveInt
    around_the_clock: bool = False


class _Hours(BaseModel):
    model_config = ConfigDict(extra="forbid")

    time_zone: Annotated[ZoneInfo | None, BeforeValidator(parse_zone)] = None
    monday: _Day = ()
    tuesday: _Day = ()
    wednesday: _Day = ()
    thursday: _Day = ()
    friday: _Day = ()
    saturday: _Day = ()
    sunday: _Day = ()
    holidays: Annotated[list[Annotated[date, Strict()]], Field(max_length=MAX_HOLIDAYS)] | None = None

    @property
    def week(self) -> tuple[Spans, ...]:
        return (self.monday, self.tuesday, self.wednesday, self.thursday, self.friday, self.saturday, self.sunday)


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid")

    default: str
    hours: _Hours | None = None
    team: dict[str, _Hours] = {}
    category: dict[str, _Category]


@dataclass(frozen=True, slots=True)
class Route:
    """`sla` runs from the customer's request, while the team is there: `hours` is None if it always is."""

    category: str
    priority: Priority
    team: str
    sla: timedelta
    hours: BusinessHours | None = None

    def due(self, created_at: datetime) -> datetime:
        """When somebody must have taken care of a ticket of that moment; in UTC."""
        start = created_at.astimezone(UTC)
        return self.hours.add(start, self.sla) if self.hours else start + self.sla

    def expectation(self, now: datetime) -> str:
        """What the customer, whose ticket is made now, is told about when an answer comes."""
        return expectation(now, self.sla, self.hours)


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str] | None
    reasons: frozenset[Reason]
    route: Route


class Routing:
    """The rules, in their order of precedence."""

    def __init__(self, rules: Sequence[_Rule], default: Route) -> None:
        self._rules = rules
        self._default = default

    def decide(self, texts: Iterable[str], reason: Reason | None = None) -> Route:
        """The route of the first text for which a category has a word, or this reason; `texts` are in order of
        weight."""
        for text in texts:
            plain = _plain(text)
            for rule in self._rules:
                if reason in rule.reasons or (rule.pattern and rule.pattern.search(plain)):
                    return rule.route
        return self._default


def load_routing(path: Path = RULES) -> Routing:
    """Raises `ConfigurationError`, which names the file and each wrong entry."""
    rules = read_rules(path, _Rules)
    try:
        hours = _hours(rules)
        routes = {name: _route(name, category, hours[category.team]) for name, category in rules.category.items()}
        if rules.default not in routes:
            raise ValueError(f"default: there is no [category.{rules.default}]")
    except ValueError as error:
        raise ConfigurationError(f"{path.name}: {error}") from error
    return Routing(
        [
            _Rule(_pattern(entry.words), frozenset(entry.reasons), routes[name])
            for name, entry in rules.category.items()
        ],
        routes[rules.default],
    )


def _hours(rules: _Rules) -> Mapping[str, BusinessHours | None]:
    """Of each team; None if somebody is always there."""
    common = rules.hours or _Hours()
    usual = _business_hours("hours", common, common) if rules.hours else None
    hours = dict.fromkeys((category.team for category in rules.category.values()), usual)
    for team, own in rules.team.items():
        if team not in hours:
            raise ValueError(f"team.{team}: no category has this team")
        hours[team] = _business_hours(f"team.{team}", own, common)
    return hours


def _business_hours(entry: str, own: _Hours, common: _Hours) -> BusinessHours:
    """The days of `own`; zone and holidays of `common` where it has none."""
    zone = own.time_zone or common.time_zone
    holidays = common.holidays if own.holidays is None else own.holidays
    if zone is None:
        raise ValueError(f"{entry}.time_zone: is missing; write it like Europe/Berlin, or UTC")
    try:
        return BusinessHours(zone, own.week, frozenset(holidays or ()))
    except ValueError as error:
        raise ValueError(f"{entry}: {error}") from error


def _route(name: str, category: _Category, hours: BusinessHours | None) -> Route:
    if category.around_the_clock:
        hours = None
    sla = timedelta(minutes=category.sla_minutes)
    if sla > MAX_WEEKS * (hours.weekly if hours else timedelta(weeks=1)):
        raise ValueError(f"category.{name}.sla_minutes: is more than the team is there in a year")
    return Route(name, category.priority, category.team, sla, hours)


def _pattern(words: list[str]) -> re.Pattern[str] | None:
    alternatives = "|".join(
        r"\s+".join(
            re.escape(part.removesuffix("*")) + (r"\w*" if part.endswith("*") else "")
            for part in _plain(phrase).split()
        )
        for phrase in words
    )
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)") if words else None


def _plain(text: str) -> str:
    return text.casefold().replace("’", "'")
