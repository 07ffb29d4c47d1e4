"""Bad answers, bad addresses and dead brokers, seen from the application (a proxy of the tests makes the faults)."""

from __future__ import annotations

import random
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

import confluent_kafka
import pytest

from benches.interrupts import CALLS, interrupt_latencies
from tests.python.proxy import API_FETCH, API_LIST_OFFSETS, API_PRODUCE, CutError, Direction, Frame, Proxy, flip_byte
from tests.python.reading import partitions_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.realkafka import Cluster

_SECONDS = 30.0
_NOWHERE = "127.0.0.1:9"
_CORRELATION_ID = 7


def fill(cluster: Cluster, topic: str, values: list[bytes]) -> None:
    """Put records into partition 0 with the original, one batch for each value."""
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap})
    for value in values:
        producer.produce(topic, value, partition=0)
        assert producer.flush(_SECONDS) == 0


def read_values(consumer: Any, count: int) -> tuple[list[bytes], list[Any]]:
    """The next `count` values, and the errors that came between them."""
    values: list[bytes] = []
    errors: list[Any] = []
    until = time.monotonic() + _SECONDS
    while len(values) < count and time.monotonic() < until:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error() is None:
            values.append(message.value())
        else:
            errors.append(message.error())
    return values, errors


def test_a_wrong_bootstrap_address_is_told_within_seconds(package: Any) -> None:
    """error_cb gets _TRANSPORT and _ALL_BROKERS_DOWN; a time-out of list_topics is _TRANSPORT too."""
    errors: list[Any] = []
    producer = package.Producer({"bootstrap.servers": _NOWHERE, "error_cb": errors.append, "log_level": 0})
    until = time.monotonic() + 10
    wanted = {package.KafkaError._TRANSPORT, package.KafkaError._ALL_BROKERS_DOWN}
    while wanted - {error.code() for error in errors} and time.monotonic() < until:
        producer.poll(0.1)
    assert wanted <= {error.code() for error in errors}
    assert any(_NOWHERE in error.str() for error in errors)
    with pytest.raises(package.KafkaException) as raised:
        producer.list_topics(timeout=0.5)
    assert raised.value.args[0].code() == package.KafkaError._TRANSPORT


def test_flush_honours_its_deadline_with_no_broker(package: Any) -> None:
    """What is left is returned, a second late at the most."""
    producer = package.Producer({"bootstrap.servers": _NOWHERE, "log_level": 0})
    producer.produce("topic", b"never sent")
    begun = time.monotonic()
    assert producer.flush(0.5) == 1
    assert 0.4 < time.monotonic() - begun < 1.5


def test_a_record_that_cannot_be_sent_expires(package: Any) -> None:
    """_MSG_TIMED_OUT in the report when the delivery timeout has passed."""
    producer = package.Producer({"bootstrap.servers": _NOWHERE, "delivery.timeout.ms": 1_000, "log_level": 0})
    reports: list[Any] = []
    producer.produce("topic", b"v", on_delivery=lambda error, message: reports.append((error.code(), message.value())))
    assert producer.flush(10) == 0
    assert reports == [(package.KafkaError._MSG_TIMED_OUT, b"v")]


@pytest.mark.parametrize("offset", [0, _CORRELATION_ID], ids=["length", "correlation id"])
def test_a_corrupt_frame_ends_its_connection_and_nothing_else(
    ottla: Any, proxy: Proxy, topic: str, offset: int
) -> None:
    """E19: the answer to Produce is damaged; the client connects anew and sends again, and it stays one record."""
    proxy.decide = flip_byte(API_PRODUCE, offset)
    reports: list[Any] = []
    producer = ottla.Producer(
        {"bootstrap.servers": proxy.bootstrap, "enable.idempotence": True, "socket.timeout.ms": 5_000}
    )
    producer.produce(
        topic, b"v", partition=0, on_delivery=lambda error, message: reports.append((error, message.offset()))
    )
    assert producer.flush(_SECONDS) == 0
    assert reports == [(None, 0)]
    asked = proxy.seen(Direction.REQUEST, API_PRODUCE)
    assert len(asked) == 2
    assert asked[0].connection != asked[1].connection


def test_a_batch_corrupt_once_is_fetched_again(ottla: Any, kafka: Cluster, proxy: Proxy, topic: str) -> None:
    """E19: the CRC tells, and the application sees nothing of it."""
    fill(kafka, topic, [b"first", b"second", b"third"])
    proxy.decide = flip_byte(API_FETCH, -20, at_least=200)
    consumer = ottla.Consumer({"bootstrap.servers": proxy.bootstrap, "group.id": "faults"})
    consumer.assign([ottla.TopicPartition(topic, 0, 0)])
    assert read_values(consumer, 3) == ([b"first", b"second", b"third"], [])
    consumer.close()


def test_a_batch_that_stays_corrupt_is_an_error_and_is_stepped_over(
    ottla: Any, kafka: Cluster, proxy: Proxy, topic: str
) -> None:
    """E19: one error for the partition, then the records after the bad batch."""
    fill(kafka, topic, [b"first", b"BROKEN", b"third"])

    def damage(frame: Frame) -> bytes:
        return frame.data.replace(b"BROKEN", b"broken") if frame.direction is Direction.RESPONSE else frame.data

    proxy.decide = damage
    consumer = ottla.Consumer({"bootstrap.servers": proxy.bootstrap, "group.id": "faults"})
    consumer.assign([ottla.TopicPartition(topic, 0, 0)])
    values, errors = read_values(consumer, 2)
    assert values == [b"first", b"third"]
    assert [error.code() for error in errors] == [ottla.KafkaError._BAD_MSG]
    consumer.close()


def test_a_cut_while_producing_loses_and_doubles_nothing(
    package: Any, kafka: Cluster, proxy: Proxy, topic: str
) -> None:
    """A third of the Produce frames is cut, before or after the broker got them; idempotence makes each record one.

    By lot and not by counting: two requests and the first answer, sent again in the same way, would be cut for ever.
    """
    produced = 0
    lots = random.Random(10)
    lock = threading.Lock()

    def decide(frame: Frame) -> bytes:
        nonlocal produced
        if frame.api_key != API_PRODUCE:
            return frame.data
        with lock:
            produced += 1
            if lots.random() < 1 / 3:
                raise CutError
        return frame.data

    proxy.decide = decide
    producer = package.Producer(
        {
            "bootstrap.servers": proxy.bootstrap,
            "enable.idempotence": True,
            "linger.ms": 0,
            "reconnect.backoff.max.ms": 200,
            "retry.backoff.max.ms": 200,
            "log_level": 0,
        }
    )
    for number in range(50):
        producer.produce(topic, b"%d" % number, partition=0)
        if number % 5 == 4:
            assert producer.flush(_SECONDS) == 0
    assert produced > 20
    assert [message.value() for message in partitions_of(kafka, topic)[0]] == [b"%d" % number for number in range(50)]


def test_a_record_that_the_broker_refuses_leaves_no_gap(
    package: Any, kafka: Cluster, create_topic: Callable[..., str]
) -> None:
    """With idempotence the sequences begin anew in the next epoch (KIP-360), and what follows is written."""
    topic = create_topic(kafka, 1, max_message_bytes="1000")
    codes: list[int | None] = []
    producer = package.Producer({"bootstrap.servers": kafka.bootstrap, "enable.idempotence": True, "linger.ms": 0})
    for value in [b"first", b"x" * 5_000, b"second", b"y" * 5_000, b"third"]:
        producer.produce(topic, value, on_delivery=lambda error, _: codes.append(error and error.code()))
        assert producer.flush(_SECONDS) == 0
    refused = package.KafkaError.MSG_SIZE_TOO_LARGE
    assert codes == [None, refused, None, refused, None]
    assert [message.value() for message in partitions_of(kafka, topic)[0]] == [b"first", b"second", b"third"]


def test_list_offsets_is_answered_while_a_fetch_is_parked(ottla: Any, proxy: Proxy, topic: str) -> None:
    """E1: lanes. The broker holds the Fetch for 20 s; a question to it does not wait behind."""
    consumer = ottla.Consumer(
        {
            "bootstrap.servers": proxy.bootstrap,
            "group.id": "faults",
            "fetch.wait.max.ms": 20_000,
            "socket.timeout.ms": 60_000,
        }
    )
    consumer.assign([ottla.TopicPartition(topic, 0, 0)])
    # The first answer comes at once, to a consumer that the broker does not know; the second is held back.
    while len(proxy.seen(Direction.REQUEST, API_FETCH)) < 2:
        assert consumer.poll(0.1) is None
    begun = time.monotonic()
    assert consumer.get_watermark_offsets(ottla.TopicPartition(topic, 1), 10) == (0, 0)
    assert time.monotonic() - begun < 5
    parked = len(proxy.seen(Direction.REQUEST, API_FETCH)) - len(proxy.seen(Direction.RESPONSE, API_FETCH))
    assert parked == 1
    fetching = {frame.connection for frame in proxy.seen(Direction.REQUEST, API_FETCH)}
    assert fetching.isdisjoint(frame.connection for frame in proxy.seen(Direction.REQUEST, API_LIST_OFFSETS))
    consumer.close()


@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_ends_a_blocking_call(call: str, kafka: Cluster, topic: str) -> None:
    """Half a second here, for a busy machine; `make bench` holds the median to 50 ms."""
    latencies = interrupt_latencies("ottla", kafka.bootstrap, topic, calls=(call,), times=5)[call]
    assert len(latencies) == 5
    assert statistics.median(latencies) < 500


def test_an_idle_consumer_ends_its_wait_on_time(package: Any, kafka: Cluster, create_topic: Callable[..., str]) -> None:
    """Poll and consume return empty after their time-out, not before."""
    consumer = package.Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "faults"})
    consumer.assign([package.TopicPartition(create_topic(kafka), 0, 0)])
    waits: list[Callable[[], Any]] = [lambda: consumer.poll(0.5), lambda: consumer.consume(10, 0.5)]
    for wait in waits:
        begun = time.monotonic()
        assert not wait()
        assert 0.45 < time.monotonic() - begun < 1.5
    consumer.close()
