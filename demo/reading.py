"""A consumer of the demo's group, on a thread of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from demo.text import DemoError
from ottla.confluent_kafka import Consumer

if TYPE_CHECKING:
    import threading
    from concurrent.futures import Future

_AT_ONCE = 1_000


class Reader:
    """Reads what the group gives it until `end` is set; then it commits and leaves."""

    def __init__(self, bootstrap: str, topic: str, end: threading.Event) -> None:
        """Nothing is asked before `run`."""
        self.assigned: frozenset[int] = frozenset()
        self.messages: list[Any] = []
        self.ended = False
        self._bootstrap = bootstrap
        self._topic = topic
        self._end = end

    def run(self) -> None:
        """Subscribe, and read."""
        settings = {"bootstrap.servers": self._bootstrap, "group.id": self._topic, "auto.offset.reset": "earliest"}
        consumer = Consumer(settings)
        try:
            consumer.subscribe([self._topic], on_assign=self._take, on_revoke=self._give_up)
            while not self._end.is_set():
                taken = consumer.consume(_AT_ONCE, 0.1)
                for message in taken:
                    if message.error() is not None:
                        raise DemoError(f"reading failed: {message.error()}")
                self.messages += taken
        finally:
            self.ended = True
            consumer.close()

    def _take(self, _consumer: Consumer, partitions: list[Any]) -> None:
        self.assigned = frozenset(partition.partition for partition in partitions)

    def _give_up(self, _consumer: Consumer, _partitions: list[Any]) -> None:
        self.assigned = frozenset()


def wait_until_shared(readers: list[Reader], reading: list[Future[None]], partitions: int, seconds: float) -> None:
    """Wait until every reader owns partitions, and all of them are owned."""
    until = time.monotonic() + seconds
    while not (
        all(reader.assigned for reader in readers) and sum(len(reader.assigned) for reader in readers) == partitions
    ):
        for done in reading:
            if done.done():
                done.result()
        if time.monotonic() > until:
            raise DemoError(f"the group did not share its partitions within {seconds} s")
        time.sleep(0.001)
