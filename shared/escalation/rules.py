"""Rules that the company writes itself: a small TOML file, checked as a whole when the app starts."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from shared.errors import ConfigurationError


def read_rules[Rules: BaseModel](path: Path, rules: type[Rules]) -> Rules:
    """Raises `ConfigurationError`, which names the file and each wrong entry."""
    try:
        return rules.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        ]
        raise ConfigurationError(f"{path.name}: {'; '.join(problems)}") from error
