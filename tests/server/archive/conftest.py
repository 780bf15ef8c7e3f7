"""A house for the use cases of documents."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kho_storage.catalog.database import Database
from tests.server.archive.archive_house import ArchiveHouse


@pytest.fixture
async def house(catalog: Database, tmp_path: Path) -> AsyncIterator[ArchiveHouse]:
    """Give the use cases with three agencies registered."""
    opened = ArchiveHouse(catalog, tmp_path)
    await opened.open()
    yield opened
    await opened.close()
