"""The short forms of the kill campaign: the server and both kinds of PostgreSQL, killed at moments of a fresh seed."""

import secrets
from pathlib import Path

from tests.torture.kill_campaign import KillCampaign


async def test_thirty_rounds_lose_nothing(folder: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    figures = await KillCampaign(folder, seed).run(30, seconds=150)
    print("\n".join(figures.lines()))
    assert figures.findings == []
    assert figures.rounds >= 15
    assert figures.promised["documents"] > 0


async def test_an_external_database_that_is_killed_loses_nothing(folder: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    figures = await KillCampaign(folder, seed, is_external=True, victims=("server", "database")).run(6, seconds=60)
    print("\n".join(figures.lines()))
    assert figures.findings == []
    assert figures.promised["documents"] > 0
