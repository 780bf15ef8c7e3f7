"""What every access log does."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from kho_storage.catalog_ports import AccessLog
from kho_storage.records.access import AccessAction, AccessOutcome, AccessRecord

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def access_record(document_uuid: UUID | None = None, at: datetime = NOW) -> AccessRecord:
    """Return a look-up that found something."""
    return AccessRecord(
        access_id=uuid4(),
        at=at,
        principal_id=uuid4(),
        agency_uuid=None,
        officer_id="officer-b",
        action=AccessAction.LOOKUP,
        outcome=AccessOutcome.DISCLOSED,
        document_uuid=document_uuid,
        version=1 if document_uuid else None,
        asked=b"\x01" * 32,
        dossier_code="000.00.17.H46-261121-0001",
        procedure_code="1.000894",
        request_id="req-0001",
    )


class AccessLogContract:
    """A test file of an access log inherits this and gives the fixture `log`."""

    async def test_what_was_recorded_is_listed_newest_first(self, log: AccessLog) -> None:
        document = uuid4()
        records = [access_record(document, NOW + timedelta(seconds=number)) for number in range(4)]
        await log.record([records[2], records[0]])
        await log.record([records[3]])
        await log.record([records[1]])
        await log.record([access_record(uuid4()), access_record(None)])
        assert [listed.record for listed in await log.of_document(document, None, 10)] == records[::-1]

    async def test_records_of_one_instant_are_paged_without_loss(self, log: AccessLog) -> None:
        document = uuid4()
        records = [access_record(document) for _ in range(5)]
        await log.record(records)
        first = await log.of_document(document, None, 2)
        last = first[-1].record
        rest = await log.of_document(document, (last.at, last.access_id), 10)
        assert [listed.record.access_id for listed in (*first, *rest)] == sorted(
            (record.access_id for record in records), reverse=True
        )

    async def test_a_transfer_is_open_until_it_was_closed(self, log: AccessLog) -> None:
        document = uuid4()
        record = replace(access_record(document), action=AccessAction.REUSE)
        await log.record([record])
        assert (await log.of_document(document, None, 1))[0].bytes_sent is None
        await log.close(record.access_id, record.at, NOW + timedelta(seconds=9), 4096)
        # The next record takes the closing along.
        await log.record([access_record(None)])
        assert (await log.of_document(document, None, 1))[0].bytes_sent == 4096

    async def test_nothing_to_record_is_done_at_once(self, log: AccessLog) -> None:
        await log.record([])

    async def test_concurrent_records_are_all_there(self, log: AccessLog) -> None:
        document = uuid4()
        records = [access_record(document, NOW + timedelta(microseconds=number)) for number in range(100)]
        await asyncio.gather(*(log.record([record]) for record in records))
        assert [listed.record for listed in await log.of_document(document, None, 200)] == records[::-1]
