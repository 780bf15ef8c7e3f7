"""Access records as rows, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kho_storage.catalog.database import Row
from kho_storage.records.access import AccessAction, AccessOutcome, AccessRecord, ListedAccess


@dataclass(frozen=True, slots=True)
class Closing:
    """What really left for one record; `at` is the record's, so that both lie in one month."""

    access_id: UUID
    at: datetime
    closed_at: datetime
    bytes_sent: int


def write_arguments(records: Sequence[AccessRecord], closings: Sequence[Closing]) -> tuple[list[object], ...]:
    """Return the columns for `write_access`, one list each."""
    return (
        [record.access_id for record in records],
        [record.at for record in records],
        [record.principal_id for record in records],
        [record.agency_uuid for record in records],
        [record.officer_id for record in records],
        [record.action.value for record in records],
        [record.outcome.value for record in records],
        [record.document_uuid for record in records],
        [record.version for record in records],
        [record.asked for record in records],
        [record.dossier_code for record in records],
        [record.procedure_code for record in records],
        [record.request_id for record in records],
        [closing.access_id for closing in closings],
        [closing.at for closing in closings],
        [closing.closed_at for closing in closings],
        [closing.bytes_sent for closing in closings],
    )


def listed_access(row: Row) -> ListedAccess:
    """Read a row of `access_of_document`."""
    record = AccessRecord(
        access_id=row["access_id"],
        at=row["at"],
        principal_id=row["principal_id"],
        agency_uuid=row["agency_uuid"],
        officer_id=row["officer_id"],
        action=AccessAction(row["action"]),
        outcome=AccessOutcome(row["outcome"]),
        document_uuid=row["document_uuid"],
        version=row["version"],
        asked=row["asked"],
        dossier_code=row["dossier_code"],
        procedure_code=row["procedure_code"],
        request_id=row["request_id"],
    )
    return ListedAccess(record, row["agency_id"], row["bytes_sent"])
