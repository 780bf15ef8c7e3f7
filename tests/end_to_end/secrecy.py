"""What must not be in logs and metrics: codes, owners, names."""

import asyncpg

from tests.end_to_end.serving import Server

_SECRETS = """
SELECT code FROM kho.result_code UNION SELECT public_code FROM kho.result_code
UNION SELECT owner_id FROM kho.result_owner UNION SELECT code FROM kho.dossier
UNION SELECT display_name FROM kho.officer UNION SELECT subject FROM kho.result WHERE subject IS NOT NULL
UNION SELECT number FROM kho.result WHERE number IS NOT NULL
UNION SELECT document_id::text FROM kho.document
"""


async def told_secrets(server: Server) -> list[str]:
    """Return lines of log and metrics that hold what is stored of a person or a dossier."""
    async with server.database() as database:
        secrets = [str(row[0]) for row in await _rows(database)]
    assert len(secrets) > 5, "there must be something to keep"
    _, metrics = await server.ops("/metrics")
    lines = (*server.log.splitlines(), *metrics.splitlines())
    return [line for line in lines if any(secret in line for secret in secrets)]


async def _rows(database: "asyncpg.Connection[asyncpg.Record]") -> list[asyncpg.Record]:
    return await database.fetch(_SECRETS)
