"""Which metrics and labels a PromQL expression names; grammar: https://prometheus.io/docs/prometheus/latest/querying."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.metrics import MetricWrapperBase

from kho_server.metrics import Metrics

_TOKEN = re.compile(
    r"""\s+ | \#[^\n]*
    | (?P<text>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*')
    | \[[^\]]*\]
    | (?:\d+(?:ms|[smhdwy]))+\b | \d+\.?\d*(?:[eE][+-]?\d+)? | \.\d+
    | (?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
    | (?P<sign>=~|!~|!=|==|<=|>=|[-+*/%^<>=(){},@])""",
    re.VERBOSE,
)
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
# What Prometheus itself adds to a sample of a target.
TARGET_LABELS = frozenset({"job", "instance"})


@dataclass(frozen=True, slots=True)
class Selector:
    """One metric as an expression asks for it: its name, and the labels it is chosen by."""

    metric: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expression:
    """What an expression names: metrics, and labels that it groups or joins by."""

    selectors: tuple[Selector, ...]
    grouping: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> "Expression":
        """Take an expression apart. ValueError: it has signs that PromQL has not."""
        tokens = list(_tokens(text))
        selectors: list[Selector] = []
        grouping: set[str] = set()
        at = 0
        while at < len(tokens):
            word = tokens[at]
            following = tokens[at + 1] if at + 1 < len(tokens) else ""
            at += 1
            if not _is_word(word) or word.lower() in _KEYWORDS:
                continue
            if word in _GROUPING:
                if following == "(":
                    end = tokens.index(")", at)
                    grouping.update(filter(_is_word, tokens[at:end]))
                    at = end
                continue
            if following in ("(", "by", "without"):
                continue  # a function or an aggregation
            labels: frozenset[str] = frozenset()
            if following == "{":
                end = tokens.index("}", at)
                labels = frozenset(filter(_is_word, tokens[at:end]))
                at = end
            selectors.append(Selector(word, labels))
        return cls(tuple(selectors), frozenset(grouping))

    def strangers(self, samples: dict[str, frozenset[str]]) -> list[str]:
        """Return what is named here and does not exist: `samples` are names with their labels."""
        found = [f"no metric {each.metric}" for each in self.selectors if each.metric not in samples]
        known = [(each, samples[each.metric]) for each in self.selectors if each.metric in samples]
        found += [f"{each.metric} has no label {label}" for each, has in known for label in sorted(each.labels - has)]
        anywhere = frozenset[str]().union(*(has for _, has in known))
        return found + [f"nothing here has a label {label}" for label in sorted(self.grouping - anywhere)]


def samples_of(metrics: Metrics) -> dict[str, frozenset[str]]:
    """Return the names of all samples that a server shows, with their labels; and `up`, which Prometheus adds."""
    found: dict[str, frozenset[str]] = {"up": TARGET_LABELS}
    for each in vars(metrics).values():
        if not isinstance(each, MetricWrapperBase):
            continue
        family = next(iter(each.describe()))
        labels = frozenset(each._labelnames) | TARGET_LABELS
        match family.type:
            case "counter":
                found[f"{family.name}_total"] = labels
            case "histogram":
                found[f"{family.name}_bucket"] = labels | {"le"}
                found[f"{family.name}_sum"] = found[f"{family.name}_count"] = labels
            case _:
                found[family.name] = labels
    return found


def family_of(sample: str) -> str:
    """Return the metric that a sample belongs to."""
    return re.sub(r"_(?:bucket|sum|count|total)$", "", sample)


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"no PromQL: {text[at : at + 20]!r}")
        at = match.end()
        if match.lastgroup in ("word", "sign"):
            yield match[0]


def _is_word(token: str) -> bool:
    return token[:1].isalpha() or token[:1] in ("_", ":")
