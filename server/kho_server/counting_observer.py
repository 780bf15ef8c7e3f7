"""Counts what the archive tells."""

from kho_server.archive.observer import Observer
from kho_server.metrics import Metrics
from kho_storage.records.access import AccessAction, AccessOutcome
from kho_storage.records.document import DocumentKind, Lane


class CountingObserver(Observer):
    """Turns what happened into metrics; labels are words of the proto files in lower case."""

    def __init__(self, metrics: Metrics) -> None:
        """Count in these metrics."""
        self._metrics = metrics

    def part_complete(self, *, is_page: bool) -> None:
        """Count pages; renditions show as bytes."""
        if is_page:
            self._metrics.pages.inc()

    def bytes_received(self, sent: int, copied: int) -> None:
        """Count bytes by kind."""
        self._metrics.bytes_received.labels("sent").inc(sent)
        self._metrics.bytes_received.labels("copied").inc(copied)

    def upload_streams(self, change: int) -> None:
        """Follow the open streams."""
        self._metrics.uploads_open.inc(change)

    def upload_resumed(self) -> None:
        """Count resumed uploads."""
        self._metrics.uploads_resumed.inc()

    def upload_expired(self) -> None:
        """Count abandoned uploads."""
        self._metrics.uploads_expired.inc()

    def version_sealed(self, kind: DocumentKind, lane: Lane, seconds: float) -> None:
        """Count versions and how long sealing took."""
        self._metrics.documents_committed.labels(lane.value.lower(), kind.value.lower()).inc()
        self._metrics.commit_seconds.observe(seconds)

    def code_clash(self) -> None:
        """Count clashes."""
        self._metrics.code_clashes.inc()

    def accesses(self, action: AccessAction, outcome: AccessOutcome, count: int) -> None:
        """Count access records, look-ups and reuses by outcome."""
        self._metrics.access_records.labels(action.value.lower(), outcome.value.lower()).inc(count)
        if action is AccessAction.LOOKUP:
            self._metrics.lookups.labels(outcome.value.lower()).inc(count)
        if action is AccessAction.REUSE:
            self._metrics.reuses.labels(outcome.value.lower()).inc(count)

    def bytes_sent(self, action: AccessAction, count: int) -> None:
        """Count bytes by the way they left."""
        self._metrics.bytes_sent.labels(action.value.lower()).inc(count)

    def judged(self, indication: str, seconds: float) -> None:
        """Count verdicts and how long they took."""
        self._metrics.verdicts.labels(indication).inc()
        self._metrics.verify_seconds.observe(seconds)

    def background_failed(self, task: str) -> None:
        """Count failed rounds."""
        self._metrics.background_failures.labels(task).inc()
