"""A few worker processes that judge files, each killable: a poisoned file costs one worker, not the server."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from kho_server.verification.errors import (
    SourceChanged,
    SourceUnreadable,
    VerificationError,
    VerifierBusy,
    VerifierUnavailable,
)
from kho_server.verification.fair_queue import FairQueue, QueueFullError
from kho_server.verification.limits import WorkerLimits
from kho_server.verification.port import SignatureVerifier
from kho_server.verification.refusal import refusal
from kho_server.verification.trust_folder import NoTrustFolder, TrustFolder
from kho_server.verification.verdict import Remark, Verdict
from kho_server.verification.worker_process import WorkerLostError, WorkerProcess

_RETRY_AFTER_S = 2.0
# One worker may die by no fault of the file (an operator, the kernel's hunt for memory); two hardly.
_ATTEMPTS = 2


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class _Job:
    source: Path
    digest: str
    at: datetime
    answer: asyncio.Future[Verdict]
    content: Path | None = None

    def question(self) -> dict[str, Any]:
        content = None if self.content is None else str(self.content.absolute())
        return {
            "path": str(self.source.absolute()),
            "digest": self.digest,
            "at": self.at.isoformat(),
            "content": content,
        }


class WorkerPool(SignatureVerifier):
    """Judges files in worker processes; start it before use, close it after.

    Trust material is read from `trust` by each worker, and read again when a file there changes; without a folder
    only integrity is judged.
    """

    def __init__(
        self,
        trust: Path | None,
        *,
        limits: WorkerLimits | None = None,
        clock: Callable[[], datetime] = _now,
        policy: Path | None = None,
    ) -> None:
        """`policy` is a file of rules to judge by, whatever the control time; None for those in force then."""
        self._policy = None if policy is None else policy.absolute()
        self._trust = None if trust is None else trust.absolute()
        self._limits = limits or WorkerLimits()
        self._clock = clock
        self._queue: FairQueue[_Job] = FairQueue(self._limits.waiting)
        self._seats: list[_Seat] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._refusals: TrustFolder = NoTrustFolder() if trust is None else TrustFolder(trust)
        self.restarts = 0
        """Workers that were lost or killed since the start; replacing one by plan does not count."""

    @property
    def waiting(self) -> int:
        """Files that no worker has taken up yet."""
        return len(self._queue)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the living workers."""
        workers = (seat.worker for seat in self._seats)
        return tuple(worker.pid for worker in workers if worker is not None and worker.is_alive)

    async def start(self) -> None:
        """Start all workers and wait until they are ready. VerifierUnavailable: one does not come up."""
        self._seats = [_Seat() for _ in range(self._limits.workers)]
        try:
            for seat in self._seats:
                seat.worker = await WorkerProcess.start(self._trust, self._limits, self._policy)
        except BaseException:
            await self.close()
            raise
        self._tasks = [asyncio.create_task(self._serve(seat)) for seat in self._seats]

    async def close(self) -> None:
        """Kill the workers; whoever still waits gets VerifierUnavailable. Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for seat in self._seats:
            if seat.worker is not None:
                await seat.worker.kill()
                seat.worker = None
        for job in self._queue.drain():
            _settle(job, VerifierUnavailable("verification is shutting down; ask again later"))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def verify(
        self, source: Path, digest: str, *, at: datetime | None = None, caller: str = "", content: Path | None = None
    ) -> Verdict:
        """Judge a file; see the port. `at` is the control time, now if None; callers take turns.

        `content` is the file that a detached signature signs.
        """
        if not self._tasks:
            raise VerifierUnavailable("verification is not running; ask again later")
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put(caller, _Job(source, digest, at or self._clock(), answer, content))
        except QueueFullError:
            raise VerifierBusy(self.waiting, _RETRY_AFTER_S) from None
        return await answer

    async def _serve(self, seat: "_Seat") -> None:
        while True:
            job = await self._queue.take()
            if job.answer.done():
                continue  # whoever asked has gone
            try:
                _settle(job, await self._judge(seat, job))
            except VerificationError as error:
                _settle(job, error)
            except asyncio.CancelledError:
                _settle(job, VerifierUnavailable("verification is shutting down; ask again later"))
                raise
            # Now, so that the next file does not wait for libraries to load.
            with contextlib.suppress(VerifierUnavailable):
                await self._ready_worker(seat)

    async def _judge(self, seat: "_Seat", job: _Job) -> Verdict:
        for _ in range(_ATTEMPTS):
            worker = await self._ready_worker(seat)
            try:
                answer = await worker.ask(job.question(), self._limits.wall_clock_s)
            except TimeoutError:
                await self._lose(seat)
                return await self._refused(job, Remark.RESOURCE_LIMIT)
            except WorkerLostError as lost:
                await self._lose(seat)
                if lost.signal == signal.SIGXCPU:
                    return await self._refused(job, Remark.RESOURCE_LIMIT)
                continue
            if answer.get("retire"):
                await self._lose(seat)
            return _verdict(answer)
        return await self._refused(job, Remark.WORKER_LOST)

    async def _ready_worker(self, seat: "_Seat") -> WorkerProcess:
        worker = seat.worker
        if worker is not None and not worker.is_alive:
            await self._lose(seat)
        elif worker is not None and worker.answered >= self._limits.files_per_worker:
            seat.worker = None
            await worker.kill()
        if seat.worker is None:
            seat.worker = await WorkerProcess.start(self._trust, self._limits, self._policy)
        return seat.worker

    async def _lose(self, seat: "_Seat") -> None:
        self.restarts += 1
        worker, seat.worker = seat.worker, None
        if worker is not None:
            await worker.kill()

    async def _refused(self, job: _Job, remark: Remark) -> Verdict:
        trust = await asyncio.to_thread(self._refusals.material)
        return refusal(job.digest, trust.version, job.at, remark)


class _Seat:
    """A place for one worker at a time."""

    def __init__(self) -> None:
        self.worker: WorkerProcess | None = None


def _verdict(answer: dict[str, Any]) -> Verdict:
    match answer:
        case {"verdict": dict() as plain}:
            # A worker that a file took over may say anything.
            with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                return Verdict.from_json(plain)
        case {"error": "SOURCE_CHANGED"}:
            raise SourceChanged("the stored bytes do not have the digest they are stored under")
        case {"error": "SOURCE_UNREADABLE"}:
            raise SourceUnreadable("the file that should be verified cannot be read")
    raise VerifierUnavailable("a verification worker gave no answer that can be understood")


def _settle(job: _Job, outcome: Verdict | VerificationError) -> None:
    if job.answer.done():
        return
    if isinstance(outcome, Verdict):
        job.answer.set_result(outcome)
    else:
        job.answer.set_exception(outcome)
