"""`kho dev-pki`: certificates to try Kho out; never for real data."""

import argparse
from pathlib import Path

from kho_cli.exit_status import DONE
from kho_cli.options import Subparsers, add_command
from kho_cli.server_extra import server_is_missing
from kho_cli.terminal import Terminal
from kho_client.errors import Text, local_problem


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands, "dev-pki", "make certificates for development", "kho dev-pki ./pki", run, connects=False
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder to make; a complete one stays as it is")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Make them."""
    try:
        from kho_server.dev_pki import DevPkiError, write_dev_pki  # noqa: PLC0415 - the server may not be installed
    except ImportError as error:
        raise server_is_missing(error) from error
    try:
        pki = write_dev_pki(args.folder)
    except (DevPkiError, OSError) as error:
        text = Text(f"Không tạo được chứng thư: {error}", f"The certificates cannot be made: {error}")
        raise local_problem("DEV_PKI_FAILED", text) from error
    names = sorted(str(path.relative_to(pki.folder)) for path in pki.expected_files())
    if terminal.is_json:
        terminal.json_line({"pki": str(pki.folder), "files": names})
    else:
        terminal.line(f"{pki.folder}: {', '.join(names)}")
        terminal.say(
            Text("Chỉ dùng để phát triển, thử nghiệm.", "For development only: every key lies unencrypted."), "yellow"
        )
    return DONE
