"""Throw-away certificates and the guarded server."""

from collections.abc import AsyncIterator

import pytest

from kho_server.dev_pki import DevPki, write_dev_pki
from kho_server.rpc.tls import TlsFiles
from kho_storage.catalog.database import Database
from tests.server.rpc.guarded_server import GuardedServer, guarded_server


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DevPki:
    """Certificates of one test authority."""
    return write_dev_pki(tmp_path_factory.mktemp("pki") / "own")


@pytest.fixture(scope="session")
def foreign_pki(tmp_path_factory: pytest.TempPathFactory) -> DevPki:
    """Certificates of another authority with the same names."""
    return write_dev_pki(tmp_path_factory.mktemp("pki") / "foreign")


@pytest.fixture
async def guarded(catalog: Database, pki: DevPki) -> AsyncIterator[GuardedServer]:
    """A server that nobody is registered with yet."""
    async with guarded_server(catalog, pki, TlsFiles(pki.server_certificate, pki.server_key, pki.ca)) as running:
        yield running
