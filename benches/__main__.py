"""``make bench``: every row, interleaved runs, medians, ratios, targets.

A row's figures come from workers (`worker`), one process per run and package; the floor of a Python row is the same
loop over native methods that only make the objects, plus what a Rust loop takes to encode, checksum and move the same
bytes over loopback (``examples/floor.rs`` of the crate `ottla`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benches.broker import Broker
from benches.embedded import Embedded, ready_milliseconds, settled
from benches.interrupts import interrupt_latencies
from benches.loops import CONSUME_LOOPS, PRODUCE_LOOPS
from benches.report import EmbeddedFigures, Figures, Report
from benches.worker import WARM_UP

ALL_ROWS = [*PRODUCE_LOOPS, *CONSUME_LOOPS, "rust", "threads", "interrupts", "join", "idle", "embedded"]
PACKAGES = ["original", "ottla", "floor"]
_WORKER_SECONDS = 300


def main() -> int:
    """Run, print, and say whether every target was met."""
    arguments = _parser().parse_args()
    count, runs = (200_000, 3) if arguments.quick else (1_000_000, 5)
    count, runs = arguments.records or count, arguments.runs or runs
    packages = arguments.packages.split(",")
    rows = arguments.rows.split(",")
    unknown = {*rows} - {*ALL_ROWS} | {*packages} - {*PACKAGES}
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; rows: {', '.join(ALL_ROWS)}; packages: {', '.join(PACKAGES)}")
        return 2
    with Broker() as broker:
        report = Report(count, runs, broker.pid)
        bench = Bench(broker, report, count, runs)
        for row in rows:
            if row == "rust":
                bench.rust()
            elif row == "threads":
                bench.threads([package for package in packages if package != "floor"])
            elif row == "interrupts":
                bench.interrupts([package for package in packages if package != "floor"])
            elif row in {"join", "idle"}:
                bench.groups(row, [package for package in packages if package != "floor"])
            elif row == "embedded":
                bench.embedded()
            else:
                bench.row(row, packages)
        report.print()
        if arguments.json:
            # While the broker lives: where it runs is a part of it.
            arguments.json.write_text(json.dumps(report.data(), indent=1) + "\n")
    return 0 if report.complete else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="200,000 records and 3 runs")
    parser.add_argument("--records", type=int, help="a row (default 1,000,000)")
    parser.add_argument("--runs", type=int, help="a row and package (default 5)")
    parser.add_argument("--rows", default=",".join(ALL_ROWS), help="default: %(default)s")
    parser.add_argument("--packages", default=",".join(PACKAGES), help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="write every figure to a file")
    return parser


class Bench:
    """Runs rows on one broker and notes their figures."""

    def __init__(self, broker: Broker, report: Report, count: int, runs: int) -> None:
        """`runs` of `count` records each."""
        self.broker, self.report, self.count, self.runs = broker, report, count, runs
        self.filled: str | None = None

    def row(self, row: str, packages: list[str]) -> None:
        """One Python row: every package in turn, again and again."""
        figures: dict[str, list[Figures]] = {package: [] for package in packages}
        mover = [str(_example("floor")), _floor_side(row), str(self.count)]
        for _ in range(self.runs):
            for package in packages:
                measured = self._once(row, package)
                if measured is not None:
                    figures[package].append(measured)
            if "floor" in packages:
                figures.setdefault("move", []).extend(self._several(mover, runs=1))
        for package, several in figures.items():
            self.report.note(row, package, several)

    def rust(self) -> None:
        """The same work from Rust."""
        program = str(_example("bench"))
        produced = []
        for _ in range(self.runs):
            topic = self.broker.create()
            produced += self._several([program, "produce", self.broker.bootstrap, topic, str(self.count)], runs=1)
            self.broker.delete(topic)
        self.report.note("rust-produce", "ottla", produced)
        command = [program, "fetch", self.broker.bootstrap, self._filled(), str(self.count)]
        self.report.note("rust-fetch", "ottla", self._several(command))

    def interrupts(self, packages: list[str]) -> None:
        """Ctrl-C in blocking calls."""
        for package in packages:
            self.report.latencies[package] = interrupt_latencies(package, self.broker.bootstrap, self._filled())

    def threads(self, packages: list[str]) -> None:
        """How many threads an engine keeps."""
        for package in packages:
            topic = self.broker.create()
            measured = _run(
                [sys.executable, "-m", "benches.worker", "threads", package, self.broker.bootstrap, topic, "0"]
            )
            if measured is not None:
                self.report.threads[package] = int(measured["threads"])
            self.broker.delete(topic)

    def groups(self, row: str, packages: list[str]) -> None:
        """New groups, and clients without work."""
        topic = self._filled() if row == "join" else self.broker.create()
        for package in packages:
            measured: Any = _run([sys.executable, "-m", "benches.groups", row, package, self.broker.bootstrap, topic])
            if measured is None:
                self.report.failed.append(f"{row} {package}")
            elif row == "join":
                self.report.joins[package] = measured
            else:
                self.report.idle[package] = measured

    def embedded(self) -> None:
        """The embedded broker beside real Kafka, both under the original's producer."""
        self.report.ready = ready_milliseconds() or []
        program = _example("serve")
        if not program.exists():
            self.report.failed.append("embedded: no program `serve` was built")
            return
        real, own, costs = [], [], []
        for number in range(self.runs):
            measured = self._once("produce", "original")
            real += [measured] if measured else []
            with Embedded(program) as embedded:
                topic = embedded.create(f"bench-{number}")
                before = settled(embedded)
                command = [sys.executable, "-m", "benches.worker", "produce", "original", embedded.bootstrap, topic]
                measured = _run([*command, str(self.count)])
                if measured is not None:
                    own.append(measured)
                    costs.append((settled(embedded) - before) / (self.count + WARM_UP) * 1e9)
        self.report.embedded = EmbeddedFigures(real, own, costs)

    def _once(self, row: str, package: str) -> Figures | None:
        if package == "floor" or row in CONSUME_LOOPS:
            topic = self._filled() if package != "floor" else "floor"
            return _run(
                [sys.executable, "-m", "benches.worker", row, package, self.broker.bootstrap, topic, str(self.count)]
            )
        topic = self.broker.create()
        measured = _run(
            [sys.executable, "-m", "benches.worker", row, package, self.broker.bootstrap, topic, str(self.count)]
        )
        arrived = self.broker.records(topic)
        self.broker.delete(topic)
        if measured is not None and arrived != self.count + WARM_UP:
            print(f"{row} {package}: {arrived} records in the topic, not {self.count + WARM_UP}", file=sys.stderr)
            return None
        return measured

    def _several(self, command: list[str], runs: int | None = None) -> list[Figures]:
        if not Path(command[0]).exists():
            return []
        return [figures for _ in range(runs or self.runs) if (figures := _run(command)) is not None]

    def _filled(self) -> str:
        if self.filled is None:
            self.filled = self.broker.create()
            self.broker.fill(self.filled, self.count)
        return self.filled


def _floor_side(row: str) -> str:
    if row in CONSUME_LOOPS:
        return "receive"
    return "send-lz4" if row == "produce-lz4" else "send"


def _example(name: str) -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or "target") / "release" / "examples" / name


def _run(command: list[str]) -> Figures | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_WORKER_SECONDS)
        figures: Figures = json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(command[1:5])} failed: {error.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        print(f"{' '.join(command[1:5])} failed: {error}", file=sys.stderr)
        return None
    return figures


if __name__ == "__main__":
    sys.exit(main())
