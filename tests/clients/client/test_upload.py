"""Uploads over real sockets: nothing acknowledged travels twice, whatever breaks."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from kho.v1 import document_pb2, upload_service_pb2
from kho_client.errors import CallRefused, KhoError, LocalProblem, ServerUnreachable
from kho_client.kho import KhoClient
from kho_client.new_document import NewDocument
from kho_client.retry import Patience, Surroundings
from kho_client.upload import UploadOutcome, UploadProgress
from kho_client.upload_stream import StreamTimes
from tests.doubles.broken_link import BrokenLink
from tests.doubles.tls_folder import TlsFolder
from tests.doubles.upload_server import UploadServer

PAGE, RENDITION = int(document_pb2.PART_KIND_PAGE), int(document_pb2.PART_KIND_RENDITION)
DECLARATION = upload_service_pb2.DocumentDeclaration(
    kind=document_pb2.DOCUMENT_KIND_RESULT, dossier_code="H46-220905-0001", procedure_code="1.000894"
)
PATIENT = Patience(first_contact_s=20, without_progress_s=20, first_wait_s=0.01, longest_wait_s=0.05)


Scans = Callable[..., list[Path]]


@pytest.fixture
async def server(tls: TlsFolder) -> AsyncIterator[UploadServer]:
    async with UploadServer(tls) as running:
        yield running


@pytest.fixture
async def link(server: UploadServer) -> AsyncIterator[BrokenLink]:
    async with BrokenLink(server.port) as running:
        yield running


@pytest.fixture
def scans(tmp_path: Path) -> Scans:
    def make(*sizes: int, seed: int = 7) -> list[Path]:
        source = random.Random(seed)
        paths = [tmp_path / f"{seed}-{number}.jpg" for number in range(1, len(sizes) + 1)]
        for path, size in zip(paths, sizes, strict=True):
            path.write_bytes(b"\xff\xd8\xff" + source.randbytes(size - 3))
        return paths

    return make


def document(pages: object, **more: object) -> NewDocument:
    fields = {"document_id": str(uuid4()), "is_resumed": True, "patience": PATIENT, **more}
    return NewDocument(declaration=DECLARATION, pages=pages, **fields)  # type: ignore[arg-type]  # free fields of a test


async def send(tls: TlsFolder, port: int, new: NewDocument) -> UploadOutcome:
    async with KhoClient(tls.connection(port)) as client:
        return await client.upload(new)


def completed(server: UploadServer, document_id: str) -> set[tuple[int, int]]:
    return {name for name, part in server.uploads[document_id].parts.items() if part.is_complete}


def sizes_add_up(outcome: UploadOutcome, *files: Path) -> bool:
    return outcome.bytes_sent - outcome.bytes_resent + outcome.bytes_skipped == sum(
        path.stat().st_size for path in files
    )


async def test_pages_arrive_as_they_are(tls: TlsFolder, server: UploadServer, scans: Scans) -> None:
    pages = scans(300_000, 10, 64 * 1024, 64 * 1024 + 1)
    new = document(pages)
    outcome = await send(tls, server.port, new)
    assert server.content(new.document_id) == {
        (PAGE, number): path.read_bytes() for number, path in enumerate(pages, 1)
    }
    assert (outcome.bytes_resent, outcome.bytes_skipped, outcome.attempts) == (0, 0, 1)
    assert sizes_add_up(outcome, *pages)
    assert outcome.commit.result_code == "H46.KQ.1"
    assert server.largest_unacknowledged <= 256 * 1024
    assert [part.media_type for part in server.commits[0].parts] == ["image/jpeg"] * 4


@pytest.mark.parametrize("seed", range(6))
async def test_a_link_that_breaks_anywhere_costs_only_what_was_not_acknowledged(
    tls: TlsFolder, server: UploadServer, link: BrokenLink, scans: Scans, seed: int
) -> None:
    source = random.Random(seed)
    pages = scans(*(source.randrange(1_000, 600_000) for _ in range(6)), seed=seed)
    link.cut_after = [source.randrange(5_000, 700_000) for _ in range(4)]
    new = document(pages)
    outcome = await send(tls, link.port, new)
    assert link.cuts > 0
    assert server.content(new.document_id) == {
        (PAGE, number): path.read_bytes() for number, path in enumerate(pages, 1)
    }
    assert server.repeated_durable_bytes == 0, f"seed {seed}"
    assert sizes_add_up(outcome, *pages)


async def test_a_server_that_restarts_keeps_what_it_acknowledged(
    tls: TlsFolder, server: UploadServer, scans: Scans
) -> None:
    pages = scans(400_000, 400_000, 400_000)
    restarts: list[asyncio.Task[None]] = []

    async def restart() -> None:
        await server.stop()
        await server.start()

    async def once() -> None:
        server.knobs.before_acknowledging = None
        restarts.append(asyncio.create_task(restart()))

    server.knobs.before_acknowledging = once
    outcome = await send(tls, server.port, document(pages))
    await asyncio.gather(*restarts)
    assert outcome.attempts > 1
    assert server.repeated_durable_bytes == 0
    assert sizes_add_up(outcome, *pages)


async def test_a_second_run_skips_what_the_first_one_left(
    tls: TlsFolder, server: UploadServer, link: BrokenLink, scans: Scans
) -> None:
    pages = scans(500_000, 500_000)
    new = document(pages, patience=Patience(first_contact_s=0, without_progress_s=0))
    link.cut_after = [700_000]
    with pytest.raises(ServerUnreachable):
        await send(tls, link.port, new)
    outcome = await send(tls, server.port, document(pages, document_id=new.document_id))
    assert outcome.bytes_skipped >= 500_000
    assert outcome.bytes_resent == 0
    assert sizes_add_up(outcome, *pages)
    again = await send(tls, server.port, document(pages, document_id=new.document_id))
    assert (again.bytes_sent, again.bytes_skipped) == (0, 1_000_000)


async def test_pages_flow_while_others_are_in_the_scanner(tls: TlsFolder, server: UploadServer, scans: Scans) -> None:
    pages = scans(100_000, 100_000, 100_000)
    new_id = str(uuid4())

    async def scanner() -> AsyncIterator[Path]:
        for number, path in enumerate(pages):
            while number and (PAGE, number) not in completed(server, new_id):
                await asyncio.sleep(0)  # the next page leaves the scanner only when the last one is durable
            yield path

    outcome = await send(tls, server.port, document(scanner(), document_id=new_id, page_count=3))
    assert outcome.pages == 3
    assert len(server.content(new_id)) == 3


async def test_a_slow_scanner_does_not_hold_a_stream_open(
    tls: TlsFolder, server: UploadServer, link: BrokenLink, scans: Scans
) -> None:
    pages = scans(100_000, 100_000)
    new_id = str(uuid4())
    may_go_on = asyncio.Event()

    async def scanner() -> AsyncIterator[Path]:
        yield pages[0]
        await may_go_on.wait()
        yield pages[1]

    def look(progress: UploadProgress) -> None:
        if progress.parts_complete == 1:
            asyncio.get_running_loop().call_later(0.3, may_go_on.set)

    times = StreamTimes(idle_share=0.001)
    new = document(scanner(), document_id=new_id, page_count=2, on_progress=look, times=times)
    outcome = await send(tls, server.port, new)
    assert server.uploads[new_id].stream > 1
    assert outcome.bytes_resent == 0


async def test_fewer_pages_than_declared_are_not_sealed(tls: TlsFolder, server: UploadServer, scans: Scans) -> None:
    with pytest.raises(LocalProblem) as caught:
        await send(tls, server.port, document(scans(1_000), page_count=2))
    assert caught.value.reason == "PAGES_MISSING"
    assert not server.commits


async def test_a_signed_file_travels_as_a_recipe(
    tls: TlsFolder, server: UploadServer, scans: Scans, tmp_path: Path
) -> None:
    pages = scans(200_000, 300_000)
    signed = tmp_path / "signed.pdf"
    signed.write_bytes(b"%PDF-1.7 " + b" frame ".join(page.read_bytes() for page in pages) + b" signature")
    new = document(pages, signed=signed)
    outcome = await send(tls, server.port, new)
    assert server.content(new.document_id)[(RENDITION, 1)] == signed.read_bytes()
    assert server.wire_bytes < 501_000
    assert sizes_add_up(outcome, *pages, signed)
    assert server.commits[0].parts[-1].role == document_pb2.RENDITION_ROLE_SIGNED


async def test_a_recipe_is_resumed_in_the_middle(
    tls: TlsFolder, server: UploadServer, link: BrokenLink, scans: Scans, tmp_path: Path
) -> None:
    pages = scans(200_000, 300_000)
    signed = tmp_path / "signed.pdf"
    tail = random.Random(1).randbytes(400_000)
    signed.write_bytes(b"%PDF-1.7 " + b" frame ".join(page.read_bytes() for page in pages) + tail)
    link.cut_after = [700_000]
    new = document(pages, signed=signed)
    outcome = await send(tls, link.port, new)
    assert link.cuts == 1
    assert server.content(new.document_id)[(RENDITION, 1)] == signed.read_bytes()
    assert server.repeated_durable_bytes == 0
    assert sizes_add_up(outcome, *pages, signed)


async def test_the_signed_file_may_be_made_when_its_code_is_known(
    tls: TlsFolder, server: UploadServer, scans: Scans, tmp_path: Path
) -> None:
    codes: list[str] = []

    async def sign(opened: upload_service_pb2.BeginResponse) -> Path:
        codes.append(opened.result_code)
        path: Path = tmp_path / "made.pdf"
        path.write_bytes(b"%PDF-1.7 " + opened.result_code.encode())
        return path

    new = document(scans(50_000), signed=sign)
    await send(tls, server.port, new)
    assert codes == ["H46.KQ.1"]
    assert server.content(new.document_id)[(RENDITION, 1)] == b"%PDF-1.7 H46.KQ.1"


async def test_a_lost_commit_answer_is_asked_for_with_the_same_request_id(
    tls: TlsFolder, server: UploadServer, scans: Scans
) -> None:
    server.knobs.lose_commit_answers = 2
    await send(tls, server.port, document(scans(1_000)))
    assert len(server.commits) == 3
    assert len({commit.request_id for commit in server.commits}) == 1


async def test_the_newest_connection_wins_and_the_other_gives_up(
    tls: TlsFolder, server: UploadServer, scans: Scans
) -> None:
    server.knobs.refuse_stream = [(grpc.StatusCode.ABORTED, "UPLOAD_SUPERSEDED")] * 9
    with pytest.raises(CallRefused) as caught:
        await send(tls, server.port, document(scans(1_000)))
    assert caught.value.reason == "UPLOAD_SUPERSEDED"
    # Three are enough; one that gRPC's own library hides (grpc #36066) looks like a broken link and is tried again.
    assert 4 <= len(server.knobs.refuse_stream) <= 6


async def test_a_damaged_message_is_sent_again(tls: TlsFolder, server: UploadServer, scans: Scans) -> None:
    server.knobs.damage_messages = 2
    pages = scans(200_000)
    outcome = await send(tls, server.port, document(pages))
    assert sizes_add_up(outcome, *pages)


async def test_a_page_that_an_earlier_run_began_with_other_bytes_is_sent_afresh(
    tls: TlsFolder, server: UploadServer, link: BrokenLink, scans: Scans
) -> None:
    first, second = scans(500_000), scans(500_000, seed=8)
    new = document(first, patience=Patience(first_contact_s=0, without_progress_s=0))
    link.cut_after = [300_000]
    with pytest.raises(ServerUnreachable):
        await send(tls, link.port, new)
    await send(tls, server.port, document(second, document_id=new.document_id))
    assert server.content(new.document_id)[(PAGE, 1)] == second[0].read_bytes()


async def test_a_full_disk_is_waited_for_as_long_as_the_server_says(
    tls: TlsFolder, server: UploadServer, scans: Scans
) -> None:
    server.knobs.refuse_begin = [(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL", 7)]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    around = Surroundings(sleep=sleep)
    async with KhoClient(tls.connection(server.port), surroundings=around) as client:
        await client.upload(document(scans(1_000)))
    assert slept == [7.0]


@pytest.mark.parametrize("reason", ["CODE_NOT_ACCEPTED", "DOSSIER_CONFLICT"])
async def test_a_refusal_is_not_repeated(tls: TlsFolder, server: UploadServer, scans: Scans, reason: str) -> None:
    server.knobs.refuse_begin = [(grpc.StatusCode.FAILED_PRECONDITION, reason, None)] * 2
    with pytest.raises(CallRefused) as caught:
        await send(tls, server.port, document(scans(1_000)))
    error = caught.value
    assert (error.code, error.reason, error.request_id) == ("FAILED_PRECONDITION", reason, "req-0001")
    assert error.message_vi == f"Bị từ chối: {reason}."
    assert len(server.begins) == 1


async def test_a_silent_link_is_given_up_and_taken_up_again(
    tls: TlsFolder, server: UploadServer, link: BrokenLink, scans: Scans
) -> None:
    pages = scans(600_000)

    def look(progress: UploadProgress) -> None:
        if progress.bytes_acknowledged and not link.cuts:
            link.cuts, link.is_silent = 1, True
        elif progress.attempts > 1:
            link.is_silent = False

    async def sleep(seconds: float) -> None:
        link.is_silent = False
        link.cut()

    new = document(pages, on_progress=look, times=StreamTimes(acknowledgement_s=0.2))
    around = Surroundings(sleep=sleep)
    async with KhoClient(tls.connection(link.port), surroundings=around) as client:
        outcome = await client.upload(new)
    assert outcome.attempts > 1
    assert server.repeated_durable_bytes == 0


async def test_a_small_document_takes_one_round_trip(
    tls: TlsFolder, server: UploadServer, scans: Scans, tmp_path: Path
) -> None:
    pages = scans(1_000, 200_000)
    signed = tmp_path / "signed.pdf"
    signed.write_bytes(b"%PDF-1.7 small")
    new = document(pages, is_resumed=False, signed=signed)
    outcome = await send(tls, server.port, new)
    assert (server.small_uploads, len(server.begins), outcome.pages) == (1, 0, 2)
    assert server.content(new.document_id)[(RENDITION, 1)] == b"%PDF-1.7 small"
    assert sizes_add_up(outcome, *pages, signed)


@pytest.mark.parametrize("trouble", ["no small path", "broken", "smaller messages"])
async def test_a_small_document_goes_the_long_way_when_the_short_one_fails(
    tls: TlsFolder, server: UploadServer, scans: Scans, trouble: str
) -> None:
    if trouble == "broken":
        server.knobs.refuse_stream = [(grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")]
    elif trouble == "smaller messages":
        server.knobs.refuse_stream = [(grpc.StatusCode.INVALID_ARGUMENT, "CHUNK_TOO_LARGE")]
    else:
        server.knobs.has_small_path = False
    await send(tls, server.port, document(scans(1_000), is_resumed=False))
    assert len(server.begins) == 1


async def test_a_file_that_cannot_be_read_is_said_and_not_retried(
    tls: TlsFolder, server: UploadServer, tmp_path: Path
) -> None:
    with pytest.raises(LocalProblem) as caught:
        await send(tls, server.port, document([tmp_path / "absent.jpg"]))
    assert caught.value.reason == "FILE_UNREADABLE"


async def test_a_file_that_shrinks_is_said(tls: TlsFolder, server: UploadServer, scans: Scans) -> None:
    pages = scans(2_000_000)

    def shrink(progress: UploadProgress) -> None:
        if progress.bytes_acknowledged:
            pages[0].write_bytes(b"short")

    with pytest.raises(LocalProblem) as caught:
        await send(tls, server.port, document(pages, on_progress=shrink))
    assert caught.value.reason == "FILE_CHANGED"


async def test_an_empty_page_is_refused_by_name(tls: TlsFolder, server: UploadServer, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    with pytest.raises(KhoError) as caught:
        await send(tls, server.port, document([empty]))
    assert caught.value.reason == "PART_EMPTY"


async def test_nobody_answers(tls: TlsFolder, server: UploadServer, scans: Scans) -> None:
    await server.stop()
    with pytest.raises(ServerUnreachable) as caught:
        await send(tls, server.port, document(scans(1_000), patience=Patience(first_contact_s=0.3)))
    assert caught.value.reason == "SERVER_UNREACHABLE"
    await server.start()
