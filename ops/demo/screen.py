"""What the demo shows while it runs: progress bars on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from ops.demo.steps import Row

_NARROWEST = 60


class Screen:
    """Shows bars for what goes on and a line for each step that is done."""

    def __init__(self, console: Console) -> None:
        """Write to a console; bars appear when it is a terminal."""
        self.console = console
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}", justify="right"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal or console.width < _NARROWEST,
        )

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show bars while the context lasts; they leave no trace."""
        with self._bars:
            yield

    def bar(self, description: str, total: int | None = None) -> "Bar":
        """Add a bar; without a total it only shows that something goes on."""
        return Bar(self._bars, self._bars.add_task(description, total=total, note="", count=""), total)

    def ended(self, row: Row) -> None:
        """Write the line of a step that is finished or has failed."""
        mark, style = ("✗", "bold red") if row.is_failed else ("✓", "green")
        line = Text.assemble(
            (f"{mark} ", style),
            (f"{row.seconds:5.1f} s  ", "dim"),
            f"{row.step.vi}: {row.outcome_vi}",
        )
        self._bars.console.print(line, soft_wrap=True)

    def say(self, vi: str, en: str, style: str = "") -> None:
        """Write a remark: Vietnamese, and English after it."""
        self._bars.console.print(Text.assemble(("          " + vi, style), (" / " + en, "dim")), soft_wrap=True)

    def detail(self, text: str) -> None:
        """Write a line where no bars tell it."""
        if self._bars.disable:
            self._bars.console.print(Text("          " + text, "dim"), soft_wrap=True)


class Bar:
    """One bar."""

    def __init__(self, bars: Progress, task: TaskID, total: int | None) -> None:
        """Stand for a task of a progress display."""
        self._bars = bars
        self._task = task
        self._total = total

    def show(self, completed: int, note: str = "") -> None:
        """Move it."""
        count = f"{completed}/{self._total}" if self._total is not None else ""
        self._bars.update(self._task, completed=completed, count=count, note=note)

    def end(self) -> None:
        """Take it away."""
        self._bars.remove_task(self._task)
