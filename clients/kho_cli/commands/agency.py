"""`kho agency add|list|revoke|import`: the state bodies that a Kho knows."""

import argparse
from pathlib import Path

from kho.v1 import registry_pb2, registry_service_pb2
from kho_cli.exit_status import DONE
from kho_cli.options import Subparsers, add_command, add_group, client_of
from kho_cli.registration_batches import in_batches
from kho_cli.registration_report import report_dry_run, report_import, report_one, report_revoked
from kho_cli.rows import Row, read_rows
from kho_cli.terminal import Terminal
from kho_cli.wire_json import agency_json
from kho_client.calls import new_request_id

COLUMNS = frozenset({"agency_id", "codes", "name", "valid_from", "valid_to"})


def add(commands: Subparsers) -> None:
    """Add the family."""
    family = add_group(commands, "agency", "agencies: codes in both syntaxes, names, dates")
    adding = add_command(
        family,
        "add",
        "register an agency, or add codes and names to it",
        'kho agency add so-tu-phap-quang-binh --code 000.00.16.H46 --code H46.16 --name "Sở Tư pháp Quảng Bình"',
        run_add,
    )
    adding.add_argument("agency", metavar="ID", help="stable id: a-z, 0-9 and dashes")
    adding.add_argument("--code", action="append", default=[], metavar="C", help="code; may be repeated")
    adding.add_argument("--name", action="append", default=[], metavar="N", help="name; may be repeated")
    adding.add_argument("--valid-from", default="", metavar="DATE", help="first day of these codes and names")
    adding.add_argument("--valid-to", default="", metavar="DATE", help="last day of these codes and names")
    add_command(family, "list", "list agencies", "kho agency list --json", run_list)
    revoking = add_command(
        family,
        "revoke",
        "refuse an agency's callers and officers from now on; what it stored stays",
        'kho agency revoke so-tu-phap-quang-binh --reason "Sáp nhập 2025-07-01"',
        run_revoke,
    )
    revoking.add_argument("agency", metavar="ID", help="agency")
    revoking.add_argument("--reason", required=True, metavar="T", help="why; kept with the event")
    importing = add_command(
        family,
        "import",
        "register agencies from a file, with a report by line",
        "kho agency import agencies.csv",
        run_import,
    )
    importing.add_argument(
        "file", type=Path, metavar="FILE", help=f".csv or .jsonl with {', '.join(sorted(COLUMNS))}; codes apart by ;"
    )
    importing.add_argument("--dry-run", action="store_true", help="only read the file")


async def run_add(args: argparse.Namespace, terminal: Terminal) -> int:
    """Register one."""
    agency = _agency(args.agency, args.code, args.name, args.valid_from, args.valid_to)
    async with client_of(args) as client:
        request = registry_service_pb2.RegisterAgenciesRequest(
            request_id=new_request_id(), agencies=[agency], officer_id=client.officer_id
        )
        return report_one(terminal, await client.registry.register_agencies(request))


async def run_list(args: argparse.Namespace, terminal: Terminal) -> int:
    """List all."""
    async with client_of(args) as client:
        agencies = [agency_json(agency) async for agency in client.registry.agencies()]
    if terminal.is_json:
        terminal.json_line({"agencies": agencies})
        return DONE
    rows = [
        (
            agency["agency_id"],
            [code["text"] for code in agency["codes"]],
            [name["text"] for name in agency["names"]],
            agency["revoked_at"],
        )
        for agency in agencies
    ]
    terminal.table(("id", "mã / codes", "tên / names", "thu hồi / revoked"), rows)
    return DONE


async def run_revoke(args: argparse.Namespace, terminal: Terminal) -> int:
    """Revoke one."""
    async with client_of(args) as client:
        request = registry_service_pb2.RevokeAgencyRequest(
            request_id=new_request_id(), agency_id=args.agency, reason=args.reason, officer_id=client.officer_id
        )
        await client.registry.revoke_agency(request)
    return report_revoked(terminal, args.agency)


async def run_import(args: argparse.Namespace, terminal: Terminal) -> int:
    """Register all that a file names."""
    rows = read_rows(args.file, COLUMNS)
    agencies = [_of_row(row) for row in rows]
    if args.dry_run:
        return report_dry_run(terminal, len(agencies))
    async with client_of(args) as client:
        lines = [
            line
            for batch in in_batches(agencies)
            for line in await client.registry.register_agencies(
                registry_service_pb2.RegisterAgenciesRequest(
                    request_id=new_request_id(), agencies=batch, officer_id=client.officer_id
                )
            )
        ]
    return report_import(terminal, [row.line for row in rows], lines)


def _of_row(row: Row) -> registry_pb2.Agency:
    names = [row.get("name")] if row.get("name") else []
    return _agency(row.required("agency_id"), row.several("codes"), names, row.get("valid_from"), row.get("valid_to"))


def _agency(agency_id: str, codes: list[str], names: list[str], valid_from: str, valid_to: str) -> registry_pb2.Agency:
    def dated(text: str) -> registry_pb2.DatedText:
        return registry_pb2.DatedText(text=text, valid_from=valid_from, valid_to=valid_to)

    return registry_pb2.Agency(
        agency_id=agency_id, codes=[dated(code) for code in codes], names=[dated(name) for name in names]
    )
