"""Callers who may call no longer, and servers that go down, end open calls with a reason."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest

from kho.v1 import upload_service_pb2 as upload
from kho_server.archive.refusals import Reason, Refusal
from kho_storage.catalog.standing import PostgresStanding
from kho_storage.records.registry import DatedCode, PrincipalKind
from tests.server.rpc.guarded_server import SERVER, GuardedServer
from tests.server.rpc.refused import Refused


async def open_stream(guarded: GuardedServer, name: str = "station") -> Any:
    """Open an upload stream that lasts until somebody ends it."""

    async def parts(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        yield upload.UploadPartsResponse()
        async for _ in requests:
            continue

    guarded.steered.parts = parts
    stream = guarded.uploads(name).UploadParts()
    await stream.read()
    return stream


async def ended(stream: Any) -> Refused:
    """Return how a stream was ended, within 5 seconds."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(stream.read(), 5)
    return Refused.of(caught.value)


async def test_a_look_ends_the_streams_of_a_caller_revoked_elsewhere_and_no_others(guarded: GuardedServer) -> None:
    revoked = await guarded.register("station")
    await guarded.register("agency-a")
    stream, other = await open_stream(guarded), await open_stream(guarded, "agency-a")
    assert await guarded.revocations.look() == 0
    await guarded.revoke(revoked)
    assert await guarded.revocations.look() == 1
    answer = await ended(stream)
    assert (answer.code, answer.info.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CLIENT_CERTIFICATE_REVOKED")
    assert not other.done()
    assert guarded.calls_of("kho.v1.UploadService/UploadParts", "UNAUTHENTICATED") == 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await guarded.uploads().Begin(upload.BeginRequest())
    assert Refused.of(caught.value).info.reason == "CLIENT_CERTIFICATE_REVOKED"


async def test_a_change_on_this_server_wakes_the_watch(guarded: GuardedServer) -> None:
    principal_id = await guarded.register("station")
    stream = await open_stream(guarded)

    async def watch() -> None:
        while True:
            await guarded.revocations.changed(3600)
            await guarded.revocations.look()

    task = asyncio.create_task(watch())
    await guarded.revoke(principal_id)
    guarded.revocations.registry_changed()
    assert (await ended(stream)).info.reason == "CLIENT_CERTIFICATE_REVOKED"
    task.cancel()


async def test_the_call_that_revokes_its_own_caller_is_answered(guarded: GuardedServer) -> None:
    principal_id = await guarded.register("station")

    async def begin(request: Any) -> None:
        await guarded.revoke(principal_id)
        await guarded.revocations.look()

    guarded.steered.begin = begin
    assert (await guarded.uploads().Begin(upload.BeginRequest())).version == 1


async def test_ended_registrations_and_revoked_agencies_count_as_ended(guarded: GuardedServer, catalog: Any) -> None:
    now = guarded.clock.now
    agency = await guarded.registry.register_agency(
        "so-tu-phap", [DatedCode("H46.01", "H46.01", None, None)], [], SERVER, now
    )
    of_agency = await guarded.register(
        "agency-a", kind=PrincipalKind.STATION, agency_uuid=agency.agency_uuid, agency_id="so-tu-phap"
    )
    short = await guarded.register("agency-b", valid_to=now + timedelta(hours=1))
    standing = PostgresStanding(catalog)
    assert await standing.ended_among([of_agency, short], now) == ()
    assert await standing.ended_among([of_agency, short], now + timedelta(hours=1)) == (short,)
    await guarded.registry.revoke_agency("so-tu-phap", "merged", SERVER, now)
    assert await standing.ended_among([of_agency, short], now) == (of_agency,)


async def test_answers_remembered_too_long_are_asked_again(guarded: GuardedServer) -> None:
    principal_id = await guarded.register("station")
    uploads = guarded.uploads()
    await uploads.Begin(upload.BeginRequest())
    await guarded.revoke(principal_id)
    await uploads.Begin(upload.BeginRequest())  # still remembered: nobody has looked, no time has passed
    guarded.clock.now += timedelta(seconds=5)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await uploads.Begin(upload.BeginRequest())
    assert Refused.of(caught.value).info.reason == "CLIENT_CERTIFICATE_REVOKED"


async def test_draining_refuses_new_calls_and_waits_for_open_ones(guarded: GuardedServer) -> None:
    await guarded.register("station")
    stream = await open_stream(guarded)
    guarded.live.drain()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await guarded.uploads().Begin(upload.BeginRequest())
    answer = Refused.of(caught.value)
    assert (answer.code, answer.info.reason, answer.retry_after_s) == (
        grpc.StatusCode.UNAVAILABLE,
        "SERVER_DRAINING",
        5,
    )
    assert not await guarded.live.drained(0)
    assert guarded.live.end_all(Refusal(Reason.SERVER_DRAINING)) == 1
    assert (await ended(stream)).info.reason == "SERVER_DRAINING"
    assert await guarded.live.drained(5)
