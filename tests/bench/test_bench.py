"""The harness measures: tiny loads against both servers, figures in bench.json."""

import json
from pathlib import Path

import pytest

from ops.bench.cases import CASES
from ops.bench.outcome import Medians, Round
from ops.bench.run import main
from ops.bench.sample import Load, Sample


def test_loads_and_samples_travel_as_one_line() -> None:
    load = Load("lookups", "127.0.0.1:1", "/pki", "agency-b", 2, 0.5, codes=("A", "B"))
    assert Load.parse(load.json()) == load
    sample = Sample.of([0.001, 0.002, 0.1], 30, 40, 2.0)
    assert Sample.parse(sample.json()) == sample
    assert (sample.per_second, sample.p50_ms, sample.p99_ms) == (1.5, 2.0, 100.0)


def test_medians_forget_the_round_that_a_neighbour_spoilt() -> None:
    case = next(each for each in CASES if each.kind == "lookups")
    rounds = [Round(Sample(count, 0, 0, 1.0, 1.0, 2.0), cpu_s=0.1) for count in (100, 5, 101)]
    assert Medians.of(case, rounds).rate == 100


def test_a_small_measurement_compares_both_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "bench.json"
    words = ["--only", "pages-100k-4", "--only", "lookups", "--rounds", "1", "--seconds", "0.4", "--results", "2"]
    assert main([*words, "--folder", str(tmp_path), "--json", str(target)]) == 0
    found = json.loads(target.read_text("utf-8"))
    assert [case["name"] for case in found["cases"]] == ["pages-100k-4", "lookups-32"]
    for case in found["cases"]:
        assert case["kho"]["rate"] > 0
        assert case["bare"]["rate"] > 0
    assert found["cases"][0]["kho"]["sync_requests_per_page"] > 0
    assert "lookups-32" in capsys.readouterr().out
