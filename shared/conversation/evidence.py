"""The passages that one turn may cite, numbered as the model sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.memory.models import Scalar
from shared.security.links import LinkPolicy


@dataclass(frozen=True, slots=True)
class Evidence:
    """`number` (1-based) is what the model cites as `[number]`. `heading` says where in its document the text stands.

    `distance` is the cosine distance to the question (0 … 2), `relevance` an estimate (0 … 1) that it helps to answer.
    """

    number: int
    id: str
    heading: str
    content: str
    distance: float
    relevance: float
    metadata: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])


class EvidenceSet:
    """Grows while the turn searches; a passage found twice keeps its first number.

    Links that `links` does not allow are taken out of each passage, so neither the model nor the customer sees them.
    """

    def __init__(self, links: LinkPolicy | None = None) -> None:
        self._links = links or LinkPolicy()
        self._by_id: dict[str, Evidence] = {}

    def add(
        self,
        *,
        id: str,  # noqa: A002 - the field's own name
        heading: str,
        content: str,
        distance: float,
        relevance: float,
        metadata: Mapping[str, Scalar],
    ) -> Evidence:
        if known := self._by_id.get(id):
            return known
        url = str(metadata.get("url", ""))
        evidence = Evidence(
            number=len(self._by_id) + 1,
            id=id,
            heading=self._links.clean(heading, url=url),
            content=self._links.clean(content, url=url),
            distance=distance,
            relevance=relevance,
            metadata=self._metadata(metadata, url),
        )
        self._by_id[id] = evidence
        return evidence

    def _metadata(self, metadata: Mapping[str, Scalar], url: str) -> Mapping[str, Scalar]:
        """`source` is a name, not a text; `url` goes as a whole or not at all."""
        return {
            name: value
            if name in ("source", "url") or not isinstance(value, str)
            else self._links.clean(value, url=url)
            for name, value in metadata.items()
            if name != "url" or self._links.allows(url)
        }

    def get(self, number: int) -> Evidence | None:
        """The passage cited as `[number]`; None if this turn never had one."""
        return next((e for e in self._by_id.values() if e.number == number), None)

    def __iter__(self) -> Iterator[Evidence]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)
