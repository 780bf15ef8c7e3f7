"""Links that break at every message, servers that die, streams that meet: nothing acknowledged is ever lost."""

import asyncio
from collections.abc import Callable

import grpc
import pytest

from kho.v1 import document_pb2, upload_service_pb2
from tests.end_to_end.caller import Caller, ended, new_id, refused
from tests.end_to_end.papers import PIECE_BYTES, Paper, Sheet, data_at, scanned
from tests.end_to_end.serving import Server
from tests.end_to_end.waiting import until

Progress = upload_service_pb2.PartProgress
_SMALL = 2
_MESSAGES = 1 + _SMALL * (1 + 3)


def persisted(parts: "list[Progress]", sheet: Sheet) -> int:
    """Return what is persisted of a part, 0 for one that has not begun."""
    return max((each.persisted_bytes for each in parts if each.key == sheet.key), default=0)


def sent_by(messages: list[upload_service_pb2.UploadPartsRequest], sheet: Sheet) -> int:
    """Return how many bytes of a part are in some messages."""
    current, sent = None, 0
    for message in messages:
        if message.WhichOneof("message") == "header":
            current = message.header.key
        elif message.WhichOneof("message") == "data" and current == sheet.key:
            sent += len(message.data.data)
    return sent


async def finish(caller: Caller, paper: Paper, begun: upload_service_pb2.BeginResponse, back: int = 0) -> None:
    """Go on from what is persisted, or from so many bytes before, and seal; the bytes that come back are the same."""
    messages = [paper.open(begun.version)]
    for sheet in paper.sheets:
        messages += sheet.messages(offset=max(0, persisted(list(begun.parts), sheet) - back))
    acknowledged = await caller.send(messages)
    for sheet in paper.sheets:
        last = [each for each in acknowledged if each.key == sheet.key][-1]
        assert last.is_complete
        assert (last.persisted_bytes, last.digest) == (len(sheet.content), sheet.digest)
    sealed = await caller.commit(paper, version=begun.version)
    assert sealed.version == begun.version
    for sheet in paper.sheets:
        content = await caller.read(paper, sheet)
        assert content.content == sheet.content
        assert content.header.digest == sheet.digest


@pytest.mark.parametrize("kept", range(_MESSAGES + 1))
@pytest.mark.parametrize("name", ["station", "agency-b"])
async def test_a_stream_cut_after_any_message_goes_on(server: Server, kept: int, name: str) -> None:
    """Cut by the client: what Begin reports was sent, covers what was acknowledged, and the rest follows."""
    paper = scanned(_SMALL)
    async with server.caller(name) as caller:
        begun = await caller.begin(paper)
        messages = paper.messages(begun.version)[:kept]
        call = caller.uploads.UploadParts()
        acknowledged: list[Progress] = []

        async def listen() -> None:
            async for answer in call:
                acknowledged.append(answer.progress)

        listening = asyncio.ensure_future(listen())
        for message in messages:
            await call.write(message)
        call.cancel()
        await asyncio.wait({listening})
        assert listening.cancelled() or isinstance(listening.exception(), grpc.aio.AioRpcError | asyncio.CancelledError)
        again = await caller.begin(paper)
        for sheet in paper.sheets:
            assert persisted(list(again.parts), sheet) <= sent_by(messages, sheet)
            assert persisted(list(again.parts), sheet) >= persisted(acknowledged, sheet)
        await finish(caller, paper, again, back=kept * 1000)


@pytest.mark.parametrize("kept", range(1, _MESSAGES + 1))
async def test_a_stream_that_stops_in_order_keeps_every_byte(station: Caller, kept: int) -> None:
    """Half-closed anywhere: all that was sent is durable, acknowledged, and reported by the next Begin."""
    paper = scanned(_SMALL)
    begun = await station.begin(paper)
    messages = paper.messages(begun.version)[:kept]
    acknowledged = await station.send(messages)
    again = await station.begin(paper)
    for sheet in paper.sheets:
        assert persisted(acknowledged, sheet) == sent_by(messages, sheet)
        assert persisted(list(again.parts), sheet) == sent_by(messages, sheet)
    await finish(station, paper, again, back=PIECE_BYTES + 1)


async def test_a_killed_server_keeps_what_it_acknowledged(own: Callable[..., Server]) -> None:
    """SIGKILL with a part half sent, between two documents and before a commit; then the same folder again."""
    server = own(acknowledge_every_s="0.05")
    await server.start()
    sealed, half = scanned(1), scanned(2, 5 * PIECE_BYTES)
    async with server.caller("station") as caller:
        code = (await caller.store(sealed)).result_code
        begun = await caller.begin(half)
        call = caller.uploads.UploadParts()
        for message in half.messages(begun.version)[:-2]:
            await call.write(message)
        acknowledged = [(await anext(aiter(call))).progress]
        while not (persisted(acknowledged, half.sheets[1])):
            acknowledged.append((await anext(aiter(call))).progress)
        await server.kill()
    await server.start()
    async with server.caller("station") as caller:
        assert (await caller.lookup(code)).document_id == sealed.document_id
        assert (await caller.read(sealed, sealed.sheets[0])).content == sealed.sheets[0].content
        again = await caller.begin(half)
        assert again.result_code == begun.result_code
        for sheet in half.sheets:
            assert persisted(list(again.parts), sheet) >= persisted(acknowledged, sheet) > 0
        assert any(part.is_complete for part in again.parts)
        messages = [half.open(), *half.sheets[1].messages(offset=persisted(list(again.parts), half.sheets[1]))]
        await caller.send(messages)
        await server.kill()
    await server.start()
    async with server.caller("station") as caller:
        request_id = new_id()
        answer = await caller.commit(half, request_id=request_id)
        await server.kill()
    await server.start()
    async with server.caller("station") as caller:
        assert await caller.commit(half, request_id=request_id) == answer
        assert await caller.commit(half) == answer
        for sheet in half.sheets:
            assert (await caller.read(half, sheet)).content == sheet.content
    assert "Traceback" not in server.log


async def test_a_gap_is_refused_with_what_is_persisted(station: Caller) -> None:
    """Data beyond what is here is out of range; the answer says from where to go on."""
    paper = scanned(1)
    begun = await station.begin(paper)
    (sheet,) = paper.sheets
    messages = [
        *paper.messages(begun.version)[:3],
        upload_service_pb2.UploadPartsRequest(data=data_at(2 * PIECE_BYTES, sheet.content[2 * PIECE_BYTES :])),
    ]
    seen = await refused(station.send(messages), grpc.StatusCode.OUT_OF_RANGE, "OFFSET_GAP")
    told = int(seen.info.metadata["persisted_bytes"])
    assert told <= PIECE_BYTES
    again = await station.begin(paper)
    assert told <= persisted(list(again.parts), sheet) <= PIECE_BYTES
    await finish(station, paper, again)


async def test_the_newest_stream_wins(station: Caller) -> None:
    """The older stream of the same upload is aborted with a reason; the newer one finishes."""
    paper = scanned(2)
    begun = await station.begin(paper)
    older = station.uploads.UploadParts()
    for message in paper.messages(begun.version)[:3]:
        await older.write(message)
    # The header of the older stream is known to have arrived once something of it is acknowledged.
    assert (await anext(aiter(older))).progress.persisted_bytes > 0
    newer = station.uploads.UploadParts()
    await newer.write(paper.open(begun.version))
    await refused(ended(older), grpc.StatusCode.ABORTED, "UPLOAD_SUPERSEDED")
    for message in paper.messages(begun.version)[1:]:
        await newer.write(message)
    await newer.done_writing()
    complete = [answer.progress.key.number async for answer in newer if answer.progress.is_complete]
    assert sorted(complete) == [1, 2]
    await station.commit(paper)


async def test_a_lost_commit_answer_is_given_again(station: Caller) -> None:
    """With the same request id and with a new one; a second Begin knows that it is sealed."""
    paper = scanned(1)
    begun = await station.begin(paper)
    await station.send(paper.messages())
    request_id = new_id()
    first = await station.commit(paper, request_id=request_id)
    assert await station.commit(paper, request_id=request_id) == first
    assert await station.commit(paper) == first
    assert first.result_code == begun.result_code
    again = await station.begin(paper)
    assert again.is_sealed
    assert again.state == document_pb2.DOCUMENT_STATE_RECEIVED
    assert again.result_code == first.result_code
    assert len((await station.document(paper)).versions) == 1


async def test_another_manifest_under_the_same_id_is_refused(station: Caller) -> None:
    """A sealed version is never overwritten, and what was sealed stays."""
    paper = scanned(1)
    await station.store(paper)
    changed = Paper(scanned(1).sheets, document_id=paper.document_id)
    exists = grpc.StatusCode.ALREADY_EXISTS
    await refused(station.commit(changed), exists, "DOCUMENT_SEALED_DIFFERENTLY")
    more = Paper(scanned(2).sheets, document_id=paper.document_id).declaring(number="15/QĐ-UBND")
    await refused(station.begin(more), exists, "DOCUMENT_SEALED_DIFFERENTLY")
    assert (await station.read(paper, paper.sheets[0])).content == paper.sheets[0].content


async def test_knowing_a_digest_is_not_possession(station: Caller, other: Caller) -> None:
    """Another agency with the same id and the same digests has nothing until it sent every byte itself."""
    paper = scanned(2)
    await station.store(paper)
    begun = await other.begin(paper)
    assert not begun.is_sealed
    assert not begun.parts
    headers = [message for message in paper.messages() if message.WhichOneof("message") != "data"]
    assert not [each for each in await other.send(headers) if each.is_complete or each.persisted_bytes]
    missing = await refused(other.commit(paper), grpc.StatusCode.FAILED_PRECONDITION, "PARTS_MISSING")
    assert missing.info.metadata["missing_count"] == "2"
    await finish(other, paper, await other.begin(paper))
    mine, theirs = await station.document(paper), await other.document(paper)
    assert mine.document_id == theirs.document_id
    assert mine.name != theirs.name
    assert mine.result.result_code != theirs.result.result_code


async def test_what_is_here_already_is_acknowledged_and_drained(station: Caller) -> None:
    """A page that comes again, whole or in part, never fails and never stops the stream."""
    paper = scanned(2)
    first, second = paper.sheets
    begun = await station.begin(paper)
    await station.send([paper.open(begun.version), *first.messages()])
    acknowledged = await station.send([paper.open(), *first.messages(), *first.messages(), *second.messages()])
    complete = [each.key.number for each in acknowledged if each.is_complete]
    assert complete.count(1) >= 2
    assert complete.count(2) == 1
    await station.commit(paper)


async def test_another_page_under_a_complete_number_is_refused(station: Caller) -> None:
    """A page number twice with other bytes is an error at the page, and the first page stays."""
    paper = scanned(2)
    begun = await station.begin(paper)
    imposter = scanned(1).sheets[0]
    messages = [paper.open(begun.version), *paper.sheets[0].messages()]
    await station.send(messages)
    again = [paper.open(begun.version), next(imposter.messages())]
    await refused(station.send(again), grpc.StatusCode.ALREADY_EXISTS, "PART_TWICE")
    await finish(station, paper, await station.begin(paper))


async def test_slow_bytes_are_acknowledged_about_every_second(station: Caller) -> None:
    """A page that trickles is acknowledged while it is not complete."""
    paper = scanned(1, 8 * PIECE_BYTES)
    begun = await station.begin(paper)
    call = station.uploads.UploadParts()
    loop = asyncio.get_running_loop()
    messages = paper.messages(begun.version)
    for message in messages[:3]:
        await call.write(message)
    began = loop.time()
    answers = aiter(call)
    partial = (await anext(answers)).progress
    assert not partial.is_complete
    assert partial.persisted_bytes == PIECE_BYTES
    assert loop.time() - began < 3
    for message in messages[3:]:
        await call.write(message)
    await call.done_writing()
    assert [answer.progress.is_complete async for answer in answers][-1]


async def test_a_kill_of_the_connection_frees_the_upload(server: Server) -> None:
    """A link that vanishes leaves its upload open for the next connection, with its bytes."""
    paper = scanned(1)
    async with server.caller("station") as gone:
        begun = await gone.begin(paper)
        call = gone.uploads.UploadParts()
        for message in paper.messages(begun.version)[:-1]:
            await call.write(message)
        acknowledged = (await anext(aiter(call))).progress.persisted_bytes
    async with server.caller("agency-a") as same_agency:

        async def is_kept() -> upload_service_pb2.BeginResponse | None:
            again = await same_agency.begin(paper)
            return again if persisted(list(again.parts), paper.sheets[0]) >= acknowledged else None

        await finish(same_agency, paper, await until(is_kept, "what was acknowledged"))
