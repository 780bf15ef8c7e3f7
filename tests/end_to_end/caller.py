"""A caller with nothing but the generated stubs: what any client in any language could do."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import grpc
import pytest

from kho.v1 import (
    access_service_pb2_grpc,
    content_pb2,
    document_pb2,
    document_service_pb2,
    document_service_pb2_grpc,
    registry_service_pb2_grpc,
    result_pb2,
    result_service_pb2,
    result_service_pb2_grpc,
    reuse_service_pb2,
    reuse_service_pb2_grpc,
    server_service_pb2_grpc,
    upload_service_pb2,
    upload_service_pb2_grpc,
    verification_service_pb2_grpc,
)
from tests.end_to_end.papers import Paper, Sheet
from tests.server.rpc.refused import Refused

_WITHIN_S = 30.0
_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 4 << 20)]
# What must never reach a stranger in words: where code and files lie, and how the server failed.
_NEVER_TOLD = ("Traceback", "kho_server", "kho_storage", "asyncpg", "/tmp", "/dev/shm", ".py", "postgres")


def new_id() -> str:
    """Return a new UUID for a request or a document."""
    return str(uuid.uuid4())


class Caller:
    """One connection and its stubs; calls that take long fail instead of hanging."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Make the stubs."""
        self.channel = channel
        self.uploads = upload_service_pb2_grpc.UploadServiceStub(channel)
        self.documents = document_service_pb2_grpc.DocumentServiceStub(channel)
        self.results = result_service_pb2_grpc.ResultServiceStub(channel)
        self.reuses = reuse_service_pb2_grpc.ReuseServiceStub(channel)
        self.registry = registry_service_pb2_grpc.RegistryServiceStub(channel)
        self.access = access_service_pb2_grpc.AccessServiceStub(channel)
        self.servers = server_service_pb2_grpc.ServerServiceStub(channel)
        self.verification = verification_service_pb2_grpc.VerificationServiceStub(channel)

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, address: str, ca: Path, certificate: Path | None = None, key: Path | None = None
    ) -> AsyncIterator["Caller"]:
        """Connect with a certificate, or without any."""
        pair = (key.read_bytes(), certificate.read_bytes()) if key and certificate else (None, None)
        credentials = grpc.ssl_channel_credentials(ca.read_bytes(), *pair)
        async with grpc.aio.secure_channel(address, credentials, options=_OPTIONS) as channel:
            yield cls(channel)

    async def begin(
        self, paper: Paper, *, request_id: str | None = None, **changes: Any
    ) -> upload_service_pb2.BeginResponse:
        """Begin a paper."""
        request = paper.begin(request_id or new_id())
        request.MergeFrom(upload_service_pb2.BeginRequest(**changes))
        return await self.uploads.Begin(request, timeout=_WITHIN_S)

    async def send(
        self, messages: Iterable[upload_service_pb2.UploadPartsRequest]
    ) -> list[upload_service_pb2.PartProgress]:
        """Send a whole stream and return all acknowledgements."""
        call = self.uploads.UploadParts(iter(messages), timeout=_WITHIN_S)
        return [answer.progress async for answer in call]

    async def commit(
        self, paper: Paper, *, version: int = 1, request_id: str | None = None, parts: Sequence[Sheet] | None = None
    ) -> upload_service_pb2.CommitResponse:
        """Seal a paper."""
        request = paper.commit(request_id or new_id(), version=version, parts=parts)
        return await self.uploads.Commit(request, timeout=_WITHIN_S)

    async def store(self, paper: Paper) -> upload_service_pb2.CommitResponse:
        """Bring a whole paper in by the long way."""
        begun = await self.begin(paper)
        await self.send(paper.messages(begun.version))
        return await self.commit(paper, version=begun.version)

    async def judged(self, paper: Paper) -> document_pb2.Document:
        """Wait until a paper is judged."""
        request = document_service_pb2.WaitForVerdictRequest(document_id=paper.document_id)
        request.timeout.FromSeconds(20)
        answer = await self.documents.WaitForVerdict(request, timeout=_WITHIN_S)
        return answer.document

    async def store_judged(self, paper: Paper) -> result_pb2.Result:
        """Bring a paper in, wait until it is judged, and return its result."""
        await self.store(paper)
        return (await self.judged(paper)).result

    async def document(self, paper: Paper) -> document_pb2.Document:
        """Show an own document."""
        request = document_service_pb2.GetDocumentRequest(document_id=paper.document_id)
        return (await self.documents.GetDocument(request, timeout=_WITHIN_S)).document

    async def lookup(self, code: str, on: str = "", **metadata: str) -> result_pb2.Result:
        """Look one code up."""
        request = result_service_pb2.LookupResultRequest(code=code, on=on)
        sent = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        return (await self.results.LookupResult(request, timeout=_WITHIN_S, metadata=sent)).result

    async def reuse(self, code: str, dossier: str = "000.00.17.H46-261121-0001", **changes: Any) -> "Taken":
        """Take the content of a result for a dossier."""
        purpose = reuse_service_pb2.Purpose(dossier_code=dossier)
        asked: dict[str, Any] = {"request_id": new_id(), "code": code, "purpose": purpose} | changes
        return await taken(self.reuses.Reuse(reuse_service_pb2.ReuseRequest(**asked), timeout=_WITHIN_S))

    async def read(self, paper: Paper, part: Sheet | None = None, **changes: Any) -> "Taken":
        """Read own content."""
        asked = {"document_id": paper.document_id, "part": part.key if part else None} | changes
        call = self.documents.ReadContent(document_service_pb2.ReadContentRequest(**asked), timeout=_WITHIN_S)
        return await taken(call)


@dataclass(frozen=True)
class Taken:
    """Content as it came: its header, its bytes, and what stood beside them."""

    header: content_pb2.ContentHeader
    content: bytes
    result: result_pb2.Result | None


async def taken(answers: Any) -> Taken:
    """Read a download to its end; the header comes first, each message carries its offset and checksum."""
    header, result, pieces = None, None, bytearray()
    first_offset = None
    async for answer in answers:
        if answer.WhichOneof("message") == "header":
            assert header is None, "one header"
            header = answer.header
            if hasattr(header, "content"):
                header, result = header.content, header.result
            continue
        assert header is not None, "the header comes before the bytes"
        first_offset = answer.data.offset if first_offset is None else first_offset
        assert answer.data.offset == first_offset + len(pieces)
        assert len(answer.data.data) <= 256 * 1024
        assert google_crc32c.value(answer.data.data) == answer.data.crc32c
        pieces += answer.data.data
    assert header is not None
    return Taken(header, bytes(pieces), result)


async def ended(answers: Any, into: list[Any] | None = None) -> None:
    """Read a stream to its end, keeping what came; raises what ended it."""
    async for answer in answers:
        if into is not None:
            into.append(answer)


async def refused(call: Awaitable[Any], code: grpc.StatusCode, reason: str) -> Refused:
    """Await a call that must be refused, and hold the refusal to what every refusal must be."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value, code, reason)


def refusal(error: grpc.aio.AioRpcError, code: grpc.StatusCode, reason: str) -> Refused:
    """Take a refusal apart and hold it to what every refusal must be; an empty reason is any."""
    seen = Refused.of(error)
    assert (seen.code, reason or seen.info.reason) == (code, seen.info.reason), (
        f"{seen.code} {seen.info.reason}: {seen.text}"
    )
    assert seen.info.domain == "kho.v1"
    assert seen.info.metadata["request_id"] == seen.request_id
    assert uuid.UUID(seen.request_id)
    assert seen.vietnamese
    assert not seen.vietnamese.isascii(), f"not Vietnamese: {seen.vietnamese}"
    told = " ".join((seen.text, seen.vietnamese, *seen.info.metadata.values()))
    assert not [word for word in _NEVER_TOLD if word in told], told
    return seen
