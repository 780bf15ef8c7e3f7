"""The gate over real sockets: identity, errors of every kind, streams, limits, metrics and logs."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest

from kho.v1 import upload_service_pb2 as upload
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.logs import json_logs
from kho_server.rpc.current import current_caller
from kho_storage.errors import BlobCorrupt, CatalogUnavailable, StorageFull
from tests.server.rpc.guarded_server import MESSAGE_BYTES, GuardedServer, reuse_request
from tests.server.rpc.refused import Refused

BEGIN = "kho.v1.UploadService/Begin"


async def refused(call: Any) -> Refused:
    """Return how a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return Refused.of(caught.value)


async def read_all(call: Any) -> list[Any]:
    return [message async for message in call]


async def test_serves_a_registered_caller_and_says_who_it_is(guarded: GuardedServer) -> None:
    principal_id = await guarded.register("station")
    seen = []

    async def begin(request: Any) -> None:
        seen.append(current_caller())

    guarded.steered.begin = begin
    wanted = str(uuid4())
    call = guarded.uploads().Begin(upload.BeginRequest(), metadata=(("kho-request-id", wanted),))
    assert (await call).version == 1
    assert (seen[0].principal.principal_id, seen[0].request_id) == (principal_id, wanted)
    assert dict(await call.trailing_metadata())["kho-request-id"] == wanted
    assert guarded.calls_of(BEGIN, "OK") == 1


async def test_makes_its_own_request_id_when_the_clients_is_no_uuid(guarded: GuardedServer) -> None:
    await guarded.register("station")
    call = guarded.uploads().Begin(upload.BeginRequest(), metadata=(("kho-request-id", "owner=012345678901"),))
    await call
    assert len(dict(await call.trailing_metadata())["kho-request-id"]) == 36


async def test_refuses_a_certificate_that_nobody_registered(guarded: GuardedServer) -> None:
    answer = await refused(guarded.uploads().Begin(upload.BeginRequest()))
    assert (answer.code, answer.info.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CLIENT_CERTIFICATE_UNKNOWN")
    assert answer.info.domain == "kho.v1"
    assert answer.info.metadata["request_id"] == answer.request_id
    assert "chưa được đăng ký" in answer.vietnamese
    await guarded.register("station")
    assert (await guarded.uploads().Begin(upload.BeginRequest())).version == 1


async def test_a_certificate_of_another_authority_or_none_reaches_no_servicer(
    guarded: GuardedServer, foreign_pki: Any
) -> None:
    for channel in (guarded.channel("station", foreign_pki), guarded.channel(None)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(f"/{BEGIN}")(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_knows_a_caller_by_its_issuers_key_and_subject(guarded: GuardedServer) -> None:
    from cryptography import x509

    from kho_server.rpc.identity import key_sha256

    authority = x509.load_pem_x509_certificate(guarded.pki.ca.read_bytes())
    subject = x509.load_pem_x509_certificate(guarded.pki.certificate("agency-b").read_bytes()).subject
    await guarded.register(
        "agency-b",
        certificate_sha256=None,
        issuer_key_sha256=key_sha256(authority),
        subject=subject.rfc4514_string(),
    )
    assert (await guarded.uploads("agency-b").Begin(upload.BeginRequest())).version == 1
    answer = await refused(guarded.uploads("agency-c").Begin(upload.BeginRequest()))
    assert answer.info.reason == "CLIENT_CERTIFICATE_UNKNOWN"


async def test_refuses_a_revoked_and_an_ended_registration(guarded: GuardedServer) -> None:
    await guarded.revoke(await guarded.register("station"))
    await guarded.register("agency-a", valid_to=guarded.clock.now + timedelta(hours=1))
    uploads = guarded.uploads("agency-a")
    await uploads.Begin(upload.BeginRequest())
    guarded.clock.now += timedelta(hours=2)
    for call in (guarded.uploads().Begin, uploads.Begin):
        answer = await refused(call(upload.BeginRequest()))
        assert answer.info.reason == "CLIENT_CERTIFICATE_REVOKED"


async def test_a_certificate_that_ends_while_its_connection_lives_is_refused(guarded: GuardedServer) -> None:
    await guarded.register("station")
    uploads = guarded.uploads()
    await uploads.Begin(upload.BeginRequest())
    guarded.clock.now += timedelta(days=365 * 20)
    answer = await refused(uploads.Begin(upload.BeginRequest()))
    assert answer.info.reason == "CLIENT_CERTIFICATE_REVOKED"


@pytest.mark.parametrize(
    ("error", "code", "reason", "retry_after_s"),
    [
        (Absent(Reason.DOCUMENT_NOT_FOUND), grpc.StatusCode.NOT_FOUND, "DOCUMENT_NOT_FOUND", None),
        (CatalogUnavailable("secret"), grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE", 2),
        (StorageFull("secret"), grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL", 60),
        (BlobCorrupt("secret"), grpc.StatusCode.DATA_LOSS, "DATA_DAMAGED", None),
        (OSError(28, "secret"), grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL", 60),
        (
            Refusal(Reason.UPLOAD_SUPERSEDED, retry_after=timedelta(seconds=1.5)),
            grpc.StatusCode.ABORTED,
            "UPLOAD_SUPERSEDED",
            1.5,
        ),
        (RuntimeError("secret"), grpc.StatusCode.INTERNAL, "INTERNAL_FAULT", None),
    ],
)
async def test_every_error_becomes_a_status_with_its_reason(
    guarded: GuardedServer, error: Exception, code: grpc.StatusCode, reason: str, retry_after_s: float | None
) -> None:
    await guarded.register("station")

    async def begin(request: Any) -> None:
        raise error

    guarded.steered.begin = begin
    answer = await refused(guarded.uploads().Begin(upload.BeginRequest()))
    assert (answer.code, answer.info.reason, answer.retry_after_s) == (code, reason, retry_after_s)
    assert answer.vietnamese
    assert "secret" not in f"{answer}"
    assert guarded.calls_of(BEGIN, code.name) == 1


async def test_names_the_field_at_fault(guarded: GuardedServer) -> None:
    await guarded.register("station")

    async def begin(request: Any) -> None:
        raise Refusal(Reason.FIELD_TOO_LONG, field="document.result.number", limit=200)

    guarded.steered.begin = begin
    answer = await refused(guarded.uploads().Begin(upload.BeginRequest()))
    assert answer.fields == ("document.result.number",)
    assert dict(answer.info.metadata) == {
        "field": "document.result.number",
        "limit": "200",
        "request_id": answer.request_id,
    }


async def test_an_error_in_the_middle_of_a_stream_arrives_after_what_was_sent(guarded: GuardedServer) -> None:
    await guarded.register("station")
    ended = asyncio.Event()

    async def parts(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            yield upload.UploadPartsResponse()
            raise Refusal(Reason.OFFSET_GAP, part="page 2", persisted_bytes=524288)
        finally:
            ended.set()

    async def reuse(request: Any) -> AsyncIterator[Any]:
        from kho.v1.reuse_service_pb2 import ReuseResponse

        yield ReuseResponse()
        raise KeyError("secret")

    guarded.steered.parts, guarded.steered.reuse = parts, reuse
    stream = guarded.uploads().UploadParts()
    assert await stream.read() == upload.UploadPartsResponse()
    answer = await refused(stream.read())
    assert (answer.code, answer.info.metadata["persisted_bytes"]) == (grpc.StatusCode.OUT_OF_RANGE, "524288")
    assert ended.is_set()
    download = guarded.reuses().Reuse(reuse_request())
    await download.read()
    answer = await refused(download.read())
    assert answer.info.reason == "INTERNAL_FAULT"
    assert "secret" not in f"{answer}"
    assert guarded.metrics.registry.get_sample_value("kho_rpc_faults_total") == 1


async def test_a_client_that_leaves_ends_its_servicer_at_once(guarded: GuardedServer) -> None:
    await guarded.register("station")
    begun, ended = asyncio.Event(), asyncio.Event()

    async def parts(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            begun.set()
            await asyncio.Event().wait()
            yield
        finally:
            ended.set()

    guarded.steered.parts = parts
    stream = guarded.uploads().UploadParts()
    await begun.wait()
    stream.cancel()
    async with asyncio.timeout(5):
        await ended.wait()
        assert await guarded.live.drained(5)
    assert guarded.calls_of("kho.v1.UploadService/UploadParts", "CANCELLED") == 1


async def test_a_broken_client_stream_is_no_orderly_end(guarded: GuardedServer) -> None:
    await guarded.register("station")
    outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def small(requests: AsyncIterator[Any]) -> None:
        try:
            async for _ in requests:
                begun.set()
            outcome.set_result("end")
        except asyncio.CancelledError:
            outcome.set_result("cancelled")
            raise

    guarded.steered.small = small
    stream = guarded.uploads().UploadSmall()
    await stream.write(upload.UploadSmallRequest())
    await begun.wait()
    stream.cancel()
    assert await asyncio.wait_for(outcome, 5) == "cancelled"


async def test_refuses_messages_that_are_too_large_or_no_messages_by_name(guarded: GuardedServer) -> None:
    await guarded.register("station")

    async def parts(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for _ in requests:
            yield upload.UploadPartsResponse()

    guarded.steered.parts = parts
    channel = guarded.channel("station")
    for raw, reason in ((b"\x0a" * (MESSAGE_BYTES + 1), "MESSAGE_TOO_LARGE"), (b"\xff\xff", "FIELD_MALFORMED")):
        answer = await refused(channel.unary_unary(f"/{BEGIN}")(raw))
        assert answer.info.reason == reason
        stream = channel.stream_stream("/kho.v1.UploadService/UploadParts")()
        await stream.write(b"")
        await stream.read()
        await stream.write(raw)
        answer = await refused(stream.read())
        assert answer.info.reason == reason
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(f"/{BEGIN}")(b"\x0a" * (5 * MESSAGE_BYTES))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_bounds_streams_of_a_caller_and_calls_of_the_server(guarded: GuardedServer) -> None:
    await guarded.register("station")
    await guarded.register("agency-a")
    finish = asyncio.Event()

    async def parts(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        yield upload.UploadPartsResponse()
        await finish.wait()

    async def begin(request: Any) -> None:
        await finish.wait()

    guarded.steered.parts = parts
    uploads = guarded.uploads()
    streams = [uploads.UploadParts() for _ in range(4)]
    for stream in streams:
        await stream.read()
    answer = await refused(uploads.UploadParts().read())
    assert (answer.info.reason, answer.retry_after_s) == ("TOO_MANY_REQUESTS", 2)
    others = guarded.uploads("agency-a")
    await others.Begin(upload.BeginRequest())
    guarded.steered.begin = begin
    waiting = [asyncio.ensure_future(others.Begin(upload.BeginRequest())) for _ in range(13)]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=10)
    answer = await refused(next(iter(done)))
    assert answer.info.reason == "TOO_MANY_REQUESTS"
    finish.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(isinstance(each, upload.BeginResponse) for each in results) == 12


async def test_strangers_choose_no_label(guarded: GuardedServer) -> None:
    await guarded.register("station")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await guarded.channel("station").unary_unary("/kho.v1.UploadService/Nguyen-Van-A")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert guarded.calls_of("unknown", "UNIMPLEMENTED") == 1
    labels = {
        sample.labels["method"]
        for family in guarded.metrics.registry.collect()
        for sample in family.samples
        if "method" in sample.labels
    }
    assert labels == {"unknown"}


async def test_logs_one_json_line_a_call_without_what_was_asked(guarded: GuardedServer) -> None:
    await guarded.register("station")

    async def begin(request: Any) -> None:
        try:
            raise ValueError("DETAIL: Key (owner_key)=(012345678901) already exists")
        except ValueError as error:
            raise RuntimeError("H46.000001") from error

    guarded.steered.begin = begin
    written = io.StringIO()
    with json_logs("info", written):
        answer = await refused(guarded.uploads().Begin(upload.BeginRequest(document_id="Trần Thị B")))
        logging.getLogger("grpc").info("noise")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert len(lines) == 1
    assert lines[0]["level"] == "error"
    assert lines[0]["request_id"] == answer.request_id
    assert (lines[0]["method"], lines[0]["code"], lines[0]["reason"]) == (BEGIN, "INTERNAL", "INTERNAL_FAULT")
    assert "builtins.ValueError" in lines[0]["traceback"]
    for private in ("012345678901", "H46.000001", "Trần"):
        assert private not in lines[0]["traceback"].replace('raise RuntimeError("H46.000001")', "").replace(
            'raise ValueError("DETAIL: Key (owner_key)=(012345678901) already exists")', ""
        )
