"""Verdicts on real files: signed here, then left alone or attacked."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfTimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore

from kho_server.dev_pki import DevPki, authority, revoke_signer, write_dev_pki
from kho_server.verification.engine import judge
from kho_server.verification.explanations import explain
from kho_server.verification.limits import FileLimits
from kho_server.verification.trust_folder import TrustFolder, TrustMaterial
from kho_server.verification.verdict import FieldKind, Indication, Remark, SubIndication, Verdict
from tests.server.verification import attacks
from tests.server.verification.conftest import NOW
from tests.server.verification.signed_files import dev_signer, namesake, sign, signer_with, time_stamper, unsigned_pdf

AT = NOW + timedelta(minutes=1)


def outcome(verdict: Verdict) -> str:
    return str(verdict.sub_indication or verdict.indication)


def test_file_that_officer_signed_passes(by_officer: bytes, trust: TrustMaterial) -> None:
    verdict = judge(by_officer, trust, AT)
    assert verdict.indication is Indication.TOTAL_PASSED
    (report,) = verdict.signatures
    assert report.field == "CanBo"
    assert report.signer == "Cán bộ số hóa (DEVELOPMENT ONLY)"
    assert report.issuer == "Kho issuing CA"
    assert report.covers_whole_document
    assert report.signing_time is not None
    assert report.warnings == ()


def test_file_that_officer_and_agency_signed_passes(by_both: bytes, trust: TrustMaterial) -> None:
    verdict = judge(by_both, trust, AT)
    assert outcome(verdict) == "TOTAL_PASSED"
    assert verdict.warnings == ()
    assert [(one.field, one.covers_whole_document) for one in verdict.signatures] == [
        ("CanBo", False),
        ("CoQuan", True),
    ]


def test_openssl_agrees_on_both_signatures(by_officer: bytes, by_both: bytes, pki: DevPki, tmp_path: Path) -> None:
    for pdf in (by_officer, by_both):
        start, end = attacks.contents_span(pdf)
        (tmp_path / "cms.der").write_bytes(attacks.cms_of(pdf))
        (tmp_path / "content").write_bytes(pdf[:start] + pdf[end:])
        command = ["openssl", "cms", "-verify", "-inform", "DER", "-binary", "-purpose", "any"]
        command += ["-in", str(tmp_path / "cms.der"), "-content", str(tmp_path / "content")]
        command += ["-CAfile", str(pki.trust / "root.crt"), "-attime", str(int(AT.timestamp())), "-out", "/dev/null"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_long_term_validation_data_after_the_last_signature_is_welcome(by_both: bytes, trust: TrustMaterial) -> None:
    writer = IncrementalPdfFileWriter(BytesIO(by_both))
    DocumentSecurityStore.supply_dss_in_writer(
        writer, attacks.cms_of(by_both), certs=list(trust.intermediates), crls=list(trust.crls)
    )
    out = BytesIO()
    writer.write(out)
    verdict = judge(out.getvalue(), trust, AT)
    assert outcome(verdict) == "TOTAL_PASSED"
    assert not any(one.covers_whole_document for one in verdict.signatures)


def test_white_space_after_the_end_is_harmless(by_both: bytes, trust: TrustMaterial) -> None:
    assert outcome(judge(by_both + b"\r\n\n", trust, AT)) == "TOTAL_PASSED"


def test_agency_may_sign_a_field_that_was_prepared(by_officer: bytes, pki: DevPki, trust: TrustMaterial) -> None:
    prepared = attacks.empty_signature_field(unsigned_pdf(), box=(330, 100, 530, 180))
    signed = sign(prepared, dev_signer(pki, "officer"), "CanBo")
    verdict = judge(signed, trust, AT)
    assert outcome(verdict) == "TOTAL_PASSED"
    assert {(one.field, one.kind) for one in verdict.signatures} == {
        ("CanBo", FieldKind.SIGNATURE),
        ("Trong", FieldKind.UNSIGNED),
    }


def test_older_detached_signatures_pass(pki: DevPki, trust: TrustMaterial) -> None:
    signed = sign(unsigned_pdf(), dev_signer(pki, "officer"), "CanBo", subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED)
    assert outcome(judge(signed, trust, AT)) == "TOTAL_PASSED"


@pytest.mark.parametrize("how", [{"object_stream_mode": pikepdf.ObjectStreamMode.generate}, {"linearize": True}])
def test_layout_of_the_file_does_not_matter(how: dict[str, Any], pki: DevPki, trust: TrustMaterial) -> None:
    out = BytesIO()
    with pikepdf.open(BytesIO(unsigned_pdf(3))) as document:
        document.save(out, **how)
    signed = sign(out.getvalue(), dev_signer(pki, "officer"), "CanBo")
    signed = sign(signed, dev_signer(pki, "agency-a"), "CoQuan", box=None)
    verdict = judge(signed, trust, AT)
    assert outcome(verdict) == "TOTAL_PASSED"
    assert verdict.warnings == ()
    assert outcome(judge(attacks.changed_page(signed), trust, AT)) == "FORMAT_FAILURE"


def test_time_stamps_are_proofs_of_time(by_officer: bytes, pki: DevPki, trust: TrustMaterial) -> None:
    authority_of_time = time_stamper(pki, NOW)
    signed = sign(by_officer, dev_signer(pki, "agency-a"), "CoQuan", time_stamper=authority_of_time)
    out = BytesIO()
    PdfTimeStamper(authority_of_time, field_name="Dau").timestamp_pdf(
        IncrementalPdfFileWriter(BytesIO(signed)), "sha256", output=out
    )
    verdict = judge(out.getvalue(), trust, AT)
    assert outcome(verdict) == "TOTAL_PASSED"
    assert [(one.kind, one.indication, one.warnings, one.best_signature_time) for one in verdict.signatures] == [
        (FieldKind.SIGNATURE, Indication.TOTAL_PASSED, (), NOW),
        (FieldKind.SIGNATURE, Indication.TOTAL_PASSED, (), NOW),
        (FieldKind.DOCUMENT_TIME_STAMP, Indication.TOTAL_PASSED, (), NOW),
    ]
    assert [one.level for one in verdict.signatures] == ["PAdES-BASELINE-T", "PAdES-BASELINE-T", None]


def test_each_signer_of_one_value_is_judged(by_officer: bytes, trust: TrustMaterial) -> None:
    doubled = attacks.with_second_signer(by_officer)
    reports = judge(doubled, trust, AT).signatures
    assert [one.sub_indication for one in reports] == [None, None]
    assert all(Remark.SEVERAL_SIGNERS in one.warnings for one in reports)
    verdict = judge(attacks.with_second_signer(by_officer, spoil=True), trust, AT)
    assert outcome(verdict) == "SIG_CRYPTO_FAILURE"
    # They stand in the order of their encodings, which the spoilt value decides.
    assert {one.sub_indication for one in verdict.signatures} == {None, SubIndication.SIG_CRYPTO_FAILURE}


def test_empty_content_in_a_detached_signature_is_tolerated(by_both: bytes, trust: TrustMaterial) -> None:
    assert outcome(judge(attacks.with_content(by_both, b""), trust, AT)) == "TOTAL_PASSED"
    assert outcome(judge(attacks.with_content(by_both, b"x"), trust, AT)) == "FORMAT_FAILURE"


def test_file_that_breaks_the_letter_of_the_standard_passes_with_a_remark(pki: DevPki, trust: TrustMaterial) -> None:
    # Generation 65,536 of the free entry 0: one more than ISO 32000-1 section 7.5.4 knows.
    loose = unsigned_pdf().replace(b"0000000000 65535 f", b"0000000000 65536 f")
    verdict = judge(sign(loose, dev_signer(pki, "officer"), "CanBo", strict=False), trust, AT)
    assert outcome(verdict) == "TOTAL_PASSED"
    assert verdict.warnings == (Remark.PARSED_LENIENTLY,)


def _flip_page_byte(pdf: bytes) -> bytes:
    return pdf.replace(b"trang 2", b"trang 3")


def _flip_signature_value(pdf: bytes) -> bytes:
    cms = bytearray(attacks.cms_of(pdf))
    value = cms.rindex(b"\x04\x82\x01\x00") + 4  # the last OCTET STRING of 256 bytes is the RSA value
    cms[value + 100] ^= 1
    return attacks.with_cms(pdf, bytes(cms))


def _cut_contents(pdf: bytes) -> bytes:
    cms = attacks.cms_of(pdf)
    return attacks.with_cms(pdf, cms[: len(cms) // 2])


def _empty_contents(pdf: bytes) -> bytes:
    return attacks.with_cms(pdf, b"")


def _widen_gap(pdf: bytes) -> bytes:
    _, end = attacks.contents_span(pdf)
    hidden = b">/Hidden (abc)"
    return pdf[: end - len(hidden)] + hidden + pdf[end:]


def _old_subfilter(pdf: bytes) -> bytes:
    return pdf.replace(b"/ETSI.CAdES.detached", b"/adbe.pkcs7.sha1    ")


@pytest.mark.parametrize(
    ("attack", "reason", "remark"),
    [
        (_flip_page_byte, "HASH_FAILURE", None),
        (_flip_signature_value, "SIG_CRYPTO_FAILURE", None),
        (_cut_contents, "FORMAT_FAILURE", Remark.UNREADABLE),
        (_empty_contents, "FORMAT_FAILURE", Remark.UNREADABLE),
        (_widen_gap, "FORMAT_FAILURE", Remark.BYTE_RANGE),
        (_old_subfilter, "SIG_CONSTRAINTS_FAILURE", Remark.UNSUPPORTED_SUBFILTER),
        (attacks.changed_page, "FORMAT_FAILURE", Remark.CHANGED_AFTER_SIGNING),
        (attacks.text_field_added, "FORMAT_FAILURE", Remark.CHANGED_AFTER_SIGNING),
        (attacks.second_field_for_signature, "FORMAT_FAILURE", Remark.SIGNATURE_SHARED),
        (attacks.hidden_update, "FORMAT_FAILURE", Remark.UNLISTED_BYTES),
        (
            lambda pdf: attacks.empty_signature_field(pdf, box=None),
            "FORMAT_FAILURE",
            Remark.CHANGED_AFTER_SIGNING,
        ),
        (
            lambda pdf: attacks.empty_signature_field(pdf, box=(0, 0, 595, 842)),
            "FORMAT_FAILURE",
            Remark.CHANGED_AFTER_SIGNING,
        ),
    ],
)
@pytest.mark.parametrize("base", ["by_officer", "by_both"])
def test_attack_is_answered(
    attack: Callable[[bytes], bytes],
    reason: str,
    remark: Remark | None,
    base: str,
    trust: TrustMaterial,
    request: pytest.FixtureRequest,
) -> None:
    signed: bytes = request.getfixturevalue(base)
    attacked = attack(signed)
    assert attacked != signed
    verdict = judge(attacked, trust, AT)
    assert outcome(verdict) == reason
    remarks = {one for report in verdict.signatures for one in report.warnings}
    assert remark is None or remark in remarks


def test_page_exchanged_between_officer_and_agency_fails(by_officer: bytes, pki: DevPki, trust: TrustMaterial) -> None:
    signed = sign(attacks.changed_page(by_officer), dev_signer(pki, "agency-a"), "CoQuan")
    verdict = judge(signed, trust, AT)
    assert outcome(verdict) == "FORMAT_FAILURE"
    assert [one.indication for one in verdict.signatures] == [
        Indication.TOTAL_FAILED,
        Indication.TOTAL_PASSED,
    ]


def test_hidden_objects_between_the_signatures_count_against_the_officer_only(
    by_officer: bytes, pki: DevPki, trust: TrustMaterial
) -> None:
    signed = sign(attacks.hidden_update(by_officer), dev_signer(pki, "agency-a"), "CoQuan")
    verdict = judge(signed, trust, AT)
    assert outcome(verdict) == "FORMAT_FAILURE"
    assert verdict.signatures[0].warnings == (Remark.UNLISTED_BYTES,)
    assert verdict.signatures[1].indication is Indication.TOTAL_PASSED


def test_certified_file_admits_no_further_signature_when_locked(pki: DevPki, trust: TrustMaterial) -> None:
    certified = sign(unsigned_pdf(), dev_signer(pki, "officer"), "CanBo", certify=True)
    assert outcome(judge(certified, trust, AT)) == "TOTAL_PASSED"
    locked = certified.replace(b"/P 2", b"/P 1")
    assert outcome(judge(locked, trust, AT)) == "HASH_FAILURE"


def test_unsigned_file_has_no_signature(trust: TrustMaterial) -> None:
    verdict = judge(unsigned_pdf(), trust, AT)
    assert verdict.indication is Indication.NO_SIGNATURE
    assert verdict.sub_indication is None
    assert verdict.signatures == ()


@pytest.mark.parametrize(
    ("data", "remark"),
    [
        (b"", Remark.NOT_A_PDF),
        (b"\xff\xd8\xff\xe0" * 100, Remark.NOT_A_PDF),
        (b"%PDF-1.7\n", Remark.UNREADABLE),
        (b"%PDF-1.7\n" + b"[" * 100_000, Remark.UNREADABLE),
    ],
)
def test_what_is_no_pdf_fails(data: bytes, remark: Remark, trust: TrustMaterial) -> None:
    verdict = judge(data, trust, AT)
    assert outcome(verdict) == "FORMAT_FAILURE"
    assert remark in verdict.warnings


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 30_000), noise=st.binary(min_size=1, max_size=40), at=st.integers(0, 30_000))
def test_no_byte_of_a_signed_file_can_be_cut_or_changed(
    cut: int, noise: bytes, at: int, by_both: bytes, trust: TrustMaterial
) -> None:
    cut_off = judge(by_both[: -min(cut, len(by_both))], trust, AT)
    # What is left may be the officer's revision, whole and honestly signed, or the unsigned one.
    assert cut_off.indication is not Indication.TOTAL_PASSED or len(cut_off.signatures) < 2
    position = at % len(by_both)
    changed = by_both[:position] + noise + by_both[position + len(noise) :]
    if changed != by_both:
        assert _passes_only_in_padding(judge(changed, trust, AT), by_both, changed)


def _passes_only_in_padding(verdict: Verdict, original: bytes, changed: bytes) -> bool:
    """Nothing passes but a change of the digits that pad /Contents: by their nature they are not signed."""
    if verdict.indication is not Indication.TOTAL_PASSED:
        return True
    start, end = attacks.contents_span(original)
    return original[:start] == changed[:start] and original[end:] == changed[end:]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 20_000), digit=st.sampled_from(b"0123456789abcdef"))
def test_every_change_of_a_signature_value_is_answered(
    at: int, digit: int, by_officer: bytes, trust: TrustMaterial
) -> None:
    start, _ = attacks.contents_span(by_officer)
    position = start + 1 + at % (2 * len(attacks.cms_of(by_officer)))
    changed = by_officer[:position] + bytes([digit]) + by_officer[position + 1 :]
    verdict = judge(changed, trust, AT)
    assert len(verdict.signatures) == 1
    assert verdict.indication is not Indication.NO_SIGNATURE


def test_many_authorities_of_one_name_do_not_hide_the_right_one(pki: DevPki, trust: TrustMaterial) -> None:
    signed = sign(unsigned_pdf(), dev_signer(pki, "officer"), "CanBo", reserve=100_000)
    name = authority(pki, "issuing-ca").certificate.subject
    crowded = attacks.with_certificates(signed, (namesake(name) for _ in range(4)))
    assert outcome(judge(crowded, trust, AT)) == "TOTAL_PASSED"
    flooded = attacks.with_certificates(signed, (namesake(name) for _ in range(25)))
    assert judge(flooded, trust, AT).signatures[0].warnings == (Remark.RESOURCE_LIMIT,)


def test_form_that_contains_itself_is_walked_once(trust: TrustMaterial) -> None:
    with pikepdf.open(BytesIO(unsigned_pdf())) as document:
        node = document.make_indirect(pikepdf.Dictionary(T="vong", FT=pikepdf.Name.Sig))
        node.Kids = pikepdf.Array([node])
        document.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([node, node]))
        out = BytesIO()
        document.save(out)
    assert outcome(judge(out.getvalue(), trust, AT)) == "NO_SIGNATURE"


def test_cross_references_that_go_round_are_answered(by_officer: bytes, trust: TrustMaterial) -> None:
    last = int(by_officer.rsplit(b"startxref", 1)[1].split()[0])
    position = by_officer.rindex(b"/Prev ") + len(b"/Prev ")
    length = len(by_officer[position:].split(maxsplit=1)[0])
    looped = by_officer[:position] + str(last).encode().ljust(length) + by_officer[position + length :]
    verdict = judge(looped, trust, AT)
    assert outcome(verdict) == "FORMAT_FAILURE"


def test_encrypted_file_cannot_be_judged(trust: TrustMaterial) -> None:
    out = BytesIO()
    with pikepdf.open(BytesIO(unsigned_pdf())) as document:
        document.save(out, encryption=pikepdf.Encryption(owner="o", user="u"))
    verdict = judge(out.getvalue(), trust, AT)
    assert (verdict.indication, outcome(verdict)) == (Indication.INDETERMINATE, "SIGNED_DATA_NOT_FOUND")
    assert Remark.ENCRYPTED in verdict.warnings


def test_overlong_contents_are_answered_without_the_library(by_officer: bytes, trust: TrustMaterial) -> None:
    start, end = attacks.contents_span(by_officer)
    huge = by_officer[: start + 1] + b"0" * 20_000_000 + by_officer[end - 1 :]
    verdict = judge(huge, trust, AT)
    assert outcome(verdict) == "FORMAT_FAILURE"
    assert verdict.warnings == (Remark.RESOURCE_LIMIT,)


@pytest.mark.parametrize(
    "limits",
    [FileLimits(file_bytes=1000), FileLimits(fields=1), FileLimits(revisions=1), FileLimits(form_nodes=1)],
)
def test_caps_are_answered(limits: FileLimits, by_both: bytes, trust: TrustMaterial) -> None:
    verdict = judge(by_both, trust, AT, limits)
    assert outcome(verdict) == "FORMAT_FAILURE"
    assert verdict.warnings == (Remark.RESOURCE_LIMIT,)


def test_many_certificates_are_refused(by_officer: bytes, trust: TrustMaterial) -> None:
    (report,) = judge(by_officer, trust, AT, FileLimits(certificates=1)).signatures
    assert report.sub_indication is SubIndication.FORMAT_FAILURE
    assert report.warnings == (Remark.RESOURCE_LIMIT,)


def test_empty_trust_passes_nothing(by_officer: bytes, tmp_path: Path) -> None:
    verdict = judge(by_officer, TrustFolder(tmp_path).material(), AT)
    assert outcome(verdict) == "NO_CERTIFICATE_CHAIN_FOUND"
    assert Remark.TRUST_FOLDER_EMPTY in verdict.warnings


def test_stranger_with_the_same_names_is_not_trusted(by_officer: bytes, tmp_path: Path) -> None:
    imposter = write_dev_pki(tmp_path / "imposter", now=NOW)
    verdict = judge(by_officer, TrustFolder(imposter.trust).material(), AT)
    assert outcome(verdict) in {"NO_CERTIFICATE_CHAIN_FOUND", "CHAIN_CONSTRAINTS_FAILURE"}
    assert verdict.indication is Indication.INDETERMINATE


def test_revoked_signer_is_not_accepted(own_pki: DevPki) -> None:
    signed = sign(unsigned_pdf(), dev_signer(own_pki, "officer"), "CanBo")
    folder = TrustFolder(own_pki.trust)
    assert outcome(judge(signed, folder.material(), AT)) == "TOTAL_PASSED"
    revoke_signer(own_pki, "officer", at=NOW - timedelta(minutes=5), now=NOW)
    assert outcome(judge(signed, folder.material(), AT)) == "REVOKED_NO_POE"


def test_missing_revocation_lists_leave_it_open(by_officer: bytes, trust: TrustMaterial) -> None:
    verdict = judge(by_officer, replace(trust, crls=()), AT)
    assert (verdict.indication, outcome(verdict)) == (
        Indication.INDETERMINATE,
        "CERTIFICATE_CHAIN_GENERAL_FAILURE",
    )


def test_stale_revocation_lists_are_to_be_tried_later(by_officer: bytes, trust: TrustMaterial) -> None:
    assert outcome(judge(by_officer, trust, AT + timedelta(days=400))) == "TRY_LATER"


@pytest.mark.parametrize(
    ("since", "until", "indication", "reason"),
    [
        (datetime(2025, 1, 1, tzinfo=UTC), NOW - timedelta(days=1), "INDETERMINATE", "OUT_OF_BOUNDS_NO_POE"),
        (NOW + timedelta(days=1), NOW + timedelta(days=9), "TOTAL_FAILED", "NOT_YET_VALID"),
    ],
)
def test_certificate_out_of_its_time(
    since: datetime, until: datetime, indication: str, reason: str, pki: DevPki, trust: TrustMaterial
) -> None:
    signer, _ = signer_with(pki, valid=(since, until))
    verdict = judge(sign(unsigned_pdf(), signer, "CanBo"), trust, AT)
    assert (verdict.indication, outcome(verdict)) == (indication, reason)


def test_certificate_not_meant_for_signing(pki: DevPki, trust: TrustMaterial) -> None:
    signer, _ = signer_with(pki, usages=("digital_signature",))
    verdict = judge(sign(unsigned_pdf(), signer, "CanBo"), trust, AT)
    assert outcome(verdict) == "CHAIN_CONSTRAINTS_FAILURE"
    assert verdict.signatures[0].warnings == (Remark.KEY_USAGE,)


def test_sha1_is_not_accepted(pki: DevPki, trust: TrustMaterial) -> None:
    signed = sign(unsigned_pdf(2), dev_signer(pki, "officer"), "CanBo", md="sha1")
    assert outcome(judge(signed, trust, AT)) == "CRYPTO_CONSTRAINTS_FAILURE"
    assert outcome(judge(_flip_page_byte(signed), trust, AT)) == "HASH_FAILURE"


def test_worst_signature_decides(by_officer: bytes, pki: DevPki, trust: TrustMaterial) -> None:
    signer, _ = signer_with(pki, usages=("digital_signature",), name="Người\x1b[31m ký")
    verdict = judge(sign(by_officer, signer, "CoQuan"), trust, AT)
    assert outcome(verdict) == "CHAIN_CONSTRAINTS_FAILURE"
    assert [one.indication for one in verdict.signatures] == [
        Indication.TOTAL_PASSED,
        Indication.INDETERMINATE,
    ]
    assert verdict.signatures[1].signer == "Người\ufffd[31m ký"


def test_verdict_survives_the_way_through_json(by_both: bytes, trust: TrustMaterial) -> None:
    for pdf in (by_both, _flip_page_byte(by_both), b"x"):
        verdict = judge(pdf, trust, AT)
        assert Verdict.from_json(verdict.to_json()) == verdict


@pytest.mark.parametrize("reason", SubIndication)
def test_every_reason_has_words_in_both_languages(reason: SubIndication) -> None:
    words = explain(reason.indication, reason)
    assert words.vi.count(".") >= 2
    assert words.en.count(".") >= 2
    wrong = {Indication.TOTAL_FAILED, Indication.INDETERMINATE} - {reason.indication}
    with pytest.raises(KeyError):
        explain(wrong.pop(), reason)


def test_there_are_25_reasons() -> None:
    assert len(SubIndication) == 25
