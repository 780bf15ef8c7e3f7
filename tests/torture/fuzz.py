"""Says to a server whatever its wire format allows, and whatever it does not: no fault, no hang, no growth of memory.

Run as `python -m tests.torture.fuzz --minutes 10 --seed 1`. Status 1: findings, each with the smallest message that
shows it.
"""

import argparse
import asyncio
import itertools
import random
import re
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from kho.v1 import (
    access_service_pb2,
    document_service_pb2,
    registry_service_pb2,
    result_service_pb2,
    reuse_service_pb2,
    server_service_pb2,
    upload_service_pb2,
    verification_service_pb2,
)
from tests.end_to_end.caller import Caller, new_id
from tests.end_to_end.papers import Paper, scanned, signed
from tests.end_to_end.serving import Server
from tests.server.rpc.refused import Refused
from tests.torture.raw_frames import RawClient
from tests.torture.wire_messages import messages, mutants

_FILES = (
    access_service_pb2,
    document_service_pb2,
    registry_service_pb2,
    result_service_pb2,
    reuse_service_pb2,
    server_service_pb2,
    upload_service_pb2,
    verification_service_pb2,
)
_SETTINGS = {
    "verify_workers": "1",
    "reserve_bytes": "0",
    "log_level": "warning",
    "stall_timeout_s": "2",
    "verify_wall_clock_s": "3",
}
_WITHIN_S = 15.0
_BATCH = 25
_CALLERS = ("station", "agency-b", "admin", "operator")
# Waiting is its work: it may go on for as long as the caller waits.
_WAITS = "WaitForVerdict"
_WAIT_S = 0.3
# An allocator keeps what it once held; what leaks goes on growing.
_GROWTH_BYTES = 96 << 20
# What a client writes after a refusal may hide it (grpc #36066); the server's own count of codes says what it was.
_HIDDEN = "Internal error from Core"
_FAULTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE)


@dataclass
class Fuzzed:
    """What was said and what came back."""

    calls: int = 0
    connections: int = 0
    seconds: float = 0.0
    codes: Counter[str] = field(default_factory=Counter)
    memory_bytes: list[int] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return them for people."""
        codes = ", ".join(f"{code} {count}" for code, count in self.codes.most_common())
        memory = " -> ".join(f"{each >> 20}" for each in (self.memory_bytes[0], self.memory_bytes[-1]))
        return [
            f"calls {self.calls}, raw connections {self.connections} in {self.seconds:.0f} s",
            f"answers: {codes}",
            f"memory of the server: {memory} MiB",
            f"findings: {len(self.findings)}",
            *(f"  {finding}" for finding in self.findings[:30]),
        ]


class Fuzz:
    """One server and all who say nonsense to it; `run` once."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Keep the server's data in `folder`."""
        self._server = Server(folder, dict(_SETTINGS))
        self._seed = seed
        self._draw = random.Random(seed)
        self._runner = asyncio.Runner()
        self._callers: dict[str, Caller] = {}
        self._hints: tuple[str, ...] = ()
        self._templates: dict[str, list[Message]] = {}
        self.fuzzed = Fuzzed()

    def run(self, seconds: float) -> Fuzzed:
        """Go round all methods, each time with another seed, until the time is over."""
        self._server.start_blocking()
        started = time.monotonic()
        stack = AsyncExitStack()
        try:
            with self._runner:
                self._runner.run(self._prepare(stack))
                try:
                    for round_ in itertools.count():
                        if time.monotonic() - started > seconds:
                            break
                        for number, method in enumerate(_methods()):
                            if time.monotonic() - started > seconds and round_:
                                break
                            self._fuzz(method, self._seed + 1000 * round_ + number)
                        self._runner.run(self._misuse_connections())
                        self._remember_memory()
                    self._runner.run(self._still_answers())
                    self._runner.run(self._judge_metrics())
                finally:
                    self._runner.run(stack.aclose())
        finally:
            self._server.stop_blocking()
        self.fuzzed.seconds = time.monotonic() - started
        self._judge_memory()
        self._judge_log()
        return self.fuzzed

    async def _prepare(self, stack: AsyncExitStack) -> None:
        for name in _CALLERS:
            self._callers[name] = await stack.enter_async_context(self._server.caller(name))
        station = self._callers["station"]
        paper, half = await signed(self._server.pki), scanned(2)
        result = await station.store_judged(paper)
        open_one = await station.begin(half)
        await station.send([half.open(), *half.sheets[0].messages()])
        taken = await self._callers["agency-b"].reuse(result.result_code)
        self._hints = (
            paper.document_id,
            half.document_id,
            result.result_code,
            result.public_code,
            open_one.result_code,
            taken.header.access_id,
            half.sheets[0].digest,
            "000.00.16.H46-261121-0001",
            "000.00.16.H46",
            "1.000894",
            "KQ.G15.000031",
            "agency-a",
            "officer-a",
            "officer-b",
            "038085001234",
            "2026-11-21",
        )
        self._templates = _templates(paper, half, result.result_code)
        self._remember_memory()

    def _fuzz(self, method: MethodDescriptor, seed: int) -> None:
        """Let hypothesis draw requests; what fails is shrunk and told."""
        templates = self._templates.get(method.name, [])
        single = messages(method.input_type, self._hints)
        if templates:
            single = st.one_of(single, mutants(templates, self._hints), mutants(templates, self._hints))
        requests = (
            st.lists(single, min_size=1, max_size=6)
            if method.client_streaming
            else st.lists(single, min_size=1, max_size=1)
        )
        if method.client_streaming and templates:
            # In their order and with one of them replaced: the farthest that nonsense comes.
            requests = st.one_of(requests, _replaced(templates, single))
        who = self._draw.choice(_CALLERS[:2] if "Registry" not in method.full_name else ("admin", "station"))

        @seeded(seed)
        @settings(
            max_examples=_BATCH,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(requests)
        def say(said: list[Message]) -> None:
            wrong = self._runner.run(self._call(self._callers[who], method, said))
            assert not wrong, f"{method.full_name} as {who}, seed {seed}: {wrong}: {_shown(said)}"

        try:
            say()
        except AssertionError as error:
            self.fuzzed.findings.append(str(error)[:2000])
        raw = self._draw.randbytes(self._draw.choice((0, 1, 10, 200, 5000)))
        wrong = self._runner.run(self._call(self._callers[who], method, [raw]))
        if wrong:
            self.fuzzed.findings.append(f"{method.full_name} as {who}: {wrong}: body {raw[:200].hex()}")

    async def _call(self, caller: Caller, method: MethodDescriptor, said: "Sequence[Message | bytes]") -> str:
        """Call once; return what is wrong with the answer, "" if nothing is."""
        self.fuzzed.calls += 1
        timeout = _WAIT_S if method.name == _WAITS else _WITHIN_S
        path = f"/{method.containing_service.full_name}/{method.name}"
        bodies = [each if isinstance(each, bytes) else each.SerializeToString() for each in said]
        stub: Any = caller.channel.stream_stream(path)
        call = stub(iter(bodies), timeout=timeout, metadata=_metadata(self._draw))
        try:
            async for _ in call:
                pass
            code, details = grpc.StatusCode.OK, ""
        except grpc.aio.AioRpcError as error:
            code, details = error.code(), error.details() or ""
            if details == _HIDDEN:
                self.fuzzed.codes["hidden by the client's library"] += 1
                return ""
            if code in _FAULTS:
                return f"{code.name} {details}"
            has_details = any(name == "grpc-status-details-bin" for name, _ in error.trailing_metadata() or ())
            if code is grpc.StatusCode.DEADLINE_EXCEEDED and not has_details and method.name != _WAITS:
                return f"no answer within {timeout:g} s"
            if has_details:
                Refused.of(error)
        self.fuzzed.codes[code.name] += 1
        return ""

    async def _misuse_connections(self) -> None:
        pki = self._server.pki
        client = RawClient(self._server.address, pki.ca, pki.certificate("station"), pki.key("station"))
        for _ in range(5):
            await asyncio.gather(*(client.misuse(self._draw) for _ in range(8)))
            self.fuzzed.connections += 8
        await self._still_answers()

    async def _still_answers(self) -> None:
        async with self._server.caller("station") as fresh:
            await fresh.store(scanned(1))

    def _remember_memory(self) -> None:
        status = Path(f"/proc/{self._server.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        self.fuzzed.memory_bytes.append(int(found[1]) << 10)

    async def _judge_metrics(self) -> None:
        """Ask the server which codes it answered: clients do not see all of them."""
        _, text = await self._server.ops("/metrics")
        for line in text.splitlines():
            if line.startswith("kho_rpcs") and re.search(r'code="(INTERNAL|UNKNOWN)"', line):
                self.fuzzed.findings.append(f"the server counts {line}")

    def _judge_memory(self) -> None:
        """The first rounds fill caches and the allocator's pools; from then on nothing may grow."""
        seen = self.fuzzed.memory_bytes
        settled = seen[min(len(seen) - 1, max(2, len(seen) // 4))]
        if seen[-1] - settled > _GROWTH_BYTES:
            self.fuzzed.findings.append(f"memory grew from {settled >> 20} to {seen[-1] >> 20} MiB")

    def _judge_log(self) -> None:
        for line in self._server.log.splitlines():
            if "by a fault of ours" in line or "Traceback" in line:
                self.fuzzed.findings.append(f"the server says: {line[:1500]}")


def _metadata(draw: random.Random) -> list[tuple[str, str | bytes]]:
    """Draw what stands beside a call: mostly nothing."""
    if draw.random() < 0.7:
        return []
    values = ("", "x", new_id(), new_id().upper(), "{" + new_id() + "}", "0" * 36, "~" * 3000)
    return [
        ("kho-request-id", draw.choice(values)),
        (f"x-{draw.getrandbits(16):x}", draw.choice(values)),
        ("x-some-bin", draw.randbytes(draw.choice((0, 10, 1000)))),
    ]


def _methods() -> Iterator[MethodDescriptor]:
    for file in _FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def _templates(paper: Paper, half: Paper, code: str) -> dict[str, list[Message]]:
    """Return right requests by the name of their method; of a stream, its messages in their order."""
    purpose = reuse_service_pb2.Purpose(dossier_code="000.00.17.H46-261121-0001")
    return {
        "Begin": [scanned(1).begin(new_id()), half.begin(new_id()), paper.begin(new_id())],
        "UploadParts": [*half.messages()],
        "Commit": [half.commit(new_id()), paper.commit(new_id())],
        "UploadSmall": [*scanned(1).small(new_id())],
        "LookupResult": [result_service_pb2.LookupResultRequest(code=code)],
        "BatchLookupResults": [result_service_pb2.BatchLookupResultsRequest(codes=[code, "KHONG.CO.1"])],
        "Reuse": [reuse_service_pb2.ReuseRequest(request_id=new_id(), code=code, purpose=purpose)],
        "GetDocument": [document_service_pb2.GetDocumentRequest(document_id=paper.document_id)],
        "ListDocuments": [document_service_pb2.ListDocumentsRequest(page_size=10)],
        "ReadContent": [document_service_pb2.ReadContentRequest(document_id=paper.document_id)],
        "AddRendition": [
            document_service_pb2.AddRenditionRequest(
                request_id=new_id(), document_id=paper.document_id, base_version=1, renditions=1
            )
        ],
        "CorrectDocument": [
            document_service_pb2.CorrectDocumentRequest(
                request_id=new_id(), document_id=paper.document_id, base_version=1, reason="quét nhầm", pages=1
            )
        ],
    }


def _replaced(templates: Sequence[Message], single: st.SearchStrategy[Message]) -> st.SearchStrategy[list[Message]]:
    def replace(place: int, other: Message) -> list[Message]:
        return [*templates[:place], other, *templates[place + 1 :]]

    return st.builds(replace, st.integers(0, len(templates) - 1), single)


def _shown(said: "Sequence[Message]") -> str:
    """Show messages so that they can be sent again: text for people is lossy, bytes are not."""
    shown = [f"{type(each).__name__} {each.SerializeToString().hex()[:600]} ({str(each)[:300]!r})" for each in said]
    return "; ".join(shown)


def main() -> int:
    """Fuzz and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        fuzzed = Fuzz(Path(folder), arguments.seed).run(arguments.minutes * 60)
    print("\n".join(fuzzed.lines()))
    return 1 if fuzzed.findings else 0


if __name__ == "__main__":
    sys.exit(main())
