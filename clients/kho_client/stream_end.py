"""Hears how a stream really ended, in spite of grpc.aio.

A server that refuses a stream sends its status while we are still writing; the write that fails then replaces the
status by "INTERNAL: Internal error from Core" (grpc #36066, corrected by #43486, which is not released yet). So the
status is taken the moment it is there, by a task that was waiting before the writer was.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeVar

import grpc
from grpc import aio

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
_MASK = "Internal error from Core"
# The status may still be on its way when the write fails; it then replaces the mask in turn.
_TURNS = 20
_TURN_S = 0.01


class _Call(Protocol):
    async def code(self) -> grpc.StatusCode: ...
    async def details(self) -> str: ...
    async def initial_metadata(self) -> Any: ...
    async def trailing_metadata(self) -> Any: ...
    def cancel(self) -> bool: ...


class StreamEnd:
    """Watches one call from its beginning; close it when the call is over."""

    def __init__(self, call: _Call) -> None:
        """Begin to wait; make it before anything reads or writes."""
        self._call = call
        self._task = asyncio.create_task(_status(call))

    async def unmasked(self, error: aio.AioRpcError) -> aio.AioRpcError:
        """Return what the server said instead of `error`, if the one hides the other."""
        if not is_masked(error):
            return error
        for _ in range(_TURNS):
            seen = await _status(self._call)
            first = self._task.result() if self._task.done() and not self._task.cancelled() else None
            for known in (first, seen):
                if known is not None and not is_masked(known):
                    return known
            await asyncio.sleep(_TURN_S)
        return error

    async def close(self) -> None:
        """Stop watching."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def answer_of(
    method: aio.StreamUnaryMultiCallable[RequestT, ResponseT],
    requests: AsyncIterator[RequestT],
    *,
    timeout_s: float | None = None,
) -> ResponseT:
    """Stream requests and wait for the one answer; AioRpcError as the server meant it.

    What `requests` raises is raised here: grpc.aio alone would swallow it and cancel the call.
    """
    failures: list[Exception] = []

    async def noted() -> AsyncIterator[RequestT]:
        try:
            async for request in requests:
                yield request
        except Exception as error:
            failures.append(error)
            raise

    call = method(noted(), timeout=timeout_s)
    end = StreamEnd(call)
    try:
        return await call
    except aio.AioRpcError as error:
        raise await end.unmasked(error) from error
    except asyncio.CancelledError:
        if failures:
            raise failures[0] from None
        raise
    finally:
        await end.close()


def is_masked(error: aio.AioRpcError) -> bool:
    """Tell whether an error says nothing about how the stream ended."""
    return error.code() is grpc.StatusCode.INTERNAL and (error.details() or "").startswith(_MASK)


async def _status(call: _Call) -> aio.AioRpcError | None:
    code = await call.code()
    # Nothing below waits, the call is over: no other task can replace the status meanwhile.
    if code is grpc.StatusCode.OK:
        return None
    details, trailing = await call.details(), await call.trailing_metadata()
    return aio.AioRpcError(code, aio.Metadata(), trailing, details=details)
