"""A disk whose power can be cut: what was not synced is gone."""

import os
import random
import stat
from pathlib import Path
from threading import Lock

from kho_storage.blobs.durable_files import Descriptor, DurableFiles


class PowerCutFiles(DurableFiles):
    """Works on real files and remembers what `fsync` has covered: bytes by inode, names by folder.

    The harshest disk that keeps the promises of fsync(2): nothing else survives, save that the file's bytes
    since its last sync may have come through in part, which `cut_power` draws by its random generator.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._bytes: dict[int, bytes] = {}
        self._names: dict[Path, dict[str, int | None]] = {}

    def open_new_or_old(self, path: Path) -> Descriptor:
        is_new = not path.exists()
        file = super().open_new_or_old(path)
        if is_new:  # the number of a removed file may be given out again
            with self._lock:
                self._bytes.pop(os.fstat(file.number).st_ino, None)
        return file

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        with self._lock:  # a folder made later under the old name is another one
            for folder in [each for each in self._names if each.is_relative_to(source)]:
                del self._names[folder]

    def sync_file(self, file: Descriptor) -> None:
        super().sync_file(file)
        with self._lock:
            status = os.fstat(file.number)
            self._bytes[status.st_ino] = os.pread(file.number, status.st_size, 0)

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        with self._lock:
            self._names[folder] = {
                each.name: None if stat.S_ISDIR(each.lstat().st_mode) else each.lstat().st_ino
                for each in folder.iterdir()
            }

    def cut_power(self, root: Path, new_root: Path, draw: random.Random) -> "PowerCutFiles":
        """Build below `new_root` what is left of `root`; return the disk to go on with."""
        later = {each.lstat().st_ino: each for each in root.rglob("*") if each.is_file()}
        new_root.mkdir()
        left = PowerCutFiles()
        self._rebuild(root, new_root, later, draw, left)
        return left

    def _rebuild(
        self, old: Path, new: Path, later: dict[int, Path], draw: random.Random, left: "PowerCutFiles"
    ) -> None:
        for name, inode in self._names.get(old, {}).items():
            if inode is None:
                (new / name).mkdir()
                self._rebuild(old / name, new / name, later, draw, left)
            else:
                data = self._bytes.get(inode, b"")
                if name.endswith((".part", ".ack")) and inode in later and draw.random() < 0.5:
                    data = _torn(data, later[inode].read_bytes(), draw)
                (new / name).write_bytes(data)
                left._bytes[(new / name).stat().st_ino] = data
        left._names[new] = {each.name: None if each.is_dir() else each.stat().st_ino for each in new.iterdir()}


def _torn(synced: bytes, written: bytes, draw: random.Random) -> bytes:
    """Return the synced bytes and some of the later ones, the last of them zeros or noise."""
    tail = written[len(synced) :]
    kept = tail[: draw.randint(0, len(tail))]
    noise = draw.choice([b"", b"\0" * draw.randint(0, 50), draw.randbytes(draw.randint(0, 50))])
    return synced + kept + noise
