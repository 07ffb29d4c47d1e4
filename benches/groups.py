"""Groups and idle clients, one measurement in a process of its own.

``python -m benches.groups join|idle PACKAGE BOOTSTRAP TOPIC`` prints one line of JSON: for ``join`` the milliseconds
from `subscribe` to the first record, for each of some new groups; for ``idle`` what 100 clients without work cost.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benches.worker import MODULES

_TIMES = 10
_SECONDS = 60.0
_CLIENTS_OF_EACH_KIND = 50
# A thread for look-ups lives 10 s longer than the last of them.
_SETTLE_SECONDS = 12.0
_IDLE_SECONDS = 10.0


def main() -> None:
    """Measure once."""
    what, package, bootstrap, topic = sys.argv[1:]
    measure = {"join": joins, "idle": idle}[what]
    print(json.dumps(measure(importlib.import_module(MODULES[package]), bootstrap, topic)))


def joins(package: Any, bootstrap: str, topic: str) -> list[float]:
    """Milliseconds to the first record at the first member of a new group, the cluster and the process being warm."""
    return [_join(package, bootstrap, topic, number) for number in range(-1, _TIMES)][1:]


def _join(package: Any, bootstrap: str, topic: str, number: int) -> float:
    consumer = _consumer(package, bootstrap, f"join-{os.getpid()}-{number}")
    began = time.perf_counter_ns()
    consumer.subscribe([topic])
    message = consumer.poll(_SECONDS)
    elapsed = (time.perf_counter_ns() - began) / 1e6
    if message is None or message.error() is not None:
        raise TimeoutError(f"a new group had no record: {message and message.error()}")
    consumer.close()
    return elapsed


def _consumer(package: Any, bootstrap: str, group: str) -> Any:
    config = {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
    return package.Consumer(config)


def idle(package: Any, bootstrap: str, topic: str) -> dict[str, float]:
    """Per cent of a core, and threads, of 50 producers and 50 members of groups that have nothing to do."""
    begun = _threads()
    producers = [package.Producer({"bootstrap.servers": bootstrap}) for _ in range(_CLIENTS_OF_EACH_KIND)]
    for producer in producers:
        producer.produce(topic, b"one")
    for producer in producers:
        if producer.flush(_SECONDS):
            raise TimeoutError("a record could not be delivered")
    consumers = [_consumer(package, bootstrap, f"idle-{os.getpid()}-{n}") for n in range(_CLIENTS_OF_EACH_KIND)]
    for consumer in consumers:
        consumer.subscribe([topic])
    for consumer in consumers:
        for _ in producers:  # to the end of the topic
            if consumer.poll(_SECONDS) is None:
                raise TimeoutError("a member did not read what the producers sent")
    time.sleep(_SETTLE_SECONDS)
    cpu, began = time.process_time_ns(), time.perf_counter_ns()
    time.sleep(_IDLE_SECONDS)
    used = (time.process_time_ns() - cpu) / (time.perf_counter_ns() - began)
    result = {"percent": 100 * used, "threads": float(_threads() - begun)}
    for consumer in consumers:
        consumer.close()
    return result


def _threads() -> int:
    return len([*Path("/proc/self/task").iterdir()])


if __name__ == "__main__":
    main()
