"""Reading whole partitions with the original, to see what really is in a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import confluent_kafka

if TYPE_CHECKING:
    from tests.realkafka import Cluster

_SECONDS = 30.0


def partitions_of(cluster: Cluster, topic: str) -> list[list[confluent_kafka.Message]]:
    """Every record of every partition, in order, up to the end offsets of this moment."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": cluster.bootstrap, "group.id": "reading", "enable.partition.eof": True}
    )
    numbers = sorted(consumer.list_topics(topic, timeout=_SECONDS).topics[topic].partitions)
    assigned = [confluent_kafka.TopicPartition(topic, number, confluent_kafka.OFFSET_BEGINNING) for number in numbers]
    consumer.assign(assigned)
    read: list[list[confluent_kafka.Message]] = [[] for _ in numbers]
    at_end: set[int] = set()
    while len(at_end) < len(numbers):
        message = consumer.poll(_SECONDS)
        assert message is not None, f"nothing came within {_SECONDS} s"
        error = message.error()
        number = message.partition()
        assert number is not None
        if error is None:
            read[number].append(message)
        else:
            assert error.code() == confluent_kafka.KafkaError._PARTITION_EOF, error
            at_end.add(number)
    consumer.close()
    return read
