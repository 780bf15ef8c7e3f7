"""Verdicts between wire and domain."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kho.v1 import verdict_pb2
from kho_storage.records.document import StoredVerdict


def summary_message(indication: str, sub_indication: str | None) -> verdict_pb2.VerdictSummary:
    """Return the two words of a verdict."""
    number = verdict_pb2.Indication.Value(f"INDICATION_{indication}")
    return verdict_pb2.VerdictSummary(indication=number, sub_indication=sub_indication or "")


def stored_verdict_message(verdict: StoredVerdict) -> verdict_pb2.Verdict:
    """Return a verdict of a series."""
    return verdict_message(verdict.report, version=verdict.version)


def verdict_message(report: Mapping[str, Any], *, version: int) -> verdict_pb2.Verdict:
    """Return an engine's report (Verdict.to_json) as a message; version 0 for a streamed file."""
    return verdict_pb2.Verdict(
        version=version,
        summary=summary_message(report["indication"], report["sub_indication"]),
        signatures=[_signature_message(each) for each in report["signatures"]],
        explanation_vi=report["explanation_vi"],
        explanation_en=report["explanation_en"],
        engine_version=report["engine_version"],
        policy_version=report["policy_version"],
        digest=f"sha256:{report['digest']}",
        judged_at=_time(report["evaluated_at"]),
        warnings=list(report["warnings"]),
        scope=report.get("scope") or "full",
    )


def _signature_message(report: Mapping[str, Any]) -> verdict_pb2.SignatureReport:
    return verdict_pb2.SignatureReport(
        field=report["field"],
        summary=summary_message(report["indication"], report["sub_indication"]),
        signer=report["signer"] or "",
        issuer=report["issuer"] or "",
        certificate_sha256=report["certificate_sha256"] or "",
        signing_time=_time(report["signing_time"]) if report["signing_time"] else None,
        covers_whole_file=report["covers_whole_document"],
        warnings=list(report["warnings"]),
        # Verdicts of the first engine, which stay in their series for ever, say nothing of these.
        role=report.get("role") or "",
        level=report.get("level") or "",
        best_signature_time=_time(best) if (best := report.get("best_signature_time")) else None,
        changes_after=[verdict_pb2.ChangeAfter(**change) for change in report.get("changes_after") or ()],
    )


def _time(text: str) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(datetime.fromisoformat(text).astimezone(UTC))
    return message
