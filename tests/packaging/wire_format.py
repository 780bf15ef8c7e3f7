"""The proto files as their compiler reads them: calls, requests and the comments beside them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet

from tests.packaging.tree import ROOT

# Numbers of fields in descriptor.proto: a comment is found by the path of numbers to what it stands above.
_SERVICES, _METHODS, _ENUMS, _VALUES = 6, 2, 5, 2

_STATUS = re.compile(r" ([A-Z]+(?:_[A-Z]+)*): ")
_WORD = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")


@dataclass(frozen=True)
class Call:
    """One rpc: its name, the fields of its request (a nested one as outer.inner), and its comment."""

    name: str
    request: frozenset[str]
    comment: str

    @property
    def errors(self) -> str:
        """What stands below the line `Errors:`; empty if there is none."""
        return self.comment.partition("\n Errors:\n")[2]

    def reasons(self) -> Iterator[tuple[str, str]]:
        """Yield each reason that the comment names, with the status it stands beside ("" for none)."""
        status = ""
        for line in self.errors.splitlines():
            begins = _STATUS.match(line)
            if begins:
                status = begins[1]
            for word in _WORD.findall(line, begins.end() if begins else 0):
                yield status, word


@dataclass(frozen=True)
class WireFormat:
    """All calls, and each error reason with the status that its comment begins with."""

    calls: tuple[Call, ...]
    reasons: dict[str, str]


def read_wire_format(scratch: Path) -> WireFormat:
    """Compile proto/kho/v1 with its comments and read the result."""
    image = scratch / "image.binpb"
    files = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("proto/kho/v1/*.proto"))
    options = ["--include_source_info", "--include_imports", f"--descriptor_set_out={image}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-Iproto", *options, *files], cwd=ROOT, check=True)
    described = FileDescriptorSet.FromString(image.read_bytes())
    messages = {f".{file.package}.{each.name}": each for file in described.file for each in file.message_type}
    calls: list[Call] = []
    reasons: dict[str, str] = {}
    for file in described.file:
        comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        for s, service in enumerate(file.service):
            for m, method in enumerate(service.method):
                request = frozenset(_fields(messages[method.input_type], messages))
                calls.append(Call(method.name, request, comments.get((_SERVICES, s, _METHODS, m), "")))
        for e, enum in enumerate(file.enum_type):
            if enum.name == "ErrorReason":
                for v, value in enumerate(enum.value):
                    comment = comments.get((_ENUMS, e, _VALUES, v), "")
                    reasons[value.name.removeprefix("ERROR_REASON_")] = comment.split(".")[0].strip()
    return WireFormat(tuple(calls), reasons)


def _fields(message: DescriptorProto, messages: dict[str, DescriptorProto]) -> Iterator[str]:
    """Yield the names of fields, one level of messages deep."""
    for field in message.field:
        yield field.name
        inner = messages.get(field.type_name)
        if inner is not None and field.label != FieldDescriptorProto.LABEL_REPEATED:
            yield from (f"{field.name}.{each.name}" for each in inner.field)
