"""The company's own topics that a person must take care of: `topics.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.errors import ConfigurationError

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
    try:
        topics = _Topics.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise ConfigurationError(f"{path.name}: {'; '.join(problems)}") from error
    return [Topic(name, tuple(entry.examples), entry.similarity) for name, entry in topics.topic.items()]
