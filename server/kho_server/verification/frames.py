"""Messages between the pool and a worker: four bytes of length, then JSON in UTF-8."""

import json
from typing import Any

LENGTH_BYTES = 4
# A verdict over 256 fields takes some 200 KB; a worker that an attacker took over may not fill the server.
MAX_FRAME_BYTES = 4 * (1 << 20)


class FrameError(ValueError):
    """What came is not a message of ours."""


def encode(message: dict[str, Any]) -> bytes:
    """Return a message with its length before it."""
    body = json.dumps(message, ensure_ascii=False).encode()
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def body_bytes(head: bytes) -> int:
    """Read the length. FrameError: it is longer than any message."""
    length = int.from_bytes(head, "big")
    if length > MAX_FRAME_BYTES:
        raise FrameError("a message is too long")
    return length


def decode(body: bytes) -> dict[str, Any]:
    """Read a message. FrameError: it is not a JSON object."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FrameError("a message is not JSON") from error
    if not isinstance(message, dict):
        raise FrameError("a message is not an object")
    return message
