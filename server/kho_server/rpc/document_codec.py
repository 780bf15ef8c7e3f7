"""Documents, parts and uploads between wire and domain."""

from collections.abc import Container, Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kho.v1 import document_pb2, upload_service_pb2
from kho_server.archive.declaring import SaidOfDocument
from kho_server.archive.limits import UploadLimits
from kho_server.archive.opening import Begun
from kho_server.archive.refusals import Reason, Refusal
from kho_server.rpc.result_codec import result_message, said_of_result, shown_public_code
from kho_server.rpc.verdict_codec import stored_verdict_message
from kho_storage.digest import Digest
from kho_storage.parts import PartId, PartKind, SpooledPart
from kho_storage.records.document import (
    CopyForm,
    DocumentKind,
    DocumentState,
    Lane,
    PageVariant,
    RenditionRole,
    StoredDocument,
    StoredPart,
    StoredVersion,
    VersionReason,
)

KINDS: Mapping[document_pb2.DocumentKind.ValueType, DocumentKind] = {
    document_pb2.DOCUMENT_KIND_RESULT: DocumentKind.RESULT,
    document_pb2.DOCUMENT_KIND_PROCESSING: DocumentKind.PROCESSING,
    document_pb2.DOCUMENT_KIND_COMPONENT: DocumentKind.COMPONENT,
}
_KIND_NUMBERS = {kind: number for number, kind in KINDS.items()}
_LANES = {
    document_pb2.LANE_UNSPECIFIED: Lane.NEW,
    document_pb2.LANE_NEW: Lane.NEW,
    document_pb2.LANE_BACKLOG: Lane.BACKLOG,
}
_LANE_NUMBERS = {Lane.NEW: document_pb2.LANE_NEW, Lane.BACKLOG: document_pb2.LANE_BACKLOG}
_COPY_FORMS = {
    document_pb2.COPY_FORM_UNSPECIFIED: None,
    document_pb2.COPY_FORM_SAO_Y: CopyForm.SAO_Y,
    document_pb2.COPY_FORM_SAO_LUC: CopyForm.SAO_LUC,
    document_pb2.COPY_FORM_TRICH_SAO: CopyForm.TRICH_SAO,
}
_COPY_FORM_NUMBERS = {form: number for number, form in _COPY_FORMS.items()}
_VARIANTS = {
    document_pb2.PAGE_VARIANT_UNSPECIFIED: None,
    document_pb2.PAGE_VARIANT_WITH_NOTE: PageVariant.WITH_NOTE,
    document_pb2.PAGE_VARIANT_WITHOUT_NOTE: PageVariant.WITHOUT_NOTE,
}
_VARIANT_NUMBERS = {variant: number for number, variant in _VARIANTS.items()}
_ROLES = {
    document_pb2.RENDITION_ROLE_UNSPECIFIED: None,
    document_pb2.RENDITION_ROLE_SIGNED: RenditionRole.SIGNED,
    document_pb2.RENDITION_ROLE_ASSEMBLED: RenditionRole.ASSEMBLED,
}
_ROLE_NUMBERS = {role: number for number, role in _ROLES.items()}
STATES: Mapping[int, DocumentState] = {
    document_pb2.DOCUMENT_STATE_RECEIVED: DocumentState.RECEIVED,
    document_pb2.DOCUMENT_STATE_VERIFYING: DocumentState.VERIFYING,
    document_pb2.DOCUMENT_STATE_VALID: DocumentState.VALID,
    document_pb2.DOCUMENT_STATE_INVALID: DocumentState.INVALID,
    document_pb2.DOCUMENT_STATE_PENDING_EVIDENCE: DocumentState.PENDING_EVIDENCE,
    document_pb2.DOCUMENT_STATE_RESTORED_UNCONFIRMED: DocumentState.RESTORED_UNCONFIRMED,
}
STATE_NUMBERS: Mapping[DocumentState, document_pb2.DocumentState.ValueType] = {
    state: document_pb2.DocumentState.Value(f"DOCUMENT_STATE_{state.value}") for state in DocumentState
}
_REASON_NUMBERS = {
    VersionReason.FIRST: document_pb2.VERSION_REASON_FIRST,
    VersionReason.RENDITION_ADDED: document_pb2.VERSION_REASON_RENDITION_ADDED,
    VersionReason.CORRECTED: document_pb2.VERSION_REASON_CORRECTED,
}


def known(table: Container[Any], number: int, field: str) -> None:
    """Refuse enum numbers that this server does not know: FIELD_MALFORMED."""
    if number not in table:
        raise Refusal(Reason.FIELD_MALFORMED, field=field)


def instant_of(message: Timestamp, field: str) -> datetime:
    """Return a wire time as an aware UTC time. Refusal: DATE_IMPOSSIBLE."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Refusal(Reason.DATE_IMPOSSIBLE, field=field) from None


def timestamp(instant: datetime) -> Timestamp:
    """Return a time for the wire."""
    message = Timestamp()
    message.FromDatetime(instant.astimezone(UTC))
    return message


def part_id(key: document_pb2.PartKey, field: str) -> PartId:
    """Return the part that a key names. Refusals: FIELD_REQUIRED, FIELD_MALFORMED."""
    kinds = {document_pb2.PART_KIND_PAGE: PartKind.PAGE, document_pb2.PART_KIND_RENDITION: PartKind.RENDITION}
    if key.kind == document_pb2.PART_KIND_UNSPECIFIED and key.number == 0:
        raise Refusal(Reason.FIELD_REQUIRED, field=field)
    known(kinds, key.kind, f"{field}.kind")
    try:
        return PartId(kinds[key.kind], key.number)
    except ValueError:
        raise Refusal(Reason.FIELD_MALFORMED, field=f"{field}.number") from None


def part_key(part: PartId) -> document_pb2.PartKey:
    """Return the key of a part."""
    is_page = part.kind is PartKind.PAGE
    kind = document_pb2.PART_KIND_PAGE if is_page else document_pb2.PART_KIND_RENDITION
    return document_pb2.PartKey(kind=kind, number=part.number)


def sha256_of(text: str, field: str) -> str:
    """Return the hex digits of "sha256:HEX". Refusals: FIELD_REQUIRED, FIELD_MALFORMED."""
    if not text:
        raise Refusal(Reason.FIELD_REQUIRED, field=field)
    try:
        prefix, digits = text.split(":", 1) if len(text) == 71 else ("", "")
        digest = Digest(digits, 0)
    except ValueError:
        raise Refusal(Reason.FIELD_MALFORMED, field=field) from None
    if prefix != "sha256":
        raise Refusal(Reason.FIELD_MALFORMED, field=field)
    return digest.sha256


def variant_of(number: int, field: str) -> PageVariant | None:
    """Return a page variant."""
    known(_VARIANTS, number, field)
    return _VARIANTS[document_pb2.PageVariant.ValueType(number)]


def role_of(number: int, field: str) -> RenditionRole | None:
    """Return a rendition's role."""
    known(_ROLES, number, field)
    return _ROLES[document_pb2.RenditionRole.ValueType(number)]


def said_of_document(message: upload_service_pb2.DocumentDeclaration) -> SaidOfDocument:
    """Return what a station said, unparsed but for enums and times."""
    known(_LANES, message.lane, "document.lane")
    known(_COPY_FORMS, message.copy_form, "document.copy_form")
    if message.kind != document_pb2.DOCUMENT_KIND_UNSPECIFIED:
        known(KINDS, message.kind, "document.kind")
    has_time = message.HasField("scanned_at")
    return SaidOfDocument(
        kind=KINDS.get(message.kind),
        lane=_LANES[message.lane],
        dossier_code=message.dossier_code,
        procedure_code=message.procedure_code,
        sheets=message.sheets,
        scanned_at=instant_of(message.scanned_at, "document.scanned_at") if has_time else None,
        copy_form=_COPY_FORMS[message.copy_form],
        copy_of=message.copy_of,
        result=said_of_result(message.result) if message.HasField("result") else None,
    )


def progress_message(part: SpooledPart) -> upload_service_pb2.PartProgress:
    """Return what is persisted of a part."""
    return upload_service_pb2.PartProgress(
        key=part_key(part.part),
        persisted_bytes=part.persisted_bytes,
        is_complete=part.digest is not None,
        digest=str(part.digest) if part.digest else "",
    )


def limits_message(limits: UploadLimits) -> upload_service_pb2.UploadLimits:
    """Return the limits of uploading."""
    return upload_service_pb2.UploadLimits(
        chunk_bytes=limits.chunk_bytes,
        page_bytes=limits.page_bytes,
        rendition_bytes=limits.rendition_bytes,
        pages=limits.pages,
        unacknowledged_bytes=limits.unacknowledged_bytes,
        stall_timeout_s=max(1, int(limits.stall_timeout_s)),
    )


def begun_message(begun: Begun, limits: UploadLimits) -> upload_service_pb2.BeginResponse:
    """Return the answer of Begin."""
    return upload_service_pb2.BeginResponse(
        version=begun.version,
        parts=[progress_message(part) for part in begun.parts],
        lease_expires_at=timestamp(begun.lease_until),
        warnings_vi=[warning.text_vi for warning in begun.warnings],
        warnings_en=[warning.text_en for warning in begun.warnings],
        result_code=begun.code.code if begun.code else "",
        public_code=shown_public_code(begun.code.public_code) if begun.code else "",
        is_sealed=begun.sealed_state is not None,
        state=STATE_NUMBERS[begun.sealed_state] if begun.sealed_state else document_pb2.DOCUMENT_STATE_UNSPECIFIED,
        limits=limits_message(limits),
    )


def part_message(part: StoredPart) -> document_pb2.Part:
    """Return a sealed part."""
    return document_pb2.Part(
        key=part_key(part.part),
        digest=str(part.digest),
        size_bytes=part.digest.size_bytes,
        media_type=part.media_type,
        variant=_VARIANT_NUMBERS[part.variant],
        role=_ROLE_NUMBERS[part.role],
    )


def _version_message(version: StoredVersion) -> document_pb2.DocumentVersion:
    return document_pb2.DocumentVersion(
        version=version.version,
        reason=_REASON_NUMBERS[version.reason],
        reason_text=version.reason_text or "",
        officer_id=version.officer_id,
        station=version.station,
        scanned_at=timestamp(version.scanned_at),
        sealed_at=timestamp(version.sealed_at),
        sheets=version.sheets,
        manifest_digest=str(version.manifest),
        parts=[part_message(part) for part in version.parts],
    )


def document_message(document: StoredDocument, agency_code: str, today: datetime) -> document_pb2.Document:
    """Return a document for its own agency; validity is judged on the legal day of `today`."""
    return document_pb2.Document(
        name=f"documents/{document.document_uuid}",
        document_id=str(document.document_id),
        agency_code=agency_code,
        kind=_KIND_NUMBERS[document.kind],
        lane=_LANE_NUMBERS[document.lane],
        dossier_code=document.dossier_code,
        procedure_code=document.procedure_code,
        state=STATE_NUMBERS[document.state],
        version=document.version,
        copy_form=_COPY_FORM_NUMBERS[document.copy_form],
        copy_of=str(document.copy_of) if document.copy_of else "",
        created_at=timestamp(document.created_at),
        versions=[_version_message(version) for version in document.versions],
        result=result_message(document.result, today, with_owners=True) if document.result else None,
        verdict=stored_verdict_message(document.verdict) if document.verdict else None,
    )
