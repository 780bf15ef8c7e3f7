"""`kho restore` and `kho confirm`: a backup becomes a store, and is believed when people have gone through the gap."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kho_cli.exit_status import DONE, REFUSED
from kho_cli.options import Subparsers, add_command
from kho_cli.store_work import store_work
from kho_cli.terminal import Terminal
from kho_client.errors import Text

if TYPE_CHECKING:
    from kho_server.keeping.holding import Confirmation
    from kho_server.keeping.restore import RestoreReport

_RESTORE = "kho restore /mnt/backup/kho --data /var/lib/kho-new"
_CONFIRM = 'kho confirm --data /var/lib/kho-new --reason "Đã nhập lại các lệnh thu hồi từ 21/11 đến 22/11"'


def add(commands: Subparsers) -> None:
    """Add the commands."""
    restoring = add_command(
        commands, "restore", "make a store from a backup; every byte is verified", _RESTORE, run_restore, connects=False
    )
    restoring.add_argument("source", type=Path, metavar="DIR", help="folder of backups")
    restoring.add_argument(
        "--data", type=Path, required=True, metavar="NEW", help="data folder to make; empty or absent"
    )
    restoring.add_argument("--backup", metavar="ID", help="which backup (default: the newest)")
    confirming = add_command(
        commands,
        "confirm",
        "after restore or rebuild: say that what happened since is entered again; signatures are then judged afresh",
        _CONFIRM,
        run_confirm,
        connects=False,
    )
    confirming.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder of the server")
    confirming.add_argument("--reason", required=True, metavar="T", help="who went through what; kept with the event")


async def run_restore(args: argparse.Namespace, terminal: Terminal) -> int:
    """Restore, and say what is lost; exit 1 also when the backup itself lacked files."""

    async def work() -> "RestoreReport":
        from kho_server.keeping.restore import put_back  # noqa: PLC0415 - the server may not be installed

        return await put_back(args.source, args.data, backup_id=args.backup)

    report = await store_work("Không khôi phục được", "The backup could not be restored", work)
    record = report.record
    if terminal.is_json:
        terminal.json_line(
            {
                "backup": record.json(),
                "position": report.position,
                "lost_from_position": report.position + 1,
                "held_documents": report.held,
                "seconds": round(report.seconds, 3),
            }
        )
        return REFUSED if record.missing else DONE
    terminal.facts(
        f"đã khôi phục / restored: {record.backup_id}",
        [
            ("documents", record.documents),
            ("held until kho confirm", report.held),
            ("seconds", f"{report.seconds:.1f}"),
        ],
    )
    for missing in record.missing:
        terminal.line(missing, "red")
    say_what_is_lost(terminal, report.position, record.taken_at)
    return REFUSED if record.missing else DONE


async def run_confirm(args: argparse.Namespace, terminal: Terminal) -> int:
    """Confirm."""

    async def work() -> "Confirmation":
        from kho_server.keeping.holding import confirm_store  # noqa: PLC0415 - the server may not be installed

        return await confirm_store(args.data, args.reason, datetime.now(UTC))

    done = await store_work("Không xác nhận được", "The restore could not be confirmed", work)
    if terminal.is_json:
        terminal.json_line({"released": done.released, "to_judge": done.to_judge})
    else:
        terminal.line(f"đã xác nhận / confirmed: {done.released}; thẩm định lại / to judge: {done.to_judge}", "green")
    return DONE


def say_what_is_lost(terminal: Terminal, position: int, known_until: datetime | None) -> None:
    """Say what nobody can know any more, and what to do about it."""
    until = known_until.isoformat() if known_until else "–"
    terminal.say(
        Text(
            f"Mọi việc sau vị trí {position} ({until}) đã mất: tài liệu mới, thu hồi, hủy quyền, nhật ký truy cập, "
            "trang đang tải dở. Kết quả cũ chưa được coi là còn hiệu lực. Hãy chạy máy chủ, nhập lại các lệnh thu hồi "
            "(kho principal|grant|officer|agency revoke), cho trạm gửi lại, rồi chạy: kho confirm",
            f"Everything after position {position} ({until}) is lost: new documents, recalls, revocations, access "
            "records, pages under way. Nothing that came back is in force. Serve, enter revocations again "
            "(kho principal|grant|officer|agency revoke), let stations send again, then run: kho confirm",
        ),
        "yellow",
    )
