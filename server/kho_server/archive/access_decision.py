"""The one decision about every disclosure: `may(caller, action, facts)`; what is not allowed is denied.

Order of the rules: 1. who never sees content; 2. one's own; 3. what nobody else may see; 4. a grant. There is no
rule that allows by the absence of another.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kho_storage.records.access import AccessAction
from kho_storage.records.document import DocumentKind, DocumentState
from kho_storage.records.registry import Grant, GrantAction, Officer, Principal, PrincipalKind

_SEES_RESULTS = frozenset({PrincipalKind.STATION, PrincipalKind.AGENCY_SYSTEM})


class Ground(enum.Enum):
    """Why it was decided so; for the record, never for the caller."""

    OWN = "own"
    GRANT = "grant"
    KIND_OF_CALLER = "kind_of_caller"
    NO_OFFICER = "no_officer"
    NEVER_SHARED = "never_shared"
    NOT_ACCEPTED = "not_accepted"
    NO_GRANT = "no_grant"


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed or not, and by which rule; `grant_id` names the grant that allowed it."""

    is_allowed: bool
    ground: Ground
    grant_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What the decision needs to know of a document; `type_code` and `issuer_uuid` are None without a result.

    `is_accepted`: the acceptance table of the day lets its verdict be reused.
    """

    agency_uuid: UUID
    issuer_uuid: UUID | None
    kind: DocumentKind
    state: DocumentState
    type_code: str | None
    is_accepted: bool


def may(
    principal: Principal,
    officer: Officer | None,
    action: AccessAction,
    document: DocumentFacts,
    grants: Sequence[Grant],
    today: date,
) -> Decision:
    """Decide; pure. `grants` are those between the document's issuer and the caller's agency, revoked ones too.

    Another agency's content and metadata are for LOOKUP and REUSE only: READ and LIST are for one's own.
    """
    if principal.kind not in _SEES_RESULTS or principal.agency_uuid is None:
        return Decision(False, Ground.KIND_OF_CALLER)
    if officer is None or officer.agency_uuid != principal.agency_uuid or not officer.acts_on(today):
        return Decision(False, Ground.NO_OFFICER)
    if document.agency_uuid == principal.agency_uuid:
        return Decision(True, Ground.OWN)
    if action not in (AccessAction.LOOKUP, AccessAction.REUSE) or document.kind is DocumentKind.PROCESSING:
        return Decision(False, Ground.NEVER_SHARED)
    if document.state is not DocumentState.VALID or not document.is_accepted:
        return Decision(False, Ground.NOT_ACCEPTED)
    if document.type_code is None or document.issuer_uuid is None:
        return Decision(False, Ground.NEVER_SHARED)
    for grant in grants:
        if (
            grant.action is GrantAction.REUSE
            and grant.grantor_uuid == document.issuer_uuid
            and grant.grantee_uuid == principal.agency_uuid
            and grant.allows(document.type_code, today)
        ):
            return Decision(True, Ground.GRANT, grant.grant_id)
    return Decision(False, Ground.NO_GRANT)
