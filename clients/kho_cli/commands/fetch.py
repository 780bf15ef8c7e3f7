"""`kho fetch`: another agency's result for a dossier, byte for byte, with a record of it."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from kho.v1 import reuse_service_pb2
from kho_cli.exit_status import DONE
from kho_cli.options import Subparsers, add_command, client_of, usage
from kho_cli.terminal import Terminal
from kho_client.download import Downloaded
from kho_client.errors import Text


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "fetch",
        "bring the file of a result, for a dossier; the use is recorded",
        "kho fetch 000.00.16.H46.KQ.G15.000031.000001 --purpose 000.00.20.H46-261121-0007 -o result.pdf",
        run,
    )
    parser.add_argument("code", metavar="CODE", help="result code or public code")
    parser.add_argument("--purpose", required=True, metavar="DOSSIER", help="dossier it is needed for")
    parser.add_argument("--procedure", default="", metavar="CODE", help="procedure of that dossier")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="where to; - for standard output")


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Bring the file; it appears when it is whole and its digest is right."""
    if args.output == "-":
        if terminal.is_json:
            raise usage(Text("Không dùng --json cùng -o -.", "--json and -o - cannot go together."))
        with tempfile.TemporaryDirectory(prefix="kho-") as folder:
            downloaded = await _bring(args, terminal, Path(folder) / "content")
            await asyncio.to_thread(_pour, downloaded.path)
        return DONE
    downloaded = await _bring(args, terminal, Path(args.output))
    if terminal.is_json:
        terminal.json_line(
            {
                "access_id": downloaded.access_id,
                "digest": downloaded.digest,
                "size_bytes": downloaded.size_bytes,
            }
        )
    else:
        facts = [
            ("biên nhận / access id", downloaded.access_id),
            ("mã băm / digest", downloaded.digest),
            ("kích thước / size", f"{downloaded.size_bytes:,} bytes"),
        ]
        terminal.facts(f"Đã nhận / fetched {downloaded.path}", facts)
    return DONE


async def _bring(args: argparse.Namespace, terminal: Terminal, target: Path) -> Downloaded:
    purpose = reuse_service_pb2.Purpose(dossier_code=args.purpose, procedure_code=args.procedure)
    async with client_of(args) as client:
        with terminal.progress() as bar:
            task = bar.add_task("đang nhận / fetching", total=None)

            def show(have: int, size: int) -> None:
                bar.update(task, completed=have, total=size)

            return await client.reuse(args.code, purpose, target, on_progress=show)


def _pour(path: Path) -> None:
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
