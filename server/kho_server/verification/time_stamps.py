"""Judges RFC 3161 time-stamps, inside signatures and over documents (EN 319 102-1 clauses 5.4 and 5.6.2.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import tsp

from kho_server.verification.certificate_judgement import CertificateJudge, unsafe
from kho_server.verification.evidence import signature_evidence
from kho_server.verification.limits import FileLimits
from kho_server.verification.policy import ValidationPolicy
from kho_server.verification.signed_value import (
    SignedValueError,
    Signer,
    certificate_fault,
    digest_of,
    integrity_fault,
    signed_data,
    signers,
)
from kho_server.verification.trust_folder import TrustMaterial, TrustUse
from kho_server.verification.verdict import SubIndication

_TIME_STAMPING = "1.3.6.1.5.5.7.3.8"


@dataclass(frozen=True)
class TimeStampFinding:
    """What a token says and the reason against it, None if it proves its time.

    `time` is None if not even that can be read; `signer` is the time-stamp authority.
    """

    reason: SubIndication | None
    time: datetime | None = None
    signer: Signer | None = None

    @property
    def proof(self) -> datetime | None:
        """The proven time; None if the token proves nothing."""
        return self.time if self.reason is None else None


class TimeStampJudge:
    """Judges the time-stamps of one file."""

    def __init__(
        self,
        certificates: CertificateJudge,
        trust: TrustMaterial,
        policy: ValidationPolicy,
        *,
        at: datetime,
        limits: FileLimits,
    ) -> None:
        self._certificates = certificates
        self._trust = trust
        self._policy = policy
        self._at = at
        self._limits = limits

    async def judge(
        self, token: bytes, digest: Callable[[str], bytes], proof: datetime | None = None
    ) -> TimeStampFinding:
        """Judge a token over data whose digests `digest` gives by name; `proof`: the token is at least that old.

        Raises what asn1crypto raises on broken DER.
        """
        try:
            signed = signed_data(token, self._limits)
        except SignedValueError:
            return TimeStampFinding(SubIndication.FORMAT_FAILURE)
        content = signed["encap_content_info"]
        if content["content_type"].native != "tst_info" or len(signed["signer_infos"]) != 1:
            return TimeStampFinding(SubIndication.FORMAT_FAILURE)
        encapsulated = bytes(content["content"])
        info = tsp.TSTInfo.load(encapsulated)
        imprint, time = info["message_imprint"], info["gen_time"].native
        (signer,) = signers(signed, (*signature_evidence(signed).certificates, *self._trust.intermediates))
        try:
            covered = digest(imprint["hash_algorithm"]["algorithm"].native)
            own = digest_of(signer.digest, encapsulated)
        except KeyError:
            return TimeStampFinding(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, time, signer)
        if imprint["hashed_message"].native != covered:
            return TimeStampFinding(SubIndication.HASH_FAILURE, time, signer)
        fault = integrity_fault(signer, own, "tst_info") or certificate_fault(signer)
        return TimeStampFinding(fault or await self._trusted(signer, info, time, proof), time, signer)

    async def _trusted(
        self, signer: Signer, info: tsp.TSTInfo, time: datetime, proof: datetime | None
    ) -> SubIndication | None:
        certificate = signer.certificate
        assert certificate is not None
        purposes = certificate.extended_key_usage_value
        if purposes is None or [one.dotted for one in purposes] != [_TIME_STAMPING]:
            return SubIndication.CHAIN_CONSTRAINTS_FAILURE  # RFC 3161 section 2.3: this purpose and no other
        if time - self._policy.tolerance > self._at:
            return SubIndication.TIMESTAMP_ORDER_FAILURE  # it comes from the future
        found = await self._certificates.judge(certificate, TrustUse.TIME_STAMP, proof)
        if found.reason is not None:
            return found.reason
        if self._trust.is_embedded:
            return None
        rules = self._policy.algorithms
        digests = (
            info["message_imprint"]["hash_algorithm"]["algorithm"].native,
            signer.digest,
            signer.signature_digest,
        )
        until = min(*(rules.digest_until(one) for one in digests), rules.key_until(certificate.public_key))
        return unsafe(until, proof, certificate.not_valid_before, self._at)


def tokens(signer: Signer) -> list[bytes]:
    """Return the signature time-stamps among a signer's unsigned attributes; who injected them is not known."""
    return [value.dump() for value in signer.values("signature_time_stamp_token", signed=False)]


def content_tokens(signer: Signer) -> list[bytes]:
    """Return the content time-stamps among the signed attributes (RFC 5126 section 5.11.4)."""
    name = "1.2.840.113549.1.9.16.2.20"
    return [value.dump() for value in signer.values(name)]
