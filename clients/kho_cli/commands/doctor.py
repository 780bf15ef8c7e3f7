"""`kho doctor`: why it does not work, and what to do."""

import argparse
import os

from kho_cli.checkup import Finding, check_up
from kho_cli.exit_status import DONE, NO_SERVER, REFUSED
from kho_cli.options import Subparsers, add_command, client_of, settings_of
from kho_cli.terminal import Terminal
from kho_cli.wire_json import Json
from kho_client.calls import utc_now
from kho_client.connection import read_local
from kho_client.errors import KhoError, ServerUnreachable, Text
from kho_client.profile import profile_path

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red"), "skipped": ("–", "dim")}


def add(commands: Subparsers) -> None:
    """Add the command."""
    add_command(
        commands,
        "doctor",
        "check settings, certificates, clock, registration and server",
        "kho doctor --server 127.0.0.1:7443 --cert me.crt --key me.key --ca ca.crt",
        run,
    )


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Check everything; 0 if nothing failed, 3 if no server answers, else 1. Wrong settings are wrong usage."""
    settings = settings_of(args)
    connection = settings.connection
    read_local(connection.ca)
    profile = profile_path(os.environ)
    detail = f"{connection.server}; {profile}{'' if profile.exists() else ' (–)'}"
    findings = [Finding("settings", "ok", Text(detail, detail))]
    _show(terminal, findings[0])
    try:
        async with client_of(args) as client:
            async for finding in check_up(client, utc_now):
                findings.append(finding)
                _show(terminal, finding)
    except KhoError as error:
        findings.append(Finding("certificate", "fail", Text(error.message_vi, error.message_en), error=error))
        _show(terminal, findings[-1])
    failures = [finding for finding in findings if finding.status == "fail"]
    if terminal.is_json:
        terminal.json_line({"ok": not failures, "checks": [_json(finding) for finding in findings]})
    if any(isinstance(finding.error, ServerUnreachable) for finding in failures):
        return NO_SERVER
    return REFUSED if failures else DONE


def _show(terminal: Terminal, finding: Finding) -> None:
    if terminal.is_json:
        return
    mark, style = _MARKS[finding.status]
    terminal.line(f"{mark} {finding.name}", style)
    terminal.say(Text(f"    {finding.detail.vi}", f"    {finding.detail.en}"))
    if finding.remedy is not None:
        terminal.say(Text(f"    → {finding.remedy.vi}", f"    → {finding.remedy.en}"), "bold")


def _json(finding: Finding) -> Json:
    remedy = finding.remedy
    return {
        "name": finding.name,
        "status": finding.status,
        "detail": {"vi": finding.detail.vi, "en": finding.detail.en},
        "remedy": None if remedy is None else {"vi": remedy.vi, "en": remedy.en},
        "reason": finding.error.reason if finding.error else None,
    }
