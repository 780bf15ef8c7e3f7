"""`pip install kho` without extras: the client and the command line work, and need nothing of the server."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.packaging.pins import all_requirements
from tests.packaging.tree import PACKAGES, project

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Install the wheel alone, and return how to run a module of it beside the client's requirements."""
    folder = tmp_path_factory.mktemp("client alone")
    site = folder / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-cache-dir"]
    subprocess.run([*install, "--disable-pip-version-check", "--target", str(site), str(wheel)], check=True)
    required = {canonicalize_name(requirement.name) for requirement in all_requirements([])}
    modules = {
        module
        for module, owners in packages_distributions().items()
        if any(canonicalize_name(owner) in required for owner in owners)
    }
    allowed = folder / "allowed.txt"
    allowed.write_text("\n".join({*modules, *PACKAGES}), "utf-8")
    packages = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        """Run isolated from this environment's own paths."""
        script = Path(__file__).with_name("bare_site.py")
        command = [sys.executable, "-I", "-S", str(script), str(site), str(allowed), *packages, "--", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)

    return run


def test_every_module_of_the_client_is_importable(run: Run) -> None:
    """The wire format and the client: each module, not only those that the command line happens to import."""
    done = run("-", "kho", "kho_client")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_servers_requirements_are_out_of_reach(run: Run) -> None:
    """The door is closed indeed: what stands beside the client in this environment is not importable."""
    for module in ("asyncpg", "pyhanko", "prometheus_client", "pikepdf", "PIL"):
        done = run("-", module)
        assert f"No module named '{module}'" in done.stderr


def test_the_command_line_runs(run: Run) -> None:
    """`kho --help`, and the help of each command that is not the server's."""
    module, _, function = project()["project"]["scripts"]["kho"].partition(":")
    assert function == "main"
    done = run(module, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert {"serve", "upload", "lookup", "fetch", "show", "verify", "doctor"} <= set(done.stdout.split())
    for command in ("upload", "lookup", "fetch", "show", "verify"):
        done = run(module, command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert "--json" in done.stdout


def test_the_server_says_what_to_install(run: Run, tmp_path: Path) -> None:
    """`kho serve` without the server's packages: a sentence, no stack trace."""
    module = project()["project"]["scripts"]["kho"].partition(":")[0]
    done = run(module, "serve", "--data", str(tmp_path / "data"), "--dev")
    assert done.returncode != 0
    assert "kho[server]" in done.stderr
    assert "Traceback" not in done.stderr
