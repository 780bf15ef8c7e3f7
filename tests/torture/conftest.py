"""The development server that these tests share, and callers of it."""

from tests.end_to_end.conftest import server, station

__all__ = ["server", "station"]
