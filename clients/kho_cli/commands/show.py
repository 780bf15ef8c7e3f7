"""`kho show`: one document of the own agency."""

import argparse

from kho_cli.exit_status import DONE
from kho_cli.options import Subparsers, add_command, client_of
from kho_cli.terminal import Terminal
from kho_cli.wire_json import document_json
from kho_client.errors import Text


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands, "show", "show a document: versions, result, verdict", "kho show 0b9c2f4e-… --json", run
    )
    parser.add_argument("document", metavar="DOCUMENT", help="document id or resource name")


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Show it."""
    async with client_of(args) as client:
        document = await client.get_document(args.document)
    shown = document_json(document)
    if terminal.is_json:
        terminal.json_line(shown)
        return DONE
    facts = [
        ("loại / kind", shown["kind"]),
        ("hồ sơ / dossier", shown["dossier"]),
        ("thủ tục / procedure", shown["procedure"]),
        ("trạng thái / state", shown["state"]),
        ("lưu lúc / stored at", shown["created_at"]),
    ]
    if shown["result"]:
        result = shown["result"]
        facts += [
            ("mã kết quả / result code", result["result_code"]),
            ("mã công khai / public code", result["public_code"]),
            ("số hiệu / number", result["number"]),
            ("hiệu lực / valid", f"{result['valid_from'] or '…'} – {result['valid_to'] or '…'}"),
            ("còn hiệu lực / in force", result["in_force"]),
        ]
    terminal.facts(f"Tài liệu / document {shown['document_id']}", facts)
    rows = [
        (
            version["version"],
            version["reason"],
            version["sealed_at"],
            version["officer"],
            len(version["parts"]),
            f"{sum(part['size_bytes'] for part in version['parts']):,}",
        )
        for version in shown["versions"]
    ]
    terminal.table(("bản / version", "lý do / reason", "lúc / at", "cán bộ / officer", "phần / parts", "bytes"), rows)
    if shown["verdict"]:
        verdict = document.verdict
        terminal.line(f"Chữ ký / signatures: {shown['verdict']['indication']}", "bold")
        terminal.say(Text(verdict.explanation_vi, verdict.explanation_en))
    return DONE
