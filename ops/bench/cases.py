"""What is measured, case by case, and what must be reached."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kho_server.dev_pki import DevPki
from ops.bench.sample import Load
from ops.bench.sides import Side
from ops.bench.stock import Stock

KIB = 1024
MIB = 1024 * KIB
MEMORY_CASE = "memory-64-stations"
_PAGES_EACH = 50


@dataclass(frozen=True, slots=True)
class Case:
    """One case: `target` is the least share of the bare server's rate that must be reached, None where none is set."""

    name: str
    kind: str
    streams: int
    unit_bytes: int = 0
    unit_count: int = 1
    target: float | None = None

    @property
    def is_rate_of_bytes(self) -> bool:
        """Tell whether its rate is MiB a second, not things a second."""
        return self.kind == "reuse"

    @property
    def unit(self) -> str:
        """What its rate counts."""
        return {"pages": "pages/s", "commits": "commits/s", "small": "documents/s", "lookups": "look-ups/s"}.get(
            self.kind, "MiB/s" if self.is_rate_of_bytes else "codes/s"
        )

    def load(self, side: Side, pki: DevPki, stock: Stock, seconds: float) -> Load:
        """Return a round of this case against one side."""
        is_upload = self.kind in ("pages", "commits", "small")
        codes: Sequence[str] = ()
        if not is_upload:
            codes = tuple(stock.large) if self.kind == "reuse" else stock.small
        return Load(
            kind=self.kind,
            server=side.server,
            pki=str(pki.folder),
            caller="station" if is_upload else "agency-b",
            streams=self.streams,
            seconds=seconds,
            unit_bytes=self.unit_bytes,
            unit_count=self.unit_count,
            codes=tuple(codes),
        )


_PAGES = Case("", "pages", 4, 100_000, _PAGES_EACH, target=0.35)
CASES = (
    replace(_PAGES, name="pages-100k-4"),
    replace(_PAGES, name="pages-100k-32", streams=32),
    replace(_PAGES, name="pages-400k-4", unit_bytes=400_000),
    replace(_PAGES, name="pages-400k-32", unit_bytes=400_000, streams=32),
    replace(_PAGES, name="objects-128k-32", unit_bytes=128 * KIB, streams=32),
    replace(_PAGES, name="objects-1m-8", unit_bytes=MIB, streams=8),
    Case("commits-16", "commits", 16, 20_000),
    Case("small-documents-16", "small", 16, 20_000, 2),
    Case("lookups-32", "lookups", 32, target=0.4),
    Case("batches-100-4", "batches", 4, unit_count=100),
    Case("reuse-1", "reuse", 1, target=0.6),
    Case("reuse-8", "reuse", 8, target=0.6),
)
MEMORY = Case(MEMORY_CASE, "pages", 64, 100_000, 100)
MEMORY_TARGET_BYTES = 400 * MIB
