"""What bytes are, told by the bytes themselves and never by a name."""

import re
from enum import Enum

from kho_server.rules.errors import MediaTypeRefused
from kho_server.rules.reasons import Reason

HEAD_BYTES = 16
"""How many first bytes of a file are enough to tell its media type."""

# SOI, then the first byte of a marker: ITU-T T.81 table B.1.
_JPEG = re.compile(rb"\xff\xd8\xff[\xc0-\xfe]")
# Signature, then the length and name of the IHDR chunk: ISO/IEC 15948 sections 5.2 and 11.2.2.
_PNG = re.compile(rb"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
# Byte order, 42, offset of the first directory: TIFF 6.0 section 2. BigTIFF (43) is for files over 4 GiB: refused.
_TIFF = re.compile(rb"II\x2a\x00|MM\x00\x2a")
# Header at byte 0: ISO 32000-1 section 7.5.2, and ISO 19005-1 section 6.1.2 demands it in so many words. Readers
# that look for it within 1,024 bytes take a file for a PDF that is also something else, and signed byte ranges
# count from the first byte.
_PDF = re.compile(rb"%PDF-[12]\.[0-9]")


class MediaType(Enum):
    """The media types that pages and renditions may have; the value is the name used on the wire."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    TIFF = "image/tiff"
    PDF = "application/pdf"

    @property
    def mime(self) -> str:
        """The registered name, such as image/jpeg."""
        return self.value

    @classmethod
    def parse(cls, field: str, name: str) -> "MediaType":
        """Read a declared media type, exact and in lower case; raises MediaTypeRefused with MEDIA_TYPE_UNKNOWN."""
        for media_type in cls:
            if media_type.value == name:
                return media_type
        raise MediaTypeRefused(field, Reason.MEDIA_TYPE_UNKNOWN, known=", ".join(known.value for known in cls))

    @classmethod
    def of_content(cls, field: str, head: bytes) -> "MediaType":
        """Tell the media type from the first HEAD_BYTES bytes, or from all when there are fewer.

        Raises MediaTypeRefused with MEDIA_TYPE_NOT_RECOGNISED. Only the beginning is looked at: whether the rest
        is sound is for whoever reads the pages.
        """
        for media_type, beginning in _BEGINNINGS:
            if beginning.match(head):
                return media_type
        raise MediaTypeRefused(field, Reason.MEDIA_TYPE_NOT_RECOGNISED)

    def check_content(self, field: str, head: bytes) -> None:
        """Check that content is what this declared type says; raises MediaTypeRefused with MEDIA_TYPE_MISMATCH too."""
        found = MediaType.of_content(field, head)
        if found is not self:
            raise MediaTypeRefused(field, Reason.MEDIA_TYPE_MISMATCH, declared=self.value, found=found.value)


_BEGINNINGS = (
    (MediaType.JPEG, _JPEG),
    (MediaType.PNG, _PNG),
    (MediaType.TIFF, _TIFF),
    (MediaType.PDF, _PDF),
)
