"""UploadService: wire in, domain out."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid5

import grpc

from kho.v1 import upload_service_pb2 as pb
from kho.v1 import upload_service_pb2_grpc
from kho_server.archive.beginning import Beginning
from kho_server.archive.caller import Caller
from kho_server.archive.committing import ClaimedPart, Committed, Committing
from kho_server.archive.opening import Begun
from kho_server.archive.refusals import Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_server.archive.upload_desk import UploadDesk
from kho_server.archive.upload_session import UploadSession
from kho_server.rpc.current import current_caller
from kho_server.rpc.document_codec import (
    STATE_NUMBERS,
    begun_message,
    part_id,
    progress_message,
    role_of,
    said_of_document,
    sha256_of,
    variant_of,
)
from kho_server.rpc.result_codec import shown_public_code
from kho_server.rpc.stream_feed import StreamFeed
from kho_server.rules.media_type import MediaType
from kho_storage.digest import Digest
from kho_storage.records.document import DocumentState

_Context = grpc.aio.ServicerContext[Any, Any]


class UploadServicer(upload_service_pb2_grpc.UploadServiceServicer):
    """Serves the four calls of uploading."""

    def __init__(self, beginning: Beginning, desk: UploadDesk, committing: Committing) -> None:
        """Hand in the use cases."""
        self._beginning = beginning
        self._desk = desk
        self._committing = committing

    async def Begin(self, request: pb.BeginRequest, context: _Context) -> pb.BeginResponse:  # noqa: N802
        """Open an upload, or find it again."""
        return begun_message(await self._begin(current_caller(), request), self._desk.limits)

    async def UploadParts(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.UploadPartsRequest], context: _Context
    ) -> AsyncIterator[pb.UploadPartsResponse]:
        """Take parts, acknowledge what is durable."""
        caller = current_caller()
        limits = self._desk.limits
        feed = StreamFeed(request_iterator, tick_s=limits.acknowledge_every_s, stall_timeout_s=limits.stall_timeout_s)
        try:
            first = await feed.next()
            if first is None or first.WhichOneof("message") != "open":
                raise Refusal(Reason.STREAM_OUT_OF_ORDER)
            session = await self._desk.open(caller, first.open.document_id, first.open.version)
            feeder = asyncio.ensure_future(self._feed(session, feed))
            try:
                while (progress := await session.next_progress()) is not None:
                    yield pb.UploadPartsResponse(progress=progress_message(progress))
            finally:
                # The read is stopped, not the write: a cancelled write would leave a thread writing behind our back.
                feed.end()
                await self._desk.close(session, feeder)
        finally:
            feed.end()

    async def Commit(self, request: pb.CommitRequest, context: _Context) -> pb.CommitResponse:  # noqa: N802
        """Seal an upload."""
        return _committed(await self._commit(current_caller(), request, request.document_id, request.version), ())

    async def UploadSmall(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.UploadSmallRequest], context: _Context
    ) -> pb.UploadSmallResponse:
        """Begin, take the parts and seal in one call."""
        caller = current_caller()
        limits = self._desk.limits
        feed = StreamFeed(request_iterator, tick_s=limits.acknowledge_every_s, stall_timeout_s=limits.stall_timeout_s)
        try:
            first = await feed.next()
            if first is None or first.WhichOneof("message") != "begin":
                raise Refusal(Reason.STREAM_OUT_OF_ORDER)
            if first.begin.pages + first.begin.renditions > limits.small_parts:
                raise Refusal(Reason.TOO_MANY_PAGES, field="begin.pages", limit=limits.small_parts)
            # One call, so one request id may stand in both messages: its beginning gets an id of its own.
            request_id = parse_uuid("begin.request_id", first.begin.request_id)
            first.begin.request_id = str(uuid5(request_id, "begin of UploadSmall"))
            begun = await self._begin(caller, first.begin)
            document_id = first.begin.document_id
            commit = await self._take_small(caller, feed, document_id, begun)
            version = commit.version or begun.version
            committed = await self._commit(caller, commit, document_id, version)
            return pb.UploadSmallResponse(commit=_committed(committed, begun.warnings))
        finally:
            feed.end()

    async def _take_small(
        self, caller: Caller, feed: StreamFeed[pb.UploadSmallRequest], document_id: str, begun: Begun
    ) -> pb.CommitRequest:
        """Take parts until the commit comes; of a sealed document they are read and dropped."""
        if begun.sealed_state is not None:
            while (message := await feed.next()) is not None:
                if message.WhichOneof("message") == "commit":
                    return message.commit
            raise Refusal(Reason.STREAM_OUT_OF_ORDER)
        session = await self._desk.open(caller, document_id, begun.version)
        try:
            while (message := await feed.next(session.tick)) is not None:
                match message.WhichOneof("message"):
                    case "header":
                        await self._header(session, message.header)
                    case "data":
                        await _data(session, message.data)
                    case "commit":
                        await session.finish()
                        return message.commit
                    case _:
                        break
            raise Refusal(Reason.STREAM_OUT_OF_ORDER)
        finally:
            await self._desk.close(session)

    async def _begin(self, caller: Caller, request: pb.BeginRequest) -> Begun:
        return await self._beginning.begin(
            caller,
            request.request_id,
            request.officer_id,
            request.document_id,
            said_of_document(request.document),
            request.pages,
            request.renditions,
        )

    async def _commit(self, caller: Caller, request: pb.CommitRequest, document_id: str, version: int) -> Committed:
        if len(request.parts) > self._desk.limits.pages + self._desk.limits.renditions:
            raise Refusal(Reason.TOO_MANY_PAGES, field="parts", limit=self._desk.limits.pages)
        claimed = [_claimed(part) for part in request.parts]
        if len({claim.part for claim in claimed}) != len(claimed):
            raise Refusal(Reason.FIELD_MALFORMED, field="parts.key")
        return await self._committing.commit(
            caller, request.request_id, request.officer_id, document_id, version, claimed
        )

    async def _feed(self, session: UploadSession, feed: StreamFeed[pb.UploadPartsRequest]) -> None:
        """Bring messages to the session until the stream ends; whatever goes wrong ends the stream with it."""
        try:
            while (message := await feed.next(session.tick)) is not None:
                match message.WhichOneof("message"):
                    case "header":
                        await self._header(session, message.header)
                    case "data":
                        await _data(session, message.data)
                    case _:
                        raise Refusal(Reason.STREAM_OUT_OF_ORDER)
            await session.finish()
        except Exception as error:
            session.fail(error)

    async def _header(self, session: UploadSession, header: pb.PartHeader) -> None:
        self._desk.admit()
        part = part_id(header.key, "header.key")
        media_type = MediaType.parse("header.media_type", header.media_type)
        if header.size_bytes < 0:
            raise Refusal(Reason.FIELD_MALFORMED, field="header.size_bytes")
        digest = Digest(sha256_of(header.digest, "header.digest"), header.size_bytes)
        await session.begin_part(part, digest, media_type)


async def _data(session: UploadSession, data: pb.PartData) -> None:
    match data.WhichOneof("source"):
        case "data":
            await session.data(data.offset, data.data, data.crc32c)
        case "copy":
            await session.copy(data.offset, data.copy.page, data.copy.offset, data.copy.length)
        case _:
            raise Refusal(Reason.FIELD_REQUIRED, field="data.source")


def _claimed(part: pb.SealedPart) -> ClaimedPart:
    return ClaimedPart(
        part=part_id(part.key, "parts.key"),
        sha256=sha256_of(part.digest, "parts.digest"),
        media_type=MediaType.parse("parts.media_type", part.media_type),
        variant=variant_of(part.variant, "parts.variant"),
        role=role_of(part.role, "parts.role"),
    )


def _committed(committed: Committed, warnings: Any) -> pb.CommitResponse:
    return pb.CommitResponse(
        document_id=committed.document_id,
        version=committed.version,
        state=STATE_NUMBERS[DocumentState(committed.state)],
        result_code=committed.result_code or "",
        public_code=shown_public_code(committed.public_code) if committed.public_code else "",
        manifest_digest=f"sha256:{committed.manifest_sha256}",
        warnings_vi=[warning.text_vi for warning in warnings],
        warnings_en=[warning.text_en for warning in warnings],
    )
