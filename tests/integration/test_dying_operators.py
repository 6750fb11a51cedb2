"""What is done with a ticket happens once and whole, wherever its process dies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.dying_operator import ACTS, desk_for

ROOT = Path(__file__).parents[2]
FEWEST = 8
"""Steps of each act that must have been tried: fewer would mean that they are no longer counted."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deaths")


@pytest.fixture(scope="module")
def deaths(base: Path) -> Mapping[str, int]:
    """How many processes were started for each act; all but the last of each were killed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.dying_operator", str(base)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: int(number) for name, number in (line.split(": ") for line in done.stdout.splitlines())}


@pytest.mark.parametrize("name", ACTS)
async def test_an_act_is_whole_or_not_there_and_the_next_attempt_ends_it(
    base: Path, deaths: Mapping[str, int], name: str
) -> None:
    number = deaths[name]
    folders = [base / name / str(n) for n in range(1, number + 1)]
    untouched = desk_for(name, base / name / "before")
    before = await untouched.state()
    await untouched.close()

    seen, ends = list[Any](), list[Any]()
    for folder in folders:
        # By now locks and leases have ended; whoever acted tries again, and the timer looks after the outbox.
        desk = desk_for(name, folder, later=5)
        seen.append(await desk.state())
        if name != "send":  # nobody but the timer does that again
            await ACTS[name][2](desk)
        await desk.relay()
        await desk.route()
        assert await desk.unsent() == 0, folder
        assert (await desk.store.get("s1")).lease_until is None, folder
        ends.append((await desk.state(), await desk.sent()))
        await desk.close()

    whole, (state, sent) = seen[-1], ends[-1]
    assert set(seen) == {before, whole}
    assert number > FEWEST
    assert ends == [(state, sent)] * number
    assert len(set(sent)) == len(sent)
    assert "t1" in sent
