"""Random histories of documents; whatever happened, the events rebuild what is."""

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from kho_storage.catalog.database import Database
from kho_storage.catalog.documents import PostgresDocuments
from kho_storage.catalog.ledger import PROJECTIONS
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.catalog.sequencer import Sequencer
from kho_storage.catalog.uploads import PostgresUploads
from kho_storage.catalog.verdicts import PostgresVerdicts
from kho_storage.postgres.embedded import EmbeddedPostgres
from kho_storage.records.document import DocumentState, StoredVerdict
from tests.fixtures_postgres import create_database, drop_database
from tests.storage.catalog.projection_dump import assert_rebuild_changes_nothing
from tests.storage.catalog.sealed_samples import (
    ACTOR,
    NOW,
    declaration,
    nothing,
    open_upload,
    register,
    upload_of,
    verdict_of,
    version_of,
)

T = TypeVar("T")
_STATES = {
    "TOTAL_PASSED": DocumentState.VALID,
    "TOTAL_FAILED": DocumentState.INVALID,
    "INDETERMINATE": DocumentState.PENDING_EVIDENCE,
}


class DocumentMachine(RuleBasedStateMachine):
    """Seals, corrects and judges, with a model of version and state beside it."""

    runner: asyncio.Runner
    database: Database

    def __init__(self) -> None:
        """Begin with two agencies."""
        super().__init__()
        self.registry, self.uploads = PostgresRegistry(self.database), PostgresUploads(self.database)
        self.documents, self.verdicts = PostgresDocuments(self.database), PostgresVerdicts(self.database)
        self.sequencer = Sequencer(self.database, lambda: NOW)
        self.agencies = [self.run(register(self.registry, f"agency-{letter}")) for letter in "ab"]
        self.seconds = 0
        self.ids: dict[UUID, tuple[int, UUID]] = {}
        self.versions: dict[UUID, int] = {}
        self.judgements: dict[UUID, list[StoredVerdict]] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something to its end."""
        return self.runner.run(work)

    @rule(which=st.integers(0, 1), dossier=st.sampled_from(["D-1", "D-2"]), seconds=st.integers(0, 2), data=st.data())
    def seal(self, which: int, dossier: str, seconds: int, data: st.DataObject) -> None:
        """Seal a new document, of one instant with others or not, now and then a copy."""
        self.seconds += seconds
        agency = self.agencies[which]
        own = [document for document, (owner, _) in self.ids.items() if owner == which]
        copied = data.draw(st.sampled_from([None, *own]))
        copy_of = self.ids[copied][1] if copied else None
        upload = upload_of(agency, uuid4(), declared=declaration(agency, dossier, copy_of))
        opened = self.run(open_upload(self.uploads, upload))
        name = uuid4()
        version = version_of(opened, NOW + timedelta(seconds=self.seconds))
        self.run(self.documents.seal(opened, name, version, True, ACTOR, None))
        self.ids[name], self.versions[name], self.judgements[name] = (which, opened.document_id), 1, []

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), is_signed=st.booleans())
    def correct(self, data: st.DataObject, is_signed: bool) -> None:
        """Seal a next version."""
        self.seconds += 1
        name = data.draw(st.sampled_from(sorted(self.ids)))
        which, document = self.ids[name]
        upload = upload_of(self.agencies[which], document, self.versions[name] + 1)
        opened = self.run(self.uploads.open(upload, None, nothing))
        version = version_of(opened, NOW + timedelta(seconds=self.seconds), is_signed=is_signed)
        self.run(self.documents.seal(opened, name, version, is_signed, ACTOR, None))
        self.versions[name] += 1

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), indication=st.sampled_from(sorted(_STATES)), ago=st.integers(0, 3))
    def judge(self, data: st.DataObject, indication: str, ago: int) -> None:
        """Append a judgement of any version, made now or somewhat earlier."""
        self.seconds += 4
        name = data.draw(st.sampled_from(sorted(self.ids)))
        version = data.draw(st.integers(1, self.versions[name]))
        verdict = verdict_of(version, NOW + timedelta(seconds=self.seconds - ago), indication)
        again = verdict.judged_at + timedelta(minutes=5) if indication == "INDETERMINATE" else None
        self.run(self.verdicts.append(name, verdict, _STATES[indication], again, ACTOR))
        self.judgements[name].append(verdict)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        """Find a document as the model has it."""
        name = data.draw(st.sampled_from(sorted(self.ids)))
        newest = [verdict for verdict in self.judgements[name] if verdict.version == self.versions[name]]
        newest.sort(key=lambda verdict: (verdict.judged_at, verdict.verdict_id))
        state = _STATES[newest[-1].indication] if newest else DocumentState.RECEIVED
        assert self.run(self.documents.state(name)) == (self.versions[name], state)
        stored = self.run(self.documents.document_by_uuid(name))
        assert stored is not None
        assert stored.verdict == (newest[-1] if newest else None)

    @rule()
    def give_positions(self) -> None:
        """Let the sequencer work."""
        self.run(self.sequencer.give())

    def teardown(self) -> None:
        """Find all projections rebuilt from the events equal, then empty them."""
        self.run(self.sequencer.give())
        self.run(assert_rebuild_changes_nothing(self.database))
        tables = ("kho.verification_task", "kho.event", "kho.event_payload", "kho.upload")
        self.run(self.database.execute(f"TRUNCATE {', '.join((*PROJECTIONS, *tables))}"))


@pytest.fixture
def machine(postgres: EmbeddedPostgres, template_database: str) -> Iterator[type[DocumentMachine]]:
    """Give the machine a database and a loop of its own, for all examples."""
    with asyncio.Runner() as runner:
        where = runner.run(create_database(postgres, "document_machine", template_database))
        database = runner.run(Database.open(where.connect_args(), max_connections=2))
        yield type("Machine", (DocumentMachine,), {"runner": runner, "database": database})
        runner.run(database.close())
        runner.run(drop_database(postgres, "document_machine"))


def test_any_history_is_rebuilt_from_its_events(machine: type[DocumentMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            print_blob=True,
        ),
    )
