"""`kho backup`: copies database and store while the server serves."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kho_cli.exit_status import DONE, REFUSED
from kho_cli.options import Subparsers, add_command
from kho_cli.store_work import store_work
from kho_cli.terminal import Terminal
from kho_client.errors import Text

if TYPE_CHECKING:
    from kho_server.keeping.backup import BackupReport

_EXAMPLE = "kho backup /mnt/backup/kho --data /var/lib/kho"


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands, "backup", "back a store up, served or not; only new files are copied", _EXAMPLE, run, connects=False
    )
    parser.add_argument("target", type=Path, metavar="DIR", help="folder of backups; made if it is absent")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder of the server")
    parser.add_argument(
        "--link",
        action="store_true",
        help="share the bytes of files on the same device: quick, but no second copy of them",
    )


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Back up; exit 1 also when something in the store is damaged and therefore not in the backup."""

    async def work() -> "BackupReport":
        from kho_server.keeping.backup import back_up  # noqa: PLC0415 - the server may not be installed

        return await back_up(args.target, args.data, link=args.link)

    report = await store_work("Không sao lưu được", "The backup could not be made", work)
    record = report.record
    if terminal.is_json:
        terminal.json_line(
            record.json()
            | {"new_files": report.new_files, "new_bytes": report.new_bytes, "seconds": round(report.seconds, 3)}
        )
    else:
        terminal.facts(
            f"đã sao lưu / backed up: {record.backup_id}",
            [
                ("taken at", record.taken_at.isoformat()),
                ("position", record.position),
                ("documents", record.documents),
                ("files", f"{record.files} ({report.new_files} new)"),
                ("bytes", f"{record.bytes} ({report.new_bytes} new)"),
                ("seconds", f"{report.seconds:.1f}"),
            ],
        )
        for missing in record.missing:
            terminal.line(missing, "red")
        if record.missing:
            terminal.hint(
                Text(
                    "Các tệp trên bị hỏng hoặc mất trong kho, không có trong bản sao lưu. Hãy chạy: kho check",
                    "These files are damaged or gone in the store and not in this backup. Run: kho check",
                )
            )
    return REFUSED if record.missing else DONE
