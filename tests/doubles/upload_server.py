"""UploadService in memory, over real sockets and mutual TLS, with the promises of the protocol kept.

What is acknowledged survives `restart`; what is not is lost at every break, as a power cut would lose it.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import google_crc32c
import grpc
from grpc import aio

from kho.v1 import document_pb2, upload_service_pb2, upload_service_pb2_grpc
from tests.doubles.refusals import refuse
from tests.doubles.tls_folder import TlsFolder

Name = tuple[int, int]
Context = aio.ServicerContext[Any, Any]
LIMITS = upload_service_pb2.UploadLimits(
    chunk_bytes=64 * 1024,
    page_bytes=1 << 25,
    rendition_bytes=1 << 27,
    pages=10_000,
    unacknowledged_bytes=256 * 1024,
    stall_timeout_s=30,
)


@dataclass
class StoredPart:
    """Bytes of a part: those that are durable, and those that are not yet."""

    header: upload_service_pb2.PartHeader
    durable: bytearray = field(default_factory=bytearray)
    loose: bytearray = field(default_factory=bytearray)
    is_complete: bool = False


@dataclass
class StoredUpload:
    """One document version."""

    begin: upload_service_pb2.BeginRequest
    version: int = 1
    parts: dict[Name, StoredPart] = field(default_factory=dict)
    stream: int = 0
    commit: upload_service_pb2.CommitRequest | None = None


@dataclass
class Knobs:
    """What goes wrong; counts go down as it does."""

    acknowledge_every_bytes: int = 64 * 1024
    refuse_begin: list[tuple[grpc.StatusCode, str, int | None]] = field(default_factory=list)
    refuse_stream: list[tuple[grpc.StatusCode, str]] = field(default_factory=list)
    lose_commit_answers: int = 0
    damage_messages: int = 0
    has_small_path: bool = True
    before_acknowledging: Callable[[], Awaitable[None]] | None = None


class UploadServer(upload_service_pb2_grpc.UploadServiceServicer):
    """The service and the server it runs in; use as an async context."""

    def __init__(self, tls: TlsFolder, *more: Callable[[aio.Server], None]) -> None:
        """`more` registers further services on the same server."""
        self._tls = tls
        self._more = more
        self.port = 0
        self.knobs = Knobs()
        self.uploads: dict[str, StoredUpload] = {}
        self.begins: list[upload_service_pb2.BeginRequest] = []
        self.commits: list[upload_service_pb2.CommitRequest] = []
        self.wire_bytes = 0
        self.repeated_durable_bytes = 0
        self.small_uploads = 0
        self.largest_unacknowledged = 0

    async def __aenter__(self) -> "UploadServer":
        """Listen on a free loopback port."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop at once."""
        await self.stop()

    async def start(self) -> None:
        """Listen; on the same port again after a stop."""
        self._server = aio.server(options=(("grpc.so_reuseport", 0),))
        upload_service_pb2_grpc.add_UploadServiceServicer_to_server(self, self._server)
        for register in self._more:
            register(self._server)
        pair = [(self._tls.server.key_pem(), self._tls.server.certificate_pem())]
        ca = (self._tls.folder / "ca.crt").read_bytes()
        credentials = grpc.ssl_server_credentials(pair, ca, require_client_auth=True)
        self.port = self._server.add_secure_port(f"127.0.0.1:{self.port}", credentials)
        await self._server.start()

    async def stop(self) -> None:
        """Drop every call and everything that is not durable."""
        await self._server.stop(None)
        for upload in self.uploads.values():
            for part in upload.parts.values():
                part.loose.clear()

    def content(self, document_id: str) -> dict[Name, bytes]:
        """Return the durable bytes of a document's parts."""
        return {name: bytes(part.durable) for name, part in self.uploads[document_id].parts.items()}

    async def Begin(  # noqa: N802
        self, request: upload_service_pb2.BeginRequest, context: Context
    ) -> upload_service_pb2.BeginResponse:
        """See the proto."""
        self.begins.append(request)
        if self.knobs.refuse_begin:
            code, reason, retry_after_s = self.knobs.refuse_begin.pop(0)
            await refuse(context, code, reason, retry_after_s=retry_after_s)
        upload = self.uploads.setdefault(request.document_id, StoredUpload(request))
        return self.opened(upload)

    def opened(self, upload: StoredUpload) -> upload_service_pb2.BeginResponse:
        """Tell what is durable."""
        return upload_service_pb2.BeginResponse(
            version=upload.version,
            parts=[_progress(part) for part in upload.parts.values() if part.durable],
            result_code="H46.KQ.1",
            public_code="H46-ABC",
            is_sealed=upload.commit is not None,
            limits=LIMITS,
        )

    async def UploadParts(  # noqa: N802
        self, requests: AsyncIterator[upload_service_pb2.UploadPartsRequest], context: Context
    ) -> AsyncIterator[upload_service_pb2.UploadPartsResponse]:
        """See the proto."""
        first = await anext(requests)
        upload = self.uploads.get(first.open.document_id)
        if upload is None or upload.version != first.open.version:
            await refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "UPLOAD_NOT_OPEN")
        upload.stream += 1
        stream = upload.stream
        part: StoredPart | None = None
        try:
            async for request in requests:
                if stream != upload.stream:
                    await refuse(context, grpc.StatusCode.ABORTED, "UPLOAD_SUPERSEDED")
                if self.knobs.refuse_stream:
                    await refuse(context, *self.knobs.refuse_stream.pop(0))
                if request.HasField("header"):
                    part = await self._header(upload, request.header, context)
                    if part.is_complete:
                        yield upload_service_pb2.UploadPartsResponse(progress=_progress(part))
                    continue
                assert part is not None
                if await self._data(upload, part, request.data, context):
                    if self.knobs.before_acknowledging:
                        await self.knobs.before_acknowledging()
                    yield upload_service_pb2.UploadPartsResponse(progress=_progress(part))
        finally:
            if part is not None:
                part.loose.clear()

    async def _header(
        self, upload: StoredUpload, header: upload_service_pb2.PartHeader, context: Context
    ) -> StoredPart:
        name = (int(header.key.kind), header.key.number)
        if header.size_bytes < 1:
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "PART_EMPTY", part=f"page {name[1]}")
        part = upload.parts.get(name)
        if part is not None and part.is_complete and part.header.digest != header.digest:
            await refuse(context, grpc.StatusCode.ALREADY_EXISTS, "PART_TWICE", part=f"page {name[1]}")
        if part is None:
            part = upload.parts[name] = StoredPart(header)
        part.header = header
        return part

    async def _data(
        self, upload: StoredUpload, part: StoredPart, data: upload_service_pb2.PartData, context: Context
    ) -> bool:
        """Take one message; tell whether it is time to acknowledge."""
        content = data.data
        self.wire_bytes += len(content)
        if data.WhichOneof("source") == "copy":
            source = upload.parts.get((document_pb2.PART_KIND_PAGE, data.copy.page))
            if source is None or not source.is_complete:
                await refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "COPY_SOURCE_MISSING")
            content = bytes(source.durable[data.copy.offset : data.copy.offset + data.copy.length])
        elif self.knobs.damage_messages or google_crc32c.value(content) != data.crc32c:
            self.knobs.damage_messages = max(0, self.knobs.damage_messages - 1)
            await refuse(context, grpc.StatusCode.DATA_LOSS, "CHECKSUM_MISMATCH")
        have = len(part.durable) + len(part.loose)
        if data.offset > have:
            await refuse(context, grpc.StatusCode.OUT_OF_RANGE, "OFFSET_GAP", persisted_bytes=str(have))
        self.repeated_durable_bytes += max(0, min(len(part.durable), data.offset + len(content)) - data.offset)
        part.loose += content[have - data.offset :]
        self.largest_unacknowledged = max(self.largest_unacknowledged, len(part.loose))
        size = len(part.durable) + len(part.loose)
        if size < part.header.size_bytes:
            if len(part.loose) < self.knobs.acknowledge_every_bytes:
                return False
            part.durable += part.loose
            part.loose.clear()
            return True
        whole = bytes(part.durable + part.loose)
        if f"sha256:{hashlib.sha256(whole).hexdigest()}" != part.header.digest:
            part.durable.clear()
            part.loose.clear()
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "DIGEST_MISMATCH")
        part.durable[:] = whole
        part.loose.clear()
        part.is_complete = True
        return True

    async def Commit(  # noqa: N802
        self, request: upload_service_pb2.CommitRequest, context: Context
    ) -> upload_service_pb2.CommitResponse:
        """See the proto."""
        self.commits.append(request)
        upload = self.uploads[request.document_id]
        return await self._seal(upload, request, context)

    async def _seal(
        self, upload: StoredUpload, request: upload_service_pb2.CommitRequest, context: Context
    ) -> upload_service_pb2.CommitResponse:
        declared = upload.begin.pages + upload.begin.renditions
        complete = {name: part for name, part in upload.parts.items() if part.is_complete}
        if upload.version == 1 and len(complete) < declared:
            await refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "PARTS_MISSING", missing_count="1")
        for sealed in request.parts:
            if complete[(int(sealed.key.kind), sealed.key.number)].header.digest != sealed.digest:
                await refuse(context, grpc.StatusCode.ALREADY_EXISTS, "DOCUMENT_SEALED_DIFFERENTLY")
        upload.commit = upload.commit or request
        if self.knobs.lose_commit_answers:
            self.knobs.lose_commit_answers -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return upload_service_pb2.CommitResponse(
            document_id=request.document_id,
            version=upload.version,
            state=document_pb2.DOCUMENT_STATE_RECEIVED,
            result_code="H46.KQ.1",
            public_code="H46-ABC",
            manifest_digest="sha256:" + "0" * 64,
        )

    async def UploadSmall(  # noqa: N802
        self, requests: AsyncIterator[upload_service_pb2.UploadSmallRequest], context: Context
    ) -> upload_service_pb2.UploadSmallResponse:
        """See the proto."""
        if not self.knobs.has_small_path:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        first = await anext(requests)
        self.small_uploads += 1
        upload = self.uploads.setdefault(first.begin.document_id, StoredUpload(first.begin))
        part: StoredPart | None = None
        async for request in requests:
            if self.knobs.refuse_stream:
                await refuse(context, *self.knobs.refuse_stream.pop(0))
            if request.HasField("header"):
                part = await self._header(upload, request.header, context)
            elif request.HasField("data"):
                assert part is not None
                await self._data(upload, part, request.data, context)
            else:
                return upload_service_pb2.UploadSmallResponse(commit=await self._seal(upload, request.commit, context))
        return await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "STREAM_OUT_OF_ORDER")


def _progress(part: StoredPart) -> upload_service_pb2.PartProgress:
    return upload_service_pb2.PartProgress(
        key=part.header.key,
        persisted_bytes=len(part.durable),
        is_complete=part.is_complete,
        digest=part.header.digest if part.is_complete else "",
    )
