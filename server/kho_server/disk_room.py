"""Whether the disk has room for uploads."""

from collections.abc import Callable

from kho_server.archive.refusals import Reason, Refusal

# Asking costs one system call, which a slow file system may take its time over: not for every page.
_REMEMBER_S = 0.5
# Four segments of PostgreSQL's log: with less it may have to stop at any moment.
_NEARLY_FULL_BYTES = 64 << 20


class DiskRoom:
    """Compares free bytes with the reserve that uploads must leave."""

    def __init__(self, free_bytes: Callable[[], int], clock: Callable[[], float], reserve_bytes: int) -> None:
        """`clock` counts seconds and never runs backwards."""
        self._ask = free_bytes
        self._clock = clock
        self._reserve_bytes = reserve_bytes
        self._asked_at: float | None = None
        self._free_bytes = 0

    @property
    def free_bytes(self) -> int:
        """Free bytes, at most half a second old."""
        now = self._clock()
        if self._asked_at is None or now - self._asked_at >= _REMEMBER_S:
            self._free_bytes, self._asked_at = self._ask(), now
        return self._free_bytes

    @property
    def has_room(self) -> bool:
        """Whether more than the reserve is free."""
        return self._reserve_bytes == 0 or self.free_bytes > self._reserve_bytes

    @property
    def is_nearly_full(self) -> bool:
        """Whether there may be too little for what is written about reading."""
        return self.free_bytes < _NEARLY_FULL_BYTES

    def admit(self) -> None:
        """Refuse more bytes when there is no room: STORAGE_FULL."""
        if not self.has_room:
            raise Refusal(Reason.STORAGE_FULL)
