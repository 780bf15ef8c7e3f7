"""What storage/README.md says about segments works: a person with `sha256sum` can follow the chain."""

import subprocess
from pathlib import Path

from kho_storage.catalog.database import Database
from kho_storage.segments.folder import SegmentFolder
from kho_storage.segments.keeper import SegmentKeeper
from tests.storage.segments.test_segments import STORE, happen

_README = Path(__file__).parents[3] / "storage" / "README.md"


def follow(data: Path) -> str:
    """Run the block below the heading as a person would."""
    block = _README.read_text().split("\n## Events in the store\n")[1].split("```sh\n")[1].split("```")[0]
    return subprocess.run(["sh", "-c", block], cwd=data, capture_output=True, text=True, check=False).stdout


async def test_the_chain_can_be_followed_by_hand(catalog: Database, tmp_path: Path) -> None:
    folder = SegmentFolder(tmp_path / "events")
    await happen(catalog, 7)
    await SegmentKeeper(folder, catalog, STORE, most_events=2).keep()
    assert follow(tmp_path) == ""
    second = folder.facts_path(3)
    second.chmod(0o600)
    second.write_text(second.read_text().replace("paper_folded", "paper_burnt", 1))
    assert follow(tmp_path) == f"{folder.facts_path(5).relative_to(tmp_path)} does not follow\n"
