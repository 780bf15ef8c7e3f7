"""The data folder of one Kho: its identity, its lock, its rooms."""

import fcntl
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from kho_storage.blobs.durable_files import Descriptor, DurableFiles
from kho_storage.errors import StoreInUse, StoreMismatch, StoreUnusable

FORMAT = 1
_REPOSITORY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,31}\Z")
_MAX_IDENTITY_BYTES = 4096


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """What `store.json` says: format of the folder, id of this store, repository it belongs to (H46, ...)."""

    format: int
    store_id: UUID
    repository_id: str


class DataFolder:
    """An opened data folder; nobody else can open it until `close` or the end of this process.

    Rooms: `spool/`, `blobs/`, `manifests/`, made here; `postgres/` is made by the embedded PostgreSQL.
    """

    def __init__(self, root: Path, identity: StoreIdentity, lock: Descriptor) -> None:
        """Hold an opened folder; use `open`."""
        self.root = root
        self.identity = identity
        self._lock: Descriptor | None = lock

    @classmethod
    def open(
        cls, root: Path, *, repository_id: str, new_store_id: Callable[[], UUID], files: DurableFiles
    ) -> "DataFolder":
        """Open a data folder, made if absent; blocks.

        StoreUnusable: no rights, not a folder, or a folder that holds something else. StoreInUse: another
        process has it. StoreMismatch: a newer format, or another repository's. ValueError: a repository id
        that is none. StorageFull: no room to make it.
        """
        if not _REPOSITORY_ID.match(repository_id):
            raise ValueError("a repository id has 1 to 32 letters, digits, dots or hyphens, such as H46")
        root = root.absolute()
        try:
            _make(root, files)
            lock = _take_lock(root)
            identity = read_identity(root)
            if identity is None:
                identity = StoreIdentity(FORMAT, new_store_id(), repository_id)
                write_identity(root, identity, files)
            for room in ("spool", "blobs", "manifests"):
                files.make_folder(root / room)
            files.sync_folder(root)
        except OSError as error:
            raise StoreUnusable(
                f"the data folder {root} cannot be used: {os.strerror(error.errno or 0)}; "
                f"it must be a folder that user id {os.geteuid()} owns and may write to"
            ) from error
        if identity.repository_id != repository_id:
            raise StoreMismatch(
                f"the data folder {root} belongs to repository {identity.repository_id}, not {repository_id}; "
                "name the right repository or another folder"
            )
        return cls(root, identity, lock)

    @property
    def spool(self) -> Path:
        """The room of uploads that are arriving."""
        return self.root / "spool"

    @property
    def blobs(self) -> Path:
        """The room of stored bytes."""
        return self.root / "blobs"

    @property
    def manifests(self) -> Path:
        """The room of sealed manifests."""
        return self.root / "manifests"

    @property
    def events(self) -> Path:
        """The room of events that the store keeps beside the database."""
        return self.root / "events"

    @property
    def postgres(self) -> Path:
        """The room of the embedded PostgreSQL."""
        return self.root / "postgres"

    def free_bytes(self) -> int:
        """Return what an unprivileged process may still write on this device; one system call."""
        status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize

    def close(self) -> None:
        """Give the folder back. Idempotent."""
        self._lock = None


def _make(root: Path, files: DurableFiles) -> None:
    absent = [each for each in (root, *root.parents) if not each.exists()]
    for each in reversed(absent):
        files.make_folder(each)
        files.sync_folder(each.parent)
    if not absent and not (root / "store.json").exists():
        strangers = {each.name for each in root.iterdir()} - {"lock", "store.json.new", "lost+found"}
        if strangers:
            raise StoreUnusable(
                f"the folder {root} is not empty and holds no store.json: this is not a data folder of Kho; "
                "name an empty folder or one that does not exist"
            )
    root.chmod(0o700)


def _take_lock(root: Path) -> Descriptor:
    lock = Descriptor(os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    try:
        fcntl.flock(lock.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock.number, 20, 0).decode("ascii", "replace").strip()
        raise StoreInUse(
            f"the data folder {root} is in use by process {holder or 'unknown'}; "
            "stop that one first (it may be another `kho serve`), or give this one a data folder of its own"
        ) from error
    os.ftruncate(lock.number, 0)
    os.pwrite(lock.number, b"%d\n" % os.getpid(), 0)
    return lock


def read_identity(root: Path) -> StoreIdentity | None:
    """Return what `store.json` says, None if there is none. StoreMismatch: unreadable, or of a newer format."""
    try:
        with (root / "store.json").open("rb") as file:
            text = file.read(_MAX_IDENTITY_BYTES)
    except FileNotFoundError:
        return None
    try:
        found = json.loads(text)
        version = int(found["format"])
        if version > FORMAT:
            raise StoreMismatch(
                f"the data folder {root} has format {version}, this Kho knows formats up to {FORMAT}; "
                "start the newer Kho that wrote it"
            )
        return StoreIdentity(version, UUID(found["store_id"]), str(found["repository_id"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreMismatch(f"{root / 'store.json'} cannot be read; restore it from a backup") from error


def write_identity(root: Path, identity: StoreIdentity, files: DurableFiles) -> None:
    """Write `store.json` durably: from then on the folder is a store."""
    values = {
        "format": identity.format,
        "store_id": str(identity.store_id),
        "repository_id": identity.repository_id,
    }
    new = root / "store.json.new"
    with suppress(FileNotFoundError):
        new.unlink()
    file = files.open_new_or_old(new)
    files.write(file, [json.dumps(values, indent=2).encode() + b"\n"], 0)
    files.sync_file(file)
    files.rename(new, root / "store.json")
    files.sync_folder(root)
