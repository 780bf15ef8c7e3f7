"""`kho version`: of this program."""

import argparse
from importlib.metadata import version

from kho_cli.exit_status import DONE
from kho_cli.options import Subparsers, add_command
from kho_cli.terminal import Terminal


def add(commands: Subparsers) -> None:
    """Add the command."""
    add_command(commands, "version", "show the version of this program", "kho version", run, connects=False)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Show it."""
    number = version("kho")
    if terminal.is_json:
        terminal.json_line({"version": number})
    else:
        terminal.line(f"kho {number}")
    return DONE
