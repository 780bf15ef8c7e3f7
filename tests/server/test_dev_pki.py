import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.sign.signers import SimpleSigner

from kho_server.dev_pki import (
    CALLERS,
    CRL_LIFE,
    DevPki,
    DevPkiError,
    issue_caller,
    issue_signer,
    revoke_signer,
    write_dev_pki,
)

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture
def pki(tmp_path: Path) -> DevPki:
    return write_dev_pki(tmp_path / "data" / "pki", now=NOW)


def contents(pki: DevPki) -> dict[str, bytes]:
    return {str(path.relative_to(pki.folder)): path.read_bytes() for path in pki.expected_files()}


def revoked_serials(path: Path) -> list[int]:
    return [entry.serial_number for entry in x509.load_pem_x509_crl(path.read_bytes())]


def test_all_files_are_there_and_nothing_else(pki: DevPki) -> None:
    found = {path for path in pki.folder.rglob("*") if path.is_file()}
    assert found == set(pki.expected_files())
    assert list(pki.folder.parent.iterdir()) == [pki.folder]


def test_keys_are_for_their_owner_only(pki: DevPki) -> None:
    for path in pki.folder.rglob("*"):
        if path.suffix in {".key", ".p12"}:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_openssl_accepts_every_certificate(pki: DevPki) -> None:
    at = ["-attime", str(int(NOW.timestamp()) + 60)]
    server = ["openssl", "verify", *at, "-CAfile", str(pki.ca), "-verify_hostname", "localhost"]
    callers = [str(pki.certificate(name)) for name in CALLERS]
    for command in (
        [*server, "-purpose", "sslserver", str(pki.server_certificate)],
        ["openssl", "verify", *at, "-CAfile", str(pki.ca), "-verify_ip", "::1", str(pki.server_certificate)],
        ["openssl", "verify", *at, "-CAfile", str(pki.ca), "-purpose", "sslclient", *callers],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["officer", "agency-a"])
def test_signers_load_in_openssl_and_pyhanko(name: str, pki: DevPki) -> None:
    command = ["openssl", "pkcs12", "-in", str(pki.signer(name)), "-passin", "pass:", "-nodes"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("BEGIN CERTIFICATE") == 3
    assert done.stdout.count("BEGIN PRIVATE KEY") == 1
    assert f"friendlyName: {name}" in done.stdout
    signer = SimpleSigner.load_pkcs12(pki.signer(name))
    assert signer is not None
    assert set(signer.signing_cert.key_usage_value.native) == {"digital_signature", "non_repudiation"}
    assert signer.signing_cert.subject.native["organization_name"] == "DEVELOPMENT ONLY"


def test_tls_keys_fit_their_certificates(pki: DevPki) -> None:
    for name in CALLERS:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(pki.certificate(name), pki.key(name))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pki.server_certificate, pki.server_key)
    certificate = x509.load_pem_x509_certificate(pki.server_certificate.read_bytes())
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


def test_made_again_it_stays_as_it_is(pki: DevPki) -> None:
    before = contents(pki)
    assert contents(write_dev_pki(pki.folder, now=NOW + timedelta(days=30))) == before


def test_lists_near_their_end_are_made_anew_with_their_entries(pki: DevPki) -> None:
    revoke_signer(pki, "officer", at=NOW, now=NOW)
    before = contents(pki)
    write_dev_pki(pki.folder, now=NOW + CRL_LIFE - timedelta(days=3))
    after = contents(pki)
    assert {name for name in before if before[name] != after[name]} == {
        "trust/root.crl",
        "trust/issuing-ca.crl",
    }
    assert len(revoked_serials(pki.trust / "issuing-ca.crl")) == 1


def test_incomplete_folder_is_refused(pki: DevPki) -> None:
    pki.key("station").unlink()
    with pytest.raises(DevPkiError, match=r"station\.key is missing"):
        write_dev_pki(pki.folder, now=NOW)


def test_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DevPkiError):
        write_dev_pki(tmp_path, now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    folder.mkdir()
    assert write_dev_pki(folder, now=NOW).ca.is_file()


def test_further_callers_and_signers_are_of_the_same_authorities(pki: DevPki, tmp_path: Path) -> None:
    certificate, key = issue_caller(pki, "station-2", tmp_path, now=NOW)
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    signer = tmp_path / "commune.p12"
    issue_signer(pki, "Ủy ban nhân dân xã Mẫu", signer, now=NOW)
    issue_signer(pki, "Ủy ban nhân dân xã Mẫu", signer, now=NOW)
    assert stat.S_IMODE(signer.stat().st_mode) == 0o600
    loaded = SimpleSigner.load_pkcs12(signer)
    assert loaded is not None
    assert loaded.signing_cert.subject.native["common_name"] == "Ủy ban nhân dân xã Mẫu"
    leaf = tmp_path / "signer.crt"
    leaf.write_text(ssl.DER_cert_to_PEM_cert(loaded.signing_cert.dump()))
    sign = pki.folder / "sign"
    at = ["-attime", str(int(NOW.timestamp()) + 60)]
    chain = ["-CAfile", str(sign / "root.crt"), "-untrusted", str(sign / "issuing-ca.crt")]
    for command in (
        ["openssl", "verify", *at, "-CAfile", str(pki.ca), "-purpose", "sslclient", str(certificate)],
        ["openssl", "verify", *at, *chain, str(leaf)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
