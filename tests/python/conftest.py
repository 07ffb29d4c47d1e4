"""Fixtures of the Python tests: Kafka of one and of three brokers, a topic of one's own, a proxy in between.

Every test that takes `kafka` or `kafka3` runs twice, on real Kafka and on the embedded broker; ``--broker`` chooses one
of them. Where the embedded broker is known to differ, `differences.tsv` names the test and the reason.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import confluent_kafka.admin
import pytest

from tests.python.differences import Differences
from tests.python.embedded import EmbeddedCluster
from tests.python.proxy import Proxy
from tests.realkafka import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOGS = Path("target/kafka-logs")
_numbers = itertools.count()

REAL, EMBEDDED = "real", "embedded"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--broker``."""
    parser.addoption(
        "--broker",
        choices=(REAL, EMBEDDED, "both"),
        default="both",
        help="run the tests on real Kafka, on the embedded broker, or on both (default)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest about the marker; let Ctrl-C end calls though a shell began the run in the background, deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "only_on(kind): the test is about this kind of broker, real or embedded")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let each test that needs a broker run on each kind of it."""
    if "broker_kind" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--broker")
        kinds = [REAL, EMBEDDED] if chosen == "both" else [str(chosen)]
        only = metafunc.definition.get_closest_marker("only_on")
        if only is not None:
            kinds = [kind for kind in kinds if kind in only.args]
        metafunc.parametrize("broker_kind", kinds, indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)  # before -k and -m take tests away
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Expect the known differences."""
    Differences.read().expect(config, items, EMBEDDED)


@pytest.fixture(scope="session")
def broker_kind(request: pytest.FixtureRequest) -> str:
    """Which kind of broker the test runs on."""
    return str(request.param)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest, broker_kind: str) -> Iterator[Cluster | EmbeddedCluster]:
    """One broker for the whole run. Who kills it takes a cluster of its own."""
    yield from _running(request, broker_kind, brokers=1)


@pytest.fixture(scope="session")
def kafka3(request: pytest.FixtureRequest, broker_kind: str) -> Iterator[Cluster | EmbeddedCluster]:
    """Three brokers; a test may kill, stop and start them, and leaves all three serving."""
    yield from _running(request, broker_kind, brokers=3)


def _running(request: pytest.FixtureRequest, kind: str, brokers: int) -> Iterator[Cluster | EmbeddedCluster]:
    with EmbeddedCluster(brokers) if kind == EMBEDDED else Cluster(brokers) as cluster:
        yield cluster
        if request.session.testsfailed:
            print("logs of the brokers kept:", *cluster.keep_logs(_LOGS))


@pytest.fixture
def create_topic() -> Callable[..., str]:
    """Make a topic with a name that nobody else has: ``create_topic(cluster, partitions=4, replicas=1, **config)``.

    By the original's own AdminClient, so that a defect of ours cannot hide itself.
    """
    return new_topic


def new_topic(cluster: Cluster | EmbeddedCluster, partitions: int = 4, replicas: int = 1, **config: str) -> str:
    """As the fixture `create_topic`; config keys have underscores for dots."""
    name = f"test-{os.getpid()}-{next(_numbers)}"
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": cluster.bootstrap})
    dotted = {key.replace("_", "."): value for key, value in config.items()}
    wanted = confluent_kafka.admin.NewTopic(name, partitions, replicas, config=dotted)  # type: ignore[attr-defined]
    admin.create_topics([wanted], operation_timeout=30)[name].result(60)
    _wait_until_led(cluster, name, partitions)
    return name


def _wait_until_led(cluster: Cluster | EmbeddedCluster, topic: str, partitions: int) -> None:
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
def topic(kafka: Cluster | EmbeddedCluster) -> str:
    """A fresh topic of four partitions on `kafka`."""
    return new_topic(kafka)


@pytest.fixture
def proxy(kafka: Cluster | EmbeddedCluster) -> Iterator[Proxy]:
    """A proxy before the broker of `kafka`: what connects to ``proxy.bootstrap`` stays behind it."""
    broker = kafka.brokers[0]
    readvertise = isinstance(kafka, EmbeddedCluster)
    with Proxy(listen=broker.proxy_port, target=broker.proxied_port, readvertise=readvertise) as running:
        yield running
