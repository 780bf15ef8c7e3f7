"""Runs a module of an installed Kho as if only the client's requirements were installed.

    python -I -S bare_site.py SITE ALLOWED PACKAGES... -- MODULE [ARGUMENT...]

SITE is where the wheel was installed, PACKAGES the folders of the other packages, ALLOWED a file with the names that
may be imported from there, one a line. With `MODULE` = `-`, every module of the packages named after it is imported.
"""

import importlib
import pkgutil
import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


class OnlyAllowed:
    """First on the meta path: what is neither ours, nor Python's, nor allowed, is not there."""

    def __init__(self, allowed: set[str]) -> None:
        """Name the allowed top-level modules."""
        self._allowed = allowed | set(sys.stdlib_module_names)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse what is not allowed, leave the rest to the ordinary finders."""
        if name.partition(".")[0] in self._allowed:
            return None
        raise ModuleNotFoundError(f"No module named {name!r}: it is not among the client's requirements", name=name)


def main(site: str, allowed: str, *rest: str) -> None:
    """Close the door, then run."""
    packages, (module, *arguments) = rest[: rest.index("--")], rest[rest.index("--") + 1 :]
    # Without site's own reading of .pth files: those would bring the editable Kho back.
    sys.path[:] = [site, *(entry for entry in sys.path if entry != str(Path(__file__).parent)), *packages]
    sys.meta_path.insert(0, OnlyAllowed(set(Path(allowed).read_text("utf-8").split())))
    if module != "-":
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    for name in arguments:
        package = importlib.import_module(name)
        assert all(folder.startswith(site) for folder in package.__path__), package.__path__
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(found.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
