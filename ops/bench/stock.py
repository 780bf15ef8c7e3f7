"""What the agencies of the measurement ask for: signed results in the real server, judged valid."""

import asyncio
import hashlib
import io
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pikepdf

from kho.v1 import document_pb2, result_pb2
from kho_client.connection import Connection
from kho_client.kho import KhoClient
from kho_client.new_document import NewDocument
from kho_server.dev_pki import DevPki
from kho_station.signing import Corner, Mark, load_p12, sign_pdf
from ops.bench.station import beginning
from ops.demo.steps import expect

_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class Stock:
    """Codes of small results for look-ups, codes of large ones with their sizes in bytes, and one look-up's answer."""

    small: tuple[str, ...]
    large: dict[str, int]
    answer: result_pb2.Result


async def stocked(server: str, pki: DevPki, folder: Path, *, small: int, large_bytes: Sequence[int]) -> Stock:
    """Store so many small results of agency-a and one of each large size; all are valid and agency-b may have them."""
    papers = {0: await asyncio.to_thread(_signed, pki, folder, 0)}
    for size in large_bytes:
        papers[size] = await asyncio.to_thread(_signed, pki, folder, size)
    places = asyncio.Semaphore(_TOGETHER)
    connection = Connection(server, pki.ca, pki.certificate("station"), pki.key("station"))
    async with KhoClient(connection) as station:

        async def stored(paper: Path) -> result_pb2.Result:
            async with places:
                return await _stored(station, paper)

        found = await asyncio.gather(*(stored(papers[0]) for _ in range(small)))
        big = await asyncio.gather(*(stored(papers[size]) for size in large_bytes))
    connection = Connection(server, pki.ca, pki.certificate("agency-b"), pki.key("agency-b"))
    async with KhoClient(connection) as agency:
        answer = await agency.lookup(found[0].result_code)
    large = {result.result_code: result.size_bytes for result in big}
    return Stock(tuple(result.result_code for result in found), large, answer)


async def _stored(station: KhoClient, paper: Path) -> result_pb2.Result:
    begun = beginning(0, renditions=1)
    await station.upload(NewDocument(begun.document_id, begun.document, (), signed=paper))
    document = await station.wait_for_verdict(begun.document_id)
    expect(document.state == document_pb2.DOCUMENT_STATE_VALID, "a signed paper of the measurement is not valid")
    return document.result


def _signed(pki: DevPki, folder: Path, size: int) -> Path:
    """Make a PDF of about this size and sign it as officer and as agency."""
    pdf = pikepdf.new()
    pdf.add_blank_page()
    if size:
        pdf.Root["/KhoMeasurement"] = pdf.make_indirect(pikepdf.Stream(pdf, secrets.token_bytes(size)))
    target = io.BytesIO()
    pdf.save(target)
    signed = target.getvalue()
    for name, signer, corner in (("Officer", "officer", Corner.OFFICER), ("Agency", "agency-a", Corner.AGENCY)):
        mark = Mark(name, corner, (name,), datetime.now(UTC), "Measurement", "Localhost")
        signed = sign_pdf(signed, load_p12(pki.signer(signer)), mark)
    path = folder / f"{hashlib.sha256(signed).hexdigest()}.pdf"
    path.write_bytes(signed)
    return path
