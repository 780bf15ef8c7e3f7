"""What administrators send: parsed, judged line by line, done once."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from kho_server.archive.refusals import Reason, Refusal
from kho_server.archive.registration import Line, Registration
from kho_server.archive.registration_fields import SaidAgency, SaidDated, SaidOfficer, SaidPrincipal
from kho_server.dev_pki import write_dev_pki
from kho_server.rules.errors import RuleViolation
from kho_storage.catalog.database import Database
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.records.registry import PrincipalKind
from tests.server.archive.people import NOW, administrator, caller, found_province

STATION = SaidPrincipal(PrincipalKind.STATION, "agency-a", "quầy 1", certificate_sha256="a" * 64)


@pytest.fixture
def registry(catalog: Database) -> PostgresRegistry:
    """Give a real registry."""
    return PostgresRegistry(catalog)


@pytest.fixture
def changes() -> list[None]:
    """Give what counts changes."""
    return []


@pytest.fixture
def registration(registry: PostgresRegistry, changes: list[None]) -> Registration:
    """Give the use cases over a real registry."""
    return Registration(registry, lambda: NOW, lambda: changes.append(None))


def made(number: int) -> UUID:
    """Return ids that a request makes."""
    return UUID(int=number + 1)


def reasons(lines: list[Line]) -> list[str | None]:
    """Return what was refused, line by line, in the words of whoever refused."""
    return [
        None
        if line.refused is None
        else str(line.refused.reason.value if isinstance(line.refused, Refusal) else line.refused.reason)
        for line in lines
    ]


async def test_a_batch_answers_line_by_line(
    registration: Registration, registry: PostgresRegistry, changes: list[None]
) -> None:
    lines = await registration.register_agencies(
        administrator(),
        "",
        [
            SaidAgency("so-tu-phap", [SaidDated("000.00.16.h46"), SaidDated("H46.01", "2025-07-01")]),
            SaidAgency("Sở Tư pháp"),
            SaidAgency("", [SaidDated("H46.09")]),
            SaidAgency("so-noi-vu", [SaidDated("46.01")]),
            SaidAgency("so-noi-vu", [SaidDated("H46.01")]),
            SaidAgency("so-noi-vu", [SaidDated("H46.02", "2026-02-30")]),
            SaidAgency("so-noi-vu", [SaidDated("H46.02", "2026-02-01", "2026-01-01")]),
            SaidAgency("so-noi-vu", [SaidDated("H46.02"), SaidDated("h46.02")]),
            SaidAgency("so-noi-vu", [], [SaidDated("Sở\nNội vụ")]),
            SaidAgency("so-noi-vu", [SaidDated("H46.02")], [SaidDated("Sở Nội vụ")]),
        ],
    )
    assert reasons(lines) == [
        None,
        "FIELD_MALFORMED",
        "FIELD_REQUIRED",
        "AGENCY_CODE_MALFORMED",
        "REGISTRATION_EXISTS",
        "DATE_IMPOSSIBLE",
        "DATES_CROSSED",
        "FIELD_MALFORMED",
        "CONTROL_CHARACTER",
        None,
    ]
    assert [line.id for line in lines if not line.refused] == ["so-tu-phap", "so-noi-vu"]
    first = await registry.agency_by_code("000.00.16.H46")
    assert first is not None
    assert {code.code for code in first.codes} == {"000.00.16.h46", "H46.01"}
    assert len(changes) == 1


async def test_the_same_batch_again_changes_nothing(registration: Registration, catalog: Database) -> None:
    agencies = [SaidAgency("agency-x", [SaidDated("H46.07")], [SaidDated("Sở Y tế")])]
    officers = [SaidOfficer("agency-x", "x.1", "Nguyễn Văn A")]
    callers = [replace(STATION, agency_id="agency-x", default_officer_id="x.1")]

    async def send() -> list[Line]:
        who = administrator()
        return [
            *await registration.register_agencies(who, "", agencies),
            *await registration.register_officers(who, "", officers),
            *await registration.register_principals(who, "", callers, made),
        ]

    first = await send()
    events = await catalog.fetch("SELECT event_id FROM kho.event")
    assert await send() == first == [Line("agency-x", None), Line("x.1", None), Line(str(made(0)), None)]
    assert await catalog.fetch("SELECT event_id FROM kho.event") == events


@pytest.mark.parametrize("kind", [kind for kind in PrincipalKind if kind is not PrincipalKind.ADMINISTRATOR])
async def test_only_administrators_register(
    registration: Registration, registry: PostgresRegistry, kind: PrincipalKind
) -> None:
    province = await found_province(registry)
    who = caller(kind, province.a if kind in {PrincipalKind.STATION, PrincipalKind.AGENCY_SYSTEM} else None)
    for call in (
        registration.register_agencies(who, "", [SaidAgency("x")]),
        registration.register_officers(who, "", [SaidOfficer("agency-a", "x", "x")]),
        registration.register_principals(who, "", [STATION], made),
        registration.revoke_agency(who, "", "agency-a", "x"),
        registration.revoke_officer(who, "", "agency-a", "officer-a", "x"),
        registration.revoke_principal(who, "", str(uuid4()), "x"),
    ):
        with pytest.raises(Refusal) as refused:
            await call
        assert refused.value.reason is Reason.PRINCIPAL_KIND_NOT_ALLOWED


async def test_a_batch_has_one_to_five_hundred_lines(registration: Registration) -> None:
    for count, reason in ((0, Reason.FIELD_REQUIRED), (501, Reason.BATCH_TOO_LARGE)):
        with pytest.raises(Refusal) as refused:
            await registration.register_agencies(administrator(), "", [SaidAgency("x")] * count)
        assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (SaidOfficer("agency-a", "officer-9", "Trần Thị Bé", "2026-01-01", "2026-12-31"), None),
        (SaidOfficer("agency-9", "officer-9", "x"), "REGISTRATION_NOT_FOUND"),
        (SaidOfficer("agency-a", "officer-a", "another name"), "REGISTRATION_EXISTS"),
        (SaidOfficer("agency-a", "officer 9", "x"), "FIELD_MALFORMED"),
        (SaidOfficer("agency-a", "ođ", "x"), "FIELD_MALFORMED"),
        (SaidOfficer("agency-a", "o" * 65, "x"), "FIELD_MALFORMED"),
        (SaidOfficer("agency-a", "", "x"), "FIELD_REQUIRED"),
        (SaidOfficer("agency-a", "officer-9", ""), "TEXT_EMPTY"),
        (SaidOfficer("agency-a", "officer-9", "x" * 201), "TEXT_TOO_LONG"),
        (SaidOfficer("agency-a", "officer-9", "x\x00"), "CONTROL_CHARACTER"),
        (SaidOfficer("agency-a", "officer-9", "x", "2026-12-31", "2026-01-01"), "DATES_CROSSED"),
        (SaidOfficer("agency-a", "officer-9", "x", "31.12.2026"), "DATE_MALFORMED"),
    ],
)
async def test_officers(
    registration: Registration, registry: PostgresRegistry, said: SaidOfficer, reason: str | None
) -> None:
    await found_province(registry)
    assert reasons(await registration.register_officers(administrator(), "", [said])) == [reason]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (STATION, None),
        (replace(STATION, default_officer_id="officer-a"), None),
        (replace(STATION, valid_from=NOW, valid_to=NOW + timedelta(days=1)), None),
        (SaidPrincipal(PrincipalKind.OPERATOR, "", "trực ban", certificate_sha256="B" * 64), None),
        (replace(STATION, certificate_sha256="", issuer_key_sha256="c" * 64, subject="CN=quầy,C=VN"), None),
        (replace(STATION, kind=None), "FIELD_REQUIRED"),
        (replace(STATION, agency_id=""), "FIELD_REQUIRED"),
        (replace(STATION, kind=PrincipalKind.OPERATOR), "FIELD_MALFORMED"),
        (replace(STATION, agency_id="agency-9"), "REGISTRATION_NOT_FOUND"),
        (replace(STATION, default_officer_id="officer-b"), "REGISTRATION_NOT_FOUND"),
        (replace(STATION, certificate_sha256="a" * 63), "FIELD_MALFORMED"),
        (replace(STATION, certificate_sha256=""), "FIELD_REQUIRED"),
        (replace(STATION, subject="CN=a"), "FIELD_MALFORMED"),
        (replace(STATION, certificate_sha256="", subject="CN=a"), "FIELD_REQUIRED"),
        (replace(STATION, certificate_sha256="", issuer_key_sha256="c" * 64), "TEXT_EMPTY"),
        (replace(STATION, certificate_sha256="", issuer_key_sha256="c" * 64, subject=" CN=a"), "FIELD_MALFORMED"),
        (replace(STATION, certificate_sha256="", certificate=b"no certificate"), "CERTIFICATE_MALFORMED"),
        (replace(STATION, certificate_sha256="", certificate=b"-----BEGIN X-----"), "CERTIFICATE_MALFORMED"),
        (replace(STATION, certificate_sha256="", certificate=b"0" * 70_000), "CERTIFICATE_MALFORMED"),
        (replace(STATION, display_name=""), "TEXT_EMPTY"),
        (replace(STATION, valid_to=NOW), "DATES_CROSSED"),
    ],
)
async def test_callers(
    registration: Registration, registry: PostgresRegistry, said: SaidPrincipal, reason: str | None
) -> None:
    await found_province(registry)
    assert reasons(await registration.register_principals(administrator(), "", [said], made)) == [reason]


@pytest.mark.parametrize("encode", [lambda c: c.public_bytes(Encoding.PEM), lambda c: c.public_bytes(Encoding.DER)])
async def test_a_certificate_is_known_by_its_fingerprint(
    registration: Registration,
    registry: PostgresRegistry,
    tmp_path: Path,
    encode: Callable[[x509.Certificate], bytes],
) -> None:
    await found_province(registry)
    certificate = x509.load_pem_x509_certificate(write_dev_pki(tmp_path / "pki").certificate("station").read_bytes())
    said = replace(STATION, certificate_sha256="", certificate=encode(certificate))
    await registration.register_principals(administrator(), "", [said], made)
    sha256 = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    found = await registry.principal_by_certificate(sha256, [], "")
    assert found is not None
    assert found.principal_id == made(0)
    other = await registration.register_principals(administrator(), "", [said], lambda _: uuid4())
    assert reasons(other) == ["REGISTRATION_EXISTS"]


async def test_nothing_is_registered_for_a_revoked_agency(
    registration: Registration, registry: PostgresRegistry
) -> None:
    await found_province(registry)
    who = administrator()
    await registration.revoke_agency(who, "", "agency-a", "sáp nhập")
    await registration.revoke_agency(who, "", "agency-a", "sáp nhập")
    assert reasons(await registration.register_agencies(who, "", [SaidAgency("agency-a")])) == ["REGISTRATION_EXISTS"]
    assert reasons(await registration.register_officers(who, "", [SaidOfficer("agency-a", "z", "z")])) == [
        "REGISTRATION_NOT_FOUND"
    ]
    assert reasons(await registration.register_principals(who, "", [STATION], made)) == ["REGISTRATION_NOT_FOUND"]


async def test_revoking_names_what_is_there(registration: Registration, registry: PostgresRegistry) -> None:
    await found_province(registry)
    who = administrator()
    await registration.revoke_officer(who, "", "agency-a", "officer-a", "nghỉ hưu")
    officers = await registry.officers("agency-a", ("", ""), 5)
    assert [officer.revoked_at for officer in officers] == [NOW]
    for call in (
        registration.revoke_agency(who, "", "agency-9", "x"),
        registration.revoke_officer(who, "", "agency-a", "officer-b", "x"),
        registration.revoke_principal(who, "", str(uuid4()), "x"),
    ):
        with pytest.raises(Refusal) as refused:
            await call
        assert refused.value.reason is Reason.REGISTRATION_NOT_FOUND
    with pytest.raises(RuleViolation):
        await registration.revoke_agency(who, "", "agency-a", " ")


async def test_the_officer_an_administrator_names_stands_in_the_event(
    registration: Registration, catalog: Database
) -> None:
    who = administrator()
    await registration.register_agencies(who, "minh-1", [SaidAgency("agency-x")])
    row = await catalog.fetch_one("SELECT kind, principal_id, officer_id FROM kho.event")
    assert row is not None
    assert tuple(row.values()) == ("agency_registered", who.principal.principal_id, "minh-1")
    with pytest.raises(Refusal):
        await registration.register_agencies(who, "lê minh", [SaidAgency("agency-y")])
