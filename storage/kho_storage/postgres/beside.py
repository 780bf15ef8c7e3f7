"""How another process of the same owner reaches an embedded PostgreSQL that a Kho is running."""

from pathlib import Path

from kho_storage.errors import PostgresFailed
from kho_storage.postgres.cluster import Cluster
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.passwords import SERVICE
from kho_storage.postgres.socket_folder import find_socket_folder


def settings_beside(data: Path) -> ConnectionSettings:
    """Return how to connect, as the service's role, to the server that runs over `data`.

    PostgresFailed: none runs there, or its passwords cannot be read.
    """
    sockets = find_socket_folder(data.absolute())
    if sockets is None:
        raise PostgresFailed(f"no embedded PostgreSQL runs over {data}: does the server use another database?")
    return ConnectionSettings(str(sockets), SERVICE, "kho", password=Cluster(data).passwords().service)
