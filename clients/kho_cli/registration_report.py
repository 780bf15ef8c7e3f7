"""What came of registrations, line by line."""

from collections.abc import Sequence

from kho.v1 import error_reason_pb2, registry_service_pb2
from kho_cli.exit_status import DONE, REFUSED
from kho_cli.terminal import Terminal, error_json
from kho_cli.wire_json import Json
from kho_client.errors import KhoError, line_refusal

Lines = Sequence[registry_service_pb2.RegistrationLine]


def refusal_of(line: registry_service_pb2.RegistrationLine) -> KhoError | None:
    """Return why a line was refused; None when it was taken."""
    if line.refusal == error_reason_pb2.ERROR_REASON_UNSPECIFIED:
        return None
    return line_refusal(error_reason_pb2.ErrorReason.Name(line.refusal), line.message_vi, line.message_en)


def report_one(terminal: Terminal, lines: Lines) -> int:
    """Report a single registration; raises its refusal."""
    refusal = refusal_of(lines[0])
    if refusal is not None:
        raise refusal
    if terminal.is_json:
        terminal.json_line({"id": lines[0].id})
    else:
        terminal.line(f"đã đăng ký / registered {lines[0].id}", "green")
    return DONE


def report_import(terminal: Terminal, numbers: Sequence[int], lines: Lines) -> int:
    """Report every line of an imported file; 1 if any was refused."""
    refusals = [refusal_of(line) for line in lines]
    refused = sum(refusal is not None for refusal in refusals)
    if terminal.is_json:
        report = [_line_json(*item) for item in zip(numbers, lines, refusals, strict=True)]
        terminal.json_line({"total": len(lines), "accepted": len(lines) - refused, "refused": refused, "lines": report})
        return REFUSED if refused else DONE
    for number, line, refusal in zip(numbers, lines, refusals, strict=True):
        if refusal is None:
            terminal.line(f"dòng / line {number}: {line.id}", "green")
        else:
            terminal.line(f"dòng / line {number}: {refusal.message_vi} / {refusal.message_en}", "red")
    terminal.line(f"nhận / accepted {len(lines) - refused}, từ chối / refused {refused}", "bold")
    return REFUSED if refused else DONE


def report_dry_run(terminal: Terminal, count: int) -> int:
    """Report a file that was only read."""
    if terminal.is_json:
        terminal.json_line({"total": count, "accepted": None, "refused": None, "lines": []})
    else:
        terminal.line(f"đọc được / readable: {count}")
    return DONE


def report_revoked(terminal: Terminal, name: str) -> int:
    """Report a revocation."""
    if terminal.is_json:
        terminal.json_line({"revoked": name})
    else:
        terminal.line(f"đã thu hồi / revoked {name}", "green")
    return DONE


def _line_json(number: int, line: registry_service_pb2.RegistrationLine, refusal: KhoError | None) -> Json:
    return {
        "line": number,
        "id": line.id or None,
        "refusal": None if refusal is None else dict(error_json(refusal))["error"],
    }
