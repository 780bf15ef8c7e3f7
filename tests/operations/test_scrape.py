"""A real Prometheus scrapes a real server: the dashboard draws, the rules load, and a well server alarms nobody."""

import asyncio
import math
import re
import time
from collections.abc import Iterator

import grpc
import pytest

from tests.end_to_end.caller import refused
from tests.end_to_end.papers import scanned, signed
from tests.end_to_end.serving import Server
from tests.end_to_end.waiting import until
from tests.operations.prometheus import Prometheus, scraping
from tests.operations.watching import RUNBOOKS, alerts, panels, queries, rules

WITHIN_S = 15.0
RATE_INTERVAL = "10s"
# These show trouble by a label that only trouble makes.
EMPTY_WHEN_WELL = {"Store errors per minute · Lỗi kho tệp"}
# What the traffic of these tests must show: sums of panels above zero.
CORE = (
    "Pages per second",
    "Bytes in and out",
    "Commit latency",
    "Documents sealed per minute",
    "Verdicts per minute",
    "Time of one verification",
    "Look-ups per second",
    "Reuses per minute",
    "Access records per second",
    "Disk free and its reserve",
    "Files per group commit",
    "Store latency, p99",
    "PostgreSQL answers",
    "Connections of the pool",
    "Calls per second by method",
    "Refused and failed calls per second",
    "Latency by method, p99",
    "Certificate days left",
    "Serving",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server whose disk is as good as empty, however full this machine's is."""
    one = Server(tmp_path_factory.mktemp("watched"), {"reserve_bytes": "1"})
    one.start_blocking()
    yield one
    one.stop_blocking()


@pytest.fixture(scope="module")
def prometheus(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a Prometheus over it; what it sees first is a day with all kinds of calls."""
    asyncio.run(_work(server))
    with scraping(server.ready["ops"], tmp_path_factory.mktemp("prometheus")) as one:
        yield one


async def _work(server: Server) -> None:
    """Pages, a signed file, its verdict, a look-up that finds and one that does not, a reuse."""
    async with server.caller("station") as station, server.caller("agency-b") as other:
        await station.store(scanned())
        result = await station.store_judged(await signed(server.pki))
        await other.lookup(result.result_code)
        await other.reuse(result.result_code)
        absent = other.lookup("038085001234.KQ.G15.000031.999999")
        await refused(absent, grpc.StatusCode.NOT_FOUND, "RESULT_NOT_FOUND")


async def test_every_panel_draws(server: Server, prometheus: Prometheus) -> None:
    """No query is refused, alone or over a range; each has data, and those of the main job are not zero."""
    assert {name for name in CORE if not any(panel["title"].startswith(name) for panel in panels())} == set()
    await until(lambda: prometheus.value("kho_documents_committed_total"), "the first scrape", WITHIN_S)
    await _work(server)

    async def missing() -> list[str]:
        """Ask all queries; return the titles of panels that should show something and do not."""
        empty = set()
        shown: dict[str, float] = {}
        for query in queries():
            values = await prometheus.query(query.filled(RATE_INTERVAL))
            if not values and query.panel not in EMPTY_WHEN_WELL:
                empty.add(query.panel)
            shown[query.panel] = shown.get(query.panel, 0.0) + sum(v for v in values.values() if math.isfinite(v))
        return sorted(empty | {title for title, value in shown.items() if title.startswith(CORE) and not value > 0})

    last: list[str] = []

    async def drawn() -> bool:
        last[:] = await missing()
        return not last

    try:
        await until(drawn, "data in every panel", WITHIN_S)
    except AssertionError as error:
        raise AssertionError(f"{error}: {last}") from None
    now = time.time()
    for query in queries():
        await prometheus.ask(
            "query_range", query=query.filled(RATE_INTERVAL), start=f"{now - 5}", end=f"{now}", step="1"
        )


async def test_a_well_server_alarms_nobody(prometheus: Prometheus) -> None:
    """All rules are loaded as this repository reads them, evaluate, and none fires."""

    async def evaluated() -> list[dict[str, object]] | None:
        groups = (await prometheus.ask("rules"))["groups"]
        loaded = [rule for group in groups for rule in group["rules"]]
        # A group waits for its own interval, which is longer than this test is.
        return loaded if sum(rule["health"] != "unknown" for rule in loaded) >= len(loaded) // 2 else None

    loaded = await until(evaluated, "an evaluation of the rules", WITHIN_S)
    written = {rule.name: rule for rule in rules()}
    assert sorted(str(rule["name"]) for rule in loaded) == sorted(written)
    assert {rule["name"]: rule["lastError"] for rule in loaded if rule.get("lastError")} == {}
    for rule in loaded:
        annotations = rule.get("annotations", {})
        assert isinstance(annotations, dict)
        assert {name: written[str(rule["name"])].field(name) for name in annotations} == annotations
    assert [alert for alert in (await prometheus.ask("alerts"))["alerts"] if alert["state"] == "firing"] == []


async def test_what_waits_for_a_verdict_ages(server: Server, prometheus: Prometheus) -> None:
    """The age is that of the seal; what was judged and waits for evidence is another number."""
    async with server.database() as connection:
        # The first one will not come to its turn while this test runs; the second one had its turn.
        await connection.execute(
            "INSERT INTO kho.verification_task (document_uuid, version, due_at, attempts)"
            " SELECT document_uuid, version, now() + interval '1 day', row_number() OVER (ORDER BY sealed_at) - 1"
            " FROM kho.document_version ORDER BY sealed_at LIMIT 2 ON CONFLICT DO NOTHING"
        )
    await until(lambda: prometheus.value("kho_verification_oldest_seconds > 1"), "its age", WITHIN_S)
    assert await prometheus.value("kho_verifications_waiting") == 1
    assert await prometheus.value("kho_verifications_undecided") == 1


async def test_the_page_knows_all_background_work(server: Server) -> None:
    """All of it is counted from the start, and the page says what stays undone without it."""
    _, shown = await server.ops("/metrics")
    tasks = set(re.findall(r'^kho_background_failures_total\{task="(\w+)"\}', shown, re.MULTILINE))
    assert {"judging", "leases", "access_partitions", "damaged_blob"} <= tasks
    page = (RUNBOOKS / "background-failures.md").read_text("utf-8")
    assert [task for task in sorted(tasks) if f"`{task}`" not in page] == []


async def test_the_database_knows_what_pages_ask_it(server: Server) -> None:
    """Every statement of the runbooks names what exists; none is carried out."""
    pages = [(RUNBOOKS / f"{alert.page}.md").read_text("utf-8") for alert in alerts()]
    asked = [text for page in pages for text in re.findall(r"`(SELECT[^`]+)`", page)]
    assert len(asked) >= 4
    async with server.database() as connection:
        for statement in asked:
            await connection.execute(f"EXPLAIN {statement.replace('(PID)', '(0)')}")


async def test_a_scrape_is_small(server: Server) -> None:
    """No series about when series began; under 200 KB however many methods were called."""
    status, shown = await server.ops("/metrics")
    assert status == 200
    assert "_created" not in shown
    assert len(shown) < 200_000
