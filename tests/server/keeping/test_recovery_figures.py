"""The measurement of recovery measures what it says, and notices what does not come back."""

from pathlib import Path

from ops.recovery.run import measure
from ops.recovery.stock import Size


async def test_a_small_store_is_saved_and_comes_back(tmp_path: Path) -> None:
    steps = {step.name: step for step in await measure(tmp_path, Size(documents=20, pages=1, page_bytes=300))}
    assert list(steps) == ["store made", "first backup", "backup of 1 more", "restore", "check", "rebuild"]
    # A dump, two blobs and a manifest each, and a segment; then only those of one document more.
    assert steps["first backup"].facts["files"] == 20 * 3 + 1
    assert steps["backup of 1 more"].facts["files"] == 3 + 1
    assert steps["restore"].facts == steps["restore"].facts | {"held": 21}
