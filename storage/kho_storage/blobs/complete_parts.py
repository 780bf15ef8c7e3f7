"""What is complete in the uploads at hand, so that a page does not cost a listing of its folder."""

from collections import OrderedDict

from kho_storage.digest import Digest
from kho_storage.parts import PartId, UploadId


class CompleteParts:
    """Remembers listings of upload folders, least recently used forgotten first.

    Without it a document of n pages costs n listings of n names to receive and again to commit: a listing of
    10,000 names takes 30 ms, so that the largest document would cost minutes.

    Bounded by the number of parts remembered, about 300 bytes each. Not thread-safe: the spool holds its lock
    around every call.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        """Remember up to `capacity` parts; the upload used last stays even if it is larger."""
        self._capacity = capacity
        self._uploads: OrderedDict[UploadId, dict[PartId, Digest]] = OrderedDict()
        self._count = 0

    def find(self, upload: UploadId) -> dict[PartId, Digest] | None:
        """Return what is complete in an upload, or None if its folder must be listed first."""
        found = self._uploads.get(upload)
        if found is not None:
            self._uploads.move_to_end(upload)
        return found

    def keep(self, upload: UploadId, listing: dict[PartId, Digest]) -> None:
        """Remember a listing."""
        self.forget(upload)
        self._uploads[upload] = listing
        self._count += len(listing)
        while self._count > self._capacity and len(self._uploads) > 1:
            self.forget(next(iter(self._uploads)))

    def add(self, upload: UploadId, part: PartId, digest: Digest) -> None:
        """Note that a part has become complete; no matter to uploads that are not remembered."""
        listing = self._uploads.get(upload)
        if listing is not None:
            self._count += part not in listing
            listing[part] = digest

    def remove(self, upload: UploadId, part: PartId) -> None:
        """Note that a part is gone."""
        listing = self._uploads.get(upload)
        if listing is not None and listing.pop(part, None) is not None:
            self._count -= 1

    def forget(self, upload: UploadId) -> None:
        """Forget a listing."""
        self._count -= len(self._uploads.pop(upload, ()))
