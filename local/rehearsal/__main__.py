"""`python -m local.rehearsal`: the app with all Azure adapters, on servers of this machine. See `__init__.py`."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from local.demo import Story, Wrong
from local.rehearsal import chaos, story
from local.rehearsal.azure import Azure


async def rehearse(azure: Azure, told: Story, kills: int, seed: int) -> None:
    password = secrets.token_urlsafe(16)
    await story.tell(told, azure, password)
    if kills:
        with told(
            "chaos", f"{kills} times something is killed while customers, editors and operators go on (seed {seed})"
        ):
            report = await chaos.unleash(azure, password, kills=kills, seed=seed)
        print(f"\n{report}")
        report.check()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.rehearsal", description=__doc__)
    parser.add_argument(
        "--kills", type=int, default=20, help="how often something is killed (default: 20; 0: only the story)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order and the pauses (default: 1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave data and logs there")
    options = parser.parse_args()
    told = Story()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="support-agent-rehearsal-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with Azure(folder) as azure:
            asyncio.run(rehearse(azure, told, options.kills, options.seed))
    except (Wrong, RuntimeError, TimeoutError, FileNotFoundError, httpx.HTTPError, subprocess.SubprocessError) as error:
        print(f"\nrehearsal: failed at {told.step}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\nrehearsal: ok ({told.summary()})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
