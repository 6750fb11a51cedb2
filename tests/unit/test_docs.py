"""Documentation that leads somewhere: links and their anchors resolve, commands that it names exist."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from shared.settings import ROOT

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "evaluation/README.md", *(ROOT / "docs").rglob("*.md")]
)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    dead: list[str] = []
    for link in ("".join(groups) for groups in LINK.findall(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_commands_exist() -> None:
    missing: list[str] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for module in re.findall(r"python -m ((?:tools|local|evaluation|benchmarks|emulators)[\w.]*\w)", text):
            path = ROOT.joinpath(*module.split("."))
            if not (path.with_suffix(".py").exists() or (path / "__main__.py").exists()):
                missing.append(f"{page.name}: {module}")
        targets = set(re.findall(r"(?:^|`)make ([a-z][a-z-]+)", text, re.MULTILINE))
        missing += [f"{page.name}: make {target}" for target in targets - TARGETS]
    assert missing == []


def test_the_test_would_see_a_dead_one() -> None:
    assert LINK.findall("see [a](b.md#c) and ![d](e.png)") == [("b.md#c", ""), ("", "e.png")]
    assert "when-an-alert-fires" in anchors(ROOT / "docs/operations.md")
    assert {"test", "demo", "infra-check"} <= TARGETS
