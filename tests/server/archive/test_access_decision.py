"""The one decision: every combination by table, and that nothing is allowed without a ground."""

import itertools
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kho_server.archive.access_decision import Action, Decision, DocumentFacts, Ground, may
from kho_storage.records.document import DocumentKind, DocumentState
from kho_storage.records.registry import Grant, GrantAction, Officer, PrincipalKind
from tests.server.archive.people import NOW, TODAY, principal

OWN, OTHER, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
TYPE = "KQ.G15.000031"
OFFICER = Officer(OWN, "agency-b", "officer-b", "Cán bộ", None, None, None)
GRANT = Grant(
    UUID(int=9), OTHER, "agency-a", OWN, "agency-b", GrantAction.REUSE, None, date(2026, 1, 1), None, "QĐ", None
)
THEIRS = DocumentFacts(OTHER, DocumentKind.RESULT, DocumentState.VALID, TYPE, is_accepted=True)
DESK = principal(PrincipalKind.STATION, OWN, "agency-b")

AGENCY_KINDS = {PrincipalKind.STATION, PrincipalKind.AGENCY_SYSTEM}


@pytest.mark.parametrize("kind", PrincipalKind)
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("document_kind", DocumentKind)
@pytest.mark.parametrize("state", DocumentState)
def test_every_combination(
    kind: PrincipalKind, action: Action, document_kind: DocumentKind, state: DocumentState
) -> None:
    who = principal(kind, OWN, "agency-b") if kind in AGENCY_KINDS else principal(kind)
    choices = itertools.product((OWN, OTHER, THIRD), (None, OTHER), (False, True), (False, True))
    for owner, issuer, is_accepted, is_granted in choices:
        facts = DocumentFacts(owner, document_kind, state, TYPE, issuer, is_accepted)
        decision = may(who, OFFICER, action, facts, [GRANT] if is_granted else [], TODAY)
        is_shown = document_kind in {DocumentKind.RESULT, DocumentKind.COMPONENT}
        is_reusable = is_shown and state is DocumentState.VALID and is_accepted
        is_theirs = owner != OWN and (issuer or owner) == OTHER
        expected = kind in AGENCY_KINDS and (
            (owner == OWN and (action in {Action.LOOKUP, Action.READ} or is_reusable))
            or (is_theirs and is_granted and is_reusable and action in {Action.LOOKUP, Action.REUSE})
        )
        assert decision.allowed == expected, facts
        assert decision.grant_id == (GRANT.grant_id if decision.ground is Ground.GRANT else None)


@pytest.mark.parametrize(
    ("grant", "ground"),
    [
        (GRANT, Ground.GRANT),
        (replace(GRANT, type_code=TYPE), Ground.GRANT),
        (replace(GRANT, valid_from=TODAY, valid_to=TODAY), Ground.GRANT),
        (replace(GRANT, type_code="KQ.G15.000032"), Ground.NO_GRANT),
        (replace(GRANT, action=GrantAction.ISSUE), Ground.NO_GRANT),
        (replace(GRANT, revoked_at=NOW), Ground.NO_GRANT),
        (replace(GRANT, valid_to=TODAY - timedelta(days=1)), Ground.NO_GRANT),
        (replace(GRANT, valid_from=TODAY + timedelta(days=1)), Ground.NO_GRANT),
        (replace(GRANT, grantor_uuid=THIRD), Ground.NO_GRANT),
        (replace(GRANT, grantee_uuid=THIRD), Ground.NO_GRANT),
        # A grant gives in one direction.
        (replace(GRANT, grantor_uuid=OWN, grantee_uuid=OTHER), Ground.NO_GRANT),
    ],
)
def test_which_grants_count(grant: Grant, ground: Ground) -> None:
    for action in (Action.LOOKUP, Action.REUSE):
        assert may(DESK, OFFICER, action, THEIRS, [grant], TODAY).ground is ground


def test_the_issuer_grants_and_not_who_stores_for_it() -> None:
    stored_for = replace(THEIRS, agency_uuid=THIRD, issuer_uuid=OTHER)
    assert may(DESK, OFFICER, Action.REUSE, stored_for, [GRANT], TODAY).ground is Ground.GRANT
    by_the_store = replace(GRANT, grantor_uuid=THIRD)
    assert may(DESK, OFFICER, Action.REUSE, stored_for, [by_the_store], TODAY).ground is Ground.NO_GRANT


def test_a_type_is_compared_in_its_matching_form() -> None:
    spelled = replace(THEIRS, type_code=" kq.g15.000031")
    assert may(DESK, OFFICER, Action.REUSE, spelled, [replace(GRANT, type_code=TYPE)], TODAY).allowed


def test_what_has_no_type_needs_a_grant_for_all_types() -> None:
    untyped = replace(THEIRS, type_code=None)
    assert may(DESK, OFFICER, Action.REUSE, untyped, [GRANT], TODAY).allowed
    assert not may(DESK, OFFICER, Action.REUSE, untyped, [replace(GRANT, type_code=TYPE)], TODAY).allowed
    assert not may(DESK, OFFICER, Action.REUSE, untyped, [replace(GRANT, type_code="")], TODAY).allowed


@pytest.mark.parametrize(
    "officer",
    [
        None,
        replace(OFFICER, agency_uuid=OTHER),
        replace(OFFICER, revoked_at=NOW),
        replace(OFFICER, valid_to=TODAY - timedelta(days=1)),
        replace(OFFICER, valid_from=TODAY + timedelta(days=1)),
    ],
)
@pytest.mark.parametrize("owner", [OWN, OTHER])
@pytest.mark.parametrize("action", Action)
def test_nobody_sees_anything_without_an_officer(officer: Officer | None, owner: UUID, action: Action) -> None:
    decision = may(DESK, officer, action, replace(THEIRS, agency_uuid=owner), [GRANT], TODAY)
    assert decision == Decision(False, Ground.NO_OFFICER)


_UUIDS = st.sampled_from([OWN, OTHER, THIRD])
_DAYS = st.dates(date(2026, 11, 1), date(2026, 12, 31))
_TYPES = st.sampled_from([None, TYPE, "KQ.G15.000032"])
_GRANTS = st.builds(
    Grant,
    grant_id=st.uuids(),
    grantor_uuid=_UUIDS,
    grantor_id=st.just("x"),
    grantee_uuid=_UUIDS,
    grantee_id=st.just("y"),
    action=st.sampled_from(GrantAction),
    type_code=_TYPES,
    valid_from=_DAYS,
    valid_to=st.none() | _DAYS,
    ground=st.just(""),
    revoked_at=st.none() | st.just(NOW),
)
_FACTS = st.builds(
    DocumentFacts,
    _UUIDS,
    st.sampled_from(DocumentKind),
    st.sampled_from(DocumentState),
    _TYPES,
    st.none() | _UUIDS,
    st.booleans(),
)


@given(
    kind=st.sampled_from(PrincipalKind),
    agency=st.none() | _UUIDS,
    officer_agency=_UUIDS,
    action=st.sampled_from(Action),
    facts=_FACTS,
    grants=st.lists(_GRANTS, max_size=6),
    day=_DAYS,
)
def test_default_deny(
    kind: PrincipalKind,
    agency: UUID | None,
    officer_agency: UUID,
    action: Action,
    facts: DocumentFacts,
    grants: list[Grant],
    day: date,
) -> None:
    who = principal(kind, agency, "x")
    officer = replace(OFFICER, agency_uuid=officer_agency)
    decision = may(who, officer, action, facts, grants, day)
    if not decision.allowed:
        assert decision.grant_id is None
        return
    assert kind in AGENCY_KINDS
    assert agency == officer_agency
    if facts.agency_uuid != agency:
        assert action is not Action.READ
        (used,) = [grant for grant in grants if grant.grant_id == decision.grant_id]
        assert (used.grantor_uuid, used.grantee_uuid, used.action) == (facts.grantor_uuid, agency, GrantAction.REUSE)
        assert used.revoked_at is None
        assert used.valid_from <= day <= (used.valid_to or day)
        assert used.type_code in {None, facts.type_code}
        assert not may(who, officer, action, facts, [], day).allowed
    if action is Action.REUSE or facts.agency_uuid != agency:
        assert facts.state is DocumentState.VALID
        assert facts.kind is not DocumentKind.PROCESSING
        assert facts.is_accepted
