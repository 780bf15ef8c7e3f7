"""`kho verify`: judges the signatures of files; nothing is stored."""

import argparse
import time
from pathlib import Path

from kho.v1 import verdict_pb2
from kho_cli.exit_status import DONE, REFUSED
from kho_cli.options import Subparsers, add_command, client_of
from kho_cli.terminal import Terminal
from kho_cli.wire_json import Json, signature_json, summary_json
from kho_client.errors import CallRefused, KhoError, LocalProblem, Text


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands, "verify", "judge the signatures of files; nothing is stored", "kho verify result.pdf --json", run
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="signed PDF")


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Judge every file in order; 0 when all of them are TOTAL_PASSED."""
    have_all_passed = True
    async with client_of(args) as client:
        for file in args.files:
            began = time.monotonic()
            try:
                verdict = await client.verification.verify_file(Path(file))
            except (CallRefused, LocalProblem) as error:
                # One file that cannot be judged is one answer; the others still get theirs.
                have_all_passed = False
                _report_unjudged(terminal, file, error)
                continue
            elapsed_ms = round((time.monotonic() - began) * 1000)
            have_all_passed &= verdict.summary.indication == verdict_pb2.INDICATION_TOTAL_PASSED
            _report(terminal, file, verdict, elapsed_ms)
    return DONE if have_all_passed else REFUSED


def _report(terminal: Terminal, file: str, verdict: verdict_pb2.Verdict, elapsed_ms: int) -> None:
    summary = summary_json(verdict.summary) or {"indication": None, "sub_indication": None}
    if terminal.is_json:
        document = {**summary, "explanation": {"vi": verdict.explanation_vi, "en": verdict.explanation_en}}
        signatures = [signature_json(signature) for signature in verdict.signatures]
        terminal.json_line(_line(file, document, signatures, verdict.policy_version or None, elapsed_ms))
        return
    has_passed = verdict.summary.indication == verdict_pb2.INDICATION_TOTAL_PASSED
    words = [word for word in (summary["indication"], summary["sub_indication"]) if word]
    terminal.line(f"{file}: {' / '.join(words)}", "bold green" if has_passed else "bold red")
    terminal.say(Text(f"  {verdict.explanation_vi}", f"  {verdict.explanation_en}"))
    for signature in (signature_json(signature) for signature in verdict.signatures):
        when = signature["signing_time"] or "không rõ giờ / no time"
        terminal.line(f"  {signature['field']}: {signature['indication']}, {signature['signer']}, {when}")
        for warning in signature["warnings"]:
            terminal.line(f"    {warning}", "yellow")


def _report_unjudged(terminal: Terminal, file: str, error: KhoError) -> None:
    if terminal.is_json:
        explanation = {"vi": error.message_vi, "en": error.message_en}
        document = {"indication": None, "sub_indication": None, "explanation": explanation}
        terminal.json_line(_line(file, document, [], None, None))
        return
    terminal.line(f"{file}: chưa được kiểm tra / not judged", "bold red")
    terminal.say(Text(f"  {error.message_vi}", f"  {error.message_en}"))


def _line(file: str, document: Json, signatures: list[Json], policy: str | None, elapsed_ms: int | None) -> Json:
    # Which trust and which scope were used is told by a later engine; the keys are there already.
    return {
        "file": file,
        "trust": None,
        "scope": None,
        "document": document,
        "signatures": signatures,
        "policy": policy,
        "elapsed_ms": elapsed_ms,
    }
