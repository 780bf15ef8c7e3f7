"""What clients were told by a server: nothing of it may be untrue after the server died."""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kho.v1 import document_pb2, upload_service_pb2
from tests.end_to_end.papers import Paper, Sheet

PartName = tuple[bool, int]


def part_name(key: document_pb2.PartKey) -> PartName:
    """Return a part's place as a value: is it a page, and its number."""
    return key.kind == document_pb2.PART_KIND_PAGE, key.number


def new_id(draw: random.Random) -> str:
    """Return a UUID that the seed decides."""
    return str(uuid.UUID(int=draw.getrandbits(128), version=4))


@dataclass
class Version:
    """One version on its way to being sealed, as its station knows it."""

    number: int
    sheets: tuple[Sheet, ...]
    begin_id: str
    commit_id: str
    is_assembled: bool = False
    is_begun: bool = False
    acknowledged: dict[PartName, int] = field(default_factory=dict)
    answer: upload_service_pb2.CommitResponse | None = None
    is_checked: bool = False

    def tell(self, progress: upload_service_pb2.PartProgress) -> None:
        """Take note of an acknowledgement, which must be of bytes that this station sent."""
        name = part_name(progress.key)
        sheet = next(each for each in self.sheets if (each.is_page, each.number) == name)
        assert progress.persisted_bytes <= len(sheet.content), "more was acknowledged than there is"
        if progress.is_complete:
            assert (progress.persisted_bytes, progress.digest) == (len(sheet.content), sheet.digest)
        self.acknowledged[name] = max(self.acknowledged.get(name, 0), progress.persisted_bytes)

    def missing(self) -> list[Sheet]:
        """Return the parts that are not acknowledged whole."""
        return [each for each in self.sheets if self.persisted(each) < len(each.content)]

    def persisted(self, sheet: Sheet) -> int:
        """Return how much of a part was acknowledged."""
        return self.acknowledged.get((sheet.is_page, sheet.number), 0)

    def sealed_parts(self) -> list[upload_service_pb2.SealedPart]:
        """Return what seals it."""
        parts = [each.sealed() for each in self.sheets]
        for part in parts:
            if self.is_assembled and part.key.kind == document_pb2.PART_KIND_RENDITION:
                part.role = document_pb2.RENDITION_ROLE_ASSEMBLED
        return parts


@dataclass
class Record:
    """A document with its versions; the last one may be on its way."""

    station: str
    paper: Paper
    versions: list[Version]
    code: str = ""

    @property
    def current(self) -> Version:
        """The newest version, sealed or not."""
        return self.versions[-1]

    @property
    def is_sealed(self) -> bool:
        """Whether the newest version was answered."""
        return self.current.answer is not None


@dataclass(frozen=True)
class Access:
    """A look-up or reuse that was answered: its record must be there, with one of these outcomes."""

    request_id: str
    outcomes: tuple[str, ...]
    access_id: str = ""


class Promises:
    """All that was told in one data folder."""

    def __init__(self, draw: random.Random) -> None:
        """`draw` decides which records are looked at."""
        self.records: list[Record] = []
        self.valid: list[Record] = []
        self.accesses: list[Access] = []
        self.findings: list[str] = []
        self._draw = draw

    @property
    def open(self) -> list[Record]:
        """Records whose newest version was not answered."""
        return [each for each in self.records if not each.is_sealed]

    @property
    def sealed(self) -> list[Record]:
        """Records of which some version was answered."""
        return [each for each in self.records if each.versions[0].answer is not None]

    def one_sealed(self, choose: "Callable[[Record], bool] | None" = None) -> Record | None:
        """Draw a sealed record."""
        fitting = [each for each in self.sealed if choose is None or choose(each)]
        return self._draw.choice(fitting) if fitting else None

    def finding(self, text: str) -> None:
        """Write down that something was not as promised."""
        self.findings.append(text)

    def counts(self) -> dict[str, int]:
        """Return how much was promised so far."""
        versions: Sequence[Version] = [version for record in self.records for version in record.versions]
        return {
            "documents": len(self.sealed),
            "versions": sum(version.answer is not None for version in versions),
            "parts": sum(len(version.acknowledged) for version in versions),
            "accesses": len(self.accesses),
        }
