"""Hypothesis strategies of messages, made from the descriptors: every field, every boundary, every unknown number."""

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf import duration_pb2, message_factory, timestamp_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

_DEPTH = 4
_LONG = 70_000
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1),
}
_AWKWARD = (
    "",
    " ",
    "\0",
    "a\0b",
    "\r\n",
    "\x1b[31m",
    "\u202egnp",
    "\ufeff",
    "\ufffe",
    "\U0010ffff",
    "ＦＦ１２",
    "Đ" * 600,
    "a\u0301" * 500,
    "x" * _LONG,
    "%s%n",
    "'; DROP SCHEMA kho; --",
    "../../../etc/passwd",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "sha256:" + "0" * 64,
    "sha256:" + "g" * 64,
    "2026-02-30",
    "0001-01-01",
    "9999-12-31",
    "10000-01-01",
    "-1",
    "1e400",
    "NaN",
    "image/jpeg",
    "application/pdf",
)
Hints = Sequence[str]


def numbers(kind: int) -> st.SearchStrategy[int]:
    """Draw integers of a field, its boundaries often."""
    low, high = _INTEGERS[kind]
    edges = [low, low + 1, -1, 0, 1, 2, 16, 17, 500, 501, 10_000, 10_001, 1 << 20, high - 1, high]
    return st.one_of(st.sampled_from([edge for edge in edges if low <= edge <= high]), st.integers(low, high))


def texts(hints: Hints) -> st.SearchStrategy[str]:
    """Draw texts as far as proto3 allows them: no lone surrogates, for the library itself refuses those."""
    any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
    return st.one_of(st.sampled_from((*hints, *_AWKWARD)), st.sampled_from(tuple(hints) or ("",)), any_text)


def messages(descriptor: Descriptor, hints: Hints, depth: int = _DEPTH) -> st.SearchStrategy[Message]:
    """Draw messages of a type; each field is there or not, of a oneof the last one stays."""
    make = message_factory.GetMessageClass(descriptor)
    if descriptor.full_name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        return _times(timestamp_pb2.Timestamp if make is timestamp_pb2.Timestamp else duration_pb2.Duration)
    fields = {
        field.name: _values(field, hints, depth) for field in descriptor.fields if depth or not _is_message(field)
    }

    def build(drawn: dict[str, Any]) -> Message:
        message = make()
        for name, value in drawn.items():
            put(message, name, value)
        return message

    return st.fixed_dictionaries({}, optional=fields).map(build)


def mutants(templates: Sequence[Message], hints: Hints) -> st.SearchStrategy[Message]:
    """Draw messages that are right but for one or two fields, somewhere inside."""

    @st.composite
    def mutant(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Message:
        message = type(templates[0])()
        message.CopyFrom(draw(st.sampled_from(templates)))
        for _ in range(draw(st.integers(0, 2))):
            place = message
            while True:
                field = draw(st.sampled_from(list(place.DESCRIPTOR.fields)))
                if _is_message(field) and not field.is_repeated and draw(st.booleans()):
                    place = getattr(place, field.name)
                    if place.DESCRIPTOR.fields:
                        continue
                break
            if draw(st.integers(0, 4)) == 0:
                place.ClearField(field.name)
            elif field.name in place.DESCRIPTOR.fields_by_name:
                put(place, field.name, draw(_values(field, hints, 2)))
        return message

    return mutant()


def put(message: Message, name: str, value: Any) -> None:
    """Set a field of any kind."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.is_repeated:
        message.ClearField(name)
        if _is_message(field):
            for each in value:
                getattr(message, name).add().CopyFrom(each)
        else:
            getattr(message, name).extend(value)
    elif _is_message(field):
        getattr(message, name).CopyFrom(value)
    else:
        setattr(message, name, value)


def _values(field: Any, hints: Hints, depth: int) -> st.SearchStrategy[Any]:
    single = _single(field, hints, depth)
    if not field.is_repeated:
        return single
    few = st.lists(single, max_size=4)
    # Many of the same: what a limit on their number must catch.
    many = st.builds(lambda value, count: [value] * count, single, st.sampled_from((17, 501, 10_017)))
    return st.one_of(few, few, few, few, many) if not _is_message(field) else few


def _single(field: Any, hints: Hints, depth: int) -> st.SearchStrategy[Any]:
    kind = field.cpp_type
    if kind in _INTEGERS:
        return numbers(kind)
    if field.enum_type is not None:
        return st.one_of(st.sampled_from([each.number for each in field.enum_type.values]), st.integers(-5, 1 << 30))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return st.floats(width=32)
    if field.message_type is not None:
        return messages(field.message_type, hints, depth - 1)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.one_of(st.binary(max_size=300), st.sampled_from((b"", b"\0" * 300_000, b"%PDF-1.7\n%%EOF")))
    return texts(hints)


def _times(make: type[Message]) -> st.SearchStrategy[Message]:
    # The ends of what protobuf, Python and PostgreSQL can tell, and beyond.
    seconds = st.sampled_from(
        (0, 1, -1, 1_700_000_000, -62_135_596_800, 253_402_300_799, 253_402_300_800, 1 << 62, -(1 << 62))
    )
    return st.builds(
        lambda s, n: make(seconds=s, nanos=n), seconds, st.sampled_from((0, 1, 999_999_999, -1, 1_000_000_000))
    )


def _is_message(field: Any) -> bool:
    return bool(field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE)
