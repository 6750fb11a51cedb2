"""What was computed lately, kept in memory. Keys are hashed: what a customer wrote is not kept in clear."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from shared import telemetry


class Cache[V]:
    """At most `size` values, of one version; the one that was not used for longest goes first.

    `name` is how its look-ups are counted. For use by one event loop.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._version = ""
        self._values: OrderedDict[bytes, V] = OrderedDict()

    def get(self, key: str, *, version: str = "") -> V | None:
        """The value of the key; None if there is none. All values of another version are dropped."""
        if version != self._version:
            self._values.clear()
            self._version = version
        hashed = _hashed(key)
        value = self._values.get(hashed)
        if value is not None:
            self._values.move_to_end(hashed)
        telemetry.cache_lookups.add(1, {"cache": self._name, "outcome": "miss" if value is None else "hit"})
        return value

    def put(self, key: str, value: V, *, version: str = "") -> None:
        """Keep the value, unless another version was asked for since: then it is of the past."""
        if version != self._version:
            return
        self._values[_hashed(key)] = value
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def __len__(self) -> int:
        return len(self._values)


def _hashed(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
