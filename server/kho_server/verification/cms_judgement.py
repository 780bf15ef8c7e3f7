"""Judges one CMS value by the library's AdES engine (EN 319 102-1 clause 5.3) and what must stand around it."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import cms, x509
from pyhanko.sign.ades.report import AdESIndeterminate, AdESPassed, AdESSubIndic
from pyhanko.sign.validation.ades import ades_basic_validation, ades_timestamp_validation
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.policy_decl import (
    CertificateFetchingRule,
    LocalKnowledge,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator.authority import CertTrustAnchor
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.fetchers.api import FetcherBackend, Fetchers
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer

from kho_server.verification.limits import FileLimits
from kho_server.verification.trust_folder import TrustMaterial
from kho_server.verification.verdict import Remark, SubIndication

SIGNATURE_SUBFILTERS = frozenset({"/ETSI.CAdES.detached", "/adbe.pkcs7.detached"})
TIME_STAMP_SUBFILTER = "/ETSI.RFC3161"
_SIGNING_CERTIFICATE = frozenset({"signing_certificate", "signing_certificate_v2"})

# Where the library's filing differs from the standard's.
_REFILED: dict[AdESSubIndic, SubIndication] = {
    AdESIndeterminate.EXPIRED: SubIndication.EXPIRED,
    AdESIndeterminate.NOT_YET_VALID: SubIndication.NOT_YET_VALID,
    AdESIndeterminate.GENERIC: SubIndication.SIG_CONSTRAINTS_FAILURE,
}


@dataclass(frozen=True)
class CmsJudgement:
    """The reason against a signature value, None if there is none."""

    reason: SubIndication | None
    warnings: tuple[Remark, ...] = ()


class _NoFetchers(FetcherBackend):
    """Stands where the library would make its own: nothing here ever asks the network."""

    def get_fetchers(self) -> Fetchers:
        raise RuntimeError("verification never fetches anything")


def validation_spec(trust: TrustMaterial) -> SignatureValidationSpec:
    """Return the library's policy for this trust material: revocation data required, nonRepudiation required."""
    anchors = [CertTrustAnchor(anchor, derive_default_quals_from_cert=True) for anchor in trust.anchors]
    return SignatureValidationSpec(
        cert_validation_policy=CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build(trust_roots=anchors),
            revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
        ),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(
            online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY,
            fetcher_backend=_NoFetchers(),
            certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH,
        ),
        local_knowledge=LocalKnowledge(
            known_crls=[CRLContainer(one) for one in trust.crls],
            known_certs=list(trust.intermediates),
        ),
        key_usage_settings=KeyUsageConstraints(key_usage={"non_repudiation"}),
    )


async def judge_signature(embedded: EmbeddedPdfSignature, spec: SignatureValidationSpec, at: datetime) -> CmsJudgement:
    """Judge a detached CMS signature over its ByteRange at the control time `at`."""
    attributes = _attribute_types(embedded.signer_info)
    if attributes and attributes.count("message_digest") != 1:
        return CmsJudgement(SubIndication.FORMAT_FAILURE)
    signed_data = embedded.signed_data
    if signed_data["encap_content_info"]["content"].native == b"":
        # Seen in files of 2022: content that is there and empty. It says the same as none, and is not signed.
        signed_data = signed_data.copy()
        signed_data["encap_content_info"] = {"content_type": "data"}
    result = await ades_basic_validation(
        signed_data,
        spec,
        timing_info=_at(at),
        raw_digest=embedded.compute_digest(),
    )
    certificate = signer_certificate(embedded)
    if certificate is None:
        return CmsJudgement(SubIndication.NO_SIGNING_CERTIFICATE_FOUND)
    warnings = []
    if "signature_time_stamp_token" in _attribute_types(embedded.signer_info, signed=False):
        warnings.append(Remark.TIME_STAMP_NOT_JUDGED)
    reason = _reason(result.ades_subindic)
    if reason is SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE and certificate.not_valid_before > at:
        # The file is here now: that proves the signature older than its certificate (clause 5.5.4).
        reason = SubIndication.NOT_YET_VALID
    usage = certificate.key_usage_value
    if usage is None or "non_repudiation" not in usage.native:
        warnings.append(Remark.KEY_USAGE)
    if not _SIGNING_CERTIFICATE.intersection(attributes):
        warnings.append(Remark.SIGNING_CERTIFICATE_ATTRIBUTE)
        if reason is None and str(embedded.sig_object.get("/SubFilter")) == "/ETSI.CAdES.detached":
            reason = SubIndication.SIG_CONSTRAINTS_FAILURE  # EN 319 142-1 clause 6.3 demands the attribute
    return CmsJudgement(reason, tuple(warnings))


async def judge_time_stamp(embedded: EmbeddedPdfSignature, spec: SignatureValidationSpec, at: datetime) -> CmsJudgement:
    """Judge a document time-stamp by itself; it is not used as a proof of time yet."""
    result = await ades_timestamp_validation(embedded.signed_data, spec, embedded.compute_digest, timing_info=_at(at))
    return CmsJudgement(_reason(result.ades_subindic), (Remark.TIME_STAMP_NOT_JUDGED,))


def signer_certificate(embedded: EmbeddedPdfSignature) -> x509.Certificate | None:
    """Return the certificate that the signature was made with, None if it is not the one it names or not there."""
    try:
        return embedded.signer_cert
    except SignatureValidationError:
        return None


def precheck(contents: bytes, limits: FileLimits) -> CmsJudgement | None:
    """Refuse what the library would choke on, before it sees it; None if it may go on."""
    content = cms.ContentInfo.load(contents)
    if content["content_type"].native != "signed_data":
        return CmsJudgement(SubIndication.FORMAT_FAILURE)
    signed = content["content"]
    certificates = signed["certificates"] or ()
    if len(certificates) > limits.certificates:
        return CmsJudgement(SubIndication.FORMAT_FAILURE, (Remark.RESOURCE_LIMIT,))
    names = Counter(one.chosen.subject.hashable for one in certificates if one.name == "certificate")
    if names and max(names.values()) > limits.namesakes:
        return CmsJudgement(SubIndication.FORMAT_FAILURE, (Remark.RESOURCE_LIMIT,))
    if len(signed["signer_infos"]) > 1:
        return CmsJudgement(SubIndication.SIG_CONSTRAINTS_FAILURE, (Remark.SEVERAL_SIGNERS,))
    if len(signed["signer_infos"]) < 1:
        return CmsJudgement(SubIndication.FORMAT_FAILURE)
    return None


def _reason(subindication: AdESSubIndic) -> SubIndication | None:
    if subindication is AdESPassed.OK:
        return None
    return _REFILED.get(subindication) or SubIndication[subindication.standard_name]


def _attribute_types(signer_info: cms.SignerInfo, *, signed: bool = True) -> list[str]:
    attributes = signer_info["signed_attrs" if signed else "unsigned_attrs"]
    return [str(attribute["type"].native) for attribute in attributes or ()]


def _at(at: datetime) -> ValidationTimingInfo:
    return ValidationTimingInfo(validation_time=at, best_signature_time=at, point_in_time_validation=True)
