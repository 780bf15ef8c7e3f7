"""Page tokens: opaque, bound to the caller and the question, so that nobody else's token opens anything."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kho_server.archive.caller import Caller
from kho_server.archive.refusals import Reason, Refusal

_MAC_BYTES = 16
_MAX_CHARS = 1024


class PageTokens:
    """Makes and reads page tokens with a key that every server of the repository has."""

    def __init__(self, key: bytes) -> None:
        """Take at least 32 secret bytes."""
        self._key = key

    def make(self, caller: Caller, question: str, position: Sequence[str]) -> str:
        """Return the token that goes on after `position` (the last row's key) with the same question."""
        body = json.dumps(list(position), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(caller, question, body) + body).decode().rstrip("=")

    def read(self, caller: Caller, question: str, token: str, length: int) -> tuple[str, ...] | None:
        """Return the position in a token, None for the first page. Refusal: PAGE_TOKEN_INVALID."""
        if not token:
            return None
        if len(token) > _MAX_CHARS:
            raise Refusal(Reason.PAGE_TOKEN_INVALID, field="page_token")
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise Refusal(Reason.PAGE_TOKEN_INVALID, field="page_token") from None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(caller, question, body)):
            raise Refusal(Reason.PAGE_TOKEN_INVALID, field="page_token")
        position = json.loads(body)
        if len(position) != length:
            raise Refusal(Reason.PAGE_TOKEN_INVALID, field="page_token")
        return tuple(position)

    def read_instant(self, caller: Caller, question: str, token: str) -> tuple[datetime, UUID] | None:
        """Return a position of (instant, uuid), the key of lists that go back in time."""
        position = self.read(caller, question, token, 2)
        return (datetime.fromisoformat(position[0]), UUID(position[1])) if position else None

    def _mac(self, caller: Caller, question: str, body: bytes) -> bytes:
        bound = json.dumps([str(caller.principal.principal_id), question]).encode()
        return hmac.new(self._key, bound + b"\0" + body, hashlib.sha256).digest()[:_MAC_BYTES]
