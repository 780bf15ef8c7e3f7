"""Turns a signed file into a part that points to the pages already sent."""

import asyncio
from collections.abc import Sequence

from kho.v1 import document_pb2
from kho_client.media_type import PDF
from kho_client.parts import CopiedRange, FileContent, Part, PartName
from kho_client.recipe import Copy, SentPage, make_recipe

LARGEST_SEARCH_BYTES = 256 * 1024 * 1024
"""File and pages must be in memory together while pages are looked for; above this the file is sent whole."""


async def signed_part(name: PartName, content: FileContent, pages: Sequence[Part]) -> Part:
    """Return the signed file as a part; what stands in `pages` is copied by the server instead of sent.

    LocalProblem FILE_UNREADABLE or FILE_CHANGED. The bytes are released before anything is sent.
    """
    whole = Part(name, content, PDF, role=document_pb2.RENDITION_ROLE_SIGNED)
    total = content.size_bytes + sum(part.content.size_bytes for part in pages)
    if not pages or total > LARGEST_SEARCH_BYTES:
        return whole
    output = await _bytes_of(whole)
    sent = [SentPage(part.name.number, part.content.digest, await _bytes_of(part)) for part in pages]
    copies = await asyncio.to_thread(_copies, output, sent)
    return Part(name, content, PDF, role=document_pb2.RENDITION_ROLE_SIGNED, copies=copies)


def _copies(output: bytes, pages: Sequence[SentPage]) -> tuple[CopiedRange, ...]:
    return tuple(
        CopiedRange(segment.offset, segment.page_number, segment.page_offset, segment.length)
        for segment in make_recipe(output, pages).segments
        if isinstance(segment, Copy)
    )


async def _bytes_of(part: Part) -> bytes:
    size_bytes = part.content.size_bytes
    return b"".join([data async for data in part.content.read(0, size_bytes, 1 << 20)])
