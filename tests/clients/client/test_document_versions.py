"""New versions of stored documents, over real sockets."""

import random
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kho.v1 import document_pb2, upload_service_pb2
from kho_client.errors import LocalProblem
from kho_client.kho import KhoClient
from kho_client.new_document import NewDocument
from kho_client.parts import page
from tests.doubles.documents import Documents
from tests.doubles.tls_folder import TlsFolder
from tests.doubles.upload_server import UploadServer

RENDITION = (int(document_pb2.PART_KIND_RENDITION), 1)


class Desk:
    """A client, its server, and one stored document of two pages."""

    def __init__(self, client: KhoClient, server: UploadServer, documents: Documents, folder: Path) -> None:
        self.client, self.server, self.documents = client, server, documents
        self.pages = [folder / "1.jpg", folder / "2.jpg"]
        self.signed = folder / "signed.pdf"
        self.document_id = str(uuid.uuid4())
        for number, path in enumerate(self.pages):
            path.write_bytes(b"\xff\xd8\xff" + random.Random(number).randbytes(200_000))
        self.signed.write_bytes(b"%PDF-1.7" + b" frame ".join(path.read_bytes() for path in self.pages) + b" end")

    async def store(self) -> None:
        declaration = upload_service_pb2.DocumentDeclaration(kind=document_pb2.DOCUMENT_KIND_RESULT)
        await self.client.upload(NewDocument(self.document_id, declaration, self.pages))
        self.server.wire_bytes = 0


@pytest.fixture
async def desk(tls: TlsFolder, tmp_path: Path) -> AsyncIterator[Desk]:
    documents = Documents()
    async with UploadServer(tls, documents.register) as server:
        documents.uploads = server
        async with KhoClient(tls.connection(server.port), officer_id="cb-1") as client:
            desk = Desk(client, server, documents, tmp_path)
            await desk.store()
            yield desk


async def test_a_signed_file_added_later_travels_as_a_recipe(desk: Desk) -> None:
    outcome = await desk.client.versions.add_rendition(desk.document_id, desk.signed, pages=desk.pages)
    assert (outcome.commit.version, outcome.pages) == (2, 0)
    assert desk.server.content(desk.document_id)[RENDITION] == desk.signed.read_bytes()
    assert desk.server.wire_bytes < 1_000
    assert [part.role for part in desk.server.commits[-1].parts] == [document_pb2.RENDITION_ROLE_SIGNED]


async def test_a_signed_file_added_later_may_travel_whole(desk: Desk) -> None:
    outcome = await desk.client.versions.add_rendition(desk.document_id, desk.signed)
    assert outcome.bytes_sent == desk.signed.stat().st_size
    assert desk.server.content(desk.document_id)[RENDITION] == desk.signed.read_bytes()


async def test_pages_that_are_not_the_stored_ones_are_said(desk: Desk) -> None:
    with pytest.raises(LocalProblem) as caught:
        await desk.client.versions.add_rendition(desk.document_id, desk.signed, pages=desk.pages[::-1])
    assert (caught.value.reason, caught.value.metadata) == ("PAGE_DIFFERS", {"page": "1"})


async def test_a_correction_replaces_all_pages(desk: Desk) -> None:
    outcome = await desk.client.versions.correct(desk.document_id, "Trang 2 thừa", desk.pages[:1])
    assert (outcome.commit.version, outcome.pages) == (2, 1)
    assert list(desk.server.content(desk.document_id).values()) == [desk.pages[0].read_bytes()]
    (request,) = desk.documents.corrections
    assert (request.base_version, request.reason, request.officer_id) == (1, "Trang 2 thừa", "cb-1")


async def test_own_content_is_read_back(desk: Desk, tmp_path: Path) -> None:
    target = tmp_path / "back.jpg"
    downloaded = await desk.client.read_content(desk.document_id, target, part=page(2).key())
    assert target.read_bytes() == desk.pages[1].read_bytes()
    assert downloaded.access_id == "access-2"


async def test_waiting_asks_again_until_it_is_decided(desk: Desk) -> None:
    document = await desk.client.wait_for_verdict(desk.document_id, timeout_s=20)
    assert (document.state, desk.documents.waits) == (document_pb2.DOCUMENT_STATE_VALID, 2)
