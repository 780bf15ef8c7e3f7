"""Registers the first administrator on the server itself: before that nobody could register anybody."""

import inspect
from pathlib import Path

from kho_cli.exit_status import DONE
from kho_cli.options import usage
from kho_cli.server_extra import server_is_missing
from kho_cli.terminal import Terminal
from kho_client.connection import read_local
from kho_client.errors import Text, local_problem


async def add_first_administrator(data: Path, certificate: Path | None, name: str, terminal: Terminal) -> int:
    """Register a certificate as administrator in a data folder; LocalProblem says why it cannot be."""
    try:
        from kho_server.bootstrap import add_administrator  # noqa: PLC0415 - the server may not be installed
    except ImportError as error:
        raise server_is_missing(error) from error
    if certificate is None:
        raise usage(Text("Hãy nêu chứng thư bằng --certificate.", "Name the certificate with --certificate."))
    read_local(certificate)
    try:
        outcome = add_administrator(data=data, certificate=certificate, display_name=name or certificate.stem)
        principal_id = str(await outcome if inspect.isawaitable(outcome) else outcome)
    except (OSError, ValueError) as error:
        text = Text(f"Không đăng ký được quản trị: {error}", f"The administrator cannot be registered: {error}")
        raise local_problem("BOOTSTRAP_FAILED", text) from error
    if terminal.is_json:
        terminal.json_line({"id": principal_id})
    else:
        terminal.line(f"đã đăng ký quản trị / registered administrator {principal_id}", "green")
    return DONE
