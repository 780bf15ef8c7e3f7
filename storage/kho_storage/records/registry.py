"""Who is who: agencies, officers, principals and grants as the catalog knows them."""

import enum
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


class PrincipalKind(enum.Enum):
    """What a caller is."""

    STATION = "station"
    AGENCY_SYSTEM = "agency_system"
    PORTAL = "portal"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class GrantAction(enum.Enum):
    """What a grant allows: to have the grantor's results, or to store results that the grantor issued."""

    REUSE = "reuse"
    ISSUE = "issue"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the principal that called (None: the server itself), and the officer in whose name it did."""

    principal_id: UUID | None
    officer_id: str | None


@dataclass(frozen=True, slots=True)
class DatedCode:
    """A code of an agency; `key` is its matching form, days are inclusive, None is open."""

    code: str
    key: str
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class DatedName:
    """A name of an agency; days are inclusive, None is open."""

    name: str
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Agency:
    """A state body; `agency_id` is the stable id chosen at registration, `agency_uuid` names its folders."""

    agency_uuid: UUID
    agency_id: str
    codes: tuple[DatedCode, ...]
    names: tuple[DatedName, ...]
    registered_at: datetime
    revoked_at: datetime | None

    def code_on(self, day: date) -> str | None:
        """Return the code in force on a day, the most general syntax last, else any code it ever had."""
        held = [
            dated.code
            for dated in self.codes
            if (dated.valid_from is None or dated.valid_from <= day)
            and (dated.valid_to is None or day <= dated.valid_to)
        ]
        return held[0] if held else (self.codes[-1].code if self.codes else None)


@dataclass(frozen=True, slots=True)
class Officer:
    """A person in whose name systems act; registered per agency with dates."""

    agency_uuid: UUID
    agency_id: str
    officer_id: str
    display_name: str
    valid_from: date | None
    valid_to: date | None
    revoked_at: datetime | None

    def acts_on(self, day: date) -> bool:
        """Tell whether calls may be made in this name on a day."""
        return (
            self.revoked_at is None
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_to is None or day <= self.valid_to)
        )


@dataclass(frozen=True, slots=True)
class Principal:
    """A registered caller: known by the SHA-256 of its certificate, or by its issuer's key and its subject."""

    principal_id: UUID
    kind: PrincipalKind
    agency_uuid: UUID | None
    agency_id: str | None
    display_name: str
    certificate_sha256: str | None
    issuer_key_sha256: str | None
    subject: str | None
    default_officer_id: str | None
    valid_from: datetime
    valid_to: datetime | None
    revoked_at: datetime | None
    agency_revoked_at: datetime | None = None

    def calls_at(self, instant: datetime) -> bool:
        """Tell whether this registration stands at an instant."""
        return (
            self.revoked_at is None
            and self.agency_revoked_at is None
            and self.valid_from <= instant
            and (self.valid_to is None or instant < self.valid_to)
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """A right that one agency gives another; `type_code` None means all types; days are inclusive."""

    grant_id: UUID
    grantor_uuid: UUID
    grantor_id: str
    grantee_uuid: UUID
    grantee_id: str
    action: GrantAction
    type_code: str | None
    valid_from: date
    valid_to: date | None
    ground: str
    revoked_at: datetime | None

    def allows(self, type_code: str, day: date) -> bool:
        """Tell whether it covers results of a type on a day."""
        return (
            self.revoked_at is None
            and (self.type_code is None or self.type_code == type_code)
            and self.valid_from <= day
            and (self.valid_to is None or day <= self.valid_to)
        )
