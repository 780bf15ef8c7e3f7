"""What a station may send wrongly: each is named at the message, and the same document goes through afterwards."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import grpc
import pytest

from kho.v1 import document_pb2, upload_service_pb2
from tests.end_to_end.caller import Caller, ended, new_id, refused
from tests.end_to_end.papers import PIECE_BYTES, Paper, Sheet, data_at, page, scanned
from tests.end_to_end.serving import Server

Message = upload_service_pb2.UploadPartsRequest
_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_MIB = 1 << 20


def header_of(sheet: Sheet, **changes: object) -> Message:
    """Return a header that says something else of a part."""
    header = sheet.header()
    for name, value in changes.items():
        if isinstance(value, document_pb2.PartKey):
            header.key.CopyFrom(value)
        else:
            setattr(header, name, value)
    return Message(header=header)


def page_key(number: int) -> document_pb2.PartKey:
    """Name a page."""
    return document_pb2.PartKey(kind=document_pb2.PART_KIND_PAGE, number=number)


def data(offset: int, content: bytes, crc32c: int | None = None) -> Message:
    """Return a message of bytes."""
    return Message(data=data_at(offset, content, crc32c))


def whole(paper: Paper) -> Message:
    """Return the first page in one message.

    What is wrong comes last in each case: what a client writes after the server's refusal may hide it (grpc #36066).
    """
    return data(0, paper.sheets[0].content)


def _copied(sheet: Sheet, source: int, offset: int, length: int) -> list[Message]:
    copy = upload_service_pb2.CopyRange(page=source, offset=offset, length=length)
    return [header_of(sheet), Message(data=upload_service_pb2.PartData(copy=copy))]


Wrong = Callable[[Paper], Iterable[Message]]
CASES: dict[str, tuple[Wrong, grpc.StatusCode, str]] = {
    "nothing": (lambda p: [], _INVALID, "STREAM_OUT_OF_ORDER"),
    "empty-message": (lambda p: [Message()], _INVALID, "STREAM_OUT_OF_ORDER"),
    "header-first": (lambda p: p.messages()[1:2], _INVALID, "STREAM_OUT_OF_ORDER"),
    "data-first": (lambda p: [p.open(), p.messages()[2]], _INVALID, "STREAM_OUT_OF_ORDER"),
    "open-twice": (lambda p: [p.open(), p.open()], _INVALID, "STREAM_OUT_OF_ORDER"),
    "another-version": (lambda p: [p.open(7)], grpc.StatusCode.FAILED_PRECONDITION, "UPLOAD_NOT_OPEN"),
    "open-no-uuid": (
        lambda p: [Message(open=upload_service_pb2.UploadOpen(document_id="x", version=1))],
        _INVALID,
        "FIELD_MALFORMED",
    ),
    "wrong-crc": (
        lambda p: [p.open(), header_of(p.sheets[0]), data(0, p.sheets[0].content[:100], 1)],
        grpc.StatusCode.DATA_LOSS,
        "CHECKSUM_MISMATCH",
    ),
    "wrong-digest": (
        lambda p: [p.open(), header_of(p.sheets[0], digest="sha256:" + "0" * 64), whole(p)],
        _INVALID,
        "DIGEST_MISMATCH",
    ),
    "wrong-bytes": (
        lambda p: [
            p.open(),
            header_of(p.sheets[0]),
            data(0, p.sheets[0].content[:-1] + b"!"),
        ],
        _INVALID,
        "DIGEST_MISMATCH",
    ),
    "malformed-digest": (
        lambda p: [p.open(), header_of(p.sheets[0], digest="md5:00")],
        _INVALID,
        "FIELD_MALFORMED",
    ),
    "more-than-declared": (
        lambda p: [p.open(), header_of(p.sheets[0], size_bytes=100), whole(p)],
        _INVALID,
        "SIZE_MISMATCH",
    ),
    "negative-size": (
        lambda p: [p.open(), header_of(p.sheets[0], size_bytes=-1)],
        _INVALID,
        "FIELD_MALFORMED",
    ),
    "negative-offset": (
        lambda p: [p.open(), header_of(p.sheets[0]), data(-1, b"x")],
        grpc.StatusCode.OUT_OF_RANGE,
        "OFFSET_GAP",
    ),
    "largest-offset": (
        lambda p: [p.open(), header_of(p.sheets[0]), data((1 << 63) - 1, b"x")],
        grpc.StatusCode.OUT_OF_RANGE,
        "OFFSET_GAP",
    ),
    "zero-bytes": (lambda p: [p.open(), header_of(p.sheets[0], size_bytes=0)], _INVALID, "PART_EMPTY"),
    "page-over-limit": (
        lambda p: [p.open(), header_of(p.sheets[0], size_bytes=32 * _MIB + 1)],
        _INVALID,
        "PART_TOO_LARGE",
    ),
    "largest-page": (
        lambda p: [p.open(), header_of(p.sheets[0], size_bytes=(1 << 63) - 1)],
        _INVALID,
        "PART_TOO_LARGE",
    ),
    "page-0": (lambda p: [p.open(), header_of(p.sheets[0], key=page_key(0))], _INVALID, "FIELD_MALFORMED"),
    "page-9": (lambda p: [p.open(), header_of(p.sheets[0], key=page_key(9))], _INVALID, "PART_NOT_DECLARED"),
    "no-kind": (
        lambda p: [p.open(), header_of(p.sheets[0], key=document_pb2.PartKey(number=1))],
        _INVALID,
        "FIELD_MALFORMED",
    ),
    "unknown-media-type": (
        lambda p: [p.open(), header_of(p.sheets[0], media_type="image/gif")],
        _INVALID,
        "MEDIA_TYPE_MISMATCH",
    ),
    "jpeg-called-png": (
        lambda p: [p.open(), header_of(p.sheets[0], media_type="image/png"), whole(p)],
        _INVALID,
        "MEDIA_TYPE_MISMATCH",
    ),
    "no-pdf": (
        lambda p: [p.open(), header_of(p.sheets[0], media_type="application/pdf"), whole(p)],
        _INVALID,
        "MEDIA_TYPE_MISMATCH",
    ),
    "chunk-over-limit": (
        lambda p: [p.open(), header_of(p.sheets[0]), data(0, bytes(256 * 1024 + 1))],
        _INVALID,
        "CHUNK_TOO_LARGE",
    ),
    "no-source": (
        lambda p: [p.open(), header_of(p.sheets[0]), Message(data=upload_service_pb2.PartData())],
        _INVALID,
        "FIELD_REQUIRED",
    ),
    "copy-of-what-is-not-here": (
        lambda p: [p.open(), *_copied(p.sheets[0], 2, 0, 10)],
        grpc.StatusCode.FAILED_PRECONDITION,
        "COPY_SOURCE_MISSING",
    ),
    "copy-of-nothing": (lambda p: [p.open(), *_copied(p.sheets[0], 2, 0, 0)], _INVALID, "FIELD_MALFORMED"),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_wrong_stream_is_named_and_the_document_goes_through(station: Caller, case: str) -> None:
    """Status and reason say what is wrong; the same upload is finished by a right stream."""
    wrong, code, reason = CASES[case]
    paper = scanned(2)
    await station.begin(paper)
    await refused(station.send(wrong(paper)), code, reason)
    await finish(station, paper)


async def finish(station: Caller, paper: Paper) -> None:
    """Send all of it again, seal it, and get the same bytes back."""
    await station.send(paper.messages())
    await station.commit(paper)
    for sheet in paper.sheets:
        assert (await station.read(paper, sheet)).content == sheet.content


async def test_a_message_over_the_limit_is_refused_and_the_connection_lives(station: Caller) -> None:
    """gRPC itself refuses it; the connection's next call is served."""
    paper = scanned(1)
    await station.begin(paper)
    huge = [paper.open(), header_of(paper.sheets[0]), data(0, bytes(2 * _MIB))]
    await refused(station.send(huge), grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
    await finish(station, paper)


async def test_a_begin_over_the_limit_is_refused(station: Caller) -> None:
    """Also a call that is no stream."""
    request = scanned(1).begin(new_id())
    request.document.result.subject = "ă" * _MIB
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    await refused(_await(station.uploads.Begin(request)), code, "MESSAGE_TOO_LARGE")


async def test_fewer_pages_than_declared_are_named_at_commit(station: Caller) -> None:
    """The missing ones by number; sent after that, the same commit succeeds."""
    paper = scanned(4)
    await station.begin(paper)
    await station.send([paper.open(), *paper.sheets[0].messages(), *paper.sheets[2].messages()])
    request_id = new_id()
    precondition = grpc.StatusCode.FAILED_PRECONDITION
    seen = await refused(station.commit(paper, request_id=request_id), precondition, "PARTS_MISSING")
    assert seen.info.metadata["missing_count"] == "2"
    assert seen.info.metadata["missing"] == "page 2, page 4"
    seen = await refused(station.commit(paper, parts=paper.sheets[:1]), precondition, "PARTS_MISSING")
    await finish(station, paper)


async def test_a_commit_that_means_other_bytes_is_refused(station: Caller) -> None:
    """The digests of a commit are what the client believes; the server says where it differs."""
    paper = scanned(1)
    await station.begin(paper)
    await station.send(paper.messages())
    await refused(station.commit(paper, parts=[page(1)]), _INVALID, "DIGEST_MISMATCH")
    png = replace(paper.sheets[0], media_type="image/png")
    await refused(station.commit(paper, parts=[png]), _INVALID, "MEDIA_TYPE_MISMATCH")
    twice = [paper.sheets[0], paper.sheets[0]]
    await refused(station.commit(paper, parts=twice), _INVALID, "FIELD_MALFORMED")
    await refused(station.commit(paper, parts=[*paper.sheets, page(2)]), _INVALID, "PART_NOT_DECLARED")
    await station.commit(paper)


async def test_a_page_that_came_damaged_is_empty_again(station: Caller) -> None:
    """After a digest mismatch the part begins anew, and no byte of it counts."""
    paper = scanned(1)
    (sheet,) = paper.sheets
    await station.begin(paper)
    damaged = [paper.open(), header_of(sheet), data(0, sheet.content[:-1] + b"\0")]
    await refused(station.send(damaged), _INVALID, "DIGEST_MISMATCH")
    assert not [part.persisted_bytes for part in (await station.begin(paper)).parts if part.persisted_bytes]
    await finish(station, paper)


async def test_a_shorter_page_takes_the_place_of_a_longer_half(station: Caller) -> None:
    """A page that was scanned again under the same number is taken as it is now."""
    paper = scanned(1, 10 * PIECE_BYTES)
    await station.begin(paper)
    await station.send(paper.messages()[:8])
    again = Paper((page(1, 2 * PIECE_BYTES),), document_id=paper.document_id)
    await finish(station, again)


async def test_a_recipe_brings_a_rendition_of_pages_sent(station: Caller) -> None:
    """Inline bytes and ranges of pages make the file; the server checks its digest as ever."""
    paper = scanned(2)
    first, second = paper.sheets
    head, tail = b"%PDF-1.7 head", b"%%EOF"
    file = Sheet(1, head + first.content[20:] + second.content + tail, "application/pdf", is_page=False)
    whole = replace(paper, sheets=(first, second, file))
    await station.begin(whole)
    middle = len(head) + len(first.content) - 20
    steps = [
        data(0, head),
        Message(data=upload_service_pb2.PartData(offset=len(head), copy=_range(1, 20, len(first.content) - 20))),
        Message(data=upload_service_pb2.PartData(offset=middle, copy=_range(2, 0, len(second.content)))),
        data(middle + len(second.content), tail),
    ]
    sent = [*paper.messages(), header_of(file), *steps]
    acknowledged = await station.send(sent)
    assert [each.digest for each in acknowledged if each.key == file.key and each.is_complete] == [file.digest]
    await station.commit(whole)
    assert (await station.read(whole, file)).content == file.content


async def test_a_recipe_that_makes_another_file_is_refused(station: Caller) -> None:
    """A wrong range is a digest mismatch, a range beyond the page is missing."""
    paper = scanned(1)
    (source,) = paper.sheets
    file = Sheet(1, b"%PDF-1.7" + source.content[100:200], "application/pdf", is_page=False)
    whole = replace(paper, sheets=(source, file))
    await station.begin(whole)
    await station.send(paper.messages())

    def recipe(offset: int) -> list[Message]:
        copy = upload_service_pb2.PartData(offset=8, copy=_range(1, offset, 100))
        return [paper.open(), header_of(file), data(0, b"%PDF-1.7"), Message(data=copy)]

    await refused(station.send(recipe(101)), _INVALID, "DIGEST_MISMATCH")
    beyond = recipe(len(source.content) - 50)
    await refused(station.send(beyond), grpc.StatusCode.FAILED_PRECONDITION, "COPY_SOURCE_MISSING")
    await station.send(recipe(100))
    await station.commit(whole)


def _range(page_number: int, offset: int, length: int) -> upload_service_pb2.CopyRange:
    return upload_service_pb2.CopyRange(page=page_number, offset=offset, length=length)


async def test_the_small_path_means_the_same(station: Caller) -> None:
    """One call seals; sent again it answers the same; its errors are those of the long way."""
    paper = scanned(2)
    request_id = new_id()
    first = (await station.uploads.UploadSmall(paper.small(request_id))).commit
    again = (await station.uploads.UploadSmall(paper.small(request_id))).commit
    assert (first.result_code, first.manifest_digest) == (again.result_code, again.manifest_digest)
    assert (await station.begin(paper)).is_sealed
    for sheet in paper.sheets:
        assert (await station.read(paper, sheet)).content == sheet.content
    missing = scanned(2)
    halves = [message for message in missing.small(new_id()) if message.WhichOneof("message") != "data"]
    precondition = grpc.StatusCode.FAILED_PRECONDITION
    await refused(_await(station.uploads.UploadSmall(iter(halves))), precondition, "PARTS_MISSING")
    await refused(_await(station.uploads.UploadSmall(iter(()))), _INVALID, "STREAM_OUT_OF_ORDER")
    await refused(_await(station.uploads.UploadSmall(iter(halves[1:]))), _INVALID, "STREAM_OUT_OF_ORDER")
    await finish(station, missing)


async def test_small_limits_hold(tight: Server) -> None:
    """A page over the configured limit, a stream that stops: named, with what to do, and nothing is lost."""
    async with tight.caller("station") as caller:
        big = Paper((page(1, 65_537),))
        await caller.begin(big)
        seen = await refused(caller.send(big.messages()[:2]), _INVALID, "PART_TOO_LARGE")
        assert seen.info.metadata["limit_bytes"] == "65536"
        paper = scanned(1, 60_000)
        begun = await caller.begin(paper)
        assert begun.limits.page_bytes == 65_536
        assert begun.limits.stall_timeout_s == 1
        call = caller.uploads.UploadParts()
        for message in paper.messages()[:5]:
            await call.write(message)
        answers: list[upload_service_pb2.UploadPartsResponse] = []
        seen = await refused(ended(call, answers), grpc.StatusCode.DEADLINE_EXCEEDED, "UPLOAD_STALLED")
        assert seen.info.metadata["stall_timeout_s"] == "1"
        assert answers[-1].progress.persisted_bytes == 3 * PIECE_BYTES
        again = await caller.begin(paper)
        assert [part.persisted_bytes for part in again.parts] == [3 * PIECE_BYTES]
        await finish(caller, paper)


async def test_streams_that_send_nothing_are_ended(tight: Server) -> None:
    """An open call without a message holds nothing for ever; neither does one of the small path."""
    async with tight.caller("station") as caller:
        stalled = grpc.StatusCode.DEADLINE_EXCEEDED
        call = caller.uploads.UploadParts()
        await refused(ended(call), stalled, "UPLOAD_STALLED")
        small = caller.uploads.UploadSmall()
        await refused(_await(small), stalled, "UPLOAD_STALLED")
        verify = caller.verification.VerifyFile()
        await refused(_await(verify), stalled, "UPLOAD_STALLED")


async def _await(call: object) -> None:
    await call  # type: ignore[misc]  # every call of grpc.aio can be awaited
