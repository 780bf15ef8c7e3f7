"""What constraints.txt pins, and what Kho requires directly and through others."""

import re
from collections.abc import Collection, Iterator
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.tree import ROOT, project

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s#;]+)$")


def pins() -> dict[str, str]:
    """Read name and version of each line of constraints.txt; a line of another form is an error."""
    found: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pin = _PIN.match(line)
        assert pin, f"constraints.txt pins NAME==VERSION, one a line: {line!r}"
        name = canonicalize_name(pin[1])
        assert name not in found, f"{name} is pinned twice"
        found[name] = pin[2]
    return found


def requirements_of_kho(extras: Collection[str]) -> Iterator[Requirement]:
    """Yield what pyproject.toml requires, with these extras."""
    about = project()["project"]
    lists = [about["dependencies"], *(about["optional-dependencies"][extra] for extra in extras)]
    yield from (Requirement(text) for each in lists for text in each)


def all_requirements(extras: Collection[str], python: str | None = None) -> Iterator[Requirement]:
    """Yield every requirement of Kho with these extras, and theirs, as the installed packages state them.

    `python` is the minor version to ask for; None: the running one. What is required but absent has no further
    requirements here: the caller compares with the pins.
    """
    environment = {} if python is None else {"python_version": python, "python_full_version": f"{python}.0"}
    waiting = list(requirements_of_kho(extras))
    visited: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        wanted = {"", *requirement.extras}
        if requirement.marker is not None and not requirement.marker.evaluate({**environment, "extra": ""}):
            continue
        yield requirement
        for extra in wanted - {known for each, known in visited if each == name}:
            visited.add((name, extra))
            if name == "kho":
                waiting += requirements_of_kho([extra] if extra else [])
            else:
                waiting += _stated_by(name, extra, environment)


def _stated_by(name: str, extra: str, environment: dict[str, str]) -> Iterator[Requirement]:
    """Yield what an installed package requires for one of its extras; "" for none."""
    try:
        stated = distribution(name).requires or []
    except PackageNotFoundError:
        return
    for text in stated:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({**environment, "extra": extra}):
            requirement.marker = None
            yield requirement
