"""`python -m tools.widget_tag [--url URL]`: the script tags that put the widget of this version on a page.

`--write FILE` puts the pinned one into a document, between the lines that mark its place.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import sys
from pathlib import Path

from shared.settings import ROOT

SCRIPT = ROOT / "functions" / "chat_http" / "static" / "widget" / "widget.js"
HOST = "https://HOST"
PLACE = re.compile(r"(<!-- pinned -->\n```html\n).*?(\n```)", re.DOTALL)


def evergreen(url: str) -> str:
    return f'<script src="{url}/widget.js" async></script>'


def pinned(url: str) -> str:
    """With a hash in its address and one that the browser checks (Subresource Integrity)."""
    content = SCRIPT.read_bytes()
    version = hashlib.sha256(content).hexdigest()[:16]
    integrity = base64.b64encode(hashlib.sha384(content).digest()).decode()
    return (
        f'<script src="{url}/widget/{version}/widget.js"\n'
        f'  integrity="sha384-{integrity}"\n'
        f'  crossorigin="anonymous" async></script>'
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The script tags that put the widget on a page.")
    parser.add_argument("--url", default=HOST, help="where the app is reached")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the pinned tag into this document")
    options = parser.parse_args(arguments)
    url = options.url.rstrip("/")
    if options.write:
        text = options.write.read_text("utf-8")
        written, places = PLACE.subn(lambda place: place[1] + pinned(url) + place[2], text)
        if places != 1:
            print(f"{options.write} has no place for the tag.", file=sys.stderr)
            return 1
        options.write.write_text(written, "utf-8")
    print(f"Always the present version:\n{evergreen(url)}\n\nThis version and no other:\n{pinned(url)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
