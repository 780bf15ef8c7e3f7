"""The committed generated code is what the proto files say today."""

import os
import re
import subprocess
from pathlib import Path

from tests.packaging.pins import pins
from tests.packaging.tree import PROGRAMS, ROOT, project

GENERATED = ROOT / "proto/generated"


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    """Compiling again gives the same files: none stale, none missing, none changed."""
    _generate(tmp_path)
    assert _contents(GENERATED) == _contents(tmp_path)


def test_generating_removes_what_no_proto_file_makes(tmp_path: Path) -> None:
    """A module of a proto file that was removed does not stay behind."""
    stale = tmp_path / "kho/v1/removed_pb2.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    _generate(tmp_path)
    assert not stale.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["kho"]


def test_floors_are_the_generators_versions() -> None:
    """Generated code refuses older runtimes than its generator: so must the requirements."""
    floors = dict(re.findall(r'"(grpcio[a-z-]*|protobuf)>=([\d.]+)"', (ROOT / "pyproject.toml").read_text("utf-8")))
    wire = (GENERATED / "kho/v1/upload_service_pb2.py").read_text("utf-8")
    calls = (GENERATED / "kho/v1/upload_service_pb2_grpc.py").read_text("utf-8")
    protobuf = re.search(r"^# Protobuf Python Version: (.+)$", wire, re.MULTILINE)
    grpcio = re.search(r"^GRPC_GENERATED_VERSION = '(.+)'$", calls, re.MULTILINE)
    assert protobuf is not None
    assert grpcio is not None
    assert floors.pop("protobuf") == protobuf[1]
    assert {"grpcio", "grpcio-tools", "grpcio-status"} <= set(floors)
    assert set(floors.values()) == {grpcio[1], pins()["grpcio-tools"]}
    assert any(each.startswith("grpcio>=") for each in project()["project"]["dependencies"])


def _generate(target: Path) -> None:
    """Run the script as `make proto` does, into another folder."""
    command = [ROOT / "proto/generate.sh", target]
    subprocess.run(command, env={**os.environ, "BIN": str(PROGRAMS)}, check=True)


def _contents(folder: Path) -> dict[str, bytes]:
    """Read all files but what Python leaves beside them."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
