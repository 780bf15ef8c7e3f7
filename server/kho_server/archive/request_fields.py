"""Fields that every request has, parsed once at the edge of the archive."""

from uuid import UUID

from kho_server.archive.refusals import Reason, Refusal


def parse_uuid(field: str, text: str) -> UUID:
    """Return a UUID in its usual spelling. Refusals: FIELD_REQUIRED, FIELD_MALFORMED."""
    if not text:
        raise Refusal(Reason.FIELD_REQUIRED, field=field)
    if len(text) != 36:
        raise Refusal(Reason.FIELD_MALFORMED, field=field)
    try:
        return UUID(text)
    except ValueError:
        raise Refusal(Reason.FIELD_MALFORMED, field=field) from None


def parse_page_size(size: int) -> int:
    """Return how many rows a list may have: 0 means 50. Refusal: FIELD_MALFORMED outside 0 to 500."""
    if not 0 <= size <= 500:
        raise Refusal(Reason.FIELD_MALFORMED, field="page_size")
    return size or 50
