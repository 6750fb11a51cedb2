"""What every benchmark tells, in one shape: `python -m benchmarks.NAME --json FILE` writes a `Report`."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure without a unit. `bar` is what it has to reach, if anything; `against` says what it was divided by."""

    name: str
    value: float
    bar: float | None
    better: Literal["higher", "lower"]
    against: str

    @property
    def met(self) -> bool:
        if self.bar is None:
            return True
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar


@dataclass(frozen=True, slots=True)
class Report:
    """What one benchmark measured. `versions` are those of the packages that took part, `details` whatever is behind
    the ratios."""

    name: str
    ratios: Sequence[Ratio]
    versions: Mapping[str, str]
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        return all(ratio.met for ratio in self.ratios)

    def write(self, path: Path | None) -> None:
        """As JSON; nothing without a path."""
        if path:
            path.write_text(json.dumps(asdict(self), indent=2), "utf-8")

    @classmethod
    def read(cls, path: Path) -> Report:
        document = json.loads(path.read_text("utf-8"))
        return cls(**{**document, "ratios": [Ratio(**ratio) for ratio in document["ratios"]]})

    def print(self) -> None:
        """The ratios, a line each."""
        for ratio in self.ratios:
            sign = "≥" if ratio.better == "higher" else "≤"
            bar = "" if ratio.bar is None else f"  (bar {sign} {number(ratio.bar)}{'' if ratio.met else ', missed'})"
            print(f"{ratio.name}: {number(ratio.value)} × {ratio.against}{bar}")


def number(value: float) -> str:
    """Three digits that count, and none that do not: 0.333, 2.5, 12.3, 1,234."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percentile(values: Iterable[float], share: float) -> float:
    """The nearest-rank percentile: the least value that at least this share (0 … 1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def versions(*packages: str) -> dict[str, str]:
    """Of packages of this environment."""
    return {name: importlib.metadata.version(name) for name in packages}


def machine() -> dict[str, str]:
    """Processor, number of its cores, memory, system and Python."""
    cpuinfo, meminfo = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    names = re.findall(r"model name\s*: (.*)", cpuinfo.read_text("utf-8")) if cpuinfo.exists() else []
    memory = re.search(r"MemTotal:\s*(\d+) kB", meminfo.read_text("utf-8")) if meminfo.exists() else None
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": str(os.process_cpu_count()),
        "memory": f"{int(memory[1]) * 1024 / 1e9:.0f} GB" if memory else "unknown",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }
