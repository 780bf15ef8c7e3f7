"""Between wire and domain: every word both ways, unknown numbers refused."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from kho.v1 import document_pb2, result_pb2, upload_service_pb2, verdict_pb2
from kho_server.archive.limits import UploadLimits
from kho_server.archive.opening import Begun
from kho_server.archive.refusals import Reason
from kho_server.rpc import document_codec as codec
from kho_server.rpc.result_codec import result_message, said_of_result
from kho_server.rpc.verdict_codec import verdict_message
from kho_server.rules.public_code import PublicCode
from kho_server.verification.verdict import FieldKind, Indication, Remark, SignatureReport, SubIndication, Verdict
from kho_storage.digest import Digest
from kho_storage.parts import PartId, PartKind, SpooledPart
from kho_storage.records.document import (
    CopyForm,
    DocumentKind,
    DocumentState,
    Lane,
    Outcome,
    Owner,
    PageVariant,
    RenditionRole,
    ResultDeclaration,
    StoredDocument,
    StoredPart,
    StoredResult,
    StoredVerdict,
    StoredVersion,
    TakenCode,
    VersionReason,
)
from tests.server.archive.refused import refused

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
PUBLIC = PublicCode.draw("H46", random.Random(7).randbytes)
UNKNOWN = 77


def declared(**fields: Any) -> upload_service_pb2.DocumentDeclaration:
    """Return a declaration on the wire."""
    return upload_service_pb2.DocumentDeclaration(kind=document_pb2.DOCUMENT_KIND_RESULT, **fields)


def test_every_kind_lane_and_form_is_read() -> None:
    for number in document_pb2.DocumentKind.values()[1:]:
        said = codec.said_of_document(upload_service_pb2.DocumentDeclaration(kind=number))
        assert said.kind is DocumentKind[document_pb2.DocumentKind.Name(number).removeprefix("DOCUMENT_KIND_")]
    assert codec.said_of_document(upload_service_pb2.DocumentDeclaration()).kind is None
    lanes = [codec.said_of_document(declared(lane=number)).lane for number in document_pb2.Lane.values()]
    assert lanes == [Lane.NEW, Lane.NEW, Lane.BACKLOG]
    forms = [codec.said_of_document(declared(copy_form=number)).copy_form for number in document_pb2.CopyForm.values()]
    assert forms == [None, *CopyForm]


def test_roles_variants_and_outcomes_are_read() -> None:
    assert [codec.role_of(number, "f") for number in document_pb2.RenditionRole.values()] == [None, *RenditionRole]
    assert [codec.variant_of(number, "f") for number in document_pb2.PageVariant.values()] == [None, *PageVariant]
    outcomes = [
        said_of_result(upload_service_pb2.ResultDeclaration(outcome=number)).outcome
        for number in result_pb2.Outcome.values()
    ]
    assert outcomes == [Outcome.GRANTED, Outcome.GRANTED, Outcome.REFUSED]


def test_every_word_of_ours_has_a_number() -> None:
    tables: list[tuple[Mapping[Any, Any], Any]] = [
        (codec.STATE_NUMBERS, DocumentState),
        (codec._KIND_NUMBERS, DocumentKind),
        (codec._LANE_NUMBERS, Lane),
        (codec._REASON_NUMBERS, VersionReason),
    ]
    for table, words in tables:
        assert set(table) == set(words)
        assert len(set(table.values())) == len(table)
        assert 0 not in table.values()
    assert {number: state for state, number in codec.STATE_NUMBERS.items()} == dict(codec.STATES)
    assert set(codec._COPY_FORM_NUMBERS) == {None, *CopyForm}
    assert set(codec._ROLE_NUMBERS) == {None, *RenditionRole}
    assert set(codec._VARIANT_NUMBERS) == {None, *PageVariant}


@pytest.mark.parametrize(
    ("read", "field"),
    [
        (lambda: codec.said_of_document(declared(lane=UNKNOWN)), "document.lane"),
        (lambda: codec.said_of_document(declared(copy_form=UNKNOWN)), "document.copy_form"),
        (
            lambda: codec.said_of_document(upload_service_pb2.DocumentDeclaration(kind=UNKNOWN)),  # type: ignore[arg-type]  # as a stranger may send
            "document.kind",
        ),
        (
            lambda: said_of_result(upload_service_pb2.ResultDeclaration(outcome=UNKNOWN)),  # type: ignore[arg-type]  # as a stranger may send
            "document.result.outcome",
        ),
        (lambda: codec.role_of(UNKNOWN, "parts.role"), "parts.role"),
        (lambda: codec.variant_of(UNKNOWN, "parts.variant"), "parts.variant"),
        (
            lambda: codec.part_id(document_pb2.PartKey(kind=UNKNOWN, number=1), "part"),  # type: ignore[arg-type]  # as a stranger may send
            "part.kind",
        ),
        (lambda: codec.part_id(document_pb2.PartKey(number=1), "part"), "part.kind"),
        (lambda: codec.part_id(document_pb2.PartKey(kind=document_pb2.PART_KIND_PAGE), "part"), "part.number"),
        (
            lambda: codec.part_id(document_pb2.PartKey(kind=document_pb2.PART_KIND_PAGE, number=10_001), "part"),
            "part.number",
        ),
    ],
)
def test_unknown_numbers_are_refused_by_field(read: Callable[[], object], field: str) -> None:
    with refused(Reason.FIELD_MALFORMED, field=field):
        read()


def test_parts_go_both_ways() -> None:
    for part in (PartId(PartKind.PAGE, 10_000), PartId(PartKind.RENDITION, 1)):
        assert codec.part_id(codec.part_key(part), "part") == part
    with refused(Reason.FIELD_REQUIRED, field="part"):
        codec.part_id(document_pb2.PartKey(), "part")


def test_digests() -> None:
    digest = Digest.of(b"x")
    assert codec.sha256_of(str(digest), "digest") == digest.sha256
    with refused(Reason.FIELD_REQUIRED):
        codec.sha256_of("", "digest")
    for text in (digest.sha256, f"sha512:{digest.sha256}", f"sha256:{digest.sha256.upper()}", "sha256:", f"{digest}\n"):
        with refused(Reason.FIELD_MALFORMED):
            codec.sha256_of(text, "digest")


def test_times() -> None:
    assert codec.instant_of(codec.timestamp(NOW), "t") == NOW
    for seconds in (10**15, -(10**15)):
        with refused(Reason.DATE_IMPOSSIBLE):
            codec.instant_of(Timestamp(seconds=seconds), "t")


def result(**changes: Any) -> StoredResult:
    """Return a result as a look-up finds it."""
    given = ResultDeclaration(
        "KQ.G15.000031",
        uuid4(),
        "H46.01",
        (Owner("044202001234", "044202001234"),),
        Outcome.REFUSED,
        "12/QĐ",
        "12/QĐ",
        date(2026, 11, 20),
        date(2026, 11, 21),
        date(2026, 11, 30),
        "cả nước",
        "trích yếu",
        None,
    )
    content = StoredPart(
        PartId(PartKind.RENDITION, 1), Digest.of(b"pdf"), "application/pdf", None, RenditionRole.SIGNED
    )
    facts: dict[str, Any] = {
        "document_uuid": uuid4(),
        "document_id": UUID(int=5),
        "agency_uuid": uuid4(),
        "kind": DocumentKind.RESULT,
        "state": DocumentState.VALID,
        "version": 1,
        "code": "CODE-1",
        "public_code": PUBLIC.key,
        "declaration": given,
        "content": content,
        "indication": "TOTAL_PASSED",
        "sub_indication": None,
    }
    return StoredResult(**{**facts, **changes})


def test_a_result_tells_owners_only_to_its_own_agency() -> None:
    message = result_message(result(), date(2026, 11, 21), with_owners=False)
    assert list(message.owner_ids) == []
    assert (message.in_force, message.as_of, message.public_code) == (True, "2026-11-21", PUBLIC.text)
    assert message.verdict.indication == verdict_pb2.INDICATION_TOTAL_PASSED
    assert message.digest == str(Digest.of(b"pdf"))
    own = result_message(result(), date(2026, 12, 1), with_owners=True)
    assert (list(own.owner_ids), own.in_force) == (["044202001234"], False)
    bare = result_message(result(content=None, indication=None), date(2026, 11, 20), with_owners=True)
    assert (bare.digest, bare.HasField("verdict"), bare.in_force) == ("", False, False)


def test_validity_is_judged_on_the_legal_day() -> None:
    # 2026-11-30 17:30 UTC is the next day in Asia/Ho_Chi_Minh.
    evening = datetime(2026, 11, 30, 17, 30, tzinfo=UTC)
    assert not result_message(result(), evening, with_owners=True).in_force
    assert result_message(result(), evening - timedelta(hours=1), with_owners=True).in_force


@pytest.mark.parametrize("indication", list(Indication))
def test_every_indication_has_a_number(indication: Indication) -> None:
    signature = SignatureReport(
        "Signature1", FieldKind.SIGNATURE, indication, SubIndication.TRY_LATER, signing_time=NOW, warnings=(*Remark,)
    )
    verdict = Verdict(
        indication, SubIndication.NO_POE, "0" * 64, NOW, "policy", "engine", "vì", "because", (signature,), (*Remark,)
    )
    message = verdict_message(verdict.to_json(), version=3)
    assert verdict_pb2.Indication.Name(message.summary.indication) == f"INDICATION_{indication.value}"
    assert message.summary.sub_indication == "NO_POE"
    assert (message.version, message.digest) == (3, f"sha256:{'0' * 64}")
    assert message.judged_at.ToDatetime(tzinfo=UTC) == NOW
    assert message.signatures[0].signing_time.ToDatetime(tzinfo=UTC) == NOW
    assert len(message.warnings) == len(Remark)


def test_a_document_with_everything() -> None:
    page = StoredPart(PartId(PartKind.PAGE, 1), Digest.of(b"p"), "image/jpeg", PageVariant.WITHOUT_NOTE, None)
    report = Verdict(Indication.TOTAL_PASSED, None, "0" * 64, NOW, "p", "e", "vì", "because").to_json()
    verdict = StoredVerdict(uuid4(), 2, "0" * 64, "TOTAL_PASSED", None, NOW, "e", "p", report)
    versions = tuple(
        StoredVersion(
            number,
            uuid4(),
            reason,
            "quét lệch" if reason is VersionReason.CORRECTED else None,
            "officer-a",
            "quầy 1",
            NOW,
            NOW,
            1,
            1,
            Digest.of(b"m"),
            (page,),
        )
        for number, reason in enumerate(VersionReason, start=1)
    )
    stored = StoredDocument(
        document_uuid=UUID(int=9),
        agency_uuid=uuid4(),
        document_id=UUID(int=5),
        kind=DocumentKind.RESULT,
        lane=Lane.BACKLOG,
        dossier_code="d-1",
        dossier_key="D-1",
        procedure_code="1.000894",
        procedure_key="1.000894",
        copy_form=CopyForm.TRICH_SAO,
        copy_of=UUID(int=6),
        version=3,
        state=DocumentState.PENDING_EVIDENCE,
        created_at=NOW,
        versions=versions,
        result=result(),
        verdict=verdict,
    )
    message = codec.document_message(stored, "H46.01", NOW)
    assert message.name == f"documents/{UUID(int=9)}"
    assert message.copy_of == str(UUID(int=6))
    assert message.state == document_pb2.DOCUMENT_STATE_PENDING_EVIDENCE
    assert [version.reason for version in message.versions] == document_pb2.VersionReason.values()[1:]
    assert message.versions[0].parts[0].variant == document_pb2.PAGE_VARIANT_WITHOUT_NOTE
    assert message.versions[0].parts[0].role == document_pb2.RENDITION_ROLE_UNSPECIFIED
    assert message.verdict.version == 2
    assert message.result.result_code == "CODE-1"


def test_what_begin_answers() -> None:
    parts = (
        SpooledPart(PartId(PartKind.PAGE, 1), 3, Digest.of(b"abc")),
        SpooledPart(PartId(PartKind.PAGE, 2), 9, None),
    )
    code = TakenCode("CODE-1", "CODE-1", PUBLIC.key, "CODE-*", 1)
    message = codec.begun_message(Begun(1, parts, NOW, code, None), UploadLimits(stall_timeout_s=0.5))
    assert [(part.persisted_bytes, part.is_complete) for part in message.parts] == [(3, True), (9, False)]
    assert (message.parts[0].digest, message.parts[1].digest) == (str(Digest.of(b"abc")), "")
    assert (message.result_code, message.public_code, message.is_sealed) == ("CODE-1", PUBLIC.text, False)
    assert message.limits.stall_timeout_s == 1
    sealed = codec.begun_message(Begun(2, (), NOW, None, DocumentState.VERIFYING), UploadLimits())
    assert (sealed.is_sealed, sealed.state) == (True, document_pb2.DOCUMENT_STATE_VERIFYING)
