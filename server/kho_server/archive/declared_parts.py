"""Which parts an upload has declared."""

from kho_storage.parts import PartId, PartKind
from kho_storage.records.document import Upload, VersionReason


def declared_parts(upload: Upload) -> tuple[PartId, ...]:
    """Return the parts that may come, and must have come at Commit: pages first, then renditions.

    A version that adds renditions keeps the pages of its base; nothing of them comes again.
    """
    keeps_pages = upload.reason is VersionReason.RENDITION_ADDED
    pages = range(0) if keeps_pages else range(1, upload.pages + 1)
    renditions = range(upload.first_rendition, upload.first_rendition + upload.renditions)
    return (
        *(PartId(PartKind.PAGE, number) for number in pages),
        *(PartId(PartKind.RENDITION, number) for number in renditions),
    )
