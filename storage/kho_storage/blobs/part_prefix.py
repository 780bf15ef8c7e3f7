"""How much of an arriving part is intact: its list of acknowledged lengths, and the check of its bytes.

Before every sync of an arriving part a line is added to `<part>.ack`: the length in 15 decimal digits, a
space, the CRC-32C (RFC 3720 appendix B.4) of all bytes so far in 8 hex digits, a line feed. Line and bytes
are synced in one batch, in no order: after a power cut a line whose bytes did not make it does not fit them,
and a torn line does not parse. Either is ignored, so that the longest length that still fits counts.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import google_crc32c

from kho_storage.blobs.durable_files import Descriptor

LINE_BYTES = 25
_LINE = re.compile(rb"(?P<length>[0-9]{15}) (?P<crc32c>[0-9a-f]{8})\n\Z")
_PIECE = 256 * 1024


@dataclass(slots=True)
class Prefix:
    """The first bytes of a part: how many, their running hashes, and the lines of the list up to here."""

    length: int
    crc32c: int
    sha256: "hashlib._Hash"
    lines: int

    @classmethod
    def empty(cls) -> "Prefix":
        """Return the prefix of no bytes."""
        return cls(0, 0, hashlib.sha256(), 0)

    def copy(self) -> "Prefix":
        """Return one that goes on by itself."""
        return Prefix(self.length, self.crc32c, self.sha256.copy(), self.lines)

    def extend(self, data: bytes) -> None:
        """Take up more bytes."""
        self.sha256.update(data)
        self.crc32c = google_crc32c.extend(self.crc32c, data)
        self.length += len(data)

    def line(self) -> bytes:
        """Write the line that acknowledges this prefix."""
        return b"%015d %08x\n" % (self.length, self.crc32c)


def intact_prefix(file: Descriptor, list_file: Descriptor) -> Prefix:
    """Read a part once and return its longest prefix that a line of its list vouches for.

    Blocks for about 1 ms per MB; memory does not grow with the part.
    """
    running = Prefix.empty()
    intact = running.copy()
    for length, crc32c, line in _promises(list_file):
        while running.length < length:
            piece = os.pread(file.number, min(_PIECE, length - running.length), running.length)
            if not piece:
                return intact
            running.extend(piece)
        if running.crc32c == crc32c:
            running.lines = line
            intact = running.copy()
    return intact


def _promises(list_file: Descriptor) -> Iterator[tuple[int, int, int]]:
    """Yield (length, checksum, number of the line from 1) for ascending lengths."""
    longest = 0
    number = 0
    while line := os.pread(list_file.number, LINE_BYTES, number * LINE_BYTES):
        number += 1
        found = _LINE.match(line)
        if found and int(found["length"]) > longest:
            longest = int(found["length"])
            yield longest, int(found["crc32c"], 16), number
