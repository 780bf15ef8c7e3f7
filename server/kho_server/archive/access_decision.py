"""The one decision on every disclosure.

1. Whoever acts for no agency sees nothing: operators and administrators watch and register.
2. Nobody sees anything without an officer of its agency who acts on that day.
3. An agency reads and looks up what is its own, whatever its kind and state.
4. Another agency's document is looked up or reused when it is a result or a component, when its newest version is
   valid and accepted by the table of the day, and when a grant of its issuer for reuse covers its type on that day.
5. Reuse asks for a valid result or component of an own document, too: what failed verification is never reusable.
6. Everything else is denied.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kho_server.archive.caller import AGENCY_KINDS
from kho_server.rules.acceptance import Use, acceptance_table
from kho_server.rules.document_kind import DocumentKind as Kind
from kho_server.rules.text import matching_key
from kho_server.rules.verdict import Indication, SubIndication
from kho_storage.records.document import DocumentKind, DocumentState, StoredDocument, StoredResult
from kho_storage.records.registry import Grant, GrantAction, Officer, Principal

SHOWN_KINDS = frozenset({DocumentKind.RESULT, DocumentKind.COMPONENT})


class Action(enum.Enum):
    """What is asked for: metadata, own content, or content for another dossier."""

    LOOKUP = "lookup"
    READ = "read"
    REUSE = "reuse"


class Ground(enum.Enum):
    """Why it was decided so; kept for operators, never told to strangers."""

    OWN_AGENCY = "own_agency"
    GRANT = "grant"
    NO_AGENCY = "no_agency"
    NO_OFFICER = "no_officer"
    OWN_ONLY = "own_only"
    KIND_NOT_SHOWN = "kind_not_shown"
    NOT_VALID = "not_valid"
    NO_GRANT = "no_grant"


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What the decision rests on; `type_code` is None for what is no result.

    `agency_uuid` holds the document, `issuer_uuid` (None: the same agency) decided the result and alone can grant
    it. `is_accepted`: the acceptance table of the day lets a verdict like its newest one be reused.
    """

    agency_uuid: UUID
    kind: DocumentKind
    state: DocumentState
    type_code: str | None
    issuer_uuid: UUID | None = None
    is_accepted: bool = False

    @property
    def grantor_uuid(self) -> UUID:
        """Whose grants count."""
        return self.issuer_uuid or self.agency_uuid

    @classmethod
    def of_result(cls, result: StoredResult, day: date) -> "DocumentFacts":
        """Take them from a result that was found."""
        return cls(
            result.agency_uuid,
            result.kind,
            result.state,
            result.declaration.type_code,
            result.declaration.issuer_uuid,
            _is_accepted(result, day),
        )

    @classmethod
    def of_document(cls, document: StoredDocument, day: date) -> "DocumentFacts":
        """Take them from a document that was found."""
        if document.result is not None:
            return cls.of_result(document.result, day)
        return cls(document.agency_uuid, document.kind, document.state, None)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether, and why; `grant_id` names the grant that allowed it."""

    allowed: bool
    ground: Ground
    grant_id: UUID | None = None


def may(
    principal: Principal,
    officer: Officer | None,
    action: Action,
    document: DocumentFacts,
    grants: Iterable[Grant],
    day: date,
) -> Decision:
    """Decide; `grants` may be any grants at all, only fitting ones count. The numbers are those of the module."""
    if principal.kind not in AGENCY_KINDS or principal.agency_uuid is None:  # 1
        return Decision(False, Ground.NO_AGENCY)
    if officer is None or officer.agency_uuid != principal.agency_uuid or not officer.acts_on(day):  # 2
        return Decision(False, Ground.NO_OFFICER)
    is_own = document.agency_uuid == principal.agency_uuid
    if is_own and action is not Action.REUSE:  # 3
        return Decision(True, Ground.OWN_AGENCY)
    if action is Action.READ:  # 6: another agency's content leaves through reuse alone
        return Decision(False, Ground.OWN_ONLY)
    if document.kind not in SHOWN_KINDS:  # 4, 5
        return Decision(False, Ground.KIND_NOT_SHOWN)
    if document.state is not DocumentState.VALID or not document.is_accepted:  # 4, 5
        return Decision(False, Ground.NOT_VALID)
    if is_own:  # 5
        return Decision(True, Ground.OWN_AGENCY)
    for grant in grants:  # 4
        if (
            grant.action is GrantAction.REUSE
            and grant.grantor_uuid == document.grantor_uuid
            and grant.grantee_uuid == principal.agency_uuid
            and _covers(grant, document.type_code, day)
        ):
            return Decision(True, Ground.GRANT, grant.grant_id)
    return Decision(False, Ground.NO_GRANT)  # 6


def _covers(grant: Grant, type_code: str | None, day: date) -> bool:
    """Tell whether a grant covers a type; grants hold types in their matching form."""
    if type_code is None and grant.type_code is not None:
        return False
    return grant.allows(matching_key(type_code or ""), day)


def _is_accepted(result: StoredResult, day: date) -> bool:
    if result.indication is None:
        return False
    sub_indication = SubIndication(result.sub_indication) if result.sub_indication else None
    decided = acceptance_table().decide(Indication(result.indication), sub_indication, Kind(result.kind.value), day)
    return decided.allows(Use.REUSE)
