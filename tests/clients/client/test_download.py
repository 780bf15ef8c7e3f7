"""Downloads over real sockets: whole and right, or no file."""

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kho.v1 import reuse_service_pb2
from kho_client.download import Downloaded
from kho_client.errors import ContentDamaged, LocalProblem, NotFound
from kho_client.kho import KhoClient
from kho_client.retry import Patience
from tests.doubles.answers import Answers
from tests.doubles.tls_folder import TlsFolder
from tests.doubles.upload_server import UploadServer

CODE = "H46.KQ.1"
CONTENT = random.Random(3).randbytes(200_000)
PURPOSE = reuse_service_pb2.Purpose(dossier_code="H46-220905-0001")


@pytest.fixture
def answers() -> Answers:
    return Answers(contents={CODE: CONTENT})


@pytest.fixture
async def client(tls: TlsFolder, answers: Answers) -> AsyncIterator[KhoClient]:
    patience = Patience(first_contact_s=5, without_progress_s=5, first_wait_s=0.01)
    async with UploadServer(tls, answers.register) as server:
        async with KhoClient(tls.connection(server.port), officer_id="cb-1", patience=patience) as running:
            yield running


async def fetch(client: KhoClient, target: Path) -> Downloaded:
    return await client.reuse(CODE, PURPOSE, target)


async def test_the_bytes_are_the_announced_ones(client: KhoClient, answers: Answers, tmp_path: Path) -> None:
    downloaded = await fetch(client, tmp_path / "result.pdf")
    assert (tmp_path / "result.pdf").read_bytes() == CONTENT
    assert (downloaded.access_id, downloaded.size_bytes, downloaded.bytes_resumed) == ("access-1", 200_000, 0)
    assert os.listdir(tmp_path) == ["result.pdf"]
    assert answers.purposes[0].purpose.officer_id == "cb-1"


async def test_a_break_is_resumed_with_the_same_request_id(client: KhoClient, answers: Answers, tmp_path: Path) -> None:
    answers.cut_content_after = [50_000, 20_000]
    await fetch(client, tmp_path / "result.pdf")
    assert (tmp_path / "result.pdf").read_bytes() == CONTENT
    assert [request.offset > 0 for request in answers.purposes] == [False, True, True]
    assert len({request.request_id for request in answers.purposes}) == 1


async def test_a_part_of_an_earlier_run_is_used(client: KhoClient, answers: Answers, tmp_path: Path) -> None:
    (tmp_path / "result.pdf.part").write_bytes(CONTENT[:70_000])
    downloaded = await fetch(client, tmp_path / "result.pdf")
    assert (downloaded.bytes_resumed, answers.purposes[0].offset) == (70_000, 70_000)
    assert (tmp_path / "result.pdf").read_bytes() == CONTENT


@pytest.mark.parametrize("stale", [b"other" * 1000, b"x" * 300_000], ids=["other bytes", "longer than the content"])
async def test_a_stale_part_is_thrown_away(client: KhoClient, tmp_path: Path, stale: bytes) -> None:
    (tmp_path / "result.pdf.part").write_bytes(stale)
    await fetch(client, tmp_path / "result.pdf")
    assert (tmp_path / "result.pdf").read_bytes() == CONTENT


async def test_a_damaged_message_is_asked_for_again(client: KhoClient, answers: Answers, tmp_path: Path) -> None:
    answers.damage_content = 2
    await fetch(client, tmp_path / "result.pdf")
    assert (tmp_path / "result.pdf").read_bytes() == CONTENT


async def test_a_link_that_damages_everything_is_an_error(client: KhoClient, answers: Answers, tmp_path: Path) -> None:
    answers.damage_content = 1000
    with pytest.raises(ContentDamaged) as caught:
        await fetch(client, tmp_path / "result.pdf")
    assert caught.value.reason == "CHECKSUM_MISMATCH"
    assert not (tmp_path / "result.pdf").exists()


async def test_a_wrong_digest_leaves_no_file(client: KhoClient, answers: Answers, tmp_path: Path) -> None:
    answers.announced[CODE] = "sha256:" + "0" * 64
    with pytest.raises(ContentDamaged) as caught:
        await fetch(client, tmp_path / "result.pdf")
    assert caught.value.reason == "CONTENT_DIGEST_MISMATCH"
    assert os.listdir(tmp_path) == []


async def test_what_is_not_there_leaves_no_file(client: KhoClient, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await client.reuse("NO.SUCH", PURPOSE, tmp_path / "result.pdf")
    assert os.listdir(tmp_path) == []


async def test_an_existing_file_is_replaced_only_by_a_whole_one(
    client: KhoClient, answers: Answers, tmp_path: Path
) -> None:
    (tmp_path / "result.pdf").write_bytes(b"before")
    answers.announced[CODE] = "sha256:" + "0" * 64
    with pytest.raises(ContentDamaged):
        await fetch(client, tmp_path / "result.pdf")
    assert (tmp_path / "result.pdf").read_bytes() == b"before"


async def test_a_folder_that_is_not_there_is_said(client: KhoClient, tmp_path: Path) -> None:
    with pytest.raises(LocalProblem) as caught:
        await fetch(client, tmp_path / "absent" / "result.pdf")
    assert caught.value.reason == "FILE_UNWRITABLE"
