"""What is sent and what is durable, part by part: the memory of an upload across broken links. Pure."""

from collections import deque
from collections.abc import Iterable

from kho.v1 import upload_service_pb2
from kho_client.parts import PartName


class UploadLedger:
    """Counts bytes of parts; offsets and sizes in bytes.

    `bytes_sent` is what went onto the wire, repetition included; `bytes_resent` the repetition within this run;
    `bytes_skipped` what did not need to travel: brought by an earlier run or another connection, or copied from pages.
    For a finished upload: bytes_sent - bytes_resent + bytes_skipped is the size of all its parts.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.bytes_sent = 0
        self.bytes_resent = 0
        self.bytes_skipped = 0
        self._persisted: dict[PartName, int] = {}
        self._complete: set[PartName] = set()
        self._sent_to: dict[PartName, int] = {}
        self._flying: deque[tuple[PartName, int, int]] = deque()
        self._flying_bytes = 0

    @property
    def unacknowledged_bytes(self) -> int:
        """Bytes sent on the present stream that are not known to be durable."""
        return self._flying_bytes

    @property
    def acknowledged_bytes(self) -> int:
        """Bytes of all parts that are durable."""
        return sum(self._persisted.values())

    @property
    def complete_parts(self) -> int:
        """How many parts are whole and durable."""
        return len(self._complete)

    def is_complete(self, name: PartName) -> bool:
        """Tell whether a part is whole and durable."""
        return name in self._complete

    def are_complete(self, names: Iterable[PartName]) -> bool:
        """Tell whether all of them are."""
        return all(name in self._complete for name in names)

    def persisted(self, name: PartName) -> int:
        """Return from which offset a part goes on."""
        return self._persisted.get(name, 0)

    def reopened(self, parts: Iterable[upload_service_pb2.PartProgress]) -> None:
        """Take the server's word at the start of a stream: it is the whole truth, nothing is in flight."""
        self._flying.clear()
        self._flying_bytes = 0
        self._persisted.clear()
        self._complete.clear()
        for part in parts:
            self._take(part)

    def begins(self, name: PartName) -> int:
        """Note that a part begins or goes on; return the offset from which its bytes must be sent."""
        start = self.persisted(name)
        self._skip_to(name, start)
        return start

    def skips_whole(self, name: PartName, size_bytes: int) -> None:
        """Note that a complete part needs nothing more; counted once."""
        self._skip_to(name, size_bytes)

    def sends(self, name: PartName, offset: int, length: int, *, is_copy: bool = False) -> None:
        """Note one message: `length` bytes of the part, which travel unless they are copied."""
        end = offset + length
        known_to = self._sent_to.get(name, 0)
        repeated = max(0, min(end, known_to) - offset)
        self._sent_to[name] = max(known_to, end)
        if is_copy:
            self.bytes_skipped += length - repeated
            return
        self.bytes_sent += length
        self.bytes_resent += repeated
        self._flying.append((name, end, length))
        self._flying_bytes += length

    def acknowledged(self, part: upload_service_pb2.PartProgress) -> bool:
        """Take an acknowledgement; tell whether it says anything new."""
        name = PartName.of(part.key)
        before = self.persisted(name), self.is_complete(name)
        self._take(part)
        while self._flying:
            head, end, length = self._flying[0]
            if not self.is_complete(head) and self.persisted(head) < end:
                break
            self._flying.popleft()
            self._flying_bytes -= length
        return before != (self.persisted(name), self.is_complete(name))

    def _skip_to(self, name: PartName, end: int) -> None:
        # What another connection brought in the meantime counts like what an earlier run did.
        known_to = self._sent_to.get(name, 0)
        if end > known_to:
            self.bytes_skipped += end - known_to
            self._sent_to[name] = end

    def _take(self, part: upload_service_pb2.PartProgress) -> None:
        name = PartName.of(part.key)
        self._persisted[name] = max(part.persisted_bytes, self.persisted(name))
        if part.is_complete:
            self._complete.add(name)
