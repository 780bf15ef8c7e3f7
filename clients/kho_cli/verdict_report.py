"""A verdict as a person likes to read it: the answer, one block per signature, the remedy last."""

from kho_cli.terminal import Terminal
from kho_cli.wire_json import Json
from kho_client.errors import Text

_STYLES = {"TOTAL_PASSED": "bold green", "TOTAL_FAILED": "bold red", "NO_SIGNATURE": "bold red"}
_MARKS = {"TOTAL_PASSED": "✔", "TOTAL_FAILED": "✘", "NO_SIGNATURE": "✘"}
_ANSWERS = {
    "TOTAL_PASSED": "hợp lệ / passed",
    "TOTAL_FAILED": "không hợp lệ / failed",
    "INDETERMINATE": "chưa kết luận được / cannot be decided",
    "NO_SIGNATURE": "không có chữ ký / no signature",
}
_ROLES = {"OFFICER": "cán bộ / officer", "AGENCY": "cơ quan / agency"}
_INTEGRITY_ONLY = Text(
    "  CHÚ Ý: chỉ kiểm tra tính toàn vẹn. Chưa xét ai ký, chứng thư số, thu hồi, thời gian và vai trò.",
    "  ATTENTION: integrity only. Who signed, certificates, revocation, time and role were NOT judged.",
)


def write_report(terminal: Terminal, line: Json) -> None:
    """Write one line of `kho verify --json` for people."""
    document = line["document"]
    indication = document["indication"]
    style = _STYLES.get(indication, "bold yellow")
    reason = f" [{document['sub_indication']}]" if document["sub_indication"] else ""
    mark = _MARKS.get(indication, "?")
    terminal.line(f"{mark} {line['file']}: {_ANSWERS.get(indication, indication)}{reason}", style)
    if line["scope"] == "integrity":
        terminal.say(_INTEGRITY_ONLY, "bold yellow")
    for signature in line["signatures"]:
        _write_signature(terminal, signature)
    for warning in line.get("warnings", ()):
        terminal.line(f"  ! {warning}", "yellow")
    explanation = document["explanation"]
    terminal.say(Text(f"  → {explanation['vi']}", f"  → {explanation['en']}"))


def _write_signature(terminal: Terminal, signature: Json) -> None:
    indication = signature["indication"]
    reason = f" [{signature['sub_indication']}]" if signature["sub_indication"] else ""
    answer = f"{_MARKS.get(indication, '?')} {_ANSWERS.get(indication, indication)}{reason}"
    terminal.line(f"  {signature['field']}: {answer}", _STYLES.get(indication, "bold yellow"))
    proven = signature.get("best_signature_time")
    role = signature["role"]
    facts = [
        ("người ký / signer", signature["signer"]),
        ("vai trò / role", _ROLES.get(role, role)),
        ("giờ ký khai báo / claimed time", signature["signing_time"]),
        ("giờ được chứng minh / proven time", proven),
        ("mức / level", signature["level"]),
    ]
    for name, value in facts:
        if value:
            terminal.line(f"    {name}: {value}", "dim")
    for change in signature["changes_after"]:
        allowed = "được phép / allowed" if change["is_allowed"] else "KHÔNG được phép / NOT allowed"
        terminal.line(
            f"    sau khi ký / afterwards: {change['rule']}, {change['where']}: {allowed}",
            "dim" if change["is_allowed"] else "red",
        )
    for warning in signature["warnings"]:
        terminal.line(f"    ! {warning}", "yellow")
