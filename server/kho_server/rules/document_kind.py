"""What a document is to its dossier."""

from enum import StrEnum


class DocumentKind(StrEnum):
    """The three kinds of document; only results and components may ever show to a citizen."""

    RESULT = "result"
    COMPONENT = "component"
    PROCESSING = "processing"
