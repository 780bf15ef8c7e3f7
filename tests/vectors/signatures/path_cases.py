"""Rows 16 to 24: paths, revocation, and proofs of time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.server.verification import attacks
from tests.vectors.signatures.cms_values import attribute, signed_data, signer_info, stamp_request
from tests.vectors.signatures.document_cases import base
from tests.vectors.signatures.pdf_files import covered, signed, time_stamped, with_store, with_value
from tests.vectors.signatures.pki import (
    AT,
    CA_USAGES,
    LIFE,
    SINCE,
    UNTIL,
    Holder,
    authority,
    crl,
    issue,
    name,
    ocsp_answer,
    rsa_key,
    stamping,
    world,
)
from tests.vectors.signatures.vector import Material, Vector

PASSED, UNCHECKED = "TOTAL_PASSED", "CERTIFICATE_CHAIN_GENERAL_FAILURE"
DAY = timedelta(days=1)
STAMPED = AT - 30 * DAY


def _value(holder: Holder, *chain: Holder, stamped: datetime | None = None, by: Holder | None = None) -> bytes:
    stampers = [world().stamper(stamped, by)] if stamped is not None else []
    return with_value(base(), holder, *chain, stampers=stampers)


def _revoked(at: datetime, stamped: datetime | None, *, by_ocsp: bool = False) -> Material:
    officer, issuing, root = world().officer, world().issuing, world().root
    data = _value(officer, stamped=stamped)
    if not by_ocsp:
        return Material(data, world().trust(crl(root), crl(issuing, [(officer, at)]), fresh=False))
    answer = ocsp_answer(officer, issuing, issuing, status=ocsp.OCSPCertStatus.REVOKED, revoked_at=at)
    stamp = ocsp_answer(world().stamps, issuing, issuing)
    return Material(data, world().trust(crl(root), ocsps=(answer, stamp), fresh=False))


def _old_list_says_revoked() -> Material:
    officer, issuing, root = world().officer, world().issuing, world().root
    old = crl(issuing, [(officer, STAMPED - 5 * DAY)], window=(STAMPED - 4 * DAY, STAMPED - 3 * DAY))
    return Material(_value(officer), world().trust(crl(root), old, fresh=False))


def _ca_revoked() -> Material:
    root, issuing = world().root, world().issuing
    return Material(
        _value(world().officer), world().trust(crl(root, [(issuing, AT - 9 * DAY)]), crl(issuing), fresh=False)
    )


def _valid(since: datetime, until: datetime, stamped: datetime | None = None) -> Material:
    holder = issue("Có hạn", world().issuing, key=rsa_key("officer"), valid=(since, until))
    return Material(_value(holder, stamped=stamped))


def _with_proof(data: bytes, *, by: Holder | None = None) -> Material:
    return Material(time_stamped(data, STAMPED, by))


def _expiring(**changes: object) -> bytes:
    """A certificate that ended ten days ago: only a proof of time saves what it signed."""
    holder = issue("Hết hạn", world().issuing, key=rsa_key("officer"), valid=(SINCE, AT - 10 * DAY))
    return with_value(base(), holder, **changes)


def _foreign_root(**changes: Any) -> Material:
    """A PKI of its own under an anchor that differs in `changes`."""
    root = authority("Gốc khác", **changes)
    holder = issue("Thuộc gốc khác", root, key=rsa_key("officer"))
    return Material(_value(holder), world().trust(crl(root), anchors=(root,), known=(), fresh=False))


def _cross_signed(*, first_is_good: bool) -> Material:
    expired = authority("Gốc hết hạn", valid=(SINCE, AT - DAY))
    good = authority("Gốc còn hạn")
    middle = authority("Trung gian", expired)
    crossed = authority("Trung gian", good, key=middle.key)
    holder = issue("Ký chéo", middle, key=rsa_key("officer"))
    anchors = (expired, good) if first_is_good else (expired,)
    lists = (crl(expired), crl(good), crl(middle))
    return Material(_value(holder), world().trust(*lists, anchors=anchors, known=(middle, crossed), fresh=False))


def _cycle() -> Material:
    first_key = authority("Vòng A")
    second = authority("Vòng B", first_key)
    first = authority("Vòng A", second, key=first_key.key)
    holder = issue("Trong vòng", first, key=rsa_key("officer"))
    return Material(_value(holder), world().trust(known=(first, second)))


def _crowd(count: int) -> Material:
    crowd = [authority("Vector issuing CA", world().root) for _ in range(count)]
    return Material(_value(world().officer), world().trust(known=crowd))


def _under(middle: Holder, *, subject: str = "Dưới trung gian", **changes: object) -> Material:
    """A signer below one more authority, whose parent is the honest root."""
    holder = issue(subject, middle, **{"key": rsa_key("officer"), **changes})  # type: ignore[arg-type]
    lists = (crl(world().root), crl(world().issuing), crl(middle))
    return Material(_value(holder), world().trust(*lists, known=(middle,), fresh=False))


def _imposter() -> Material:
    other = authority("Vector root")
    middle = authority("Vector issuing CA", other)
    holder = issue("Nguyễn Văn Ổi", middle, key=rsa_key("officer"), key_ids=False)
    return Material(_value(holder), world().trust(crl(middle), known=(middle,)))


def _leaf_as_ca() -> Material:
    leaf = issue("Người ký cấp chứng thư", world().issuing)
    holder = issue("Được người ký cấp", leaf, key=rsa_key("officer"))
    return Material(_value(holder, leaf), world().trust(crl(leaf), known=(leaf,)))


def _named_for(usages: Sequence[str] | None, purposes: Sequence[x509.ObjectIdentifier] = ()) -> Material:
    holder = issue("Mục đích khác", world().issuing, key=rsa_key("officer"), usages=usages, purposes=purposes)
    return Material(_value(holder))


def _lists(*lists: object, ocsps: Sequence[object] = ()) -> Material:
    trust = world().trust(crl(world().root), *lists, ocsps=ocsps, fresh=False)  # type: ignore[arg-type]
    return Material(_value(world().officer), trust)


def _scope(**changes: object) -> x509.IssuingDistributionPoint:
    values: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**values, **changes})  # type: ignore[arg-type]


def _answered(responder: Holder | None = None, about: Holder | None = None, **changes: object) -> Material:
    issuing = world().issuing
    answer = ocsp_answer(about or world().officer, issuing, responder or issuing, **changes)  # type: ignore[arg-type]
    return _lists(ocsps=(answer,))


def _content_stamp_too_late() -> Material:
    content = covered(base())
    late = world().stamper(AT - DAY).request_tsa_response
    token = late(stamp_request(content))["time_stamp_token"]
    info = signer_info(
        content,
        world().officer,
        more=[attribute("1.2.840.113549.1.9.16.2.20", token)],
        stampers=[world().stamper(STAMPED)],
    )
    return Material(attacks.with_cms(base(), signed_data([info], [world().officer, world().issuing])))


def path_cases() -> list[Vector]:
    """Return the vectors of rows 16 to 24."""
    officer, issuing, root = world().officer, world().issuing, world().root
    stray = stamping("Không có mục đích", issuing, purposes=False)
    nobody = stamping("Không ai tin", None)
    old = (AT - 60 * DAY, AT - 50 * DAY)
    responder = issue(
        "Trả lời", issuing, purposes=(ExtendedKeyUsageOID.OCSP_SIGNING,), extensions=((x509.OCSPNoCheck(), False),)
    )
    usurper = issue("Tự trả lời", issuing)
    no_names = x509.NameConstraints(
        permitted_subtrees=[x509.DirectoryName(name("Chỉ tên này"))], excluded_subtrees=None
    )
    demand = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    return [
        Vector(16, "revoked-before-proven-time", "REVOKED", lambda: _revoked(STAMPED - DAY, STAMPED)),
        Vector(16, "revoked-without-proof", "REVOKED_NO_POE", lambda: _revoked(STAMPED, None)),
        Vector(16, "revoked-after-proven-time", PASSED, lambda: _revoked(STAMPED + DAY, STAMPED)),
        Vector(
            16, "revoked-before-proven-time-ocsp", "REVOKED", lambda: _revoked(STAMPED - DAY, STAMPED, by_ocsp=True)
        ),
        Vector(16, "revoked-without-proof-ocsp", "REVOKED_NO_POE", lambda: _revoked(STAMPED, None, by_ocsp=True)),
        Vector(16, "revoked-after-proven-time-ocsp", PASSED, lambda: _revoked(STAMPED + DAY, STAMPED, by_ocsp=True)),
        Vector(16, "revoked-by-an-old-list", "REVOKED_NO_POE", _old_list_says_revoked),
        Vector(17, "authority-revoked", "REVOKED_CA_NO_POE", _ca_revoked),
        Vector(18, "expired-without-proof", "OUT_OF_BOUNDS_NO_POE", lambda: _valid(SINCE, AT - DAY)),
        Vector(18, "expired-before-proven-time", "EXPIRED", lambda: _valid(SINCE, STAMPED - DAY, STAMPED)),
        Vector(18, "expired-after-proven-time", PASSED, lambda: _valid(SINCE, STAMPED + DAY, STAMPED)),
        Vector(18, "time-stamp-before-certificate", "NOT_YET_VALID", lambda: _valid(STAMPED + DAY, UNTIL, STAMPED)),
        Vector(18, "not-yet-valid", "NOT_YET_VALID", lambda: _valid(AT + DAY, UNTIL)),
        Vector(
            19,
            "document-time-stamps-out-of-order",
            "TIMESTAMP_ORDER_FAILURE",
            lambda: time_stamped(time_stamped(base(), AT - DAY), STAMPED, field="Dau2"),
        ),
        Vector(
            19,
            "document-time-stamp-before-inner-one",
            "TIMESTAMP_ORDER_FAILURE",
            lambda: time_stamped(signed(stamped_at=AT - DAY), STAMPED),
        ),
        Vector(19, "content-time-stamp-after-inner-one", "TIMESTAMP_ORDER_FAILURE", _content_stamp_too_late),
        Vector(
            19,
            "time-stamp-over-other-bytes",
            "OUT_OF_BOUNDS_NO_POE",
            lambda: _expiring(stampers=[world().stamper(STAMPED)], stamped=b"other"),
            "TIME_STAMP_NOT_TRUSTED",
        ),
        Vector(
            19,
            "time-stamp-without-purpose",
            "OUT_OF_BOUNDS_NO_POE",
            lambda: _expiring(stampers=[world().stamper(STAMPED, stray)]),
            "TIME_STAMP_NOT_TRUSTED",
        ),
        Vector(
            19,
            "time-stamp-of-nobody",
            "OUT_OF_BOUNDS_NO_POE",
            lambda: _expiring(stampers=[world().stamper(STAMPED, nobody)]),
            "TIME_STAMP_NOT_TRUSTED",
        ),
        Vector(
            19, "document-time-stamp-of-nobody", "OUT_OF_BOUNDS_NO_POE", lambda: _with_proof(_expiring(), by=nobody)
        ),
        Vector(
            19,
            "document-time-stamp-without-purpose",
            "OUT_OF_BOUNDS_NO_POE",
            lambda: _with_proof(_expiring(), by=stray),
        ),
        Vector(19, "time-stamp-saves-expired", PASSED, lambda: _expiring(stampers=[world().stamper(STAMPED)])),
        Vector(19, "document-time-stamp-saves-expired", PASSED, lambda: _with_proof(_expiring())),
        Vector(20, "root-expired", "OUT_OF_BOUNDS_NO_POE", lambda: _foreign_root(valid=(SINCE, AT - DAY))),
        Vector(20, "root-in-force", PASSED, lambda: _foreign_root(valid=LIFE)),
        Vector(20, "cross-signed-one-path-good", PASSED, lambda: _cross_signed(first_is_good=True)),
        Vector(20, "cross-signed-no-path-good", "OUT_OF_BOUNDS_NO_POE", lambda: _cross_signed(first_is_good=False)),
        Vector(20, "authorities-in-a-circle", "NO_CERTIFICATE_CHAIN_FOUND", _cycle),
        Vector(20, "hundred-authorities-of-one-name", PASSED, lambda: _crowd(100)),
        Vector(21, "imposter-authority", "NO_CERTIFICATE_CHAIN_FOUND", _imposter),
        Vector(
            21,
            "self-signed-under-a-true-name",
            "NO_CERTIFICATE_CHAIN_FOUND",
            lambda: Material(_value(issue("Nguyễn Văn Ổi", key=rsa_key("officer")))),
        ),
        Vector(
            21,
            "signed-by-itself-in-the-authority's-name",
            "NO_CERTIFICATE_CHAIN_FOUND",
            lambda: Material(
                _value(issue("Nguyễn Văn Ổi", key=rsa_key("officer"), issuer_name="Vector issuing CA", key_ids=False))
            ),
        ),
        Vector(22, "signer-acts-as-authority", UNCHECKED, _leaf_as_ca),
        Vector(22, "path-too-long", UNCHECKED, lambda: _under(authority("Dưới cấp phát", issuing))),
        Vector(
            22,
            "name-not-permitted",
            UNCHECKED,
            lambda: _under(authority("Giới hạn tên", root, extensions=((no_names, True),))),
        ),
        Vector(
            22,
            "authority-may-not-sign-certificates",
            UNCHECKED,
            lambda: _under(authority("Chỉ ký danh sách", root, usages=("crl_sign",))),
        ),
        Vector(
            22,
            "policy-demanded-and-absent",
            UNCHECKED,
            lambda: _under(authority("Đòi chính sách", root, extensions=((demand, True),))),
        ),
        Vector(
            22, "further-authority-is-fine", PASSED, lambda: _under(authority("Trung gian tốt", root, usages=CA_USAGES))
        ),
        Vector(
            23,
            "usage-without-non-repudiation",
            "CHAIN_CONSTRAINTS_FAILURE",
            lambda: _named_for(("digital_signature",)),
            "KEY_USAGE",
        ),
        Vector(
            23,
            "purpose-code-signing",
            "CHAIN_CONSTRAINTS_FAILURE",
            lambda: _named_for(("digital_signature", "content_commitment"), (ExtendedKeyUsageOID.CODE_SIGNING,)),
            "PURPOSE",
        ),
        Vector(
            23,
            "purpose-time-stamping",
            "CHAIN_CONSTRAINTS_FAILURE",
            lambda: _named_for(("content_commitment",), (ExtendedKeyUsageOID.TIME_STAMPING,)),
            "PURPOSE",
        ),
        Vector(
            23,
            "purpose-email-is-fine",
            PASSED,
            lambda: _named_for(("content_commitment",), (ExtendedKeyUsageOID.EMAIL_PROTECTION,)),
        ),
        Vector(24, "revocation-data-missing", UNCHECKED, _lists),
        Vector(24, "list-stale", "TRY_LATER", lambda: _lists(crl(issuing, window=old))),
        Vector(
            24,
            "list-for-authorities-only",
            UNCHECKED,
            lambda: _lists(crl(issuing, scope=_scope(only_contains_ca_certs=True))),
        ),
        Vector(
            24,
            "list-of-another-partition",
            UNCHECKED,
            lambda: _lists(
                crl(issuing, scope=_scope(full_name=[x509.UniformResourceIdentifier("http://crl.invalid/2.crl")]))
            ),
        ),
        Vector(24, "list-of-another-issuer", UNCHECKED, lambda: _lists(crl(authority("Khác")))),
        Vector(
            24,
            "list-signed-by-another-key",
            UNCHECKED,
            lambda: _lists(crl(authority("Vector issuing CA"))),
        ),
        Vector(
            24,
            "list-for-signers-is-fine",
            PASSED,
            lambda: _lists(crl(issuing, scope=_scope(only_contains_user_certs=True))),
        ),
        Vector(
            24,
            "on-hold",
            "TRY_LATER",
            lambda: _lists(crl(issuing, [(officer, STAMPED)], reason=x509.ReasonFlags.certificate_hold)),
        ),
        Vector(24, "answer-is-fine", PASSED, _answered),
        Vector(24, "answer-by-a-delegate-is-fine", PASSED, lambda: _answered(responder)),
        Vector(24, "answer-about-another", UNCHECKED, lambda: _answered(about=world().agency)),
        Vector(24, "answer-by-nobody-authorised", UNCHECKED, lambda: _answered(usurper)),
        Vector(24, "answer-by-a-stranger", UNCHECKED, lambda: _answered(authority("Lạ"))),
        Vector(24, "answer-unknown", UNCHECKED, lambda: _answered(status=ocsp.OCSPCertStatus.UNKNOWN)),
        Vector(24, "answer-stale", "TRY_LATER", lambda: _answered(window=old)),
        Vector(
            24,
            "stale-list-beside-fresh-answer-is-fine",
            PASSED,
            lambda: _lists(crl(issuing, window=old), ocsps=(ocsp_answer(officer, issuing, issuing),)),
        ),
        Vector(
            24,
            "list-inside-the-file-is-fine",
            PASSED,
            lambda: Material(
                with_store(_value(officer), b"", crls=[crl(issuing), crl(root)]), world().trust(fresh=False)
            ),
        ),
    ]
