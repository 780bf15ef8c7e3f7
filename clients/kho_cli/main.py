"""Entry point of `kho`: reads the command line, runs one command, turns errors into words and an exit status."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from kho_cli.commands import (
    accesses,
    agency,
    backup,
    check,
    correct,
    dev_pki,
    doctor,
    fetch,
    grant,
    lookup,
    officer,
    principal,
    rebuild,
    restore,
    serve,
    show,
    upload,
    verify,
    version,
    wait,
)
from kho_cli.exit_status import INTERRUPTED, PIPE_CLOSED, exit_status_of
from kho_cli.options import Parser, usage
from kho_cli.terminal import Terminal, language_of
from kho_client.errors import KhoError, Text

_FAMILIES = (
    upload,
    correct,
    wait,
    show,
    accesses,
    lookup,
    fetch,
    verify,
    doctor,
    grant,
    agency,
    officer,
    principal,
    serve,
    backup,
    restore,
    check,
    rebuild,
    dev_pki,
    version,
)
_DESCRIPTION = """Kho: kho quản lý dữ liệu điện tử kết quả giải quyết thủ tục hành chính.
The electronic repository of administrative-procedure results."""
_EPILOG = """exit status: 0 done, 1 refused, 2 wrong usage, 3 no server answers

start:   kho serve --data ./kho-data --dev
check:   kho doctor"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `kho`; returns the exit status."""
    status: int
    words = list(sys.argv[1:] if arguments is None else arguments)
    terminal = Terminal(is_json="--json" in words, language=language_of(os.environ.get("KHO_LANG")))
    try:
        args = _read(words)
        if not hasattr(args, "run"):
            raise usage(Text("Chưa nêu lệnh. Xem hướng dẫn: kho --help", "No command is given. For help: kho --help"))
        if args.lang:
            terminal.language = args.lang
        outcome = args.run(args, terminal)
        status = outcome if isinstance(outcome, int) else asyncio.run(outcome)
        sys.stdout.flush()
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at exit; there must be somebody to take it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KhoError as error:
        terminal.error(error)
        return exit_status_of(error)
    return status


def _read(words: Sequence[str]) -> argparse.Namespace:
    parser = build_parser()
    args, unknown = parser.parse_known_args(words)
    # Where the server is not installed, `serve` cannot know its options; then it says so whatever they are.
    if unknown and not getattr(args, "takes_anything", False):
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return args


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="kho",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for family in _FAMILIES:
        family.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
