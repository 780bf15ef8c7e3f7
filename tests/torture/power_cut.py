"""Cuts the power of the byte side between any two calls, and holds what may be left against what was promised.

Run as `python -m tests.torture.power_cut --minutes 5 --seed 1`. Status 1: findings.
"""

import argparse
import asyncio
import hashlib
import json
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.blobs.filesystem import FileSystemBlobStore
from kho_storage.blobs.filesystem_manifests import FileSystemManifestStore
from kho_storage.blobs.filesystem_spool import FileSystemUploadSpool
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.digest import Digest
from kho_storage.errors import DigestMismatch, StorageError
from kho_storage.parts import ManifestName, PartId, PartKind, UploadId
from tests.contracts.blob_store import read_whole
from tests.torture.crash_states import Left, crash_states
from tests.torture.recorded_disk import RecordedDisk, Step

_AGENCY = UUID(int=1)
_ROOMS = ("spool", "blobs", "manifests")


class Stores:
    """The byte side over one folder, as a server opens it."""

    def __init__(self, root: Path, files: DurableFiles, threads: ThreadPoolExecutor) -> None:
        """Open all three stores."""
        for room in _ROOMS:
            files.make_folder(root / room)
        files.sync_folder(root)
        self.sync = GroupSync(files, threads=2)
        self.spool = FileSystemUploadSpool(root / "spool", sync=self.sync, threads=threads, files=files)
        self.blobs = FileSystemBlobStore(root / "blobs", sync=self.sync, threads=threads, files=files)
        self.manifests = FileSystemManifestStore(root / "manifests", sync=self.sync, threads=threads, files=files)


@dataclass
class Story:
    """What stations do, drawn by a seed; the short one is the same every time."""

    disk: RecordedDisk
    threads: ThreadPoolExecutor
    draw: random.Random
    contents: dict[tuple[object, ...], bytes] = field(default_factory=dict)
    manifests: dict[tuple[object, ...], bytes] = field(default_factory=dict)

    async def short(self) -> None:
        """One document: a page in two pieces, one that is resumed, a commit."""
        stores = self._open()
        upload = UploadId(_AGENCY, UUID(int=2), 1)
        await self._page(stores, upload, 1, [b"first ", b"page"], {0})
        await self._page(stores, upload, 2, [b"second ", b"page"], set(), leaves_after=0)
        await self._commit(stores, upload, 2)
        await stores.sync.close()

    async def long(self, documents: int) -> None:
        """Several documents side by side, in two lives of a server; some pages are the same."""
        stores = self._open()
        await asyncio.gather(*(self._document(stores, number) for number in range(2, 2 + documents)))
        await stores.sync.close()
        stores = self._open()
        await asyncio.gather(*(self._document(stores, number) for number in range(2 + documents, 2 + 2 * documents)))
        await stores.sync.close()

    def _open(self) -> Stores:
        return Stores(self.disk.root, self.disk, self.threads)

    async def _document(self, stores: Stores, number: int) -> None:
        draw = self.draw
        for version in range(1, draw.choice((2, 2, 3))):
            upload = UploadId(_AGENCY, UUID(int=number), version)
            pages = draw.randint(1, 3)
            for page in range(1, pages + 1):
                pieces = [draw.randbytes(draw.randint(1, 40)) for _ in range(draw.randint(1, 4))]
                if draw.random() < 0.2:
                    pieces = [b"the same page"]
                if draw.random() < 0.2:
                    await self._wrong_page(stores, upload, page)
                persisted = {place for place in range(len(pieces)) if draw.random() < 0.5}
                leaves = draw.randrange(len(pieces)) if draw.random() < 0.4 else None
                await self._page(stores, upload, page, pieces, persisted, leaves_after=leaves)
            await self._commit(stores, upload, pages)

    async def _page(
        self,
        stores: Stores,
        upload: UploadId,
        number: int,
        pieces: Sequence[bytes],
        persisted: set[int],
        *,
        leaves_after: int | None = None,
    ) -> None:
        part = PartId(PartKind.PAGE, number)
        key = ("part", upload, part)
        whole = b"".join(pieces)
        self.contents[key] = whole
        writer = await stores.spool.writer(upload, part)
        for place, piece in enumerate(pieces):
            await writer.append([piece])
            if place in persisted:
                self.disk.tell(key, await writer.persist())
            if place == leaves_after:
                await writer.close()
                writer = await stores.spool.writer(upload, part)
                self.disk.tell(key, writer.persisted_bytes)
                await writer.append([whole[writer.received_bytes : len(b"".join(pieces[: place + 1]))]])
        await writer.complete(Digest.of(whole))
        self.disk.tell(key, "complete")
        await writer.close()

    async def _wrong_page(self, stores: Stores, upload: UploadId, number: int) -> None:
        """A page that is not what was declared: it is forgotten, and never comes back."""
        writer = await stores.spool.writer(upload, PartId(PartKind.PAGE, number))
        await writer.append([b"not what was declared"])
        await writer.persist()
        try:
            await writer.complete(Digest.of(b"what was declared"))
        except DigestMismatch:
            await writer.close()

    async def _commit(self, stores: Stores, upload: UploadId, pages: int) -> None:
        parts = [PartId(PartKind.PAGE, number) for number in range(1, pages + 1)]
        sources = [await stores.spool.source(upload, part) for part in parts]
        await stores.blobs.put(sources)
        for source, part in zip(sources, parts, strict=True):
            self.disk.tell(("blob", source.digest), self.contents["part", upload, part])
        commit = UUID(int=upload.document.int * 1000 + upload.version)
        name = ManifestName(upload.agency, upload.document, upload.version, commit)
        data = json.dumps([[source.digest.sha256, source.digest.size_bytes] for source in sources]).encode()
        await stores.manifests.seal(name, data)
        self.disk.tell(("manifest", name), data)
        # Here the rows are written; from now on nobody needs the spool.
        self.disk.tell(("part", upload), None)
        await stores.spool.discard(upload)


async def findings_of(left: Left, story: Story, place: Path, threads: ThreadPoolExecutor) -> list[str]:
    """Open the stores on what is left and return what is not as promised."""
    found: list[str] = []
    left.make(place)
    stores = Stores(place, DurableFiles(), threads)
    try:
        for key, what in left.promises.items():
            found += await _promise(stores, key, what, story)
        for path in (place / "blobs" / "sha256").glob("*/*"):
            if hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
                found.append(f"blob {path.name} holds other bytes than its name says")
        for path in (place / "spool").glob("*/*/v*/p?????.*.*"):
            _, sha256, size = path.name.split(".")
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != sha256 or len(content) != int(size):
                found.append(f"the complete part {path.name} holds other bytes than its name says")
        async for name in stores.manifests.walk():
            for sha256, size in json.loads(await stores.manifests.read(name)):
                if await stores.blobs.find(sha256) != Digest(sha256, size):
                    found.append(f"a manifest names {sha256}, which is not there")
        found += await _goes_on(stores, left, story)
    except (StorageError, OSError, ValueError) as error:
        found.append(f"a store cannot work on it: {error!r}")
    finally:
        await stores.sync.close()
        shutil.rmtree(place)
    return [f"after step {left.moment} ({left.fates}): {each}" for each in found]


async def _promise(stores: Stores, key: tuple[object, ...], what: object, story: Story) -> list[str]:
    match key:
        case ("blob", Digest() as digest):
            if await read_whole(stores.blobs, digest) != what:
                return [f"{digest} was stored and is not what it was"]
        case ("manifest", ManifestName() as name):
            if await stores.manifests.read(name) != what:
                return [f"{name} was sealed and is not what it was"]
        case ("part", UploadId() as upload, PartId() as part):
            spooled = {each.part: each for each in await stores.spool.parts(upload)}.get(part)
            content = story.contents[key]
            if what == "complete":
                if spooled is None or spooled.digest != Digest.of(content):
                    return [f"{part} was complete and is {spooled}"]
            elif isinstance(what, int) and (spooled.persisted_bytes if spooled else 0) < what:
                return [f"{what} bytes of {part} were promised and it is {spooled}"]
    return []


async def _goes_on(stores: Stores, left: Left, story: Story) -> list[str]:
    """Finish every part that was begun: what was kept of it must be a beginning of it."""
    for key in left.promises:
        match key:
            case ("part", UploadId() as upload, PartId() as part) if left.promises[key] != "complete":
                spooled = {each.part: each for each in await stores.spool.parts(upload)}.get(part)
                if spooled is not None and spooled.digest is not None:
                    continue
                whole = story.contents[key]
                writer = await stores.spool.writer(upload, part)
                await writer.append([whole[writer.received_bytes :]])
                try:
                    await writer.complete(Digest.of(whole))
                except DigestMismatch:
                    return [f"what is left of {part} is no beginning of it"]
    return []


@dataclass
class Tried:
    """What was tried."""

    stories: int = 0
    steps: int = 0
    states: int = 0
    findings: list[str] = field(default_factory=list)


async def try_short_story(folder: Path, tried: Tried) -> None:
    """Try every state of the short story."""
    await _try(folder, tried, random.Random(0), documents=None, at_most=None)


async def try_long_story(folder: Path, tried: Tried, seed: int, *, documents: int = 3, at_most: int = 40) -> None:
    """Try states of a drawn story at some of its moments."""
    await _try(folder, tried, random.Random(seed), documents=documents, at_most=at_most)


async def _try(folder: Path, tried: Tried, draw: random.Random, *, documents: int | None, at_most: int | None) -> None:
    with ThreadPoolExecutor(4) as threads:
        story = await recorded(folder, draw, threads, documents)
        tried.stories += 1
        tried.steps += len(story.disk.steps)
        for left in crash_states(story.disk.steps, draw, at_most):
            tried.states += 1
            tried.findings += await findings_of(left, story, folder / "left", threads)
        shutil.rmtree(story.disk.root)


async def recorded(folder: Path, draw: random.Random, threads: ThreadPoolExecutor, documents: int | None) -> Story:
    """Let a story happen on a recorded disk; `documents` None: the short one."""
    root = folder / "story"
    root.mkdir()
    disk = RecordedDisk(root)
    story = Story(disk, threads, draw)
    with disk.watching():
        await (story.short() if documents is None else story.long(documents))
    return story


def steps_of(story: Story) -> Sequence[Step]:
    """Return what the disk wrote down."""
    return story.disk.steps


def main() -> int:
    """Cut and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    started, tried = time.monotonic(), Tried()

    async def run(folder: Path) -> None:
        await try_short_story(folder, tried)
        while time.monotonic() - started < arguments.minutes * 60 and len(tried.findings) < 20:
            await try_long_story(folder, tried, arguments.seed + tried.stories)

    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        asyncio.run(run(Path(folder)))
    print(f"{tried.stories} stories of {tried.steps} calls, {tried.states} states after a cut of power")
    print("\n".join([f"findings: {len(tried.findings)}", *tried.findings[:20]]))
    return 1 if tried.findings else 0


if __name__ == "__main__":
    sys.exit(main())
