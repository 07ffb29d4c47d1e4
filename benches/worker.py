"""One measurement in a process of its own, so that CPU time and memory are that package's alone.

``python -m benches.worker ROW PACKAGE BOOTSTRAP TOPIC COUNT`` prints one line of JSON. PACKAGE is ``original``,
``ottla`` or ``floor``.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benches.loops import CONSUME_LOOPS, PARTITIONS, PRODUCE_LOOPS, key_value_pairs, produce

if TYPE_CHECKING:
    from collections.abc import Callable

MODULES = {"original": "confluent_kafka", "ottla": "ottla.confluent_kafka"}
WARM_UP = 1_000
_IDLE_SECONDS = 11.0
# So large that no row measures how a full queue is handled.
_PRODUCER = {"queue.buffering.max.messages": 10_000_000, "queue.buffering.max.kbytes": 2_000_000}


def main() -> None:
    """Measure one row once."""
    row, package, bootstrap, topic, text = sys.argv[1:]
    count = int(text)
    if package == "floor":
        result = _floor(row, topic, count)
    elif row == "threads":
        result = _threads(importlib.import_module(MODULES[package]), bootstrap, topic)
    elif row in PRODUCE_LOOPS:
        result = _produce(row, importlib.import_module(MODULES[package]), bootstrap, topic, count)
    else:
        result = _consume(row, importlib.import_module(MODULES[package]), bootstrap, topic, count)
    print(json.dumps(result))


def _produce(row: str, package: Any, bootstrap: str, topic: str, count: int) -> dict[str, float]:
    config = {"bootstrap.servers": bootstrap} | _PRODUCER
    if row == "produce-lz4":
        config["compression.type"] = "lz4"
    producer = package.Producer(config)
    pairs = key_value_pairs()
    loop = PRODUCE_LOOPS[row]
    loop(producer, topic, pairs, WARM_UP)  # connections, metadata, every partition once
    return _measure(lambda: loop(producer, topic, pairs, count), count)


def _consume(row: str, package: Any, bootstrap: str, topic: str, count: int) -> dict[str, float]:
    subscribes = row.endswith("-group")
    group = f"bench-{os.getpid()}" if subscribes else "bench"
    config = {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": subscribes}
    consumer = package.Consumer(config | {"auto.offset.reset": "earliest"})
    begin = [package.TopicPartition(topic, partition, package.OFFSET_BEGINNING) for partition in range(PARTITIONS)]

    def whole_topic() -> None:
        # Inside: an engine may fetch from here on.
        if subscribes:
            consumer.subscribe([topic])
        else:
            consumer.assign(begin)
        CONSUME_LOOPS[row](consumer, count)

    result = _measure(whole_topic, count)
    consumer.close()
    return result


def _floor(row: str, topic: str, count: int) -> dict[str, float]:
    floor = importlib.import_module("ottla._native")._floor  # noqa: SLF001  # not for applications
    if row in PRODUCE_LOOPS:
        producer, pairs = floor.Producer(), key_value_pairs()
        return _measure(lambda: PRODUCE_LOOPS[row](producer, topic, pairs, count), count)
    consumer = floor.Consumer(count)
    return _measure(lambda: CONSUME_LOOPS[row](consumer, count), count)


def _measure(run: Callable[[], None], count: int) -> dict[str, float]:
    gc.collect()
    resident = _status("VmRSS")
    _reset_peak()
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    run()
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    return {
        "cpu_ns": cpu / count,
        "records_per_second": count / wall * 1e9,
        "growth_mib": (_status("VmHWM") - resident) / 1024,
    }


def _threads(package: Any, bootstrap: str, topic: str) -> dict[str, float]:
    """Threads beside Python's one, a producer and a consumer at work, ten seconds after the last name look-up."""
    begun = _thread_count()
    producer = package.Producer({"bootstrap.servers": bootstrap})
    produce(producer, topic, key_value_pairs(), WARM_UP)
    consumer = package.Consumer({"bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([package.TopicPartition(topic, 0, package.OFFSET_BEGINNING)])
    until = time.monotonic() + _IDLE_SECONDS
    while time.monotonic() < until:
        consumer.poll(0.1)
    return {"threads": _thread_count() - begun}


def _thread_count() -> int:
    return len([*Path("/proc/self/task").iterdir()])


def _status(name: str) -> int:
    """KiB from ``/proc/self/status``."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise LookupError(name)


def _reset_peak() -> None:
    """Let VmHWM begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    main()
