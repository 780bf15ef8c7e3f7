"""Papers before they are printed, and their pages after they were scanned."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from kho.v1 import document_pb2, upload_service_pb2
from ops.demo.office import Office
from ops.demo.papers import Paper
from ops.demo.steps import expect
from ops.demo.workload import Task

VIETNAM = timezone(timedelta(hours=7))
"""Legal time since 1975, without the zone files that small machines lack."""

_PROCEDURE = "1.000894"
_RESULT_TYPE = "KQ.G15.000031"
_OWNER = "000000000001"  # no province has the number 000: nobody's


@dataclass(slots=True)
class Draft:
    """A paper that is written but not printed: its code may still come."""

    task: Task
    office: Office
    at: datetime
    code: str | None = None

    @property
    def number(self) -> str:
        """Number and sign."""
        return f"{self.task.number + 10}/QĐ-UBND"

    def declaration(self) -> upload_service_pb2.DocumentDeclaration:
        """Return what the station declares of it."""
        declaration = upload_service_pb2.DocumentDeclaration(
            kind=self.task.kind,
            lane=document_pb2.LANE_NEW,
            dossier_code=f"{self.office.agency_code}-{self.at:%y%m%d}-{self.task.number:04}",
            procedure_code=_PROCEDURE,
            sheets=self.task.sheets,
            result=upload_service_pb2.ResultDeclaration(
                type_code=_RESULT_TYPE,
                owner_ids=[_OWNER],
                number=self.number,
                issued_on=f"{self.at:%Y-%m-%d}",
                subject=self.task.title.capitalize(),
            ),
        )
        declaration.scanned_at.FromDatetime(self.at)
        return declaration

    def printed(self) -> Paper:
        """Print it; a result must bear its code."""
        expect(bool(self.code) or not self.task.is_result, "a result was printed before its code was reserved")
        return Paper(
            title=self.task.title,
            subject="Về việc giải quyết thủ tục hành chính cho người mẫu",
            superior=self.office.superior,
            agency=self.office.name,
            number=self.number,
            place_and_date=f"{self.office.place}, ngày {self.at:%d} tháng {self.at:%m} năm {self.at:%Y}",
            signer_title=self.office.signer_title,
            sheets=self.task.sheets,
            scan=self.task.scan,
            code=self.code,
        )


@dataclass(slots=True)
class Pages:
    """Pages as they came from the scanner, with their digests."""

    data: list[bytes] = field(default_factory=list, repr=False)
    sizes: list[int] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)

    def add(self, page: bytes) -> None:
        """Take one more."""
        self.data.append(page)
        self.sizes.append(len(page))
        self.digests.append(digest(page))

    def keep(self, folder: Path) -> tuple[Path, ...]:
        """Write them as files of a folder."""
        folder.mkdir()
        files = tuple(folder / f"{number}.img" for number in range(1, len(self.data) + 1))
        for file, page in zip(files, self.data, strict=True):
            file.write_bytes(page)
        return files


def digest(data: bytes) -> str:
    """Return the SHA-256 as the wire writes it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file as the wire writes it."""
    return digest(file.read_bytes())
