"""Helpers of these tests: a Kho in a process of its own, and exact waits for the end of processes."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

SCRIPT = Path(__file__).with_name("serve_database.py")
END_TIMEOUT_S = 20


class ServedDatabase:
    """`serve_database.py` as a child; stopped in order at the end unless it was killed before."""

    def __init__(
        self,
        data: Path,
        *,
        source: str = "auto",
        isolation: str = "auto",
        python: Sequence[str] = (sys.executable,),
        script: Path = SCRIPT,
        user: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [*python, str(script), str(data), source, isolation],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            cwd="/",
            env=None if environment is None else dict(environment),
        )

    def answer(self) -> dict[str, Any]:
        """Return what it said when it served, or why it does not."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the process ended without a word"
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def __enter__(self) -> "ServedDatabase":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.process.communicate(timeout=60)
        finally:
            self.process.kill()
            self.process.wait()


class ProcessFamily:
    """A process and its children, each held by a descriptor, so that a number used again fools nobody."""

    def __init__(self, parent: int) -> None:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        self.pids = [parent, *map(int, children)]
        self._descriptors = [os.pidfd_open(pid) for pid in self.pids]

    def wait_for_end(self, timeout_s: float = END_TIMEOUT_S) -> bool:
        """Tell whether every one of them ended in time."""
        try:
            for descriptor in self._descriptors:
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                if not poll.poll(timeout_s * 1000):
                    return False
            return True
        finally:
            for descriptor in self._descriptors:
                os.close(descriptor)
