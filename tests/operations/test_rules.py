"""Alert rules say what exists, fire when they should and not otherwise, and lead to a page that helps."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from kho_server.config import options
from kho_server.metrics import Metrics
from tests.operations.prometheus import promtool
from tests.operations.promql import TARGET_LABELS, Expression, samples_of
from tests.operations.watching import ALERTS, ROOT, RULES, RUNBOOKS, Rule, alerts, rules

# Not the pages about work that no alert asks for.
PAGES = [RUNBOOKS / "README.md", *(RUNBOOKS / f"{alert.page}.md" for alert in alerts())]
SECTIONS = ["What it means", "Look", "Do", "It is over when"]
_by_name = pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)


def test_prometheus_accepts_the_rules() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", RULES)


def test_every_alert_fires_when_it_should_and_not_otherwise() -> None:
    assert "FAILED" not in promtool("test", "rules", *sorted((ALERTS / "tests").glob("*.yml")))


@_by_name
def test_both_directions_are_tried(alert: Rule) -> None:
    """One expectation with a firing alert and one with none; every file with two servers or more, one of them well."""
    text = (ALERTS / f"tests/{alert.page}.yml").read_text("utf-8")
    expected = re.findall(rf"alertname: {alert.name}\n +exp_alerts:(.*)\n( +- exp_labels:)?", text)
    fires = [labels for none, labels in expected if labels and not none]
    silent = [none for none, labels in expected if none.strip() == "[]" and not labels]
    assert len(fires) + len(silent) == len(re.findall("exp_alerts:", text)), "every expectation is of this alert"
    assert fires
    servers = set(re.findall(r'instance="(kho-\w+:7480)"', text))
    firing = set(re.findall(r'instance: "(kho-\w+:7480)"', text))
    assert silent or servers - firing
    assert servers - firing, "one server is well"


def test_no_test_is_of_no_alert() -> None:
    assert {path.stem for path in (ALERTS / "tests").iterdir()} == {alert.page for alert in alerts()}


def test_rules_name_what_a_server_shows() -> None:
    samples = samples_of(Metrics())
    found = {}
    for rule in rules():
        if strangers := Expression.parse(rule.expression).strangers(samples):
            found[rule.name] = strangers
        if not rule.is_alert:
            # What it keeps is read from its name's first word: by server.
            assert rule.name.startswith("instance:kho_")
            samples[rule.name] = TARGET_LABELS
    assert found == {}


@_by_name
def test_alerts_speak_to_people(alert: Rule) -> None:
    assert alert.field("severity") in {"critical", "warning"}
    assert alert.field("summary").isascii()
    assert not alert.field("summary_vi").isascii()
    for text in (alert.field("summary"), alert.field("summary_vi")):
        assert "$labels.instance" in text
        assert text.endswith(".")
    assert alert.field("runbook_url") == f"ops/runbooks/{alert.page}.md"


@_by_name
def test_every_alert_has_a_page_that_says_what_to_do(alert: Rule) -> None:
    text = (RUNBOOKS / f"{alert.page}.md").read_text("utf-8")
    title, vietnamese, _, *_ = (line for line in text.splitlines() if line)
    assert title == f"# {alert.name}"
    assert not vietnamese.isascii(), "first what an operator at the desk understands"
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    assert parts[1::2] == SECTIONS
    meaning, look, do, over = (part.strip() for part in parts[2::2])
    assert meaning
    assert over
    assert "`" in look, "something to look at: a metric, a command, a field of the log"
    assert len(re.findall(r"^\d\. ", do, re.MULTILINE)) >= 2, "steps, in their order"


def test_pages_name_what_exists() -> None:
    """Metrics, commands, settings and files of the repository in all runbooks."""
    samples = samples_of(Metrics())
    metrics = set(samples) | {re.sub("_(?:bucket|sum|count)$", "", name) for name in samples}
    settings = {option.variable for option in options()} | {f"KHO_{name}" for name in ("SERVER", "CERT", "KEY", "CA")}
    named: dict[str, Callable[[str], bool]] = {
        r"\bkho_[a-z_]+\b": metrics.__contains__,
        r"`kho ([a-z][a-z-]+)": _commands().__contains__,
        r"\bKHO_[A-Z_]+\b": settings.__contains__,
        r"\b(?:ops|storage|server)/[\w./-]*\w": lambda path: (ROOT / path).exists(),
        r"\]\(([^)]+)\)": lambda link: (RUNBOOKS / link).exists(),
    }
    strangers = [
        f"{page.name}: {name}"
        for page in PAGES
        for pattern, exists in named.items()
        for name in re.findall(pattern, page.read_text("utf-8"))
        if not exists(name)
    ]
    assert strangers == []


def _commands() -> set[str]:
    """Return the names of all commands, as `kho --help` lists them."""
    command = [sys.executable, "-m", "kho_cli", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    return set(re.findall(r"^    ([a-z-]+)(?: |$)", told, re.MULTILINE))
