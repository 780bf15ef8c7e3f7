"""The measurement as a table for people."""

from rich.console import Console
from rich.table import Table

from ops.bench.cases import MEMORY_TARGET_BYTES, MIB
from ops.bench.outcome import CaseOutcome, Report
from ops.bench.process_tree import Memory

_COLUMNS = (
    ("case", "left"),
    ("unit", "left"),
    ("kho", "right"),
    ("bare", "right"),
    ("ratio", "right"),
    ("target", "right"),
    ("p50 ms", "right"),
    ("p99 ms", "right"),
    ("bare p99", "right"),
    ("CPU s/GB", "right"),
    ("bare", "right"),
    ("CPU ms each", "right"),
    ("sync requests/page", "right"),
)


def show(report: Report, console: Console) -> None:
    """Print it."""
    load = ", ".join(f"{each:.2f}" for each in report.load_average)
    table = Table(
        title=f"Kho beside a bare gRPC server: medians of {report.rounds} rounds of {report.seconds:g} s",
        caption=f"load average before: {load}; CPU is that of the server with its workers and PostgreSQL",
    )
    for name, justify in _COLUMNS:
        table.add_column(name, justify="left" if justify == "left" else "right")
    for outcome in report.cases:
        table.add_row(*_cells(outcome))
    console.print(table)
    if report.idle_memory is not None:
        console.print(f"memory at rest (PSS): {_memory(report.idle_memory)}")
    if report.peak_memory is not None:
        said = "reached" if report.is_memory_reached else "MISSED"
        console.print(
            f"memory with 64 stations (peak PSS): {_memory(report.peak_memory)};"
            f" target {MEMORY_TARGET_BYTES // MIB} MiB for server and workers: {said}"
        )
    if report.traced_syncs_per_page is not None:
        console.print(
            f"sync calls a page by strace: {report.traced_syncs_per_page:.2f} of Kho,"
            f" {report.traced_postgres_syncs_per_page or 0.0:.2f} of PostgreSQL"
        )


def _cells(outcome: CaseOutcome) -> tuple[str, ...]:
    case, kho, bare = outcome.case, outcome.kho, outcome.bare
    colour = {True: "green", False: "red", None: "white"}[outcome.is_reached]
    return (
        case.name,
        case.unit,
        f"{kho.rate:,.0f}",
        f"{bare.rate:,.0f}",
        f"[{colour}]{outcome.ratio:.2f}[/]",
        "" if case.target is None else f"{case.target:.2f}",
        f"{kho.p50_ms:.1f}",
        f"{kho.p99_ms:.1f}",
        f"{bare.p99_ms:.1f}",
        _number(kho.cpu_s_per_gb),
        _number(bare.cpu_s_per_gb),
        _number(kho.cpu_ms_each),
        _number(kho.sync_requests_per_page),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _memory(memory: Memory) -> str:
    return f"{memory.kho_bytes / MIB:.0f} MiB Kho with workers, {memory.postgres_bytes / MIB:.0f} MiB PostgreSQL"
