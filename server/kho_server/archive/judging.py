"""From stored signed files to verdicts: a loop that never stops ingest, and judgements on demand."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from kho_server.archive.blob_files import BlobFiles
from kho_server.archive.caller import Caller, acting_officer
from kho_server.archive.content_choice import newest_signed
from kho_server.archive.observer import Observer
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_server.archive.standing import Standing
from kho_server.rules.legal_days import legal_day
from kho_server.rules.verdict import Indication, SubIndication, document_state
from kho_server.verification.errors import SourceChanged, SourceUnreadable, VerificationError
from kho_server.verification.port import SignatureVerifier
from kho_server.verification.verdict import Verdict
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.digest import Digest
from kho_storage.document_ports import DocumentCatalog, VerdictCatalog
from kho_storage.errors import BlobCorrupt, BlobNotFound, StorageError
from kho_storage.identifiers import time_ordered_uuid
from kho_storage.records.document import DocumentState, StoredVerdict, VerificationTask
from kho_storage.records.registry import Actor

_log = logging.getLogger("kho.judging")
_SERVER = Actor(None, None)
# An INDETERMINATE verdict is judged again after 5 min, 10 min, 20 min, ... at most once a day.
_FIRST_AGAIN = timedelta(minutes=5)
_LAST_AGAIN = timedelta(days=1)
# A verifier that is busy or down is asked again soon; bytes that are damaged do not heal by being read.
_SOON = timedelta(seconds=30)
_DAMAGED_AGAIN = timedelta(hours=1)
_IDLE_S = 5.0


class Judging:
    """Judges sealed versions and appends verdicts; each verdict is an event."""

    def __init__(
        self,
        *,
        documents: DocumentCatalog,
        verdicts: VerdictCatalog,
        registry: RegistryCatalog,
        files: BlobFiles,
        verifier: SignatureVerifier,
        standing: Standing,
        clock: Callable[[], datetime],
        observer: Observer,
        together: int,
    ) -> None:
        """`together` is how many files are judged at a time: as many as the verifier has workers."""
        self._documents = documents
        self._verdicts = verdicts
        self._registry = registry
        self._files = files
        self._verifier = verifier
        self._standing = standing
        self._clock = clock
        self._observer = observer
        self._together = together
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Say that there is something new to judge."""
        self._woken.set()

    async def run(self) -> None:
        """Judge what is due, for ever; cancelled at the end. What it held is released at the next start."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._together):
                group.create_task(self._run_one())

    async def _run_one(self) -> None:
        while True:
            try:
                task = await self._verdicts.take_task(self._clock())
            except StorageError:
                task = None
                self._observer.background_failed("judging")
            if task is None:
                await self._idle()
                continue
            try:
                await self._judge_task(task)
            except Exception as error:
                self._observer.background_failed("judging")
                _log.warning("a version could not be judged now", exc_info=error)
                await self._give_back(task)

    async def _give_back(self, task: VerificationTask) -> None:
        """Give a task back, however long the catalog is away: nobody else may take it meanwhile."""
        while True:
            try:
                await self._verdicts.postpone(task.document_uuid, task.version, self._clock() + _SOON)
            except StorageError:
                await asyncio.sleep(_IDLE_S)
            else:
                self._standing.changed(task.document_uuid)
                return

    async def _idle(self) -> None:
        self._woken.clear()
        try:
            async with asyncio.timeout(_IDLE_S):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _judge_task(self, task: VerificationTask) -> None:
        self._standing.changed(task.document_uuid)
        try:
            verdict = await self._judge(task.digest)
        except (SourceChanged, SourceUnreadable, BlobCorrupt, BlobNotFound):
            self._observer.background_failed("damaged_blob")
            facts = {"document": str(task.document_uuid), "version": task.version}
            _log.error("the bytes of a signed file are damaged or gone", extra={"facts": facts})
            await self._postpone(task, _DAMAGED_AGAIN)
            return
        except VerificationError:
            await self._postpone(task, _SOON)
            return
        await self._append(task.document_uuid, task.version, verdict, task.attempts, _SERVER)

    async def _postpone(self, task: VerificationTask, delay: timedelta) -> None:
        await self._verdicts.postpone(task.document_uuid, task.version, self._clock() + delay)
        self._standing.changed(task.document_uuid)

    async def _judge(self, digest: Digest) -> Verdict:
        started = time.perf_counter()
        async with self._files.lend(digest) as path:
            verdict = await self._verifier.verify(path, digest.sha256)
        self._observer.judged(verdict.indication.value, time.perf_counter() - started)
        return verdict

    async def _append(
        self, document_uuid: UUID, version: int, verdict: Verdict, attempts: int, actor: Actor
    ) -> StoredVerdict:
        sub_indication = verdict.sub_indication.value if verdict.sub_indication else None
        state = DocumentState(
            document_state(
                Indication(verdict.indication.value), SubIndication(sub_indication) if sub_indication else None
            ).value
        )
        stored = StoredVerdict(
            verdict_id=time_ordered_uuid(),
            version=version,
            sha256=verdict.digest,
            indication=verdict.indication.value,
            sub_indication=sub_indication,
            judged_at=verdict.evaluated_at,
            engine_version=verdict.engine_version,
            policy_version=verdict.policy_version,
            report=verdict.to_json(),
        )
        again = None
        if state is DocumentState.PENDING_EVIDENCE:
            again = self._clock() + min(_FIRST_AGAIN * 2 ** min(attempts, 16), _LAST_AGAIN)
        await self._verdicts.append(document_uuid, stored, state, again, actor)
        self._standing.changed(document_uuid)
        return stored

    async def judge_now(self, caller: Caller, officer_id: str, document_id: str) -> StoredVerdict:
        """Judge the newest version of an own document again and append the verdict.

        Errors: those of VerificationService.VerifyDocument.
        """
        document = parse_uuid("document_id", document_id)
        officer = await acting_officer(caller, officer_id, self._registry, legal_day(self._clock()))
        stored = await self._documents.document(caller.agency_uuid, document)
        if stored is None:
            raise Absent(Reason.DOCUMENT_NOT_FOUND)
        content = newest_signed(stored.versions[-1].parts)
        if content is None:
            raise Refusal(Reason.CONTENT_NOT_AVAILABLE)
        verdict = await self._judge(content.digest)
        return await self._append(stored.document_uuid, stored.version, verdict, 0, caller.actor(officer.officer_id))
