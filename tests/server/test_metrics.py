"""Metrics are declared once, shown whole, and hold nothing of anybody."""

from prometheus_client import generate_latest
from prometheus_client.metrics import MetricWrapperBase

from kho_server.counting_observer import CountingObserver
from kho_server.metrics import Metrics
from kho_storage.records.access import AccessAction, AccessOutcome
from kho_storage.records.document import DocumentKind, Lane

FEW = {"kind", "way", "lane", "indication", "outcome", "action", "state", "operation", "method", "code", "use", "task"}


def declared(metrics: Metrics) -> dict[str, MetricWrapperBase]:
    return {name: each for name, each in vars(metrics).items() if isinstance(each, MetricWrapperBase)}


def test_every_declared_metric_is_exported_with_unit_and_help() -> None:
    metrics = Metrics()
    shown = {line.split(" ")[2] for line in generate_latest(metrics.registry).decode().splitlines() if "# TYPE" in line}
    for each in declared(metrics).values():
        family = next(iter(each.describe()))
        name = family.name + ("_total" if family.type == "counter" else "")
        assert name in shown
        assert name.startswith("kho_")
        assert family.documentation.endswith((".", "right."))
        assert set(each._labelnames) <= FEW
        if family.type == "histogram":
            assert name.endswith(("_seconds", "_size"))
    assert shown == {
        next(iter(each.describe())).name + ("_total" if next(iter(each.describe())).type == "counter" else "")
        for each in declared(metrics).values()
    }


def test_what_the_archive_tells_is_counted() -> None:
    metrics = Metrics()
    observer = CountingObserver(metrics)
    observer.part_complete(is_page=True)
    observer.part_complete(is_page=False)
    observer.bytes_received(100, 20)
    observer.upload_streams(+1)
    observer.upload_resumed()
    observer.upload_expired()
    observer.version_sealed(DocumentKind.RESULT, Lane.NEW, 0.2)
    observer.code_clash()
    observer.accesses(AccessAction.LOOKUP, AccessOutcome.ABSENT, 3)
    observer.accesses(AccessAction.REUSE, AccessOutcome.DISCLOSED, 1)
    observer.bytes_sent(AccessAction.REUSE, 500)
    observer.judged("TOTAL_PASSED", 0.5)
    observer.background_failed("judging")

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    assert value("kho_pages_total") == 1
    assert value("kho_received_bytes_total", kind="sent") == 100
    assert value("kho_received_bytes_total", kind="copied") == 20
    assert value("kho_uploads_open") == 1
    assert value("kho_documents_committed_total", lane="new", kind="result") == 1
    assert value("kho_commit_seconds_count") == 1
    assert value("kho_lookups_total", outcome="absent") == 3
    assert value("kho_reuses_total", outcome="disclosed") == 1
    assert value("kho_access_records_total", action="lookup", outcome="absent") == 3
    assert value("kho_sent_bytes_total", way="reuse") == 500
    assert value("kho_verdicts_total", indication="TOTAL_PASSED") == 1
    assert value("kho_background_failures_total", task="judging") == 1
