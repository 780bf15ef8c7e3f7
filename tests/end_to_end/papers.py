"""Papers to bring in, and the messages that bring them."""

import asyncio
import hashlib
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import google_crc32c
from pyhanko.sign.signers import SimpleSigner

from kho.v1 import document_pb2, result_pb2, upload_service_pb2
from kho_server.dev_pki import DevPki
from tests.server.verification.signed_files import dev_signer, sign, unsigned_pdf

JPEG_HEAD = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
PIECE_BYTES = 4096


@dataclass(frozen=True)
class Sheet:
    """One page or rendition: its place and its bytes."""

    number: int
    content: bytes
    media_type: str = "image/jpeg"
    is_page: bool = True

    @property
    def key(self) -> document_pb2.PartKey:
        """Its name on the wire."""
        kind = document_pb2.PART_KIND_PAGE if self.is_page else document_pb2.PART_KIND_RENDITION
        return document_pb2.PartKey(kind=kind, number=self.number)

    @property
    def digest(self) -> str:
        """The digest as it is written: sha256:HEX."""
        return "sha256:" + hashlib.sha256(self.content).hexdigest()

    def header(self) -> upload_service_pb2.PartHeader:
        """What announces it."""
        return upload_service_pb2.PartHeader(
            key=self.key, size_bytes=len(self.content), digest=self.digest, media_type=self.media_type
        )

    def sealed(self) -> upload_service_pb2.SealedPart:
        """What seals it."""
        role = document_pb2.RENDITION_ROLE_UNSPECIFIED if self.is_page else document_pb2.RENDITION_ROLE_SIGNED
        return upload_service_pb2.SealedPart(key=self.key, digest=self.digest, media_type=self.media_type, role=role)

    def pieces(self, offset: int = 0, piece_bytes: int = PIECE_BYTES) -> Iterator[upload_service_pb2.PartData]:
        """Its bytes from an offset."""
        for begin in range(offset, len(self.content), piece_bytes):
            yield data_at(begin, self.content[begin : begin + piece_bytes])

    def messages(
        self, offset: int = 0, piece_bytes: int = PIECE_BYTES
    ) -> Iterator[upload_service_pb2.UploadPartsRequest]:
        """Header and data."""
        yield upload_service_pb2.UploadPartsRequest(header=self.header())
        for piece in self.pieces(offset, piece_bytes):
            yield upload_service_pb2.UploadPartsRequest(data=piece)


@dataclass(frozen=True)
class Paper:
    """A document as a station has it before it is stored."""

    sheets: tuple[Sheet, ...]
    document_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    owner: str = "038085001234"
    dossier: str = "000.00.16.H46-261121-0001"
    procedure: str = "1.000894"
    result: upload_service_pb2.ResultDeclaration = field(default_factory=upload_service_pb2.ResultDeclaration)
    kind: "document_pb2.DocumentKind.ValueType" = document_pb2.DOCUMENT_KIND_RESULT

    def declaration(self) -> upload_service_pb2.DocumentDeclaration:
        """What is declared of it."""
        declared = upload_service_pb2.DocumentDeclaration(
            kind=self.kind,
            lane=document_pb2.LANE_NEW,
            dossier_code=self.dossier,
            procedure_code=self.procedure,
            sheets=len(self.sheets),
        )
        if self.kind != document_pb2.DOCUMENT_KIND_PROCESSING:
            usual = upload_service_pb2.ResultDeclaration(
                type_code="KQ.G15.000031",
                owner_ids=[] if self.result.owner_ids else [self.owner],
                outcome=result_pb2.OUTCOME_GRANTED,
            )
            usual.MergeFrom(self.result)
            declared.result.CopyFrom(usual)
        return declared

    def begin(self, request_id: str) -> upload_service_pb2.BeginRequest:
        """What begins it."""
        pages = sum(sheet.is_page for sheet in self.sheets)
        return upload_service_pb2.BeginRequest(
            request_id=request_id,
            document_id=self.document_id,
            document=self.declaration(),
            pages=pages,
            renditions=len(self.sheets) - pages,
        )

    def open(self, version: int = 1) -> upload_service_pb2.UploadPartsRequest:
        """What opens its stream."""
        opened = upload_service_pb2.UploadOpen(document_id=self.document_id, version=version)
        return upload_service_pb2.UploadPartsRequest(open=opened)

    def messages(self, version: int = 1, piece_bytes: int = PIECE_BYTES) -> list[upload_service_pb2.UploadPartsRequest]:
        """All messages of its stream."""
        parts = [message for sheet in self.sheets for message in sheet.messages(piece_bytes=piece_bytes)]
        return [self.open(version), *parts]

    def commit(
        self, request_id: str, *, version: int = 1, parts: Sequence[Sheet] | None = None
    ) -> upload_service_pb2.CommitRequest:
        """What seals it."""
        return upload_service_pb2.CommitRequest(
            request_id=request_id,
            document_id=self.document_id,
            version=version,
            parts=[sheet.sealed() for sheet in (self.sheets if parts is None else parts)],
        )

    def small(self, request_id: str) -> Iterator[upload_service_pb2.UploadSmallRequest]:
        """The messages of the small path."""
        yield upload_service_pb2.UploadSmallRequest(begin=self.begin(request_id))
        for sheet in self.sheets:
            yield upload_service_pb2.UploadSmallRequest(header=sheet.header())
            for piece in sheet.pieces(piece_bytes=65536):
                yield upload_service_pb2.UploadSmallRequest(data=piece)
        sealing = str(uuid.uuid5(uuid.UUID(request_id), "commit"))
        yield upload_service_pb2.UploadSmallRequest(commit=self.commit(sealing, version=0))

    def declaring(self, **fields: object) -> "Paper":
        """Return the same paper with more declared of its result."""
        result = upload_service_pb2.ResultDeclaration()
        result.MergeFrom(self.result)
        result.MergeFrom(upload_service_pb2.ResultDeclaration(**fields))  # type: ignore[arg-type]  # fields by name
        return replace(self, result=result)


def data_at(offset: int, data: bytes, crc32c: int | None = None) -> upload_service_pb2.PartData:
    """Return bytes at an offset, with their checksum or with another."""
    checksum = google_crc32c.value(data) if crc32c is None else crc32c
    return upload_service_pb2.PartData(offset=offset, data=data, crc32c=checksum)


def page(number: int, size_bytes: int = 3 * PIECE_BYTES - 7) -> Sheet:
    """Draw a page that nobody else has: a JPEG's beginning and noise, which is all that a server looks at."""
    noise = random.Random(uuid.uuid4().int).randbytes(size_bytes - len(JPEG_HEAD))
    return Sheet(number, JPEG_HEAD + noise)


def pages(count: int = 2, size_bytes: int = 3 * PIECE_BYTES - 7) -> tuple[Sheet, ...]:
    """Draw pages."""
    return tuple(page(number, size_bytes) for number in range(1, count + 1))


def scanned(count: int = 2, size_bytes: int = 3 * PIECE_BYTES - 7) -> Paper:
    """Scan a paper without signatures."""
    return Paper(pages(count, size_bytes))


async def signed(pki: DevPki) -> Paper:
    """Return a paper whose file officer and agency signed; each time another file."""
    return Paper((pdf(await asyncio.to_thread(_signed_file, pki, uuid.uuid4().hex)),))


async def tampered(pki: DevPki) -> Paper:
    """Return a paper whose signed file was changed inside."""
    content = await asyncio.to_thread(_signed_file, pki, uuid.uuid4().hex)
    # The text of the page lies in the signed range; one letter of it becomes another.
    return Paper((pdf(content.replace(b"trang 1", b"Trang 1")),))


def pdf(content: bytes) -> Sheet:
    """Take bytes as a document's signed file."""
    return Sheet(1, content, "application/pdf", is_page=False)


def _signed_file(pki: DevPki, text: str) -> bytes:
    officer, agency = _signers(pki)
    return sign(sign(unsigned_pdf(text=text), officer, "Officer"), agency, "Agency", box=(300, 700, 500, 780))


@cache
def _signers(pki: DevPki) -> tuple[SimpleSigner, SimpleSigner]:
    return dev_signer(pki, "officer"), dev_signer(pki, "agency-a")
