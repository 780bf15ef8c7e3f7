"""What travels with the code says the same everywhere, and nothing about the machine it was made on."""

import re
from importlib.metadata import metadata

import kho_client
from tests.packaging.tree import ROOT, committed_files, project

# The text of the licence, white space apart, as the Apache Software Foundation publishes it.
_TITLE = "Apache License Version 2.0, January 2004 http://www.apache.org/licenses/"
_LAST_WORDS = "See the License for the specific language governing permissions and limitations under the License."

# Homes and folders of single machines; hosts of package indexes and the options that name them.
_TRACES = re.compile(
    rb"/(?:work|root|farm|home/[a-z]+)/"
    rb"|pythonhosted\.org|\bpypi\.org|\bnpmjs\.(?:com|org)|\b(?:deb|security|snapshot|ftp)\.debian\.org"
    rb"|--(?:index-url|extra-index-url|find-links|trusted-host)"
)


def test_one_version() -> None:
    """pyproject.toml, the installed package, and the change log agree."""
    version = project()["project"]["version"]
    assert metadata("kho")["Version"] == version
    assert getattr(kho_client, "__version__", version) == version
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## \[?v?{re.escape(version)}\b", changes, re.MULTILINE)


def test_the_licence_is_apache_2() -> None:
    """The whole text, and the same name in the metadata."""
    text = " ".join((ROOT / "LICENSE").read_text("utf-8").split())
    assert text.startswith(_TITLE)
    assert text.endswith(_LAST_WORDS)
    assert "9. Accepting Warranty or Additional Liability." in text
    assert project()["project"]["license"] == metadata("kho")["License-Expression"] == "Apache-2.0"


def test_no_trace_of_a_machine() -> None:
    """No committed text names folders of a workplace or hosts of package indexes."""
    found = {}
    for path in committed_files():
        content = path.read_bytes()
        if b"\0" not in content and (trace := _TRACES.search(content)):
            found[str(path.relative_to(ROOT))] = trace[0]
    assert found == {}


def test_traces_are_recognised() -> None:
    """The pattern above finds what it should."""
    for parts in (("", "root", "x"), ("", "work", "main"), ("", "home", "an", ".venv")):
        assert _TRACES.search("/".join(parts).encode())
    assert _TRACES.search(b"files." + b"pythonhosted" + b".org")
    assert not _TRACES.search(b"a network of paths, homework/x, ProtectHome=yes")
