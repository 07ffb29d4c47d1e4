"""Members of groups where the original does otherwise or not at all.

Callbacks that use, close or fork their consumer, calls that are interrupted or raise, records that a call holds when a
rebalance comes.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import confluent_kafka
import pytest

from tests.python.programs import run_program
from tests.python.proxy import API_METADATA, Direction, Frame, Proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.realkafka import Cluster

PATIENCE = 30.0


def made(package: Any, kafka: Cluster, topic: str, **config: object) -> Any:
    """Make a consumer of the group that has the topic's name, from the log's start."""
    defaults: dict[str, object] = {
        "bootstrap.servers": kafka.bootstrap,
        "group.id": topic,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6000,
    }
    dotted = {key if key == "on_commit" else key.replace("_", "."): value for key, value in config.items()}
    return package.Consumer(defaults | dotted)


def fill(kafka: Cluster, topic: str, count: int, partition: int = 0) -> None:
    """Produce numbers, with the original."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap})
    for number in range(count):
        producer.produce(topic, b"%d" % number, partition=partition)
    assert producer.flush(PATIENCE) == 0


def poll_until(condition: Callable[[], bool], *consumers: Any) -> list[Any]:
    """Poll all in turn until it holds; what came."""
    came: list[Any] = []
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come"
        came += [message for message in (consumer.poll(0.05) for consumer in consumers) if message is not None]
    return came


def committed(kafka: Cluster, topic: str, partition: int = 0) -> int:
    """Ask the original what the group has committed."""
    asking = made(confluent_kafka, kafka, topic)
    offset: int = asking.committed([confluent_kafka.TopicPartition(topic, partition)], PATIENCE)[0].offset
    asking.close()
    return offset


def numbers(messages: list[Any]) -> list[int]:
    """Read the values."""
    return [int(message.value()) for message in messages if message.error() is None]


def test_what_on_assign_raises_leaves_consume_at_once_and_no_record_is_lost(
    ottla: Any, kafka: Cluster, topic: str
) -> None:
    """The original waits out its time and loses what it had taken."""
    fill(kafka, topic, 3)

    def refuse(_: Any, partitions: list[Any]) -> None:
        raise LookupError(len(partitions))

    consumer = made(ottla, kafka, topic)
    consumer.subscribe([topic], on_assign=refuse)
    with pytest.raises(LookupError):
        consumer.consume(3, PATIENCE)
    assert numbers(consumer.consume(3, PATIENCE)) == [0, 1, 2]
    consumer.close()


def test_closing_in_a_callback_takes_effect_when_it_returns(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Partitions are revoked, the group is left."""
    events: list[str] = []

    def assign(consumer: Any, _: list[Any]) -> None:
        consumer.close()
        consumer.assignment()  # not closed yet
        events.append("assign")

    consumer = made(ottla, kafka, topic)
    consumer.subscribe([topic], on_assign=assign, on_revoke=lambda *_: events.append("revoke"))
    end = time.monotonic() + PATIENCE
    while "revoke" not in events and time.monotonic() < end:
        assert consumer.poll(0.1) is None
    assert events == ["assign", "revoke"]
    with pytest.raises(RuntimeError, match="Consumer closed"):
        consumer.poll(0)


@pytest.mark.parametrize("raising", [False, True])
def test_close_in_another_thread_waits_for_a_callback(ottla: Any, kafka: Cluster, topic: str, *, raising: bool) -> None:
    """Then what was assigned is revoked, once, and the consumer is closed when close returns."""
    events: list[str] = []
    inside, closing = threading.Event(), threading.Event()

    def assign(consumer: Any, _: list[Any]) -> None:
        inside.set()
        assert closing.wait(PATIENCE)
        end = time.monotonic() + 1
        while "closed" not in events and time.monotonic() < end:
            consumer.assignment()  # not closed yet
        events.append("assigned")
        if raising:
            raise LookupError

    def poll() -> None:
        try:
            consumer.poll(PATIENCE)
        except LookupError:
            events.append("raised")

    consumer = made(ottla, kafka, topic)
    consumer.subscribe([topic], on_assign=assign, on_revoke=lambda *_: events.append("revoke"))
    polling = threading.Thread(target=poll)
    polling.start()
    assert inside.wait(PATIENCE)
    closing.set()
    consumer.close()
    events.append("closed")
    polling.join(PATIENCE)
    assert not polling.is_alive()
    assert [event for event in events if event != "raised"] == ["assigned", "revoke", "closed"]
    assert ("raised" in events) == raising
    with pytest.raises(RuntimeError, match="Consumer closed"):
        consumer.poll(0)


def test_a_poll_within_a_callback(ottla: Any, kafka: Cluster, topic: str) -> None:
    """In on_assign it gives what was assigned by then, in on_revoke nothing of what goes."""
    fill(kafka, topic, 1000)
    within: list[Any] = []

    def assign(consumer: Any, partitions: list[Any]) -> None:
        consumer.assign(partitions)
        within.append(consumer.poll(PATIENCE))

    def revoke(consumer: Any, _: list[Any]) -> None:
        within.append(consumer.poll(0.3))
        within.append(consumer.consume(10, 0.1))

    consumer = made(ottla, kafka, topic)
    consumer.subscribe([topic], on_assign=assign, on_revoke=revoke)
    came = poll_until(lambda: len(within) == 1, consumer)
    came += consumer.consume(5, PATIENCE)
    consumer.unsubscribe()
    poll_until(lambda: len(within) == 3, consumer)
    assert numbers(within[:1]) == [0]
    assert numbers(came) == list(range(1, len(came) + 1))
    assert within[1:] == [None, []]
    consumer.close()


def test_nothing_of_a_revoked_partition_comes_after_its_callback_began(ottla: Any, kafka: Cluster, topic: str) -> None:
    """However much is queued, from poll and from consume; the next owner reads it."""
    for partition in range(4):
        fill(kafka, topic, 2000, partition)
    mine: set[int] = set()
    late: list[tuple[int, int]] = []
    first = made(ottla, kafka, topic, client_id="a")
    first.subscribe(
        [topic],
        on_assign=lambda _, partitions: mine.update(each.partition for each in partitions),
        on_revoke=lambda _, partitions: mine.difference_update(each.partition for each in partitions),
    )
    seen: list[tuple[int, int]] = []

    def note(messages: list[Any]) -> None:
        for message in messages:
            place = (message.partition(), message.offset())
            seen.append(place)
            if message.partition() not in mine:
                late.append(place)

    end = time.monotonic() + PATIENCE
    while len(seen) < 1000 and time.monotonic() < end:
        note(first.consume(100, 0.5))
    second = made(ottla, kafka, topic, client_id="b")
    second.subscribe([topic])
    others: list[tuple[int, int]] = []
    while len(seen) + len(others) < 8000 and time.monotonic() < end:
        note([message for message in [first.poll(0.01)] if message is not None])
        note(first.consume(7, 0.01))
        others += [(message.partition(), message.offset()) for message in second.consume(500, 0.05)]
    assert late == []
    assert sorted(seen + others) == [(partition, offset) for partition in range(4) for offset in range(2000)]
    first.close()
    second.close()


def test_a_call_that_holds_records_returns_them_before_a_rebalance(ottla: Any, kafka: Cluster, topic: str) -> None:
    """E16: consume comes back early with what it has, and the next call begins with the callback."""
    fill(kafka, topic, 10)
    order: list[object] = []
    consumer = made(ottla, kafka, topic, enable_auto_commit=True)
    consumer.subscribe(
        [topic], on_assign=lambda *_: order.append("assign"), on_revoke=lambda *_: order.append("revoke")
    )
    assert numbers(consumer.consume(4, PATIENCE)) == [0, 1, 2, 3]
    threading.Timer(1.0, consumer.unsubscribe).start()
    held = numbers(consumer.consume(1000, PATIENCE))
    order.append(held)
    assert consumer.consume(1000, 1.0) == []
    assert order == ["assign", [4, 5, 6, 7, 8, 9], "revoke"]
    consumer.close()
    assert committed(kafka, topic) == 10


def test_an_interrupted_consume_commits_nothing_that_it_kept(ottla: Any, kafka: Cluster, topic: str) -> None:
    """What it had taken comes first with the next call, or goes to the next owner."""
    fill(kafka, topic, 10)
    consumer = made(ottla, kafka, topic, enable_auto_commit=True)
    consumer.subscribe([topic])
    assert numbers(consumer.consume(2, PATIENCE)) == [0, 1]
    _interrupt(2.0)
    with pytest.raises(KeyboardInterrupt):
        consumer.consume(1000, PATIENCE)
    offsets = consumer.commit(asynchronous=False)
    assert [each.offset for each in offsets if each.partition == 0] == [2]
    assert [int(consumer.poll(PATIENCE).value()) for _ in range(3)] == [2, 3, 4]
    offsets = consumer.commit(asynchronous=False)
    assert [each.offset for each in offsets if each.partition == 0] == [5]
    assert numbers(consumer.consume(2, PATIENCE)) == [5, 6]
    consumer.close()
    assert committed(kafka, topic) == 7


def test_a_consume_that_returns_commits_nothing_that_another_holds(ottla: Any, kafka: Cluster, topic: str) -> None:
    """One waits for more than there is and has a callback called, which consumes too."""
    fill(kafka, topic, 5)
    given: list[Any] = []
    returned, checked = threading.Event(), threading.Event()

    def on_commit(*_: object) -> None:
        fill(kafka, topic, 1, 1)
        given.extend(consumer.consume(1, PATIENCE))
        returned.set()
        assert checked.wait(PATIENCE)

    consumer = made(ottla, kafka, topic, enable_auto_commit=False, on_commit=on_commit)
    consumer.assign([ottla.TopicPartition(topic, number, 0) for number in (0, 1)])
    holding = threading.Thread(target=lambda: given.extend(consumer.consume(6, PATIENCE)))
    holding.start()
    end = time.monotonic() + PATIENCE
    while consumer.position([ottla.TopicPartition(topic, 0)])[0].offset < 5:
        assert time.monotonic() < end
    consumer.commit(offsets=[ottla.TopicPartition(topic, 2, 1)])
    assert returned.wait(PATIENCE)
    consumer.commit(asynchronous=False)
    assert (committed(kafka, topic, 1), committed(kafka, topic)) == (1, ottla.OFFSET_INVALID)
    checked.set()
    fill(kafka, topic, 1, 1)
    holding.join(PATIENCE)
    assert numbers(given) == [0, 0, 1, 2, 3, 4, 0]
    consumer.commit(asynchronous=False)
    assert (committed(kafka, topic, 1), committed(kafka, topic)) == (2, 5)
    consumer.close()


def test_on_commit_tells_each_partitions_own_error(ottla: Any, kafka: Cluster, topic: str) -> None:
    """The original gives the failure of one to all."""
    calls: list[tuple[Any, list[Any]]] = []
    consumer = made(ottla, kafka, topic, on_commit=lambda *told: calls.append(told))
    consumer.commit(offsets=[ottla.TopicPartition(topic, 77, 4), ottla.TopicPartition(topic, 0, 5)])
    poll_until(lambda: bool(calls), consumer)
    error, partitions = calls[0]
    assert error.name() == "UNKNOWN_TOPIC_OR_PART"
    assert [each.error and each.error.name() for each in partitions] == [None, "UNKNOWN_TOPIC_OR_PART"]
    consumer.close()
    assert committed(kafka, topic) == 5


def _interrupt(seconds: float) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


def test_who_subscribes_anew_while_metadata_is_asked_for_need_not_wait(
    package: Any, kafka: Cluster, proxy: Proxy, topic: str
) -> None:
    """The next regular refresh is five minutes away: here a pattern comes behind a question of names."""
    subscribed_anew = threading.Event()

    def hold(frame: Frame) -> bytes:
        if frame.direction is Direction.RESPONSE and frame.api_key == API_METADATA:
            subscribed_anew.wait(PATIENCE)
        return frame.data

    proxy.decide = hold
    consumer = made(package, kafka, topic, bootstrap_servers=proxy.bootstrap)
    consumer.subscribe([topic])
    proxy.wait_for(Direction.REQUEST, API_METADATA)
    consumer.subscribe([f"^{topic}"])
    subscribed_anew.set()
    poll_until(lambda: len(consumer.assignment()) == 4, consumer)
    consumer.close()


def test_closing_ends_within_its_time_without_the_coordinator(ottla: Any, proxy: Any, topic: str) -> None:
    """Ten seconds, and the consumer is closed."""
    consumer = ottla.Consumer(
        {"bootstrap.servers": proxy.bootstrap, "group.id": topic, "session.timeout.ms": 6000, "log_level": 0}
    )
    revoked: list[int] = []
    consumer.subscribe([topic], on_revoke=lambda _, partitions: revoked.append(len(partitions)))
    poll_until(lambda: len(consumer.assignment()) == 4, consumer)
    proxy.decide = lambda _: b""
    began = time.monotonic()
    consumer.close()
    assert time.monotonic() - began < 12
    assert revoked == [4]


def test_every_callback_of_close_is_called(ottla: Any, kafka: Cluster, topic: str) -> None:
    """The last exception propagates, with the earlier one as its context."""

    def refuse(*_: object) -> None:
        raise LookupError("revoke")

    def on_commit(*_: object) -> None:
        raise ValueError("commit")

    fill(kafka, topic, 1)
    consumer = made(ottla, kafka, topic, enable_auto_commit=True, on_commit=on_commit)
    consumer.subscribe([topic], on_revoke=refuse)
    assert consumer.poll(PATIENCE) is not None
    with pytest.raises(ValueError, match="commit") as raised:
        consumer.close()
    assert isinstance(raised.value.__context__, LookupError)
    with pytest.raises(RuntimeError, match="Consumer closed"):
        consumer.poll(0)


_FORKING = """
import os, sys
from ottla import confluent_kafka
bootstrap, topic = sys.argv[1:]
producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
for number in range(2000):
    producer.produce(topic, b"%d" % number, partition=0)
assert producer.flush(30) == 0
consumer = confluent_kafka.Consumer(
    {"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest"}
)
where, children = sys.argv[0], []

def refused(call):
    try:
        call()
    except confluent_kafka.KafkaException as error:
        return "forked child makes its own Consumer" in str(error)
    return False

def fork(*_):
    child = os.fork()
    if child:
        children.append(child)
    return child

def check():
    calls = [
        lambda: consumer.poll(0), lambda: consumer.consume(1, 0), consumer.commit, consumer.unsubscribe,
        lambda: consumer.subscribe([topic]), lambda: consumer.committed([]), consumer.memberid,
        lambda: consumer.store_offsets(offsets=[]), consumer.consumer_group_metadata, consumer.assignment,
    ]
    bad = [number for number, call in enumerate(calls) if not refused(call)]
    consumer.close()
    os._exit(bad[0] + 1 if bad else 0)

# In a callback: the child's poll says what to do.
def assign(*arguments):
    if fork() == 0:
        global in_child
        in_child = True

in_child = False
consumer.subscribe([topic], on_assign=assign)
read = []
try:
    while len(read) < 1:
        read += consumer.consume(1, 1)
except confluent_kafka.KafkaException as error:
    os._exit(0 if in_child and "makes its own Consumer" in str(error) else 77)
if in_child:
    os._exit(78)
# With a thousand records queued.
while len(read) < 1000:
    read += consumer.consume(10, 1)
if fork() == 0:
    check()
while len(read) < 2000:
    read += consumer.consume(100, 1)
for child in children:
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
assert len(children) == 2, children
assert [int(message.value()) for message in read] == list(range(2000))
consumer.close()
"""


def test_a_forked_child_of_a_member(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Forked in a callback and with records queued: the child is told what to do, the parent reads each record once."""
    assert ottla.Consumer
    done = run_program(_FORKING, kafka.bootstrap, topic)
    assert done.returncode == 0, done.stderr


def test_a_consumer_that_is_dropped_in_its_callbacks_cycle_is_collected(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Listeners that hold their consumer do not keep it."""

    def dropped() -> weakref.ref[Any]:
        consumer = made(ottla, kafka, topic)
        consumer.subscribe([topic], on_assign=lambda *_: consumer, on_revoke=lambda *_: consumer)
        return weakref.ref(consumer)

    seen = dropped()
    gc.collect()
    assert seen() is None


def _raised(call: Callable[[], object]) -> str:
    """Tell the name of what it raises: the code's, for an error of Kafka."""
    with pytest.raises(Exception) as raised:  # noqa: PT011  # the caller compares
        call()
    return str(raised.value.args[0].name()) if type(raised.value).__name__ == "KafkaException" else raised.typename


def test_what_the_calls_of_a_member_refuse(ottla: Any) -> None:
    """Without a broker: the client knows it by itself."""
    config: dict[str, object] = {"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0}
    storing, plain = ottla.Consumer(config), ottla.Consumer(config | {"enable.auto.offset.store": False})
    partition = ottla.TopicPartition
    plain.assign([partition("t", 0)])
    event = ottla.Message(topic="t", partition=0, offset=1, error=ottla.KafkaError(-191))
    refused: list[tuple[str, Callable[[], object]]] = [
        ("_INVALID_ARG", lambda: plain.subscribe([])),
        ("_INVALID_ARG", lambda: plain.subscribe(["t", "t"])),
        ("_INVALID_ARG", lambda: plain.subscribe(["^("])),
        ("TypeError", lambda: plain.subscribe(["t"], on_assign=1)),
        ("_NO_OFFSET", lambda: plain.commit(asynchronous=False)),
        ("_INVALID_ARG", lambda: plain.commit(event)),
        ("_INVALID_ARG", lambda: plain.store_offsets(event)),
        ("_INVALID_ARG", lambda: storing.store_offsets(offsets=[])),
        ("_STATE", lambda: plain.store_offsets(offsets=[partition("t", 5, 1)])),
        ("_UNKNOWN_PARTITION", lambda: plain.store_offsets(offsets=[partition("u", 0, 1)])),
        ("ValueError", plain.store_offsets),
        ("ValueError", lambda: plain.commit(event, [])),
        ("_TIMED_OUT", lambda: plain.committed([partition("t", 0)], 0.1)),
        ("_CONFLICT", lambda: plain.incremental_assign([partition("t", 0)])),
        ("_INVALID_ARG", lambda: plain.incremental_unassign([partition("t", 7)])),
    ]
    assert [(name, _raised(call)) for name, call in refused] == [(name, name) for name, _ in refused]
    storing.close()
    plain.close()


def test_an_eager_group_hands_over_whole_assignments(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Parts of them cannot be changed."""
    consumer = made(ottla, kafka, topic)
    consumer.subscribe([topic])
    poll_until(lambda: len(consumer.assignment()) == 4, consumer)
    assert _raised(lambda: consumer.incremental_unassign([])) == "_STATE"
    consumer.close()


def test_group_metadata_pickles(ottla: Any, kafka: Cluster, topic: str) -> None:
    """It is bytes, as in the original."""
    consumer = made(ottla, kafka, topic)
    metadata = consumer.consumer_group_metadata()
    assert pickle.loads(pickle.dumps(metadata)) == metadata  # noqa: S301  # our own
    consumer.close()


def test_threads_share_a_member(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Two poll at once, a third commits: each record once."""
    for partition in range(4):
        fill(kafka, topic, 500, partition)
    consumer = made(ottla, kafka, topic, enable_auto_commit=False)
    consumer.subscribe([topic])
    seen: list[tuple[int, int]] = []
    failed: list[BaseException] = []

    def take() -> None:
        end = time.monotonic() + PATIENCE
        try:
            while len(seen) < 2000 and time.monotonic() < end:
                message = consumer.poll(0.05)
                if message is not None:
                    seen.append((message.partition(), message.offset()))
        except BaseException as error:  # noqa: BLE001  # whatever it is
            failed.append(error)

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + PATIENCE
    while any(thread.is_alive() for thread in threads) and time.monotonic() < end:
        consumer.commit()
        threads[0].join(0.01)
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(seen) == [(partition, offset) for partition in range(4) for offset in range(500)]
    consumer.commit(offsets=consumer.position(consumer.assignment()), asynchronous=False)
    consumer.close()
    assert [committed(kafka, topic, partition) for partition in range(4)] == [500] * 4
