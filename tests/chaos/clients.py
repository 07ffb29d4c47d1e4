"""The clients of a run: one producer that numbers its records, members of one group that note what they read."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECONDS = 120.0
_IN_FLIGHT = 2_000
_BURST = 50


class Writer:
    """Produces numbered records round-robin over the partitions, on a thread of its own, until told to stop."""

    def __init__(self, package: Any, bootstrap: str, topic: str, partitions: int, *, idempotence: bool) -> None:
        """Begin to write."""
        config = {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": idempotence,
            "acks": "all",
            "delivery.timeout.ms": int(_SECONDS * 1_000),
            "log_level": 0,
        }
        self._producer = package.Producer(config)
        self._topic = topic
        self._partitions = partitions
        self.written = 0
        #: Partition, offset and number of each acknowledged record.
        self.acknowledged: list[tuple[int, int, int]] = []
        self.failed: list[object] = []
        #: The longest time between two reports, and when the last one came.
        self.longest_gap = 0.0
        self._last = time.monotonic()
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="writer")
        self._thread.start()

    def stop(self) -> None:
        """Write no more, wait until everything is reported."""
        self._stop.set()
        self._thread.join(2 * _SECONDS)
        if self._error is not None:
            raise self._error
        assert not self._thread.is_alive(), "the writer did not end"

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for _ in range(_BURST):
                    partition = self.written % self._partitions
                    self._producer.produce(
                        self._topic, b"%d" % self.written, partition=partition, on_delivery=self._report
                    )
                    self.written += 1
                self._producer.poll(0.02)
                while len(self._producer) > _IN_FLIGHT and not self._stop.is_set():
                    self._producer.poll(0.05)
            left = self._producer.flush(_SECONDS + 10)
            assert left == 0, f"{left} records without a report"
        except BaseException as error:  # noqa: BLE001  # told by `stop`
            self._error = error

    def _report(self, error: object, message: Any) -> None:
        now = time.monotonic()
        self.longest_gap = max(self.longest_gap, now - self._last)
        self._last = now
        if error is None:
            self.acknowledged.append((message.partition(), message.offset(), int(message.value())))
        else:
            self.failed.append(error)


@dataclass
class Read:
    """What all members read."""

    #: Number by partition and offset.
    records: dict[tuple[int, int], int] = field(default_factory=dict)
    #: How often each was read again, after a rebalance.
    again: int = 0
    #: Offsets that held another record when they were read again: never.
    changed: list[tuple[int, int]] = field(default_factory=list)
    #: Where a member read backwards within one assignment: never.
    backwards: list[tuple[int, int, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, partition: int, offset: int, number: int) -> None:
        """Note one record."""
        with self.lock:
            known = self.records.get((partition, offset))
            if known is None:
                self.records[partition, offset] = number
            elif known == number:
                self.again += 1
            else:
                self.changed.append((partition, offset))

    def has(self, places: set[tuple[int, int]]) -> bool:
        """Whether every one of them was read."""
        with self.lock:
            return places <= self.records.keys()

    @property
    def count(self) -> int:
        """How many different records."""
        return len(self.records)


class Member:
    """A member of the group on a thread of its own: polls, notes, commits by itself."""

    def __init__(self, package: Any, bootstrap: str, topic: str, *, group: str, name: str, read: Read) -> None:
        """Subscribe, and begin to read."""
        config = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "client.id": name,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6_000,
            "auto.commit.interval.ms": 500,
            "log_level": 0,
        }
        self.name = name
        self.assigned: frozenset[int] = frozenset()
        self.rebalances = 0
        self.lost = 0
        self.errors: list[str] = []
        self._read = read
        self._positions: dict[int, int] = {}
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._consumer = package.Consumer(config)
        self._consumer.subscribe([topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose)
        self._thread = threading.Thread(target=self._run, name=name)
        self._thread.start()

    def stop(self) -> None:
        """Leave the group."""
        self._stop.set()
        self._thread.join(_SECONDS)
        if self._error is not None:
            raise self._error
        assert not self._thread.is_alive(), f"{self.name} did not end"

    @property
    def failed(self) -> BaseException | None:
        """What ended the member before it was stopped."""
        return self._error

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for message in self._consumer.consume(500, 0.1):
                    self._note(message)
            self._consumer.close()
        except BaseException as error:  # noqa: BLE001  # told by `stop`
            self._error = error

    def _note(self, message: Any) -> None:
        error = message.error()
        if error is not None:
            assert not error.fatal(), error
            self.errors.append(error.name())
            return
        partition, offset = message.partition(), message.offset()
        if offset < self._positions.get(partition, 0):
            self._read.backwards.append((partition, self._positions[partition], offset))
        self._positions[partition] = offset + 1
        self._read.note(partition, offset, int(message.value()))

    def _assign(self, _consumer: Any, partitions: Iterable[Any]) -> None:
        self.rebalances += 1
        self.assigned = frozenset(partition.partition for partition in partitions)
        self._positions.clear()

    def _revoke(self, _consumer: Any, _partitions: Iterable[Any]) -> None:
        self.assigned = frozenset()

    def _lose(self, _consumer: Any, _partitions: Iterable[Any]) -> None:
        self.lost += 1
        self.assigned = frozenset()
