"""Callers, officers and agencies for tests of the archive."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

from kho_server.archive.caller import Caller
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.records.registry import Actor, Agency, DatedCode, DatedName, Officer, Principal, PrincipalKind

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
TODAY = date(2026, 11, 21)
NOBODY = Actor(None, None)


def principal(kind: PrincipalKind, agency_uuid: UUID | None = None, agency_id: str | None = None) -> Principal:
    """Return a caller that stands."""
    return Principal(
        principal_id=uuid4(),
        kind=kind,
        agency_uuid=agency_uuid,
        agency_id=agency_id,
        display_name="máy thử",
        certificate_sha256="0" * 64,
        issuer_key_sha256=None,
        subject=None,
        default_officer_id=None,
        valid_from=NOW,
        valid_to=None,
        revoked_at=None,
    )


def caller(kind: PrincipalKind, agency: Agency | None = None) -> Caller:
    """Return a caller of an agency, or of none."""
    who = principal(kind, agency.agency_uuid, agency.agency_id) if agency else principal(kind)
    return Caller(who, "req-0001")


def administrator() -> Caller:
    """Return an administrator."""
    return caller(PrincipalKind.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class Province:
    """Three agencies with an officer each."""

    a: Agency
    b: Agency
    c: Agency


async def found_province(registry: RegistryCatalog) -> Province:
    """Register agency-a, agency-b and agency-c with officer-a, officer-b and officer-c."""
    agencies = []
    for letter, number in (("a", "01"), ("b", "02"), ("c", "03")):
        code = DatedCode(f"H46.{number}", f"H46.{number}", None, None)
        name = DatedName(f"Cơ quan {letter.upper()}", None, None)
        agency = await registry.register_agency(f"agency-{letter}", [code], [name], NOBODY, NOW)
        officer = Officer(agency.agency_uuid, agency.agency_id, f"officer-{letter}", "Cán bộ", None, None, None)
        await registry.register_officer(officer, NOBODY, NOW)
        agencies.append(agency)
    return Province(*agencies)
