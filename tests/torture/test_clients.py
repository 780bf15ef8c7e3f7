"""Clients that are killed, that race, and that lose the answer to their commit."""

import asyncio
import os
import random
import secrets
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from kho.v1 import upload_service_pb2
from tests.end_to_end.caller import Caller, new_id
from tests.end_to_end.papers import Paper, pages, scanned
from tests.end_to_end.serving import Server
from tests.end_to_end.waiting import until

_PAGES = 30
_PAGE_BYTES = 150_000


@pytest.fixture
def draw() -> random.Random:
    """Return a generator whose seed is printed."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    return random.Random(seed)


async def test_a_client_that_is_killed_again_and_again_goes_on(
    server: Server, station: Caller, tmp_path: Path, draw: random.Random
) -> None:
    """`kho upload --document-id`, SIGKILLed whenever a few more pages are complete; the last one seals."""
    document = str(uuid.uuid4())
    files = [tmp_path / f"{sheet.number}.jpg" for sheet in pages(_PAGES, _PAGE_BYTES)]
    sheets = pages(_PAGES, _PAGE_BYTES)
    for file, sheet in zip(files, sheets, strict=True):
        file.write_bytes(sheet.content)
    command = [sys.executable, "-m", "kho_cli", "upload", "--json", "--document-id", document]
    command += ["--dossier", "000.00.16.H46-261121-0001", "--procedure", "1.000894", "--kind", "result"]
    command += ["--type", "KQ.G15.000031", "--owner", "038085001234", "--pages", *map(str, files)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("KHO_", "GRPC_"))}
    environ |= {
        "KHO_SERVER": server.address,
        "KHO_CA": str(server.pki.ca),
        "KHO_CERT": str(server.pki.certificate("station")),
        "KHO_KEY": str(server.pki.key("station")),
        "KHO_PROFILE": os.devnull,
    }

    def complete() -> int:
        return sum(1 for _ in (server.data / "spool").glob(f"*/{document}/v1/p?????.*.*"))

    before, kills = 0, 0
    while True:
        process = await asyncio.create_subprocess_exec(
            *command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        ended = asyncio.ensure_future(process.communicate())
        wanted = before + draw.randint(1, 6)

        async def has_come_so_far(ended: "asyncio.Future[tuple[bytes, bytes]]" = ended, wanted: int = wanted) -> bool:
            return ended.done() or complete() >= wanted

        await until(has_come_so_far, "the next pages", 60)
        if not ended.done() and wanted < _PAGES:
            with suppress(ProcessLookupError):
                process.kill()
        out, err = await ended
        if process.returncode == 0:
            break
        assert process.returncode == -9, err.decode()
        kills += 1
        assert complete() >= before, "a page that was complete is gone"
        before = complete()
    assert document in out.decode()
    paper = Paper(sheets, document_id=document)
    for sheet in sheets:
        assert (await station.read(paper, sheet)).content == sheet.content
    assert len((await station.document(paper)).versions) == 1
    print(f"killed {kills} times")


async def test_two_writers_of_one_document_seal_one_document(server: Server, draw: random.Random) -> None:
    """Both send everything, supersede each other and commit; both are told the same, and the bytes are right."""
    for _ in range(5):
        paper = scanned(3, draw.randint(5_000, 80_000))

        async def write(paper: Paper = paper) -> upload_service_pb2.CommitResponse:
            async with server.caller("station") as caller:
                while True:
                    try:
                        begun = await caller.begin(paper)
                        if not begun.is_sealed:
                            await caller.send(paper.messages(1, draw.choice((2000, 8000))))
                        return await caller.commit(paper)
                    except grpc.aio.AioRpcError as error:
                        # The other one took over, or has sealed what this one was sending.
                        # A refusal that comes while we write is hidden by the client's own library (grpc #36066).
                        is_hidden = error.details() == "Internal error from Core"
                        passing = (grpc.StatusCode.ABORTED, grpc.StatusCode.FAILED_PRECONDITION)
                        if error.code() not in passing and not is_hidden:
                            raise

        first, second = await asyncio.wait_for(asyncio.gather(write(), write()), 60)
        second.state = first.state
        assert first == second
        async with server.caller("station") as caller:
            assert len((await caller.document(paper)).versions) == 1
            for sheet in paper.sheets:
                assert (await caller.read(paper, sheet)).content == sheet.content


async def test_a_lost_commit_answer_changes_nothing(server: Server, draw: random.Random) -> None:
    """The caller goes away at a random moment of its Commit; the next one with this id seals, or is told again."""
    async with server.caller("station") as caller:
        for _ in range(20):
            paper = scanned(2, 6_000)
            begun = await caller.begin(paper)
            await caller.send(paper.messages(begun.version))
            request_id = new_id()
            lost = caller.uploads.Commit(paper.commit(request_id))
            with suppress(asyncio.TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(lost.wait_for_connection(), 1)
                await asyncio.wait_for(asyncio.shield(_ended(lost)), draw.uniform(0.0, 0.02))
            lost.cancel()
            answer = await caller.commit(paper, request_id=request_id)
            assert await caller.commit(paper, request_id=request_id) == answer
            other = await caller.commit(paper)
            other.state = answer.state
            assert other == answer
            assert len((await caller.document(paper)).versions) == 1


async def _ended(call: "grpc.aio.UnaryUnaryCall[Any, Any]") -> None:
    await call.code()
