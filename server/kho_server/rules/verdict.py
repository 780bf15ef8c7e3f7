"""The words of a signature verdict, and what they make of a document."""

from enum import StrEnum


class Indication(StrEnum):
    """The main answer of a validation: ETSI EN 319 102-1 section 5.1.3; NO_SIGNATURE is ours for unsigned content."""

    TOTAL_PASSED = "TOTAL_PASSED"
    TOTAL_FAILED = "TOTAL_FAILED"
    INDETERMINATE = "INDETERMINATE"
    NO_SIGNATURE = "NO_SIGNATURE"


class SubIndication(StrEnum):
    """The reason within an indication: the words of EN 319 102-1, as EU DSS spells them (SubIndication.java).

    The standard does not bind every word to one indication, so neither do we.
    """

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


class DocumentState(StrEnum):
    """Where a document stands once its signatures were judged."""

    VALID = "VALID"
    INVALID = "INVALID"
    PENDING_EVIDENCE = "PENDING_EVIDENCE"


_STATES = {
    Indication.TOTAL_PASSED: DocumentState.VALID,
    Indication.TOTAL_FAILED: DocumentState.INVALID,
    Indication.NO_SIGNATURE: DocumentState.INVALID,
    Indication.INDETERMINATE: DocumentState.PENDING_EVIDENCE,
}


def document_state(indication: Indication, sub_indication: SubIndication | None = None) -> DocumentState:
    """Return the state that a verdict gives a document.

    The sub-indication decides nothing yet. It is asked for because some INDETERMINATE verdicts never improve, and
    whoever teaches the table so should not have to change its callers.
    """
    del sub_indication
    return _STATES[indication]
