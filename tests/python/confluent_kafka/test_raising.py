"""Callbacks of members that raise where the original loses something by it: Ottla loses nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.python.confluent_kafka.differential.members import BUSY, TOO_LATE
from tests.python.confluent_kafka.test_groups import PATIENCE, fill, made, numbers, poll_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.realkafka import Cluster


def test_each_exception_of_on_commit_leaves_a_consume(ottla: Any, kafka: Cluster, topic: str) -> None:
    """One of each call; the original keeps the last one."""

    def on_commit(_: object, partitions: list[Any]) -> None:
        raise LookupError(partitions[0].offset)

    consumer = made(ottla, kafka, topic, on_commit=on_commit)
    for offset in (1, 2):
        consumer.commit(offsets=[ottla.TopicPartition(topic, 0, offset)])
    for offset in (1, 2):
        with pytest.raises(LookupError, match=str(offset)):
            consumer.consume(1, PATIENCE)
    consumer.close()


def test_what_on_lost_raises_loses_no_record(ottla: Any, kafka: Cluster, topic: str) -> None:
    """The member joins again, and reads from where it has committed."""
    fill(kafka, topic, 3)
    lost: list[int] = []

    def on_lost(_: object, partitions: list[Any]) -> None:
        lost.append(len(partitions))
        raise LookupError("lost")

    consumer = made(ottla, kafka, topic, enable_auto_commit=False, **BUSY)
    consumer.subscribe([topic], on_lost=on_lost)
    assert numbers(consumer.consume(3, PATIENCE)) == [0, 1, 2]
    time.sleep(TOO_LATE)
    event = consumer.poll(PATIENCE)
    assert event.error().name() == "_MAX_POLL_EXCEEDED"
    with pytest.raises(LookupError):
        poll_until(lambda: False, consumer)
    assert lost == [4]
    assert numbers(consumer.consume(3, PATIENCE)) == [0, 1, 2]
    consumer.close()


def test_listeners_that_always_raise_lose_no_record(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Members come and go, each record comes to one of them; the original loses those that a poll had in its hand."""
    for partition in range(4):
        fill(kafka, topic, 20, partition)
    seen: list[tuple[int, int]] = []
    raised: list[tuple[str, int]] = []

    def refusing(kind: str) -> Callable[[object, list[Any]], None]:
        def listener(_: object, partitions: list[Any]) -> None:
            raise LookupError(kind, len(partitions))

        return listener

    def member(name: str) -> Any:
        consumer = made(ottla, kafka, topic, client_id=name, enable_auto_commit=True)
        consumer.subscribe([topic], on_assign=refusing("assign"), on_revoke=refusing("revoke"))
        return consumer

    def until(condition: Callable[[], bool], *consumers: Any) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, (seen, raised)
            for consumer in consumers:
                try:
                    message = consumer.poll(0.1)
                except LookupError as error:
                    raised.append(error.args)
                else:
                    seen.extend([(message.partition(), message.offset())] if message is not None else [])

    first = member("a")
    until(lambda: len(seen) >= 10, first)
    second = member("b")
    until(lambda: [len(each.assignment()) for each in (first, second)] == [2, 2], first, second)
    with pytest.raises(LookupError, match="revoke"):
        first.close()
    until(lambda: len(seen) >= 80 and len(second.assignment()) == 4, second)
    with pytest.raises(LookupError, match="revoke"):
        second.close()
    assert sorted(seen) == [(partition, offset) for partition in range(4) for offset in range(20)]
    assert raised[:2] == [("assign", 4), ("revoke", 4)]
    assert sorted(raised[2:4]) == [("assign", 2), ("assign", 2)]
    assert raised[4:] == [("revoke", 2), ("assign", 4)]
