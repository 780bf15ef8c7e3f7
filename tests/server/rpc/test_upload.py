"""UploadService as a servicer: streams that stall, break and are superseded, and the small path."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import google_crc32c
import pytest

from kho.v1 import document_pb2
from kho.v1 import upload_service_pb2 as pb
from kho_server.archive.caller import Caller
from kho_server.archive.refusals import Reason
from kho_server.rpc.current import set_current_caller
from kho_server.rpc.document_codec import part_key
from kho_server.rpc.upload import UploadServicer
from kho_storage.catalog.database import Database
from kho_storage.digest import Digest
from kho_storage.parts import PartKind, UploadId
from tests.server.archive.archive_house import ArchiveHouse, Paper, page, request_id, signed
from tests.server.archive.refused import refused

# The servicer never touches it: refusals are raised, and the gate speaks for them.
NO_CONTEXT: Any = None


@pytest.fixture
async def house(catalog: Database, tmp_path: Path) -> AsyncIterator[ArchiveHouse]:
    """Give the use cases with three agencies registered."""
    opened = ArchiveHouse(catalog, tmp_path)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def servicer(house: ArchiveHouse) -> UploadServicer:
    """Give the servicer; the caller is the station of agency-a."""
    return UploadServicer(house.beginning, house.desk, house.committing)


def begin(document: UUID, pages: int = 1, renditions: int = 1, request: str | None = None) -> pb.BeginRequest:
    """Return a Begin on the wire."""
    return pb.BeginRequest(
        request_id=request or request_id(),
        document_id=str(document),
        document=pb.DocumentDeclaration(
            kind=document_pb2.DOCUMENT_KIND_RESULT,
            dossier_code="000.00.16.H46-220905-0001",
            procedure_code="1.000894",
            result=pb.ResultDeclaration(type_code="KQ.G15.000031", owner_ids=["044202001234"]),
        ),
        pages=pages,
        renditions=renditions,
    )


def header(paper: Paper) -> pb.PartHeader:
    """Return the header of a part."""
    digest = Digest.of(paper.data)
    return pb.PartHeader(
        key=part_key(paper.part), size_bytes=digest.size_bytes, digest=str(digest), media_type=paper.media_type.mime
    )


def data(paper: Paper, offset: int = 0) -> pb.PartData:
    """Return the rest of a part."""
    piece = paper.data[offset:]
    return pb.PartData(offset=offset, data=piece, crc32c=google_crc32c.value(piece))


def commit(document: UUID, papers: Sequence[Paper], version: int = 1, request: str | None = None) -> pb.CommitRequest:
    """Return a Commit."""
    return pb.CommitRequest(
        request_id=request or request_id(),
        document_id=str(document),
        version=version,
        parts=[
            pb.SealedPart(
                key=part_key(paper.part),
                digest=str(Digest.of(paper.data)),
                media_type=paper.media_type.mime,
                role=document_pb2.RENDITION_ROLE_SIGNED if paper.part.kind is PartKind.RENDITION else 0,  # type: ignore[arg-type]  # unspecified
            )
            for paper in papers
        ],
    )


async def stream(*messages: Any, is_open: bool = False) -> AsyncIterator[Any]:
    """Send messages, then end, or stay silent for ever."""
    for message in messages:
        yield message
    if is_open:
        await asyncio.Event().wait()


def parts(document: UUID, *papers: Paper) -> list[pb.UploadPartsRequest]:
    """Return the messages that bring parts."""
    messages = [pb.UploadPartsRequest(open=pb.UploadOpen(document_id=str(document), version=1))]
    for paper in papers:
        messages.append(pb.UploadPartsRequest(header=header(paper)))
        messages.append(pb.UploadPartsRequest(data=data(paper)))
    return messages


async def test_the_long_path(house: ArchiveHouse, servicer: UploadServicer) -> None:
    set_current_caller(house.a)
    document, papers = uuid4(), [page(1), signed()]
    answer = await servicer.Begin(begin(document), NO_CONTEXT)
    assert answer.result_code == "044202001234.KQ.G15.000031.1"
    requests = stream(*parts(document, *papers))
    news = [each.progress async for each in servicer.UploadParts(requests, NO_CONTEXT)]
    assert [each.is_complete for each in news] == [True, True]
    assert house.observer.streams == 0
    sealed = await servicer.Commit(commit(document, papers), NO_CONTEXT)
    assert (sealed.version, sealed.result_code) == (1, answer.result_code)


async def test_a_stalled_stream_is_ended_by_the_newest_at_once(house: ArchiveHouse, servicer: UploadServicer) -> None:
    set_current_caller(house.a)
    document, papers = uuid4(), [page(1), signed()]
    await servicer.Begin(begin(document), NO_CONTEXT)
    old = servicer.UploadParts(stream(*parts(document, page(1)), is_open=True), NO_CONTEXT)
    assert (await anext(old)).progress.is_complete
    # Silence is allowed for 45 s; the newest stream does not wait for its end.
    news = [each async for each in servicer.UploadParts(stream(*parts(document, *papers)), NO_CONTEXT)]
    assert len(news) == 2
    with refused(Reason.UPLOAD_SUPERSEDED):
        await anext(old)
    assert house.observer.streams == 0
    await servicer.Commit(commit(document, papers), NO_CONTEXT)


async def test_a_broken_call_leaves_nothing_open_and_what_came_stays(
    house: ArchiveHouse, servicer: UploadServicer
) -> None:
    set_current_caller(house.a)
    document = uuid4()
    await servicer.Begin(begin(document), NO_CONTEXT)
    calls = servicer.UploadParts(stream(*parts(document, page(1)), is_open=True), NO_CONTEXT)
    assert (await anext(calls)).progress.is_complete
    waiting = asyncio.ensure_future(anext(calls))
    await asyncio.sleep(0)
    waiting.cancel()
    # Cancelled once more while it is putting things away.
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    while house.observer.streams:
        await asyncio.sleep(0)
    assert not house.desk.is_streaming(house.a.agency_uuid, document)
    assert len(await house.spool.parts(UploadId(house.a.agency_uuid, document, 1))) == 1


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [pb.UploadPartsRequest()],
        [pb.UploadPartsRequest(header=header(page(1)))],
    ],
)
async def test_streams_that_do_not_begin_with_open(
    house: ArchiveHouse, servicer: UploadServicer, messages: list[pb.UploadPartsRequest]
) -> None:
    set_current_caller(house.a)
    with refused(Reason.STREAM_OUT_OF_ORDER):
        await anext(servicer.UploadParts(stream(*messages), NO_CONTEXT))


def small(document: UUID, papers: Sequence[Paper], requests: tuple[str, str]) -> list[pb.UploadSmallRequest]:
    """Return the messages of the small path."""
    messages = [pb.UploadSmallRequest(begin=begin(document, request=requests[0]))]
    for paper in papers:
        messages.append(pb.UploadSmallRequest(header=header(paper)))
        messages.append(pb.UploadSmallRequest(data=data(paper)))
    return [*messages, pb.UploadSmallRequest(commit=commit(document, papers, 0, requests[1]))]


async def test_the_small_path_is_idempotent(house: ArchiveHouse, servicer: UploadServicer) -> None:
    set_current_caller(house.a)
    document, papers, requests = uuid4(), [page(1), signed()], (request_id(), request_id())
    first = await servicer.UploadSmall(stream(*small(document, papers, requests)), NO_CONTEXT)
    assert first.commit.version == 1
    again = await servicer.UploadSmall(stream(*small(document, papers, requests)), NO_CONTEXT)
    assert again == first
    new = await servicer.UploadSmall(stream(*small(document, papers, (request_id(), request_id()))), NO_CONTEXT)
    assert new.commit.manifest_digest == first.commit.manifest_digest
    assert house.observer.streams == 0


@pytest.mark.parametrize("kept", [0, 1, 3, 5])
async def test_a_small_path_that_breaks_keeps_what_came(
    house: ArchiveHouse, servicer: UploadServicer, kept: int
) -> None:
    set_current_caller(house.a)
    document, papers = uuid4(), [page(1), signed()]
    messages = small(document, papers, (request_id(), request_id()))
    with refused(Reason.STREAM_OUT_OF_ORDER):
        await servicer.UploadSmall(stream(*messages[:kept]), NO_CONTEXT)
    assert house.observer.streams == 0
    held = await house.spool.parts(UploadId(house.a.agency_uuid, document, 1))
    assert len(held) == kept // 2
    await servicer.UploadSmall(stream(*messages), NO_CONTEXT)


async def test_small_is_small(house: ArchiveHouse, servicer: UploadServicer) -> None:
    set_current_caller(house.a)
    request = pb.UploadSmallRequest(begin=begin(uuid4(), pages=17, renditions=0))
    with refused(Reason.TOO_MANY_PAGES):
        await servicer.UploadSmall(stream(request), NO_CONTEXT)


async def test_a_failure_in_the_small_path_is_told(house: ArchiveHouse, servicer: UploadServicer) -> None:
    set_current_caller(house.a)
    document = uuid4()
    messages = small(document, [page(1), signed()], (request_id(), request_id()))
    messages[1].header.digest = f"sha256:{'0' * 64}"
    with refused(Reason.DIGEST_MISMATCH):
        await servicer.UploadSmall(stream(*messages), NO_CONTEXT)
    assert house.observer.streams == 0


async def test_another_agency_does_not_see_the_upload(house: ArchiveHouse, servicer: UploadServicer) -> None:
    async def as_caller(who: Caller, document: UUID) -> None:
        set_current_caller(who)
        await anext(servicer.UploadParts(stream(*parts(document, page(1))), NO_CONTEXT))

    document = uuid4()
    set_current_caller(house.a)
    await servicer.Begin(begin(document), NO_CONTEXT)
    with refused(Reason.UPLOAD_NOT_OPEN):
        await as_caller(house.b, document)
