"""What a case came to on both sides, and the whole as JSON."""

import dataclasses
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ops.bench.cases import MEMORY_TARGET_BYTES, Case
from ops.bench.process_tree import Memory
from ops.bench.sample import Sample


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one side: `cpu_s` are the processor seconds of the server with all its processes."""

    sample: Sample
    cpu_s: float
    sync_batches: float = 0.0
    sync_requests: float = 0.0
    pages: float = 0.0


@dataclass(frozen=True, slots=True)
class Medians:
    """Medians over the rounds of one side; `rate` in the unit of its case."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_s_per_gb: float | None
    cpu_ms_each: float | None
    sync_requests_per_page: float | None
    sync_batches_per_page: float | None

    @classmethod
    def of(cls, case: Case, rounds: Sequence[Round]) -> "Medians":
        """Take them."""
        gb = [each.sample.moved_bytes / 1e9 for each in rounds]
        with_pages = [each for each in rounds if each.pages]
        has_bytes = case.kind in ("pages", "reuse") and all(gb)
        return cls(
            rate=statistics.median(_rate(case, each.sample) for each in rounds),
            p50_ms=statistics.median(each.sample.p50_ms for each in rounds),
            p99_ms=statistics.median(each.sample.p99_ms for each in rounds),
            cpu_s_per_gb=_median(
                [each.cpu_s / size for each, size in zip(rounds, gb, strict=True)] if has_bytes else []
            ),
            # Commits are prepared by uploads, whose cost is not theirs.
            cpu_ms_each=_median(
                [each.cpu_s * 1e3 / each.sample.count for each in rounds if each.sample.count]
                if case.kind in ("lookups", "batches", "small")
                else []
            ),
            sync_requests_per_page=_median([each.sync_requests / each.pages for each in with_pages]),
            sync_batches_per_page=_median([each.sync_batches / each.pages for each in with_pages]),
        )


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """A case with both sides."""

    case: Case
    kho: Medians
    bare: Medians

    @property
    def ratio(self) -> float:
        """Kho's rate as a share of the bare server's."""
        return self.kho.rate / self.bare.rate if self.bare.rate else 0.0

    @property
    def is_reached(self) -> bool | None:
        """Tell whether the target is reached, None if none is set."""
        return None if self.case.target is None else self.ratio >= self.case.target


@dataclass(slots=True)
class Report:
    """The whole measurement."""

    load_average: tuple[float, float, float]
    rounds: int
    seconds: float
    cases: list[CaseOutcome] = dataclasses.field(default_factory=list)
    idle_memory: Memory | None = None
    peak_memory: Memory | None = None
    traced_syncs_per_page: float | None = None
    traced_postgres_syncs_per_page: float | None = None

    @property
    def is_memory_reached(self) -> bool | None:
        """Tell whether memory stayed below the target, None if it was not measured."""
        return None if self.peak_memory is None else self.peak_memory.kho_bytes <= MEMORY_TARGET_BYTES

    def json(self) -> dict[str, Any]:
        """Return everything for bench.json."""
        cases = [
            {
                **dataclasses.asdict(each.case),
                "unit": each.case.unit,
                "kho": dataclasses.asdict(each.kho),
                "bare": dataclasses.asdict(each.bare),
                "ratio": round(each.ratio, 4),
                "is_reached": each.is_reached,
            }
            for each in self.cases
        ]
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()},
            "load_average_at_start": self.load_average,
            "rounds": self.rounds,
            "seconds": self.seconds,
            "cases": cases,
            "memory_idle": dataclasses.asdict(self.idle_memory) if self.idle_memory else None,
            "memory_peak": dataclasses.asdict(self.peak_memory) if self.peak_memory else None,
            "traced_syncs_per_page": self.traced_syncs_per_page,
            "traced_postgres_syncs_per_page": self.traced_postgres_syncs_per_page,
        }


def _rate(case: Case, sample: Sample) -> float:
    if case.is_rate_of_bytes:
        return sample.mib_per_second
    return sample.per_second * (case.unit_count if case.kind == "batches" else 1)


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
