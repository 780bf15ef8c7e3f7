"""The same asked many times at once: done once, answered the same; what clashes is decided for one."""

import asyncio

import grpc

from tests.end_to_end.caller import Caller, new_id, refused
from tests.end_to_end.papers import Paper, scanned
from tests.end_to_end.serving import Server
from tests.server.rpc.refused import Refused

_AT_ONCE = 8


async def test_a_document_is_begun_and_sealed_once(server: Server, station: Caller) -> None:
    """Begin and Commit, each many times at once, with one request id and with many."""
    paper = scanned(1)
    one = new_id()
    begun = await asyncio.gather(
        *(station.begin(paper, request_id=one if number % 2 else None) for number in range(_AT_ONCE))
    )
    assert len({(each.version, each.result_code, each.public_code) for each in begun}) == 1
    await station.send(paper.messages())
    one = new_id()
    sealed = await asyncio.gather(
        *(station.commit(paper, request_id=one if number % 2 else None) for number in range(_AT_ONCE))
    )
    assert len({each.SerializeToString(deterministic=True) for each in sealed}) == 1
    async with server.database() as database:
        document = "SELECT document_uuid FROM kho.document WHERE document_id = $1::uuid"
        (row,) = await database.fetch(document, paper.document_id)
        versions = "SELECT version FROM kho.document_version WHERE document_uuid = $1"
        assert [each["version"] for each in await database.fetch(versions, row["document_uuid"])] == [1]
        sealings = "SELECT count(*) FROM kho.event WHERE subject_id = $1 AND kind = 'document_sealed'"
        assert await database.fetchval(sealings, str(row["document_uuid"])) == 1


async def test_different_manifests_at_once_seal_one(station: Caller) -> None:
    """Two small uploads of one id with different pages: one at most is sealed, the other learns that it was not."""
    first = scanned(1)
    second = Paper(scanned(1).sheets, document_id=first.document_id)

    async def small(paper: Paper) -> str:
        try:
            await station.uploads.UploadSmall(paper.small(new_id()))
        except grpc.aio.AioRpcError as error:
            return Refused.of(error).info.reason
        return "sealed"

    told = await asyncio.gather(small(first), small(second))
    assert told.count("sealed") <= 1, told
    begun = await station.begin(first)
    if not begun.is_sealed:
        # The newer stream ended the older one, whose page was complete already: that one may go on.
        kept = {part.digest for part in begun.parts}
        (going_on,) = [paper for paper in (first, second) if paper.sheets[0].digest in kept]
        await station.commit(going_on)
    stored = (await station.read(first, first.sheets[0])).content
    winner, loser = (first, second) if stored == first.sheets[0].content else (second, first)
    assert stored == winner.sheets[0].content
    assert told[(first, second).index(loser)] != "sealed"
    await refused(station.commit(loser), grpc.StatusCode.ALREADY_EXISTS, "DOCUMENT_SEALED_DIFFERENTLY")


async def test_codes_are_never_given_twice(station: Caller, other: Caller) -> None:
    """Many documents of one owner and type begun at once by two agencies: each has a code of its own."""
    begun = await asyncio.gather(*(caller.begin(scanned(1)) for caller in (station, other) for _ in range(_AT_ONCE)))
    assert len({each.result_code for each in begun}) == 2 * _AT_ONCE
    assert len({each.public_code for each in begun}) == 2 * _AT_ONCE


async def test_one_of_many_gets_a_given_code(station: Caller, other: Caller) -> None:
    """The same code given to many documents at once is taken by exactly one."""
    code = f"GPXD-{new_id()[:8].upper()}"

    async def begin(caller: Caller) -> str:
        try:
            return (await caller.begin(scanned(1).declaring(given_code=code))).result_code
        except grpc.aio.AioRpcError as error:
            return Refused.of(error).info.reason

    told = await asyncio.gather(*(begin(caller) for caller in (station, other) for _ in range(3)))
    assert sorted(told) == sorted([code, *["CODE_NOT_ACCEPTED"] * 5])


async def test_a_refused_begin_can_be_mended_under_its_request_id(station: Caller) -> None:
    """A refusal is no answer that is kept: the same request id may be used for the mended request."""
    request_id = new_id()
    wrong = scanned(1).declaring(issued_on="2022-02-30")
    await refused(station.begin(wrong, request_id=request_id), grpc.StatusCode.INVALID_ARGUMENT, "DATE_IMPOSSIBLE")
    right = Paper(wrong.sheets, document_id=wrong.document_id)
    assert (await station.begin(right, request_id=request_id)).version == 1
