"""`kho accesses`: who had a document of the own agency."""

import argparse

from kho_cli.exit_status import DONE
from kho_cli.options import Subparsers, add_command, client_of
from kho_cli.terminal import Terminal
from kho_cli.wire_json import access_record_json


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands, "accesses", "list who looked at a document or had it, newest first", "kho accesses 0b9c2f4e-…", run
    )
    parser.add_argument("document", metavar="DOCUMENT", help="document id")


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """List them."""
    async with client_of(args) as client:
        records = [access_record_json(record) async for record in client.access.access_records(args.document)]
    if terminal.is_json:
        terminal.json_line({"document_id": args.document, "accesses": records})
        return DONE
    columns = ("at", "agency", "officer", "action", "outcome", "dossier", "bytes_sent")
    terminal.table(columns, [[record[column] for column in columns] for record in records])
    return DONE
