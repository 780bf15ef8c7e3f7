"""The pool with real worker processes: stopped, killed, starved."""

import asyncio
import hashlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from kho_server.dev_pki import DevPki, revoke_signer
from kho_server.verification.errors import (
    SourceChanged,
    SourceUnreadable,
    VerifierBusy,
    VerifierUnavailable,
)
from kho_server.verification.fair_queue import FairQueue, QueueFullError
from kho_server.verification.limits import MIB, FileLimits, WorkerLimits
from kho_server.verification.port import SignatureVerifier
from kho_server.verification.verdict import Indication, Remark, SubIndication, Verdict
from kho_server.verification.worker_pool import WorkerPool
from tests.server.verification.conftest import NOW

ONE = WorkerLimits(workers=1)


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def signed(by_both: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "signed.pdf"
    path.write_bytes(by_both)
    return path


@asynccontextmanager
async def pool_of(pki: DevPki, limits: WorkerLimits = ONE) -> AsyncIterator[WorkerPool]:
    async with WorkerPool(pki.trust, limits=limits, clock=lambda: NOW + timedelta(minutes=1)) as pool:
        yield pool


async def taken_up(pool: WorkerPool, asked: asyncio.Task[Verdict]) -> None:
    """Let the loop turn until a worker has been handed what was asked."""
    await asyncio.sleep(0)
    while pool.waiting:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not asked.done()


@pytest.fixture
def stopped() -> Iterator[list[int]]:
    """Processes to wake up again, so that a failing test leaves none behind."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            continue


async def test_files_are_judged_side_by_side(pki: DevPki, signed: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pdf"
    junk.write_bytes(b"%PDF-1.4 nothing")
    async with pool_of(pki, WorkerLimits(workers=2)) as pool:
        verifier: SignatureVerifier = pool
        files = [signed, junk] * 4
        verdicts = await asyncio.gather(*(verifier.verify(path, digest_of(path)) for path in files))
        assert [one.indication for one in verdicts] == ["TOTAL_PASSED", "TOTAL_FAILED"] * 4
        assert verdicts[0].digest == digest_of(signed)
        assert verdicts[0].evaluated_at == NOW + timedelta(minutes=1)
        assert len(pool.pids) == 2
        assert pool.restarts == 0


async def test_control_time_may_be_chosen(pki: DevPki, signed: Path) -> None:
    async with pool_of(pki) as pool:
        verdict = await pool.verify(signed, digest_of(signed), at=NOW + timedelta(days=400))
        assert verdict.sub_indication is SubIndication.TRY_LATER


async def test_killed_worker_is_replaced_and_the_file_still_answered(
    pki: DevPki, signed: Path, stopped: list[int]
) -> None:
    async with pool_of(pki) as pool:
        (pid,) = pool.pids
        stopped.append(pid)
        os.kill(pid, signal.SIGSTOP)
        asked = asyncio.create_task(pool.verify(signed, digest_of(signed)))
        await taken_up(pool, asked)
        os.kill(pid, signal.SIGKILL)
        assert (await asked).indication is Indication.TOTAL_PASSED
        assert pool.restarts == 1
        assert pool.pids != (pid,)


async def test_file_that_takes_too_long_costs_one_worker(pki: DevPki, signed: Path, stopped: list[int]) -> None:
    async with pool_of(pki, WorkerLimits(workers=1, wall_clock_s=2)) as pool:
        stopped.extend(pool.pids)
        os.kill(pool.pids[0], signal.SIGSTOP)
        verdict = await pool.verify(signed, digest_of(signed))
        assert verdict.sub_indication is SubIndication.FORMAT_FAILURE
        assert verdict.warnings == (Remark.RESOURCE_LIMIT,)
        assert verdict.digest == digest_of(signed)
        assert pool.restarts == 1
        following = await pool.verify(signed, digest_of(signed))
        assert following.indication is Indication.TOTAL_PASSED
        assert following.policy_version == verdict.policy_version


async def test_file_that_needs_too_much_processor_time_costs_one_worker(pki: DevPki, tmp_path: Path) -> None:
    # Hex digits cost the library most: within the caps, many strings of them in one dictionary.
    strings = b" ".join(b"<" + b"a" * 400_000 + b">" for _ in range(60))
    body = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /AcroForm << /Fields [] /X [" + strings + b"] >> >>\nendobj\n"
    table = b"xref\n0 2\n0000000000 65535 f \n0000000009 00000 n \ntrailer\n<< /Size 2 /Root 1 0 R >>\n"
    slow = tmp_path / "slow.pdf"
    slow.write_bytes(body + table + b"startxref\n%d\n%%%%EOF\n" % len(body))
    async with pool_of(pki, WorkerLimits(workers=1, cpu_s=1, wall_clock_s=60)) as pool:
        verdict = await pool.verify(slow, digest_of(slow))
        assert verdict.warnings == (Remark.RESOURCE_LIMIT,)
        assert pool.restarts == 1


async def test_memory_is_limited(pki: DevPki, signed: Path, tmp_path: Path) -> None:
    big = tmp_path / "big.pdf"
    with big.open("wb") as out:
        out.truncate(700 * MIB)
    limits = WorkerLimits(workers=1, address_space_bytes=600 * MIB, file=FileLimits(file_bytes=800 * MIB))
    async with pool_of(pki, limits) as pool:
        verdict = await pool.verify(big, "0" * 64)
        assert verdict.warnings == (Remark.RESOURCE_LIMIT,)
        assert pool.restarts == 1
        assert (await pool.verify(signed, digest_of(signed))).indication is Indication.TOTAL_PASSED


async def test_file_over_the_size_limit_is_not_read(pki: DevPki, tmp_path: Path) -> None:
    big = tmp_path / "big.pdf"
    with big.open("wb") as out:
        out.truncate(300 * MIB)
    async with pool_of(pki) as pool:
        verdict = await pool.verify(big, "0" * 64)
        assert verdict.warnings == (Remark.RESOURCE_LIMIT,)
        assert pool.restarts == 0


async def test_source_at_fault_is_no_verdict(pki: DevPki, signed: Path, tmp_path: Path) -> None:
    async with pool_of(pki) as pool:
        with pytest.raises(SourceChanged):
            await pool.verify(signed, "0" * 64)
        with pytest.raises(SourceUnreadable):
            await pool.verify(tmp_path / "nowhere.pdf", "0" * 64)
        assert pool.restarts == 0


async def test_trust_folder_is_read_again_when_it_changes(own_pki: DevPki, by_both: bytes, pki: DevPki) -> None:
    path = own_pki.folder / "signed.pdf"
    path.write_bytes(by_both)
    async with pool_of(own_pki) as pool:
        before = await pool.verify(path, digest_of(path))
        assert before.indication is Indication.INDETERMINATE
        for source in pki.trust.iterdir():
            (own_pki.trust / f"other-{source.name}").write_bytes(source.read_bytes())
        after = await pool.verify(path, digest_of(path))
        assert after.indication is Indication.TOTAL_PASSED
        assert after.policy_version != before.policy_version
        revoke_signer(own_pki, "officer", at=NOW, now=NOW)
        assert (await pool.verify(path, digest_of(path))).policy_version != after.policy_version


async def test_workers_are_replaced_by_plan(pki: DevPki, signed: Path) -> None:
    async with pool_of(pki, WorkerLimits(workers=1, files_per_worker=2)) as pool:
        first = pool.pids
        for _ in range(3):
            await pool.verify(signed, digest_of(signed))
        assert pool.pids != first
        assert pool.restarts == 0


async def test_more_than_may_wait_is_refused(pki: DevPki, signed: Path, stopped: list[int]) -> None:
    async with pool_of(pki, WorkerLimits(workers=1, waiting=1)) as pool:
        stopped.extend(pool.pids)
        os.kill(pool.pids[0], signal.SIGSTOP)
        running = asyncio.create_task(pool.verify(signed, digest_of(signed)))
        await taken_up(pool, running)
        waiting = asyncio.create_task(pool.verify(signed, digest_of(signed)))
        await asyncio.sleep(0)
        with pytest.raises(VerifierBusy) as busy:
            await pool.verify(signed, digest_of(signed))
        assert busy.value.retry_after_s > 0
        waiting.cancel()
        os.kill(pool.pids[0], signal.SIGCONT)
        assert (await running).indication is Indication.TOTAL_PASSED


async def test_closing_answers_whoever_waits(pki: DevPki, signed: Path, stopped: list[int]) -> None:
    async with pool_of(pki) as pool:
        stopped.extend(pool.pids)
        os.kill(pool.pids[0], signal.SIGSTOP)
        running = asyncio.create_task(pool.verify(signed, digest_of(signed)))
        await taken_up(pool, running)
        waiting = asyncio.create_task(pool.verify(signed, digest_of(signed)))
        await asyncio.sleep(0)
    for asked in (running, waiting):
        with pytest.raises(VerifierUnavailable):
            await asked
    with pytest.raises(VerifierUnavailable):
        await pool.verify(signed, digest_of(signed))


async def test_pool_without_room_for_its_libraries_says_so(pki: DevPki) -> None:
    pool = WorkerPool(pki.trust, limits=WorkerLimits(workers=1, address_space_bytes=40 * MIB))
    with pytest.raises(VerifierUnavailable):
        await pool.start()


def test_workers_die_with_a_server_that_is_killed(pki: DevPki) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from kho_server.verification.worker_pool import WorkerPool\n"
        "async def main():\n"
        "    async with WorkerPool(Path(sys.argv[1])) as pool:\n"
        "        print(*pool.pids, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, pki.trust], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        handles = [os.pidfd_open(int(pid)) for pid in server.stdout.readline().split()]
        server.kill()
    assert len(handles) == 2
    for handle in handles:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        assert poll.poll(10_000), "a worker outlived its server"
        os.close(handle)


@pytest.mark.parametrize(
    "call",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.fork()",
    ],
)
def test_worker_reaches_nothing_outside(call: str) -> None:
    program = f"from kho_server.verification.sandbox import deny_network; deny_network(); {call}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "is not for a verification worker" in done.stderr


async def test_callers_take_turns() -> None:
    queue: FairQueue[int] = FairQueue(6)
    for item in (1, 2, 3):
        queue.put("many", item)
    queue.put("few", 10)
    queue.put("few", 11)
    queue.put("one", 20)
    with pytest.raises(QueueFullError):
        queue.put("late", 30)
    assert [await queue.take() for _ in range(6)] == [1, 10, 20, 2, 11, 3]
    assert len(queue) == 0
