"""The reader of expressions sees what Prometheus sees."""

import pytest

from tests.operations.promql import Expression, Selector


@pytest.mark.parametrize(
    ("text", "metrics", "grouping"),
    [
        ("1 + 2.5e3", {}, set()),
        ("up == 0", {"up": set()}, set()),
        ('rate(a_total{code="x, y{}", job=~"b"}[5m])', {"a_total": {"code", "job"}}, set()),
        ("sum by (le, method) (rate(a_bucket[1h]))", {"a_bucket": set()}, {"le", "method"}),
        ("sum(a) without (b)", {"a": set()}, {"b"}),
        ("a / on (b) group_left (c) d offset 5m", {"a": set(), "d": set()}, {"b", "c"}),
        ("histogram_quantile(0.99, x:y:z) > bool Inf", {"x:y:z": set()}, set()),
        ("a{b='\\'c{'} unless on () d  # sum(e)", {"a": {"b"}, "d": set()}, set()),
    ],
)
def test_names_metrics_and_labels(text: str, metrics: dict[str, set[str]], grouping: set[str]) -> None:
    seen = Expression.parse(text)
    assert set(seen.selectors) == {Selector(name, frozenset(labels)) for name, labels in metrics.items()}
    assert seen.grouping == grouping


@pytest.mark.parametrize(
    ("text", "stranger"),
    [
        ("rate(kho_typo_total[5m])", "no metric kho_typo_total"),
        ('a{code="x"}', "a has no label code"),
        ("sum by (metod) (a)", "nothing here has a label metod"),
    ],
)
def test_sees_what_does_not_exist(text: str, stranger: str) -> None:
    assert Expression.parse(text).strangers({"a": frozenset({"method"})}) == [stranger]
    assert Expression.parse("sum by (method) (a)").strangers({"a": frozenset({"method"})}) == []


def test_refuses_what_is_no_promql() -> None:
    with pytest.raises(ValueError, match="no PromQL"):
        Expression.parse("a ; b")
