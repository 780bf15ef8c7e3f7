"""A commit that PostgreSQL is still carrying out when the server that asked for it is dead and the next one starts.

An external database outlives the server. The next server must not take a manifest for one of a transaction that never
happened while that transaction is on its way: it would remove bytes that rows are about to promise.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

import asyncpg
import grpc

from kho_storage.postgres.connection import ConnectionSettings
from tests.end_to_end.caller import new_id
from tests.end_to_end.papers import scanned
from tests.end_to_end.waiting import until
from tests.server.running_app import database_url
from tests.torture.forked_server import ForkedServer, Nursery

# Longer than a server from the nursery takes to start, on a busy machine too.
_SLOW = """
CREATE FUNCTION kho.slow_disk() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(4); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER slow_disk AFTER INSERT ON kho.document_version DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION kho.slow_disk();
"""
_COMMITTING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COMMIT%' AND state = 'active'"


async def test_the_next_server_waits_for_it(folder: Path, database: ConnectionSettings) -> None:
    settings = {"database_url": database_url(database), "verify_workers": "1", "reserve_bytes": "0"}
    paper, request_id = scanned(2), new_id()
    link = await asyncpg.connect(**database.connect_args())
    with Nursery() as nursery:
        server = ForkedServer(folder, settings, nursery=nursery)
        try:
            await server.start()
            await link.execute(_SLOW)
            async with server.caller("station") as station:
                begun = await station.begin(paper)
                await station.send(paper.messages(begun.version))
                sealing = asyncio.ensure_future(station.commit(paper, request_id=request_id))

                async def is_committing() -> bool:
                    return bool(await link.fetchval(_COMMITTING))

                await until(is_committing, "the commit")
                await server.kill()
                with suppress(grpc.aio.AioRpcError):
                    await sealing
            await server.start()
            async with server.caller("station") as station:
                answer = await station.commit(paper, request_id=request_id)
                assert answer.version == 1
                for sheet in paper.sheets:
                    assert (await station.read(paper, sheet)).content == sheet.content
            manifests = list((server.data / "manifests").glob("*/*/*.json"))
            assert len(manifests) == 1
            assert await link.fetchval("SELECT commit_id::text FROM kho.document_version") in manifests[0].name
        finally:
            server.kill_now()
            await link.close()
