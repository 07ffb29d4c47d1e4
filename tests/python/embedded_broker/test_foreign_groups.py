"""Groups of other clients when members die: confluent-kafka, kafka-python and aiokafka, on both kinds of broker."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import confluent_kafka
import pytest

from tests.python.embedded_broker.clients import (
    AIOKAFKA,
    CONFLUENT,
    KAFKA_PYTHON,
    OTTLA,
    SECONDS,
    Member,
    produce,
    wait_until,
    wait_until_shared,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ottla.testing import Broker
    from tests.python.embedded import EmbeddedCluster
    from tests.realkafka import Cluster

_ROOT = Path(__file__).parents[3]
_SESSION = 6.0
# A member in a process of its own, which tells what it owns, until it is killed.
_MEMBER = """
import sys
from tests.python.embedded_broker.clients import consumer
client = consumer(*sys.argv[1:5])
told = None
while True:
    client.poll()
    if client.assigned() != told:
        told = client.assigned()
        print(*sorted(told), flush=True)
"""
# The same with an instance id (KIP-345).
_STATIC = """
import sys
import confluent_kafka
bootstrap, topic, group, instance = sys.argv[1:5]
settings = {"bootstrap.servers": bootstrap, "group.id": group, "group.instance.id": instance,
            "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
consumer = confluent_kafka.Consumer(settings)
consumer.subscribe([topic], on_assign=lambda _, owned: print(*sorted(each.partition for each in owned), flush=True))
while True:
    consumer.poll(0.1)
"""

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def _sockets_that_others_leave() -> Iterator[None]:
    """Collected here, where it is no error: kafka-python leaves those that could not connect."""
    yield
    gc.collect()


class Process:
    """A member that can be killed."""

    def __init__(self, script: str, *arguments: str) -> None:
        """Start it."""
        command = [sys.executable, "-W", "ignore", "-c", script, *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT)

    def owned(self) -> list[int]:
        """What it says next that it owns; waits for that."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the member ended"
        return [int(word) for word in line.split()]

    def wait_until_it_owns(self, count: int) -> list[int]:
        """Wait until it owns so many partitions."""
        while len(owned := self.owned()) != count:
            pass
        return owned

    def kill(self) -> None:
        """End it at once: it does not leave its group."""
        self._process.kill()
        self._process.wait(SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()


def test_members_that_are_killed_are_replaced_after_their_session(
    kafka: Cluster, create_topic: Callable[..., str]
) -> None:
    """One of each client dies at once: who is left owns all, not before their sessions are over."""
    topic = create_topic(kafka, partitions=4)
    survivor = Member(CONFLUENT, kafka.bootstrap, topic, topic)
    killed = []
    try:
        killed = [
            Process(_MEMBER, client, kafka.bootstrap, topic, topic) for client in (CONFLUENT, KAFKA_PYTHON, AIOKAFKA)
        ]
        for process in killed:
            process.wait_until_it_owns(1)
        wait_until(lambda: len(survivor.assigned) == 1, [survivor], "each owns one partition")
        began = time.monotonic()
        for process in killed:
            process.kill()
        wait_until(lambda: len(survivor.assigned) == 4, [survivor], "the survivor owns all")
        # The last heartbeats were up to three seconds before the end.
        assert _SESSION - 3.5 < time.monotonic() - began < _SESSION + 10
    finally:
        for process in killed:
            process.kill()
        survivor.stop()


def test_a_static_member_comes_back_without_a_rebalance_and_its_double_fences_it(kafka: Cluster, topic: str) -> None:
    """Killed and started again within its session it owns what it owned, and the other member sees nothing of it."""
    changes: list[str] = []
    settings: dict[str, Any] = {
        "bootstrap.servers": kafka.bootstrap,
        "group.id": topic,
        "group.instance.id": "first",
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 500,
        "log_level": 0,
    }
    first = confluent_kafka.Consumer(settings)
    others = []
    try:
        first.subscribe(
            [topic],
            on_assign=lambda _, owned: changes.append(f"assign {len(owned)}"),
            on_revoke=lambda _, owned: changes.append(f"revoke {len(owned)}"),
        )
        others.append(Process(_STATIC, kafka.bootstrap, topic, topic, "second"))
        _poll_until(first, lambda: changes[-1:] == ["assign 2"])
        before = others[0].wait_until_it_owns(2)
        seen = list(changes)
        others[0].kill()
        others.append(Process(_STATIC, kafka.bootstrap, topic, topic, "second"))
        began = time.monotonic()
        assert others[1].owned() == before
        assert time.monotonic() - began < _SESSION
        others.append(Process(_STATIC, kafka.bootstrap, topic, topic, "first"))
        error = _poll_until(first, lambda: False)
        assert changes == seen, "no rebalance"
        assert error is not None
        assert error.code() == confluent_kafka.KafkaError._FATAL  # the original's own name
        assert "fenced" in error.str().lower()
    finally:
        for other in others:
            other.kill()
        first.close()


@pytest.mark.only_on("embedded")
@pytest.mark.parametrize("client", [CONFLUENT, OTTLA, KAFKA_PYTHON, AIOKAFKA])
def test_a_group_survives_its_coordinator(
    client: str, kafka3: EmbeddedCluster, create_topic: Callable[..., str]
) -> None:
    """The coordinator dies, moves and loads: the members find it again, in the same generation, and read on.

    They leave only after that: aiokafka looks for no coordinator once it stops, and its `stop` would never end (on
    real Kafka neither). Of kafka-python nobody can tell: its heartbeats may have stopped for ever, there too. Then its
    last commit meets the old coordinator and is given up; what is committed is behind, never ahead.
    """
    topic = create_topic(kafka3, partitions=4, replicas=3)
    broker = kafka3.broker
    members = [Member(client, kafka3.bootstrap, topic, topic) for _ in range(2)]
    try:
        wait_until_shared(members, 4)
        before = broker.group(topic)
        assert before is not None
        for number in range(3):
            home = broker.coordinator(topic)
            assert home is not None
            began = broker.requests[-1].at
            if number == 0:
                broker.kill(home)
                broker.start(home)
            elif number == 1:
                broker.move_coordinator(topic, home % 3 + 1)
            else:
                broker.load_coordinator(topic, 0.5)
            produce(CONFLUENT, kafka3.bootstrap, topic, [(each % 4, b"%d" % each) for each in range(100)])
            total = 100 * (number + 1)
            wait_until(
                lambda total=total: sum(len(member.records) for member in members) >= total,  # type: ignore[misc]
                members,
                "all is read",
            )
            if client != KAFKA_PYTHON:
                wait_until(lambda began=began: _at_home(broker, topic, began) == 2, members, "both have found it")  # type: ignore[misc]
        after = broker.group(topic)
        assert after is not None
        assert after.generation == before.generation or client == KAFKA_PYTHON
    finally:
        for member in members:
            member.stop()
    offsets = [(record.partition, record.offset) for member in members for record in member.records]
    assert len(set(offsets)) == 300
    left = broker.group(topic)
    assert left is not None
    if client == KAFKA_PYTHON:
        assert all(offset <= 75 for offset in left.offsets.values())
    else:
        assert len(offsets) == 300
        assert left.offsets == {(topic, partition): 75 for partition in range(4)}


@pytest.mark.parametrize("client", [CONFLUENT, OTTLA])
def test_members_read_on_when_their_leader_dies(
    client: str, kafka3: EmbeddedCluster, create_topic: Callable[..., str]
) -> None:
    """Twice. Without aiokafka: the broker may be the coordinator too, and its `stop` would never end."""
    _read_on(client, kafka3, create_topic)


@pytest.mark.only_on("embedded")
def test_kafka_python_reads_on_when_its_leader_dies(kafka3: EmbeddedCluster, create_topic: Callable[..., str]) -> None:
    """It asks the new leader where the old one's epoch ended (KIP-320). On real Kafka it leaks sockets meanwhile."""
    _read_on(KAFKA_PYTHON, kafka3, create_topic)


def _read_on(client: str, kafka3: EmbeddedCluster, create_topic: Callable[..., str]) -> None:
    topic = create_topic(kafka3, partitions=1, replicas=3, min_insync_replicas="2")
    member = Member(client, kafka3.bootstrap, topic, topic)

    def offsets() -> set[int]:
        return {record.offset for record in member.records}

    try:
        for total in (10, 20, 30):
            if total > 10:
                leader = _leader(kafka3.bootstrap, topic)
                kafka3.kill(leader)
                kafka3.launch(leader)
                kafka3.wait_until_serving(leader)
            produce(CONFLUENT, kafka3.bootstrap, topic, [(0, b"%d" % number) for number in range(10)])
            wait_until(lambda total=total: len(offsets()) >= total, [member], "all is read")  # type: ignore[misc]
    finally:
        member.stop()
    # Twice where the coordinator was the same broker, and its successor came too late for the session.
    assert offsets() == set(range(30))


def _leader(bootstrap: str, topic: str) -> int:
    """Who leads partition 0."""
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    leader: int = producer.list_topics(topic, SECONDS).topics[topic].partitions[0].leader
    return leader


def _at_home(broker: Broker, group: str, since: float) -> int:
    """How many connections have had a good answer to a heartbeat from the coordinator."""
    home = broker.coordinator(group)
    beats = (each for each in broker.requests if each.at > since and each.api == "Heartbeat" and group in each.groups)
    return len({each.connection for each in beats if each.node == home and each.answered_at and not each.error})


def _poll_until(consumer: confluent_kafka.Consumer, condition: Callable[[], bool]) -> confluent_kafka.KafkaError | None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until, "it never came"
        message = consumer.poll(0.1)
        if message is not None and (error := message.error()) is not None:
            return error
    return None
