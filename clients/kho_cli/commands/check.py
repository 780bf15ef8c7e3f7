"""`kho check`: compares bytes, manifests, rows, events and projections."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kho_cli.exit_status import DONE, REFUSED
from kho_cli.options import Subparsers, add_command
from kho_cli.store_work import show_findings, store_work
from kho_cli.terminal import Terminal

if TYPE_CHECKING:
    from kho_server.keeping.checking import CheckReport


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "check",
        "check a store, served or not: every digest, reference, manifest, event and projection",
        "kho check --data /var/lib/kho",
        run,
        connects=False,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder of the server")


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Check; exit 1 when there are findings."""

    async def work() -> "CheckReport":
        from kho_server.keeping.checking import check  # noqa: PLC0415 - the server may not be installed

        return await check(args.data)

    report = await store_work("Không kiểm tra được", "The store could not be checked", work)
    if terminal.is_json:
        terminal.json_line(
            {
                "findings": [finding.json() for finding in report.findings],
                "notes": [finding.json() for finding in report.notes],
                "is_served": report.is_served,
                "seconds": round(report.seconds, 3),
            }
        )
    else:
        show_findings(terminal, report.findings, "red")
        show_findings(terminal, report.notes, "dim")
        words = f"{len(report.findings)} phát hiện / findings, {len(report.notes)} ghi chú / notes"
        terminal.line(f"{words}, {report.seconds:.1f} s", "red" if report.findings else "green")
    return REFUSED if report.findings else DONE
