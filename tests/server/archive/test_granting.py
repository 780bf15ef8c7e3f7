"""Who may grant what to whom."""

from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

import pytest

from kho_server.archive.caller import Caller
from kho_server.archive.granting import Granting, SaidGrant
from kho_server.archive.refusals import Reason, Refusal
from kho_server.rules.errors import RuleViolation
from kho_storage.catalog.database import Database
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.records.registry import GrantAction, PrincipalKind
from tests.server.archive.people import NOBODY, NOW, TODAY, Province, administrator, caller, found_province

SAID = SaidGrant("agency-a", "agency-b", GrantAction.REUSE, ground="QĐ 12/QĐ-UBND")


@pytest.fixture
def registry(catalog: Database) -> PostgresRegistry:
    """Give a real registry."""
    return PostgresRegistry(catalog)


@pytest.fixture
async def province(registry: PostgresRegistry) -> Province:
    """Give three agencies."""
    return await found_province(registry)


@pytest.fixture
def granting(registry: PostgresRegistry, province: Province) -> Granting:
    """Give the use cases."""
    return Granting(registry, lambda: NOW)


async def refusal(granting: Granting, who: Caller, officer_id: str, said: SaidGrant) -> str:
    """Add a grant that is refused, and return why."""
    with pytest.raises((Refusal, RuleViolation)) as refused:
        await granting.add(who, officer_id, said, uuid4())
    error = refused.value
    return error.reason.value if isinstance(error, Refusal) else str(getattr(error, "reason", ""))


async def test_an_administrator_grants_for_any_agency(granting: Granting) -> None:
    said = replace(SAID, type_code="kq.g15.000031", valid_to="2027-12-31")
    grant = await granting.add(administrator(), "", said, UUID(int=1))
    assert (grant.grantor_id, grant.grantee_id, grant.type_code) == ("agency-a", "agency-b", "KQ.G15.000031")
    assert (grant.valid_from, grant.valid_to) == (TODAY, date(2027, 12, 31))
    assert await granting.add(administrator(), "", said, UUID(int=1)) == grant


async def test_an_agency_grants_its_own_in_the_name_of_an_officer(granting: Granting, province: Province) -> None:
    system = caller(PrincipalKind.AGENCY_SYSTEM, province.a)
    assert (await granting.add(system, "officer-a", SAID, uuid4())).grantor_id == "agency-a"
    assert await refusal(granting, system, "", SAID) == "OFFICER_REQUIRED"
    assert await refusal(granting, system, "officer-b", SAID) == "OFFICER_NOT_ACCEPTED"
    others = replace(SAID, grantor_agency_id="agency-b", grantee_agency_id="agency-a")
    assert await refusal(granting, system, "officer-a", others) == "PRINCIPAL_KIND_NOT_ALLOWED"


async def test_nobody_else_grants(granting: Granting, province: Province) -> None:
    for who in (
        caller(PrincipalKind.STATION, province.a),
        caller(PrincipalKind.OPERATOR),
        caller(PrincipalKind.PORTAL),
    ):
        assert await refusal(granting, who, "officer-a", SAID) == "PRINCIPAL_KIND_NOT_ALLOWED"
        with pytest.raises(Refusal) as refused:
            await granting.revoke(who, "officer-a", str(uuid4()), "x")
        assert refused.value.reason is Reason.PRINCIPAL_KIND_NOT_ALLOWED


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (replace(SAID, action=None), "FIELD_REQUIRED"),
        (replace(SAID, grantor_agency_id=""), "FIELD_REQUIRED"),
        (replace(SAID, grantee_agency_id="agency-9"), "REGISTRATION_NOT_FOUND"),
        (replace(SAID, grantee_agency_id="agency-a"), "FIELD_MALFORMED"),
        (replace(SAID, type_code="not a type"), "RESULT_TYPE_MALFORMED"),
        (replace(SAID, valid_to="2026-11-20"), "DATES_CROSSED"),
        (replace(SAID, valid_from="2026-11-31"), "DATE_IMPOSSIBLE"),
        (replace(SAID, ground=""), "TEXT_EMPTY"),
    ],
)
async def test_what_cannot_be_granted(granting: Granting, said: SaidGrant, reason: str) -> None:
    assert await refusal(granting, administrator(), "", said) == reason


async def test_nothing_is_granted_to_a_revoked_agency(granting: Granting, registry: PostgresRegistry) -> None:
    await registry.revoke_agency("agency-b", "giải thể", NOBODY, NOW)
    assert await refusal(granting, administrator(), "", SAID) == "REGISTRATION_NOT_FOUND"


async def test_a_grant_is_revoked_by_who_may_and_unknown_to_others(
    granting: Granting, registry: PostgresRegistry, province: Province
) -> None:
    grant = await granting.add(administrator(), "", SAID, uuid4())
    for stranger, officer_id in ((province.b, "officer-b"), (province.c, "officer-c")):
        with pytest.raises(Refusal) as refused:
            await granting.revoke(caller(PrincipalKind.AGENCY_SYSTEM, stranger), officer_id, str(grant.grant_id), "x")
        assert refused.value.reason is Reason.REGISTRATION_NOT_FOUND
    system = caller(PrincipalKind.AGENCY_SYSTEM, province.a)
    for _ in range(2):
        await granting.revoke(system, "officer-a", str(grant.grant_id), "hết việc")
    standing = await registry.grant(grant.grant_id)
    assert standing is not None
    assert standing.revoked_at == NOW


async def test_agencies_see_the_grants_they_gave_or_got(granting: Granting, province: Province) -> None:
    grant = await granting.add(administrator(), "", SAID, uuid4())
    for who, seen in (
        (administrator(), [grant]),
        (caller(PrincipalKind.AGENCY_SYSTEM, province.a), [grant]),
        (caller(PrincipalKind.STATION, province.b), [grant]),
        (caller(PrincipalKind.AGENCY_SYSTEM, province.c), []),
    ):
        assert list(await granting.grants(who, None, 10)) == seen
    with pytest.raises(Refusal) as refused:
        await granting.grants(caller(PrincipalKind.OPERATOR), None, 10)
    assert refused.value.reason is Reason.PRINCIPAL_KIND_NOT_ALLOWED
