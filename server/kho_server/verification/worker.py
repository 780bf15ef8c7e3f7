"""A worker process: reads questions from its standard input, judges one file at a time, answers.

Started as `python -I -m kho_server.verification.worker PARENT_PID`. The first message sets it up:
{"trust": FOLDER, "policy": FILE, "limits": {...}}; null for the folder asks for integrity only, null for the file for
the rules in force at each control time. It answers {"ready": true}.
Then {"path", "digest", "at", "content"}, where "content" is the file that a detached signature signs, or null, is
answered by
{"verdict": {...}}, or {"error": "SOURCE_UNREADABLE" | "SOURCE_CHANGED"}. "retire": true says that the worker
ends after this answer. End of input ends it.
"""

import hashlib
import logging
import os
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from kho_server.verification import frames
from kho_server.verification.limits import FileLimits, WorkerLimits
from kho_server.verification.refusal import refusal
from kho_server.verification.sandbox import allow_cpu, confine, deny_network
from kho_server.verification.trust_folder import NoTrustFolder, TrustFolder
from kho_server.verification.verdict import Remark


def main() -> None:
    """Serve until the pool closes the pipe."""
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not become part of an answer.
    os.dup2(2, 1)
    setup = _receive(questions)
    if setup is None:
        return
    plain = setup["limits"]
    limits = WorkerLimits(**{**plain, "file": FileLimits(**plain["file"])})
    confine(limits, int(sys.argv[1]))
    # The library logs tracebacks, and with them what stands in certificates.
    logging.disable(logging.CRITICAL)
    # Only now, so that what an import would take counts against the limits of this process.
    from kho_server.verification import engine  # noqa: PLC0415
    from kho_server.verification.policy import editions, load_policy  # noqa: PLC0415

    policy = None if setup["policy"] is None else load_policy(Path(setup["policy"]))
    editions()
    judge = partial(engine.judge, policy=policy)
    deny_network()
    trust = NoTrustFolder() if setup["trust"] is None else TrustFolder(Path(setup["trust"]))
    trust.material()
    _send(answers, {"ready": True})
    while (question := _receive(questions)) is not None:
        allow_cpu(limits.cpu_s)
        answer = _answer(judge, trust, question, limits)
        _send(answers, answer)
        if answer.get("retire"):
            return


def _answer(judge: Any, trust: TrustFolder, question: dict[str, Any], limits: WorkerLimits) -> dict[str, Any]:
    digest, at = question["digest"], datetime.fromisoformat(question["at"])
    material = trust.material()
    try:
        with Path(question["path"]).open("rb") as source:
            if os.fstat(source.fileno()).st_size > limits.file.file_bytes:
                verdict = refusal(digest, material.version, at, Remark.RESOURCE_LIMIT)
                return {"verdict": verdict.to_json()}
            data = source.read()
        if hashlib.sha256(data).hexdigest() != digest:
            return {"error": "SOURCE_CHANGED"}
        content = None
        if question["content"] is not None:
            with Path(question["content"]).open("rb") as source:
                content = source.read(limits.file.file_bytes + 1)
            if len(content) > limits.file.file_bytes:
                verdict = refusal(digest, material.version, at, Remark.RESOURCE_LIMIT)
                return {"verdict": verdict.to_json()}
        return {"verdict": judge(data, material, at, limits.file, content=content).to_json()}
    except OSError:
        return {"error": "SOURCE_UNREADABLE"}
    except MemoryError:
        # The heap is in pieces now: answer, then make room for a fresh worker.
        verdict = refusal(digest, material.version, at, Remark.RESOURCE_LIMIT)
        return {"verdict": verdict.to_json(), "retire": True}


def _receive(source: BinaryIO) -> dict[str, Any] | None:
    head = source.read(frames.LENGTH_BYTES)
    if len(head) < frames.LENGTH_BYTES:
        return None
    return frames.decode(source.read(frames.body_bytes(head)))


def _send(target: BinaryIO, message: dict[str, Any]) -> None:
    target.write(frames.encode(message))
    target.flush()


if __name__ == "__main__":
    main()
