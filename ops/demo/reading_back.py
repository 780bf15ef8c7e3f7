"""Reads every page and every signed file back, and compares digests with what the scanner and the signers gave."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from kho_client.kho import KhoClient
from kho_client.parts import page
from ops.demo.desk import Stored
from ops.demo.draft import digest_of
from ops.demo.screen import Bar
from ops.demo.steps import Row, expect
from ops.demo.workload import Desk

_AT_ONCE = 6


async def read_back(
    stored: Sequence[Stored], clients: Mapping[Desk, KhoClient], folder: Path, row: Row, bar: Bar
) -> None:
    """Compare everything; Expected names the first difference."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def compare(document: Stored, number: int, wanted: str) -> None:
        target = folder / f"back-{document.document_id}-{number}"
        async with places:
            got = await clients[document.task.desk].read_content(
                document.document_id, target, part=page(number).key() if number else None
            )
            found = await asyncio.to_thread(digest_of, target)
            target.unlink()
        expect(found == wanted == got.digest, f"{'page ' + str(number) if number else 'the signed file'} differs")
        row.add(1, got.size_bytes)
        bar.show(row.count)

    async with asyncio.TaskGroup() as group:
        for document in stored:
            for number, wanted in enumerate((document.signed_digest, *document.page_digests)):
                group.create_task(compare(document, number, wanted))
