"""A damaged blob gets its bytes back from a second copy; the damaged file stays beside it, as evidence."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.digest import Digest

_PIECE_BYTES = 1 << 20


def repair_from(source: Path, target: Path, digest: Digest, incoming: Path, files: DurableFiles) -> bool:
    """Put the bytes of `source` in the place of `target` if they hash to the digest; tells whether they did.

    The name always leads to a whole file: the old one, which becomes `NAME.damaged`, or the new one. Blocks.
    StorageFull: no room for a copy. OSError: the target's folder cannot be written.
    """
    try:
        reading = files.open_for_reading(source)
    except OSError:
        return False
    temporary, writing = files.open_temporary(incoming)
    try:
        hasher = hashlib.sha256()
        size = 0
        try:
            while piece := os.pread(reading.number, _PIECE_BYTES, size):
                hasher.update(piece)
                size += files.write(writing, [piece], size)
        except OSError:
            # The second disk fails, too; what it gave so far is no help.
            return False
        if Digest(hasher.hexdigest(), size) != digest:
            return False
        files.seal(writing)
        files.sync_file(writing)
        with suppress(FileExistsError, FileNotFoundError):
            files.link(target, target.with_name(f"{target.name}.damaged"))
        files.rename(temporary, target)
        files.sync_folder(target.parent)
    finally:
        files.remove(temporary)
    return True
