"""`kho lookup`: results by code, one line per code and in order."""

import argparse

from kho.v1 import error_reason_pb2, result_pb2, result_service_pb2
from kho_cli.exit_status import DONE, REFUSED
from kho_cli.options import Subparsers, add_command, client_of
from kho_cli.terminal import Terminal, shown
from kho_cli.wire_json import result_json, summary_json
from kho_client.errors import CallRefused, NotFound, line_refusal


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "lookup",
        "look results up by result code or public code",
        "kho lookup 000.00.16.H46.KQ.G15.000031.000001 --on 2026-11-21",
        run,
    )
    parser.add_argument("codes", nargs="+", metavar="CODE", help="result code or public code")
    parser.add_argument("--on", default="", metavar="DATE", help="day to judge validity on (default: today)")


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Look up; 1 if any code is not found."""
    async with client_of(args) as client:
        lines = await client.batch_lookup(args.codes, args.on)
    are_all_found = True
    for query, line in zip(args.codes, lines, strict=True):
        is_found = line.HasField("result")
        are_all_found &= is_found
        if terminal.is_json:
            result = result_json(line.result) if is_found else None
            terminal.json_line({"query": query, "found": is_found, "result": result})
        elif is_found:
            terminal.line(_found_line(query, line.result), "" if line.result.in_force else "yellow")
        else:
            terminal.line(f"{query}  {_refusal_words(line)}", "red")
        if not is_found and not isinstance(_refusal(line), NotFound) and terminal.is_json:
            terminal.error(_refusal(line))
    return DONE if are_all_found else REFUSED


def _found_line(query: str, result: result_pb2.Result) -> str:
    force = "còn hiệu lực / in force" if result.in_force else "không còn hiệu lực / not in force"
    verdict = summary_json(result.verdict)
    words = (
        query,
        f"{force} ({result.as_of})",
        result.type_code,
        shown(result.number),
        shown(verdict and verdict["indication"]),
        result.document_id,
    )
    return "  ".join(words)


def _refusal_words(line: result_service_pb2.LookupLine) -> str:
    refusal = _refusal(line)
    if isinstance(refusal, NotFound):
        return "không tìm thấy / not found"
    return f"{refusal.message_vi} / {refusal.message_en}"


def _refusal(line: result_service_pb2.LookupLine) -> CallRefused:
    reason = error_reason_pb2.ErrorReason.Name(line.refusal.reason)
    return line_refusal(reason, line.refusal.message_vi, line.refusal.message_en)
