"""The company's own topics that a person must take care of: `topics.toml`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.escalation.rules import read_rules

TOPICS = Path(__file__).with_name("topics.toml")

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Topic(BaseModel):
    model_config = ConfigDict(extra="forbid")

    examples: Annotated[list[_Text], Field(min_length=1)]
    similarity: Annotated[float, Field(gt=0, lt=1)] = 0.6


class _Topics(BaseModel):
    model_config = ConfigDict(extra="forbid")

    topic: dict[str, _Topic] = {}


@dataclass(frozen=True, slots=True)
class Topic:
    """`similarity` is the least cosine between a message and one of the examples."""

    name: str
    examples: tuple[str, ...]
    similarity: float


def load_topics(path: Path = TOPICS) -> Sequence[Topic]:
    """Raises `ConfigurationError`, which names the file and each wrong entry."""
    topics = read_rules(path, _Topics)
    return [Topic(name, tuple(entry.examples), entry.similarity) for name, entry in topics.topic.items()]
