"""What is counted, and what must be none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from local.demo import expect


@dataclass(slots=True)
class Report:
    """`problems` are what must not be; each says where it was seen."""

    kills: Counter[str] = field(default_factory=Counter[str])
    conversations: int = 0
    answers: int = 0
    degraded: int = 0
    handed_over: int = 0
    """Messages to which the bot said nothing, because a person had the conversation."""
    tickets: int = 0
    resolved: int = 0
    events: int = 0
    events_again: int = 0
    """Deliveries of an event beyond the first: a consumer has to expect them."""
    documents: int = 0
    deleted: int = 0
    slowest_known: float = 0.0
    slowest_forgotten: float = 0.0
    """Seconds, with whatever was down meanwhile."""
    tried: Counter[str] = field(default_factory=Counter[str])
    """What customers and operators met before they were answered."""
    problems: dict[str, list[str]] = field(
        default_factory=lambda: {
            name: []
            for name in (
                "conversations lost",
                "messages or answers lost",
                "messages answered twice",
                "replies of people lost",
                "tickets lost",
                "answers from deleted documents",
                "documents never known or forgotten",
                "sessions stuck",
                "dead letters",
                "app ended by itself",
            )
        }
    )

    def check(self) -> None:
        """Raises `Wrong`."""
        found = [f"{name}: {', '.join(where[:5])}" for name, where in self.problems.items() if where]
        expect(not found, "; ".join(found))

    def __str__(self) -> str:
        killed = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
        met = ", ".join(f"{what} {count}" for what, count in self.tried.most_common())
        rows = [
            ("killed", f"{self.kills.total()} ({killed})"),
            ("conversations", self.conversations),
            ("answers", f"{self.answers} (degraded {self.degraded}), left to a person {self.handed_over}"),
            ("tickets", f"{self.tickets}, resolved by a person {self.resolved}"),
            ("events at the helpdesk", f"{self.events}, delivered again {self.events_again}"),
            ("documents", f"{self.documents} uploaded, {self.deleted} deleted"),
            ("slowest", f"known after {self.slowest_known:.1f} s, forgotten after {self.slowest_forgotten:.1f} s"),
            ("met on the way", met or "nothing"),
            *((name, len(where)) for name, where in self.problems.items()),
        ]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)
