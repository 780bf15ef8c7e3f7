"""Real files, real threads and the group sync, for the tests of the byte side."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.blobs.group_sync import GroupSync


@pytest.fixture
def files() -> DurableFiles:
    """Return the calls that touch the disk."""
    return DurableFiles()


@pytest.fixture
def threads() -> Iterator[Executor]:
    """Return a pool for file jobs."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
async def sync(files: DurableFiles) -> AsyncIterator[GroupSync]:
    """Return a group sync that ends with the test."""
    group = GroupSync(files)
    yield group
    await group.close()
