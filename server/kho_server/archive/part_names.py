"""How parts are called in errors."""

from kho_storage.parts import PartId


def part_name(part: PartId) -> str:
    """Return "page 3" or "rendition 1"."""
    return f"{part.kind.value} {part.number}"
