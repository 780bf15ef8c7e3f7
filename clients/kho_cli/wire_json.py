"""Wire messages as the JSON of the command line: fixed keys, short enum names, null for what is absent."""

from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kho.v1 import access_service_pb2, document_pb2, registry_pb2, result_pb2, upload_service_pb2, verdict_pb2
from kho_client.upload import UploadOutcome

Json = dict[str, Any]


def short_name(prefix: str, name: str) -> str | None:
    """Return an enum value's name without its prefix; null for UNSPECIFIED."""
    short = name.removeprefix(prefix)
    return None if short == "UNSPECIFIED" else short


def state_name(state: "document_pb2.DocumentState.ValueType") -> str | None:
    """Return e.g. "VALID"."""
    return short_name("DOCUMENT_STATE_", document_pb2.DocumentState.Name(state))


def kind_name(kind: "document_pb2.DocumentKind.ValueType") -> str | None:
    """Return "result", "processing" or "component"."""
    short = short_name("DOCUMENT_KIND_", document_pb2.DocumentKind.Name(kind))
    return short.lower() if short else None


def time_text(time: Timestamp | None) -> str | None:
    """Return RFC 3339 in UTC."""
    if time is None or (not time.seconds and not time.nanos):
        return None
    return datetime.fromtimestamp(time.seconds + time.nanos / 1e9, UTC).isoformat().replace("+00:00", "Z")


def summary_json(summary: verdict_pb2.VerdictSummary) -> Json | None:
    """Return the two words of a verdict; null while there is none."""
    indication = short_name("INDICATION_", verdict_pb2.Indication.Name(summary.indication))
    return {"indication": indication, "sub_indication": summary.sub_indication or None} if indication else None


def result_json(result: result_pb2.Result) -> Json:
    """Return a result as `kho lookup` shows it."""
    return {
        "document_id": result.document_id or None,
        "result_code": result.result_code or None,
        "public_code": result.public_code or None,
        "kind": result.kind or None,
        "type": result.type_code or None,
        "issuer": result.issuer_code or None,
        "number": result.number or None,
        "issued_on": result.issued_on or None,
        "valid_from": result.valid_from or None,
        "valid_to": result.valid_to or None,
        "in_force": result.in_force,
        "as_of": result.as_of or None,
        "verdict": summary_json(result.verdict),
        "digest": result.digest or None,
        "size_bytes": result.size_bytes or None,
    }


def upload_json(outcome: UploadOutcome, state: str | None) -> Json:
    """Return a sealed document as `kho upload` shows it."""
    commit = outcome.commit
    return {
        "document_id": commit.document_id,
        "version": commit.version,
        "state": state,
        "result_code": commit.result_code or None,
        "public_code": commit.public_code or None,
        "pages": outcome.pages,
        "bytes_sent": outcome.bytes_sent,
        "bytes_skipped": outcome.bytes_skipped,
    }


def commit_state(commit: upload_service_pb2.CommitResponse) -> str | None:
    """Return where a sealed document stands."""
    return state_name(commit.state)


def signature_json(signature: verdict_pb2.SignatureReport) -> Json:
    """Return one signature; what nobody is registered for, or was not judged, is null."""
    summary = summary_json(signature.summary) or {"indication": None, "sub_indication": None}
    return {
        "field": signature.field or None,
        **summary,
        "role": signature.role or None,
        "signer": signature.signer or None,
        "signing_time": time_text(signature.signing_time if signature.HasField("signing_time") else None),
        "level": signature.level or None,
        "warnings": list(signature.warnings),
        "changes_after": [
            {"rule": change.rule, "where": change.where, "is_allowed": change.is_allowed}
            for change in signature.changes_after
        ],
    }


def verdict_json(verdict: verdict_pb2.Verdict) -> Json:
    """Return the latest verdict on a stored document."""
    summary = summary_json(verdict.summary) or {"indication": None, "sub_indication": None}
    return {
        **summary,
        "version": verdict.version or None,
        "explanation": {"vi": verdict.explanation_vi or None, "en": verdict.explanation_en or None},
        "signatures": [signature_json(signature) for signature in verdict.signatures],
        "warnings": list(verdict.warnings),
        "policy": verdict.policy_version or None,
        "engine": verdict.engine_version or None,
        "digest": verdict.digest or None,
        "judged_at": time_text(verdict.judged_at if verdict.HasField("judged_at") else None),
    }


def document_json(document: document_pb2.Document) -> Json:
    """Return a document as `kho show` shows it."""
    return {
        "name": document.name or None,
        "document_id": document.document_id,
        "agency": document.agency_code or None,
        "kind": kind_name(document.kind),
        "lane": short_name("LANE_", document_pb2.Lane.Name(document.lane)),
        "dossier": document.dossier_code or None,
        "procedure": document.procedure_code or None,
        "state": state_name(document.state),
        "version": document.version,
        "copy_form": short_name("COPY_FORM_", document_pb2.CopyForm.Name(document.copy_form)),
        "copy_of": document.copy_of or None,
        "created_at": time_text(document.created_at),
        "result": result_json(document.result) if document.HasField("result") else None,
        "verdict": verdict_json(document.verdict) if document.HasField("verdict") else None,
        "versions": [_version_json(version) for version in document.versions],
    }


def _version_json(version: document_pb2.DocumentVersion) -> Json:
    return {
        "version": version.version,
        "reason": short_name("VERSION_REASON_", document_pb2.VersionReason.Name(version.reason)),
        "reason_text": version.reason_text or None,
        "officer": version.officer_id or None,
        "station": version.station or None,
        "scanned_at": time_text(version.scanned_at),
        "sealed_at": time_text(version.sealed_at),
        "sheets": version.sheets or None,
        "manifest_digest": version.manifest_digest or None,
        "parts": [_part_json(part) for part in version.parts],
    }


def _part_json(part: document_pb2.Part) -> Json:
    kind = short_name("PART_KIND_", document_pb2.PartKind.Name(part.key.kind))
    return {
        "kind": kind.lower() if kind else None,
        "number": part.key.number,
        "digest": part.digest,
        "size_bytes": part.size_bytes,
        "media_type": part.media_type,
        "variant": short_name("PAGE_VARIANT_", document_pb2.PageVariant.Name(part.variant)),
        "role": short_name("RENDITION_ROLE_", document_pb2.RenditionRole.Name(part.role)),
    }


def access_record_json(record: access_service_pb2.AccessRecord) -> Json:
    """Return one disclosure or refusal."""
    return {
        "access_id": record.access_id,
        "at": time_text(record.at),
        "agency": record.agency_id or None,
        "officer": record.officer_id or None,
        "action": record.action,
        "outcome": record.outcome,
        "dossier": record.dossier_code or None,
        "bytes_sent": record.bytes_sent if record.bytes_sent >= 0 else None,
    }


def grant_json(grant: access_service_pb2.Grant) -> Json:
    """Return a grant."""
    action = short_name("GRANT_ACTION_", access_service_pb2.GrantAction.Name(grant.action))
    return {
        "grant_id": grant.grant_id,
        "from": grant.grantor_agency_id,
        "to": grant.grantee_agency_id,
        "action": action.lower() if action else None,
        "type": grant.type_code or None,
        "valid_from": grant.valid_from or None,
        "valid_to": grant.valid_to or None,
        "ground": grant.ground or None,
        "revoked_at": time_text(grant.revoked_at),
    }


def agency_json(agency: registry_pb2.Agency) -> Json:
    """Return an agency."""
    return {
        "agency_id": agency.agency_id,
        "codes": [_dated_json(code) for code in agency.codes],
        "names": [_dated_json(name) for name in agency.names],
        "revoked_at": time_text(agency.revoked_at),
    }


def officer_json(officer: registry_pb2.Officer) -> Json:
    """Return an officer."""
    return {
        "agency_id": officer.agency_id,
        "officer_id": officer.officer_id,
        "name": officer.display_name or None,
        "valid_from": officer.valid_from or None,
        "valid_to": officer.valid_to or None,
        "revoked_at": time_text(officer.revoked_at),
    }


def principal_json(principal: registry_pb2.Principal) -> Json:
    """Return a principal."""
    kind = short_name("PRINCIPAL_KIND_", registry_pb2.PrincipalKind.Name(principal.kind))
    return {
        "principal_id": principal.principal_id,
        "kind": kind.lower().replace("_", "-") if kind else None,
        "agency_id": principal.agency_id or None,
        "name": principal.display_name or None,
        "certificate_sha256": principal.certificate_sha256 or None,
        "issuer_key_sha256": principal.issuer_key_sha256 or None,
        "subject": principal.subject or None,
        "default_officer_id": principal.default_officer_id or None,
        "valid_from": time_text(principal.valid_from),
        "valid_to": time_text(principal.valid_to),
        "revoked_at": time_text(principal.revoked_at),
    }


def _dated_json(text: registry_pb2.DatedText) -> Json:
    return {"text": text.text, "valid_from": text.valid_from or None, "valid_to": text.valid_to or None}
