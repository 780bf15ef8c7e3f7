"""The dashboard is what Grafana imports, asks for what a server shows, and leaves nothing out."""

from kho_server.metrics import Metrics
from tests.operations.promql import Expression, family_of, samples_of
from tests.operations.watching import alerts, dashboard, panels, queries, rules

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24


def test_it_can_be_imported_anywhere() -> None:
    """No id of one Grafana in it; where data come from is chosen there."""
    whole = dashboard()
    assert "id" not in whole
    assert whole["uid"] == "kho"
    source, instance = whole["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert instance["datasource"] == DATASOURCE
    for panel in panels():
        assert panel["datasource"] == DATASOURCE
        assert all(target["datasource"] == DATASOURCE for target in panel["targets"])


def test_every_panel_says_what_it_shows() -> None:
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])
    assert len({panel["title"] for panel in panels()}) == len(list(panels()))
    for panel in panels():
        assert not panel["title"].isascii(), "English and Vietnamese"
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all(target["legendFormat"] for target in panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_panels_do_not_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_queries_name_what_a_server_shows() -> None:
    samples = samples_of(Metrics())
    found = {}
    for query in queries():
        parsed = Expression.parse(query.filled("5m"))
        assert all("instance" in each.labels for each in parsed.selectors), f"{query.panel}: the chosen server"
        if strangers := parsed.strangers(samples):
            found[query.panel] = strangers
    assert found == {}


def test_every_metric_is_watched() -> None:
    """What nobody looks at need not be counted."""
    watched = {family_of(each.metric) for query in queries() for each in Expression.parse(query.filled("5m")).selectors}
    assert {family_of(name) for name in samples_of(Metrics())} == watched


def test_panels_name_alerts_that_exist() -> None:
    names = {rule.name for rule in rules()}
    words = {word.strip(".,:") for panel in panels() for word in panel["description"].split() if word.startswith("Kho")}
    assert words - {"Kho"} <= names
    # Three of them are seen wherever one looks: a server that is away draws nothing.
    assert {alert.name for alert in alerts()} - words <= {"KhoTargetDown"}
