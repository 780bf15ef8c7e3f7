"""What operators meet: ends and starts, full disks, lost databases, wrong folders, leases."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from kho.v1 import upload_service_pb2
from tests.end_to_end.caller import Caller, ended, refused
from tests.end_to_end.papers import PIECE_BYTES, Sheet, scanned, signed
from tests.end_to_end.serving import Server
from tests.end_to_end.test_cuts import persisted
from tests.end_to_end.waiting import until
from tests.server.rpc.refused import Refused

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UPLOADS = "kho.v1.UploadService"
_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


async def health(caller: Caller, service: str = "") -> int:
    """Ask grpc.health.v1."""
    check = caller.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return int((await check(health_pb2.HealthCheckRequest(service=service), timeout=10)).status)


def children_of(pid: int) -> list[int]:
    """Return the direct children of a process."""
    children = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if f"\nPPid:\t{pid}\n" in text:
            children.append(int(status.parent.name))
    return children


async def test_sigterm_lets_open_streams_finish(own: Callable[..., Server]) -> None:
    """New calls are refused with when to come again; the open stream is served to its end; the exit status is 0."""
    server = own()
    await server.start()
    paper = scanned(2)
    async with server.caller("station") as caller:
        begun = await caller.begin(paper)
        messages = paper.messages(begun.version)
        call = caller.uploads.UploadParts()
        for message in messages[:3]:
            await call.write(message)
        first = (await anext(aiter(call))).progress
        assert first.persisted_bytes == PIECE_BYTES
        server.terminate()

        async def is_draining() -> Refused | None:
            try:
                await caller.lookup("X-1")
            except grpc.aio.AioRpcError as error:
                seen = Refused.of(error)
                return seen if seen.info.reason == "SERVER_DRAINING" else None
            return None

        told = await until(is_draining, "the refusal of new calls")
        assert told.code is _UNAVAILABLE
        assert told.retry_after_s
        assert await health(caller) == _NOT_SERVING
        for message in messages[3:]:
            await call.write(message)
        await call.done_writing()
        complete = [answer.progress.key.number async for answer in call if answer.progress.is_complete]
        assert sorted(complete) == [1, 2]
    assert await server.ended() == 0
    assert not server.ready_file.exists()
    await server.start()
    async with server.caller("station") as caller:
        assert (await caller.commit(paper)).result_code == begun.result_code
    assert "Traceback" not in server.log


async def test_streams_end_by_name_and_leases_in_order(own: Callable[..., Server]) -> None:
    """A drain without patience ends an open stream; the next server forgets what its lease ended, for a new Begin."""
    server = own(drain_s="0")
    await server.start()
    forgotten, paper = scanned(1), scanned(1)
    async with server.caller("station") as caller:
        await caller.begin(forgotten)
        await caller.send(forgotten.messages()[:3])
        async with server.database() as database:
            await database.execute("UPDATE kho.upload SET lease_until = now() - interval '1 minute'")
        await refused(caller.send([forgotten.open()]), grpc.StatusCode.ABORTED, "LEASE_EXPIRED")
        await caller.begin(paper)
        call = caller.uploads.UploadParts()
        for message in paper.messages()[:3]:
            await call.write(message)
        await anext(aiter(call))
        server.terminate()
        await refused(ended(call), _UNAVAILABLE, "SERVER_DRAINING")
    assert await server.ended() == 0
    await server.start()
    async with server.caller("station") as caller:

        async def is_forgotten() -> bool:
            try:
                await caller.send([forgotten.open()])
            except grpc.aio.AioRpcError as error:
                return Refused.of(error).info.reason == "UPLOAD_NOT_OPEN"
            return False

        await until(is_forgotten, "the end of the lease")
        assert not (await caller.begin(forgotten)).parts
        kept = (await caller.begin(paper)).parts
        assert [part.persisted_bytes for part in kept] == [PIECE_BYTES]
        for each in (forgotten, paper):
            await caller.send(each.messages())
            await caller.commit(each)


async def caller_is_full(caller: Caller) -> None:
    """Below the reserve uploads are refused with when to come again; everything else goes on."""
    full = grpc.StatusCode.RESOURCE_EXHAUSTED
    seen = await refused(caller.begin(scanned(1)), full, "STORAGE_FULL")
    assert seen.retry_after_s
    assert await health(caller, _UPLOADS) == _NOT_SERVING
    assert await health(caller) == _SERVING
    await refused(caller.lookup("X-1"), grpc.StatusCode.NOT_FOUND, "RESULT_NOT_FOUND")


async def test_a_full_disk_stops_uploads_and_nothing_else(own: Callable[..., Server]) -> None:
    """What is stored is found, read and reused while nothing more is taken."""
    server = own()
    await server.start()
    paper = await signed(server.pki)
    async with server.caller("station") as caller:
        code = (await caller.store_judged(paper)).result_code
    await server.stop()
    await server.start(reserve_bytes=str(1 << 50))
    async with server.caller("station") as caller, server.caller("agency-b") as other:
        await caller_is_full(caller)
        assert (await other.lookup(code)).result_code == code
        assert (await other.reuse(code)).content == paper.sheets[0].content
        assert (await caller.read(paper, paper.sheets[0])).content == paper.sheets[0].content
        status, body = await server.ops("/metrics")
        (line,) = [line for line in body.splitlines() if line.startswith("kho_disk_reserve_bytes ")]
        assert (status, float(line.split()[1])) == (200, 1 << 50)


async def test_a_killed_database_comes_back(own: Callable[..., Server]) -> None:
    """A backend, then the postmaster: refused by name meanwhile, truthful health, then all as before."""
    server = own()
    await server.start()
    paper, later = scanned(1), scanned(1)
    async with server.caller("station") as caller:
        code = (await caller.store(paper)).result_code
        await caller.begin(later)
        await caller.send(later.messages())
        seen: list[Refused] = []

        async def is_found() -> bool:
            try:
                return (await caller.lookup(code)).document_id == paper.document_id
            except grpc.aio.AioRpcError as error:
                seen.append(Refused.of(error))
                return False

        os.kill(children_of(server.postmaster)[0], signal.SIGKILL)
        await until(is_found, "a database after the death of a backend")
        before = server.postmaster

        async def is_down() -> bool:
            # It is started again within a second: it must die as often as it takes until somebody noticed.
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(server.postmaster, signal.SIGKILL)
            await is_found()
            return await health(caller) == _NOT_SERVING

        await until(is_down, "the truth about health")
        assert (await server.ops("/readyz"))[0] == 503
        assert (await server.ops("/healthz"))[0] == 200

        async def is_up() -> bool:
            return await health(caller) == _SERVING

        await until(is_found, "a database after the death of the postmaster")
        await until(is_up, "the truth about health")
        assert server.postmaster != before
        assert {(each.code, each.info.reason) for each in seen} == {(_UNAVAILABLE, "DATABASE_UNAVAILABLE")}
        assert all(each.retry_after_s for each in seen)
        await caller.commit(later)
        assert (await caller.read(paper, paper.sheets[0])).content == paper.sheets[0].content
        assert (await caller.read(later, later.sheets[0])).content == later.sheets[0].content
    assert (await server.ops("/readyz"))[0] == 200


async def test_a_second_server_on_the_folder_is_refused(server: Server) -> None:
    """Exit status 1 and a plain line; the first one serves on, and its ready file stays."""
    second = server.spawn()
    assert await asyncio.to_thread(second.wait, 30) == 1
    assert server.ready_file.exists()
    assert "cannot start" in server.log
    async with server.caller("station") as caller:
        await caller.store(scanned(1))


@pytest.mark.parametrize("where", ["/sys/kho", "/dev/null/kho"])
async def test_a_folder_without_rights_is_refused(tmp_path: Path, where: str) -> None:
    """Exit status 1 and one plain line that names the folder."""
    command = [*Server(tmp_path).command, "--data", where]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1, ran.stderr
    assert where.rsplit("/", 1)[0] in ran.stderr
    assert "Traceback" not in ran.stderr


async def test_unread_answers_do_not_fill_the_memory(server: Server) -> None:
    """60 MiB are pushed by a client that reads nothing; the server's memory grows by a part of that."""
    size, piece = 64 << 20, 256 << 10
    content = b"%PDF-1.7" + bytes(piece - 8)
    sheet = Sheet(1, b"%PDF-1.7", "application/pdf", is_page=False)
    paper = type(scanned(0))((sheet,))
    async with server.caller("station") as caller:
        begun = await caller.begin(paper)
        assert begun.limits.unacknowledged_bytes < size / 8
        header = sheet.header()
        header.size_bytes = size
        before = peak_bytes(server.process.pid)
        call = caller.uploads.UploadParts()
        await call.write(paper.open(begun.version))
        await call.write(upload_service_pb2.UploadPartsRequest(header=header))
        for part in Sheet(1, content * 240).pieces(piece_bytes=piece):
            await call.write(upload_service_pb2.UploadPartsRequest(data=part))
        call.cancel()
        assert peak_bytes(server.process.pid) - before < size / 2
        again = await caller.begin(paper)
        assert persisted(list(again.parts), sheet) <= 240 * piece


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process ever held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


async def test_four_stations_bring_200_pages_each(server: Server) -> None:
    """At the same time, in one stream each; then every event has its position, without gaps."""
    papers = [scanned(200, 9000) for _ in range(4)]

    async def bring(number: int) -> str:
        name = ("station", "agency-a", "agency-b", "agency-c")[number]
        async with server.caller(name) as caller:
            sealed = await caller.store(papers[number])
            last = papers[number].sheets[-1]
            assert (await caller.read(papers[number], last)).content == last.content
            return sealed.result_code

    codes = await asyncio.gather(*(bring(number) for number in range(4)))
    assert len(set(codes)) == 4
    async with server.database() as database:

        async def positions() -> list[int] | None:
            rows = await database.fetch("SELECT position FROM kho.event")
            found = [row["position"] for row in rows]
            return None if None in found else sorted(found)

        given = await until(positions, "a position for every event")
    assert given == list(range(1, len(given) + 1))


async def test_metrics_count_what_happened(server: Server, station: Caller) -> None:
    """A document, its pages and its look-up are counted; every rpc by its code."""

    async def value(name: str) -> float:
        _, body = await server.ops("/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in body.splitlines() if line.startswith(name))

    names = ("kho_documents_committed_total", "kho_pages_total", "kho_lookups_total")
    before = [await value(name) for name in names]
    sealed = await station.store(scanned(3))
    await station.lookup(sealed.result_code)
    after = [await value(name) for name in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 3, 1]
    assert await value('kho_rpcs_total{code="OK",method="kho.v1.UploadService/Commit"}') >= 1
