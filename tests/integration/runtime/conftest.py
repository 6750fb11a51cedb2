"""The runtime keeps its state in module globals, so each app under test runs in a process of its own."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.integration.runtime.hosted import Hosted, serving


@pytest.fixture
def host(tmp_path: Path) -> Callable[..., AbstractContextManager[Hosted]]:
    """`host("app", …)` serves one of `apps/`."""
    return partial(serving, tmp_path / "record")
