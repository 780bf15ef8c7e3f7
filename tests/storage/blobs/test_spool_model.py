"""The spool against a simple model: whatever happens in whatever order, nothing acknowledged is lost."""

import asyncio
import random
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from kho_storage.blobs.filesystem_spool import FileSystemUploadSpool
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.blobs.memory import MemoryUploadSpool
from kho_storage.digest import Digest
from kho_storage.errors import DigestMismatch, WriterSuperseded
from kho_storage.parts import PartId, PartKind, SpooledPart, UploadId
from kho_storage.ports import PartWriter, UploadSpool
from tests.storage.blobs.power_cut import PowerCutFiles

_UPLOADS = [UploadId(UUID(int=1), UUID(int=2), version) for version in (1, 2)]
_PARTS = [PartId(PartKind.PAGE, 1), PartId(PartKind.PAGE, 2), PartId(PartKind.RENDITION, 1)]
# Few keys, the first one often: steps that meet on the same part are the ones that matter.
_KEYS = st.sampled_from(
    [(_UPLOADS[0], _PARTS[0])] * 4 + [(_UPLOADS[0], _PARTS[1]), (_UPLOADS[0], _PARTS[2]), (_UPLOADS[1], _PARTS[0])]
)


@dataclass
class _Expected:
    """What the model knows of a part: bytes received, how many of them are promised, complete or not."""

    data: bytes = b""
    promised: int = 0
    is_complete: bool = False
    writer: PartWriter | None = None
    old: list[PartWriter] = field(default_factory=list)


class SpoolMachine(RuleBasedStateMachine):
    """Steps that every spool must take."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model: dict[tuple[UploadId, PartId], _Expected] = {}
        self.spool = self.make_spool()

    def make_spool(self) -> UploadSpool:
        return MemoryUploadSpool()

    def expected(self, key: tuple[UploadId, PartId]) -> _Expected:
        return self.model.setdefault(key, _Expected())

    @rule(key=_KEYS)
    def open(self, key: tuple[UploadId, PartId]) -> None:
        part = self.expected(key)
        if part.is_complete:
            with pytest.raises(ValueError):
                self.runner.run(self.spool.writer(*key))
            return
        opened = self.runner.run(self.spool.writer(*key))
        if part.writer is not None:
            part.old.append(part.writer)
        part.writer = opened
        assert part.promised <= opened.received_bytes == opened.persisted_bytes <= len(part.data)
        part.data = part.data[: opened.received_bytes]
        part.promised = opened.persisted_bytes

    @rule(key=_KEYS, data=st.lists(st.binary(min_size=1, max_size=40), max_size=3))
    def append(self, key: tuple[UploadId, PartId], data: list[bytes]) -> None:
        part = self.expected(key)
        if part.is_complete:
            return
        if part.writer is None:
            self.open(key)
        assert part.writer is not None
        self.runner.run(part.writer.append(data))
        part.data += b"".join(data)
        assert part.writer.received_bytes == len(part.data)

    @rule(key=_KEYS, data=st.binary(min_size=1, max_size=40))
    def append_and_persist(self, key: tuple[UploadId, PartId], data: bytes) -> None:
        self.append(key, [data])
        self.persist(key)

    @rule(key=_KEYS, data=st.binary(min_size=1, max_size=40))
    def receive_whole(self, key: tuple[UploadId, PartId], data: bytes) -> None:
        self.append(key, [data])
        self.complete(key)

    @rule(key=_KEYS)
    def persist(self, key: tuple[UploadId, PartId]) -> None:
        part = self.expected(key)
        if part.writer is not None:
            assert self.runner.run(part.writer.persist()) == len(part.data)
            part.promised = len(part.data)

    @rule(key=_KEYS)
    def complete(self, key: tuple[UploadId, PartId]) -> None:
        part = self.expected(key)
        if part.writer is not None:
            self.runner.run(part.writer.complete(Digest.of(part.data)))
            part.promised, part.is_complete = len(part.data), True

    @rule(key=_KEYS)
    def complete_wrongly(self, key: tuple[UploadId, PartId]) -> None:
        part = self.expected(key)
        if part.writer is None or part.is_complete:
            return
        with pytest.raises(DigestMismatch):
            self.runner.run(part.writer.complete(Digest.of(part.data + b"!")))
        part.data, part.promised = b"", 0

    @rule(key=_KEYS)
    def close(self, key: tuple[UploadId, PartId]) -> None:
        part = self.expected(key)
        if part.writer is not None:
            self.runner.run(part.writer.close())
            part.writer = None

    @rule(key=_KEYS)
    def use_an_old_writer(self, key: tuple[UploadId, PartId]) -> None:
        for writer in self.expected(key).old:
            with pytest.raises(WriterSuperseded):
                self.runner.run(writer.append([b"late"]))
            with pytest.raises(WriterSuperseded):
                self.runner.run(writer.complete(Digest.of(b"late")))

    @rule(key=_KEYS)
    def discard_part(self, key: tuple[UploadId, PartId]) -> None:
        self.runner.run(self.spool.discard_part(*key))
        self.forget(key)

    @rule(upload=st.sampled_from(_UPLOADS))
    def discard(self, upload: UploadId) -> None:
        self.runner.run(self.spool.discard(upload))
        for part in _PARTS:
            self.forget((upload, part))

    def forget(self, key: tuple[UploadId, PartId]) -> None:
        part = self.expected(key)
        old = part.old + ([part.writer] if part.writer is not None else [])
        self.model[key] = _Expected(old=old)

    @rule()
    def look(self) -> None:
        """A rule and no invariant: looking makes durable, and would hide what a step forgot to sync."""
        for upload in _UPLOADS:
            told = {each.part: each for each in self.runner.run(self.spool.parts(upload))}
            for part in _PARTS:
                expected = self.expected((upload, part))
                spooled = told.get(part, SpooledPart(part, 0, None))
                assert expected.promised <= spooled.persisted_bytes <= len(expected.data)
                expected.promised = spooled.persisted_bytes
                assert spooled.digest == (Digest.of(expected.data) if expected.is_complete else None)
                if expected.is_complete:
                    assert self.runner.run(self.read(upload, part)) == expected.data

    async def read(self, upload: UploadId, part: PartId) -> bytes:
        source = await self.spool.source(upload, part)
        return b"".join([piece async for piece in source.read()])

    def teardown(self) -> None:
        self.runner.close()


class FileSpoolMachine(SpoolMachine):
    """Adds the ends that a server may meet: a killed process and a cut of power."""

    def make_spool(self) -> UploadSpool:
        self.top = Path(tempfile.mkdtemp())
        self.disk = PowerCutFiles()
        self.threads = ThreadPoolExecutor(2)
        self.lives = 0
        self.root = self.top / "0"
        self.root.mkdir()
        return self.start()

    def start(self) -> UploadSpool:
        self.sync = GroupSync(self.disk, threads=2)
        return FileSystemUploadSpool(self.root, sync=self.sync, threads=self.threads, files=self.disk)

    @rule()
    def kill(self) -> None:
        """A new process over the same files; the old one's writers are gone."""
        self.runner.run(self.sync.close())
        self.spool = self.start()
        self.after_the_end()

    @rule(seed=st.integers(0, 2**32))
    def cut_power(self, seed: int) -> None:
        self.runner.run(self.sync.close())
        self.lives += 1
        new_root = self.top / str(self.lives)
        self.disk = self.disk.cut_power(self.root, new_root, random.Random(seed))
        self.root = new_root
        self.spool = self.start()
        self.after_the_end()

    @precondition(lambda self: any(part.writer for part in self.model.values()))
    @rule(key=_KEYS, junk=st.binary(min_size=1, max_size=60), in_list=st.booleans())
    def tear(self, key: tuple[UploadId, PartId], junk: bytes, in_list: bool) -> None:
        """A killed process, with junk after what it wrote last."""
        self.kill()
        upload, part = key
        folder = self.root / str(upload.agency) / str(upload.document) / f"v{upload.version}"
        letter = "p" if part.kind is PartKind.PAGE else "r"
        torn = folder / f"{letter}{part.number:05d}.{'ack' if in_list else 'part'}"
        if torn.exists():
            with torn.open("ab") as file:
                file.write(junk)

    def after_the_end(self) -> None:
        for part in self.model.values():
            part.writer = None
            part.old = []
        self.look()

    def teardown(self) -> None:
        self.runner.run(self.sync.close())
        super().teardown()
        self.threads.shutdown()
        shutil.rmtree(self.top)


_SETTINGS = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_memory_spool_follows_the_model() -> None:
    run_state_machine_as_test(SpoolMachine, settings=_SETTINGS)


def test_file_spool_follows_the_model() -> None:
    run_state_machine_as_test(FileSpoolMachine, settings=_SETTINGS)
