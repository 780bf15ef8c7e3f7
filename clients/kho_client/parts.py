"""A page or rendition on this side of the wire: its facts, its bytes, and the messages that carry it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import google_crc32c

from kho.v1 import document_pb2, upload_service_pb2
from kho_client.connection import file_unreadable
from kho_client.errors import Text, local_problem
from kho_client.media_type import media_type_of

_FIRST_BYTES = 16


class PartName(NamedTuple):
    """Names a part within its version; `number` counts from 1."""

    kind: "document_pb2.PartKind.ValueType"
    number: int

    @classmethod
    def of(cls, key: document_pb2.PartKey) -> "PartName":
        """Return the name that a wire key means."""
        return cls(key.kind, key.number)

    def key(self) -> document_pb2.PartKey:
        """Return the wire form."""
        return document_pb2.PartKey(kind=self.kind, number=self.number)


def page(number: int) -> PartName:
    """Name a page."""
    return PartName(document_pb2.PART_KIND_PAGE, number)


def rendition(number: int) -> PartName:
    """Name a rendition."""
    return PartName(document_pb2.PART_KIND_RENDITION, number)


class Content(Protocol):
    """Bytes that can be read again from any offset, because a broken link may ask for them twice."""

    @property
    def size_bytes(self) -> int:
        """Whole size."""

    @property
    def digest(self) -> str:
        """SHA-256 of the whole as "sha256:HEX"."""

    def read(self, offset: int, length: int, chunk_bytes: int) -> AsyncIterator[bytes]:
        """Yield `length` bytes from `offset` on, at most `chunk_bytes` at once.

        Raises LocalProblem FILE_UNREADABLE or FILE_CHANGED.
        """


@dataclass(frozen=True, slots=True)
class FileContent:
    """Bytes of a file that must not change until the upload is over; only one chunk is in memory."""

    path: Path
    size_bytes: int
    digest: str

    @classmethod
    async def of(cls, path: Path) -> "FileContent":
        """Hash a file, away from the event loop; LocalProblem FILE_UNREADABLE."""
        try:
            size_bytes, sha256 = await asyncio.to_thread(_hash, path)
        except OSError as error:
            raise file_unreadable(path, error) from error
        return cls(path, size_bytes, f"sha256:{sha256}")

    async def read(self, offset: int, length: int, chunk_bytes: int) -> AsyncIterator[bytes]:
        """See Content.read."""
        # Opened for each chunk, in one step away from the event loop: a link that breaks cancels us anywhere, and a
        # file that aiofiles is just opening would then stay open. Opening costs a thousandth of sending 256 KiB.
        end = offset + length
        while offset < end:
            try:
                data = await asyncio.to_thread(read_at, self.path, offset, min(chunk_bytes, end - offset))
            except OSError as error:
                raise file_unreadable(self.path, error) from error
            if not data:
                raise _changed(self.path)
            offset += len(data)
            yield data


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Bytes in memory, for a scanner driver that hands pages over without writing them."""

    data: bytes = field(repr=False)
    digest: str

    @classmethod
    def of(cls, data: bytes) -> "BytesContent":
        """Hash bytes."""
        return cls(data, f"sha256:{hashlib.sha256(data).hexdigest()}")

    @property
    def size_bytes(self) -> int:
        """Whole size."""
        return len(self.data)

    async def read(self, offset: int, length: int, chunk_bytes: int) -> AsyncIterator[bytes]:
        """See Content.read."""
        for start in range(offset, offset + length, chunk_bytes):
            yield self.data[start : min(start + chunk_bytes, offset + length)]


@dataclass(frozen=True, slots=True)
class CopiedRange:
    """`length` bytes of a page that stand at `offset` of this part and need not be sent."""

    offset: int
    page_number: int
    page_offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an upload; `copies` are in order and do not overlap."""

    name: PartName
    content: Content
    media_type: str
    role: "document_pb2.RenditionRole.ValueType" = document_pb2.RENDITION_ROLE_UNSPECIFIED
    variant: "document_pb2.PageVariant.ValueType" = document_pb2.PAGE_VARIANT_UNSPECIFIED
    copies: tuple[CopiedRange, ...] = ()

    @property
    def copied_bytes(self) -> int:
        """How many bytes stand in pages."""
        return sum(copy.length for copy in self.copies)

    def header(self) -> upload_service_pb2.PartHeader:
        """Return the message that begins this part."""
        return upload_service_pb2.PartHeader(
            key=self.name.key(),
            size_bytes=self.content.size_bytes,
            digest=self.content.digest,
            media_type=self.media_type,
        )

    def sealed(self) -> upload_service_pb2.SealedPart:
        """Return what Commit says of this part."""
        return upload_service_pb2.SealedPart(
            key=self.name.key(),
            digest=self.content.digest,
            media_type=self.media_type,
            variant=self.variant,
            role=self.role,
        )

    async def data(self, offset: int, chunk_bytes: int) -> AsyncIterator[upload_service_pb2.PartData]:
        """Yield the messages that carry this part from `offset` on, copies in place of what pages hold."""
        at = offset
        for copy in self.copies:
            end = copy.offset + copy.length
            if end <= at:
                continue
            async for message in self._sent(at, copy.offset, chunk_bytes):
                yield message
            at = max(at, copy.offset)
            taken = at - copy.offset
            source = upload_service_pb2.CopyRange(
                page=copy.page_number, offset=copy.page_offset + taken, length=copy.length - taken
            )
            yield upload_service_pb2.PartData(offset=at, copy=source)
            at = end
        async for message in self._sent(at, self.content.size_bytes, chunk_bytes):
            yield message

    async def _sent(self, start: int, end: int, chunk_bytes: int) -> AsyncIterator[upload_service_pb2.PartData]:
        if start >= end:
            return
        at = start
        async for data in self.content.read(start, end - start, chunk_bytes):
            yield upload_service_pb2.PartData(offset=at, data=data, crc32c=google_crc32c.value(data))
            at += len(data)


async def page_part(number: int, source: Path | bytes) -> Part:
    """Hash a page and tell its media type by its name, else by its content."""
    if isinstance(source, bytes):
        return Part(page(number), BytesContent.of(source), media_type_of(Path(), source[:_FIRST_BYTES]))
    content = await FileContent.of(source)
    return Part(page(number), content, media_type_of(source, await _beginning(content)))


async def _beginning(content: FileContent) -> bytes:
    length = min(_FIRST_BYTES, content.size_bytes)
    return b"".join([data async for data in content.read(0, length, _FIRST_BYTES)])


def _hash(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), sha256


def read_at(path: Path, offset: int, length: int) -> bytes:
    """Read at most `length` bytes of a file, blocking; OSError."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _changed(path: Path) -> Exception:
    text = Text(
        f"Tệp {path} đã bị thay đổi trong lúc gửi. Hãy gửi lại khi tệp không còn được ghi.",
        f"The file {path} changed while it was being sent. Send again when nothing writes to it any more.",
    )
    return local_problem("FILE_CHANGED", text, file=str(path))
