"""A Kho reduced to its database, run as a process of its own so that tests can kill it.

    serve_database.py DATA SOURCE ISOLATION

Prints one line of JSON once it serves (`host`, `pid`, `version`, `uid`) or cannot (`error`), and stops when
its standard input ends.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import asyncpg

from kho_storage.errors import StorageError
from kho_storage.postgres.embedded import EmbeddedOptions, EmbeddedPostgres


async def main(data: Path, options: EmbeddedOptions) -> None:
    server = EmbeddedPostgres(data, options)
    try:
        settings = await server.start()
    except StorageError as error:
        say({"error": str(error), "kind": type(error).__name__})
        return
    connection = await asyncpg.connect(**settings.connect_args())
    version = await connection.fetchval("SHOW server_version_num")
    await connection.close()
    say({"host": settings.host, "pid": server.pid, "version": int(version) // 10000, "uid": os.geteuid()})
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


def say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    place, source, isolation = sys.argv[1:]
    asyncio.run(main(Path(place), EmbeddedOptions(source=source, isolation=isolation)))  # type: ignore[arg-type]  # the options check nothing, the test passes known words
