"""What can go wrong in storage.

StorageError
├── BlobNotFound          no such bytes here
├── BlobCorrupt           the bytes under a name no longer hash to it
├── SpoolError
│   ├── DigestMismatch    a finished part does not hash to what was declared; the part is empty again
│   ├── WriterSuperseded  a newer connection writes this part now
│   └── PartIncomplete    asked to read or seal a part that is not complete
├── StorageFull           no room left on the device
├── StoreUnusable         the data folder cannot be made, opened or written to
├── StoreInUse            another server holds this data folder
├── StoreMismatch         the folder and the database belong to different stores, or a format too new
├── CatalogUnavailable    PostgreSQL does not answer (temporary; nothing is known about the last transaction)
├── Conflict              a constraint refused the change; `constraint` names it
└── PostgresFailed        the embedded PostgreSQL cannot be found, made or started
"""

from kho_storage.digest import Digest


class StorageError(Exception):
    """Any failure of the storage package."""


class BlobNotFound(StorageError):
    """No bytes are stored under this digest."""

    def __init__(self, sha256: str) -> None:
        """Keep the digest that was asked for."""
        super().__init__(f"no blob sha256:{sha256}")
        self.sha256 = sha256


class BlobCorrupt(StorageError):
    """The bytes under a name do not hash to that name any more."""

    def __init__(self, sha256: str) -> None:
        """Keep the digest whose bytes are damaged."""
        super().__init__(f"blob sha256:{sha256} is damaged on disk")
        self.sha256 = sha256


class SpoolError(StorageError):
    """An upload could not go on as asked."""


class DigestMismatch(SpoolError):
    """The received part is not what was declared; its spool is empty again."""

    def __init__(self, expected: Digest, actual: Digest) -> None:
        """Keep both digests."""
        super().__init__(
            f"declared {expected} of {expected.size_bytes} bytes, received {actual} of {actual.size_bytes}"
        )
        self.expected = expected
        self.actual = actual


class WriterSuperseded(SpoolError):
    """A newer writer took this part over; the older one must stop."""


class PartIncomplete(SpoolError):
    """The part has not arrived whole yet."""


class StorageFull(StorageError):
    """The device has no room for these bytes."""


class StoreUnusable(StorageError):
    """The data folder cannot be used as it is; the message says why and what to do."""


class StoreInUse(StorageError):
    """Another process serves this data folder."""


class StoreMismatch(StorageError):
    """Folder and database do not belong together, or were written by a newer Kho."""


class CatalogUnavailable(StorageError):
    """PostgreSQL does not answer; the outcome of a transaction in flight is unknown."""


class Conflict(StorageError):
    """A database constraint refused the change."""

    def __init__(self, constraint: str) -> None:
        """Keep the name of the constraint, which callers map to a domain error."""
        super().__init__(f"refused by {constraint}")
        self.constraint = constraint


class PostgresFailed(StorageError):
    """The embedded PostgreSQL could not be found, made or started; the message says what to do."""
