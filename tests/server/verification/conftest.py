from datetime import UTC, datetime
from pathlib import Path

import pytest

from kho_server.dev_pki import DevPki, write_dev_pki
from kho_server.verification.trust_folder import TrustFolder, TrustMaterial
from tests.server.verification.signed_files import dev_signer, sign, unsigned_pdf

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DevPki:
    return write_dev_pki(tmp_path_factory.mktemp("pki") / "dev", now=NOW)


@pytest.fixture
def own_pki(tmp_path: Path) -> DevPki:
    """A development PKI that a test may change."""
    return write_dev_pki(tmp_path / "own-pki", now=NOW)


@pytest.fixture(scope="session")
def trust(pki: DevPki) -> TrustMaterial:
    return TrustFolder(pki.trust).material()


@pytest.fixture(scope="session")
def by_officer(pki: DevPki) -> bytes:
    return sign(unsigned_pdf(2), dev_signer(pki, "officer"), "CanBo")


@pytest.fixture(scope="session")
def by_both(pki: DevPki, by_officer: bytes) -> bytes:
    return sign(by_officer, dev_signer(pki, "agency-a"), "CoQuan", box=(330, 700, 530, 780))
