"""Which texts PostgreSQL can hold."""


def is_storable(text: str) -> bool:
    """Tell whether a text can be stored at all: no NUL, no lone surrogate. What cannot be stored cannot be found."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
