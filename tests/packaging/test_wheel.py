"""The wheel holds Kho's packages, whole, and nothing else."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.tree import PACKAGES, project


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """List the files in the wheel."""
    with ZipFile(wheel) as opened:
        return set(opened.namelist())


def test_only_names_of_kho(names: set[str]) -> None:
    """Nothing lands in site-packages that could be somebody else's."""
    about = f"kho-{project()['project']['version']}.dist-info"
    assert {name.split("/")[0] for name in names} == {*PACKAGES, about}
    assert f"{about}/licenses/LICENSE" in names


def test_every_file_of_the_packages(names: set[str]) -> None:
    """Code and data are all there, under the names they are imported with."""
    files = {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == files
    assert {f"{name}/py.typed" for name in PACKAGES} <= files
    assert any(name.startswith("kho_storage/catalog/sql/migrations/") for name in files)
    assert {name.rpartition(".")[2] for name in files} <= {"py", "pyi", "typed", "sql", "toml", "json", "md"}


def test_no_tests_and_no_bytecode(names: set[str]) -> None:
    """What only developers need stays in the repository."""
    assert [name for name in names if "/test" in name or "conftest" in name or name.endswith(".pyc")] == []
