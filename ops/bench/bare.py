"""The measure: a bare `grpc.aio` server that acknowledges and answers, and does nothing else.

Same protos, mutual TLS, options of the wire, messages and acknowledgements as Kho; no gate, no disk, no database.
Run as `python -m ops.bench.bare PKI READY-FILE ANSWERS-FILE`; it serves until SIGTERM.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import google_crc32c
import grpc

from kho.v1 import (
    content_pb2,
    document_pb2,
    result_pb2,
    result_service_pb2,
    result_service_pb2_grpc,
    reuse_service_pb2,
    reuse_service_pb2_grpc,
    upload_service_pb2,
    upload_service_pb2_grpc,
)
from kho_server.config import Config
from kho_server.dev_pki import DevPki
from kho_server.wire_room import server_options

_PIECE_BYTES = 256 * 1024
_UNACKNOWLEDGED_BYTES = 4 * 1024 * 1024
_Context = grpc.aio.ServicerContext[Any, Any]


class BareUploads(upload_service_pb2_grpc.UploadServiceServicer):
    """Acknowledges every part as soon as its last byte is here, looks at no byte and keeps none."""

    async def Begin(  # noqa: N802
        self, request: upload_service_pb2.BeginRequest, context: _Context
    ) -> upload_service_pb2.BeginResponse:
        """Answer with limits."""
        limits = upload_service_pb2.UploadLimits(
            chunk_bytes=_PIECE_BYTES, unacknowledged_bytes=_UNACKNOWLEDGED_BYTES, stall_timeout_s=45
        )
        return upload_service_pb2.BeginResponse(version=1, limits=limits)

    async def UploadParts(  # noqa: N802
        self, request_iterator: AsyncIterator[upload_service_pb2.UploadPartsRequest], context: _Context
    ) -> AsyncIterator[upload_service_pb2.UploadPartsResponse]:
        """Count bytes."""
        header = upload_service_pb2.PartHeader()
        async for message in request_iterator:
            if message.HasField("header"):
                header = message.header
            elif message.HasField("data"):
                end = message.data.offset + len(message.data.data)
                if end == header.size_bytes:
                    progress = upload_service_pb2.PartProgress(
                        key=header.key, persisted_bytes=end, is_complete=True, digest=header.digest
                    )
                    yield upload_service_pb2.UploadPartsResponse(progress=progress)

    async def Commit(  # noqa: N802
        self, request: upload_service_pb2.CommitRequest, context: _Context
    ) -> upload_service_pb2.CommitResponse:
        """Call it sealed."""
        return _sealed(request)

    async def UploadSmall(  # noqa: N802
        self, request_iterator: AsyncIterator[upload_service_pb2.UploadSmallRequest], context: _Context
    ) -> upload_service_pb2.UploadSmallResponse:
        """Drop the pages, call it sealed."""
        commit = upload_service_pb2.CommitRequest()
        async for message in request_iterator:
            if message.HasField("commit"):
                commit = message.commit
        return upload_service_pb2.UploadSmallResponse(commit=_sealed(commit))


class BareResults(result_service_pb2_grpc.ResultServiceServicer):
    """Gives every look-up the same answer, one that Kho has given."""

    def __init__(self, result: result_pb2.Result) -> None:
        """Take the answer."""
        self._result = result

    async def LookupResult(  # noqa: N802
        self, request: result_service_pb2.LookupResultRequest, context: _Context
    ) -> result_service_pb2.LookupResultResponse:
        """Answer."""
        return result_service_pb2.LookupResultResponse(result=self._result)

    async def BatchLookupResults(  # noqa: N802
        self, request: result_service_pb2.BatchLookupResultsRequest, context: _Context
    ) -> result_service_pb2.BatchLookupResultsResponse:
        """Answer every line."""
        line = result_service_pb2.LookupLine(result=self._result)
        return result_service_pb2.BatchLookupResultsResponse(lines=[line] * len(request.codes))


class BareReuse(reuse_service_pb2_grpc.ReuseServiceServicer):
    """Streams zeros that were made into messages at the start."""

    def __init__(self, sizes: dict[str, int]) -> None:
        """Make the messages of each code's content; `sizes` are in bytes."""
        by_size = {size: _messages(size) for size in sizes.values()}
        self._messages = {code: by_size[size] for code, size in sizes.items()}

    async def Reuse(  # noqa: N802
        self, request: reuse_service_pb2.ReuseRequest, context: _Context
    ) -> AsyncIterator[reuse_service_pb2.ReuseResponse]:
        """Send them."""
        for message in self._messages[request.code]:
            yield message


def _sealed(request: upload_service_pb2.CommitRequest) -> upload_service_pb2.CommitResponse:
    return upload_service_pb2.CommitResponse(
        document_id=request.document_id,
        version=1,
        state=document_pb2.DOCUMENT_STATE_RECEIVED,
        result_code="BARE.0",
        manifest_digest="sha256:" + "0" * 64,
    )


def _messages(size: int) -> list[reuse_service_pb2.ReuseResponse]:
    header = content_pb2.ContentHeader(size_bytes=size, media_type="application/pdf", version=1)
    messages = [reuse_service_pb2.ReuseResponse(header=reuse_service_pb2.ReuseHeader(content=header))]
    for offset in range(0, size, _PIECE_BYTES):
        data = bytes(min(_PIECE_BYTES, size - offset))
        piece = content_pb2.ContentData(offset=offset, data=data, crc32c=google_crc32c.value(data))
        messages.append(reuse_service_pb2.ReuseResponse(data=piece))
    return messages


async def serve(pki: DevPki, ready_file: Path, result: result_pb2.Result, sizes: dict[str, int]) -> None:
    """Serve on a free loopback port, whose address goes to `ready_file`, until SIGTERM."""
    config = Config.read({"data": pki.folder.parent, "dev": True}, {})
    server = grpc.aio.server(options=server_options(config))
    upload_service_pb2_grpc.add_UploadServiceServicer_to_server(BareUploads(), server)
    result_service_pb2_grpc.add_ResultServiceServicer_to_server(BareResults(result), server)
    reuse_service_pb2_grpc.add_ReuseServiceServicer_to_server(BareReuse(sizes), server)
    chain = (pki.server_key.read_bytes(), pki.server_certificate.read_bytes())
    credentials = grpc.ssl_server_credentials([chain], pki.ca.read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    draft = ready_file.with_suffix(".new")
    draft.write_text(f"127.0.0.1:{port}", "utf-8")
    draft.replace(ready_file)
    await ended.wait()
    await server.stop(0)


def main() -> None:
    """Serve as the arguments say."""
    pki, ready_file, answers_file = (Path(word) for word in sys.argv[1:4])
    answers = json.loads(answers_file.read_text("utf-8"))
    result = result_pb2.Result.FromString(bytes.fromhex(answers["result"]))
    asyncio.run(serve(DevPki(pki), ready_file, result, answers["sizes"]))


if __name__ == "__main__":
    main()
