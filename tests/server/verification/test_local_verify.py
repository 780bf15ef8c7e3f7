"""`kho verify --local`: the engine and its limits without a server."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from kho_server.dev_pki import DevPki
from kho_server.verification.engine import judge
from kho_server.verification.policy import PolicyError, editions, load_policy, policy_at
from kho_server.verification.roles import Registration
from kho_server.verification.trust_folder import TrustFolder, TrustMaterial
from kho_server.verification.verdict import SignerRole, SubIndication
from tests.clients.cli.kho_process import kho
from tests.server.verification.conftest import NOW
from tests.vectors.signatures.make import all_vectors

LATER = NOW + timedelta(minutes=1)
AT = LATER.isoformat()
LINE = {"file", "trust", "scope", "document", "signatures", "policy", "elapsed_ms"}


@pytest.fixture
def signed(by_both: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "signed.pdf"
    path.write_bytes(by_both)
    return path


async def test_files_are_judged_in_order_by_a_trust_folder(pki: DevPki, signed: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pdf"
    junk.write_bytes(b"%PDF-1.4 nothing")
    ran = await kho("verify", signed, junk, tmp_path / "no.pdf", "--local", "--trust", pki.trust, "--at", AT, "--json")
    assert ran.status == 1, ran.err
    good, bad, absent = ran.answers
    assert set(good) == set(bad) == set(absent) == LINE
    assert (good["document"]["indication"], good["scope"], good["trust"]) == ("TOTAL_PASSED", "full", str(pki.trust))
    assert good["policy"].startswith("vn-2025.1:")
    assert [one["level"] for one in good["signatures"]] == ["PAdES-BASELINE-B"] * 2
    assert [len(one["changes_after"]) for one in good["signatures"]] == [1, 0]
    assert bad["document"]["sub_indication"] == "FORMAT_FAILURE"
    assert absent["document"]["indication"] is None


async def test_embedded_trust_judges_integrity_and_says_so_loudly(signed: Path, by_both: bytes) -> None:
    ran = await kho("verify", signed, "--local", "--trust", "embedded", "--json")
    assert (ran.status, ran.answer["scope"]) == (0, "integrity")
    assert ran.answer["document"]["indication"] == "TOTAL_PASSED"
    signed.write_bytes(by_both.replace(b"trang 2", b"trang 3"))
    ran = await kho("verify", signed, "--local", "--trust", "embedded")
    assert ran.status == 1
    assert "integrity only" in ran.out
    assert "HASH_FAILURE" in ran.out


async def test_detached_signature_needs_its_content(tmp_path: Path) -> None:
    vector = next(one for one in all_vectors() if one.name == "cms-detached")
    material = vector.material()
    value, content = tmp_path / "a.p7s", tmp_path / "a.txt"
    value.write_bytes(material.data)
    content.write_bytes(material.content or b"")
    ran = await kho("verify", value, "--trust", "embedded", "--content", content, "--json")
    assert ran.answer["document"]["indication"] == "TOTAL_PASSED"
    ran = await kho("verify", value, "--trust", "embedded", "--json")
    assert ran.answer["document"]["sub_indication"] == "SIGNED_DATA_NOT_FOUND"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--local",),
        ("--trust", "/nowhere"),
        ("--trust", "embedded", "--at", "hôm qua"),
        ("--trust", "embedded", "--policy", "/dev/null"),
    ],
)
async def test_wrong_usage_is_told(signed: Path, wrong: tuple[str, ...]) -> None:
    ran = await kho("verify", signed, *wrong, "--json")
    assert ran.status == 2
    assert json.loads(ran.err)["error"]["message"]["vi"]


def test_rules_follow_the_day() -> None:
    assert [one.version for one in editions()] == ["vn-2018.1", "vn-2025.1"]
    assert policy_at(NOW).version == "vn-2025.1"
    assert policy_at(NOW.replace(year=2022)).version == "vn-2018.1"
    assert policy_at(NOW.replace(year=1999)).version == "vn-2018.1"
    old = policy_at(NOW.replace(year=2022)).algorithms
    assert old.digest_until("sha1") > NOW.replace(year=2022)
    assert old.is_weak("sha1", NOW.replace(year=2022))
    assert old.digest_until("md2") < NOW.replace(year=1999)


def test_policy_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("version = 1")
    with pytest.raises(PolicyError, match=r"mine\.toml"):
        load_policy(path)


def test_role_is_what_is_registered_at_that_time(by_both: bytes, trust: TrustMaterial) -> None:
    officer, agency = (one.certificate_sha256 or "" for one in judge(by_both, trust, LATER).signatures)
    table = {
        officer: [Registration(SignerRole.OFFICER, "H46.01", NOW - timedelta(days=9))],
        agency: [Registration(SignerRole.AGENCY, "H46.01", NOW - timedelta(days=9), NOW - timedelta(days=1))],
    }
    assert [one.role for one in judge(by_both, trust, LATER, roles=table).signatures] == [SignerRole.OFFICER, None]


def test_anchor_rules_bind(pki: DevPki, by_both: bytes, tmp_path: Path) -> None:
    for source in pki.trust.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (anchor,) = TrustFolder(tmp_path).material().anchors
    rules = tmp_path / "trust.toml"
    rule = f'[[anchor]]\nsha256 = "{anchor.certificate.sha256.hex()}"\n'
    for line, expected in {
        'hierarchy = "government"': None,
        'uses = ["time-stamp"]': SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
        "until = 2026-01-01": SubIndication.OUT_OF_BOUNDS_NO_POE,
    }.items():
        rules.write_text(rule + line + "\n")
        assert judge(by_both, TrustFolder(tmp_path).material(), LATER).sub_indication is expected
    rules.write_text("[[anchor]]\nsha256 = 1\nuses = 5\n")
    assert TrustFolder(tmp_path).material().unreadable == ("trust.toml",)
