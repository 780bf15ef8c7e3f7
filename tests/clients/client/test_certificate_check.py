"""What gRPC calls "Socket closed" is told by its cause."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kho_client.connection import Connection
from kho_client.errors import KhoError, LocalProblem, ServerUnreachable, TlsRefused
from kho_client.kho import KhoClient
from kho_client.retry import Patience
from tests.doubles.answers import Answers
from tests.doubles.tls_folder import TlsFolder
from tests.doubles.upload_server import UploadServer


@pytest.fixture
async def port(tls: TlsFolder) -> AsyncIterator[int]:
    async with UploadServer(tls, Answers().register) as server:
        yield server.port


async def refusal(connection: Connection) -> KhoError:
    async with KhoClient(connection, patience=Patience(first_contact_s=0.2)) as client:
        with pytest.raises(KhoError) as caught:
            await client.server_info()
    return caught.value


async def test_a_good_certificate_is_let_in(tls: TlsFolder, port: int) -> None:
    async with KhoClient(tls.connection(port)) as client:
        assert (await client.server_info()).version == "9.9"


@pytest.mark.parametrize(
    ("caller", "reason"),
    [
        ("expired", "CLIENT_CERTIFICATE_EXPIRED"),
        ("foreign", "CLIENT_CERTIFICATE_NOT_ACCEPTED"),
        (None, "CLIENT_CERTIFICATE_MISSING"),
        ("future", "CLIENT_CERTIFICATE_NOT_YET_VALID"),
    ],
)
async def test_a_certificate_is_refused_by_name(tls: TlsFolder, port: int, caller: str | None, reason: str) -> None:
    error = await refusal(tls.connection(port, caller))
    assert isinstance(error, TlsRefused)
    assert (error.code, error.reason, error.retryable) == ("UNAUTHENTICATED", reason, False)
    assert error.message_vi != error.message_en


async def test_a_server_of_another_authority_is_not_trusted(tls: TlsFolder, port: int) -> None:
    error = await refusal(tls.connection(port, ca="foreign-ca.crt"))
    assert isinstance(error, TlsRefused)
    assert error.reason == "SERVER_CERTIFICATE_NOT_TRUSTED"


@pytest.mark.parametrize("caller", ["good", "expired", None])
async def test_nobody_there_is_unreachable_whatever_our_certificate(tls: TlsFolder, caller: str | None) -> None:
    error = await refusal(tls.connection(1, caller))
    assert isinstance(error, ServerUnreachable)
    assert error.reason == "SERVER_UNREACHABLE"


async def test_certificate_and_key_must_be_a_pair(tls: TlsFolder, port: int) -> None:
    good = tls.connection(port)
    error = await refusal(Connection(good.server, good.ca, good.certificate, tls.folder / "foreign.key"))
    assert error.reason == "CLIENT_KEY_MISMATCH"


async def test_a_certificate_that_is_none(tls: TlsFolder, port: int, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.crt"
    garbage.write_text("not a certificate")
    good = tls.connection(port)
    error = await refusal(Connection(good.server, good.ca, garbage, good.key))
    assert error.reason == "CLIENT_CERTIFICATE_UNREADABLE"


async def test_a_file_that_is_not_there(tls: TlsFolder, tmp_path: Path) -> None:
    with pytest.raises(LocalProblem) as caught:
        KhoClient(Connection("127.0.0.1:1", tmp_path / "absent.crt"))
    assert caught.value.reason == "FILE_UNREADABLE"


@pytest.mark.parametrize("address", ["", "localhost", ":7443", "localhost:", "localhost:0", "localhost:70000", "a:b"])
def test_an_address_that_is_none(tmp_path: Path, address: str) -> None:
    with pytest.raises(LocalProblem) as caught:
        Connection(address, tmp_path)
    assert caught.value.reason == "ADDRESS_MALFORMED"


def test_an_address_with_brackets(tmp_path: Path) -> None:
    connection = Connection("[::1]:7443", tmp_path)
    assert (connection.host, connection.port) == ("::1", 7443)
