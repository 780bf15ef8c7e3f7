"""The answer for a file that no worker could judge within its limits."""

from datetime import datetime

from kho_server.verification.explanations import explain
from kho_server.verification.verdict import Remark, SubIndication, Verdict
from kho_server.verification.versions import ENGINE_VERSION, policy_version


def refusal(digest: str, trust_version: str, at: datetime, remark: Remark) -> Verdict:
    """Return FORMAT_FAILURE with the limit that was met as its remark.

    Not an indeterminate answer: an honest file takes milliseconds, a file that exhausts a worker is built to
    do so, and a queue that judges it again and again would be the attack itself.
    """
    reason = SubIndication.FORMAT_FAILURE
    words = explain(reason.indication, reason)
    return Verdict(
        indication=reason.indication,
        sub_indication=reason,
        digest=digest,
        evaluated_at=at,
        policy_version=policy_version(trust_version, at),
        engine_version=ENGINE_VERSION,
        explanation_vi=words.vi,
        explanation_en=words.en,
        warnings=(remark,),
    )
