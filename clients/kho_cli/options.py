"""Options that many commands share, and the parser that refuses with our own words."""

import argparse
import os
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from kho_cli.terminal import LANGUAGES, Terminal
from kho_client.errors import LocalProblem, Text, local_problem
from kho_client.kho import KhoClient
from kho_client.profile import Settings, read_settings

Run = Callable[[argparse.Namespace, Terminal], int | Coroutine[Any, Any, int]]
"""Does one command and returns the exit status; what talks to a server is a coroutine."""
Subparsers = Any
"""What `add_subparsers` returns; argparse keeps its type to itself."""


class Parser(argparse.ArgumentParser):
    """A parser that raises LocalProblem USAGE instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Refuse a wrong command line."""
        raise usage(
            Text(
                f"Lệnh chưa đúng: {message}. Xem hướng dẫn: {self.prog} --help",
                f"Wrong usage: {message}. For help: {self.prog} --help",
            )
        )


def usage(message: Text) -> LocalProblem:
    """Return the error for a wrong command line."""
    return local_problem("USAGE", message)


def add_command(
    commands: Subparsers,
    name: str,
    summary: str,
    example: str,
    run: Run,
    *,
    connects: bool = True,
    acting: str = "--officer",
) -> argparse.ArgumentParser:
    """Add a command with help, an example and the shared options; `run` does it.

    `acting` is the flag of the acting officer, where --officer means somebody else.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="write JSON: one object, or one per line for many")
    output.add_argument("--lang", choices=LANGUAGES, help="language of messages (KHO_LANG; default: both)")
    if connects:
        _add_connection(parser, acting)
    return parser


def add_group(commands: Subparsers, name: str, summary: str) -> Subparsers:
    """Add a family of commands; returns what its members are added to."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)


def _add_connection(parser: argparse.ArgumentParser, acting: str) -> None:
    """Add where to connect and in whose name."""
    group = parser.add_argument_group("connection (flags before KHO_* variables before the profile file)")
    group.add_argument("--server", metavar="HOST:PORT", help="address of the server (KHO_SERVER)")
    group.add_argument("--cert", metavar="FILE", help="certificate of this machine, PEM (KHO_CERT)")
    group.add_argument("--key", metavar="FILE", help="its private key, PEM without passphrase (KHO_KEY)")
    group.add_argument("--ca", metavar="FILE", help="authorities of the server's certificate, PEM (KHO_CA)")
    group.add_argument(
        acting, dest="officer", metavar="ID", help="acting officer (KHO_OFFICER; default: the station's own officer)"
    )


def settings_of(args: argparse.Namespace) -> Settings:
    """Resolve where to connect."""
    flags = {name: getattr(args, name) for name in ("server", "cert", "key", "ca", "officer")}
    return read_settings(flags, os.environ)


def client_of(args: argparse.Namespace) -> KhoClient:
    """Open a client for a command; use as a context."""
    settings = settings_of(args)
    return KhoClient(settings.connection, officer_id=settings.officer_id)
