"""`kho officer add|list|revoke|import`: the people in whose name systems act."""

import argparse
from pathlib import Path

from kho.v1 import registry_pb2, registry_service_pb2
from kho_cli.exit_status import DONE
from kho_cli.options import Subparsers, add_command, add_group, client_of
from kho_cli.registration_batches import in_batches
from kho_cli.registration_report import report_dry_run, report_import, report_one, report_revoked
from kho_cli.rows import Row, read_rows
from kho_cli.terminal import Terminal
from kho_cli.wire_json import officer_json
from kho_client.calls import new_request_id

COLUMNS = frozenset({"agency_id", "officer_id", "name", "valid_from", "valid_to"})


def add(commands: Subparsers) -> None:
    """Add the family."""
    family = add_group(commands, "officer", "officers of an agency, with dates")
    adding = add_command(
        family,
        "add",
        "register an officer",
        'kho officer add --agency so-tu-phap --id cb-017 --name "Nguyễn Thị Hòa" --valid-from 2026-01-01',
        run_add,
        acting="--acting-officer",
    )
    adding.add_argument("--agency", required=True, metavar="ID", help="agency")
    # `--officer` names whom the command is about; the one in whose name it is done is --acting-officer here.
    adding.add_argument("--officer", "--id", required=True, dest="subject", metavar="ID", help="id within the agency")
    adding.add_argument("--name", required=True, metavar="N", help="name")
    adding.add_argument("--valid-from", default="", metavar="DATE", help="first day (default: today)")
    adding.add_argument("--valid-to", default="", metavar="DATE", help="last day (default: no end)")
    listing = add_command(
        family, "list", "list officers", "kho officer list --agency so-tu-phap", run_list, acting="--acting-officer"
    )
    listing.add_argument("--agency", default="", metavar="ID", help="agency (default: your own; administrators: all)")
    revoking = add_command(
        family,
        "revoke",
        "take no call in an officer's name from now on",
        'kho officer revoke cb-017 --agency so-tu-phap --reason "Chuyển công tác"',
        run_revoke,
        acting="--acting-officer",
    )
    revoking.add_argument("subject", metavar="ID", help="officer")
    revoking.add_argument("--agency", required=True, metavar="ID", help="agency")
    revoking.add_argument("--reason", required=True, metavar="T", help="why; kept with the event")
    importing = add_command(
        family,
        "import",
        "register officers from a file, with a report by line",
        "kho officer import officers.csv --dry-run",
        run_import,
        acting="--acting-officer",
    )
    importing.add_argument("file", type=Path, metavar="FILE", help=f".csv or .jsonl with {', '.join(sorted(COLUMNS))}")
    importing.add_argument("--dry-run", action="store_true", help="only read the file")


async def run_add(args: argparse.Namespace, terminal: Terminal) -> int:
    """Register one."""
    officer = registry_pb2.Officer(
        agency_id=args.agency,
        officer_id=args.subject,
        display_name=args.name,
        valid_from=args.valid_from,
        valid_to=args.valid_to,
    )
    async with client_of(args) as client:
        request = registry_service_pb2.RegisterOfficersRequest(
            request_id=new_request_id(), officers=[officer], officer_id=client.officer_id
        )
        return report_one(terminal, await client.registry.register_officers(request))


async def run_list(args: argparse.Namespace, terminal: Terminal) -> int:
    """List them."""
    async with client_of(args) as client:
        officers = [officer_json(officer) async for officer in client.registry.officers(args.agency)]
    if terminal.is_json:
        terminal.json_line({"officers": officers})
        return DONE
    columns = ("agency_id", "officer_id", "name", "valid_from", "valid_to", "revoked_at")
    terminal.table(columns, [[officer[column] for column in columns] for officer in officers])
    return DONE


async def run_revoke(args: argparse.Namespace, terminal: Terminal) -> int:
    """Revoke one."""
    async with client_of(args) as client:
        request = registry_service_pb2.RevokeOfficerRequest(
            request_id=new_request_id(),
            agency_id=args.agency,
            officer_id=args.subject,
            reason=args.reason,
            acting_officer_id=client.officer_id,
        )
        await client.registry.revoke_officer(request)
    return report_revoked(terminal, args.subject)


async def run_import(args: argparse.Namespace, terminal: Terminal) -> int:
    """Register all that a file names."""
    rows = read_rows(args.file, COLUMNS)
    officers = [_of_row(row) for row in rows]
    if args.dry_run:
        return report_dry_run(terminal, len(officers))
    async with client_of(args) as client:
        lines = [
            line
            for batch in in_batches(officers)
            for line in await client.registry.register_officers(
                registry_service_pb2.RegisterOfficersRequest(
                    request_id=new_request_id(), officers=batch, officer_id=client.officer_id
                )
            )
        ]
    return report_import(terminal, [row.line for row in rows], lines)


def _of_row(row: Row) -> registry_pb2.Officer:
    return registry_pb2.Officer(
        agency_id=row.required("agency_id"),
        officer_id=row.required("officer_id"),
        display_name=row.required("name"),
        valid_from=row.get("valid_from"),
        valid_to=row.get("valid_to"),
    )
