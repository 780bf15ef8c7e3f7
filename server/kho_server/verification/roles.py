"""For whom a certificate speaks: a registered table with dates, never what its subject calls itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kho_server.verification.verdict import SignerRole


@dataclass(frozen=True)
class Registration:
    """A certificate is registered for an officer or an agency from `since` until `until` (aware, exclusive)."""

    role: SignerRole
    agency: str
    since: datetime
    until: datetime | None = None


RoleTable = Mapping[str, Sequence[Registration]]
"""SHA-256 of a certificate (hex) to its registrations."""


def role_at(table: RoleTable, certificate_sha256: str, at: datetime) -> SignerRole | None:
    """Return the role at a time; None if nobody is registered, or for both roles at once."""
    roles = {
        one.role
        for one in table.get(certificate_sha256, ())
        if one.since <= at and (one.until is None or at < one.until)
    }
    return roles.pop() if len(roles) == 1 else None
