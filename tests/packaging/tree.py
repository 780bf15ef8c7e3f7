"""Where things stand in this repository, and which files are handed in."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent

# Package folders of the wheel, by the name they are imported with.
PACKAGES = {
    "kho": ROOT / "proto/generated/kho",
    "kho_storage": ROOT / "storage/kho_storage",
    "kho_server": ROOT / "server/kho_server",
    "kho_client": ROOT / "clients/kho_client",
    "kho_cli": ROOT / "clients/kho_cli",
    "kho_station": ROOT / "clients/kho_station",
}


def project() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def committed_files() -> list[Path]:
    """List what git has, and what would be added next, in this folder."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    # A file that is deleted but not committed yet is still listed.
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]
