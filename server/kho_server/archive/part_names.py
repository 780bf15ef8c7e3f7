"""How parts are called in errors, and what they are told to be by their first bytes."""

from kho_server.rules.errors import RuleViolation
from kho_server.rules.media_type import HEAD_BYTES, MediaType
from kho_storage.parts import BlobSource, PartId


def part_name(part: PartId) -> str:
    """Return "page 3" or "rendition 1"."""
    return f"{part.kind.value} {part.number}"


async def sniffed_type(source: BlobSource) -> MediaType | None:
    """Return what the first bytes of a source are, None if nothing that Kho takes."""
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
    try:
        return MediaType.of_content("parts.media_type", head)
    except RuleViolation:
        return None
