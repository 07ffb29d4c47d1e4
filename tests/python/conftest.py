"""Fixtures of the Python tests: real Kafka of one and of three brokers, a topic of one's own, a proxy in between."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import confluent_kafka.admin
import pytest

from tests.python.proxy import Proxy
from tests.realkafka import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOGS = Path("target/kafka-logs")
_numbers = itertools.count()


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """One real broker for the whole run. Who kills it takes a cluster of its own."""
    yield from _running(request, brokers=1)


@pytest.fixture(scope="session")
def kafka3(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Three real brokers; a test may kill, stop and start them, and leaves all three serving."""
    yield from _running(request, brokers=3)


def _running(request: pytest.FixtureRequest, brokers: int) -> Iterator[Cluster]:
    with Cluster(brokers) as cluster:
        yield cluster
        if request.session.testsfailed:
            print("logs of the brokers kept:", *cluster.keep_logs(_LOGS))


@pytest.fixture
def create_topic() -> Callable[..., str]:
    """Make a topic with a name that nobody else has: ``create_topic(cluster, partitions=4, replicas=1, **config)``.

    By the original's own AdminClient, so that a defect of ours cannot hide itself.
    """
    return new_topic


def new_topic(cluster: Cluster, partitions: int = 4, replicas: int = 1, **config: str) -> str:
    """As the fixture `create_topic`; config keys have underscores for dots."""
    name = f"test-{os.getpid()}-{next(_numbers)}"
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": cluster.bootstrap})
    dotted = {key.replace("_", "."): value for key, value in config.items()}
    wanted = confluent_kafka.admin.NewTopic(name, partitions, replicas, config=dotted)  # type: ignore[attr-defined]
    admin.create_topics([wanted], operation_timeout=30)[name].result(60)
    _wait_until_led(cluster, name, partitions)
    return name


def _wait_until_led(cluster: Cluster, topic: str, partitions: int) -> None:
    """Made is not yet led: a broker may refuse the first records, and without idempotence those after them overtake."""
    asking = confluent_kafka.Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "harness"})
    until = time.monotonic() + 30
    for number in range(partitions):
        while True:
            try:
                asking.get_watermark_offsets(confluent_kafka.TopicPartition(topic, number), 30)
                break
            except confluent_kafka.KafkaException:
                if time.monotonic() > until:
                    raise
    asking.close()


@pytest.fixture
def topic(kafka: Cluster) -> str:
    """A fresh topic of four partitions on `kafka`."""
    return new_topic(kafka)


@pytest.fixture
def proxy(kafka: Cluster) -> Iterator[Proxy]:
    """A proxy before the broker of `kafka`: what connects to ``proxy.bootstrap`` stays behind it."""
    broker = kafka.brokers[0]
    with Proxy(listen=broker.proxy_port, target=broker.proxied_port) as running:
        yield running
