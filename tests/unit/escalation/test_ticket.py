"""Which way a ticket can go."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import get_args

import pytest

from shared.errors import Conflict
from shared.escalation.ticket import TAKEN, TRANSITIONS, UNRESOLVED, Status, Ticket, check_transition, ticket_id

STATUSES: tuple[Status, ...] = get_args(Status)
POSSIBLE = {
    ("requested", "open"),
    ("requested", "claimed"),
    ("requested", "resolved"),
    ("open", "claimed"),
    ("open", "resolved"),
    ("claimed", "open"),
    ("claimed", "waiting"),
    ("claimed", "resolved"),
    ("waiting", "open"),
    ("waiting", "claimed"),
    ("waiting", "resolved"),
}


def ticket(status: Status) -> Ticket:
    return Ticket("tkt-1", "s1", "m1", "unanswered", "…", datetime(2026, 3, 1, tzinfo=UTC), status=status)


@pytest.mark.parametrize(("before", "after"), product(STATUSES, STATUSES))
def test_every_step_is_possible_or_refused(before: Status, after: Status) -> None:
    if (before, after) in POSSIBLE:
        check_transition(ticket(before), after)
    else:
        with pytest.raises(Conflict) as refused:
            check_transition(ticket(before), after)
        assert f"tkt-1 is {before}" in str(refused.value)
        assert all(other in str(refused.value) for one, other in POSSIBLE if one == before)


def test_the_groups_of_statuses_agree_with_the_table() -> None:
    assert set(TRANSITIONS) == set(STATUSES)
    assert {status for status in STATUSES if TRANSITIONS[status]} == set(UNRESOLVED)
    # Only a ticket that a person has can wait for the customer or be given back by them.
    assert {before for before, after in POSSIBLE if after == "waiting"} | {"waiting"} == set(TAKEN)
    assert {before for before, after in POSSIBLE if after == "open"} == {*TAKEN, "requested"}


def test_every_ticket_can_be_claimed_and_resolved_in_the_end() -> None:
    for status in UNRESOLVED:
        assert {(status, "resolved")} <= POSSIBLE
        assert status == "claimed" or (status, "claimed") in POSSIBLE


def test_the_same_message_makes_the_same_ticket() -> None:
    assert ticket_id("s1", "m1") == ticket_id("s1", "m1")
    assert len({ticket_id("s1", "m1"), ticket_id("s1", "m2"), ticket_id("s2", "m1"), ticket_id("s", "1/m1")}) == 4
    assert len(ticket_id("s" * 64, "m" * 200)) <= 64  # the longest that the API takes as a ticket's id
