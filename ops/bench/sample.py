"""What one round of load is asked to do, and what it came to; both travel between processes as JSON."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """One round against one server.

    `kind` is pages, commits, small, lookups, batches or reuse; `streams` work side by side for `seconds`, each over
    a connection of its own. `unit_bytes` is the size of a page, `unit_count` how many pages a document or codes a
    batch has. `codes` are the results that are asked for.
    """

    kind: str
    server: str
    pki: str
    caller: str
    streams: int
    seconds: float
    unit_bytes: int = 0
    unit_count: int = 1
    codes: tuple[str, ...] = ()

    def json(self) -> str:
        """Return one line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def parse(cls, line: str) -> "Load":
        """Read that line."""
        fields = json.loads(line)
        return cls(**fields | {"codes": tuple(fields["codes"])})


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round came to: things done and bytes within `seconds`, and milliseconds of single ones.

    `moved_bytes` counts what was on its way at the end, too: processor time was spent on it.
    """

    count: int
    size_bytes: int
    moved_bytes: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Things done in a second."""
        return self.count / self.seconds if self.seconds else 0.0

    @property
    def mib_per_second(self) -> float:
        """MiB moved in a second."""
        return self.size_bytes / self.seconds / 2**20 if self.seconds else 0.0

    @classmethod
    def of(cls, latencies_s: Sequence[float], size_bytes: int, moved_bytes: int, seconds: float) -> "Sample":
        """Sum a round up from the seconds that each thing took."""
        ordered = sorted(latencies_s)
        p50_ms, p99_ms = (_at(ordered, share) * 1e3 for share in (0.50, 0.99))
        return cls(len(ordered), size_bytes, moved_bytes, seconds, p50_ms, p99_ms)

    def json(self) -> str:
        """Return one line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def parse(cls, line: str) -> "Sample":
        """Read that line."""
        return cls(**json.loads(line))


def _at(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile, 0 of nothing."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
