"""The media type that a file's name declares; the server judges whether its content agrees."""

from pathlib import PurePath

PDF = "application/pdf"
_BY_SUFFIX = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".pdf": PDF,
}
_BY_CONTENT = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"%PDF-": PDF,
}
UNKNOWN = "application/octet-stream"


def media_type_of(path: PurePath, beginning: bytes) -> str:
    """Return what the suffix declares, else what the first bytes say, else a type that the server refuses."""
    declared = _BY_SUFFIX.get(path.suffix.lower())
    if declared:
        return declared
    return next((kind for magic, kind in _BY_CONTENT.items() if beginning.startswith(magic)), UNKNOWN)
