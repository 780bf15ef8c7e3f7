"""Half a minute of nonsense of a fresh seed; ten minutes of it in `make torture`."""

import secrets
from pathlib import Path

from tests.torture.fuzz import Fuzz


def test_half_a_minute_of_nonsense(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    fuzzed = Fuzz(tmp_path, seed).run(30)
    print("\n".join(fuzzed.lines()))
    assert fuzzed.findings == []
    assert fuzzed.calls > 100
