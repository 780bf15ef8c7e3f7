"""From the first release on, nothing that old clients rely on may change."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.tree import PROGRAMS, ROOT

# Commits in the scratch repository are made by nobody, with nobody's configuration.
ENVIRONMENT = {
    **os.environ,
    "BIN": str(PROGRAMS),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CEILING_DIRECTORIES": "/",
    **{f"GIT_{role}_{what}": "nobody@example.vn" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy what the check reads."""
    shutil.copytree(ROOT / "proto/kho", tmp_path / "proto/kho")
    (tmp_path / "ops/setup").mkdir(parents=True)
    shutil.copy(ROOT / "ops/setup/breaking.sh", tmp_path / "ops/setup")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def test_before_the_first_release_there_is_nothing_to_keep(tree: Path) -> None:
    """No image and no tag: passes, and says so."""
    done = _breaking(tree)
    assert (done.returncode, done.stdout) == (0, "no release yet: nothing to compare with\n")


def test_a_tag_without_its_image_is_an_error(tree: Path) -> None:
    """Forgetting the image would switch the check off for ever."""
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"], ["tag", "v0.1.0"]):
        subprocess.run(["git", *command], cwd=tree, env=ENVIRONMENT, check=True)
    done = _breaking(tree)
    assert done.returncode == 1
    assert "v0.1.0 is tagged, but proto/released.binpb is missing" in done.stderr


def test_what_is_added_passes_and_what_is_taken_away_does_not(tree: Path) -> None:
    """A new field is compatible, a removed one is named."""
    subprocess.run([PROGRAMS / "buf", "build", "-o", "proto/released.binpb"], cwd=tree, check=True)
    assert _breaking(tree).returncode == 0

    upload = tree / "proto/kho/v1/upload_service.proto"
    text = upload.read_text("utf-8")
    opening = "message UploadOpen {\n"
    assert opening in text
    upload.write_text(text.replace(opening, f"{opening}  // New.\n  string new = 100;\n"), "utf-8")
    assert _breaking(tree).returncode == 0

    upload.write_text(text.replace(opening, "message UploadOpened {\n").replace("UploadOpen open", "UploadOpened open"))
    done = _breaking(tree)
    assert done.returncode != 0
    assert "UploadOpen" in done.stdout


def _breaking(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run the check of a tree."""
    script = tree / "ops/setup/breaking.sh"
    return subprocess.run([script], cwd=tree, env=ENVIRONMENT, capture_output=True, text=True, check=False)
