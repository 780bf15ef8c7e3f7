"""What administrators send, and how it becomes values that cannot be wrong."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from kho_server.archive.caller import AGENCY_KINDS
from kho_server.archive.refusals import Reason, Refusal
from kho_server.rules.agency_code import AgencyCode
from kho_server.rules.legal_days import Validity
from kho_server.rules.text import clean_text
from kho_storage.records.registry import DatedCode, DatedName, PrincipalKind

BATCH_LINES = 500
_MAX_DATED_TEXTS = 64
_MAX_NAME = 300
_MAX_DISPLAY_NAME = 200
_MAX_REASON = 500
_MAX_SUBJECT = 1000
_MAX_CERTIFICATE_BYTES = 64 * 1024
_AGENCY_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
# Ids of officers come from many systems; without spaces and accents two spellings cannot look like one.
_OFFICER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@/-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SaidDated:
    """A text with its days, unparsed; an empty day is open."""

    text: str
    valid_from: str = ""
    valid_to: str = ""


@dataclass(frozen=True, slots=True)
class SaidAgency:
    """An agency as an administrator sent it."""

    agency_id: str
    codes: Sequence[SaidDated] = ()
    names: Sequence[SaidDated] = ()


@dataclass(frozen=True, slots=True)
class SaidOfficer:
    """An officer as an administrator sent it."""

    agency_id: str
    officer_id: str
    display_name: str
    valid_from: str = ""
    valid_to: str = ""


@dataclass(frozen=True, slots=True)
class SaidPrincipal:
    """A caller as an administrator sent it: a certificate, or its fingerprint, or issuer key and subject."""

    kind: PrincipalKind | None
    agency_id: str = ""
    display_name: str = ""
    certificate: bytes = b""
    certificate_sha256: str = ""
    issuer_key_sha256: str = ""
    subject: str = ""
    default_officer_id: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """What a caller is known by: a fingerprint, or issuer key and subject."""

    certificate_sha256: str | None
    issuer_key_sha256: str | None
    subject: str | None


def parse_agency_id(text: str, field: str = "agency_id") -> str:
    """Return an agency's stable id. Refusals: FIELD_REQUIRED, FIELD_MALFORMED."""
    return _matching(_AGENCY_ID, field, text)


def parse_officer_id(text: str, field: str = "officer_id") -> str:
    """Return an officer's id. Refusals: FIELD_REQUIRED, FIELD_MALFORMED."""
    return _matching(_OFFICER_ID, field, text)


def parse_display_name(text: str) -> str:
    """Return a name for people; TextRefused."""
    return clean_text("display_name", text, _MAX_DISPLAY_NAME, required=True)


def parse_reason(text: str) -> str:
    """Return why something is revoked; TextRefused."""
    return clean_text("reason", text, _MAX_REASON, required=True)


def parse_codes(said: Sequence[SaidDated], today: date) -> tuple[DatedCode, ...]:
    """Return an agency's codes. Refusals: FIELD_TOO_LONG, FIELD_MALFORMED (one twice); RuleViolation."""
    _check_count("codes", said)
    codes = []
    for each in said:
        code = AgencyCode.parse(each.text, today, field="codes.text")
        validity = Validity.parse(each.valid_from, each.valid_to)
        codes.append(DatedCode(code.text, code.key, validity.valid_from, validity.valid_to))
    if len({code.key for code in codes}) != len(codes):
        raise Refusal(Reason.FIELD_MALFORMED, field="codes")
    return tuple(codes)


def parse_names(said: Sequence[SaidDated]) -> tuple[DatedName, ...]:
    """Return an agency's names. Refusals: FIELD_TOO_LONG, FIELD_MALFORMED (one twice); RuleViolation."""
    _check_count("names", said)
    names = []
    for each in said:
        validity = Validity.parse(each.valid_from, each.valid_to)
        name = clean_text("names.text", each.text, _MAX_NAME, required=True)
        names.append(DatedName(name, validity.valid_from, validity.valid_to))
    if len({name.name for name in names}) != len(names):
        raise Refusal(Reason.FIELD_MALFORMED, field="names")
    return tuple(names)


def parse_credential(said: SaidPrincipal) -> Credential:
    """Return what a caller is known by; exactly one way may be sent.

    Refusals: FIELD_REQUIRED, FIELD_MALFORMED, CERTIFICATE_MALFORMED, TextRefused.
    """
    ways = (said.certificate, said.certificate_sha256, said.issuer_key_sha256 or said.subject)
    if sum(bool(way) for way in ways) != 1:
        reason = Reason.FIELD_MALFORMED if any(ways) else Reason.FIELD_REQUIRED
        raise Refusal(reason, field="certificate")
    if said.certificate:
        return Credential(fingerprint(said.certificate), None, None)
    if said.certificate_sha256:
        return Credential(_matching(_SHA256, "certificate_sha256", said.certificate_sha256.lower()), None, None)
    key = _matching(_SHA256, "issuer_key_sha256", said.issuer_key_sha256.lower())
    # A subject is compared with certificates byte by byte: one that would be changed here could never match.
    if clean_text("subject", said.subject, _MAX_SUBJECT, required=True) != said.subject:
        raise Refusal(Reason.FIELD_MALFORMED, field="subject")
    return Credential(None, key, said.subject)


def fingerprint(certificate: bytes) -> str:
    """Return SHA-256 of a PEM or DER certificate, hexadecimal. Refusal: CERTIFICATE_MALFORMED."""
    if len(certificate) > _MAX_CERTIFICATE_BYTES:
        raise Refusal(Reason.CERTIFICATE_MALFORMED, field="certificate")
    is_pem = certificate.lstrip().startswith(b"-----")
    read = x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate
    try:
        return read(certificate).fingerprint(SHA256()).hex()
    except (ValueError, x509.InvalidVersion) as error:
        raise Refusal(Reason.CERTIFICATE_MALFORMED, field="certificate") from error


def parse_kind(said: SaidPrincipal) -> PrincipalKind:
    """Return the kind, agreed with the agency. Refusals: FIELD_REQUIRED, FIELD_MALFORMED."""
    if said.kind is None:
        raise Refusal(Reason.FIELD_REQUIRED, field="kind")
    if said.kind in AGENCY_KINDS and not said.agency_id:
        raise Refusal(Reason.FIELD_REQUIRED, field="agency_id")
    if said.kind not in AGENCY_KINDS and (said.agency_id or said.default_officer_id):
        raise Refusal(Reason.FIELD_MALFORMED, field="agency_id" if said.agency_id else "default_officer_id")
    return said.kind


def _matching(pattern: re.Pattern[str], field: str, text: str) -> str:
    if not text:
        raise Refusal(Reason.FIELD_REQUIRED, field=field)
    if pattern.fullmatch(text) is None:
        raise Refusal(Reason.FIELD_MALFORMED, field=field)
    return text


def _check_count(field: str, said: Sequence[SaidDated]) -> None:
    if len(said) > _MAX_DATED_TEXTS:
        raise Refusal(Reason.FIELD_TOO_LONG, field=field, limit=_MAX_DATED_TEXTS)
