from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from kho_server.dev_pki import DevPki
from kho_server.verification.trust_folder import TrustFolder


def test_folder_is_sorted_into_anchors_intermediates_and_lists(pki: DevPki) -> None:
    material = TrustFolder(pki.trust).material()
    assert [one.certificate.subject.native["common_name"] for one in material.anchors] == ["Kho signing root"]
    assert [one.subject.native["common_name"] for one in material.intermediates] == ["Kho issuing CA"]
    assert len(material.crls) == 2
    assert material.unreadable == ()


def test_der_and_bundles_are_read_alike(pki: DevPki, tmp_path: Path) -> None:
    root = x509.load_pem_x509_certificate((pki.trust / "root.crt").read_bytes())
    (tmp_path / "root.cer").write_bytes(root.public_bytes(Encoding.DER))
    crl = x509.load_pem_x509_crl((pki.trust / "root.crl").read_bytes())
    (tmp_path / "root.crl").write_bytes(crl.public_bytes(Encoding.DER))
    rest = b"".join((pki.trust / name).read_bytes() for name in ("issuing-ca.crt", "issuing-ca.crl", "root.crt"))
    (tmp_path / "bundle.pem").write_bytes(b"a comment\n" + rest)
    material = TrustFolder(tmp_path).material()
    assert [len(material.anchors), len(material.intermediates), len(material.crls)] == [1, 1, 2]


def test_version_follows_the_content_and_not_the_time(pki: DevPki, tmp_path: Path) -> None:
    for source in pki.trust.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    folder = TrustFolder(tmp_path)
    first = folder.material()
    assert folder.material() is first
    assert first.version == TrustFolder(pki.trust).material().version
    (tmp_path / "root.crl").unlink()
    second = folder.material()
    assert second.version != first.version
    assert len(second.crls) == 1


def test_broken_files_are_named_and_left_out(pki: DevPki, tmp_path: Path) -> None:
    (tmp_path / "root.crt").write_bytes((pki.trust / "root.crt").read_bytes())
    (tmp_path / "notes.txt").write_text("telephone of the CA: ...")
    (tmp_path / "empty.crt").write_bytes(b"")
    (tmp_path / "cut.crt").write_bytes((pki.trust / "root.crt").read_bytes()[:200])
    (tmp_path / ".hidden.swp").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    material = TrustFolder(tmp_path).material()
    assert material.unreadable == ("cut.crt", "empty.crt", "notes.txt")
    assert len(material.anchors) == 1


def test_missing_folder_trusts_nobody(tmp_path: Path) -> None:
    material = TrustFolder(tmp_path / "nowhere").material()
    assert (material.anchors, material.unreadable) == ((), ())
