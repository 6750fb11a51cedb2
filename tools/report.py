"""What became of the conversations of a period: resolution, escalation, response times, satisfaction, open questions.

python -m tools.report                                             the last seven days
python -m tools.report --since 2026-05-01 --until 2026-06-01       dates or instants, UTC; until is not included
python -m tools.report --json                                      as `GET /analytics/summary` answers

docs/analytics.md says what each number means.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence

from pydantic import TypeAdapter

from shared.analytics.durations import Durations
from shared.analytics.summary import DocumentUse, Share, Summary
from shared.errors import SupportAgentError
from shared.services import get_services

WIDTH = 34
"""Characters of a line's name."""


async def summary(since: str | None, until: str | None) -> Summary:
    """Raises `InvalidInput`, `Unavailable`, `IndexModelMismatch`."""
    async with get_services() as services:
        return await services.analytics.summary(since, until)


def table(found: Summary) -> Iterator[str]:
    """The summary as lines for a terminal."""
    yield f"Conversations begun from {found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    if not found.complete:
        yield "The period reaches back beyond RETENTION_DAYS: some of its conversations may be gone."

    yield from _heading("Conversations")
    yield _line("counted", found.conversations.counted)
    yield _line("only opened", found.conversations.silent)

    resolutions = found.resolutions
    yield from _heading("Resolution, of those that are over")
    yield _line("confirmed", _share(resolutions.confirmed))
    yield _line("  by the customer", resolutions.confirmed_by_customer)
    yield _line("  by a person", resolutions.confirmed_by_person)
    yield _line("assumed", _share(resolutions.assumed))
    yield _line("unresolved", _share(resolutions.unresolved))
    yield _line("(still going on)", resolutions.ongoing)

    yield from _heading("Escalation")
    yield _line("conversations", _share(found.escalations.conversations))
    yield _line("tickets", found.escalations.tickets)
    for reason in found.escalations.by_reason:
        yield _line(f"  {reason.reason}", f"{reason.tickets}, in {_share(reason.conversations)}")

    yield from _heading("The bot's answers")
    yield _line("all", found.answers.total)
    yield _line("grounded", _share(found.answers.grounded))
    yield _line("no answer found", _share(found.answers.abstained))
    yield _line("degraded", _share(found.answers.degraded))

    yield from _heading("Response times")
    yield _line("first response", _durations(found.response_times.first_response))
    yield _line("a person's first reply to a ticket", _durations(found.response_times.person_first_reply))
    yield _line("a person's reply to a message", _durations(found.response_times.person_reply))

    yield from _heading("Replies by their due time")
    yield _line("late", _share(found.service_level.breached))
    yield _line("not replied to, still in time", found.service_level.pending)
    yield _line("not routed yet", found.service_level.unrouted)

    yield from _heading("Ratings that are up")
    yield _line("all", _share(found.satisfaction.all))
    yield _line("the bot's", _share(found.satisfaction.bot))
    yield _line("people's", _share(found.satisfaction.people))

    asked = found.unanswered
    newest = f", the newest {asked.compared} compared" if asked.compared < asked.questions else ""
    yield from _heading(f"Unanswered questions: {asked.questions}{newest}")
    yield from (f"{cluster.count:>6}  {_printable(cluster.question)}" for cluster in asked.clusters)

    documents = found.documents
    yield from _heading("Documents that answer most: answers, ups, downs")
    yield from map(_document, documents.most)
    yield from _heading(f"Documents that answer least: {documents.never_cited} of {documents.indexed} are never cited")
    yield from map(_document, documents.least)


def _heading(text: str) -> Iterator[str]:
    yield ""
    yield text


def _line(name: str, value: object) -> str:
    return f"  {name:<{WIDTH}}  {value}"


def _share(share: Share) -> str:
    return "none" if share.rate is None else f"{share.count} of {share.of} ({share.rate:.0%})"


def _durations(durations: Durations) -> str:
    if durations.median is None or durations.p90 is None:
        return "none"
    return f"median {_time(durations.median)}, p90 {_time(durations.p90)}, of {durations.count}"


def _time(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.3g} s"


def _document(use: DocumentUse) -> str:
    title = "not indexed any more" if use.title is None else use.title
    return f"{use.answers:>6}{use.ups:>6}{use.downs:>6}  {_printable(use.source)}  {_printable(title)}".rstrip()


def _printable(text: str) -> str:
    """What customers write may hold characters that control a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.report", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--since", help="a date or an RFC 3339 instant; default: seven days before --until")
    parser.add_argument("--until", help="the same, not included; default: now")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)

    try:
        found = asyncio.run(summary(options.since, options.until))
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    print(TypeAdapter(Summary).dump_json(found, indent=2).decode() if options.json else "\n".join(table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
