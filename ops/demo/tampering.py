"""Somebody changes one byte of a page inside a signed PDF and hands the copy in."""

from pathlib import Path

from kho.v1 import document_pb2, verdict_pb2
from kho_client.kho import KhoClient, new_document_id
from kho_client.new_document import NewDocument
from ops.demo.colleagues import is_absent, judged
from ops.demo.desk import PATIENT, Stored
from ops.demo.draft import Draft
from ops.demo.steps import Row, expect


def changed(signed: bytes, page: bytes) -> bytes:
    """Return a signed PDF with one bit turned in the middle of a page's image; Expected when it holds no such page."""
    at = signed.find(page)
    expect(at >= 0, "the page does not stand in the PDF as it was scanned")
    at += len(page) // 2
    return signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]


async def tamper(
    station: KhoClient, neighbour: KhoClient, original: Stored, draft: Draft, folder: Path, row: Row
) -> verdict_pb2.Verdict:
    """Store the changed copy, and make sure that it is judged, kept, and out of everyone's reach but its agency's."""
    file = folder / "tampered.pdf"
    file.write_bytes(changed(original.signed.read_bytes(), original.pages[0].read_bytes()))
    outcome = await station.upload(
        NewDocument(new_document_id(), draft.declaration(), original.pages, signed=file, patience=PATIENT)
    )
    commit = outcome.commit
    document = await judged(station, commit.document_id)
    state = document_pb2.DocumentState.Name(document.state)
    expect(document.state == document_pb2.DOCUMENT_STATE_INVALID, f"a changed copy is {state}")
    expect(bool(document.verdict.explanation_vi), "the verdict does not say why")
    kept = await station.read_content(commit.document_id, folder / "kept.pdf")
    expect(kept.path.read_bytes() == file.read_bytes(), "what failed verification was not kept as it came")
    for code in (commit.result_code, commit.public_code):
        await is_absent(neighbour, code, folder)
    row.add(1, file.stat().st_size)
    return document.verdict
