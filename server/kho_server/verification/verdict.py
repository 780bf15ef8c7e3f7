"""What verification answers, in the vocabulary of ETSI EN 319 102-1 clause 5.1.3.

Values only: they cross the pipe of a worker and lie in the database as plain dictionaries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from kho_server.verification.changes import ChangeRule


class Indication(StrEnum):
    """The answer itself; NO_SIGNATURE is ours, for a file or a field that nobody signed."""

    TOTAL_PASSED = "TOTAL_PASSED"
    TOTAL_FAILED = "TOTAL_FAILED"
    INDETERMINATE = "INDETERMINATE"
    NO_SIGNATURE = "NO_SIGNATURE"


class SubIndication(StrEnum):
    """Why an answer is not TOTAL_PASSED; names of EN 319 102-1 table 6 and of EU DSS."""

    FORMAT_FAILURE = "FORMAT_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    CERTIFICATE_CHAIN_GENERAL_FAILURE = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    POLICY_PROCESSING_ERROR = "POLICY_PROCESSING_ERROR"
    SIGNATURE_POLICY_NOT_AVAILABLE = "SIGNATURE_POLICY_NOT_AVAILABLE"
    TIMESTAMP_ORDER_FAILURE = "TIMESTAMP_ORDER_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND_NO_POE = "NO_CERTIFICATE_CHAIN_FOUND_NO_POE"
    REVOKED_NO_POE = "REVOKED_NO_POE"
    REVOKED_CA_NO_POE = "REVOKED_CA_NO_POE"
    OUT_OF_BOUNDS_NOT_REVOKED = "OUT_OF_BOUNDS_NOT_REVOKED"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    REVOCATION_OUT_OF_BOUNDS_NO_POE = "REVOCATION_OUT_OF_BOUNDS_NO_POE"
    CRYPTO_CONSTRAINTS_FAILURE_NO_POE = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    NO_POE = "NO_POE"
    TRY_LATER = "TRY_LATER"
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"

    @property
    def indication(self) -> Indication:
        """The indication that this reason belongs to."""
        return Indication.TOTAL_FAILED if self in _FAILURES else Indication.INDETERMINATE


_FAILURES = frozenset(
    {
        SubIndication.FORMAT_FAILURE,
        SubIndication.HASH_FAILURE,
        SubIndication.SIG_CRYPTO_FAILURE,
        SubIndication.REVOKED,
        SubIndication.EXPIRED,
        SubIndication.NOT_YET_VALID,
    }
)


class Remark(StrEnum):
    """A named observation beside the answer; several may stand with one answer."""

    NOT_A_PDF = "NOT_A_PDF"
    """The bytes do not begin as a PDF does."""
    UNREADABLE = "UNREADABLE"
    """The structure of the file cannot be followed."""
    ENCRYPTED = "ENCRYPTED"
    """The file needs a password, so nobody can say what was signed."""
    PARSED_LENIENTLY = "PARSED_LENIENTLY"
    """The file breaks the letter of ISO 32000 in a way that common software does."""
    RESOURCE_LIMIT = "RESOURCE_LIMIT"
    """The file exceeded a limit of size, time, memory or count."""
    WORKER_LOST = "WORKER_LOST"
    """Two workers died over this file."""
    TRUST_FOLDER_EMPTY = "TRUST_FOLDER_EMPTY"
    """No anchor is configured: nothing can be trusted."""
    TRUST_FOLDER_INCOMPLETE = "TRUST_FOLDER_INCOMPLETE"
    """A file of the trust folder could not be read and was left out."""
    UNSUPPORTED_SUBFILTER = "UNSUPPORTED_SUBFILTER"
    """The signature is of a kind that is not judged."""
    SEVERAL_SIGNERS = "SEVERAL_SIGNERS"
    """One signature value carries several signers; they are not judged."""
    BYTE_RANGE = "BYTE_RANGE"
    """The signed range is not the whole revision around the signature value."""
    SIGNATURE_SHARED = "SIGNATURE_SHARED"
    """Two fields point to one signature, or two fields bear one name."""
    UNLISTED_BYTES = "UNLISTED_BYTES"
    """Bytes were appended that no cross-reference table lists."""
    CHANGED_AFTER_SIGNING = "CHANGED_AFTER_SIGNING"
    """What a reader sees was changed after signing."""
    KEY_USAGE = "KEY_USAGE"
    """The certificate is not meant for signing documents (no nonRepudiation)."""
    SIGNING_CERTIFICATE_ATTRIBUTE = "SIGNING_CERTIFICATE_ATTRIBUTE"
    """The signature does not name its certificate among the signed attributes."""
    WEAK_ALGORITHM = "WEAK_ALGORITHM"
    """The digest is weak and merely tolerated by the rules of that day."""
    PURPOSE = "PURPOSE"
    """The certificate names purposes, and signing documents is none of them."""
    TIME_STAMP_NOT_TRUSTED = "TIME_STAMP_NOT_TRUSTED"
    """A time-stamp is there and proves nothing: broken, of another signature, or by nobody trusted."""
    SIGNING_TIME_CLAIM = "SIGNING_TIME_CLAIM"
    """The time that the signer claims lies after a proven one, or in the future."""
    CERTIFICATION_ORDER = "CERTIFICATION_ORDER"
    """A certification came after another signature, or there are two."""
    HIDDEN_CONTENT = "HIDDEN_CONTENT"
    """The signed file holds content that no page shows; it may have been prepared for a later exchange."""
    ACTIVE_CONTENT = "ACTIVE_CONTENT"
    """The file holds scripts, launch actions or an XFA form: what is shown may depend on the viewer."""
    INTEGRITY_ONLY = "INTEGRITY_ONLY"
    """Nobody was asked for trust: path, revocation, time and role were not judged."""
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    """The signature format is not judged here: XAdES, ASiC."""
    CONTENT_MISSING = "CONTENT_MISSING"
    """A detached signature came without the file that it signs."""


class Scope(StrEnum):
    """What a verdict speaks about."""

    FULL = "full"
    INTEGRITY = "integrity"


class FieldKind(StrEnum):
    """What a signature field holds."""

    SIGNATURE = "SIGNATURE"
    DOCUMENT_TIME_STAMP = "DOCUMENT_TIME_STAMP"
    UNSIGNED = "UNSIGNED"


class SignerRole(StrEnum):
    """For whom a signature speaks, by the registered table of certificates."""

    OFFICER = "OFFICER"
    AGENCY = "AGENCY"


@dataclass(frozen=True)
class ChangeAfter:
    """A change after a signature: the rule it falls under, where, and whether the rules allow it."""

    rule: ChangeRule
    where: str
    is_allowed: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"rule": self.rule.value, "where": self.where, "is_allowed": self.is_allowed}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote. KeyError, ValueError: it was something else."""
        return cls(ChangeRule(plain["rule"]), plain["where"], plain["is_allowed"])


@dataclass(frozen=True)
class SignatureReport:
    """The answer for one signer of one signature field.

    `signer` is the common name of the certificate's subject and nothing else of it; `signing_time` is what
    the signer claims, `best_signature_time` what a trusted time-stamp proves. `level` is the AdES level that the
    signature reaches with what could be trusted. `covers_whole_document`: not a byte follows the signed range.
    """

    field: str
    kind: FieldKind
    indication: Indication
    sub_indication: SubIndication | None = None
    signer: str | None = None
    certificate_sha256: str | None = None
    issuer: str | None = None
    signing_time: datetime | None = None
    covers_whole_document: bool = False
    warnings: tuple[Remark, ...] = ()
    role: SignerRole | None = None
    level: str | None = None
    best_signature_time: datetime | None = None
    changes_after: tuple[ChangeAfter, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "field": self.field,
            "kind": self.kind.value,
            "indication": self.indication.value,
            "sub_indication": _text(self.sub_indication),
            "signer": self.signer,
            "certificate_sha256": self.certificate_sha256,
            "issuer": self.issuer,
            "signing_time": _time_text(self.signing_time),
            "covers_whole_document": self.covers_whole_document,
            "warnings": [warning.value for warning in self.warnings],
            "role": None if self.role is None else self.role.value,
            "level": self.level,
            "best_signature_time": _time_text(self.best_signature_time),
            "changes_after": [change.to_json() for change in self.changes_after],
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote. KeyError, ValueError: it was something else."""
        return cls(
            field=plain["field"],
            kind=FieldKind(plain["kind"]),
            indication=Indication(plain["indication"]),
            sub_indication=_sub_indication(plain["sub_indication"]),
            signer=plain["signer"],
            certificate_sha256=plain["certificate_sha256"],
            issuer=plain["issuer"],
            signing_time=_time(plain["signing_time"]),
            covers_whole_document=plain["covers_whole_document"],
            warnings=tuple(Remark(warning) for warning in plain["warnings"]),
            role=None if plain["role"] is None else SignerRole(plain["role"]),
            level=plain["level"],
            best_signature_time=_time(plain["best_signature_time"]),
            changes_after=tuple(ChangeAfter.from_json(one) for one in plain["changes_after"]),
        )


@dataclass(frozen=True)
class Verdict:
    """The answer for one file: its worst signature, with a sentence and a remedy for a clerk.

    `digest` is the SHA-256 (hex) of the judged bytes, `evaluated_at` the control time (UTC),
    `policy_version` names the trust material and rules that were in force; `scope` is what was judged.
    """

    indication: Indication
    sub_indication: SubIndication | None
    digest: str
    evaluated_at: datetime
    policy_version: str
    engine_version: str
    explanation_vi: str
    explanation_en: str
    signatures: tuple[SignatureReport, ...] = ()
    warnings: tuple[Remark, ...] = field(default=())
    scope: Scope = Scope.FULL

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "indication": self.indication.value,
            "sub_indication": _text(self.sub_indication),
            "digest": self.digest,
            "evaluated_at": self.evaluated_at.isoformat(),
            "policy_version": self.policy_version,
            "engine_version": self.engine_version,
            "explanation_vi": self.explanation_vi,
            "explanation_en": self.explanation_en,
            "signatures": [signature.to_json() for signature in self.signatures],
            "warnings": [warning.value for warning in self.warnings],
            "scope": self.scope.value,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote. KeyError, ValueError: it was something else."""
        return cls(
            indication=Indication(plain["indication"]),
            sub_indication=_sub_indication(plain["sub_indication"]),
            digest=plain["digest"],
            evaluated_at=datetime.fromisoformat(plain["evaluated_at"]),
            policy_version=plain["policy_version"],
            engine_version=plain["engine_version"],
            explanation_vi=plain["explanation_vi"],
            explanation_en=plain["explanation_en"],
            signatures=tuple(SignatureReport.from_json(one) for one in plain["signatures"]),
            warnings=tuple(Remark(warning) for warning in plain["warnings"]),
            scope=Scope(plain["scope"]),
        )


def _time_text(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _text(value: SubIndication | None) -> str | None:
    return None if value is None else value.value


def _sub_indication(value: str | None) -> SubIndication | None:
    return None if value is None else SubIndication(value)
