"""The benchmark's arithmetic: medians, ratios, and which side of a target is met."""

from __future__ import annotations

import os

import pytest

from benches.loops import KEYS, VALUE_BYTES, key_value_pairs
from benches.report import EmbeddedFigures, Report


def figures(*cpu_ns: float, rate: float = 1.0, growth: float = 1.0) -> list[dict[str, float]]:
    """Runs that differ in CPU alone."""
    return [{"cpu_ns": each, "records_per_second": rate, "growth_mib": growth} for each in cpu_ns]


@pytest.fixture
def report() -> Report:
    """An empty one, of three runs."""
    return Report(1_000, 3, os.getpid())


def test_ratios_are_of_medians_and_targets_are_told(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    """600 beside 100 is six times, as asked; 100 beside a floor of 30 + 10 is 2.5 times, just met."""
    report.note("produce", "original", figures(500, 600, 9_000, rate=100, growth=300))
    report.note("produce", "ottla", figures(1, 100, 900, rate=140, growth=80))
    report.note("produce", "floor", figures(30, 30, 30))
    report.note("produce", "move", figures(10, 10, 10))
    report.print()
    lines = capsys.readouterr().out.splitlines()
    cpu, rate = (line for line in lines if line.startswith("produce"))
    assert " ".join(cpu.split()) == "produce 600 100 40 (30 + 10) 6.00 >= 6: met 2.50 <= 2.5: met"
    assert " ".join(rate.split()) == "produce 100 140 1.40 >= 1.5: MISSED"
    assert any("ottla/original 0.267 <= 0.25: MISSED" in line for line in lines)


def test_rust_is_compared_with_the_originals_row(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    """Fetch from Rust stands beside consume(1000)."""
    report.note("consume", "original", figures(800, 800, 800))
    report.note("rust-fetch", "ottla", figures(80, 80, 80))
    report.print()
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("rust-fetch"))
    assert "10.00 >= 8: met" in " ".join(line.split())


def test_a_missing_run_is_not_a_complete_report(report: Report) -> None:
    """Two of three runs: the command must not end with success."""
    report.note("poll", "ottla", figures(1, 2, 3))
    assert report.complete
    report.note("consume", "ottla", figures(1, 2))
    assert not report.complete


def test_groups_and_the_embedded_broker_have_their_targets(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours is judged, the original's is told."""
    report.joins = {"original": [900.0, 950.0, 990.0], "ottla": [10.0, 301.0, 400.0]}
    report.idle = {"ottla": {"percent": 0.5, "threads": 3}}
    report.ready = [10.0, 20.0, 99.0]
    report.embedded = EmbeddedFigures(figures(1, rate=100), figures(1, rate=150), [200.0, 301.0, 500.0])
    report.print()
    out = capsys.readouterr().out
    assert "original: median of 3 950.0 ms, worst 990.0 ms \n" in out
    assert "ottla: median of 3 301.0 ms, worst 400.0 ms <= 300: MISSED" in out
    assert "0.50 % of a core <= 1: met in 3 threads <= 2: MISSED" in out
    assert "ready from Python: median of 3 20.00 ms <= 50: met" in out
    assert "1.50 times the records/s >= 1: met" in out
    assert "301 ns <= 300: MISSED" in out
    assert report.complete
    report.failed.append("idle ottla")
    assert not report.complete


def test_the_records_are_what_the_targets_speak_of() -> None:
    """100 bytes of value, 8 of key, 1,000 distinct keys."""
    pairs = key_value_pairs()
    assert len({key for key, _ in pairs}) == KEYS
    assert {(len(key), len(value)) for key, value in pairs} == {(8, VALUE_BYTES)}
