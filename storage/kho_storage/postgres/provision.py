"""The role and the database that Kho works with, inside a running embedded PostgreSQL."""

import asyncpg

from kho_storage.errors import PostgresFailed
from kho_storage.postgres.connection import ConnectionSettings


async def ensure_database(administrator: ConnectionSettings, service: ConnectionSettings) -> None:
    """Make the service's role and its database unless the service can connect already.

    The role owns its database and nothing else: a hole in a query is then no hole in the machine.
    PostgresFailed: the administrator's password is not the cluster's.
    """
    try:
        connection = await asyncpg.connect(**service.connect_args())
    except (asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError):
        await create_database(administrator, service)
    else:
        await connection.close()


async def create_database(administrator: ConnectionSettings, service: ConnectionSettings) -> None:
    """Make role and database, or what is missing of them; PostgresFailed as above."""
    try:
        connection = await asyncpg.connect(**administrator.connect_args())
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise PostgresFailed(
            "the password file of the embedded PostgreSQL does not belong to its data folder: "
            "restore both from the same backup"
        ) from error
    try:
        role = await _quoted(connection, "%I", service.user)
        database = await _quoted(connection, "%I", service.database)
        password = await _quoted(connection, "%L", service.password or "")
        known = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", service.user)
        # Neither statement takes parameters; both are quoted by the server itself.
        await connection.execute(f"{'ALTER' if known else 'CREATE'} ROLE {role} LOGIN PASSWORD {password}")
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", service.database):
            await connection.execute(f"CREATE DATABASE {database} OWNER {role}")
    finally:
        await connection.close()


async def _quoted(connection: "asyncpg.Connection[asyncpg.Record]", form: str, text: str) -> str:
    quoted = await connection.fetchval("SELECT format($1, $2::text)", form, text)
    assert isinstance(quoted, str)
    return quoted
