"""`kho verify`: judges the signatures of files, by a server or on this machine; nothing is stored."""

import argparse
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

from kho_cli.exit_status import DONE, REFUSED
from kho_cli.local_verification import LocalQuestion, local_verifier
from kho_cli.options import Subparsers, add_command, client_of, usage
from kho_cli.terminal import Terminal
from kho_cli.verdict_report import write_report
from kho_cli.wire_json import Json, signature_json, summary_json, time_text
from kho_client.errors import CallRefused, KhoError, LocalProblem, Text

EMBEDDED = "embedded"
_EXAMPLE = """kho verify result.pdf --json
  kho verify --local --trust /etc/kho/trust --at 2022-09-05 result.pdf
  kho verify --local --trust embedded result.pdf.p7s --content result.pdf"""
# Legal days are days of this zone, whatever the clock of the machine.
# Asia/Ho_Chi_Minh: +07:00 without daylight saving since 1975; desks on Windows have no table of zones.
_LEGAL_ZONE = timezone(timedelta(hours=7))
_NOWHERE: Json = {"indication": None, "sub_indication": None}

_KEPT = (
    *("field", "indication", "sub_indication", "role", "signer", "signing_time"),
    *("level", "warnings", "changes_after"),
)
_PROVEN = "best_signature_time"

Judge = Callable[[Path], Awaitable[Json]]
"""Judges one file; returns document, signatures, policy, scope and warnings. CallRefused, LocalProblem."""


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(commands, "verify", "judge the signatures of files; nothing is stored", _EXAMPLE, run)
    parser.add_argument("files", nargs="+", metavar="FILE", help="signed PDF, or CMS/CAdES signature")
    group = parser.add_argument_group("judging on this machine, without a server")
    group.add_argument("--local", action="store_true", help="use the engine and the limits of the server, here")
    group.add_argument(
        "--trust",
        metavar="DIR|embedded",
        help="folder of anchors, intermediates and lists; or 'embedded': integrity only, nobody is asked for trust",
    )
    group.add_argument("--at", metavar="TIME", help="control time, e.g. 2022-09-05 or 2022-09-05T08:00:00+07:00")
    group.add_argument("--policy", metavar="FILE", help="rules to judge by, TOML; default: those in force at the time")
    group.add_argument("--content", metavar="FILE", help="the file that a detached signature signs")


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Judge every file in order; 0 when all of them are TOTAL_PASSED."""
    # Each of these says by what to judge, which only an engine at hand can be told.
    is_local = args.local or any(value is not None for value in (args.trust, args.at, args.content, args.policy))
    if is_local:
        if args.trust is None:
            raise usage(
                Text(
                    "Hãy nêu --trust THƯ_MỤC hoặc --trust embedded khi kiểm tra trên máy này.",
                    "Say --trust DIR or --trust embedded when judging on this machine.",
                )
            )
        question = LocalQuestion(_trust(args.trust), _instant(args.at), _file(args.content), _file(args.policy))
        async with local_verifier(question) as verifier:

            async def judge_here(path: Path) -> Json:
                return _of_report(await verifier.verify_file(path))

            return await _judge_all(args.files, args.trust, judge_here, terminal)
    async with client_of(args) as client:

        async def ask(path: Path) -> Json:
            return _of_message(await client.verification.verify_file(path))

        return await _judge_all(args.files, None, ask, terminal)


async def _judge_all(files: list[str], trust: str | None, judge: Judge, terminal: Terminal) -> int:
    have_all_passed = True
    for file in files:
        began = time.monotonic()
        try:
            judged = await judge(Path(file))
        except (CallRefused, LocalProblem) as error:
            # One file that cannot be judged is one answer; the others still get theirs.
            have_all_passed = False
            _report_unjudged(terminal, file, trust, error)
            continue
        elapsed_ms = round((time.monotonic() - began) * 1000)
        have_all_passed &= judged["document"]["indication"] == "TOTAL_PASSED"
        warnings = judged.pop("warnings")
        line: Json = {"file": file, "trust": trust, **judged, "elapsed_ms": elapsed_ms}
        if terminal.is_json:
            # The keys of a line are a contract; what else a person may like to see is for the terminal.
            document = {**judged["document"], "warnings": warnings}
            signatures = [{key: one[key] for key in _KEPT} for one in judged["signatures"]]
            terminal.json_line({**line, "document": document, "signatures": signatures})
        else:
            write_report(terminal, {**line, "warnings": warnings})
    return DONE if have_all_passed else REFUSED


def _of_message(verdict: Any) -> Json:
    summary = summary_json(verdict.summary) or _NOWHERE
    return {
        "scope": verdict.scope or None,
        "document": {**summary, "explanation": {"vi": verdict.explanation_vi, "en": verdict.explanation_en}},
        "signatures": [
            {**signature_json(one), _PROVEN: time_text(one.best_signature_time)} for one in verdict.signatures
        ],
        "policy": verdict.policy_version or None,
        "warnings": list(verdict.warnings),
    }


def _of_report(report: Json) -> Json:
    return {
        "scope": report["scope"],
        "document": {
            "indication": report["indication"],
            "sub_indication": report["sub_indication"],
            "explanation": {"vi": report["explanation_vi"], "en": report["explanation_en"]},
        },
        "signatures": [{key: signature[key] for key in (*_KEPT, _PROVEN)} for signature in report["signatures"]],
        "policy": report["policy_version"],
        "warnings": report["warnings"],
    }


def _report_unjudged(terminal: Terminal, file: str, trust: str | None, error: KhoError) -> None:
    if terminal.is_json:
        document: Json = {**_NOWHERE, "warnings": [], "explanation": {"vi": error.message_vi, "en": error.message_en}}
        line: Json = {"file": file, "trust": trust, "scope": None, "document": document, "signatures": []}
        terminal.json_line({**line, "policy": None, "elapsed_ms": None})
        return
    terminal.line(f"{file}: chưa được kiểm tra / not judged", "bold red")
    terminal.say(Text(f"  {error.message_vi}", f"  {error.message_en}"))


def _trust(word: str) -> Path | None:
    if word == EMBEDDED:
        return None
    folder = Path(word)
    if not folder.is_dir():
        raise usage(Text(f"Không có thư mục tin cậy {folder}.", f"There is no trust folder {folder}."))
    return folder


def _file(word: str | None) -> Path | None:
    if word is not None and not Path(word).is_file():
        raise usage(Text(f"Không có tệp {word}.", f"There is no file {word}."))
    return None if word is None else Path(word)


def _instant(word: str | None) -> datetime | None:
    """Read a control time; a day means its end, for by then everything of that day has happened."""
    if word is None:
        return None
    try:
        if "T" not in word and " " not in word:
            return datetime.combine(date.fromisoformat(word), time_of_day(23, 59, 59), _LEGAL_ZONE).astimezone(UTC)
        instant = datetime.fromisoformat(word)
    except ValueError as error:
        text = Text(f"--at {word} không phải là thời điểm (ISO 8601).", f"--at {word} is no time (ISO 8601).")
        raise usage(text) from error
    return (instant if instant.utcoffset() is not None else instant.replace(tzinfo=_LEGAL_ZONE)).astimezone(UTC)
