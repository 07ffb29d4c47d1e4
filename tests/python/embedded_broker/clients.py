"""The clients that the embedded broker must serve, each behind the same few verbs: produce, and read in a group."""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import aiokafka
import kafka

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

SECONDS = 60.0
CONFLUENT, OTTLA, KAFKA_PYTHON, AIOKAFKA = "confluent-kafka", "ottla", "kafka-python", "aiokafka"
_PACKAGES = {CONFLUENT: "confluent_kafka", OTTLA: "ottla.confluent_kafka"}
_SESSION_MS = 6_000


@dataclass(frozen=True)
class Record:
    """What was read."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Client(Protocol):
    """A consumer in a group, used by one thread."""

    def poll(self) -> list[Record]:
        """What has come within a tenth of a second."""

    def assigned(self) -> frozenset[int]:
        """The partitions that it owns."""

    def close(self) -> None:
        """Commit and leave."""


def produce(client: str, bootstrap: str, topic: str, records: list[tuple[int, bytes]], codec: str = "none") -> None:
    """Send (partition, value) with the value as key, in order, and wait until all are acknowledged."""
    if client in _PACKAGES:
        package = importlib.import_module(_PACKAGES[client])
        errors: list[object] = []
        producer = package.Producer({"bootstrap.servers": bootstrap, "compression.type": codec})
        for partition, value in records:
            producer.produce(
                topic, value, key=value, partition=partition, on_delivery=lambda error, _: errors.append(error)
            )
        assert producer.flush(SECONDS) == 0
        assert errors == [None] * len(records)
    elif client == KAFKA_PYTHON:
        sender = kafka.KafkaProducer(bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec)
        futures = [sender.send(topic, value, key=value, partition=partition) for partition, value in records]
        for future in futures:
            future.get(SECONDS)
        sender.close()
    else:
        asyncio.run(_produce_with_aiokafka(bootstrap, topic, records, codec))


async def _produce_with_aiokafka(bootstrap: str, topic: str, records: list[tuple[int, bytes]], codec: str) -> None:
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec, enable_idempotence=True
    )
    await producer.start()
    try:
        futures = [await producer.send(topic, value, key=value, partition=partition) for partition, value in records]
        await asyncio.gather(*futures)
    finally:
        await producer.stop()


class ConfluentConsumer:
    """confluent-kafka, or Ottla's face of it."""

    def __init__(self, package: str, bootstrap: str, topic: str, group: str) -> None:
        """Subscribe."""
        self._consumer = importlib.import_module(package).Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": _SESSION_MS,
                "heartbeat.interval.ms": 500,
                "partition.assignment.strategy": "range",
            }
        )
        self._consumer.subscribe([topic])

    def poll(self) -> list[Record]:
        """Take what is there."""
        messages = self._consumer.consume(1_000, 0.1)
        errors = [message.error() for message in messages if message.error() is not None]
        assert not errors, errors
        return [Record(message.partition(), message.offset(), message.key(), message.value()) for message in messages]

    def assigned(self) -> frozenset[int]:
        """The assignment."""
        return frozenset(partition.partition for partition in self._consumer.assignment())

    def close(self) -> None:
        """Commit and leave."""
        self._consumer.close()


class KafkaPythonConsumer:
    """kafka-python."""

    def __init__(self, bootstrap: str, topic: str, group: str) -> None:
        """Subscribe, with metadata at hand.

        Two that join without it may end with one that has stopped its heartbeats and never joins again: one group in
        twenty, on real Kafka too (kafka-python 3.0.12).
        """
        self._consumer = kafka.KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=500,
            partition_assignment_strategy=[
                importlib.import_module("kafka.coordinator.assignors.range").RangePartitionAssignor
            ],
        )
        assert self._consumer.partitions_for_topic(topic)
        self._consumer.subscribe([topic])

    def poll(self) -> list[Record]:
        """Take what is there."""
        found = self._consumer.poll(timeout_ms=100, max_records=1_000)
        return [Record(each.partition, each.offset, each.key, each.value) for run in found.values() for each in run]

    def assigned(self) -> frozenset[int]:
        """The assignment."""
        return frozenset(partition.partition for partition in self._consumer.assignment())

    def close(self) -> None:
        """Commit and leave."""
        self._consumer.close()


class AiokafkaConsumer:
    """aiokafka, its loop turned by the calls."""

    def __init__(self, bootstrap: str, topic: str, group: str) -> None:
        """Subscribe."""
        self._loop = asyncio.new_event_loop()

        async def start() -> Any:
            assignors = importlib.import_module("aiokafka.coordinator.assignors.range")
            consumer = aiokafka.AIOKafkaConsumer(
                topic,
                bootstrap_servers=bootstrap,
                group_id=group,
                auto_offset_reset="earliest",
                session_timeout_ms=_SESSION_MS,
                heartbeat_interval_ms=500,
                partition_assignment_strategy=(assignors.RangePartitionAssignor,),
            )
            await consumer.start()
            return consumer

        self._consumer = self._run(start())

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def poll(self) -> list[Record]:
        """Take what is there."""
        found = self._run(self._consumer.getmany(timeout_ms=100, max_records=1_000))
        return [Record(each.partition, each.offset, each.key, each.value) for run in found.values() for each in run]

    def assigned(self) -> frozenset[int]:
        """The assignment."""
        return frozenset(partition.partition for partition in self._consumer.assignment())

    def close(self) -> None:
        """Commit and leave."""
        self._run(self._consumer.stop())
        self._loop.close()


def consumer(client: str, bootstrap: str, topic: str, group: str) -> Client:
    """A consumer of that client in that group, with the range assignor, which all of them have."""
    if client in _PACKAGES:
        return ConfluentConsumer(_PACKAGES[client], bootstrap, topic, group)
    return (KafkaPythonConsumer if client == KAFKA_PYTHON else AiokafkaConsumer)(bootstrap, topic, group)


class Member:
    """A consumer that a thread of its own polls until it is told to stop."""

    def __init__(self, client: str, bootstrap: str, topic: str, group: str) -> None:
        """Join the group."""
        self.client = client
        self.assigned: frozenset[int] = frozenset()
        self.records: list[Record] = []
        self._make: Callable[[], Client] = lambda: consumer(client, bootstrap, topic, group)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"member-{client}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            client = self._make()
            while not self._stop.is_set():
                self.records += client.poll()
                self.assigned = client.assigned()
            client.close()
        except BaseException as error:  # noqa: BLE001  # told by `check`
            self._error = error

    def check(self) -> None:
        """Raise what ended it, if something did."""
        if self._error is not None:
            raise AssertionError(f"the member of {self.client} ended: {self._error!r}") from self._error

    def stop(self) -> None:
        """Leave the group."""
        self._stop.set()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), f"the member of {self.client} did not end"
        self.check()


def wait_until(condition: Callable[[], bool], members: list[Member], what: str) -> None:
    """Wait until it is so; fail when a member ended, or after a minute."""
    until = time.monotonic() + SECONDS
    while not condition():
        for member in members:
            member.check()
        state = [(member.client, sorted(member.assigned), len(member.records)) for member in members]
        assert time.monotonic() < until, f"not within {SECONDS} s: {what}; {state}"
        time.sleep(0.02)


def wait_until_shared(members: list[Member], partitions: int) -> None:
    """Wait until every partition has one owner, and every member owns some."""

    def is_shared() -> bool:
        owned = [partition for member in members for partition in member.assigned]
        return sorted(owned) == list(range(partitions)) and all(member.assigned for member in members)

    wait_until(is_shared, members, "every partition has one owner")
