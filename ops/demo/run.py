"""`make demo`: runs the main job of a Kho on realistic input and shows what happened.

Everything runs in a temporary folder on free loopback ports; nothing is left behind, unless --keep asks for it.
Exit status: 0 all steps passed; 1 one failed, which is named; 2 wrong usage; 130 or 143 when interrupted.
"""

import argparse
import asyncio
import os

# gRPC's core prints remarks about links that break, as they do here, and reads this when it is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ops.demo.farewell import kept
from ops.demo.report import Report, table_of
from ops.demo.screen import Screen
from ops.demo.server_process import ServerProcess
from ops.demo.steps import StepBook, StepFailed, first_failure
from ops.demo.story import Story, Wishes
from ops.demo.workload import FEWEST_SHEETS, MOST_SHEETS_IN_ALL, USUAL_SHEETS

DONE, FAILED = 0, 1
_PLAIN_WIDTH = 132  # of the table in a file


def main(words: Sequence[str] | None = None) -> int:
    """Run the demo as the command line asks, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="make demo", description="Kho's main job, on real parts, in about half a minute"
    )
    parser.add_argument("--keep", action="store_true", help="leave the server running and name commands to try")
    parser.add_argument("--seed", type=int, default=1, help="what the scanner draws (default: 1)")
    parser.add_argument(
        "--pages-total",
        type=_sheets,
        default=USUAL_SHEETS,
        metavar="N",
        help=f"sheets of all papers, {FEWEST_SHEETS} to {MOST_SHEETS_IN_ALL} (default: {USUAL_SHEETS})",
    )
    asked = parser.parse_args(words)
    console = _console()
    try:
        return asyncio.run(_interruptible(Wishes(seed=asked.seed, sheets=asked.pages_total), console, keep=asked.keep))
    except _Interrupted as interrupted:
        console.print("Đã dừng, đã dọn dẹp. Stopped and cleaned up.")
        return 128 + interrupted.signal_number


async def demo(wishes: Wishes, console: Console, *, keep: bool = False) -> Report | StepFailed:
    """Run the demo and show it on a console; return what it came to, or the step that failed and why.

    All processes are gone and all files deleted afterwards; with `keep`, those of a run that succeeded stay.
    """
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="kho-demo-"))
    screen = Screen(console)
    book = StepBook(on_end=screen.ended)
    server = ServerProcess(folder, wishes.server_flags)
    is_kept = False
    try:
        with screen.showing():
            outcome = await _told(Story(wishes, folder, server, screen, book))
        is_kept = keep and isinstance(outcome, Report)
        _show(outcome, book, server, console)
        if is_kept and isinstance(outcome, Report):
            kept(outcome, folder, console)
        return outcome
    finally:
        if not is_kept:
            await server.stop()
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _told(story: Story) -> Report | StepFailed:
    try:
        return await story.tell()
    except StepFailed as failure:
        return failure
    except BaseExceptionGroup as group:
        error = first_failure(group)
        if isinstance(error, StepFailed):
            return error
        raise


def _show(outcome: Report | StepFailed, book: StepBook, server: ServerProcess, console: Console) -> None:
    if isinstance(outcome, Report):
        outcome.show(console)
        return
    console.print(table_of(tuple(book.rows.values())))
    console.print(f"KHÔNG ĐẠT ở bước: {outcome.step.vi} / FAILED: {outcome.step.en}", style="bold red", soft_wrap=True)
    for line in outcome.reasons():
        console.print(f"  {line}", style="red", markup=False, soft_wrap=True)
    said = server.last_words()
    if said:
        console.print("  Máy chủ nói gần nhất / the server's last words:", style="dim")
        for line in said:
            console.print(f"    {line}", style="dim", markup=False, soft_wrap=True)


class _Interrupted(Exception):
    """A signal ended the demo."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


async def _interruptible(wishes: Wishes, console: Console, *, keep: bool) -> int:
    """Run the demo; Ctrl-C, SIGTERM and a closed terminal end it once, and cleaning up is not interrupted again."""
    running = asyncio.ensure_future(demo(wishes, console, keep=keep))
    seen: list[int] = []

    def interrupt(number: int) -> None:
        if not seen:
            running.cancel()
        seen.append(number)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupt, number)
    try:
        outcome = await running
    except asyncio.CancelledError:
        if not seen:
            raise
        raise _Interrupted(seen[0]) from None
    return DONE if isinstance(outcome, Report) else FAILED


def _console() -> Console:
    is_terminal = sys.stdout.isatty()
    return Console(highlight=False, width=None if is_terminal else _PLAIN_WIDTH)


def _sheets(word: str) -> int:
    number = int(word)
    if not FEWEST_SHEETS <= number <= MOST_SHEETS_IN_ALL:
        raise argparse.ArgumentTypeError(f"{FEWEST_SHEETS} to {MOST_SHEETS_IN_ALL}")
    return number


if __name__ == "__main__":
    sys.exit(main())
