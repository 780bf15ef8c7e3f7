"""Every signature vector gets its pinned answer; where another tool can speak, it stands beside ours."""

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from kho_server.verification.engine import judge
from kho_server.verification.verdict import Verdict
from tests.server.verification import attacks
from tests.server.verification.fuzz_signatures import fuzz
from tests.vectors.signatures.document_cases import base
from tests.vectors.signatures.make import all_vectors
from tests.vectors.signatures.vector import Vector

VECTORS = all_vectors()
BY_NAME = {vector.name: vector for vector in VECTORS}


def verdict_on(vector: Vector) -> Verdict:
    material = vector.material()
    return judge(material.data, material.trust, material.at, content=material.content)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector.row:02}-{vector.name}")
def test_vector_gets_its_answer(vector: Vector) -> None:
    verdict = verdict_on(vector)
    answer = str(verdict.sub_indication or verdict.indication)
    if vector.expected == "REFUSED":
        assert answer != "TOTAL_PASSED"
    else:
        assert answer == vector.expected
    remarks = {str(one) for one in verdict.warnings}
    remarks |= {str(one) for report in verdict.signatures for one in report.warnings}
    assert vector.remark is None or vector.remark in remarks
    assert Verdict.from_json(verdict.to_json()) == verdict


def test_names_are_unique_and_half_of_all_must_fail() -> None:
    assert len(BY_NAME) == len(VECTORS)
    assert {vector.row for vector in VECTORS} == set(range(27))
    passing = Counter(vector.expected == "TOTAL_PASSED" for vector in VECTORS)
    assert passing[False] >= passing[True]


@pytest.mark.parametrize(
    "name",
    [
        "replace-catalog-switched",
        "hide-cover-higher-generation",
        "replace-font-overwritten",
    ],
)
def test_a_viewer_shows_another_page_than_the_one_that_was_signed(name: str) -> None:
    attacked = BY_NAME[name].material().data
    end = attacked.index(b"%%EOF", attacked.rindex(b"/ByteRange")) + len(b"%%EOF\n")
    assert _rendered(attacked[:end]) != _rendered(attacked)


@pytest.mark.parametrize(
    "name", ["resources-copied-and-freed", "content-repacked", "unused-object-freed", "metadata-added"]
)
def test_a_viewer_shows_the_page_that_was_signed(name: str) -> None:
    updated = BY_NAME[name].material().data
    end = updated.index(b"%%EOF", updated.rindex(b"/ByteRange")) + len(b"%%EOF\n")
    assert _rendered(updated[:end]) == _rendered(updated)


@pytest.mark.parametrize(
    ("name", "is_right"),
    [
        ("officer", True),
        ("with-time-stamp", True),
        ("two-signers", True),
        ("value-altered", False),
        ("value-by-another-key", False),
        ("message-digest-missing", False),
        ("page-byte-changed", False),
    ],
)
def test_openssl_says_the_same_of_the_value(name: str, is_right: bool, tmp_path: Path) -> None:
    pdf = BY_NAME[name].material().data
    start, end = attacks.contents_span(pdf)
    (tmp_path / "value").write_bytes(attacks.cms_of(pdf))
    (tmp_path / "content").write_bytes(pdf[:start] + pdf[end:])
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-binary", "-noverify", "-purpose", "any"]
    command += ["-in", str(tmp_path / "value"), "-content", str(tmp_path / "content"), "-out", "/dev/null"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode == 0) is is_right


def _rendered(pdf: bytes) -> bytes:
    document: Any = pypdfium2.PdfDocument(pdf)  # type: ignore[no-untyped-call]  # the package is untyped
    try:
        bitmap = document[0].render(scale=0.5)
        return bytes(bitmap.buffer)
    finally:
        document.close()


def test_the_base_of_all_attacks_passes() -> None:
    material = BY_NAME["officer"].material()
    assert material.data == base()


def test_files_put_together_wrongly_never_pass() -> None:
    judged, findings = fuzz(seconds=8, seed=2026, most=60)
    assert judged > 0
    assert [(one.seed, one.what) for one in findings] == []
