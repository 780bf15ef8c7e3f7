"""`kho serve`: runs the server; every setting of it is an option."""

import argparse
from typing import Any

from kho_cli.exit_status import DONE
from kho_cli.options import Subparsers, add_command, usage
from kho_cli.server_extra import HOW_TO_INSTALL, server_is_missing
from kho_cli.terminal import Terminal
from kho_client.errors import Text

_EXAMPLE = """kho serve --data ./kho-data --dev
  kho serve --data /var/lib/kho --listen 0.0.0.0:7443 \\
      --tls-cert server.crt --tls-key server.key --client-ca clients.crt --trust /etc/kho/trust"""


def add(commands: Subparsers) -> None:
    """Add the command, with the options of the server that is installed."""
    parser = add_command(commands, "serve", "run the server", _EXAMPLE, run, connects=False)
    try:
        from kho_server.config import options  # noqa: PLC0415 - the server may not be installed
    except ImportError as error:
        parser.description = f"run the server (its part is not installed here: {HOW_TO_INSTALL})"
        missing = server_is_missing(error)

        def refuse(args: argparse.Namespace, terminal: Terminal) -> int:
            raise missing

        parser.set_defaults(run=refuse, takes_anything=True)
        return
    group = parser.add_argument_group("settings (flags before KHO_* variables before defaults)")
    names = []
    for option in options():
        names.append(option.name)
        text = option.help_line.replace("%", "%%")
        if option.is_switch:
            group.add_argument(option.flag, dest=option.name, action="store_const", const="yes", help=text)
        else:
            group.add_argument(option.flag, dest=option.name, metavar=_metavar(option), help=text)
    parser.set_defaults(setting_names=tuple(names))


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Run the server until it is told to stop; LocalProblem when it is not installed or a setting is wrong."""
    try:
        from kho_server.serve import run_serve  # noqa: PLC0415 - the server may not be installed
        from kho_server.setting import ConfigError  # noqa: PLC0415
    except ImportError as error:
        raise server_is_missing(error) from error
    flags = argparse.Namespace(**{name: getattr(args, name) for name in args.setting_names})
    try:
        status = run_serve(flags, as_json=terminal.is_json)
    except ConfigError as error:
        text = Text(f"Thiết lập chưa đúng: {error}. Xem: kho serve --help", f"{error}. For help: kho serve --help")
        raise usage(text) from error
    return int(status or DONE)


def _metavar(option: Any) -> str:
    name = str(option.name)
    if name.endswith("listen"):
        return "HOST:PORT"
    if name in ("data", "trust"):
        return "DIR"
    if name.endswith(("_cert", "_key", "_ca", "_file")):
        return "FILE"
    return {"bytes": "N", "seconds": "S", "days": "N"}.get(option.unit, "VALUE")
