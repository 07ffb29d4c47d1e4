"""confluent-kafka, kafka-python and aiokafka work on the embedded broker as they do on real Kafka.

The same tests run on both: each client alone, in a group of its own, and in groups of all of them with Ottla.
"""

from __future__ import annotations

import itertools
import socket
import struct
from typing import TYPE_CHECKING

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
    from collections.abc import Callable

    from tests.realkafka import Cluster

CLIENTS = (CONFLUENT, KAFKA_PYTHON, AIOKAFKA, OTTLA)
_PARTITIONS = 4
_COUNT = 1_000

# kafka-python's producer and consumer leave sockets to the collector when they are closed in the middle of a request.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def numbered(first: int, count: int, partitions: int = _PARTITIONS) -> list[tuple[int, bytes]]:
    """Records that know their number, over the partitions in turn."""
    return [(number % partitions, b"%d" % number) for number in range(first, first + count)]


def of_partitions(members: list[Member], partitions: int = _PARTITIONS) -> list[list[int]]:
    """What the members read, by partition, in the order of its offsets; each offset once."""
    read: list[dict[int, int]] = [{} for _ in range(partitions)]
    for record in itertools.chain.from_iterable(member.records for member in members):
        assert record.value is not None
        assert record.key == record.value
        assert record.offset not in read[record.partition], f"read twice: {record}"
        read[record.partition][record.offset] = int(record.value)
    return [[number for _, number in sorted(partition.items())] for partition in read]


def expected(count: int, partitions: int = _PARTITIONS) -> list[list[int]]:
    """What `numbered(0, count)` comes to."""
    return [list(range(partition, count, partitions)) for partition in range(partitions)]


@pytest.mark.parametrize("codec", ["none", "gzip"])
@pytest.mark.parametrize("client", CLIENTS)
def test_what_one_produces_another_reads(client: str, codec: str, kafka: Cluster, topic: str) -> None:
    """Each writes with and without compression; each other reads it whole, in a group of its own."""
    produce(client, kafka.bootstrap, topic, numbered(0, _COUNT), codec)
    members = [Member(reader, kafka.bootstrap, topic, f"{topic}-{reader}") for reader in CLIENTS]
    try:
        wait_until(lambda: all(len(member.records) >= _COUNT for member in members), members, "all is read")
    finally:
        for member in members:
            member.stop()
    for member in members:
        assert of_partitions([member]) == expected(_COUNT)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_group_of_two_shares_and_goes_on_where_it_was(client: str, kafka: Cluster, topic: str) -> None:
    """Both own partitions before the first record; one leaves, the other owns all; a successor begins at the commit."""
    first, second = (Member(client, kafka.bootstrap, topic, topic) for _ in range(2))
    members = [first, second]
    try:
        wait_until_shared(members, _PARTITIONS)
        produce(client, kafka.bootstrap, topic, numbered(0, _COUNT))
        wait_until(lambda: len(first.records) + len(second.records) >= _COUNT, members, "all is read")
        second.stop()
        wait_until(lambda: len(first.assigned) == _PARTITIONS, [first], "the one left owns all")
        produce(client, kafka.bootstrap, topic, numbered(_COUNT, _COUNT))
        wait_until(lambda: len(first.records) + len(second.records) >= 2 * _COUNT, [first], "the rest is read")
    finally:
        for member in members:
            member.stop()
    third = Member(client, kafka.bootstrap, topic, topic)
    try:
        wait_until(lambda: len(third.assigned) == _PARTITIONS, [third], "the successor owns all")
        produce(client, kafka.bootstrap, topic, numbered(2 * _COUNT, _COUNT))
        wait_until(lambda: len(third.records) >= _COUNT, [third], "what came after the commit is read")
    finally:
        third.stop()
    assert of_partitions([*members, third]) == expected(3 * _COUNT)


def test_a_mixed_group_shares(kafka: Cluster, create_topic: Callable[..., str]) -> None:
    """One member of each client: all own partitions, everything is read once; they leave one after another."""
    partitions = 2 * len(CLIENTS)
    topic = create_topic(kafka, partitions=partitions)
    members = [Member(client, kafka.bootstrap, topic, topic) for client in CLIENTS]
    written = 0
    try:
        for stays in range(len(members), 0, -1):
            wait_until_shared(members[:stays], partitions)
            produce(members[stays - 1].client, kafka.bootstrap, topic, numbered(written, _COUNT, partitions))
            written += _COUNT
            total = written
            wait_until(
                lambda total=total: sum(len(member.records) for member in members) >= total,  # type: ignore[misc]
                members[:stays],
                "all is read",
            )
            members[stays - 1].stop()
    finally:
        for member in members:
            member.stop()
    assert of_partitions(members, partitions) == expected(written, partitions)


_HEADER = struct.pack(">hhih4s", 3, 1, 7, 4, b"evil")
MALFORMED = {
    "a length below zero": struct.pack(">i", -1),
    "a length beyond every limit": struct.pack(">i", 0x7FFF_FFFF),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an API that does not exist": struct.pack(">ihhih", 10, 30_000, 0, 1, -1),
    "a version that does not exist": struct.pack(">ihhih", 10, 3, 99, 1, -1),
    "an array of two billion topics": struct.pack(">i", len(_HEADER) + 4) + _HEADER + struct.pack(">i", 0x7FFF_FFFF),
    "a request that ends in its header": struct.pack(">ihh", 4, 3, 1),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_bytes_close_their_connection_alone(name: str, kafka: Cluster, topic: str) -> None:
    """The broker hangs up on whoever sent them; a consumer beside it reads on."""
    member = Member(CONFLUENT, kafka.bootstrap, topic, topic)
    try:
        wait_until(lambda: len(member.assigned) == _PARTITIONS, [member], "the member owns all")
        host, _, port = kafka.bootstrap.partition(",")[0].rpartition(":")
        with socket.create_connection((host, int(port)), SECONDS) as connection:
            connection.settimeout(SECONDS)
            connection.sendall(MALFORMED[name])
            try:
                answer = connection.recv(4_096)
            except ConnectionResetError:
                answer = b""
            assert answer == b""
        produce(CONFLUENT, kafka.bootstrap, topic, numbered(0, 100))
        wait_until(lambda: len(member.records) >= 100, [member], "it reads on")
    finally:
        member.stop()
    assert of_partitions([member]) == expected(100)
