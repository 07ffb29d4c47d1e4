"""How long Ctrl-C takes to end a blocking call: SIGINT from this process to KeyboardInterrupt in the worker.

``python -m benches.interrupts CALL PACKAGE BOOTSTRAP TOPIC`` is the worker: for each line on its input it blocks in the
call and prints when it was interrupted.
"""

from __future__ import annotations

import importlib
import os
import random
import signal
import subprocess
import sys
import time
from typing import Any

from benches.worker import MODULES

CALLS = ("Consumer.poll", "Consumer.consume", "Producer.flush", "Producer.poll")
TIMES = 20
# The longest that a call blocks: who is not interrupted ends here.
_BLOCKS_SECONDS = 4.0
# Twice as long as an uninterruptible call: three are enough to know.
_TIMES_IF_DEAF = 3
_DEAF_MILLISECONDS = 1_000
_NOWHERE = "127.0.0.1:9"


def interrupt_latencies(
    package: str, bootstrap: str, topic: str, calls: tuple[str, ...] = CALLS, times: int = TIMES
) -> dict[str, list[float]]:
    """Milliseconds of `times` interrupts for every call; about 4,000 where a call does not hear them."""
    return {call: _latencies(call, package, bootstrap, topic, times) for call in calls}


def _latencies(call: str, package: str, bootstrap: str, topic: str, times: int) -> list[float]:
    command = [sys.executable, "-m", "benches.interrupts", call, package, bootstrap, topic]
    latencies: list[float] = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        while len(latencies) < times:
            worker.stdin.write("go\n")
            worker.stdin.flush()
            if worker.stdout.readline() != "blocking\n":
                break
            # Well inside the call, and at no fixed phase of whatever slices it waits in.
            time.sleep(random.uniform(0.05, 0.25))
            sent = time.monotonic_ns()
            os.kill(worker.pid, signal.SIGINT)
            text = worker.stdout.readline()
            if not text:
                break
            latencies.append((int(text) - sent) / 1e6)
            if len(latencies) >= _TIMES_IF_DEAF and min(latencies) > _DEAF_MILLISECONDS:
                break
        worker.kill()
    return latencies


def main() -> None:
    """Be the worker."""
    call, package, bootstrap, topic = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born deaf to it
    blocking = _blocking(call, importlib.import_module(MODULES[package]), bootstrap, topic)
    while sys.stdin.readline():
        try:
            print("blocking", flush=True)
            blocking()
            time.sleep(1)  # not heard in the call: it is raised here at the latest
        except KeyboardInterrupt:
            print(time.monotonic_ns(), flush=True)


def _blocking(call: str, package: Any, bootstrap: str, topic: str) -> Any:
    if call.startswith("Consumer"):
        consumer = package.Consumer({"bootstrap.servers": bootstrap, "group.id": "interrupts"})
        consumer.assign([package.TopicPartition(topic, 0, package.OFFSET_END)])
        if call.endswith("poll"):
            return lambda: consumer.poll(_BLOCKS_SECONDS)
        return lambda: consumer.consume(10, _BLOCKS_SECONDS)
    producer = package.Producer(
        {"bootstrap.servers": _NOWHERE if call.endswith("flush") else bootstrap, "log_level": 0}
    )
    if call.endswith("flush"):
        producer.produce(topic, b"never sent")
        return lambda: producer.flush(_BLOCKS_SECONDS)
    return lambda: producer.poll(_BLOCKS_SECONDS)


if __name__ == "__main__":
    main()
