"""Accounts for every byte that was appended after a signed range.

An update that readers follow and the library does not (objects behind an empty cross-reference table) shows
the attacker's page while every signature looks intact. So each appended byte must belong to an object that
the cross-references of its revision list, to a cross-reference section, to a trailer, or be white space.
"""

import re
from dataclasses import dataclass
from io import BytesIO

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.xref import XRefSectionMetaInfo, XRefSectionType, read_object_header

# White space of ISO 32000-1 table 1, comments (%%EOF is one), and the pointer that ends a revision.
_IDLE = re.compile(rb"(?:[\x00\t\n\x0c\r ]+|%[^\r\n]*(?:[\r\n]|$)|startxref[\x00\t\n\x0c\r ]+[0-9]{1,19}(?![0-9]))*+")


@dataclass(frozen=True)
class _Extent:
    start: int
    end: int


def last_unlisted_byte(reader: PdfFileReader, data: bytes, start: int) -> int | None:
    """Return where in `data`, from `start` on, the last stretch ends that nothing lists; None if all is listed.

    Raises what the library raises on a broken object.
    """
    extents, fault = _extents(reader, data, start)
    position = start
    for extent in [*sorted(extents, key=lambda extent: extent.start), _Extent(len(data), len(data))]:
        if position < extent.start and not _is_idle(data, position, extent.start):
            fault = max(fault or 0, extent.start)
        position = max(position, extent.end)
    return fault


def _is_idle(data: bytes, start: int, end: int) -> bool:
    # A comment may not hold an object either: viewers that rebuild the table find it there.
    return _IDLE.fullmatch(data, start, end) is not None and data.find(b"obj", start, end) < 0


def _extents(reader: PdfFileReader, data: bytes, start: int) -> tuple[list[_Extent], int | None]:
    extents = []
    fault = None
    for revision in range(reader.xrefs.total_revisions):
        section = reader.xrefs.get_xref_container_info(revision)
        listed = reader.xrefs.get_xref_data(revision)
        if section.start_location < start:
            continue
        if not listed.explicit_refs_in_revision and listed.hybrid is None:
            # A revision that changes nothing is there to hide something.
            fault = max(fault or 0, section.end_location)
        extents.append(_section_extent(reader, section))
        offsets = dict(listed.standard_xrefs)
        if listed.hybrid is not None:
            extents.append(_section_extent(reader, listed.hybrid.meta_info))
            offsets |= listed.hybrid.xref_data.standard_xrefs
        for number, (generation, offset) in offsets.items():
            if offset >= start:
                extents.append(_object_extent(reader, data, offset, number, generation))
    return extents, fault


def _section_extent(reader: PdfFileReader, section: XRefSectionMetaInfo) -> _Extent:
    # The library notes where a table ends, which is before its trailer dictionary.
    start = section.declared_startxref
    if section.xref_section_type in (XRefSectionType.STREAM, XRefSectionType.HYBRID_STREAM):
        return _Extent(start, _after_endobj(reader, section.end_location))
    stream = reader.stream
    stream.seek(section.end_location)
    generic.DictionaryObject.read_from_stream(stream, generic.TrailerReference(reader))
    return _Extent(start, stream.tell())


def _object_extent(reader: PdfFileReader, data: bytes, offset: int, number: int, generation: int) -> _Extent:
    stream = BytesIO(data)  # shares the bytes; reading a /Length elsewhere must not move this position
    stream.seek(offset)
    if read_object_header(stream, strict=reader.strict) != (number, generation):
        raise PdfReadError("an object is not where the cross-reference says")
    generic.read_object(stream, generic.Reference(number, generation, reader))
    return _Extent(offset, _after_endobj(reader, stream.tell()))


def _after_endobj(reader: PdfFileReader, position: int) -> int:
    stream = reader.stream
    stream.seek(position)
    tail = re.compile(rb"[\x00\t\n\x0c\r ]*endobj").match(stream.read(64))
    if tail is None:
        raise PdfReadError("an object does not end with endobj")
    return position + tail.end()
