"""Whatever strangers type: it becomes a value, or a refusal by name; nothing else."""

import contextlib
from datetime import date

from hypothesis import example, given
from hypothesis import strategies as st

from kho_server.archive.refusals import Refusal
from kho_server.archive.registration_fields import (
    SaidDated,
    SaidPrincipal,
    fingerprint,
    parse_agency_id,
    parse_codes,
    parse_credential,
    parse_display_name,
    parse_kind,
    parse_names,
    parse_officer_id,
    parse_reason,
)
from kho_server.rules.errors import RuleViolation
from kho_storage.catalog.storable_text import is_storable
from kho_storage.records.registry import PrincipalKind

TODAY = date(2026, 11, 21)
_TEXTS = st.text(max_size=80) | st.sampled_from(["", "H46.01", "2026-01-01", "a", "\0", "\ud800", "a" * 400])
_DATED = st.lists(st.builds(SaidDated, _TEXTS, _TEXTS, _TEXTS), max_size=4)


@given(_DATED)
def test_dated_texts(said: list[SaidDated]) -> None:
    with contextlib.suppress(Refusal, RuleViolation):
        assert all(is_storable(code.code) and is_storable(code.key) for code in parse_codes(said, TODAY))
    with contextlib.suppress(Refusal, RuleViolation):
        assert all(is_storable(name.name) for name in parse_names(said))


@given(_TEXTS)
def test_ids_and_texts(text: str) -> None:
    for parse in (parse_agency_id, parse_officer_id, parse_display_name, parse_reason):
        try:
            assert is_storable(parse(text))
        except (Refusal, RuleViolation):
            continue


@given(
    st.builds(
        SaidPrincipal,
        kind=st.none() | st.sampled_from(PrincipalKind),
        agency_id=_TEXTS,
        certificate=st.binary(max_size=40),
        certificate_sha256=_TEXTS | st.just("a" * 64),
        issuer_key_sha256=_TEXTS | st.just("b" * 64),
        subject=_TEXTS,
        default_officer_id=_TEXTS,
    )
)
def test_callers(said: SaidPrincipal) -> None:
    try:
        parse_kind(said)
        credential = parse_credential(said)
    except (Refusal, RuleViolation):
        return
    assert (credential.certificate_sha256 is None) == (credential.subject is not None)
    assert (credential.subject is None) == (credential.issuer_key_sha256 is None)


@given(st.binary(max_size=400))
@example(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
@example(b"0\x82\x01\x00" + b"\0" * 200)
def test_certificates(content: bytes) -> None:
    with contextlib.suppress(Refusal):
        assert len(fingerprint(content)) == 64
