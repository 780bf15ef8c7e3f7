"""Judges the signers of one CMS value: EN 319 102-1 clauses 5.2 to 5.6, from the digest to the proven time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from asn1crypto import cms, tsp

from kho_server.verification.certificate_judgement import CertificateJudge, unsafe
from kho_server.verification.evidence import Evidence
from kho_server.verification.policy import ValidationPolicy
from kho_server.verification.signed_value import Signer, certificate_fault, digest_of, integrity_fault
from kho_server.verification.time_stamps import TimeStampJudge, content_tokens, tokens
from kho_server.verification.trust_folder import TrustMaterial, TrustUse
from kho_server.verification.verdict import Remark, SubIndication

MAX_TOKENS = 8


@dataclass(frozen=True)
class CmsJudgement:
    """The reason against one signer, None if there is none, and what was found on the way.

    `best_time` is the earliest proven time; `has_signature_time_stamp`: a token inside the signature proves it.
    """

    reason: SubIndication | None
    warnings: tuple[Remark, ...] = ()
    best_time: datetime | None = None
    has_signature_time_stamp: bool = False


@dataclass(frozen=True)
class LaterProof:
    """A document time-stamp that covers a signature, and whether it covers revocation data too."""

    time: datetime
    covers_evidence: bool


class CmsJudge:
    """Judges signers of one file at one control time."""

    def __init__(
        self,
        certificates: CertificateJudge,
        time_stamps: TimeStampJudge,
        trust: TrustMaterial,
        policy: ValidationPolicy,
        at: datetime,
    ) -> None:
        self._certificates = certificates
        self._time_stamps = time_stamps
        self._trust = trust
        self._policy = policy
        self._at = at

    async def judge(
        self,
        signer: Signer,
        digest: Callable[[str], bytes],
        later: Sequence[LaterProof],
        *,
        must_name_certificate: bool,
        content_type: str = "data",
    ) -> CmsJudgement:
        """Judge one signer over content whose digests `digest` gives by name.

        `later` are proofs from outside the signature, in the order of the file. `must_name_certificate`: the
        format demands the signing-certificate attribute. Raises what asn1crypto raises on broken DER.
        """
        warnings: list[Remark] = []
        # Clauses 5.2.2 and 5.2.7: format, digest, value.
        try:
            fault = integrity_fault(signer, digest(signer.digest), content_type)
        except KeyError:
            fault = SubIndication.CRYPTO_CONSTRAINTS_FAILURE
        # Clause 5.2.3: the certificate.
        fault = fault or certificate_fault(signer)
        certificate = signer.certificate
        if fault is not None or certificate is None:
            return CmsJudgement(fault or SubIndication.NO_SIGNING_CERTIFICATE_FOUND)
        # Clauses 5.4 and 5.5: proofs of time. What is not trusted is ignored, for anyone can inject it.
        own, is_distrusted = await self._own_proofs(signer, later)
        if is_distrusted:
            warnings.append(Remark.TIME_STAMP_NOT_TRUSTED)
        best = min([*own, *(one.time for one in later)], default=None)
        # Clause 5.2.6: the path, now or at the proven time.
        evidence_proof = min((one.time for one in later if one.covers_evidence), default=None)
        reason = (await self._certificates.judge(certificate, TrustUse.SIGNATURE, best, evidence_proof)).reason
        # Clause 5.5.4 step 4: the order of time-stamps.
        reason = reason or await self._order(signer, own, later)
        # Clause 5.2.8: algorithms by their dates.
        reason = reason or self._algorithms(signer, best)
        if self._is_weak(signer, best):
            warnings.append(Remark.WEAK_ALGORITHM)
        # Clause 5.2.6.4 and the policy: what the certificate is for.
        if not self._policy.admits_usage(certificate):
            purposes = certificate.extended_key_usage_value
            usage = certificate.key_usage_value
            lacks_usage = usage is not None and self._policy.key_usage not in usage.native
            warnings.append(Remark.KEY_USAGE if lacks_usage or purposes is None else Remark.PURPOSE)
            if not self._trust.is_embedded:
                reason = reason or SubIndication.CHAIN_CONSTRAINTS_FAILURE
        if not signer.names_certificate:
            warnings.append(Remark.SIGNING_CERTIFICATE_ATTRIBUTE)
            if must_name_certificate:
                reason = reason or SubIndication.SIG_CONSTRAINTS_FAILURE
        claimed = signer.claimed_time
        if claimed is not None and claimed > (best or self._at) + self._policy.tolerance:
            warnings.append(Remark.SIGNING_TIME_CLAIM)
        return CmsJudgement(reason, tuple(warnings), best, bool(own))

    async def _own_proofs(self, signer: Signer, later: Sequence[LaterProof]) -> tuple[list[datetime], bool]:
        proof = min((one.time for one in later), default=None)
        found: list[datetime] = []
        is_distrusted = False
        for token in tokens(signer)[:MAX_TOKENS]:
            try:
                finding = await self._time_stamps.judge(
                    token, lambda name: digest_of(name, signer.signature_value), proof
                )
            except (ValueError, TypeError, KeyError):
                is_distrusted = True
                continue
            if finding.proof is None:
                is_distrusted = True
            else:
                found.append(finding.proof)
        return found, is_distrusted

    async def _order(
        self, signer: Signer, own: Sequence[datetime], later: Sequence[LaterProof]
    ) -> SubIndication | None:
        times = [min(own)] if own else []
        times += [one.time for one in later]
        tolerance = self._policy.order_tolerance
        if any(second < first - tolerance for first, second in pairwise(times)):
            return SubIndication.TIMESTAMP_ORDER_FAILURE
        for token in content_tokens(signer)[:MAX_TOKENS]:
            content_time = _claimed_by(token)
            if content_time is not None and times and times[0] < content_time - tolerance:
                return SubIndication.TIMESTAMP_ORDER_FAILURE
        return None

    def _algorithms(self, signer: Signer, proof: datetime | None) -> SubIndication | None:
        certificate = signer.certificate
        if self._trust.is_embedded or certificate is None:
            return None
        rules = self._policy.algorithms
        until = min(
            rules.digest_until(signer.digest),
            rules.digest_until(signer.signature_digest) if _has_digest(signer) else rules.digest_until(signer.digest),
            rules.key_until(certificate.public_key),
        )
        return unsafe(until, proof, certificate.not_valid_before, self._at)

    def _is_weak(self, signer: Signer, proof: datetime | None) -> bool:
        return self._policy.algorithms.is_weak(signer.digest, proof or self._at)


def level_of(family: str, judged: CmsJudgement, evidence: Evidence, *, is_archived: bool) -> str:
    """Name the level that a signature reaches: B, T with a proven time, LT with revocation data, LTA if archived."""
    if judged.best_time is None:
        return f"{family}-B"
    if not evidence.has_revocation_data:
        return f"{family}-T"
    return f"{family}-{'LTA' if is_archived else 'LT'}"


def _has_digest(signer: Signer) -> bool:
    return "ed" not in str(signer.info["signature_algorithm"]["algorithm"].native)[:2]


def _claimed_by(token: bytes) -> datetime | None:
    try:
        info = cms.ContentInfo.load(token)["content"]["encap_content_info"]["content"]
        time = tsp.TSTInfo.load(info.contents)["gen_time"].native
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return time if isinstance(time, datetime) else None
