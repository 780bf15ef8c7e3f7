"""Whether a certificate was revoked at a time, by the lists and answers at hand (EN 319 102-1 clauses 5.2.5, 5.2.6)."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from asn1crypto import x509
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import (
    CRLValidationError,
    CRLValidationIndeterminateError,
    OCSPValidationError,
    OCSPValidationIndeterminateError,
    PathValidationError,
    RevokedError,
)
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response

# ETSI EN 319 412-1 section 5.2.2 and RFC 6960 section 4.2.2.2.1: nobody publishes revocations of these.
_NEVER_REVOKED = frozenset({"0.4.0.194121.2.1", "0.4.0.194121.2.2"})


class Standing(Enum):
    """What is known about a certificate at a time."""

    GOOD = auto()
    REVOKED = auto()
    ON_HOLD = auto()
    STALE = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class RevocationStatus:
    """The standing of a certificate; `revoked_at` is told also if it lies after the time that was asked for."""

    standing: Standing
    revoked_at: datetime | None = None


async def revocation_status(
    certificate: x509.Certificate,
    path: ValidationPath,
    moment: datetime,
    *,
    fresh: ValidationContext,
    of_any_age: ValidationContext,
) -> RevocationStatus:
    """Tell whether a certificate of `path` stood at `moment`.

    `fresh` accepts data that is fresh for `moment`; `of_any_age` accepts any, for a revocation once published
    stays one, however old the list that says so.
    """
    if any(one["extn_id"].dotted in _NEVER_REVOKED for one in certificate["tbs_certificate"]["extensions"] or ()):
        return RevocationStatus(Standing.GOOD)
    ever = await _ask(certificate, path, of_any_age)
    if ever.revoked is not None:
        revoked_at, is_hold = ever.revoked
        if revoked_at > moment:
            return RevocationStatus(Standing.GOOD, revoked_at)
        return RevocationStatus(Standing.ON_HOLD if is_hold else Standing.REVOKED, revoked_at)
    now = await _ask(certificate, path, fresh)
    if now.is_good:
        return RevocationStatus(Standing.GOOD)
    # Authentic data that is merely too old asks for patience; data of the wrong kind, or none, does not.
    return RevocationStatus(Standing.STALE if now.is_stale or ever.is_good else Standing.UNKNOWN)


@dataclass(frozen=True)
class _Told:
    is_good: bool = False
    is_stale: bool = False
    revoked: tuple[datetime, bool] | None = None


async def _ask(certificate: x509.Certificate, path: ValidationPath, context: ValidationContext) -> _Told:
    is_good = is_stale = False
    revoked: list[tuple[datetime, bool]] = []
    for verify in (verify_crl, verify_ocsp_response):
        try:
            await verify(certificate, path, context)
            is_good = True
        except RevokedError as error:
            revoked.append((error.revocation_dt, error.reason.native == "certificate_hold"))
        except (CRLValidationIndeterminateError, OCSPValidationIndeterminateError) as error:
            is_stale = is_stale or error.suspect_stale is not None
        except (CRLValidationError, OCSPValidationError, PathValidationError):
            continue
    return _Told(is_good, is_stale, min(revoked, default=None))
