"""Which bytes of a version are meant when nobody names a part."""

from collections.abc import Sequence

from kho_server.archive.refusals import Reason, Refusal
from kho_storage.parts import PartId, PartKind
from kho_storage.records.document import RenditionRole, StoredPart


def newest_signed(parts: Sequence[StoredPart]) -> StoredPart | None:
    """Return the signed rendition with the highest number, None if there is none."""
    signed = [part for part in parts if part.role is RenditionRole.SIGNED]
    return max(signed, key=lambda part: part.part.number, default=None)


def chosen_part(parts: Sequence[StoredPart], wanted: PartId | None) -> StoredPart:
    """Return the part that was named; unnamed: the newest signed rendition, else the only page.

    Refusal: CONTENT_NOT_AVAILABLE.
    """
    if wanted is not None:
        found = next((part for part in parts if part.part == wanted), None)
    else:
        pages = [part for part in parts if part.part.kind is PartKind.PAGE]
        found = newest_signed(parts) or (pages[0] if len(pages) == 1 else None)
    if found is None:
        raise Refusal(Reason.CONTENT_NOT_AVAILABLE)
    return found
