"""Which team works on a ticket, how urgent it is and until when: the rules of `routing.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.types import PositiveInt

from shared.errors import ConfigurationError
from shared.escalation.ticket import Priority

RULES = Path(__file__).with_name("routing.toml")

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _phrase(text: str) -> str:
    if not re.fullmatch(r"[^\s*]+\*?(?:\s+[^\s*]+\*?)*", text):
        raise ValueError("a star may only stand at the end of a word, after a letter")
    return text


class _Category(BaseModel):
    model_config = ConfigDict(extra="forbid")

    words: list[Annotated[_Text, AfterValidator(_phrase)]]
    priority: Priority
    team: _Text
    sla_minutes: PositiveInt


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid")

    default: str
    category: dict[str, _Category]


@dataclass(frozen=True, slots=True)
class Route:
    """`sla` runs from the customer's request."""

    category: str
    priority: Priority
    team: str
    sla: timedelta


class Routing:
    """The rules, in their order of precedence."""

    def __init__(self, rules: Iterable[tuple[re.Pattern[str] | None, Route]], default: Route) -> None:
        self._rules = [(pattern, route) for pattern, route in rules if pattern]
        self._default = default

    def decide(self, texts: Iterable[str]) -> Route:
        """The route of the first text in which a category's word is found; `texts` are in order of weight."""
        for text in texts:
            plain = _plain(text)
            for pattern, route in self._rules:
                if pattern.search(plain):
                    return route
        return self._default


def load_routing(path: Path = RULES) -> Routing:
    """Raises `ConfigurationError`, which names the file and each wrong entry."""
    try:
        rules = _Rules.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise ConfigurationError(f"{path.name}: {'; '.join(problems)}") from error
    routes = {
        name: Route(name, entry.priority, entry.team, timedelta(minutes=entry.sla_minutes))
        for name, entry in rules.category.items()
    }
    if rules.default not in routes:
        raise ConfigurationError(f"{path.name}: default: there is no [category.{rules.default}]")
    patterns = ((_pattern(entry.words), routes[name]) for name, entry in rules.category.items())
    return Routing(patterns, routes[rules.default])


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
