"""`kho principal add|list|revoke|import`: the certificates that may call a Kho."""

import argparse
from pathlib import Path

from kho.v1 import registry_pb2, registry_service_pb2
from kho_cli.days import first_instant, last_instant
from kho_cli.exit_status import DONE
from kho_cli.first_administrator import add_first_administrator
from kho_cli.options import Subparsers, add_command, add_group, client_of, usage
from kho_cli.registration_batches import in_batches
from kho_cli.registration_report import report_dry_run, report_import, report_one, report_revoked
from kho_cli.rows import Row, read_rows
from kho_cli.terminal import Terminal
from kho_cli.wire_json import principal_json
from kho_client.calls import new_request_id
from kho_client.connection import read_local
from kho_client.errors import Text

KINDS = {
    "station": registry_pb2.PRINCIPAL_KIND_STATION,
    "agency-system": registry_pb2.PRINCIPAL_KIND_AGENCY_SYSTEM,
    "portal": registry_pb2.PRINCIPAL_KIND_PORTAL,
    "operator": registry_pb2.PRINCIPAL_KIND_OPERATOR,
    "administrator": registry_pb2.PRINCIPAL_KIND_ADMINISTRATOR,
}
_EXAMPLE = """kho principal add --kind station --agency so-tu-phap --certificate desk-3.crt --name "Quầy 3" \\
      --default-officer cb-017
  kho principal add --data /var/lib/kho --certificate admin.crt --name Admin"""
COLUMNS = frozenset(
    {"kind", "agency_id", "name", "certificate", "default_officer_id", "issuer_key_sha256", "subject"}
    | {"valid_from", "valid_to"}
)


def add(commands: Subparsers) -> None:
    """Add the family."""
    family = add_group(commands, "principal", "callers: certificates of stations, systems and people")
    adding = add_command(
        family,
        "add",
        "register a caller; with --data, the first administrator on the server itself",
        _EXAMPLE,
        run_add,
    )
    adding.add_argument("--kind", choices=KINDS, help="what it is (with --data: administrator)")
    adding.add_argument("--agency", default="", metavar="ID", help="agency, except for operators and administrators")
    adding.add_argument("--name", default="", metavar="N", help="name for people, e.g. desk 3")
    adding.add_argument("--certificate", type=Path, metavar="FILE", help="certificate to register, PEM or DER")
    adding.add_argument(
        "--issuer-key-sha256", default="", metavar="HEX", help="or: hash of the issuer's public key ..."
    )
    adding.add_argument("--subject", default="", metavar="DN", help="... with the subject, RFC 4514")
    adding.add_argument("--default-officer", default="", metavar="ID", help="acting officer when a call names none")
    adding.add_argument("--valid-from", default="", metavar="DATE", help="first day")
    adding.add_argument("--valid-to", default="", metavar="DATE", help="last day")
    adding.add_argument("--data", type=Path, metavar="DIR", help="data folder: register the first administrator there")
    listing = add_command(family, "list", "list callers", "kho principal list --agency so-tu-phap", run_list)
    listing.add_argument("--agency", default="", metavar="ID", help="agency (default: all)")
    revoking = add_command(
        family,
        "revoke",
        "refuse a caller at once; its open streams end within 5 seconds",
        'kho principal revoke 0198… --reason "Mất máy"',
        run_revoke,
    )
    revoking.add_argument("principal", metavar="ID", help="caller")
    revoking.add_argument("--reason", required=True, metavar="T", help="why; kept with the event")
    importing = add_command(
        family,
        "import",
        "register callers from a file, with a report by line",
        "kho principal import stations.csv",
        run_import,
    )
    importing.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help=f".csv or .jsonl with {', '.join(sorted(COLUMNS))}; certificate is a file beside it",
    )
    importing.add_argument("--dry-run", action="store_true", help="only read the file")


async def run_add(args: argparse.Namespace, terminal: Terminal) -> int:
    """Register one, over the wire or on the server itself."""
    certificate = _certificate_to_register(args)
    if args.data is not None:
        return await add_first_administrator(args.data, certificate, args.name, terminal)
    if args.kind is None:
        raise usage(Text("Hãy nêu --kind.", "Name the kind of caller with --kind."))
    registration = _registration(
        kind=args.kind,
        agency_id=args.agency,
        name=args.name,
        officer_id=args.default_officer,
        key=(args.issuer_key_sha256, args.subject),
        days=(args.valid_from, args.valid_to),
        certificate=certificate,
    )
    async with client_of(args) as client:
        request = registry_service_pb2.RegisterPrincipalsRequest(
            request_id=new_request_id(), principals=[registration], officer_id=client.officer_id
        )
        return report_one(terminal, await client.registry.register_principals(request))


async def run_list(args: argparse.Namespace, terminal: Terminal) -> int:
    """List them."""
    async with client_of(args) as client:
        principals = [principal_json(principal) async for principal in client.registry.principals(args.agency)]
    if terminal.is_json:
        terminal.json_line({"principals": principals})
        return DONE
    columns = ("principal_id", "kind", "agency_id", "name", "default_officer_id", "valid_to", "revoked_at")
    terminal.table(columns, [[principal[column] for column in columns] for principal in principals])
    return DONE


async def run_revoke(args: argparse.Namespace, terminal: Terminal) -> int:
    """Revoke one."""
    async with client_of(args) as client:
        request = registry_service_pb2.RevokePrincipalRequest(
            request_id=new_request_id(),
            principal_id=args.principal,
            reason=args.reason,
            officer_id=client.officer_id,
        )
        await client.registry.revoke_principal(request)
    return report_revoked(terminal, args.principal)


async def run_import(args: argparse.Namespace, terminal: Terminal) -> int:
    """Register all that a file names."""
    rows = read_rows(args.file, COLUMNS)
    registrations = [_of_row(row) for row in rows]
    if args.dry_run:
        return report_dry_run(terminal, len(registrations))
    async with client_of(args) as client:
        lines = [
            line
            for batch in in_batches(registrations)
            for line in await client.registry.register_principals(
                registry_service_pb2.RegisterPrincipalsRequest(
                    request_id=new_request_id(), principals=batch, officer_id=client.officer_id
                )
            )
        ]
    return report_import(terminal, [row.line for row in rows], lines)


def _of_row(row: Row) -> registry_service_pb2.PrincipalRegistration:
    kind = row.required("kind")
    if kind not in KINDS:
        raise row.refused(f"không có loại {kind!r}", f"there is no kind {kind!r} ({', '.join(KINDS)})")
    certificate = row.get("certificate")
    return _registration(
        kind=kind,
        agency_id=row.get("agency_id"),
        name=row.get("name"),
        officer_id=row.get("default_officer_id"),
        key=(row.get("issuer_key_sha256"), row.get("subject")),
        days=(row.get("valid_from"), row.get("valid_to")),
        certificate=row.path.parent / certificate if certificate else None,
    )


def _registration(
    *,
    kind: str,
    agency_id: str,
    name: str,
    officer_id: str,
    key: tuple[str, str],
    days: tuple[str, str],
    certificate: Path | None,
) -> registry_service_pb2.PrincipalRegistration:
    issuer_key_sha256, subject = key
    valid_from, valid_to = days
    principal = registry_pb2.Principal(
        kind=KINDS[kind],
        agency_id=agency_id,
        display_name=name,
        default_officer_id=officer_id,
        issuer_key_sha256=issuer_key_sha256,
        subject=subject,
        valid_from=first_instant(valid_from) if valid_from else None,
        valid_to=last_instant(valid_to) if valid_to else None,
    )
    return registry_service_pb2.PrincipalRegistration(
        principal=principal, certificate=read_local(certificate) if certificate else b""
    )


def _certificate_to_register(args: argparse.Namespace) -> Path | None:
    """Return the certificate that is meant; --cert is who we are, except on the server itself, where we are nobody."""
    if args.certificate is not None:
        return Path(args.certificate)
    if args.data is not None and args.cert:
        return Path(args.cert)
    if args.data is None and not (args.issuer_key_sha256 and args.subject):
        raise usage(
            Text(
                "Hãy nêu chứng thư cần đăng ký bằng --certificate, hoặc --issuer-key-sha256 cùng --subject.",
                "Name the certificate to register with --certificate, or --issuer-key-sha256 with --subject.",
            )
        )
    return None
