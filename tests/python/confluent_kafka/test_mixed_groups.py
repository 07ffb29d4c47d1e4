"""Ottla and the original in one group: each understands the other's subscription, assignment and commits."""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.python.confluent_kafka.conftest import ORIGINAL, OTTLA

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.realkafka import Cluster

PATIENCE = 40.0


def member(package: str, kafka: Cluster, topic: str, name: str, **config: object) -> Any:
    """Make a consumer that subscribes; its member id begins with `name`."""
    defaults: dict[str, object] = {
        "bootstrap.servers": kafka.bootstrap,
        "group.id": topic,
        "client.id": name,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6000,
    }
    dotted = {key.replace("_", "."): value for key, value in config.items()}
    consumer = importlib.import_module(package).Consumer(defaults | dotted)
    consumer.subscribe([topic])
    return consumer


def poll_until(condition: Callable[[], bool], *consumers: Any) -> list[tuple[int, int]]:
    """Poll all in turn until it holds; partition and offset of what came."""
    came: list[tuple[int, int]] = []
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come"
        for consumer in consumers:
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                came.append((message.partition(), message.offset()))
    return came


def shares(*consumers: Any) -> list[list[int]]:
    """Tell which partitions each has."""
    return [[each.partition for each in consumer.assignment()] for consumer in consumers]


@pytest.mark.parametrize("assignor", ["range", "roundrobin"])
@pytest.mark.parametrize("leader", [ORIGINAL, OTTLA])
def test_they_share_a_topic(kafka: Cluster, topic: str, assignor: str, leader: str) -> None:
    """Whoever leads the group and assigns: both get what the assignor says, and take over from each other."""
    other = OTTLA if leader == ORIGINAL else ORIGINAL
    config = {"partition_assignment_strategy": assignor}
    first = member(leader, kafka, topic, "a", **config)
    poll_until(lambda: shares(first) == [[0, 1, 2, 3]], first)
    second = member(other, kafka, topic, "b", **config)
    expected = [[0, 1], [2, 3]] if assignor == "range" else [[0, 2], [1, 3]]
    poll_until(lambda: shares(first, second) == expected, first, second)
    first.close()
    poll_until(lambda: shares(second) == [[0, 1, 2, 3]], second)
    third = member(leader, kafka, topic, "c", **config)
    poll_until(lambda: shares(second, third) == expected, second, third)
    second.close()
    third.close()


def test_they_agree_on_an_assignor_that_both_have(kafka: Cluster, topic: str) -> None:
    """The first choice of one is not the other's."""
    first = member(ORIGINAL, kafka, topic, "a", partition_assignment_strategy="range,roundrobin")
    second = member(OTTLA, kafka, topic, "b", partition_assignment_strategy="roundrobin")
    poll_until(lambda: sorted(shares(first, second)) == [[0, 2], [1, 3]], first, second)
    first.close()
    second.close()


def test_a_member_without_a_common_assignor_is_told(kafka: Cluster, topic: str) -> None:
    """As an event of poll, as in the original."""
    first = member(ORIGINAL, kafka, topic, "a", partition_assignment_strategy="range")
    poll_until(lambda: shares(first) == [[0, 1, 2, 3]], first)
    second = member(OTTLA, kafka, topic, "b", partition_assignment_strategy="roundrobin")
    end = time.monotonic() + PATIENCE
    event = None
    while event is None and time.monotonic() < end:
        event = second.poll(0.1)
        first.poll(0)
    assert event is not None
    assert event.error().name() == "INCONSISTENT_GROUP_PROTOCOL"
    first.close()
    second.close()


def test_every_record_once_over_members_of_both(kafka: Cluster, topic: str) -> None:
    """They join and leave in turn, with automatic commits."""
    producer = importlib.import_module(ORIGINAL).Producer({"bootstrap.servers": kafka.bootstrap})
    for number in range(2000):
        producer.produce(topic, b"%d" % number, partition=number % 4)
    assert producer.flush(PATIENCE) == 0
    seen: list[tuple[int, int]] = []
    consumers = [member(OTTLA, kafka, topic, "a")]
    poll_until(lambda: shares(*consumers) == [[0, 1, 2, 3]], *consumers)
    for name, package in (("b", ORIGINAL), ("c", OTTLA), ("d", ORIGINAL)):
        consumers.append(member(package, kafka, topic, name))
        seen += poll_until(lambda: sum(map(len, shares(*consumers))) == 4 and all(shares(*consumers)), *consumers)
        if len(consumers) == 3:
            consumers.pop(0).close()
    end = time.monotonic() + PATIENCE
    while len(set(seen)) < 2000 - 8 and time.monotonic() < end:
        seen += poll_until(lambda: True, *consumers) or _few(consumers)
    for consumer in consumers:
        consumer.close()
    assert len(seen) == len(set(seen))


def _few(consumers: list[Any]) -> list[tuple[int, int]]:
    messages = [message for consumer in consumers for message in consumer.consume(50, 0.2)]
    return [(message.partition(), message.offset()) for message in messages if message.error() is None]
