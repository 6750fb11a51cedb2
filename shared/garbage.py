"""How often Python looks for garbage. Entry points say so, for their whole process, before they import the rest."""

import gc

COLLECT_AFTER = 100_000
"""New objects, less those that are gone, after which Python looks for garbage among them. By default that is 2,000:
during a start, which makes some 600,000 that nearly all stay, the same ones are looked through again and again, for a
tenth of its time. What garbage waits meanwhile is 10 MB at most."""


def look_rarely() -> None:
    gc.set_threshold(COLLECT_AFTER)


def keep_all() -> None:
    """What there is now stays, with the little that is garbage among it: it is not looked through again. To be called
    when everything is imported."""
    gc.freeze()
