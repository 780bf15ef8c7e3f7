"""What the demo came to: one table, a few sums, and where to look."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.demo.desk import Stored
from ops.demo.server_process import Addresses
from ops.demo.steps import Row, StepBook


@dataclass(frozen=True, slots=True)
class Report:
    """Facts of one run; bytes and seconds."""

    rows: tuple[Row, ...]
    bytes_sent_twice: int
    bytes_saved: int
    seconds: float
    addresses: Addresses
    documents: tuple[Stored, ...]

    @classmethod
    def of(cls, book: StepBook, stored: Sequence[Stored], addresses: Addresses) -> "Report":
        """Sum up a run that succeeded."""
        return cls(
            tuple(book.rows.values()),
            sum(document.outcome.bytes_resent for document in stored),
            sum(document.outcome.bytes_skipped for document in stored),
            book.seconds,
            addresses,
            tuple(stored),
        )

    def show(self, console: Console) -> None:
        """Write the table and what belongs to it."""
        console.print(table_of(self.rows))
        facts = (
            ("Gửi hai lần", "sent twice", f"{self.bytes_sent_twice:,} bytes (đã báo nhận / acknowledged: 0)"),
            ("Không phải gửi", "saved by recipes", megabytes(self.bytes_saved)),
            ("Tổng thời gian", "in all", f"{self.seconds:.1f} s"),
            ("Máy chủ", "server", f"{self.addresses.grpc} (gRPC, mutual TLS)"),
            ("Số đo", "metrics", f"http://{self.addresses.ops}/metrics"),
        )
        for vi, en, value in facts:
            name = Text.assemble(vi, (f" / {en}", "dim"))
            name.pad_right(max(0, 34 - len(name)))
            console.print(name, value, soft_wrap=True)


def table_of(rows: Sequence[Row]) -> Table:
    """Return the table of the steps that ran; Vietnamese for desks, English below it for operators."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("Bước / step", overflow="fold")
    for column in ("Số / count", "Bytes", "Giây / s"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("Kết quả / outcome", overflow="fold")
    for row in rows:
        if not row.is_begun:
            continue
        style = "bold red" if row.is_failed else ""
        table.add_row(
            Text.assemble((row.step.vi, style), "\n", (row.step.en, "dim")),
            f"{row.count:,}",
            "" if row.size_bytes is None else megabytes(row.size_bytes),
            f"{row.seconds:.1f}",
            Text.assemble((row.outcome_vi, style), "\n", (row.outcome_en, "dim")),
        )
    return table


def megabytes(size_bytes: int) -> str:
    """Return a size as people read it."""
    if size_bytes < 100_000:
        return f"{size_bytes / 1000:.1f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"
