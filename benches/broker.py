"""The real Kafka of a benchmark run: its topics, and what the original fills them with."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Self

import confluent_kafka
import confluent_kafka.admin

from benches.loops import PARTITIONS, key_value_pairs
from tests.realkafka import LONG_RUN, Cluster

if TYPE_CHECKING:
    from types import TracebackType

_SECONDS = 60.0


class Broker:
    """A broker in its own process; topics are made and deleted by the original."""

    def __init__(self) -> None:
        """Nothing starts before ``__enter__``."""
        # What a run has written is deleted soon: a full run moves several GB.
        # A new group begins at once: what its members do is measured, not the broker's patience (3 s by default).
        settings = {
            "log.segment.delete.delay.ms": "500",
            "log.segment.bytes": "268435456",
            "group.initial.rebalance.delay.ms": "0",
        }
        self.cluster = Cluster(settings=settings, java_options=LONG_RUN)
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        """Start Kafka."""
        self.cluster.start()
        self._admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """End Kafka."""
        self.cluster.close()

    @property
    def bootstrap(self) -> str:
        """Its address."""
        return self.cluster.bootstrap

    @property
    def pid(self) -> int:
        """Its process."""
        return self.cluster.brokers[0].pid

    def create(self) -> str:
        """A new topic of 12 partitions."""
        name = f"bench-{os.getpid()}-{next(self._numbers)}"
        topic = confluent_kafka.admin.NewTopic(name, PARTITIONS, 1)  # type: ignore[attr-defined]
        self._admin.create_topics([topic], operation_timeout=_SECONDS)[name].result(_SECONDS)
        return name

    def delete(self, topic: str) -> None:
        """Delete it and its data."""
        self._admin.delete_topics([topic], operation_timeout=_SECONDS)[topic].result(_SECONDS)

    def fill(self, topic: str, count: int) -> None:
        """Put `count` records into it, in batches as the original makes them by default."""
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "queue.buffering.max.messages": 10_000_000,
                "queue.buffering.max.kbytes": 2_000_000,
                "log_level": 0,
            }
        )
        for key, value in itertools.islice(itertools.cycle(key_value_pairs()), count):
            producer.produce(topic, value=value, key=key)
        left = producer.flush(_SECONDS)
        if left:
            raise TimeoutError(f"{left} records could not be put into {topic}")

    def records(self, topic: str) -> int:
        """How many records it holds, by its offsets."""
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "bench-count", "log_level": 0}
        )
        total = 0
        for partition in range(PARTITIONS):
            low, high = consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, partition), _SECONDS)
            total += high - low
        consumer.close()
        return total
