"""`kho upload`: stores a document; repeated with the same --document-id it goes on where it stopped."""

import argparse
import uuid
from pathlib import Path

from kho.v1 import document_pb2, upload_service_pb2
from kho_cli.exit_status import DONE
from kho_cli.local_files import require_readable
from kho_cli.options import Subparsers, add_command, client_of, usage
from kho_cli.terminal import Terminal
from kho_cli.upload_bar import upload_bar
from kho_cli.wire_json import commit_state, state_name, upload_json
from kho_client.errors import KhoError, Text
from kho_client.kho import KhoClient
from kho_client.new_document import NewDocument
from kho_client.retry import Patience
from kho_client.upload import UploadOutcome

KINDS = {
    "result": document_pb2.DOCUMENT_KIND_RESULT,
    "processing": document_pb2.DOCUMENT_KIND_PROCESSING,
    "component": document_pb2.DOCUMENT_KIND_COMPONENT,
}
_LANES = {"new": document_pb2.LANE_NEW, "backlog": document_pb2.LANE_BACKLOG}
_OUTCOMES = {"granted": 1, "refused": 2}
_COPY_FORMS = {
    "sao-y": document_pb2.COPY_FORM_SAO_Y,
    "sao-luc": document_pb2.COPY_FORM_SAO_LUC,
    "trich-sao": document_pb2.COPY_FORM_TRICH_SAO,
}
_EXAMPLE = """kho upload --dossier 000.00.16.H46-220905-0001 --procedure 1.000894 --kind result \\
      --type KQ.G15.000031 --owner 038085001234 --pages page-1.jpg page-2.jpg --signed result.pdf"""


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(commands, "upload", "store a document: pages, and the signed file", _EXAMPLE, run)
    what = parser.add_argument_group("what it is")
    what.add_argument("--dossier", required=True, metavar="CODE", help="dossier code")
    what.add_argument("--procedure", required=True, metavar="CODE", help="procedure code")
    what.add_argument("--kind", required=True, choices=KINDS, help="which group of papers")
    what.add_argument("--lane", choices=_LANES, default="new", help="new dossier or backlog (default: new)")
    what.add_argument("--sheets", type=int, default=0, metavar="N", help="physical sheets scanned")
    what.add_argument("--copy-form", choices=_COPY_FORMS, help="form of copy, if it is one")
    what.add_argument("--copy-of", default="", metavar="UUID", help="document id of the original")
    result = parser.add_argument_group("what was decided (results and components)")
    result.add_argument("--type", default="", metavar="CODE", help="code of the result's type")
    result.add_argument("--owner", nargs="+", default=[], metavar="ID", help="owners")
    result.add_argument("--issuer", default="", metavar="CODE", help="issuing agency (default: the caller's)")
    result.add_argument("--outcome", choices=_OUTCOMES, default="granted", help="default: granted")
    result.add_argument("--number", default="", metavar="S", help="number and sign, e.g. 15/QĐ-BNV")
    result.add_argument("--issued", default="", metavar="DATE", help="day of issue, YYYY-MM-DD")
    result.add_argument("--valid-from", default="", metavar="DATE", help="first day in force")
    result.add_argument("--valid-to", default="", metavar="DATE", help="last day in force")
    result.add_argument("--code", default="", metavar="CODE", help="result code that the issuer gave")
    result.add_argument("--territory", default="", metavar="S", help="territory of validity")
    result.add_argument("--subject", default="", metavar="S", help="abstract of the content")
    files = parser.add_argument_group("files")
    files.add_argument("--pages", nargs="+", default=[], type=Path, metavar="FILE", help="scanned pages, in order")
    files.add_argument("--signed", type=Path, metavar="FILE.pdf", help="signed file; pages inside it travel once")
    files.add_argument("--document-id", metavar="UUID", help="goes on with an earlier upload (default: a new id)")
    files.add_argument("--wait-verdict", action="store_true", help="wait until the signatures are judged")
    files.add_argument(
        "--patience", type=float, default=300.0, metavar="S", help="seconds without progress before giving up"
    )


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Store the document and say where it stands."""
    document_id = args.document_id or str(uuid.uuid4())
    if not args.pages and args.signed is None:
        raise usage(
            Text("Hãy nêu --pages hoặc --signed.", "Name the pages with --pages, or the signed file with --signed.")
        )
    require_readable([*args.pages, args.signed])
    if args.kind == "processing" and (args.type or args.owner or args.code or args.number):
        terminal.hint(
            Text(
                "Lưu ý: kết quả xử lý không có mã kết quả; loại, chủ sở hữu, số hiệu không được lưu.",
                "Note: a processing record has no result; type, owners, number and code are not kept.",
            )
        )
    async with client_of(args) as client:
        with upload_bar(terminal, [*args.pages, args.signed]) as on_progress:
            new = NewDocument(
                document_id=document_id,
                declaration=declaration_of(args),
                pages=args.pages,
                signed=args.signed,
                is_resumed=args.document_id is not None,
                patience=Patience(without_progress_s=args.patience),
                on_progress=on_progress,
            )
            try:
                outcome = await client.upload(new)
            except KhoError as error:
                error.metadata.setdefault("document_id", document_id)
                if error.retryable:
                    _hint(terminal, document_id)
                raise
        await report(client, terminal, outcome, wait_verdict=args.wait_verdict)
    return DONE


async def report(client: KhoClient, terminal: Terminal, outcome: UploadOutcome, *, wait_verdict: bool) -> None:
    """Write what was sealed; first wait for its verdict if asked to."""
    commit, state = outcome.commit, commit_state(outcome.commit)
    if wait_verdict:
        state = state_name((await client.wait_for_verdict(commit.document_id)).state)
    if terminal.is_json:
        terminal.json_line(upload_json(outcome, state))
        return
    facts: list[tuple[str, object]] = [
        ("mã kết quả / result code", commit.result_code),
        ("mã công khai / public code", commit.public_code),
        ("phiên bản / version", commit.version),
        ("trạng thái / state", state),
        *([("số trang / pages", outcome.pages)] if outcome.pages else []),
        ("đã gửi / sent", f"{outcome.bytes_sent:,} bytes"),
        ("không cần gửi / skipped", f"{outcome.bytes_skipped:,} bytes"),
    ]
    terminal.facts(f"Đã lưu / stored {commit.document_id}", facts)
    for vi, en in zip(commit.warnings_vi, commit.warnings_en, strict=False):
        terminal.hint(Text(f"Lưu ý: {vi}", f"Note: {en}"))


def declaration_of(args: argparse.Namespace) -> upload_service_pb2.DocumentDeclaration:
    """Return what the flags declare; the server judges it."""
    declaration = upload_service_pb2.DocumentDeclaration(
        kind=KINDS[args.kind],
        lane=_LANES[args.lane],
        dossier_code=args.dossier,
        procedure_code=args.procedure,
        sheets=max(0, args.sheets),
        copy_form=_COPY_FORMS.get(args.copy_form or "", document_pb2.COPY_FORM_UNSPECIFIED),
        copy_of=args.copy_of,
    )
    # A processing record decides nothing: it has no result, whatever else the command line says of one.
    if args.kind != "processing":
        declaration.result.CopyFrom(
            upload_service_pb2.ResultDeclaration(
                type_code=args.type,
                issuer_code=args.issuer,
                owner_ids=args.owner,
                outcome=_OUTCOMES[args.outcome],  # type: ignore[arg-type]  # the stub wants its own int subtype
                number=args.number,
                issued_on=args.issued,
                valid_from=args.valid_from,
                valid_to=args.valid_to,
                given_code=args.code,
                territory=args.territory,
                subject=args.subject,
            )
        )
    return declaration


def _hint(terminal: Terminal, document_id: str) -> None:
    terminal.hint(
        Text(
            f"Dữ liệu đã được xác nhận vẫn còn. Chạy lại lệnh này với --document-id {document_id} để gửi tiếp.",
            f"What was acknowledged is kept. Run this command again with --document-id {document_id} to go on.",
        )
    )
