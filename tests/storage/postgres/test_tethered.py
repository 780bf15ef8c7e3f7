"""A tethered child outlives the loop and the thread that asked for it, and ends with its own."""

import asyncio
import os
import select
import signal
import threading
from pathlib import Path

import pytest

from kho_storage.postgres.bounded_log import BoundedLog
from kho_storage.postgres.rights import Rights
from kho_storage.postgres.tethered import TetheredProcess

SAME = Rights("same", os.geteuid(), os.getegid())
SHELL = Path("/bin/sh")


async def spawn(log: BoundedLog, script: str) -> TetheredProcess:
    return await TetheredProcess.spawn(SHELL, ["-c", script], SAME, death_signal=signal.SIGKILL, log=log)


async def test_it_does_not_die_with_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log")
    children: list[TetheredProcess] = []

    def short_lived() -> None:
        children.append(asyncio.run(spawn(log, "exec sleep 60")))

    thread = threading.Thread(target=short_lived)
    thread.start()
    await asyncio.to_thread(thread.join)
    (child,) = children
    descriptor = os.pidfd_open(child.pid)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert not await asyncio.to_thread(poll.poll, 300), "the child died with the thread"
    os.close(descriptor)
    child.signal(signal.SIGTERM)
    assert await child.wait(10) == -signal.SIGTERM


async def test_words_and_exit_code_arrive(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log")
    child = await spawn(log, "echo one; echo two >&2; exit 3")
    assert await child.wait(10) == 3
    assert log.tail() == "one\ntwo"
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


async def test_nothing_of_our_environment_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")
    log = BoundedLog(tmp_path / "log")
    await (await spawn(log, "env")).wait(10)
    assert "PGPORT" not in log.tail()
    assert "LC_ALL=C" in log.tail()


async def test_a_program_that_is_not_there_says_so(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log")
    child = await TetheredProcess.spawn(tmp_path / "none", [], SAME, death_signal=signal.SIGKILL, log=log)
    assert await child.wait(10) == 126
    assert "No such file" in log.tail()


async def test_it_has_ended_only_when_its_children_have(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log")
    child = await spawn(log, "sleep 60 & echo $!")
    async with asyncio.timeout(10):
        while not log.tail():
            await asyncio.sleep(0)
    assert await child.wait(0.2) is None
    os.kill(int(log.tail()), signal.SIGKILL)
    assert await child.wait(10) == 0


def test_the_log_is_bounded(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log", limit_bytes=1000)
    for number in range(500):
        log.write(b"line %03d\n" % number)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2000
    assert (tmp_path / "log").read_bytes().endswith(b"line 499\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]
    assert log.tail().endswith("line 499")


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "none" / "log")
    log.write(b"heard all the same\n")
    assert log.tail() == "heard all the same"
