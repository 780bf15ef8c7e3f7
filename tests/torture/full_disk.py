"""A disk that fills up under a serving server, and has room again: what goes on, what is refused, what comes back.

Run as `unshare --mount python -m tests.torture.full_disk` by root, with `unshare --user --map-root-user --mount` by
others: a small memory file system is mounted where nobody else sees it. Status 0: all is as promised.
"""

import asyncio
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kho.v1 import document_service_pb2, result_service_pb2
from tests.end_to_end.caller import Caller, new_id, refusal, refused
from tests.end_to_end.papers import Paper, scanned, signed
from tests.end_to_end.serving import Server
from tests.end_to_end.waiting import until

MIB = 1 << 20
_DISK_BYTES = 320 * MIB
_RESERVE_BYTES = 48 * MIB
_FULL = grpc.StatusCode.RESOURCE_EXHAUSTED
_BATCH = 400


@dataclass
class DiskServer(Server):
    """A server whose data lie on a disk of their own; its log does not."""

    disk: Path = Path()

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.disk / "data"


class Disk:
    """A small disk and the stranger's file that fills it."""

    def __init__(self, folder: Path) -> None:
        """Mount a memory file system on a folder: RuntimeError when that is not allowed."""
        self.folder = folder
        size = f"size={_DISK_BYTES},mode=0700"
        command = ["mount", "-t", "tmpfs", "-o", size, "kho-small-disk", str(folder)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(
                f"no small disk can be mounted ({ran.stderr.strip()}): run this test as root, or allow user namespaces"
            )
        self._ballast = folder / "ballast"

    def leave(self, free_bytes: int) -> None:
        """Let the stranger's file grow or shrink until only so many bytes are free."""
        for _ in range(10):  # what others write meanwhile is made up for, also when it leaves no room for ours
            status = os.statvfs(self.folder)
            missing = status.f_bavail * status.f_frsize - free_bytes
            with self._ballast.open("ab") as file:
                size = file.tell() + missing
                if missing > 0:
                    try:
                        os.posix_fallocate(file.fileno(), 0, size)
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                else:
                    file.truncate(max(size, 0))

    def empty(self) -> None:
        """Let the stranger's file vanish."""
        self._ballast.unlink(missing_ok=True)


async def scenario(server: DiskServer, disk: Disk) -> None:
    """Fill and empty the disk, twice: to the reserve, to the last byte, to where PostgreSQL cannot go on."""
    await server.start()
    pid = server.ready["pid"]
    async with server.caller("station") as station, server.caller("agency-b") as other:
        paper = await signed(server.pki)
        code = (await station.store_judged(paper)).result_code
        half, whole = scanned(2), scanned(1)
        await station.begin(half)
        await station.send([half.open(), *half.sheets[0].messages()])
        await station.begin(whole)
        await station.send(whole.messages())
        open_stream = station.uploads.UploadParts()
        await open_stream.write(half.open())

        disk.leave(_RESERVE_BYTES - 8 * MIB)
        await until(lambda: _says(station, "kho.v1.UploadService", serves=False), "health of uploads")
        await _uploads_are_refused(station, half, paper)
        # The header alone: a refusal that comes while we still write is hidden by the client's library (grpc #36066).
        await open_stream.write(next(iter(half.sheets[1].messages())))
        seen = await refused(_heard(open_stream), _FULL, "STORAGE_FULL")
        assert (seen.retry_after_s or 0) > 0
        assert await _says(station, "", serves=True)
        assert await _says(station, "kho.v1.ResultService", serves=True)
        # All bytes of this one are here: sealing it takes little of the reserve, and frees the station.
        await station.commit(whole)
        answered = [await _look(other, code) for _ in range(20)]
        taken = [await other.reuse(code) for _ in range(5)]
        assert all(each.content == paper.sheets[0].content for each in taken)

        for free_bytes in (0, 6 * MIB):
            disk.leave(free_bytes)
            # The last page may still have room for few: large batches first, then single ones.
            answered += await _until_refused(other, code, _BATCH)
            answered += await _until_refused(other, code, 0)
            await refused(other.reuse(code), grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
            await until(lambda: _says(station, "", serves=False), "health of a server that can record nothing")
            assert await _says(station, "kho.v1.ResultService", serves=False)
            disk.empty()
            await until(lambda: _says(station, "", serves=True), "health after there is room again", 60)
            await until(lambda: _says(station, "kho.v1.UploadService", serves=True), "uploads after there is room", 60)
            answered.append(await _look(other, code))
            taken.append(await other.reuse(code))

        begun = await station.begin(half)
        assert {part.key.number for part in begun.parts if part.is_complete} == {1}
        await station.send([half.open(), *half.sheets[1].messages()])
        await station.commit(half)
        await station.store(scanned(1))
        await _everything_is_recorded(server, answered, [each.header.access_id for each in taken])
        assert server.ready["pid"] == pid
        assert server.process.poll() is None
    assert "by a fault of ours" not in server.log, server.log[-3000:]
    server.stop_blocking()


async def _uploads_are_refused(station: Caller, half: Paper, paper: Paper) -> None:
    fresh = scanned(1)
    adding = document_service_pb2.AddRenditionRequest(
        request_id=new_id(), document_id=paper.document_id, base_version=1, renditions=1
    )
    correcting = document_service_pb2.CorrectDocumentRequest(
        request_id=new_id(), document_id=paper.document_id, base_version=1, reason="quét nhầm", pages=1
    )
    for call in (
        station.begin(fresh),
        station.send([half.open(), *half.sheets[1].messages()]),
        station.uploads.UploadSmall(fresh.small(new_id())),
        station.documents.AddRendition(adding),
        station.documents.CorrectDocument(correcting),
    ):
        seen = await refused(call, _FULL, "STORAGE_FULL")
        assert (seen.retry_after_s or 0) > 0, "when to come again"


async def _heard(stream: "AsyncIterable[object]") -> None:
    async for _ in stream:
        pass


async def _look(caller: Caller, code: str) -> str:
    """Look up and return the request id, whose record must be there."""
    request_id = new_id()
    await caller.lookup(code, **{"kho-request-id": request_id})
    return request_id


async def _until_refused(caller: Caller, code: str, absent: int) -> list[str]:
    """Look up until even the reserve is used up; return the ids of all that were answered."""
    answered: list[str] = []
    while True:
        request_id = new_id()
        codes = [code, *(f"KHONG.CO.{number}" for number in range(absent))]
        call = caller.results.BatchLookupResults(
            result_service_pb2.BatchLookupResultsRequest(codes=codes),
            metadata=(("kho-request-id", request_id),),
            timeout=30,
        )
        try:
            await call
        except grpc.aio.AioRpcError as error:
            refusal(error, grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
            return answered
        answered.append(request_id)


async def _says(caller: Caller, service: str, *, serves: bool) -> bool:
    health: Any = health_pb2_grpc.HealthStub(caller.channel)
    answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
    wanted = health_pb2.HealthCheckResponse.SERVING if serves else health_pb2.HealthCheckResponse.NOT_SERVING
    return bool(answer.status == wanted)


async def _everything_is_recorded(server: Server, request_ids: list[str], access_ids: list[str]) -> None:
    async with server.database() as link:
        recorded = {row[0] for row in await link.fetch("SELECT DISTINCT request_id FROM kho.access_record")}
        accesses = {row[0] for row in await link.fetch("SELECT access_id::text FROM kho.access_record")}
    assert set(request_ids) <= recorded, "an answer left without a record"
    assert set(access_ids) <= accesses, "content left without a record"


def main() -> int:
    """Mount a disk, run, and say how it went."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "disk"
        place.mkdir()
        try:
            disk = Disk(place)
        except RuntimeError as error:
            print(error)
            return 2
        settings = {"reserve_bytes": str(_RESERVE_BYTES), "verify_workers": "1", "drain_s": "1", "log_level": "warning"}
        server = DiskServer(Path(folder), settings, disk=place)
        try:
            asyncio.run(scenario(server, disk))
        finally:
            disk.empty()
            server.stop_blocking()
            subprocess.run(["umount", "--lazy", str(place)], check=False)
    print("all is as promised")
    return 0


if __name__ == "__main__":
    sys.exit(main())
