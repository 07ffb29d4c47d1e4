"""`ottla.testing.Broker`: what its methods promise, seen with the original client and with bare sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import confluent_kafka
import pytest

from ottla.confluent_kafka import Producer as OttlaProducer
from ottla.testing import Broker, FaultNeverFiredError
from tests.realkafka.wire import brokers_in_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 30.0


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A cluster of one with one topic."""
    with Broker(topics={"t": 2}) as broker:
        yield broker


def port_of(broker: Broker, index: int = 0) -> int:
    """The port of one of its brokers."""
    return int(broker.bootstrap_servers.split(",")[index].rpartition(":")[2])


def produce(broker: Broker, count: int = 1, **config: object) -> list[confluent_kafka.KafkaError | None]:
    """Send records to partition 0 of ``t``, one request each; their errors."""
    errors: list[confluent_kafka.KafkaError | None] = []
    dotted = {key.replace("_", "."): value for key, value in config.items()}
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0} | dotted)
    for number in range(count):
        producer.produce("t", b"%d" % number, partition=0, on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(_SECONDS) == 0
    return errors


def test_it_is_ready_in_50_ms() -> None:
    """From the call of the constructor to the first answer of the last broker; the median of nine."""
    took = []
    for _ in range(9):
        begun = time.perf_counter()
        with Broker(3, topics={"t": 6}) as broker:
            assert brokers_in_metadata(port_of(broker, 2)) == 3
            took.append(time.perf_counter() - begun)
    assert statistics.median(took) < 0.05, took


def test_it_ends_at_once_and_frees_its_port() -> None:
    """Connections close, nobody listens; a second end does nothing; what is closed says so."""
    broker = Broker(ports=[(port := free_port())])
    with socket.create_connection(("127.0.0.1", port), _SECONDS) as connection:
        begun = time.perf_counter()
        broker.close()
        assert time.perf_counter() - begun < 0.5
        with contextlib.suppress(ConnectionResetError):  # where it was not accepted yet
            assert connection.recv(1) == b""
    broker.close()
    with pytest.raises(RuntimeError, match="closed"):
        broker.topic("t")
    with Broker(ports=[port]) as again:
        assert port_of(again) == port
        with pytest.raises(OSError, match=str(port)):
            Broker(ports=[port])
        again.close()  # leaving the block finds it closed, and says nothing


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_topics_are_made_and_deleted(broker: Broker) -> None:
    """With their partitions; what Kafka refuses is a ValueError that says why."""
    assert broker.topic("u", partitions=6) == "u"
    admin = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap_servers})
    topics = admin.list_topics(timeout=_SECONDS).topics
    assert {name: len(topics[name].partitions) for name in ("t", "u")} == {"t": 2, "u": 6}
    for name, partitions in (("u", 1), ("not a name", 1), ("v", 0)):
        with pytest.raises(ValueError, match=name):
            broker.topic(name, partitions)
    broker.delete_topic("u")
    assert "u" not in admin.list_topics(timeout=_SECONDS).topics
    with pytest.raises(ValueError, match="u"):
        broker.delete_topic("u")


def test_topics_are_made_on_demand_if_wanted() -> None:
    """`auto_create` with `default_partitions`, or not."""
    with Broker(default_partitions=3) as broker:
        producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap_servers})
        producer.produce("new", b"v")
        assert producer.flush(_SECONDS) == 0
        assert [broker.log_end("new", number) for number in range(3)].count(1) == 1
    with Broker(auto_create=False) as broker:
        errors = produce(broker, topic_metadata_propagation_max_ms=500)
        assert errors[0] is not None
        unknown = {confluent_kafka.KafkaError._UNKNOWN_TOPIC, confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART}
        assert errors[0].code() in unknown


def test_requests_are_told(broker: Broker) -> None:
    """Who asked what, when, and what the answer's error was."""
    produce(broker, 3, client_id="teller")
    produced = [request for request in broker.requests if request.api == "Produce"]
    assert len(produced) == 3
    first = produced[0]
    assert (first.node, first.client_id, first.topics, first.groups) == (1, "teller", {"t": 1}, ())
    assert first.error is None
    assert first.bytes > 0
    assert first.answered_at is not None
    assert 0 <= first.at <= first.answered_at
    assert broker.log_end("t", 0) == 3


def test_a_fault_fires_as_often_as_it_was_told(broker: Broker) -> None:
    """The second and third Produce are refused; the client tries again, and the log holds each record once."""
    fault = broker.faults.arm(api="Produce", topic="t", times=2, error="NOT_LEADER_OR_FOLLOWER", level="partition")
    assert broker.faults.unfired != []
    assert produce(broker, 2, retry_backoff_ms=1, retry_backoff_max_ms=1) == [None, None]
    assert fault.fired == 2
    assert broker.faults.unfired == []
    refused = [request.error for request in broker.requests if request.api == "Produce"]
    assert refused == ["NOT_LEADER_OR_FOLLOWER"] * 2 + [None] * 2
    assert broker.log_end("t", 0) == 2


def test_an_answer_that_is_lost_after_the_write_doubles_without_idempotence(broker: Broker) -> None:
    """``drop="after"``: the record is in the log, the producer cannot know it; sequences tell the second one."""
    broker.faults.arm(api="Produce", drop="after")
    assert produce(broker, retry_backoff_ms=1) == [None]
    assert broker.log_end("t", 0) == 2
    broker.faults.arm(api="Produce", drop="after")
    assert produce(broker, retry_backoff_ms=1, enable_idempotence=True) == [None]
    assert broker.log_end("t", 0) == 3


def test_a_delay_is_kept(broker: Broker) -> None:
    """Half a second before the answer."""
    broker.faults.arm(api="Produce", delay=0.5)
    begun = time.monotonic()
    assert produce(broker) == [None]
    assert time.monotonic() - begun > 0.5


@pytest.mark.parametrize("known", ["before", "not yet"])
def test_a_leader_that_is_not_among_the_brokers_is_asked_for_again(known: str) -> None:
    """Waiting for the next regular refresh would take five minutes.

    Two brokers, as an answer without any changes nothing of what is known. A client that knew the leader's address
    before forgets it.
    """
    with Broker(2, topics={"t": 2, "other": 1}) as broker:
        producer = OttlaProducer({"bootstrap.servers": broker.bootstrap_servers})
        if known == "before":
            producer.list_topics("other", timeout=_SECONDS)
        fault = broker.faults.arm(api="Metadata", topic="t", partition=0, times=3, unlisted_leader=True)
        producer.produce("t", b"v", partition=0)
        assert producer.flush(_SECONDS) == 0
        assert (fault.fired, broker.log_end("t", 0)) == (3, 1)


def test_a_fault_that_never_fired_fails_the_test() -> None:
    """At the end of the block; another exception is not hidden by it; what was disarmed is not asked."""
    with pytest.raises(FaultNeverFiredError, match="Fetch"), Broker() as broker:
        broker.faults.arm(api="Fetch", error="KAFKA_STORAGE_ERROR")
    with pytest.raises(LookupError), Broker() as broker:  # noqa: PT012  # the block is what is tested
        broker.faults.arm(api="Fetch", never_answer=True)
        raise LookupError
    with Broker() as broker:
        broker.faults.arm(api="Fetch", never_answer=True).disarm()
        broker.faults.arm(api="Fetch", never_answer=True)
        broker.faults.clear()


def test_what_a_fault_is_told_must_make_sense(broker: Broker) -> None:
    """Names of Kafka, one action, one time."""
    arm = broker.faults.arm
    with pytest.raises(ValueError, match="does one thing"):
        arm(api="Fetch")
    with pytest.raises(ValueError, match="delay, drop"):
        arm(api="Fetch", delay=1, drop="before")
    with pytest.raises(ValueError, match="nth, always"):
        arm(api="Fetch", nth=2, always=True, drop="before")
    with pytest.raises(ValueError, match="Fetsch"):
        arm(api="Fetsch", drop="before")
    with pytest.raises(ValueError, match="NO_SUCH_ERROR"):
        arm(api="Fetch", error="NO_SUCH_ERROR")
    with pytest.raises(ValueError, match="level"):
        arm(api="Fetch", drop="before", level="top")
    with pytest.raises(ValueError, match="probability"):
        arm(api="Fetch", drop="before", probability=1.5)


def test_a_killed_broker_is_gone_until_it_is_started() -> None:
    """Its port refuses, another leads its partitions and its groups; started, it listens on the same port."""
    with Broker(3, topics={"t": 3}) as broker:
        victim = broker.leader("t", 0)
        assert victim is not None
        port = port_of(broker, victim - 1)
        with socket.create_connection(("127.0.0.1", port), _SECONDS) as connection:
            broker.kill(victim)
            with contextlib.suppress(ConnectionResetError):  # where it was not accepted yet
                assert connection.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), _SECONDS)
        assert broker.leader("t", 0) not in {None, victim}
        assert broker.coordinator("g") not in {None, victim}
        assert produce(broker) == [None]
        broker.start(victim)
        broker.wait_for(lambda: brokers_in_metadata(port) == 3, _SECONDS)
        broker.move_leader("t", 0, victim)
        assert broker.leader("t", 0) == victim
        assert produce(broker) == [None]
        broker.move_coordinator("g", victim)
        assert broker.coordinator("g") == victim
        with pytest.raises(ValueError, match="9"):
            broker.move_leader("t", 0, 9)
        with pytest.raises(ValueError, match="9"):
            broker.kill(9)


def test_a_group_is_told(broker: Broker) -> None:
    """Its state, members and committed offsets."""
    assert broker.group("g") is None
    produce(broker, 5)
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["t"])
    assert len(consumer.consume(5, _SECONDS)) == 5
    group = broker.group("g")
    assert group is not None
    assert (group.state, len(group.members), group.leader) == ("Stable", 1, group.members[0].member_id)
    consumer.commit(asynchronous=False)
    consumer.close()
    group = broker.group("g")
    assert group is not None
    assert (group.state, group.offsets) == ("Empty", {("t", 0): 5})


def test_past_its_limit_produce_fails_with_the_reason() -> None:
    """Nothing that was acknowledged is dropped."""
    with Broker(topics={"t": 1}, max_bytes=10_000) as broker:
        errors: list[confluent_kafka.KafkaError | None] = []
        producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        for _ in range(20):
            producer.produce("t", os.urandom(1_000), on_delivery=lambda error, _: errors.append(error))
            assert producer.flush(_SECONDS) == 0
        kept = sum(error is None for error in errors)  # count(None) compares, which the original's errors cannot do
        assert 5 <= kept < 20
        assert broker.log_end("t", 0) == kept
        assert [error for error in errors[kept:] if error is None] == []
        assert not errors[-1].retriable()  # type: ignore[union-attr]


def test_wait_for_gives_what_it_found_or_times_out(broker: Broker) -> None:
    """The condition's value; the last one is in the error."""
    counted = iter(range(10))
    assert broker.wait_for(lambda: max(0, next(counted) - 2)) == 1
    with pytest.raises(TimeoutError, match=r"0\.05 s.*\[\]"):
        broker.wait_for(list, timeout=0.05)


def test_async_with() -> None:
    """As ``with``."""

    async def use() -> None:
        async with Broker() as broker:
            assert broker.leader(broker.topic("t"), 0) == 1

    asyncio.run(use())


_FORKING = """
import os, sys
from ottla.testing import Broker
broker = Broker(topics={"t": 1})
print(broker.bootstrap_servers, flush=True)
waits, ends = os.pipe()
child = os.fork()
if child == 0:
    os.close(ends)
    try:
        broker.topic("child")
    except RuntimeError as error:
        print("child:", error, flush=True)
    os.read(waits, 1)
    del broker
    os._exit(0)
sys.stdin.readline()
broker.kill(1)
print("killed", flush=True)
sys.stdin.readline()
os.close(ends)
os.waitpid(child, 0)
broker.start(1)
broker.topic("parent")
broker.close()
print("end", flush=True)
"""


def test_a_forked_child_does_not_inherit_it() -> None:
    """The child's calls raise; it holds neither the port nor the connections open; the parent goes on."""
    with subprocess.Popen(
        [sys.executable, "-c", _FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        host, _, port = process.stdout.readline().strip().rpartition(":")
        assert "parent" in process.stdout.readline()
        with socket.create_connection((host, int(port)), _SECONDS) as connection:
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "killed\n"
            with contextlib.suppress(ConnectionResetError):  # where it was not accepted yet
                assert connection.recv(1) == b""
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, int(port)), _SECONDS)
        process.stdin.close()
        assert select.select([process.stdout], [], [], _SECONDS)[0]
        assert process.stdout.readline() == "end\n"
        assert process.wait(_SECONDS) == 0


def test_a_failure_of_the_broker_is_said_by_every_call_and_by_the_end_of_the_block(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A defect in its thread: whoever uses it hears of it at once, also who never asks it anything."""
    begun = time.monotonic()
    broker = Broker(topics={"t": 1})
    with socket.create_connection(("127.0.0.1", port_of(broker)), _SECONDS) as connection:
        broker._native._panic()  # the one thing that has it fail
        with pytest.raises(RuntimeError, match="embedded broker has failed and serves nobody any more: a test asked"):
            broker.check()
        for call in (lambda: broker.topic("u"), lambda: broker.requests):
            with pytest.raises(RuntimeError, match="embedded broker has failed"):
                call()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    broker.close()  # it has been said
    with pytest.raises(RuntimeError, match="embedded broker has failed"), Broker() as broker:
        broker._native._panic()
    with pytest.raises(RuntimeError, match="embedded broker has failed") as raised, Broker() as broker:  # noqa: PT012
        broker._native._panic()
        raise LookupError("what the program makes of it")
    assert isinstance(raised.value.__context__, LookupError)
    assert time.monotonic() - begun < 5
    assert capfd.readouterr().err.count("a test asked for a panic") == 3
