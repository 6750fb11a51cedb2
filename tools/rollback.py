"""Put the package live that ran before.

python -m tools.rollback                 the one before the build that answers now
python -m tools.rollback --to BUILD      a certain one
python -m tools.rollback --list          what is kept, the newest last

Only packages that proved healthy are kept. Needs the same as `python -m tools.deploy`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from shared.errors import NotFound, SupportAgentError
from tools.deploy import Release, Target, blobs, deploy, releases, running


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.rollback", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", metavar="BUILD")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args(arguments)
    try:
        target = Target.of(os.environ)
        kept = releases(target)
        if options.list:
            print("\n".join(release.name for release in kept))
            return 0
        wanted = chosen(kept, now=running(target.url), to=options.to)
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / wanted.name
            blobs(target, "download", "--name", wanted.name, "--file", str(package))
            deploy(target, package)
    except (SupportAgentError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def chosen(kept: Sequence[Release], *, now: str | None, to: str | None = None) -> Release:
    """The release to go back to, of those kept, the oldest first. Raises `NotFound`.

    A build that never proved healthy is not among them: then the newest one is what ran before.
    """
    if to is not None:
        candidates = [release for release in kept if release.build == to]
    else:
        last = max((n for n, release in enumerate(kept) if release.build == now), default=len(kept))
        candidates = [release for release in kept[:last] if release.build != now]
    if not candidates:
        raise NotFound(f"No package of {to} is kept." if to else "No package from before is kept.")
    return candidates[-1]


if __name__ == "__main__":
    sys.exit(main())
