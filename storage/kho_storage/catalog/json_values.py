"""Values as events hold them: JSON only."""

from datetime import date, datetime
from uuid import UUID


def day_text(day: date | None) -> str | None:
    """Return a day as ISO 8601, None for an open one."""
    return day.isoformat() if day else None


def instant_text(instant: datetime | None) -> str | None:
    """Return an instant as ISO 8601 with its offset, None for an open one; ValueError without an offset."""
    if instant is not None and instant.utcoffset() is None:
        raise ValueError("an instant needs its offset")
    return instant.isoformat() if instant else None


def uuid_text(value: UUID | None) -> str | None:
    """Return a UUID in its usual spelling."""
    return str(value) if value else None


def day_of(text: str | None) -> date | None:
    """Return the day that `day_text` wrote."""
    return date.fromisoformat(text) if text else None
