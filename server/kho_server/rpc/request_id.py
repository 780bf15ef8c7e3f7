"""The id of a call: the client's if it sent a UUID, else the server's own."""

from collections.abc import Iterable
from uuid import UUID, uuid4

from kho_server.rpc.status import REQUEST_ID_KEY

_UUID_CHARS = 36


def request_id_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """Return the UUID under `kho-request-id` in its one spelling, or a new one: nothing else gets into logs."""
    for key, value in metadata or ():
        if key == REQUEST_ID_KEY and isinstance(value, str) and len(value) == _UUID_CHARS:
            try:
                return str(UUID(value))
            except ValueError:
                break
    return str(uuid4())
