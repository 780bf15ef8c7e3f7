"""Every metric of a Kho, declared once: name with unit, help, and labels of few values.

No label ever holds a code, an id, a name or anything a stranger chose; methods are those that the server registered.
`help` sentences are what a dashboard shows. A Metrics has a registry of its own, so tests may have many.
"""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# A *_created beside every counter and histogram makes a scrape a fifth longer, and nobody asks for it here.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left it without a type

# From a hit in the cache of the disk to a commit that waits for a slow one.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)
UNKNOWN_METHOD = "unknown"


class Metrics:
    """The metrics, as attributes; whoever has one may count, nobody may declare another."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Declare all of them in a registry; None: a new one."""
        self.registry = registry or CollectorRegistry(auto_describe=True)
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry, buckets=_SECONDS)

        self.pages = counter("kho_pages_total", "Pages that became whole and durable.")
        self.bytes_received = counter(
            "kho_received_bytes_total",
            "Bytes of parts, kind=sent came over the wire, kind=copied from pages.",
            ["kind"],
        )
        self.bytes_sent = counter("kho_sent_bytes_total", "Bytes of content that left, by way.", ["way"])
        self.documents_committed = counter(
            "kho_documents_committed_total", "Document versions sealed, by lane and kind.", ["lane", "kind"]
        )
        self.commit_seconds = histogram("kho_commit_seconds", "Seconds from Commit to its durable answer.")
        self.uploads_open = gauge("kho_uploads_open", "Upload streams that are open now.")
        self.uploads_resumed = counter(
            "kho_uploads_resumed_total", "Upload streams that went on with a part begun earlier."
        )
        self.uploads_expired = counter(
            "kho_uploads_expired_total", "Abandoned uploads that were cleaned after their lease."
        )
        self.sync_batch_size = histogram(
            "kho_sync_batch_size", "Files made durable by one group commit.", buckets=_BATCH
        )
        self.verdicts = counter("kho_verdicts_total", "Verdicts on signed files, by indication.", ["indication"])
        self.verify_seconds = histogram("kho_verify_seconds", "Seconds that one verification took.")
        self.verifications_waiting = gauge("kho_verifications_waiting", "Document versions without any verdict yet.")
        self.verification_oldest_seconds = gauge(
            "kho_verification_oldest_seconds", "Seconds since the oldest version without a verdict was sealed; 0: none."
        )
        self.verifications_undecided = gauge(
            "kho_verifications_undecided", "Document versions whose verdict waits for evidence and is sought again."
        )
        self.verification_queue_files = gauge(
            "kho_verification_queue_files", "Files that wait for a free verification worker."
        )
        self.worker_restarts = counter(
            "kho_verification_worker_restarts_total", "Verification workers that were lost or killed and replaced."
        )
        self.lookups = counter("kho_lookups_total", "Codes looked up, by outcome.", ["outcome"])
        self.reuses = counter("kho_reuses_total", "Calls for another agency's content, by outcome.", ["outcome"])
        self.access_records = counter(
            "kho_access_records_total", "Access records written, by action and outcome.", ["action", "outcome"]
        )
        self.access_default_partition_rows = gauge(
            "kho_access_default_partition_rows", "Access records for which no monthly partition was there; 0 is right."
        )
        self.code_clashes = counter("kho_code_clashes_total", "Given result codes that were taken already.")
        self.event_position_lag = gauge("kho_event_position_lag", "Events that have no position yet.")
        self.event_position_lag_seconds = gauge(
            "kho_event_position_lag_seconds", "Seconds for which the oldest event has waited for its position."
        )
        self.database_up = gauge("kho_database_up", "1 while PostgreSQL answers, else 0.")
        self.database_connections = gauge("kho_database_connections", "Connections of the pool, by state.", ["state"])
        self.disk_free_bytes = gauge("kho_disk_free_bytes", "Bytes free under the data folder.")
        self.disk_reserve_bytes = gauge("kho_disk_reserve_bytes", "Bytes below which uploads are refused.")
        self.blob_seconds = histogram(
            "kho_blob_seconds",
            "Seconds of calls to the blob store, by operation and outcome.",
            ["operation", "outcome"],
        )
        self.blobs_damaged = counter(
            "kho_blobs_damaged_total", "Reads that found stored bytes damaged, also of the rolling check; 0 is right."
        )
        self.scrubbed_blobs = counter(
            "kho_scrubbed_blobs_total", "Stored blobs that the rolling check has read, by outcome.", ["outcome"]
        )
        self.scrubbed_bytes = counter("kho_scrubbed_bytes_total", "Bytes that the rolling check has read.")
        self.scrub_oldest_check_seconds = gauge(
            "kho_scrub_oldest_check_seconds", "Seconds since the blob that waits longest was checked, at most."
        )
        self.event_loop_lag_seconds = gauge("kho_event_loop_lag_seconds", "Worst lateness of the event loop in 5 s.")
        self.rpcs = counter("kho_rpcs_total", "Calls that ended, by method and status code.", ["method", "code"])
        self.rpc_seconds = histogram(
            "kho_rpc_seconds", "Seconds from a call's begin to its end, by method.", ["method"]
        )
        self.rpc_faults = counter(
            "kho_rpc_faults_total",
            "Calls that the server failed for no reason it knows (INTERNAL, UNKNOWN); 0 is right.",
        )
        self.rpcs_open = gauge("kho_rpcs_open", "Calls that are open now.")
        self.streams_open = gauge("kho_streams_open", "Streaming calls that are open now.")
        self.callers_ended = counter(
            "kho_revoked_calls_total", "Open calls that were ended because their caller was revoked."
        )
        self.certificate_days_left = gauge(
            "kho_certificate_days_left", "Days until a certificate of the server ends, by its use.", ["use"]
        )
        self.background_failures = counter(
            "kho_background_failures_total", "Rounds of background work that failed, by task.", ["task"]
        )
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Show what has not happened yet as 0: a rate over a series that appears with its first event misses it."""
        for kind in ("sent", "copied"):
            self.bytes_received.labels(kind)
        for way in ("read", "reuse"):
            self.bytes_sent.labels(way)
        for outcome in ("disclosed", "refused", "absent"):
            self.lookups.labels(outcome)
            self.reuses.labels(outcome)
        for outcome in ("right", "repaired", "damaged"):
            self.scrubbed_blobs.labels(outcome)
        for indication in ("TOTAL_PASSED", "TOTAL_FAILED", "INDETERMINATE", "NO_SIGNATURE"):
            self.verdicts.labels(indication)
        for task in ("judging", "damaged_blob"):
            self.background_failures.labels(task)
