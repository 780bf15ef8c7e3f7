"""Messages as they come off the wire: bounded before they are parsed, and refused by name.

gRPC's own limit ends the call without details, and to a handler of a stream that looks like an orderly end. So gRPC is
allowed more than we take, and what lies between is answered with MESSAGE_TOO_LARGE.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from kho_server.archive.refusals import Reason, Refusal

# How much more gRPC may read than we take.
HARD_LIMIT_FACTOR = 4
# A broken connection ends the stream of requests first and cancels the call a moment later (seen with grpcio 1.85);
# whoever takes the end of a stream for the client's word waits this long for that moment.
_END_GRACE_S = 0.002

Deserializer = Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a message that will not be read."""

    refusal: Refusal


def bounded(deserializer: Deserializer | None, limit_bytes: int) -> Deserializer:
    """Return a deserializer that gives Unreadable for what is too large or no message; it never raises."""

    def read(raw: bytes) -> Any:
        if len(raw) > limit_bytes:
            return Unreadable(Refusal(Reason.MESSAGE_TOO_LARGE, limit_bytes=limit_bytes))
        if deserializer is None:
            return raw
        try:
            return deserializer(raw)
        except DecodeError:
            return Unreadable(Refusal(Reason.FIELD_MALFORMED, field="message"))

    return read


def readable(message: Any) -> Any:
    """Return a message, or raise the refusal that stands for it."""
    if isinstance(message, Unreadable):
        raise message.refusal
    return message


class Requests(AsyncIterator[Any]):
    """The requests of a stream, in order.

    Its end means that the client has ended its side, or that the link broke this very moment: a handler for which
    that makes a difference checks that it has all it was told to expect. Refusals: MESSAGE_TOO_LARGE,
    FIELD_MALFORMED. A cancelled `anext` loses the message it waited for, so the stream is of no more use.
    """

    def __init__(self, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        """Read from the stream of a call."""
        self._context = context

    async def __anext__(self) -> Any:
        """Return the next request."""
        message = await self._context.read()
        if message is grpc.aio.EOF:
            await asyncio.sleep(_END_GRACE_S)
            raise StopAsyncIteration
        return readable(message)
