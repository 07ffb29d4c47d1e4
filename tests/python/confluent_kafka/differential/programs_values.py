"""Programs that look at values: what every call takes and refuses, every field of what comes back."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from tests.python.confluent_kafka.differential.observing import outcome, plain
from tests.python.confluent_kafka.differential.setup import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.python.confluent_kafka.differential.setup import Setup

_SECONDS = 30.0


def arguments_of_produce(setup: Setup) -> list[object]:
    """Which are taken, and with which words the others are refused."""
    package, config, topic = setup.ck, {"bootstrap.servers": setup.bootstrap}, setup.topic
    producer = package.Producer(config)
    produce = producer.produce
    # The original refuses a name once it knows that there is no such topic, and nobody knows when that is.
    produce_to_nobody = setup.producer(bootstrap_servers=NOBODY).produce
    produce(topic)
    producer.flush(_SECONDS)  # the topic's partitions are known now
    calls: list[Callable[[], object]] = [
        lambda: produce(topic),
        lambda: produce(topic, b"v"),
        lambda: produce(topic, "text"),
        lambda: produce(topic, b"v", b"k", 1),
        lambda: produce(topic, "v", "k", 2, None),
        lambda: produce(topic, b"v", b"k", 3, None, None, 123_456),
        lambda: produce(topic, b"v", b"k", 0, None, None, 0, [("h", b"x")]),
        lambda: produce(topic, value=b"", key=b""),
        lambda: produce(topic, None, None),
        lambda: produce(topic, bytearray(b"v")),
        lambda: produce(topic, memoryview(b"v")),
        lambda: produce(topic, 1),
        lambda: produce(topic, 1.5),
        lambda: produce(topic, key=[]),
        lambda: produce(topic, b"v", partition="1"),
        lambda: produce(topic, b"v", partition=None),
        lambda: produce(topic, b"v", partition=99),
        lambda: produce(topic, b"v", timestamp="now"),
        lambda: produce(topic, b"v", timestamp=-5),
        lambda: produce(topic, b"v", on_delivery=1),
        lambda: produce(topic, b"v", callback="x"),
        lambda: produce(topic, b"v", on_delivery=print, callback=print),
        lambda: produce(topic, b"v", nothing=1),
        produce,
        lambda: produce(None),
        lambda: produce(1),
        lambda: produce(b"bytes"),
        lambda: produce_to_nobody(""),
        lambda: produce_to_nobody("x" * 300, b"v"),
        lambda: produce(topic, b"v", b"k", 1, None, None, 0, [], 9),
        *(
            (lambda headers=headers: produce(topic, b"v", headers=headers))
            for headers in (
                {},
                [],
                (),
                {"a": "text", "b": b"bytes", "c": None},
                [("a", b"1"), ("a", b"2")],
                (("a", "1"),),
                [("a",)],
                [("a", 1)],
                [(1, b"x")],
                ["a"],
                "a",
                1,
                [["a", b"1"]],
            )
        ),
    ]
    seen = [outcome(call) for call in calls]
    producer.purge() if hasattr(producer, "purge") else None
    return seen


def values_of_a_delivery_report(setup: Setup) -> list[object]:
    """Every field of the reported message."""
    package, config, topic = setup.ck, {"bootstrap.servers": setup.bootstrap}, setup.topic
    producer = package.Producer(config)
    reports: list[object] = []

    def report(error: object, message: object) -> None:
        reports.append((plain(error), plain(message)))

    producer.produce(topic, b"value", b"key", 0, on_delivery=report)
    producer.produce(topic, None, None, 0, report)
    producer.produce(topic, "text", "schlüssel", 0, on_delivery=report, timestamp=12_345)
    producer.produce(topic, b"", b"", 1, on_delivery=report)
    left = producer.flush(_SECONDS)
    reports.sort(key=repr)  # partitions report when they like
    return [left, *reports, len(producer), bool(producer), producer.poll(0)]


def values_of_a_consumed_message(setup: Setup) -> list[object]:
    """Every field, nulls and duplicate headers included."""
    package, config, topic = setup.ck, {"bootstrap.servers": setup.bootstrap}, setup.topic
    producer = package.Producer(config)
    producer.produce(topic, b"value", b"key", 0, headers=[("a", b"1"), ("a", None), ("b", "text")])
    producer.produce(topic, None, b"tombstone", 0)
    producer.produce(topic, b"", b"", 0, timestamp=77)
    producer.flush(_SECONDS)
    consumer = package.Consumer(config | {"group.id": "differential", "enable.partition.eof": True})
    consumer.assign([package.TopicPartition(topic, 0, package.OFFSET_BEGINNING)])
    seen: list[object] = []
    for _ in range(4):
        message = consumer.poll(_SECONDS)
        truth = bool(message) if message.error() is None else None
        seen.append((plain(message), truth))
    consumer.close()
    return seen


def positions_and_watermarks(setup: Setup) -> list[object]:
    """assign, position, seek, pause, resume, watermarks, unassign, in the order in which a program uses them."""
    package, config, topic = setup.ck, {"bootstrap.servers": setup.bootstrap}, setup.topic
    producer = package.Producer(config)
    for number in range(10):
        producer.produce(topic, b"%d" % number, partition=0)
    producer.flush(_SECONDS)
    consumer = package.Consumer(config | {"group.id": "differential", "auto.offset.reset": "earliest"})
    first = package.TopicPartition(topic, 0)

    def next_value() -> object:
        message = consumer.poll(_SECONDS)
        return None if message is None else (message.value(), message.offset())

    seen: list[object] = [
        plain(consumer.assignment()),
        outcome(lambda: consumer.position([first])),
        outcome(lambda: consumer.assign([package.TopicPartition(topic, 0, 3)])),
        plain(consumer.assignment()),
        next_value(),
        next_value(),
        outcome(lambda: consumer.position([first])),
        outcome(lambda: consumer.seek(package.TopicPartition(topic, 0, 8))),
        next_value(),
        outcome(lambda: consumer.pause([first])),
        outcome(lambda: consumer.poll(0.2)),
        outcome(lambda: consumer.resume([first])),
        next_value(),
        outcome(lambda: consumer.get_watermark_offsets(first, _SECONDS)),
        outcome(lambda: consumer.get_watermark_offsets(first, cached=True)),
        outcome(lambda: consumer.get_watermark_offsets(package.TopicPartition(topic, 1), _SECONDS)),
        outcome(consumer.unassign),
        plain(consumer.assignment()),
        outcome(lambda: consumer.poll(0)),
        outcome(lambda: consumer.assign([package.TopicPartition(topic, 0, 9), package.TopicPartition(topic, 1, 0)])),
        [(message.value(), message.offset()) for message in consumer.consume(1, _SECONDS)],
        outcome(lambda: consumer.consume(0, 0.1)),
        outcome(lambda: consumer.consume(-1, 0.1)),
        outcome(lambda: consumer.consume(1_000_001, 0.1)),
    ]
    consumer.close()
    return seen


def arguments_of_a_consumer(setup: Setup) -> list[object]:
    """What its methods refuse, and how."""
    package, config, topic = setup.ck, {"bootstrap.servers": setup.bootstrap}, setup.topic
    consumer = package.Consumer(config | {"group.id": "differential"})
    calls: list[Callable[[], object]] = [
        lambda: consumer.assign(None),
        lambda: consumer.assign("topic"),
        lambda: consumer.assign([1]),
        lambda: consumer.assign([]),
        lambda: consumer.position([1]),
        consumer.position,
        lambda: consumer.seek(1),
        lambda: consumer.assign([package.TopicPartition(topic, 0, 0)]),
        lambda: consumer.consume(1, 1),
        lambda: consumer.seek(package.TopicPartition(topic, 1, 0)),
        consumer.unassign,
        lambda: consumer.pause([package.TopicPartition(topic, 0)]),
        lambda: consumer.resume([package.TopicPartition(topic, 0)]),
        lambda: consumer.poll("x"),
        lambda: consumer.poll(timeout=0),
        lambda: consumer.poll(nothing=0),
        lambda: consumer.consume("x"),
        lambda: consumer.consume(num_messages=1, timeout=0),
        lambda: consumer.get_watermark_offsets(topic),
        lambda: consumer.get_watermark_offsets(package.TopicPartition(topic, 99), 5),
    ]
    seen = [outcome(call) for call in calls]
    consumer.close()
    return seen


def calls_after_close(setup: Setup) -> list[object]:
    """A closed client's errors; a second close is silent."""
    package, config, topic = setup.ck, {"bootstrap.servers": setup.bootstrap}, setup.topic
    consumer = package.Consumer(config | {"group.id": "differential"})
    partition = package.TopicPartition(topic, 0)
    consumer.close()
    seen = [
        outcome(call)
        for call in (
            consumer.close,
            lambda: consumer.poll(0),
            lambda: consumer.consume(1, 0),
            lambda: consumer.assign([partition]),
            consumer.unassign,
            consumer.assignment,
            lambda: consumer.position([partition]),
            lambda: consumer.seek(partition),
            lambda: consumer.pause([partition]),
            lambda: consumer.resume([partition]),
            lambda: consumer.get_watermark_offsets(partition),
            lambda: consumer.list_topics(timeout=5),
        )
    ]
    producer = package.Producer(config)
    producer.close()
    return seen + [
        outcome(call)
        for call in (
            producer.close,
            lambda: producer.produce(topic, b"v"),
            lambda: producer.poll(0),
            lambda: producer.flush(0),
            lambda: producer.list_topics(timeout=5),
            lambda: len(producer),
            lambda: bool(producer),
        )
    ]


def a_full_queue(setup: Setup) -> list[object]:
    """BufferError at the same record, and room again when reports are served."""
    package, config, topic = setup.ck, {"bootstrap.servers": setup.bootstrap}, setup.topic
    producer = package.Producer(config | {"queue.buffering.max.messages": 10, "linger.ms": 60_000})
    reports: list[object] = []

    def report(error: object, _message: object) -> None:
        reports.append(plain(error))

    seen: list[object] = []
    for _ in range(12):
        try:
            producer.produce(topic, b"v", on_delivery=report)
            seen.append("taken")
        except BufferError as error:
            seen.append(type(error).__name__)
    return [
        *seen,
        len(producer),
        producer.flush(_SECONDS),
        len(reports),
        outcome(lambda: producer.produce(topic, b"v")),
    ]


def errors_that_reach_the_application(setup: Setup) -> list[object]:
    """Offsets out of range by each reset, a record that is too large."""
    package, config, topic = setup.ck, {"bootstrap.servers": setup.bootstrap}, setup.topic
    producer = package.Producer(config | {"message.max.bytes": 1_000, "allow.auto.create.topics": False})
    reports: list[object] = []

    def report(error: object, _message: object) -> None:
        reports.append(plain(error))

    seen: list[object] = [outcome(lambda: producer.produce(topic, b"v" * 2_000))]
    producer.produce(topic, b"v", partition=0, on_delivery=report)
    producer.flush(_SECONDS)
    for reset in ("error", "latest", "earliest"):
        consumer = package.Consumer(
            config | {"group.id": "differential", "auto.offset.reset": reset, "enable.partition.eof": True}
        )
        consumer.assign([package.TopicPartition(topic, 0, 1_000)])
        message = consumer.poll(_SECONDS)
        seen.append((reset, plain(message.error()), message.offset()))
        consumer.close()
    return seen + reports


def metadata(setup: Setup) -> list[object]:
    """list_topics of all three clients."""
    package, config, topic = setup.ck, {"bootstrap.servers": setup.bootstrap}, setup.topic
    clients = [
        package.Producer(config),
        package.Consumer(config | {"group.id": "differential"}),
        package.admin.AdminClient(config),
    ]
    seen: list[object] = []
    for client in clients:
        found = client.list_topics(topic, timeout=_SECONDS)
        described = found.topics[topic]
        partitions = {
            number: (each.id, each.leader, each.replicas, each.isrs, plain(each.error))
            for number, each in described.partitions.items()
        }
        brokers = {
            number: (each.id, each.host, f"{each.host}:{each.port}" == str(each).split("/")[0])
            for number, each in found.brokers.items()
        }
        seen += [len(found.topics), type(found).__name__, brokers, found.controller_id]
        seen += [partitions, plain(described.error), str(described) == topic, type(described).__name__]
        seen.append(topic in client.list_topics(timeout=_SECONDS).topics)
        absent = f"{topic}-absent-{len(seen)}"  # each its own: a broker makes what a producer asks for
        found = client.list_topics(absent, timeout=_SECONDS)
        seen.append((plain(found.topics[absent].error), len(found.topics[absent].partitions)))
    return seen


def _partitions(admin: Any, topic: str) -> int:
    """How many a topic has that was just made: brokers hear of it a moment later."""
    end = time.monotonic() + _SECONDS
    count = 0
    while count == 0 and time.monotonic() < end:
        count = len(admin.list_topics(topic, timeout=_SECONDS).topics[topic].partitions)
    return count


def topics_made_and_deleted(setup: Setup) -> list[object]:
    """create_topics and delete_topics: futures, and the errors in them."""
    package, config, topic = setup.ck, {"bootstrap.servers": setup.bootstrap}, setup.topic
    admin = package.admin.AdminClient(config)
    new = package.admin.NewTopic

    def settle(futures: dict[str, Any]) -> list[object]:
        return [outcome(functools.partial(future.result, _SECONDS)) for _, future in sorted(futures.items())]

    made, refused = f"{topic}-made", f"{topic}/refused"
    seen: list[object] = [
        settle(admin.create_topics([new(made, 3, 1, config={"retention.ms": "60000"})])),
        settle(admin.create_topics([new(made, 1, 1)])),
        settle(admin.create_topics([new(refused, 1, 1)])),
        settle(admin.create_topics([new(f"{topic}-x", 1, 99)])),
        settle(admin.create_topics([new(f"{topic}-y", 0, 1)])),
        settle(admin.create_topics([new(f"{topic}-z", 1, 1)], validate_only=True)),
        _partitions(admin, made),
        settle(admin.delete_topics([made], operation_timeout=_SECONDS)),
        settle(admin.delete_topics([f"{topic}-never"])),
        outcome(lambda: admin.create_topics([])),
        outcome(lambda: admin.delete_topics([])),
        outcome(lambda: admin.create_topics("x")),
        outcome(lambda: admin.create_topics([1])),
        outcome(lambda: admin.delete_topics("x")),
        outcome(lambda: admin.create_topics([new(made, 1, 1)], nothing=1)),
    ]
    described = [
        new("t"),
        new("t", 3),
        new("t", 3, 2),
        new("t", num_partitions=1, replication_factor=1, config={"a": "b"}),
    ]
    seen += [(each.topic, each.num_partitions, each.replication_factor, each.config, str(each)) for each in described]
    return seen
