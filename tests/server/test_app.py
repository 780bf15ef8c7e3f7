"""The whole server: what it serves, what it says of itself, how it starts and ends."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from kho.v1 import registry_pb2
from kho.v1.server_service_pb2 import GetServerInfoRequest
from kho.v1.server_service_pb2_grpc import ServerServiceStub
from kho.v1.upload_service_pb2_grpc import UploadServiceStub
from kho_server.app import App
from kho_server.setting import CannotListen, ConfigError
from kho_storage.errors import StoreInUse, StoreMismatch
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedPostgres
from tests.fixtures_postgres import drop_database
from tests.server.rpc.refused import Refused
from tests.server.running_app import RunningApp, running_app, settings_of

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
OURS = {
    f"kho.v1.{name}Service"
    for name in ("Access", "Document", "Registry", "Result", "Reuse", "Server", "Upload", "Verification")
}


def health(channel: grpc.aio.Channel) -> Any:
    """Return a stub; the published types describe none of its calls."""
    return HealthStub(channel)


def reflection(channel: Any) -> Any:
    """Return a stub, untyped for the same reason."""
    stub: Any = ServerReflectionStub
    return stub(channel)


async def status_of(server: RunningApp, service: str = "") -> int:
    async with server.channel("operator") as channel:
        answer = await health(channel).Check(HealthCheckRequest(service=service))
    return int(answer.status)


async def test_a_development_server_serves_registered_callers(
    tmp_path: Path, database: ConnectionSettings, empty_database: ConnectionSettings
) -> None:
    ready_file = tmp_path / "ready.json"
    async with running_app(settings_of(tmp_path / "data", database, ready_file=ready_file)) as server:
        assert json.loads(ready_file.read_text()) == {
            "grpc": server.ready.grpc,
            "ops": server.ready.ops,
            "pid": os.getpid(),
            "pki": str(tmp_path / "data" / "pki"),
        }
        async with server.channel("station") as channel:
            info = await ServerServiceStub(channel).GetServerInfo(GetServerInfoRequest())
            assert (info.repository_id, info.limits.chunk_bytes, info.batch_lines) == ("H46", 262_144, 500)
            assert info.is_development
            assert (info.caller.kind, info.caller.agency_id) == (registry_pb2.PRINCIPAL_KIND_STATION, "agency-a")
            call = reflection(channel).ServerReflectionInfo(iter([ServerReflectionRequest(list_services="")]))
            listed = [each.name async for answer in call for each in answer.list_services_response.service]
            assert set(listed) >= OURS | {"grpc.health.v1.Health"}
        for service in ("", *OURS):
            assert await status_of(server, service) == SERVING
        with pytest.raises(StoreInUse, match="in use"):
            await App(settings_of(tmp_path / "data", database, ready_file=ready_file)).start()
        assert ready_file.exists()
        with pytest.raises(CannotListen, match="--listen"):
            await App(settings_of(tmp_path / "other", empty_database, listen=server.ready.grpc)).start()
    assert not ready_file.exists()


async def test_a_database_that_belongs_to_another_folder_or_was_lost_is_refused(
    tmp_path: Path, database: ConnectionSettings, empty_database: ConnectionSettings
) -> None:
    async with running_app(settings_of(tmp_path / "one", database)):
        pass
    with pytest.raises(StoreMismatch, match="belongs to store"):
        await App(settings_of(tmp_path / "two", database)).start()
    folder = tmp_path / "one" / "manifests"
    agency, document, commit = ("0190b5a0-0000-7000-8000-00000000000" + digit for digit in "123")
    (folder / agency / document).mkdir(parents=True)
    (folder / agency / document / f"v1.{commit}.json").write_bytes(b"{}")
    with pytest.raises(StoreMismatch, match="restore the database"):
        await App(settings_of(tmp_path / "one", empty_database)).start()
    with pytest.raises(ConfigError, match="--database-url"):
        await App(settings_of(tmp_path / "three", database, database_url="mysql://x")).start()


async def test_health_tells_the_truth_about_database_and_disk(
    tmp_path: Path, database: ConnectionSettings, postgres: EmbeddedPostgres
) -> None:
    config = settings_of(tmp_path / "data", database, reserve_bytes=1 << 50)
    async with running_app(config) as server:
        assert await status_of(server) == SERVING
        assert await status_of(server, "kho.v1.UploadService") == NOT_SERVING
        async with server.channel("operator") as channel, server.channel("station") as station:
            watch = health(channel).Watch(HealthCheckRequest())
            assert (await watch.read()).status == SERVING
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await health(channel).Check(HealthCheckRequest(service="Nguyen-Van-A"))
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            await drop_database(postgres, database.database)
            assert (await asyncio.wait_for(watch.read(), 20)).status == NOT_SERVING
            async with asyncio.timeout(20):
                while (answer := await info_refusal(station)) is None:
                    await asyncio.sleep(0)
            assert answer.info.reason == "DATABASE_UNAVAILABLE"
            watch.cancel()


async def info_refusal(channel: grpc.aio.Channel) -> Refused | None:
    """Return how asking for the server's facts is refused, None while a remembered caller is still served."""
    try:
        await ServerServiceStub(channel).GetServerInfo(GetServerInfoRequest())
    except grpc.aio.AioRpcError as error:
        return Refused.of(error)
    return None


async def test_draining_says_not_serving_and_ends_what_does_not_end_by_itself(
    tmp_path: Path, database: ConnectionSettings
) -> None:
    async with running_app(settings_of(tmp_path / "data", database, drain_s="0.3")) as server:
        async with server.channel("station") as channel, server.channel("operator") as operator:
            watch = health(operator).Watch(HealthCheckRequest())
            assert (await watch.read()).status == SERVING
            stream = UploadServiceStub(channel).UploadParts()
            stopping = asyncio.create_task(server.app.stop())
            assert (await watch.read()).status == NOT_SERVING
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stream.read()
            assert Refused.of(caught.value).info.reason == "SERVER_DRAINING"
            await asyncio.wait_for(stopping, 20)


async def lines_until(stream: asyncio.StreamReader, words: str) -> str:
    """Read lines until one holds the words; everything read is returned."""
    read = ""
    async with asyncio.timeout(60):
        while words not in read:
            line = (await stream.readline()).decode()
            assert line, read
            read += line
    return read


async def serve(*arguments: str) -> asyncio.subprocess.Process:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KHO_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kho_cli", "serve", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )


async def test_kho_serve_runs_its_own_database_and_ends_on_sigterm(tmp_path: Path) -> None:
    arguments = ("--data", str(tmp_path / "data"), "--dev", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
    first = await serve(*arguments, "--verify-workers", "1")
    assert first.stdout is not None
    assert first.stderr is not None
    loud = await lines_until(first.stderr, "NEVER put real documents here")
    assert "DEVELOPMENT SERVER" in loud
    assert "Kho serves at 127.0.0.1:" in await lines_until(first.stdout, "Kho serves at")
    second = await serve(*arguments)
    _, complaint = await asyncio.wait_for(second.communicate(), 60)
    assert second.returncode == 1
    assert f"in use by process {first.pid}" in complaint.decode()
    first.send_signal(signal.SIGTERM)
    _, log = await asyncio.wait_for(first.communicate(), 60)
    assert first.returncode == 0
    lines = [line for line in log.decode().splitlines() if not line.startswith(("=", " "))]
    assert all(json.loads(line)["level"] for line in lines)


async def test_wrong_usage_is_status_2_and_no_rights_status_1(tmp_path: Path) -> None:
    wrong = await serve("--data", str(tmp_path / "data"))
    _, complaint = await asyncio.wait_for(wrong.communicate(), 60)
    assert (wrong.returncode, "mutual TLS is always on" in complaint.decode()) == (2, True)
    (tmp_path / "file").write_text("no folder")
    refused = await serve("--data", str(tmp_path / "file"), "--dev")
    _, complaint = await asyncio.wait_for(refused.communicate(), 60)
    assert refused.returncode == 1
    assert "cannot start: the data folder" in complaint.decode()
    assert "Traceback" not in complaint.decode()
