"""The embedded broker beside real Kafka: how soon it is ready, how fast it takes records, what one costs it.

It runs in a process of its own, the Rust program ``serve`` of its crate, so that its CPU time is that of nobody else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import confluent_kafka.admin

from benches.loops import PARTITIONS

if TYPE_CHECKING:
    from types import TracebackType

_SECONDS = 60.0
_TIMES = 20
_TICKS = os.sysconf("SC_CLK_TCK")
_BEGIN = """
import socket, sys, time
from ottla.testing import Broker
for _ in range(int(sys.argv[1])):
    began = time.perf_counter_ns()
    broker = Broker()
    host, _, port = broker.bootstrap_servers.partition(":")
    socket.create_connection((host, int(port))).close()
    print((time.perf_counter_ns() - began) / 1e6)
    broker.close()
"""


class Embedded:
    """A cluster of one embedded broker in its own process."""

    def __init__(self, program: Path) -> None:
        """`program` is the example ``serve``."""
        self._command = [str(program), "1"]

    def __enter__(self) -> Self:
        """Start it."""
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.bootstrap = self._process.stdout.readline().strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """End it."""
        self._process.communicate(timeout=_SECONDS)

    def create(self, name: str) -> str:
        """Make a topic of 12 partitions."""
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        topic = confluent_kafka.admin.NewTopic(name, PARTITIONS, 1)  # type: ignore[attr-defined]
        admin.create_topics([topic], operation_timeout=_SECONDS)[name].result(_SECONDS)
        return name

    def cpu_seconds(self) -> float:
        """What it has used so far, in user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def ready_milliseconds() -> list[float] | None:
    """From the call until it has answered a connection, in this process; None where this build has none."""
    command = [sys.executable, "-c", _BEGIN, str(_TIMES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode:
        print(f"the embedded broker could not be started from Python: {done.stderr[-300:]}", file=sys.stderr)
        return None
    return [float(line) for line in done.stdout.split()]


def settled(embedded: Embedded) -> float:
    """Its CPU seconds once it does no more work; the clock of /proc has 10 ms."""
    before = embedded.cpu_seconds()
    while True:
        time.sleep(0.1)
        now = embedded.cpu_seconds()
        if now == before:
            return now
        before = now
