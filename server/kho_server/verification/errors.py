"""Errors of verification. A bad file is an answer, never one of these.

VerificationError
├── VerifierBusy         too many files wait; ask again later
├── VerifierUnavailable  no worker starts, or the pool is closed
├── SourceUnreadable     the file is not there or may not be read
└── SourceChanged        the bytes have another digest than the caller said
"""


class VerificationError(Exception):
    """The question could not be judged, whatever the file holds."""


class VerifierBusy(VerificationError):
    """As many files wait as may wait; ask again in `retry_after_s` seconds."""

    def __init__(self, waiting: int, retry_after_s: float) -> None:
        super().__init__(f"{waiting} files wait for verification already; try again in {retry_after_s:g} s")
        self.waiting = waiting
        self.retry_after_s = retry_after_s


class VerifierUnavailable(VerificationError):
    """No worker process starts, or the pool is closed."""


class SourceUnreadable(VerificationError):
    """The file that should be judged is not there or may not be read."""


class SourceChanged(VerificationError):
    """The file holds other bytes than the digest says: storage is at fault, not the signer."""
