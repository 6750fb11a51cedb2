"""The support agent itself: everything a trigger calls, and nothing that knows a trigger."""

import gc

COLLECT_AFTER = 10_000
"""New objects, less those that are gone, after which Python looks for garbage among them: some 1.5 MB of it wait at
most. The allocator keeps the room of the most garbage that ever waited, so that more of it is memory for good."""
COLLECTIONS = 50
"""After so many of them it also looks among what they left. A start makes some 600,000 objects that nearly all stay: by
default, after ten collections at 2,000 objects each, they are looked through again and again, for a tenth of its time;
after ten at 10,000 it is no less."""

gc.set_threshold(COLLECT_AFTER, COLLECTIONS)
