"""What the archive asks of verification."""

from pathlib import Path
from typing import Protocol

from kho_server.verification.verdict import Verdict


class SignatureVerifier(Protocol):
    """Judges the signatures of whole files."""

    async def verify(self, source: Path, digest: str) -> Verdict:
        """Judge the file at `source`, whose SHA-256 (hex) the caller knows to be `digest`.

        Hostile, broken, huge and slow files get an answer like any other; asking twice is harmless.
        SourceChanged: the bytes at `source` have another digest, so storage is at fault and not the signer.
        SourceUnreadable: there is no such file. VerifierBusy: too many wait; ask again later.
        VerifierUnavailable: no worker starts. Cancelling gives up the answer, not the work.
        """
        ...
