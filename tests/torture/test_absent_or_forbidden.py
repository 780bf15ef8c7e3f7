"""What is absent and what is forbidden are answered by the same bytes; how long they take, the campaign measures."""

import random
import re

import grpc
import pytest

from kho.v1 import result_service_pb2, reuse_service_pb2
from tests.end_to_end.caller import new_id
from tests.end_to_end.serving import Server
from tests.torture.absent_or_forbidden import absent_like, forbidden_codes, measured


async def test_the_same_answer_to_the_byte(server: Server) -> None:
    codes = (await forbidden_codes(server))[:3]
    draw = random.Random(1)
    async with server.caller("agency-c") as stranger:
        for code in codes:
            for purpose in (None, reuse_service_pb2.Purpose(dossier_code="000.00.18.H46-261121-0001")):
                seen = []
                metadata = (("kho-request-id", new_id()),)
                for asked in (code, absent_like(code, draw)):
                    if purpose is None:
                        looking = result_service_pb2.LookupResultRequest(code=asked)
                        call = stranger.results.LookupResult(looking, metadata=metadata)
                        with pytest.raises(grpc.aio.AioRpcError) as caught:
                            await call
                    else:
                        reusing = reuse_service_pb2.ReuseRequest(request_id=new_id(), code=asked, purpose=purpose)
                        with pytest.raises(grpc.aio.AioRpcError) as caught:
                            async for _ in stranger.reuses.Reuse(reusing, metadata=metadata):
                                pass
                    error = caught.value
                    trailers, headers = tuple(error.trailing_metadata()), tuple(error.initial_metadata())
                    seen.append((error.code(), error.details(), trailers, headers))
                assert seen[0] == seen[1]
                assert seen[0][0] is grpc.StatusCode.NOT_FOUND


async def test_a_batch_answers_absent_and_forbidden_alike(server: Server) -> None:
    codes = (await forbidden_codes(server))[:5]
    absent = [absent_like(code, random.Random(2)) for code in codes]
    async with server.caller("agency-c") as stranger:
        request = result_service_pb2.BatchLookupResultsRequest(codes=[*codes, *absent])
        lines = (await stranger.results.BatchLookupResults(request)).lines
    assert len({line.SerializeToString() for line in lines}) == 1


async def test_both_do_the_same_work(server: Server) -> None:
    """The campaign's measurement, short: that it runs, not what it says on a busy machine."""
    codes = await forbidden_codes(server)
    async with server.caller("agency-c") as stranger:
        medians = await measured(stranger, codes, 50, random.Random(3))
    assert re.fullmatch(r"median absent [\d.]+ ms, forbidden [\d.]+ ms: they differ by [\d.]+%", medians.line())
