"""`kho add-rendition` and `kho correct`: new versions of a stored document; nothing is overwritten."""

import argparse
from pathlib import Path

from kho_cli.commands.upload import report
from kho_cli.exit_status import DONE
from kho_cli.local_files import require_readable
from kho_cli.options import Subparsers, add_command, client_of
from kho_cli.terminal import Terminal
from kho_cli.upload_bar import upload_bar
from kho_client.retry import Patience


def add(commands: Subparsers) -> None:
    """Add both commands."""
    adding = add_command(
        commands,
        "add-rendition",
        "add a signed file to a stored document, as when the agency signs later",
        "kho add-rendition 0b9c… --signed signed-by-agency.pdf --pages page-1.jpg page-2.jpg",
        run_add,
    )
    adding.add_argument("document", metavar="DOCUMENT", help="document id")
    adding.add_argument("--signed", required=True, type=Path, metavar="FILE.pdf", help="the signed file")
    adding.add_argument(
        "--pages", nargs="+", default=[], type=Path, metavar="FILE", help="the stored pages, if at hand: saves sending"
    )
    correcting = add_command(
        commands,
        "correct",
        "replace a wrong scan by a new version; the old one stays",
        'kho correct 0b9c… --reason "Trang 2 bị lệch" --pages page-1.jpg page-2.jpg --signed result.pdf',
        run_correct,
    )
    correcting.add_argument("document", metavar="DOCUMENT", help="document id")
    correcting.add_argument("--reason", required=True, metavar="TEXT", help="why, in the officer's words")
    correcting.add_argument("--pages", nargs="+", required=True, type=Path, metavar="FILE", help="pages, in order")
    correcting.add_argument("--signed", type=Path, metavar="FILE.pdf", help="signed file")
    correcting.add_argument("--sheets", type=int, default=0, metavar="N", help="physical sheets scanned")
    for parser in (adding, correcting):
        parser.add_argument(
            "--base-version", type=int, default=0, metavar="N", help="version it follows (default: newest)"
        )
        parser.add_argument("--wait-verdict", action="store_true", help="wait until the signatures are judged")
        parser.add_argument(
            "--patience", type=float, default=300.0, metavar="S", help="seconds without progress before giving up"
        )


async def run_add(args: argparse.Namespace, terminal: Terminal) -> int:
    """Add a signed file."""
    require_readable([*args.pages, args.signed])
    async with client_of(args) as client:
        with upload_bar(terminal, [args.signed]) as on_progress:
            outcome = await client.versions.add_rendition(
                args.document,
                args.signed,
                pages=args.pages,
                base_version=args.base_version,
                patience=Patience(without_progress_s=args.patience),
                on_progress=on_progress,
            )
        await report(client, terminal, outcome, wait_verdict=args.wait_verdict)
    return DONE


async def run_correct(args: argparse.Namespace, terminal: Terminal) -> int:
    """Correct a scan."""
    require_readable([*args.pages, args.signed])
    async with client_of(args) as client:
        with upload_bar(terminal, [*args.pages, args.signed]) as on_progress:
            outcome = await client.versions.correct(
                args.document,
                args.reason,
                args.pages,
                signed=args.signed,
                sheets=max(0, args.sheets),
                base_version=args.base_version,
                patience=Patience(without_progress_s=args.patience),
                on_progress=on_progress,
            )
        await report(client, terminal, outcome, wait_verdict=args.wait_verdict)
    return DONE
