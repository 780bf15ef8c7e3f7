"""`kho grant add|list|revoke`: which agency may have or store whose results."""

import argparse

from kho.v1 import access_service_pb2
from kho_cli.exit_status import DONE
from kho_cli.options import Subparsers, add_command, add_group, client_of
from kho_cli.registration_report import report_revoked
from kho_cli.terminal import Terminal
from kho_cli.wire_json import grant_json
from kho_client.calls import new_request_id

_ACTIONS = {
    "reuse": access_service_pb2.GRANT_ACTION_REUSE,
    "issue": access_service_pb2.GRANT_ACTION_ISSUE,
}


def add(commands: Subparsers) -> None:
    """Add the family."""
    family = add_group(commands, "grant", "grants: who may have whose results")
    adding = add_command(
        family,
        "add",
        "give an agency the right to another agency's results",
        'kho grant add --from so-tu-phap --to so-xay-dung --type KQ.G15.000031 --ground "Điều 5 QĐ 12/2026"',
        run_add,
    )
    adding.add_argument("--from", required=True, dest="grantor", metavar="AGENCY", help="agency whose results they are")
    adding.add_argument("--to", required=True, dest="grantee", metavar="AGENCY", help="agency that may have them")
    adding.add_argument("--type", default="", metavar="C", help="only results of this type (default: all)")
    adding.add_argument("--action", choices=_ACTIONS, default="reuse", help="default: reuse; issue: store in its name")
    adding.add_argument("--ground", required=True, metavar="TEXT", help="legal ground in words")
    adding.add_argument("--valid-from", default="", metavar="DATE", help="first day (default: today)")
    adding.add_argument("--valid-to", default="", metavar="DATE", help="last day (default: no end)")
    add_command(family, "list", "list grants", "kho grant list --json", run_list)
    revoking = add_command(
        family,
        "revoke",
        "end a grant: the next question is answered without it",
        'kho grant revoke 0198… --reason "Hết nhiệm vụ"',
        run_revoke,
    )
    revoking.add_argument("grant", metavar="ID", help="grant")
    revoking.add_argument("--reason", required=True, metavar="T", help="why; kept with the event")


async def run_add(args: argparse.Namespace, terminal: Terminal) -> int:
    """Add one."""
    grant = access_service_pb2.Grant(
        grantor_agency_id=args.grantor,
        grantee_agency_id=args.grantee,
        action=_ACTIONS[args.action],
        type_code=args.type,
        valid_from=args.valid_from,
        valid_to=args.valid_to,
        ground=args.ground,
    )
    async with client_of(args) as client:
        request = access_service_pb2.AddGrantRequest(
            request_id=new_request_id(), officer_id=client.officer_id, grant=grant
        )
        added = grant_json(await client.access.add_grant(request))
    if terminal.is_json:
        terminal.json_line(added)
    else:
        terminal.line(f"đã cấp quyền / granted {added['grant_id']}", "green")
    return DONE


async def run_list(args: argparse.Namespace, terminal: Terminal) -> int:
    """List them."""
    async with client_of(args) as client:
        grants = [grant_json(grant) async for grant in client.access.grants()]
    if terminal.is_json:
        terminal.json_line({"grants": grants})
        return DONE
    columns = ("grant_id", "from", "to", "action", "type", "valid_from", "valid_to", "ground", "revoked_at")
    terminal.table(columns, [[grant[column] for column in columns] for grant in grants])
    return DONE


async def run_revoke(args: argparse.Namespace, terminal: Terminal) -> int:
    """Revoke one."""
    async with client_of(args) as client:
        request = access_service_pb2.RevokeGrantRequest(
            request_id=new_request_id(), officer_id=client.officer_id, grant_id=args.grant, reason=args.reason
        )
        await client.access.revoke_grant(request)
    return report_revoked(terminal, args.grant)
