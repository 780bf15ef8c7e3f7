"""Judges files on this machine: the same engine and the same limits as the server's, without server or database."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kho_cli.server_extra import server_is_missing
from kho_client.errors import LocalProblem, Text, local_problem

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class LocalQuestion:
    """What is asked of each file: trust (None: embedded), control time (None: now), detached content, rules."""

    trust: Path | None
    at: datetime | None = None
    content: Path | None = None
    policy: Path | None = None


class LocalVerifier:
    """Judges files one after the other in a worker process."""

    def __init__(self, pool: Any, question: LocalQuestion) -> None:
        """Ask this pool; make it with `local_verifier`."""
        self._pool = pool
        self._question = question

    async def verify_file(self, path: Path) -> dict[str, Any]:
        """Return the engine's report. LocalProblem: FILE_UNREADABLE, VERIFIER_UNAVAILABLE."""
        from kho_server.verification.errors import SourceUnreadable, VerificationError  # noqa: PLC0415

        try:
            digest = _digest(path)
            verdict = await self._pool.verify(path, digest, at=self._question.at, content=self._question.content)
        except (OSError, SourceUnreadable) as error:
            raise _unreadable(path) from error
        except VerificationError as error:
            text = Text(f"Không kiểm tra được trên máy này: {error}", f"It cannot be judged on this machine: {error}")
            raise local_problem("VERIFIER_UNAVAILABLE", text) from error
        report: dict[str, Any] = verdict.to_json()
        return report


@asynccontextmanager
async def local_verifier(question: LocalQuestion) -> AsyncIterator[LocalVerifier]:
    """Start a worker for the time of a command. LocalProblem: SERVER_NOT_INSTALLED, VERIFIER_UNAVAILABLE."""
    try:
        from kho_server.verification.errors import VerifierUnavailable  # noqa: PLC0415
        from kho_server.verification.limits import WorkerLimits  # noqa: PLC0415
        from kho_server.verification.policy import PolicyError, load_policy  # noqa: PLC0415
        from kho_server.verification.worker_pool import WorkerPool  # noqa: PLC0415
    except ImportError as error:
        raise server_is_missing(error) from error
    try:
        if question.policy is not None:
            load_policy(question.policy)
    except PolicyError as error:
        raise local_problem("USAGE", Text(f"Tệp chính sách không dùng được: {error}", f"{error}")) from error
    pool = WorkerPool(question.trust, limits=WorkerLimits(workers=1), policy=question.policy)
    try:
        await pool.start()
    except VerifierUnavailable as error:
        text = Text("Không khởi động được tiến trình kiểm tra. Chạy: kho doctor", f"{error}. Run: kho doctor")
        raise local_problem("VERIFIER_UNAVAILABLE", text) from error
    try:
        yield LocalVerifier(pool, question)
    finally:
        await pool.close()


def _digest(path: Path) -> str:
    state = hashlib.sha256()
    with path.open("rb") as source:
        while piece := source.read(_PIECE_BYTES):
            state.update(piece)
    return state.hexdigest()


def _unreadable(path: Path) -> LocalProblem:
    text = Text(
        f"Không đọc được tệp {path}. Kiểm tra đường dẫn và quyền.", f"Cannot read {path}. Check path and rights."
    )
    return local_problem("FILE_UNREADABLE", text)
