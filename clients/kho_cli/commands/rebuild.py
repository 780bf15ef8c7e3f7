"""`kho rebuild`: a new database from the store alone."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kho_cli.commands.restore import say_what_is_lost
from kho_cli.exit_status import DONE, REFUSED
from kho_cli.options import Subparsers, add_command
from kho_cli.store_work import show_findings, store_work
from kho_cli.terminal import Terminal

if TYPE_CHECKING:
    from kho_server.keeping.rebuilding import RebuildReport


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "rebuild",
        "make a new database from manifests, blobs and events of the store, when the old one is lost",
        "kho rebuild --data /var/lib/kho",
        run,
        connects=False,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder; its server is stopped")


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Rebuild, and say what is lost; exit 1 when something did not come back."""

    async def work() -> "RebuildReport":
        from kho_server.keeping.rebuilding import rebuild  # noqa: PLC0415 - the server may not be installed

        return await rebuild(args.data)

    report = await store_work("Không dựng lại được", "The database could not be rebuilt", work)
    if terminal.is_json:
        terminal.json_line(
            {
                "position": report.position,
                "lost_from_position": report.position + 1,
                "last_event_at": report.last_event_at.isoformat() if report.last_event_at else None,
                "events_erased": report.events_erased,
                "from_manifests": report.from_manifests,
                "held_documents": report.held,
                "findings": [finding.json() for finding in report.findings],
                "seconds": round(report.seconds, 3),
            }
        )
        return REFUSED if report.findings else DONE
    terminal.facts(
        "đã dựng lại / rebuilt",
        [
            ("events up to position", report.position),
            ("versions of which only manifests tell", report.from_manifests),
            ("held until kho confirm", report.held),
            ("seconds", f"{report.seconds:.1f}"),
        ],
    )
    show_findings(terminal, report.findings, "red")
    say_what_is_lost(terminal, report.position, report.last_event_at)
    return REFUSED if report.findings else DONE
