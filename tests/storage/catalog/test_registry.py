"""The registry against a model of it, on real PostgreSQL; its events rebuild it."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from kho_storage.catalog.database import Database
from kho_storage.catalog.ledger import PROJECTIONS
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.catalog.standing import PostgresStanding
from kho_storage.errors import Conflict
from kho_storage.postgres.embedded import EmbeddedPostgres
from kho_storage.records.registry import (
    Actor,
    Agency,
    DatedCode,
    DatedName,
    Grant,
    GrantAction,
    Officer,
    Principal,
    PrincipalKind,
)
from tests.fixtures_postgres import create_database, drop_database
from tests.storage.catalog.projection_dump import assert_rebuild_changes_nothing

T = TypeVar("T")
_START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
_ACTOR = Actor(uuid4(), "officer-of-the-administrator")
_DAYS = st.sampled_from([None, date(2025, 7, 1)])
_LAST_DAYS = st.sampled_from([None, date(2026, 12, 31)])
_CODES = st.builds(
    lambda code, first, last: DatedCode(code, code.upper(), first, last),
    st.sampled_from(["h46.01", "H46.02", "000.00.16.H46"]),
    _DAYS,
    _LAST_DAYS,
)
_NAMES = st.builds(DatedName, st.sampled_from(["Sở Tư pháp", "Sở Nội vụ"]), _DAYS, _LAST_DAYS)
_AGENCY_IDS = st.sampled_from(["a", "b", "c"])
_OFFICER_IDS = st.sampled_from(["o1", "o2"])
_CERTIFICATES = st.sampled_from(["1" * 64, "2" * 64])


class RegistryMachine(RuleBasedStateMachine):
    """Does what administrators do, and keeps a model beside it."""

    runner: asyncio.Runner
    database: Database

    def __init__(self) -> None:
        """Begin with an empty registry."""
        super().__init__()
        self.registry = PostgresRegistry(self.database)
        self.now = _START
        self.agencies: dict[str, Agency] = {}
        self.officers: dict[tuple[str, str], Officer] = {}
        self.principals: dict[UUID, Principal] = {}
        self.grants: dict[UUID, Grant] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something at the next second."""
        self.now += timedelta(seconds=1)
        return self.runner.run(work)

    @rule(
        agency_id=_AGENCY_IDS,
        codes=st.lists(_CODES, max_size=3, unique_by=lambda code: code.key),
        names=st.lists(_NAMES, max_size=2, unique_by=lambda name: name.name),
    )
    def register_agency(self, agency_id: str, codes: list[DatedCode], names: list[DatedName]) -> None:
        known = self.agencies.get(agency_id)
        others = {code.key for agency in self.agencies.values() if agency is not known for code in agency.codes}
        register = self.registry.register_agency(agency_id, codes, names, _ACTOR, self.now)
        if known is not None and known.revoked_at is not None:
            self.refused(register, "agency_revoked")
            return
        if any(code.key in others for code in codes):
            self.refused(register, "agency_code_taken")
            return
        at = self.now
        agency = self.run(register)
        held_codes = {code.key: code for code in (*(known.codes if known else ()), *codes)}
        held_names = {name.name: name for name in (*(known.names if known else ()), *names)}
        assert {code.key: code for code in agency.codes} == held_codes
        assert list(agency.names) == list(held_names.values())
        assert agency.registered_at == (known.registered_at if known else at)
        self.agencies[agency_id] = agency

    @rule(agency_id=_AGENCY_IDS)
    def revoke_agency(self, agency_id: str) -> None:
        known = self.agencies.get(agency_id)
        at = self.now
        agency = self.run(self.registry.revoke_agency(agency_id, "sáp nhập", _ACTOR, at))
        expected = known if known is None or known.revoked_at else replace(known, revoked_at=at)
        assert agency == expected
        if expected is not None:
            self.agencies[agency_id] = expected

    @precondition(lambda self: self.agencies)
    @rule(data=st.data(), officer_id=_OFFICER_IDS, name=st.sampled_from(["Ánh", "Bình"]), last=_LAST_DAYS)
    def register_officer(self, data: st.DataObject, officer_id: str, name: str, last: date | None) -> None:
        agency = self.draw_agency(data)
        officer = Officer(agency.agency_uuid, agency.agency_id, officer_id, name, None, last, None)
        known = self.officers.get((agency.agency_id, officer_id))
        register = self.registry.register_officer(officer, _ACTOR, self.now)
        if known is not None and known != officer:
            self.refused(register, "officer_id_taken")
            return
        assert self.run(register) == officer
        self.officers[agency.agency_id, officer_id] = officer

    @rule(agency_id=_AGENCY_IDS, officer_id=_OFFICER_IDS)
    def revoke_officer(self, agency_id: str, officer_id: str) -> None:
        known = self.officers.get((agency_id, officer_id))
        at = self.now
        officer = self.run(self.registry.revoke_officer(agency_id, officer_id, "nghỉ hưu", _ACTOR, at))
        expected = known if known is None or known.revoked_at else replace(known, revoked_at=at)
        assert officer == expected
        if expected is not None:
            self.officers[agency_id, officer_id] = expected

    @precondition(lambda self: self.agencies)
    @rule(data=st.data(), certificate=_CERTIFICATES, officer_id=st.none() | _OFFICER_IDS)
    def register_principal(self, data: st.DataObject, certificate: str, officer_id: str | None) -> None:
        agency = self.draw_agency(data)
        principal = Principal(
            principal_id=uuid4(),
            kind=PrincipalKind.STATION,
            agency_uuid=agency.agency_uuid,
            agency_id=agency.agency_id,
            display_name="quầy 3",
            certificate_sha256=certificate,
            issuer_key_sha256=None,
            subject=None,
            default_officer_id=officer_id,
            valid_from=self.now,
            valid_to=None,
            revoked_at=None,
        )
        register = self.registry.register_principal(principal, _ACTOR, self.now)
        if any(known.certificate_sha256 == certificate and not known.revoked_at for known in self.principals.values()):
            self.refused(register, "principal_certificate_taken")
        elif officer_id is not None and (agency.agency_id, officer_id) not in self.officers:
            self.refused(register, "officer_unknown")
        else:
            assert self.run(register) == principal
            again = self.registry.register_principal(principal, _ACTOR, self.now)
            assert self.run(again).principal_id == principal.principal_id
            self.principals[principal.principal_id] = principal

    @precondition(lambda self: self.principals)
    @rule(data=st.data())
    def revoke_principal(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(list(self.principals.values())))
        at = self.now
        revoked = self.run(self.registry.revoke_principal(known.principal_id, "mất khóa", _ACTOR, at))
        assert revoked is not None
        expected = known if known.revoked_at else replace(known, revoked_at=at)
        assert replace(revoked, agency_revoked_at=None) == expected
        self.principals[known.principal_id] = expected

    @precondition(lambda self: self.agencies)
    @rule(data=st.data(), action=st.sampled_from(GrantAction), type_code=st.sampled_from([None, "KQ.G15.000031"]))
    def add_grant(self, data: st.DataObject, action: GrantAction, type_code: str | None) -> None:
        grantor, grantee = self.draw_agency(data), self.draw_agency(data)
        grant = Grant(
            grant_id=uuid4(),
            grantor_uuid=grantor.agency_uuid,
            grantor_id=grantor.agency_id,
            grantee_uuid=grantee.agency_uuid,
            grantee_id=grantee.agency_id,
            action=action,
            type_code=type_code,
            valid_from=date(2026, 1, 1),
            valid_to=None,
            ground="QĐ 12/QĐ-UBND",
            revoked_at=None,
        )
        add = self.registry.add_grant(grant, _ACTOR, self.now)
        if grantor == grantee:
            self.refused(add, "grant_between_two")
            return
        assert self.run(add) == grant
        self.grants[grant.grant_id] = grant

    @precondition(lambda self: self.grants)
    @rule(data=st.data())
    def revoke_grant(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(list(self.grants.values())))
        at = self.now
        expected = known if known.revoked_at else replace(known, revoked_at=at)
        assert self.run(self.registry.revoke_grant(known.grant_id, "hết hạn", _ACTOR, at)) == expected
        self.grants[known.grant_id] = expected

    @invariant()
    def what_is_read_is_what_was_registered(self) -> None:
        by_id = sorted(self.agencies.values(), key=lambda agency: agency.agency_id)
        assert list(self.run(self.registry.agencies("", 500))) == by_id
        assert self.run(self.registry.officers(None, ("", ""), 500)) == tuple(
            officer for _, officer in sorted(self.officers.items())
        )
        for certificate in ("1" * 64, "2" * 64):
            found = self.run(self.registry.principal_by_certificate(certificate, [], ""))
            held = [known for known in self.principals.values() if known.certificate_sha256 == certificate]
            living = [known for known in held if known.revoked_at is None]
            assert (found is None) == (not held)
            if found is not None:
                assert found.principal_id in {known.principal_id for known in living or held}
                assert found.agency_revoked_at == self.agencies[str(found.agency_id)].revoked_at
        ids = sorted(self.principals)
        stands = {known.principal_id for known in self.principals.values() if self.stands(known)}
        assert set(self.run(PostgresStanding(self.database).ended_among(ids, self.now))) == set(ids) - stands
        for grant in self.grants.values():
            between = self.run(self.registry.grants_between(grant.grantor_uuid, grant.grantee_uuid))
            assert (grant in between) == (grant.revoked_at is None)

    def teardown(self) -> None:
        """Find the registry rebuilt from its events equal, then empty it."""
        self.run(assert_rebuild_changes_nothing(self.database))
        tables = ", ".join((*PROJECTIONS, "kho.verification_task", "kho.event", "kho.event_payload"))
        self.run(self.database.execute(f"TRUNCATE {tables}"))

    def stands(self, principal: Principal) -> bool:
        agency = self.agencies[str(principal.agency_id)]
        return replace(principal, agency_revoked_at=agency.revoked_at).calls_at(self.now)

    def draw_agency(self, data: st.DataObject) -> Agency:
        return data.draw(st.sampled_from(sorted(self.agencies.values(), key=lambda agency: agency.agency_id)))

    def refused(self, work: Coroutine[Any, Any, object], constraint: str) -> None:
        with pytest.raises(Conflict) as refused:
            self.run(work)
        assert refused.value.constraint == constraint


@pytest.fixture
def machine(postgres: EmbeddedPostgres, template_database: str) -> Iterator[type[RegistryMachine]]:
    """Give the machine a database and a loop of its own, for all examples."""
    with asyncio.Runner() as runner:
        where = runner.run(create_database(postgres, "registry_machine", template_database))
        database = runner.run(Database.open(where.connect_args(), max_connections=2))

        class Machine(RegistryMachine):
            """The machine over this database."""

        Machine.runner, Machine.database = runner, database
        yield Machine
        runner.run(database.close())
        runner.run(drop_database(postgres, "registry_machine"))


def test_the_registry_is_what_its_model_says(machine: type[RegistryMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


async def test_two_that_register_one_code_at_once(catalog: Database) -> None:
    registry = PostgresRegistry(catalog)
    code = DatedCode("H46.01", "H46.01", None, None)
    answers = await asyncio.gather(
        *(registry.register_agency(f"agency-{n}", [code], [], _ACTOR, _START) for n in range(6)),
        return_exceptions=True,
    )
    registered = [answer for answer in answers if isinstance(answer, Agency)]
    assert len(registered) == 1
    assert all(isinstance(answer, Agency | Conflict) for answer in answers)
    assert await registry.agencies("", 10) == tuple(registered)


async def test_a_subject_is_found_after_a_fingerprint_and_a_living_one_first(catalog: Database) -> None:
    registry = PostgresRegistry(catalog)
    by_print = Principal(
        uuid4(), PrincipalKind.OPERATOR, None, None, "a", "1" * 64, None, None, None, _START, None, None
    )
    by_name = replace(
        by_print, principal_id=uuid4(), certificate_sha256=None, issuer_key_sha256="2" * 64, subject="CN=a"
    )
    for principal in (by_name, by_print):
        await registry.register_principal(principal, _ACTOR, _START)
    question = ("1" * 64, ["3" * 64, "2" * 64], "CN=a")
    assert await registry.principal_by_certificate(*question) == by_print
    await registry.revoke_principal(by_print.principal_id, "x", _ACTOR, _START)
    assert await registry.principal_by_certificate(*question) == by_name
    assert await registry.principal_by_certificate("9" * 64, ["3" * 64], "CN=a") is None
    with pytest.raises(Conflict) as refused:
        await registry.register_principal(replace(by_name, principal_id=uuid4()), _ACTOR, _START)
    assert refused.value.constraint == "principal_subject_taken"


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"kind": PrincipalKind.STATION}, "principal_agency_fits_kind"),
        ({"agency_uuid": uuid4()}, "principal_agency_fits_kind"),
        ({"kind": PrincipalKind.STATION, "agency_uuid": uuid4()}, "agency_unknown"),
        ({"certificate_sha256": None}, "principal_has_one_credential"),
        ({"subject": "CN=a", "issuer_key_sha256": "2" * 64}, "principal_has_one_credential"),
    ],
)
async def test_impossible_principals_are_refused_by_name(
    catalog: Database, changes: dict[str, Any], constraint: str
) -> None:
    operator = Principal(
        uuid4(), PrincipalKind.OPERATOR, None, None, "a", "1" * 64, None, None, None, _START, None, None
    )
    with pytest.raises(Conflict) as refused:
        await PostgresRegistry(catalog).register_principal(replace(operator, **changes), _ACTOR, _START)
    assert refused.value.constraint == constraint


async def test_lists_are_paged_by_key(catalog: Database) -> None:
    registry = PostgresRegistry(catalog)
    for number in range(5):
        agency = await registry.register_agency(f"agency-{number}", [], [], _ACTOR, _START)
        for officer_id in ("x", "y"):
            await registry.register_officer(
                Officer(agency.agency_uuid, agency.agency_id, officer_id, "n", None, None, None), _ACTOR, _START
            )
    paged: list[tuple[str, str]] = []
    while page := await registry.officers(None, paged[-1] if paged else ("", ""), 3):
        paged += [(officer.agency_id, officer.officer_id) for officer in page]
    assert paged == [(f"agency-{number}", officer_id) for number in range(5) for officer_id in ("x", "y")]
    assert [agency.agency_id for agency in await registry.agencies("agency-2", 2)] == ["agency-3", "agency-4"]
    assert [officer.officer_id for officer in await registry.officers("agency-3", ("", ""), 9)] == ["x", "y"]


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "' OR ''='"])
async def test_what_cannot_be_stored_is_not_found(catalog: Database, text: str) -> None:
    registry = PostgresRegistry(catalog)
    assert await registry.agency(text) is None
    assert await registry.agency_by_code(text) is None
    assert await registry.officer(uuid4(), text) is None
    assert await registry.principal_by_certificate("1" * 64, ["2" * 64], text) is None
