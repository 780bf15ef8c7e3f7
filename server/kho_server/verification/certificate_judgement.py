"""Judges certificates: path, dates, revocation, algorithms, now or at a time that is proven (clauses 5.2.6, 5.6.2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import ocsp, x509
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import ExpiredError, NotYetValidError, PathValidationError
from pyhanko_certvalidator.ltv.poe import POEManager
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    AcceptAllAlgorithms,
    CertRevTrustPolicy,
    FreshnessReqType,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)
from pyhanko_certvalidator.registry import CertificateRegistry, SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer, sort_freshest_first
from pyhanko_certvalidator.revinfo.manager import RevinfoManager
from pyhanko_certvalidator.validate import async_validate_path

from kho_server.verification.certificate_paths import PathFinder
from kho_server.verification.evidence import Evidence
from kho_server.verification.policy import ValidationPolicy
from kho_server.verification.public_keys import TolerantSignatureValidator
from kho_server.verification.revocation import RevocationStatus, Standing, revocation_status
from kho_server.verification.trust_folder import TrustMaterial, TrustUse
from kho_server.verification.verdict import SubIndication

_ANY_AGE = timedelta(days=36_500)
_UNCHECKED = RevocationCheckingPolicy(RevocationCheckingRule.NO_CHECK, RevocationCheckingRule.NO_CHECK)
# Responders seldom publish their own revocation; where it is at hand, it counts.
_SOFT = RevocationCheckingPolicy.from_legacy("soft-fail")

# What says more comes first: of several paths, the one that got furthest explains best.
_RANK = (
    None,
    SubIndication.REVOKED,
    SubIndication.EXPIRED,
    SubIndication.NOT_YET_VALID,
    SubIndication.REVOKED_NO_POE,
    SubIndication.REVOKED_CA_NO_POE,
    SubIndication.TRY_LATER,
    SubIndication.OUT_OF_BOUNDS_NO_POE,
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
    SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE,
)


@dataclass(frozen=True)
class CertificateFinding:
    """The reason against a certificate, None if there is none; `is_past`: it holds for a proven time only."""

    reason: SubIndication | None
    is_past: bool = False


class CertificateJudge:
    """Judges certificates of one file at one control time."""

    def __init__(self, trust: TrustMaterial, policy: ValidationPolicy, evidence: Evidence, at: datetime) -> None:
        self._trust = trust
        self._policy = policy
        self._at = at
        self._certificates = (*trust.intermediates, *evidence.certificates)
        self._finder = PathFinder(trust.anchors, self._certificates)
        self._crls = [CRLContainer(one) for one in (*trust.crls, *evidence.crls)]
        answers = [one for response in (*trust.ocsps, *evidence.ocsps) for one in _answers(response)]
        self._ocsps = sort_freshest_first(answers)
        self._known: dict[tuple[bytes, TrustUse, datetime | None, datetime | None], CertificateFinding] = {}

    async def judge(
        self,
        certificate: x509.Certificate,
        use: TrustUse,
        proof: datetime | None,
        evidence_proof: datetime | None = None,
    ) -> CertificateFinding:
        """Judge now, and if that fails and `proof` shows that the signature is older, at that time.

        `evidence_proof` is a time at which the revocation data of the file provably existed.
        """
        if self._trust.is_embedded:
            return CertificateFinding(None)
        key = certificate.sha256, use, proof, evidence_proof
        if key not in self._known:
            self._known[key] = await self._judge(certificate, use, proof, evidence_proof)
        return self._known[key]

    async def _judge(
        self, certificate: x509.Certificate, use: TrustUse, proof: datetime | None, evidence_proof: datetime | None
    ) -> CertificateFinding:
        paths = self._finder.paths(certificate, use)
        if not paths:
            return CertificateFinding(SubIndication.NO_CERTIFICATE_CHAIN_FOUND)
        best = CertificateFinding(SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE)
        for path in paths:
            found = await self._path(path, proof, evidence_proof)
            if found.reason is None:
                return found
            best = min(best, found, key=lambda one: _RANK.index(one.reason))
        return best

    async def _path(
        self, path: ValidationPath, proof: datetime | None, evidence_proof: datetime | None
    ) -> CertificateFinding:
        now = await self._at_moment(path, self._at, has_proof=False, evidence_proof=evidence_proof)
        if now is None and proof is None:
            return CertificateFinding(self._algorithms(path, None))
        if proof is None:
            return CertificateFinding(now)
        # A proven time also tells against a signature: it may lie after the end of its certificate.
        then = await self._at_moment(path, proof, has_proof=True, evidence_proof=evidence_proof)
        if now is None and then not in _PROVEN_AGAINST:
            then = None
        return CertificateFinding(then or self._algorithms(path, proof), is_past=now is not None)

    async def _at_moment(
        self, path: ValidationPath, moment: datetime, *, has_proof: bool, evidence_proof: datetime | None
    ) -> SubIndication | None:
        registry = CertificateRegistry.build(self._certificates)
        try:
            await async_validate_path(
                self._context(path, registry, moment, CertRevTrustPolicy(_UNCHECKED), self._policy.tolerance), path
            )
        except ExpiredError:
            is_leaf = path.last.not_valid_after < moment
            return SubIndication.EXPIRED if has_proof and is_leaf else SubIndication.OUT_OF_BOUNDS_NO_POE
        except NotYetValidError:
            # The file is here now: that proves the signature older than its certificate (clause 5.5.4).
            is_leaf = path.last.not_valid_before > moment
            return SubIndication.NOT_YET_VALID if is_leaf else SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE
        except PathValidationError:
            return SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE
        fresh = self._context(
            path,
            registry,
            moment,
            CertRevTrustPolicy(_SOFT, retroactive_revinfo=moment < self._at),
            self._policy.tolerance,
        )
        of_any_age = self._context(
            path,
            registry,
            self._at,
            CertRevTrustPolicy(
                _SOFT, freshness=_ANY_AGE, freshness_req_type=FreshnessReqType.MAX_DIFF_REVOCATION_VALIDATION
            ),
            self._policy.tolerance,
        )
        certificates = list(path.iter_certs(include_root=False))
        for certificate in certificates:
            status = await revocation_status(certificate, path, moment, fresh=fresh, of_any_age=of_any_age)
            is_leaf = certificate is certificates[-1]
            reason = _reason(status, is_leaf=is_leaf, has_proof=has_proof, evidence_proof=evidence_proof)
            if reason is not None:
                return reason
        return None

    def _algorithms(self, path: ValidationPath, proof: datetime | None) -> SubIndication | None:
        """Clause 5.2.8 for the certificates below the anchor."""
        rules = self._policy.algorithms
        issuer_key = path.trust_anchor.authority.public_key
        for certificate in path.iter_certs(include_root=False):
            try:
                digest = rules.digest_until(certificate["signature_algorithm"].hash_algo)
            except ValueError:
                digest = rules.key_until(issuer_key)  # Ed25519 brings its own
            until = min(digest, rules.key_until(issuer_key))
            fault = unsafe(until, proof, certificate.not_valid_before, self._at)
            if fault is not None:
                return fault
            issuer_key = certificate.public_key
        return None

    def _context(
        self,
        path: ValidationPath,
        registry: CertificateRegistry,
        moment: datetime,
        revocation: CertRevTrustPolicy,
        tolerance: timedelta,
    ) -> ValidationContext:
        context = ValidationContext(
            moment=moment,
            best_signature_time=moment,
            trust_manager=SimpleTrustManager.build(trust_roots=[path.trust_anchor]),
            certificate_registry=registry,
            revinfo_policy=revocation,
            revinfo_manager=RevinfoManager(
                certificate_registry=registry, poe_manager=POEManager(), crls=self._crls, ocsps=self._ocsps
            ),
            algorithm_usage_policy=AcceptAllAlgorithms(),
            signature_validator=TolerantSignatureValidator(),
            time_tolerance=tolerance,
        )
        # Whoever issued a list or an answer is most often an authority of this very path.
        done = ValidationPath(path.trust_anchor, interm=[], leaf=None)
        for certificate in path.iter_certs(include_root=False):
            done = done.copy_and_append(certificate)
            context.record_validation(certificate, done)
        return context


_PROVEN_AGAINST = frozenset({SubIndication.REVOKED, SubIndication.EXPIRED, SubIndication.NOT_YET_VALID})


def unsafe(until: datetime, proof: datetime | None, since: datetime, at: datetime) -> SubIndication | None:
    """Judge an algorithm that was safe before `until` and was not used before `since` (clauses 5.2.8, 5.6.2.4)."""
    if (proof or at) < until:
        return None
    was_safe_in_time = proof is None and since < until
    return (
        SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE
        if was_safe_in_time
        else SubIndication.CRYPTO_CONSTRAINTS_FAILURE
    )


def _reason(
    status: RevocationStatus, *, is_leaf: bool, has_proof: bool, evidence_proof: datetime | None
) -> SubIndication | None:
    match status.standing:
        case Standing.GOOD:
            if is_leaf or status.revoked_at is None:
                return None
            # Whoever holds the key of a revoked authority can backdate what it signs.
            is_older = evidence_proof is not None and evidence_proof < status.revoked_at
            return None if is_older else SubIndication.REVOKED_CA_NO_POE
        case Standing.REVOKED:
            if not is_leaf:
                return SubIndication.REVOKED_CA_NO_POE
            return SubIndication.REVOKED if has_proof else SubIndication.REVOKED_NO_POE
        case Standing.ON_HOLD | Standing.STALE:
            return SubIndication.TRY_LATER
    return SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE


def _answers(response: ocsp.OCSPResponse) -> Iterable[OCSPContainer]:
    try:
        return list(OCSPContainer.load_multi(response))
    except (ValueError, TypeError, KeyError):
        return []
