"""A broker dies and comes back while records flow: nothing is lost, doubled or overtaken (KIP-98)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from tests.python.reading import partitions_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.realkafka import Cluster

_PARTITIONS = 4
_SECONDS = 120.0
_AT_LEAST = 5_000


def produce_through(
    kafka3: Cluster, dying: list[int], producer: Any, topic: str, report: Callable[[object, Any], None]
) -> int:
    """Produce until each of the brokers was killed and has come back, which begins halfway; how many."""

    def kill_and_restart() -> None:
        for node in dying:
            kafka3.kill(node)
            kafka3.restart(node)

    fault = threading.Thread(target=kill_and_restart)
    number = 0
    while number < _AT_LEAST or fault.is_alive():
        if number == _AT_LEAST // 2:
            producer.flush(_SECONDS)
            fault.start()
        # A few hundred at a time: records flow during the whole fault, and the test's memory stays small.
        for _ in range(100):
            producer.produce(topic, value=b"%d" % number, partition=number % _PARTITIONS, on_delivery=report)
            number += 1
        while len(producer) > 2_000:
            producer.poll(0.05)
        producer.poll(0.01)
    fault.join()
    assert all(broker.running for broker in kafka3.brokers)
    assert producer.flush(_SECONDS) == 0
    return number


def test_an_idempotent_producer_survives_the_death_of_a_leader(
    package: Any, kafka3: Cluster, create_topic: Callable[..., str]
) -> None:
    """SIGKILL to the leader of partition 0 and its return, under load; then all is read back and compared."""
    topic = create_topic(kafka3, partitions=_PARTITIONS, replicas=3, min_insync_replicas="2")
    producer = package.Producer(
        {
            "bootstrap.servers": kafka3.bootstrap,
            "enable.idempotence": True,
            "delivery.timeout.ms": int(_SECONDS * 1_000),
        }
    )
    leader = producer.list_topics(topic, timeout=30).topics[topic].partitions[0].leader
    reports: list[tuple[object, bytes]] = []

    def report(error: object, message: Any) -> None:
        reports.append((error, message.value()))

    number = produce_through(kafka3, [leader], producer, topic, report)
    assert [error for error, _ in reports if error is not None] == []
    assert sorted(int(value) for _, value in reports) == list(range(number))
    read = [[int(message.value() or b"") for message in partition] for partition in partitions_of(kafka3, topic)]
    assert read == [list(range(partition, number, _PARTITIONS)) for partition in range(_PARTITIONS)]


def test_a_producer_without_idempotence_loses_nothing_acknowledged(
    package: Any, kafka3: Cluster, create_topic: Callable[..., str]
) -> None:
    """SIGKILL to each broker in turn, under load: what a report calls delivered is in the log, perhaps twice."""
    topic = create_topic(kafka3, partitions=_PARTITIONS, replicas=3, min_insync_replicas="2")
    producer = package.Producer(
        {
            "bootstrap.servers": kafka3.bootstrap,
            "enable.idempotence": False,
            "acks": "all",
            "delivery.timeout.ms": int(_SECONDS * 1_000),
        }
    )
    acknowledged: set[bytes] = set()
    failed: list[object] = []

    def report(error: object, message: Any) -> None:
        if error is None:
            acknowledged.add(message.value())
        else:
            failed.append(error)

    every = [broker.node_id for broker in kafka3.brokers]
    number = produce_through(kafka3, every, producer, topic, report)
    assert len(acknowledged) + len(failed) == number
    # With the default retries and two minutes nothing need fail: two of three brokers were always up.
    assert not failed, failed[:3]
    read = [message.value() or b"" for partition in partitions_of(kafka3, topic) for message in partition]
    assert acknowledged - set(read) == set()


def test_a_consumer_reads_on_when_the_leader_died(
    package: Any, kafka3: Cluster, create_topic: Callable[..., str]
) -> None:
    """Half is read, the leader is killed, the other half comes from its successor: each record once, in order."""
    topic = create_topic(kafka3, partitions=1, replicas=3, min_insync_replicas="2")
    producer = package.Producer({"bootstrap.servers": kafka3.bootstrap, "enable.idempotence": True})
    consumer = package.Consumer(
        {"bootstrap.servers": kafka3.bootstrap, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.assign([package.TopicPartition(topic, 0, 0)])
    read: list[bytes] = []

    def exchange(first: int, last: int) -> None:
        for number in range(first, last):
            producer.produce(topic, value=b"%d" % number)
        assert producer.flush(_SECONDS) == 0
        while len(read) < last:
            message = consumer.poll(_SECONDS)
            assert message is not None
            if message.error() is None:
                read.append(message.value())
            else:
                assert not message.error().fatal(), message.error()

    exchange(0, 500)
    leader = producer.list_topics(topic, timeout=30).topics[topic].partitions[0].leader
    kafka3.kill(leader)
    try:
        exchange(500, 1_000)
    finally:
        kafka3.restart(leader)
    assert read == [b"%d" % number for number in range(1_000)]
    consumer.close()
