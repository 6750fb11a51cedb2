"""How a process starts and uses memory. Entry points say so, for the whole of it, before they import the rest.

Whatever was in use once, a process keeps: so what matters is how much garbage waits, and that what was freed can be
used again.
"""

import ctypes
import gc
import os
import sys

COLLECT_AFTER = 10_000
"""New objects, less those that are gone, after which Python looks for garbage among them: some 1.5 MB of it."""
COLLECTIONS = 50
"""After so many of them it also looks among what they left. A start makes some 600,000 objects that nearly all stay: by
default, after ten collections at 2,000 objects each, they are looked through again and again, for a tenth of its time;
after ten at 10,000 it is no less."""
FULL_COLLECTIONS = 2
"""And after so many of those, among all that `keep_all` did not find, if a quarter of it is new."""
MAPPED_FROM = 128 * 1024
"""Bytes from which a block has pages of its own, which go back when it is freed. glibc begins with this, but raises it
up to 32 MB, to the largest such block that was freed. Then all lie in one heap, where what stays falls between them:
asyncio takes 256 KB for each read from a connection and keeps the few bytes that came, so there is always room, and
never in one piece (https://man7.org/linux/man-pages/man3/mallopt.3.html)."""

_M_MMAP_THRESHOLD = -3  # of malloc.h


def set_up() -> None:
    _build_models_when_used()
    gc.set_threshold(COLLECT_AFTER, COLLECTIONS, FULL_COLLECTIONS)
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):  # musl has another allocator
        libc.mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM)


def _build_models_when_used() -> None:
    """FastAPI alone has fifty models, of a document that few ask for. What inherits from pydantic's base class is built
    with its first object now: https://docs.pydantic.dev/latest/api/config/#pydantic.config.ConfigDict.defer_build"""
    # Else pydantic looks for plugins in what every installed package says of itself.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from pydantic import BaseModel

    BaseModel.model_config["defer_build"] = True


def keep_all() -> None:
    """What there is now stays, with the little that is garbage among it: it is not looked through again. To be called
    when everything is imported."""
    gc.freeze()
