"""`kho wait`: until a document's signatures are judged."""

import argparse

from kho_cli.exit_status import DONE, REFUSED
from kho_cli.options import Subparsers, add_command, client_of
from kho_cli.terminal import Terminal
from kho_cli.wire_json import document_json, state_name
from kho_client.errors import Text


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands, "wait", "wait until the signatures of a document are judged", "kho wait 0b9c2f4e-… --timeout 120", run
    )
    parser.add_argument("document", metavar="DOCUMENT", help="document id")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="S", help="seconds at most (default: 60)")


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Wait; 1 when the time is over and nothing is decided."""
    async with client_of(args) as client:
        document = await client.wait_for_verdict(args.document, args.timeout)
    state = state_name(document.state)
    if terminal.is_json:
        terminal.json_line(document_json(document))
    else:
        terminal.line(f"{document.document_id}  {state}", "bold")
        if document.HasField("verdict"):
            terminal.say(Text(document.verdict.explanation_vi, document.verdict.explanation_en))
    return REFUSED if state in ("RECEIVED", "VERIFYING") else DONE
