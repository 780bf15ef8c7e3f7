"""The other services in memory, just enough to talk to: results, reuse, verification, registry, server information.

Each does what its proto says for the few things it holds; nothing is answered that was not put in or sent.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import google_crc32c
import grpc
from grpc import aio
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from kho.v1 import (
    content_pb2,
    error_reason_pb2,
    registry_pb2,
    registry_service_pb2,
    registry_service_pb2_grpc,
    result_pb2,
    result_service_pb2,
    result_service_pb2_grpc,
    reuse_service_pb2,
    reuse_service_pb2_grpc,
    server_service_pb2,
    server_service_pb2_grpc,
    verdict_pb2,
    verification_service_pb2,
    verification_service_pb2_grpc,
)
from tests.doubles.refusals import refuse

Context = aio.ServicerContext[Any, Any]
CHUNK_BYTES = 16 * 1024


@dataclass
class Answers:
    """What the services hold, and what goes wrong."""

    results: dict[str, result_pb2.Result] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    announced: dict[str, str] = field(default_factory=dict)
    purposes: list[reuse_service_pb2.ReuseRequest] = field(default_factory=list)
    cut_content_after: list[int] = field(default_factory=list)
    damage_content: int = 0
    agencies: dict[str, registry_pb2.Agency] = field(default_factory=dict)
    clock_ahead: timedelta = timedelta()
    is_registered: bool = True

    def register(self, server: aio.Server) -> None:
        """Add all services to a server; rpcs that are not written here answer UNIMPLEMENTED."""
        result_service_pb2_grpc.add_ResultServiceServicer_to_server(Results(self), server)  # type: ignore[abstract]  # the rest: UNIMPLEMENTED
        reuse_service_pb2_grpc.add_ReuseServiceServicer_to_server(Reuse(self), server)
        verification_service_pb2_grpc.add_VerificationServiceServicer_to_server(Verification(), server)  # type: ignore[abstract]  # the rest: UNIMPLEMENTED
        registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(Registry(self), server)  # type: ignore[abstract]  # the rest: UNIMPLEMENTED
        server_service_pb2_grpc.add_ServerServiceServicer_to_server(ServerInfo(self), server)
        health = HealthServicer()
        health.set("", health_pb2.HealthCheckResponse.SERVING)
        add_HealthServicer_to_server(health, server)


class Results(result_service_pb2_grpc.ResultServiceServicer):
    """Look-up by code."""

    def __init__(self, answers: Answers) -> None:
        """Answer from these."""
        self._answers = answers

    async def BatchLookupResults(  # noqa: N802
        self, request: result_service_pb2.BatchLookupResultsRequest, context: Context
    ) -> result_service_pb2.BatchLookupResultsResponse:
        """See the proto."""
        missing = result_service_pb2.LineRefusal(
            reason=error_reason_pb2.ERROR_REASON_RESULT_NOT_FOUND, message_vi="Không có.", message_en="None."
        )
        lines = [
            result_service_pb2.LookupLine(result=self._answers.results[code])
            if code in self._answers.results
            else result_service_pb2.LookupLine(refusal=missing)
            for code in request.codes
        ]
        return result_service_pb2.BatchLookupResultsResponse(lines=lines)


class Reuse(reuse_service_pb2_grpc.ReuseServiceServicer):
    """Content by code."""

    def __init__(self, answers: Answers) -> None:
        """Answer from these."""
        self._answers = answers

    async def Reuse(  # noqa: N802
        self, request: reuse_service_pb2.ReuseRequest, context: Context
    ) -> AsyncIterator[reuse_service_pb2.ReuseResponse]:
        """See the proto."""
        answers = self._answers
        answers.purposes.append(request)
        content = answers.contents.get(request.code)
        if content is None:
            await refuse(context, grpc.StatusCode.NOT_FOUND, "RESULT_NOT_FOUND")
        if request.offset > len(content):
            await refuse(context, grpc.StatusCode.OUT_OF_RANGE, "OFFSET_BEYOND_END", size_bytes=str(len(content)))
        digest = answers.announced.get(request.code, f"sha256:{hashlib.sha256(content).hexdigest()}")
        header = content_pb2.ContentHeader(
            access_id="access-1", digest=digest, size_bytes=len(content), media_type="application/pdf", version=1
        )
        yield reuse_service_pb2.ReuseResponse(header=reuse_service_pb2.ReuseHeader(content=header))
        sent = 0
        for at in range(request.offset, len(content), CHUNK_BYTES):
            if answers.cut_content_after and sent >= answers.cut_content_after[0]:
                answers.cut_content_after.pop(0)
                await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
            data = content[at : at + CHUNK_BYTES]
            crc32c = google_crc32c.value(data)
            if answers.damage_content:
                answers.damage_content -= 1
                data = b"\x00" + data[1:]
            sent += len(data)
            yield reuse_service_pb2.ReuseResponse(data=content_pb2.ContentData(offset=at, data=data, crc32c=crc32c))


class Verification(verification_service_pb2_grpc.VerificationServiceServicer):
    """Says TOTAL_PASSED of what begins like a PDF and holds the word `good`."""

    async def VerifyFile(  # noqa: N802
        self, requests: AsyncIterator[verification_service_pb2.VerifyFileRequest], context: Context
    ) -> verification_service_pb2.VerifyFileResponse:
        """See the proto."""
        data = b"".join([request.data async for request in requests])
        if not data:
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "PART_EMPTY")
        has_passed = data.startswith(b"%PDF") and b"good" in data
        summary = (
            verdict_pb2.VerdictSummary(indication=verdict_pb2.INDICATION_TOTAL_PASSED)
            if has_passed
            else verdict_pb2.VerdictSummary(
                indication=verdict_pb2.INDICATION_TOTAL_FAILED, sub_indication="HASH_FAILURE"
            )
        )
        verdict = verdict_pb2.Verdict(
            summary=summary,
            explanation_vi="Giải thích.",
            explanation_en="Explanation.",
            policy_version="test-1",
            signatures=[verdict_pb2.SignatureReport(field="Sig1", summary=summary, signer="Cán bộ")],
        )
        return verification_service_pb2.VerifyFileResponse(verdict=verdict)


class Registry(registry_service_pb2_grpc.RegistryServiceServicer):
    """Agencies; an id twice in the dictionary is refused."""

    def __init__(self, answers: Answers) -> None:
        """Answer from these."""
        self._answers = answers

    async def RegisterAgencies(  # noqa: N802
        self, request: registry_service_pb2.RegisterAgenciesRequest, context: Context
    ) -> registry_service_pb2.RegisterAgenciesResponse:
        """See the proto."""
        lines = []
        for agency in request.agencies:
            if agency.agency_id in self._answers.agencies:
                refusal = registry_service_pb2.RegistrationLine(
                    refusal=error_reason_pb2.ERROR_REASON_REGISTRATION_EXISTS, message_vi="Đã có.", message_en="Exists."
                )
                lines.append(refusal)
                continue
            self._answers.agencies[agency.agency_id] = agency
            lines.append(registry_service_pb2.RegistrationLine(id=agency.agency_id))
        return registry_service_pb2.RegisterAgenciesResponse(lines=lines)

    async def ListAgencies(  # noqa: N802
        self, request: registry_service_pb2.ListAgenciesRequest, context: Context
    ) -> registry_service_pb2.ListAgenciesResponse:
        """See the proto; one agency to a page, so that paging is needed."""
        names = sorted(self._answers.agencies)
        at = int(request.page_token or 0)
        token = str(at + 1) if at + 1 < len(names) else ""
        page = [self._answers.agencies[name] for name in names[at : at + 1]]
        return registry_service_pb2.ListAgenciesResponse(agencies=page, next_page_token=token)


class ServerInfo(server_service_pb2_grpc.ServerServiceServicer):
    """Knows the time, perhaps a wrong one."""

    def __init__(self, answers: Answers) -> None:
        """Answer from these."""
        self._answers = answers

    async def GetServerInfo(  # noqa: N802
        self, request: server_service_pb2.GetServerInfoRequest, context: Context
    ) -> server_service_pb2.GetServerInfoResponse:
        """See the proto."""
        await asyncio.sleep(0)
        if not self._answers.is_registered:
            await refuse(context, grpc.StatusCode.UNAUTHENTICATED, "CLIENT_CERTIFICATE_UNKNOWN")
        response = server_service_pb2.GetServerInfoResponse(version="9.9", repository_id="H46")
        response.now.FromDatetime(datetime.now(UTC) + self._answers.clock_ahead)
        response.caller.kind = registry_pb2.PRINCIPAL_KIND_STATION
        response.caller.display_name = "desk 3"
        return response
