"""What complete parts are, told by their first bytes."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from kho_server.rules.errors import RuleViolation
from kho_server.rules.media_type import HEAD_BYTES, MediaType
from kho_storage.parts import BlobSource

# A document of 10,000 pages costs twenty thread jobs and not ten thousand.
_TOGETHER = 500


async def sniffed_types(sources: Sequence[BlobSource]) -> list[MediaType | None]:
    """Return what each source is by its first bytes, in order; None for nothing that Kho takes."""
    heads: dict[int, bytes] = {}
    paths = [(position, source.local) for position, source in enumerate(sources) if source.local is not None]
    for start in range(0, len(paths), _TOGETHER):
        heads.update(await asyncio.to_thread(_heads, paths[start : start + _TOGETHER]))
    for position, source in enumerate(sources):
        if source.local is None:
            heads[position] = await _streamed_head(source)
    return [_type_of(heads[position]) for position in range(len(sources))]


def _heads(paths: Iterable[tuple[int, Path]]) -> dict[int, bytes]:
    found = {}
    for position, path in paths:
        with path.open("rb") as file:
            found[position] = file.read(HEAD_BYTES)
    return found


async def _streamed_head(source: BlobSource) -> bytes:
    head = b""
    stream = source.read()
    try:
        async for piece in stream:
            head += piece[:HEAD_BYTES]
            if len(head) >= HEAD_BYTES:
                break
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    return head


def _type_of(head: bytes) -> MediaType | None:
    try:
        return MediaType.of_content("parts.media_type", head)
    except RuleViolation:
        return None
