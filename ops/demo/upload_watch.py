"""Watches one upload from the desk's side: what was acknowledged must stay so, whatever happens."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kho_client.upload import UploadProgress
from ops.demo.steps import expect


class Place(NamedTuple):
    """Where an upload went on after a break: `offset` bytes of page `page` were durable."""

    page: int
    offset: int


class UploadWatch:
    """Takes every report of an upload, and passes it on to `on_report`."""

    def __init__(self, sizes: Sequence[int], on_report: Callable[["UploadWatch"], None]) -> None:
        """`sizes` are those of the pages scanned so far; the list grows while the scanner works."""
        self._sizes = sizes
        self._on_report = on_report
        self._attempts = 1
        self.acknowledged_bytes = 0
        self.complete_parts = 0
        self.unacknowledged_bytes = 0
        """Sent but not acknowledged when the link broke, over all breaks: only these may travel twice."""
        self.resumed_at: list[Place] = []

    def __call__(self, progress: UploadProgress) -> None:
        """Compare a report with those before; Expected when acknowledged bytes are gone."""
        if progress.attempts > self._attempts:
            self._attempts = progress.attempts
            expect(
                progress.bytes_acknowledged >= self.acknowledged_bytes,
                f"{self.acknowledged_bytes} bytes were acknowledged, after the break {progress.bytes_acknowledged}",
            )
            went_out = progress.bytes_sent + progress.bytes_skipped
            self.unacknowledged_bytes += max(0, went_out - progress.bytes_acknowledged)
            self.resumed_at.append(self._place(progress.bytes_acknowledged))
        self.acknowledged_bytes = max(self.acknowledged_bytes, progress.bytes_acknowledged)
        self.complete_parts = progress.parts_complete
        self._on_report(self)

    def _place(self, acknowledged: int) -> Place:
        rest = acknowledged
        for number, size in enumerate(self._sizes, 1):
            if rest < size:
                return Place(number, rest)
            rest -= size
        return Place(len(self._sizes) + 1, rest)
