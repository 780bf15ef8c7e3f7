"""The demo as a stranger runs it, with fewer papers: what its table says, what a failing step does, what is left."""

import io
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from ops.demo.report import Report
from ops.demo.run import demo
from ops.demo.steps import Step, StepFailed
from ops.demo.story import Wishes

_REPOSITORY = Path(__file__).parents[2]
_FEW = Wishes(seed=7, sheets=20, papers_each=4)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the demo makes its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


async def test_a_small_run_passes_every_step_and_leaves_nothing(temporary: Path) -> None:
    console = quiet()
    report = await demo(_FEW, console)
    assert isinstance(report, Report), report.reasons()
    assert [row.step for row in report.rows] == list(Step)
    assert all(row.is_done and row.count for row in report.rows)
    rows = {row.step: row for row in report.rows}
    assert rows[Step.SCAN].count == 20
    assert rows[Step.STORE].count == rows[Step.VERDICT].count == rows[Step.REUSE].count == 8
    assert rows[Step.SIGN_OFFICER].count == rows[Step.SIGN_AGENCY].count == 8
    assert rows[Step.READ_BACK].count == 20 + 8
    assert rows[Step.LOOKUP].count == 2 * 2 * 8
    assert rows[Step.LATER].count == rows[Step.TAMPER].count == rows[Step.KILL].count == 1
    assert rows[Step.LINK].seconds > 0
    # What travelled twice was under way when the link broke or the server died: never a large part of it all.
    assert 0 < report.bytes_sent_twice < (rows[Step.STORE].size_bytes or 0) / 2
    assert report.bytes_saved > 9 * (rows[Step.RECIPE].size_bytes or 0)
    shown = console.file.getvalue() if isinstance(console.file, io.StringIO) else ""
    for step in Step:
        assert step.vi in shown
        assert step.en in shown
    assert report.addresses.grpc in shown
    assert f"http://{report.addresses.ops}/metrics" in shown
    assert not processes_in(temporary)
    assert not list(temporary.iterdir())


async def test_a_step_that_fails_is_named_with_the_reason_in_both_languages(temporary: Path) -> None:
    console = quiet()
    # No signed file is as small as this, so the server refuses the first one.
    failure = await demo(Wishes(sheets=20, papers_each=4, server_flags=("--rendition-bytes", "2048")), console)
    assert isinstance(failure, StepFailed)
    assert failure.step is Step.STORE
    vi, en = failure.reasons()
    assert "[PART_TOO_LARGE, request " in en
    shown = console.file.getvalue() if isinstance(console.file, io.StringIO) else ""
    assert Step.STORE.vi in shown
    assert vi in shown
    assert en in shown
    assert not processes_in(temporary)
    assert not list(temporary.iterdir())


def test_a_server_that_does_not_start_makes_the_exit_status_1(tmp_path: Path) -> None:
    # Files may have 512 bytes: enough for the log, too little for certificates.
    command = ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *command_of("--pages-total", "24")]
    done = subprocess.run(
        command, env=environment(tmp_path), cwd=_REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"FAILED: {Step.START.en}" in done.stdout
    assert "cannot start" in done.stdout
    assert not list(tmp_path.iterdir())


def test_interrupted_it_cleans_up_and_says_so(tmp_path: Path) -> None:
    with subprocess.Popen(
        command_of("--pages-total", "150"),
        env=environment(tmp_path),
        cwd=_REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if Step.REGISTER.vi in line:
                break
        assert processes_in(tmp_path)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(30) == 128 + signal.SIGINT, rest
    assert "Stopped and cleaned up." in rest
    assert not processes_in(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["--pages-total", "3"], ["--pages-total", "x"], ["--unknown"]])
def test_wrong_usage_is_status_2(tmp_path: Path, words: list[str]) -> None:
    done = subprocess.run(
        command_of(*words), env=environment(tmp_path), cwd=_REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "usage: make demo" in done.stderr


def command_of(*words: str) -> list[str]:
    return [sys.executable, "-m", "ops.demo.run", *words]


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary)}


def processes_in(folder: Path) -> list[int]:
    """Return the processes that were given a path in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it has just ended
            if os.fsencode(folder) in words:
                found.append(int(entry.name))
    return found
