"""TLS files that change under a running server, and files that cannot be served with."""

import shutil
from pathlib import Path

import grpc
import pytest

from kho.v1 import upload_service_pb2 as upload
from kho_server.dev_pki import DevPki
from kho_server.rpc.tls import ServerTls, TlsFiles, TlsUnusable
from kho_storage.catalog.database import Database
from tests.server.rpc.guarded_server import guarded_server


def replace(target: Path, source: Path) -> None:
    """Replace a file whole, as certbot and administrators do."""
    draft = target.with_suffix(".new")
    shutil.copyfile(source, draft)
    draft.replace(target)


@pytest.fixture
def files(tmp_path: Path, pki: DevPki) -> TlsFiles:
    """Copies of the server's files that a test may change."""
    made = TlsFiles(tmp_path / "server.crt", tmp_path / "server.key", tmp_path / "ca.crt")
    for target, source in zip(
        (made.certificate, made.key, made.client_ca), (pki.server_certificate, pki.server_key, pki.ca), strict=True
    ):
        replace(target, source)
    return made


async def test_new_files_serve_new_connections_and_old_connections_live_on(
    catalog: Database, pki: DevPki, foreign_pki: DevPki, files: TlsFiles
) -> None:
    async with guarded_server(catalog, pki, files) as guarded:
        await guarded.register("station")
        await guarded.register("agency-a", foreign_pki)
        old = guarded.uploads()
        await old.Begin(upload.BeginRequest())
        replace(files.certificate, foreign_pki.server_certificate)
        replace(files.key, foreign_pki.server_key)
        files.client_ca.write_bytes(pki.ca.read_bytes() + foreign_pki.ca.read_bytes())
        new = guarded.channel("agency-a", foreign_pki)
        await new.unary_unary("/kho.v1.UploadService/Begin")(b"", timeout=10)
        await old.Begin(upload.BeginRequest())
        assert len(guarded.tls.material.authorities) == 2
        replace(files.client_ca, foreign_pki.ca)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await guarded.channel("station").unary_unary("/kho.v1.UploadService/Begin")(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_files_that_do_not_fit_together_leave_the_earlier_ones_in_use(
    pki: DevPki, foreign_pki: DevPki, files: TlsFiles
) -> None:
    tls = ServerTls(files)
    assert tls.renewed() is None
    replace(files.certificate, foreign_pki.server_certificate)
    assert tls.renewed() is None
    files.client_ca.unlink()
    assert tls.renewed() is None
    assert tls.material.chain_pem == pki.server_certificate.read_bytes()
    replace(files.client_ca, pki.ca)
    replace(files.key, foreign_pki.server_key)
    assert tls.renewed() is not None
    assert tls.material.chain_pem == foreign_pki.server_certificate.read_bytes()


def test_unusable_files_are_refused_in_plain_words(tmp_path: Path, pki: DevPki) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    good = TlsFiles(pki.server_certificate, pki.server_key, pki.ca)
    bad = {
        "cannot be read": TlsFiles(tmp_path / "absent", good.key, good.client_ca),
        "no PEM certificate": TlsFiles(good.certificate, good.key, empty),
        "no unencrypted PEM private key": TlsFiles(good.certificate, empty, good.client_ca),
        "not that of the first certificate": TlsFiles(good.certificate, pki.key("station"), good.client_ca),
    }
    for words, files in bad.items():
        with pytest.raises(TlsUnusable, match=words):
            ServerTls(files)
