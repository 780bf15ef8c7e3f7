"""The use cases of documents, results and verdicts, put together."""

import hashlib
import hmac
import secrets
from datetime import timedelta

from kho.v1.document_service_pb2_grpc import add_DocumentServiceServicer_to_server
from kho.v1.result_service_pb2_grpc import add_ResultServiceServicer_to_server
from kho.v1.reuse_service_pb2_grpc import add_ReuseServiceServicer_to_server
from kho.v1.upload_service_pb2_grpc import add_UploadServiceServicer_to_server
from kho.v1.verification_service_pb2_grpc import add_VerificationServiceServicer_to_server
from kho_server.archive.beginning import Beginning
from kho_server.archive.blob_files import BlobFiles
from kho_server.archive.code_taking import CodeTaker
from kho_server.archive.committing import Committing
from kho_server.archive.disclosure import Disclosure
from kho_server.archive.file_judging import FileJudging
from kho_server.archive.handing_out import HandingOut
from kho_server.archive.judging import Judging
from kho_server.archive.lookup import Lookup
from kho_server.archive.next_version import NextVersion
from kho_server.archive.once import Once
from kho_server.archive.opening import Opening
from kho_server.archive.own_documents import OwnDocuments
from kho_server.archive.standing import Standing
from kho_server.archive.tidying import Tidying
from kho_server.archive.upload_desk import UploadDesk
from kho_server.archive_room import ArchiveRoom, House, upload_limits
from kho_server.rpc.document import DocumentServicer
from kho_server.rpc.page_token import PageTokens
from kho_server.rpc.result import ResultServicer
from kho_server.rpc.reuse import ReuseServicer
from kho_server.rpc.upload import UploadServicer
from kho_server.rpc.verification import VerificationServicer
from kho_server.rules.result_code_template import ResultCodeTemplate

# Leases last days; what they leave behind need not go sooner than this.
_TIDY_EVERY_S = 60.0
_FORGET_EVERY_S = 3600.0


def page_tokens(house: House) -> PageTokens:
    """Return page tokens whose key follows from the store's, so that all its servers read each other's."""
    return PageTokens(hmac.new(house.index.store.access_key, b"page tokens", hashlib.sha256).digest())


def add_documents(house: House, room: ArchiveRoom) -> OwnDocuments:
    """Build the use cases of documents and put their servicers into the room."""
    config, index, bytes_, clock = house.config, house.index, house.room, house.clock
    limits = upload_limits(config)
    standing = Standing()
    disclosure = Disclosure(index.registry, index.access_log, index.store.access_key, clock, house.observer)
    own = OwnDocuments(
        documents=index.documents,
        verdicts=index.verdicts,
        registry=index.registry,
        access=index.access_log,
        disclosure=disclosure,
        standing=standing,
        clock=clock,
    )
    lookup = Lookup(index.documents, index.registry, disclosure, clock, config.batch_lines)
    handing_out = HandingOut(
        lookup=lookup,
        documents=index.documents,
        registry=index.registry,
        disclosure=disclosure,
        blobs=bytes_.blobs,
        clock=clock,
    )
    judging = Judging(
        documents=index.documents,
        verdicts=index.verdicts,
        registry=index.registry,
        files=BlobFiles(bytes_.blobs, bytes_.local, bytes_.scratch),
        verifier=house.verifier,
        standing=standing,
        clock=clock,
        observer=house.observer,
        together=config.verify_workers,
    )
    opening = Opening(
        uploads=index.uploads,
        answers=index.answers,
        spool=bytes_.spool,
        limits=limits,
        clock=clock,
        admit=house.disk.admit,
    )
    codes = CodeTaker(
        index.uploads,
        ResultCodeTemplate.parse(config.result_code_template),
        config.repository_id,
        secrets.token_bytes,
        house.observer.code_clash,
    )
    beginning = Beginning(
        opening, uploads=index.uploads, documents=index.documents, registry=index.registry, codes=codes
    )
    next_version = NextVersion(opening, index.documents, index.registry)
    desk = UploadDesk(
        uploads=index.uploads,
        documents=index.documents,
        spool=bytes_.spool,
        blobs=bytes_.blobs,
        limits=limits,
        clock=clock,
        admit=house.disk.admit,
        observer=house.observer,
    )
    committing = Committing(
        uploads=index.uploads,
        documents=index.documents,
        registry=index.registry,
        answers=index.answers,
        spool=bytes_.spool,
        blobs=bytes_.blobs,
        manifests=bytes_.manifests,
        repository_id=config.repository_id,
        clock=clock,
        observer=house.observer,
        wake_verifier=judging.wake,
    )
    files = FileJudging(
        house.verifier,
        bytes_.scratch,
        max_bytes=config.verify_bytes,
        chunk_bytes=limits.chunk_bytes,
        admit=house.disk.admit,
        observer=house.observer,
    )
    tokens = page_tokens(house)
    uploads = UploadServicer(beginning, desk, committing)
    documents = DocumentServicer(own, next_version, handing_out, limits, tokens, clock)
    results = ResultServicer(lookup)
    reuse = ReuseServicer(handing_out, clock)
    verification = VerificationServicer(judging, files, own, Once(index.answers, clock), tokens, limits.stall_timeout_s)
    room.servicers |= {
        "kho.v1.UploadService": lambda server: add_UploadServiceServicer_to_server(uploads, server),
        "kho.v1.DocumentService": lambda server: add_DocumentServiceServicer_to_server(documents, server),
        "kho.v1.ResultService": lambda server: add_ResultServiceServicer_to_server(results, server),
        "kho.v1.ReuseService": lambda server: add_ReuseServiceServicer_to_server(reuse, server),
        "kho.v1.VerificationService": lambda server: add_VerificationServiceServicer_to_server(verification, server),
    }
    _add_tidying(house, room, judging, desk)
    return own


def _add_tidying(house: House, room: ArchiveRoom, judging: Judging, desk: UploadDesk) -> None:
    """Settle what a dead server left before anyone is served; clean and judge beside the calls."""
    tidying = Tidying(
        uploads=house.index.uploads,
        documents=house.index.documents,
        answers=house.index.answers,
        spool=house.room.spool,
        blobs=house.room.blobs,
        manifests=house.room.manifests,
        clock=house.clock,
        observer=house.observer,
        is_streaming=desk.is_streaming,
        answers_kept=timedelta(days=house.config.answers_kept_days),
    )
    room.before_serving += [tidying.settle, house.index.verdicts.release_started, tidying.clean_spool]
    room.beside += [
        lambda background: background.keep("judging", judging.run),
        lambda background: background.every("leases", _TIDY_EVERY_S, tidying.clean_leases),
        lambda background: background.every("answers", _FORGET_EVERY_S, tidying.forget_answers),
    ]
