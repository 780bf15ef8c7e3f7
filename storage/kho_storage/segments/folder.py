"""Segments in a data folder, or in a backup: `events/<FIRST / 1,000,000>/<FIRST>.facts.jsonl` and `.payloads.jsonl`.

Payloads are there before the facts, and the facts make the segment: what a kill leaves in between is written over.
"""

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.segments.segment import (
    EventSaid,
    Segment,
    SegmentDamaged,
    facts_file,
    payloads_file,
    read_facts,
    read_payloads,
)

# A year of a province has some million events; a folder of files for each million stays one that people can list.
_POSITIONS_A_FOLDER = 1_000_000
_DIGITS = 15
_FACTS = re.compile(rf"([0-9]{{{_DIGITS}}})\.facts\.jsonl\Z")


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment as it lies on disk, with the digest that the next one names."""

    segment: Segment
    sha256: str


class SegmentFolder:
    """The room of segments. Every method blocks."""

    def __init__(self, root: Path, files: DurableFiles | None = None) -> None:
        """Name the folder `events`; it is made by the first write."""
        self.root = root
        self._files = files or DurableFiles()

    def firsts(self) -> Iterator[int]:
        """Yield the first position of every segment, ascending."""
        if not self.root.is_dir():
            return
        for folder in sorted(each for each in self.root.iterdir() if each.is_dir() and each.name.isdigit()):
            found = (_FACTS.match(name) for name in os.listdir(folder))  # noqa: PTH208 - names are all that is needed
            yield from sorted(int(match[1]) for match in found if match)

    def facts_path(self, first: int) -> Path:
        """Return where the facts of a segment lie."""
        return self._folder(first) / f"{first:0{_DIGITS}d}.facts.jsonl"

    def payloads_path(self, first: int) -> Path:
        """Return where its payloads lie."""
        return self._folder(first) / f"{first:0{_DIGITS}d}.payloads.jsonl"

    def last(self) -> StoredSegment | None:
        """Return the newest segment, None if there is none. SegmentDamaged: it cannot be read."""
        newest = max(self.firsts(), default=None)
        return None if newest is None else self.read(newest)

    def read(self, first: int) -> StoredSegment:
        """Return one segment. SegmentDamaged: it is not what a Kho wrote. FileNotFoundError: there is none."""
        data = self.facts_path(first).read_bytes()
        segment = read_facts(data)
        if segment.first != first:
            raise SegmentDamaged("the segment lies under another's name")
        return StoredSegment(segment, hashlib.sha256(data).hexdigest())

    def said(self, first: int) -> dict[int, EventSaid]:
        """Return what is left of the payloads of a segment, by position. SegmentDamaged: they cannot be read."""
        try:
            return read_payloads(self.payloads_path(first).read_bytes())
        except FileNotFoundError as error:
            raise SegmentDamaged("the payloads of the segment are gone") from error

    def write(self, segment: Segment, said: Collection[EventSaid]) -> StoredSegment:
        """Write a segment durably and return it. FileExistsError: there is one of that first position."""
        folder = self._folder(segment.first)
        for each in (self.root, folder):
            self._files.make_folder(each)
            self._files.sync_folder(each.parent)
        data = facts_file(segment)
        self._replace(self.payloads_path(segment.first), payloads_file(said))
        temporary, file = self._files.open_temporary(folder)
        try:
            self._files.write(file, [data], 0)
            self._files.seal(file)
            self._files.sync_file(file)
            self._files.link(temporary, self.facts_path(segment.first))
        finally:
            self._files.remove(temporary)
        self._files.sync_folder(folder)
        return StoredSegment(segment, hashlib.sha256(data).hexdigest())

    def put_payloads(self, first: int, data: bytes) -> None:
        """Keep the payloads of a segment as they stand elsewhere, durably; nothing is written if they are the same."""
        path = self.payloads_path(first)
        if path.exists() and path.read_bytes() == data:
            return
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        self._replace(path, data)
        self._files.sync_folder(path.parent)

    def erase(self, first: int, positions: Collection[int]) -> None:
        """Erase payloads and reasons of some events of a segment; the chain stays whole."""
        left = [one for position, one in sorted(self.said(first).items()) if position not in positions]
        self._replace(self.payloads_path(first), payloads_file(left))
        self._files.sync_folder(self._folder(first))

    def _replace(self, path: Path, data: bytes) -> None:
        temporary, file = self._files.open_temporary(path.parent)
        try:
            self._files.write(file, [data], 0)
            self._files.sync_file(file)
            self._files.rename(temporary, path)
        finally:
            self._files.remove(temporary)

    def _folder(self, first: int) -> Path:
        return self.root / f"{first // _POSITIONS_A_FOLDER:06d}"
