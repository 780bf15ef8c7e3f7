"""How long it takes to save a store and to have it back: `python -m ops.recovery.run --documents 100000`.

Makes a store of judged documents, then measures, one after the other: a first backup, a second one after a hundredth
more documents, restore, check, and rebuild from the store alone. Writes one line for each, and JSON with --json FILE.
Nobody is served meanwhile; a served store shares its disk and processor.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kho_server.keeping.backup import back_up
from kho_server.keeping.checking import check
from kho_server.keeping.reach import reach
from kho_server.keeping.rebuilding import rebuild
from kho_server.keeping.restore import put_back
from ops.recovery.stock import Size, add_documents, make_store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measured:
    """One step and its seconds."""

    name: str
    seconds: float
    facts: dict[str, Any]


async def measure(folder: Path, size: Size) -> list[Measured]:
    """Do all steps below a folder and return what each took. RuntimeError: something did not come back whole."""
    steps: list[Measured] = []

    async def step(name: str, work: Callable[[], Awaitable[T]], facts: Callable[[T], dict[str, Any]]) -> T:
        started = time.monotonic()
        done = await work()
        steps.append(Measured(name, round(time.monotonic() - started, 1), facts(done)))
        sys.stdout.write(f"{name:<28} {steps[-1].seconds:>8.1f} s  {steps[-1].facts}\n")
        sys.stdout.flush()
        return done

    data, backups, new = folder / "data", folder / "backups", folder / "new"
    await step("store made", lambda: make_store(data, size), lambda _: {"documents": size.documents})
    await step(
        "first backup",
        lambda: back_up(backups, data),
        lambda report: {"files": report.new_files, "bytes": report.new_bytes, "position": report.record.position},
    )
    more = Size(max(size.documents // 100, 1), size.pages, size.page_bytes)
    async with reach(data, {}) as store:
        await add_documents(data, store.database, store.identity.store_id, more)
    await step(
        f"backup of {more.documents} more",
        lambda: back_up(backups, data),
        lambda report: {"files": report.new_files, "bytes": report.new_bytes, "position": report.record.position},
    )
    restored = await step("restore", lambda: put_back(backups, new), lambda report: {"held": report.held})
    checked = await step("check", lambda: check(new), lambda report: {"findings": len(report.findings)})
    shutil.rmtree(new / "postgres")
    rebuilt = await step(
        "rebuild", lambda: rebuild(new), lambda report: {"position": report.position, "held": report.held}
    )
    documents = size.documents + more.documents
    if checked.findings or rebuilt.findings or not documents == restored.held == rebuilt.held:
        raise RuntimeError(f"not all came back: {checked.findings[:3]} {rebuilt.findings[:3]}")
    return steps


def main() -> int:
    """Run with the settings of the command line."""
    parser = argparse.ArgumentParser(prog="python -m ops.recovery.run", description=__doc__)
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--pages", type=int, default=2, help="pages of a document, beside its signed file")
    parser.add_argument("--page-bytes", type=int, default=4096)
    parser.add_argument("--folder", type=Path, help="an empty folder on the disk to measure (default: temporary)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="kho-recovery-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        steps = asyncio.run(measure(folder, Size(args.documents, args.pages, args.page_bytes)))
    finally:
        for made in ("data", "backups", "new"):
            shutil.rmtree(folder / made, ignore_errors=True)
        if args.folder is None:
            folder.rmdir()
    if args.json is not None:
        values = [{"step": step.name, "seconds": step.seconds} | step.facts for step in steps]
        args.json.write_text(json.dumps({"documents": args.documents, "steps": values}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
