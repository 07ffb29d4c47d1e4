"""The table of a benchmark run: medians, the ratios to the original and to the floor, and the targets."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from dataclasses import asdict, dataclass, field
from importlib import metadata

Figures = dict[str, float]


@dataclass(frozen=True)
class Target:
    """What a row must reach."""

    #: Client CPU of the original / ours.
    cpu: float
    #: Records per second, ours / the original's.
    rate: float | None = None
    #: The original's row that a row in Rust is compared with.
    beside: str | None = None


# Every Python row: at most this many times the floor.
FLOOR_AT_MOST = 2.5
MEMORY_AT_MOST = 0.25
INTERRUPT_MILLISECONDS_AT_MOST = 50.0
ENGINE_THREADS_AT_MOST = 2.0
JOIN_MILLISECONDS_AT_MOST = 300.0
IDLE_PER_CENT_AT_MOST = 1.0
READY_MILLISECONDS_AT_MOST = 50.0
EMBEDDED_RATE_AT_LEAST = 1.0
EMBEDDED_NS_AT_MOST = 300.0
TARGETS = {
    "produce": Target(6, rate=1.5),
    "produce-callback-poll": Target(5),
    "poll": Target(4.5, rate=4),
    "consume": Target(5),
    "poll-group": Target(4.5, rate=4),
    "consume-group": Target(5),
    "rust-produce": Target(8, beside="produce"),
    "rust-fetch": Target(8, beside="consume"),
}


@dataclass(frozen=True)
class EmbeddedFigures:
    """The original's producer on real Kafka and on the embedded broker, and CPU ns a record of the latter's process."""

    real: list[Figures]
    own: list[Figures]
    cpu_ns: list[float]

    def ratio(self) -> float | None:
        """Records per second, embedded / real."""
        if not self.real or not self.own:
            return None
        own, real = (statistics.median(each["records_per_second"] for each in side) for side in (self.own, self.real))
        return own / real


@dataclass
class Report:
    """Collects the figures of every row."""

    count: int
    runs: int
    broker_pid: int
    figures: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    latencies: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    threads: dict[str, int] = field(default_factory=dict)
    joins: dict[str, list[float]] = field(default_factory=dict)
    idle: dict[str, dict[str, float]] = field(default_factory=dict)
    ready: list[float] = field(default_factory=list)
    embedded: EmbeddedFigures | None = None
    failed: list[str] = field(default_factory=list)
    load_before: tuple[float, float, float] = field(default_factory=os.getloadavg)

    def note(self, row: str, package: str, several: list[Figures]) -> None:
        """Add the runs of one package."""
        self.figures.setdefault(row, {})[package] = several
        if several:
            cpu = statistics.median(each["cpu_ns"] for each in several)
            print(f"  {row} {package}: {cpu:.0f} ns a record in {len(several)} runs", file=sys.stderr, flush=True)

    def median(self, row: str, package: str, name: str) -> float | None:
        """The median of one figure, if there are runs."""
        several = self.figures.get(row, {}).get(package)
        return statistics.median(each[name] for each in several) if several else None

    def floor(self, row: str) -> float | None:
        """Objects in Python and bytes in Rust together, in ns."""
        objects, bytes_moved = self.median(row, "floor", "cpu_ns"), self.median(row, "move", "cpu_ns")
        return None if objects is None or bytes_moved is None else objects + bytes_moved

    @property
    def complete(self) -> bool:
        """Whether every row has all its runs."""
        runs = all(len(several) == self.runs for row in self.figures.values() for several in row.values())
        return runs and not self.failed

    def data(self) -> dict[str, object]:
        """Everything measured, for a file."""
        return {
            "setup": self._setup(),
            "figures": self.figures,
            "engine_threads": self.threads,
            "interrupt_ms": self.latencies,
            "join_ms": self.joins,
            "idle": self.idle,
            "embedded_ready_ms": self.ready,
            "embedded": None if self.embedded is None else asdict(self.embedded),
            "failed": self.failed,
        }

    def print(self) -> None:
        """Print the tables."""
        print("\n".join(self._setup()))
        print()
        if self.figures:
            self._print_figures()
        self._print_threads()
        self._print_latencies()
        self._print_groups()
        self._print_embedded()
        for what in self.failed:
            print(f"not measured: {what}")

    def _print_figures(self) -> None:
        header = ["CPU ns a record", "original", "ottla", "floor", "(objects + bytes)"]
        header += ["original/ottla", "target", "ottla/floor", "target"]
        _print_table([header, *[self._cpu_row(row) for row in self.figures]])
        print()
        header = ["records/s", "original", "ottla", "ottla/original", "target"]
        _print_table([header, *[self._rate_row(row) for row in self.figures]])
        self._print_memory()

    def _setup(self) -> list[str]:
        versions = []
        for name in ("confluent-kafka", "ottla"):
            try:
                versions.append(f"{name} {metadata.version(name)}")
            except metadata.PackageNotFoundError:
                versions.append(f"{name} not installed")
        load = " ".join(f"{value:.2f}" for value in self.load_before)
        load_after = " ".join(f"{value:.2f}" for value in os.getloadavg())
        machine = f"{platform.python_version()} ({platform.python_compiler()}), {platform.platform()}"
        placement = f"broker may run on {_placement(self.broker_pid)}, clients on {_placement(0)}"
        return [
            f"{self.count:,} records a run, medians of {self.runs} interleaved runs; {', '.join(versions)}",
            f"{sys.implementation.name} {machine}",
            f"load average before {load}, after {load_after}; {os.cpu_count()} CPUs; {placement}",
        ]

    def _cpu_row(self, row: str) -> list[str]:
        target = TARGETS.get(row)
        beside = target.beside if target and target.beside else row
        original, ours, floor = (
            self.median(beside, "original", "cpu_ns"),
            self.median(row, "ottla", "cpu_ns"),
            self.floor(row),
        )
        objects, moved = self.median(row, "floor", "cpu_ns"), self.median(row, "move", "cpu_ns")
        ratio, to_floor = _ratio(original, ours), _ratio(ours, floor)
        return [
            row,
            _number(original),
            _number(ours),
            _number(floor),
            f"({_number(objects)} + {_number(moved)})",
            _number(ratio, 2),
            _verdict(ratio, target.cpu if target else None, at_least=True),
            _number(to_floor, 2),
            _verdict(to_floor, FLOOR_AT_MOST if floor else None, at_least=False),
        ]

    def _rate_row(self, row: str) -> list[str]:
        target = TARGETS.get(row)
        beside = target.beside if target and target.beside else row
        original, ours = (
            self.median(beside, "original", "records_per_second"),
            self.median(row, "ottla", "records_per_second"),
        )
        ratio = _ratio(ours, original)
        return [
            row,
            _number(original),
            _number(ours),
            _number(ratio, 2),
            _verdict(ratio, target.rate if target else None, at_least=True),
        ]

    def _print_memory(self) -> None:
        original, ours = self.median("produce", "original", "growth_mib"), self.median("produce", "ottla", "growth_mib")
        ratio = _ratio(ours, original)
        print("\nmemory growth of produce flat out, peak RSS in MiB:", end=" ")
        print(f"original {_number(original, 1)}, ottla {_number(ours, 1)}, ottla/original {_number(ratio, 3)}", end=" ")
        print(_verdict(ratio, MEMORY_AT_MOST, at_least=False))

    def _print_threads(self) -> None:
        for package, count in self.threads.items():
            bound = ENGINE_THREADS_AT_MOST if package == "ottla" else None
            print(f"engine threads, {package}, a producer and a consumer, 11 s on: {count}", end=" ")
            print(_verdict(float(count), bound, at_least=False))

    def _print_latencies(self) -> None:
        for package, calls in self.latencies.items():
            for call, latencies in calls.items():
                middle = statistics.median(latencies) if latencies else None
                bound = INTERRUPT_MILLISECONDS_AT_MOST if package == "ottla" else None
                print(f"Ctrl-C in {call}, {package}: median of {len(latencies)} {_number(middle, 1)} ms,", end=" ")
                print(f"worst {_number(max(latencies, default=None), 1)} ms", _verdict(middle, bound, at_least=False))

    def _print_groups(self) -> None:
        for package, several in self.joins.items():
            middle = statistics.median(several) if several else None
            bound = JOIN_MILLISECONDS_AT_MOST if package == "ottla" else None
            print(f"first record at the first member of a new group, {package}: median of {len(several)}", end=" ")
            print(f"{_number(middle, 1)} ms, worst {_number(max(several, default=None), 1)} ms", end=" ")
            print(_verdict(middle, bound, at_least=False))
        for package, found in self.idle.items():
            cpu, threads = found["percent"], found["threads"]
            print(f"100 idle clients, {package}: {_number(cpu, 2)} % of a core", end=" ")
            print(_verdict(cpu, IDLE_PER_CENT_AT_MOST if package == "ottla" else None, at_least=False), end=" ")
            print(f"in {threads:.0f} threads", end=" ")
            print(_verdict(threads, ENGINE_THREADS_AT_MOST if package == "ottla" else None, at_least=False))

    def _print_embedded(self) -> None:
        if self.ready:
            middle = statistics.median(self.ready)
            print(f"embedded broker ready from Python: median of {len(self.ready)} {_number(middle, 2)} ms", end=" ")
            print(_verdict(middle, READY_MILLISECONDS_AT_MOST, at_least=False))
        if self.embedded is not None:
            ratio, costs = self.embedded.ratio(), self.embedded.cpu_ns
            print(
                f"the original's producer, embedded broker / real Kafka: {_number(ratio, 2)} times the records/s",
                end=" ",
            )
            print(_verdict(ratio, EMBEDDED_RATE_AT_LEAST, at_least=True))
            cost = statistics.median(costs) if costs else None
            print(f"embedded broker's CPU for a record of 100 B: {_number(cost)} ns", end=" ")
            print(_verdict(cost, EMBEDDED_NS_AT_MOST, at_least=False))


def _placement(pid: int) -> str:
    return "CPUs " + ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(pid)))


def _ratio(above: float | None, below: float | None) -> float | None:
    return None if above is None or not below else above / below


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _verdict(value: float | None, bound: float | None, *, at_least: bool) -> str:
    if bound is None:
        return ""
    sign = ">=" if at_least else "<="
    if value is None:
        return f"{sign} {bound:g}: not measured"
    met = value >= bound if at_least else value <= bound
    return f"{sign} {bound:g}: {'met' if met else 'MISSED'}"


def _print_table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *others = [
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join([first, *others]).rstrip())
