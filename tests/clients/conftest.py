"""Fixtures of the client's tests."""

from pathlib import Path

import pytest

from tests.doubles.tls_folder import TlsFolder


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFolder:
    """Certificates of a test authority; made once."""
    folder: Path = tmp_path_factory.mktemp("tls")
    return TlsFolder(folder)
