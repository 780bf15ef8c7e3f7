"""The other agencies of the province, and strangers: what they get, and what does not exist for them."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kho.v1 import document_pb2, result_pb2, reuse_service_pb2, verdict_pb2
from kho_client.connection import Connection
from kho_client.errors import CallRefused, KhoError, NotFound, TlsRefused
from kho_client.kho import KhoClient
from kho_server.dev_pki import DevPki
from ops.demo.desk import PATIENT, Stored
from ops.demo.steps import Expected, Row, Step, StepBook, expect

PURPOSE_DOSSIER = "000.00.17.H46-261121-0007"
PURPOSE_PROCEDURE = "1.004194"
UNKNOWN_CODE = f"000000000001.KQ.G15.000031.{999_999_999}"
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Callers:
    """How everyone but the desks reaches the server."""

    address: str
    pki: DevPki

    def client(self, name: str, officer_id: str = "") -> KhoClient:
        """Open a client with one of the development certificates; without an officer its default one acts."""
        connection = Connection(self.address, self.pki.ca, self.pki.certificate(name), self.pki.key(name))
        return KhoClient(connection, officer_id=officer_id, patience=PATIENT)

    def stranger(self, certificate: Path | None = None, key: Path | None = None) -> KhoClient:
        """Open a client without a certificate, or with one that nobody registered."""
        return KhoClient(Connection(self.address, self.pki.ca, certificate, key))


async def look_up(client: KhoClient, stored: Sequence[Stored], row: Row) -> None:
    """Find every document by result code and by public code, one by one and in a batch, and compare the answers."""
    codes = [code for document in stored for code in (document.result_code, document.public_code)]
    found = [await client.lookup(code) for code in codes]
    for document, result in zip((each for each in stored for _ in range(2)), found, strict=True):
        _compare(document, result)
    lines = await client.batch_lookup(codes)
    for document, line in zip((each for each in stored for _ in range(2)), lines, strict=True):
        expect(line.HasField("result"), "a batch did not find what a single look-up found")
        _compare(document, line.result)
    row.add(len(codes) + len(lines))


def _compare(document: Stored, result: result_pb2.Result) -> None:
    expect(result.result_code == document.result_code, "a look-up answered with another result")
    expect(result.public_code == document.public_code, "a look-up answered with another public code")
    expect(result.in_force, "a result that holds is not in force")
    expect(result.digest == document.signed_digest, "a look-up names another digest than that of the signed file")


async def reuse(client: KhoClient, stored: Sequence[Stored], folder: Path, row: Row) -> None:
    """Fetch every document for a dossier, by alternating kinds of code, and compare each byte with what was signed."""
    purpose = reuse_service_pb2.Purpose(dossier_code=PURPOSE_DOSSIER, procedure_code=PURPOSE_PROCEDURE)
    places = asyncio.Semaphore(_AT_ONCE)

    async def fetch(number: int, document: Stored) -> None:
        code = document.public_code if number % 2 else document.result_code
        async with places:
            got = await client.reuse(code, purpose, folder / f"{number}.pdf")
            if number == 0:
                verdict = await client.verification.verify_file(got.path)
                expect(
                    verdict.summary.indication == verdict_pb2.INDICATION_TOTAL_PASSED,
                    f"the fetched file does not pass: {verdict.explanation_en}",
                )
            same = await asyncio.to_thread(lambda: got.path.read_bytes() == document.signed.read_bytes())
            got.path.unlink()
        expect(same, "the bytes that came back are not those that were signed")
        expect(bool(got.access_id), "content came without a receipt")
        row.add(1, got.size_bytes)

    async with asyncio.TaskGroup() as group:
        for number, document in enumerate(stored):
            group.create_task(fetch(number, document))


async def is_absent(client: KhoClient, code: str, folder: Path) -> NotFound:
    """Make sure that neither look-up nor reuse finds a code, and return the answer; Expected otherwise."""
    purpose = reuse_service_pb2.Purpose(dossier_code=PURPOSE_DOSSIER)
    one = await _refused(client.lookup(code))
    other = await _refused(client.reuse(code, purpose, folder / "nothing.pdf"))
    for error in (one, other):
        expect(isinstance(error, NotFound) and error.reason == "RESULT_NOT_FOUND", f"refused as {error.reason}")
    assert isinstance(one, NotFound)
    return one


async def refusals(callers: Callers, book: StepBook, code: str, stranger: tuple[Path, Path], folder: Path) -> None:
    """Let those without a right ask for a code that exists, and for one that does not."""
    with book.run(Step.REFUSE) as row:
        async with callers.client("agency-b") as friend, callers.client("agency-c") as other:
            unknown = await is_absent(friend, UNKNOWN_CODE, folder)
            forbidden = await is_absent(other, code, folder)
        row.add(2)
        same = (unknown.message_vi, unknown.message_en, unknown.metadata)
        expect(
            same == (forbidden.message_vi, forbidden.message_en, forbidden.metadata),
            "a stranger can tell a result that it may not have from one that is not there",
        )
        async with callers.client("operator", officer_id="officer-a") as operator:
            watching = await _refused(operator.lookup(code))
        _expect_reason(watching, CallRefused, "PRINCIPAL_KIND_NOT_ALLOWED")
        async with callers.stranger() as nobody:
            nameless = await _refused(nobody.lookup(code))
        _expect_reason(nameless, TlsRefused, "CLIENT_CERTIFICATE_MISSING")
        async with callers.stranger(*stranger) as somebody:
            unregistered = await _refused(somebody.lookup(code))
        _expect_reason(unregistered, CallRefused, "CLIENT_CERTIFICATE_UNKNOWN")
        row.add(3)


async def accesses(callers: Callers, book: StepBook, document: Stored) -> str:
    """Read as the owner who had a document, and find agency-b with purpose and bytes; return its officer."""
    size_bytes = document.signed.stat().st_size
    with book.run(Step.ACCESS) as row:
        async with callers.client(document.office.agency_id) as owner:
            records = [record async for record in owner.access.access_records(document.document_id)]
        row.add(len(records))
        reuses = [record for record in records if (record.agency_id, record.action) == ("agency-b", "REUSE")]
        expect(bool(reuses), "the owner cannot see that agency-b had the document")
        expect(
            any(record.bytes_sent == size_bytes and record.dossier_code == PURPOSE_DOSSIER for record in reuses),
            f"the record does not say what left and for which dossier: {[record.bytes_sent for record in reuses]}",
        )
        others = {record.agency_id for record in records if record.outcome == "DISCLOSED"}
        expect(others <= {"agency-b", document.office.agency_id}, "somebody else had the document")
        return reuses[0].officer_id


async def judged(client: KhoClient, document_id: str) -> document_pb2.Document:
    """Wait for the verdict on a document."""
    return await client.wait_for_verdict(document_id, timeout_s=60.0)


async def _refused(call: Awaitable[object]) -> KhoError:
    try:
        await call
    except KhoError as error:
        return error
    raise Expected("a call that must be refused was answered")


def _expect_reason(error: KhoError, kind: type[KhoError], reason: str) -> None:
    expect(isinstance(error, kind) and error.reason == reason, f"refused as {error.reason} instead of {reason}")
