"""What holds for every test."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

import shared

SOON = (2_000, 10, 10)
"""When Python looks for garbage by default."""


@pytest.fixture(autouse=True, scope="session")
def _garbage_is_found_soon() -> None:
    """What a test leaves open is told while it runs, and not by one that comes much later, as in the app."""
    assert gc.get_threshold() == (shared.COLLECT_AFTER, shared.COLLECTIONS, shared.FULL_COLLECTIONS)
    gc.set_threshold(*SOON)


@pytest.fixture(autouse=True)
def _environment_stays() -> Iterator[None]:
    """A variable that a test leaves behind changes whichever test comes next, in this order and this process only."""
    before = _environment()
    yield
    assert _environment() == before


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}  # pytest's own
