"""Load of inter-agency systems: look-ups and reuse, with the generated stubs alone."""

import itertools
import random
from collections.abc import Sequence
from uuid import uuid4

import google_crc32c
import grpc

from kho.v1 import (
    result_service_pb2,
    result_service_pb2_grpc,
    reuse_service_pb2,
    reuse_service_pb2_grpc,
)
from ops.bench.station import Tally

DOSSIER = "000.00.17.H46-261121-0001"


class Agency:
    """One worker of an agency's system over one connection; a call at a time."""

    def __init__(self, channel: grpc.aio.Channel, tally: Tally, codes: Sequence[str], seed: int) -> None:
        """Ask for `codes` in an order of its own."""
        self._results: result_service_pb2_grpc.ResultServiceAsyncStub
        self._results = result_service_pb2_grpc.ResultServiceStub(channel)
        self._reuse: reuse_service_pb2_grpc.ReuseServiceAsyncStub = reuse_service_pb2_grpc.ReuseServiceStub(channel)
        self._tally = tally
        shuffled = list(codes)
        random.Random(seed).shuffle(shuffled)  # noqa: S311 - an order, no secret
        self._codes = itertools.cycle(shuffled)

    async def look_up(self) -> None:
        """Look single codes up until the round is over."""
        while not self._tally.is_over():
            began_at = self._tally.clock()
            answer = await self._results.LookupResult(result_service_pb2.LookupResultRequest(code=next(self._codes)))
            self._tally.done(began_at)
            self._tally.moved(answer.ByteSize())

    async def look_up_batches(self, lines: int) -> None:
        """Look so many codes up at once until the round is over; each batch counts."""
        while not self._tally.is_over():
            codes = list(itertools.islice(self._codes, lines))
            began_at = self._tally.clock()
            answer = await self._results.BatchLookupResults(result_service_pb2.BatchLookupResultsRequest(codes=codes))
            if any(line.HasField("refusal") for line in answer.lines):
                raise RuntimeError("a code of the measurement was not found")
            self._tally.done(began_at)

    async def fetch(self) -> None:
        """Fetch content until the round is over; each whole file counts, and all bytes in time."""
        while not self._tally.is_over():
            began_at = self._tally.clock()
            purpose = reuse_service_pb2.Purpose(dossier_code=DOSSIER)
            request = reuse_service_pb2.ReuseRequest(request_id=str(uuid4()), code=next(self._codes), purpose=purpose)
            async for message in self._reuse.Reuse(request):
                if message.HasField("data"):
                    data = message.data.data
                    if google_crc32c.value(data) != message.data.crc32c:
                        raise RuntimeError("a message of content was damaged")
                    self._tally.moved(len(data))
            self._tally.done(began_at)
