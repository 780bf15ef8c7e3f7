"""Which bytes of an interrupted part count: those that a line of its list vouches for."""

import hashlib
import os
from pathlib import Path

import pytest

from kho_storage.blobs.durable_files import Descriptor
from kho_storage.blobs.part_prefix import LINE_BYTES, Prefix, intact_prefix

_DATA = bytes(i % 249 for i in range(700_000))
_LENGTHS = (10, 300_000, 600_000)


def _opened(path: Path, data: bytes) -> Descriptor:
    path.write_bytes(data)
    return Descriptor(os.open(path, os.O_RDONLY))


def _lines(*lengths: int) -> bytes:
    lines = []
    for length in lengths:
        prefix = Prefix.empty()
        prefix.extend(_DATA[:length])
        lines.append(prefix.line())
    return b"".join(lines)


def _found(tmp_path: Path, data: bytes, lines: bytes) -> Prefix:
    return intact_prefix(_opened(tmp_path / "part", data), _opened(tmp_path / "ack", lines))


def test_a_line_has_its_documented_form() -> None:
    assert _lines(0) == b"000000000000000 00000000\n"
    assert all(len(_lines(length)) == LINE_BYTES for length in _LENGTHS)
    nine = Prefix.empty()
    nine.extend(b"123456789")
    assert nine.line() == b"000000000000009 e3069283\n"  # the check value of CRC-32C


def test_the_longest_promise_counts_and_the_rest_does_not(tmp_path: Path) -> None:
    found = _found(tmp_path, _DATA, _lines(*_LENGTHS))
    assert (found.length, found.lines) == (600_000, 3)
    assert found.sha256.hexdigest() == hashlib.sha256(_DATA[:600_000]).hexdigest()


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (_DATA[:600_000], 600_000),
        (_DATA[:599_999], 300_000),
        (_DATA[:599_999] + b"\0" * 500, 300_000),
        (_DATA[:300_000] + b"\0" * 400_000, 300_000),
        (_DATA[:9] + b"\0" * 700_000, 0),
        (b"", 0),
    ],
)
def test_bytes_that_do_not_fit_their_line_were_lost(tmp_path: Path, data: bytes, length: int) -> None:
    assert _found(tmp_path, data, _lines(*_LENGTHS)).length == length


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        (b"", 0),
        (_lines(10) + _lines(300_000)[:-1], 10),
        (_lines(10) + b"\0" * LINE_BYTES, 10),
        (b"\0" * LINE_BYTES + _lines(300_000), 300_000),
        (_lines(300_000, 10), 300_000),
        (_lines(10) + b"000000000000000", 10),
        (_lines(10) + b"999999999999999 00000000\n", 10),
        (b"-00000000000010 00000000\n", 0),
    ],
)
def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path, lines: bytes, length: int) -> None:
    assert _found(tmp_path, _DATA, lines).length == length
