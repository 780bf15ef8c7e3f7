"""What an operator watches with: the dashboard, the rules, their tests and the pages about them, as files."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "ops/dashboards/kho.json"
ALERTS = ROOT / "ops/alerts"
RULES = ALERTS / "kho.rules.yml"
RUNBOOKS = ROOT / "ops/runbooks"

_RULE = re.compile(r"^( *)- (alert|record): (\S+)\n((?:\1  .*\n|\n)+)", re.MULTILINE)
_EXPR = re.compile(r"^( *)expr: (?:\|\n((?:\1  .*\n)+)|(.+)\n)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it is written; `page` is what its runbook and its tests are called, empty for recordings."""

    name: str
    is_alert: bool
    expression: str
    body: str

    def field(self, name: str) -> str:
        """Return the value of an annotation or label that stands on one line; empty if there is none."""
        found = re.search(rf"\b{name}: ('[^\n]*'|[^\s}}]+)", self.body)
        return found[1].strip("'") if found else ""

    @property
    def page(self) -> str:
        """KhoTargetDown: target-down."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", self.name.removeprefix("Kho")).lower()


@dataclass(frozen=True, slots=True)
class Query:
    """One line of one panel."""

    panel: str
    expression: str

    def filled(self, rate_interval: str) -> str:
        """Return it as Grafana sends it for all servers."""
        return self.expression.replace("$__rate_interval", rate_interval).replace("$instance", ".*")


def rules() -> list[Rule]:
    """Read all rules: just as much YAML as kho.rules.yml has; a test compares with what Prometheus reads."""
    found = []
    for match in _RULE.finditer(RULES.read_text("utf-8")):
        expr = _EXPR.search(match[4])
        assert expr is not None, match[3]
        found.append(Rule(match[3], match[2] == "alert", (expr[2] or expr[3]).strip(), match[4]))
    return found


def alerts() -> list[Rule]:
    """Read all alerts."""
    return [rule for rule in rules() if rule.is_alert]


def dashboard() -> Any:
    """Read the dashboard."""
    return json.loads(DASHBOARD.read_text("utf-8"))


def panels() -> Iterator[Any]:
    """Yield the panels that draw something."""
    for panel in dashboard()["panels"]:
        yield from panel.get("panels", [])
        if panel["type"] != "row":
            yield panel


def queries() -> list[Query]:
    """Return every query of the dashboard."""
    return [Query(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]
