"""The pytest plugin of the wheel: `ottla_broker`, `ottla_topic`, `ottla_faults`, and ``--kafka-bootstrap``.

pytest loads it by its entry point; a test asks for a fixture and has a Kafka. With ``--kafka-bootstrap=HOST:PORT`` the
same tests run on that Kafka; those that need the embedded broker (faults, `Broker.kill`, ...) skip and say so.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import pytest

from ottla.testing import Broker, Faults
from ottla.testing._external import External

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_NAME = 200  # Kafka allows 249 characters; some are added


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--kafka-bootstrap``."""
    parser.getgroup("ottla").addoption(
        "--kafka-bootstrap",
        metavar="HOST:PORT",
        help="run tests of the fixtures ottla_broker and ottla_topic on this Kafka instead of the embedded broker",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest about the marker."""
    config.addinivalue_line("markers", "ottla_topic(partitions): how many partitions the topic of ottla_topic has")


@pytest.fixture(scope="session")
def ottla_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The Kafka of the whole run: one embedded broker, or the Kafka of ``--kafka-bootstrap``.

    A test that kills brokers or needs several makes its own `ottla.testing.Broker`.
    """
    bootstrap = request.config.getoption("--kafka-bootstrap")
    if bootstrap:
        yield External(bootstrap)
        return
    with Broker() as broker:
        yield broker


@pytest.fixture
def ottla_topic(request: pytest.FixtureRequest, ottla_broker: Broker) -> Iterator[str]:
    """A topic of a name that nobody else has, deleted after the test.

    One partition, or as many as ``@pytest.mark.ottla_topic(partitions=6)`` says.
    """
    marker = request.node.get_closest_marker("ottla_topic")
    partitions = marker.kwargs.get("partitions", *marker.args) if marker else 1
    test = re.sub(r"[^A-Za-z0-9._-]+", "-", request.node.name)[:_LONGEST_NAME]
    name = ottla_broker.topic(f"{test}-{uuid.uuid4().hex[:8]}", partitions)
    yield name
    ottla_broker.delete_topic(name)


@pytest.fixture
def ottla_faults(ottla_broker: Broker) -> Iterator[Faults]:
    """The faults of `ottla_broker`: none at the start, cleared at the end.

    The test fails if it armed a fault that no request ever met. Skips with ``--kafka-bootstrap``.
    """
    faults = ottla_broker.faults
    faults.clear()
    yield faults
    try:
        faults.check()
    finally:
        faults.clear()
