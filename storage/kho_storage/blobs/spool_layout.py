"""How uploads and their parts are called on disk; parsing and writing of names, no input or output.

<agency>/<document>/v<version>/p00001.part           a page that is arriving
                               p00001.ack            its acknowledged lengths, see part_prefix
                               p00001.<sha256>.<size>  a page that is complete
                               r00001...             the same for renditions
"""

import re
from pathlib import Path
from uuid import UUID

from kho_storage.digest import Digest
from kho_storage.parts import PartId, PartKind, UploadId

_LETTER = {PartKind.PAGE: "p", PartKind.RENDITION: "r"}
_KIND = {letter: kind for kind, letter in _LETTER.items()}
_PART = re.compile(r"(?P<kind>[pr])(?P<number>[0-9]{5})\.part\Z")
_COMPLETE = re.compile(r"(?P<kind>[pr])(?P<number>[0-9]{5})\.(?P<sha256>[0-9a-f]{64})\.(?P<size>[0-9]{1,18})\Z")
_VERSION = re.compile(r"v(?P<version>[1-9][0-9]{0,8})\Z")


def upload_folder(root: Path, upload: UploadId) -> Path:
    """Return the folder of an upload; UUIDs in their canonical form leave no room for tricks with paths."""
    # One step: each / of pathlib costs 5 µs, and every page asks.
    return root / f"{upload.agency}/{upload.document}/v{upload.version:d}"


def version_of(name: str) -> int | None:
    """Parse the name of an upload's folder."""
    found = _VERSION.match(name)
    return int(found["version"]) if found else None


def uuid_of(name: str) -> UUID | None:
    """Parse a UUID in its canonical form only."""
    try:
        parsed = UUID(name)
    except ValueError:
        return None
    return parsed if str(parsed) == name else None


def stem(part: PartId) -> str:
    """Return what all names of a part begin with."""
    return f"{_LETTER[part.kind]}{part.number:05d}"


def part_name(part: PartId) -> str:
    """Return the name of a part that is arriving."""
    return f"{stem(part)}.part"


def ack_name(part: PartId) -> str:
    """Return the name of the list of acknowledged lengths of an arriving part."""
    return f"{stem(part)}.ack"


def complete_name(part: PartId, digest: Digest) -> str:
    """Return the name of a complete part: whoever lists the folder knows what `sha256sum` must say."""
    return f"{stem(part)}.{digest.sha256}.{digest.size_bytes:d}"


def arriving(name: str) -> PartId | None:
    """Parse the name of a part that is arriving."""
    found = _PART.match(name)
    return _part_id(found) if found else None


def complete(name: str) -> tuple[PartId, Digest] | None:
    """Parse the name of a complete part."""
    found = _COMPLETE.match(name)
    part = _part_id(found) if found else None
    return (part, Digest(found["sha256"], int(found["size"]))) if found and part else None


def part_order(part: PartId) -> tuple[str, int]:
    """Sort pages first, then renditions, by number."""
    return (_LETTER[part.kind], part.number)


def _part_id(found: "re.Match[str]") -> PartId | None:
    number = int(found["number"])
    return PartId(_KIND[found["kind"]], number) if 1 <= number <= 10_000 else None
