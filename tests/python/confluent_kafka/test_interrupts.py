"""Ctrl-C in the calls and callbacks of a member: it ends every wait at once, and nothing is lost by it."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.python.confluent_kafka.test_groups import PATIENCE, committed, fill, made, numbers, poll_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.python.proxy import Frame
    from tests.realkafka import Cluster

#: How long after its arrival a call may go on; most of it is for a busy machine.
SOON = 0.05


def _arrive(arrived: list[float]) -> None:
    arrived.append(time.monotonic())
    raise KeyboardInterrupt


def interrupted(call: Callable[[], object]) -> float:
    """Make a call that Ctrl-C ends; how long after its arrival."""
    arrived: list[float] = []
    previous = signal.signal(signal.SIGINT, lambda *_: _arrive(arrived))
    timer = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            call()
        return time.monotonic() - arrived[0]
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, previous)


@pytest.mark.parametrize("call", ["committed", "commit", "poll", "consume"])
def test_ctrl_c_ends_every_wait(ottla: Any, call: str) -> None:
    """Within 50 ms of its arrival, though no broker answers."""
    consumer = ottla.Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0})
    partition = ottla.TopicPartition("t", 0, 1)
    consumer.subscribe(["t"])
    calls: dict[str, Callable[[], object]] = {
        "committed": lambda: consumer.committed([partition], 20),
        "commit": lambda: consumer.commit(offsets=[partition], asynchronous=False),
        "poll": lambda: consumer.poll(20),
        "consume": lambda: consumer.consume(5, 20),
    }
    assert interrupted(calls[call]) < SOON
    consumer.close()


def test_ctrl_c_ends_close(ottla: Any, proxy: Any, topic: str) -> None:
    """Partitions were revoked, the group cannot be left; the consumer is closed."""
    consumer = ottla.Consumer({"bootstrap.servers": proxy.bootstrap, "group.id": topic, "log_level": 0})
    revoked: list[int] = []
    consumer.subscribe([topic], on_revoke=lambda _, partitions: revoked.append(len(partitions)))
    poll_until(lambda: len(consumer.assignment()) == 4, consumer)
    proxy.decide = lambda _: b""
    assert interrupted(consumer.close) < SOON
    assert revoked == [4]
    with pytest.raises(RuntimeError, match="Consumer closed"):
        consumer.poll(0)


def test_ctrl_c_in_a_callback_leaves_poll(ottla: Any, kafka: Cluster, topic: str) -> None:
    """And the partitions are assigned."""

    def assign(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(5)

    consumer = made(ottla, kafka, topic)
    consumer.subscribe([topic], on_assign=assign)
    with pytest.raises(KeyboardInterrupt):
        poll_until(lambda: False, consumer)
    assert len(consumer.assignment()) == 4
    consumer.close()


class Held:
    """What a proxy does while nothing passes."""

    def __init__(self, proxy: Any) -> None:
        """Nothing passes from now on."""
        self._passes = threading.Event()
        self._proxy = proxy
        proxy.decide = self._hold

    def _hold(self, frame: Frame) -> bytes:
        self._passes.wait(PATIENCE)
        return frame.data

    def release(self) -> None:
        """All that was held goes on, in order."""
        self._passes.set()


@pytest.mark.parametrize("call", ["committed", "commit", "poll", "consume", "get_watermark_offsets", "list_topics"])
def test_a_member_goes_on_after_ctrl_c(ottla: Any, proxy: Any, kafka: Cluster, topic: str, call: str) -> None:
    """The broker does not answer just then; it is a member as before, and reads and commits."""
    events: list[str] = []
    consumer = made(ottla, proxy, topic, enable_auto_commit=False)
    consumer.subscribe(
        [topic], on_assign=lambda *_: events.append("assign"), on_revoke=lambda *_: events.append("revoke")
    )
    poll_until(lambda: len(consumer.assignment()) == 4, consumer)
    held = Held(proxy)
    partition = ottla.TopicPartition(topic, 0, 0)
    calls: dict[str, Callable[[], object]] = {
        "committed": lambda: consumer.committed([partition], 20),
        "commit": lambda: consumer.commit(offsets=[partition], asynchronous=False),
        "poll": lambda: consumer.poll(20),
        "consume": lambda: consumer.consume(5, 20),
        "get_watermark_offsets": lambda: consumer.get_watermark_offsets(partition, 20),
        "list_topics": lambda: consumer.list_topics(timeout=20),
    }
    assert interrupted(calls[call]) < SOON
    held.release()
    fill(kafka, topic, 3)
    came = poll_until(lambda: consumer.position([partition])[0].offset == 3, consumer)
    assert numbers(came) == [0, 1, 2]
    consumer.commit(asynchronous=False)
    assert events == ["assign"]
    consumer.close()
    assert committed(kafka, topic) == 3


def test_subscribing_and_giving_up_never_wait(ottla: Any) -> None:
    """Without any broker they come back at once: there is nothing for Ctrl-C to end."""
    consumer = ottla.Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0})
    calls: list[Callable[[], object]] = [
        lambda: consumer.subscribe(["t"]),
        consumer.commit,
        consumer.memberid,
        consumer.consumer_group_metadata,
        consumer.unsubscribe,
    ]
    for call in calls:
        began = time.monotonic()
        try:
            call()
        except ottla.KafkaException as refused:
            assert refused.args[0].name() == "_NO_OFFSET"  # noqa: PT017  # commit has nothing
        assert time.monotonic() - began < 1  # a busy machine, and no wait
    consumer.close()


def _press(*_: object) -> None:
    """Ctrl-C, within a callback that waits."""
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(5)


def test_ctrl_c_in_on_assign_leaves_consume(ottla: Any, kafka: Cluster, topic: str) -> None:
    """And no record is lost."""
    fill(kafka, topic, 3)
    consumer = made(ottla, kafka, topic)
    consumer.subscribe([topic], on_assign=_press)
    with pytest.raises(KeyboardInterrupt):
        consumer.consume(3, PATIENCE)
    assert len(consumer.assignment()) == 4
    assert numbers(consumer.consume(3, PATIENCE)) == [0, 1, 2]
    consumer.close()


def test_ctrl_c_in_on_revoke_leaves_poll(ottla: Any, kafka: Cluster, topic: str) -> None:
    """And the partitions are gone."""
    consumer = made(ottla, kafka, topic)
    consumer.subscribe([topic], on_revoke=_press)
    poll_until(lambda: len(consumer.assignment()) == 4, consumer)
    consumer.unsubscribe()
    with pytest.raises(KeyboardInterrupt):
        poll_until(lambda: False, consumer)
    assert consumer.assignment() == []
    consumer.close()


@pytest.mark.parametrize("way", ["close", "with"])
def test_ctrl_c_in_on_revoke_leaves_close(ottla: Any, kafka: Cluster, topic: str, way: str) -> None:
    """What was handed over is committed, the consumer is closed, and another member has all at once."""
    fill(kafka, topic, 3)
    consumer = made(ottla, kafka, topic, enable_auto_commit=True)
    consumer.subscribe([topic], on_revoke=_press)
    assert numbers(consumer.consume(3, PATIENCE)) == [0, 1, 2]
    with pytest.raises(KeyboardInterrupt):
        consumer.close() if way == "close" else consumer.__exit__(None, None, None)
    with pytest.raises(RuntimeError, match="Consumer closed"):
        consumer.poll(0)
    began = time.monotonic()
    after = made(ottla, kafka, topic)
    after.subscribe([topic])
    poll_until(lambda: len(after.assignment()) == 4, after)
    assert time.monotonic() - began < 5
    after.close()
    assert committed(kafka, topic) == 3


def test_ctrl_c_in_on_commit_leaves_poll(ottla: Any, kafka: Cluster, topic: str) -> None:
    """And the next commit is told with the next poll."""
    offsets: list[int] = []

    def on_commit(_: object, partitions: list[Any]) -> None:
        offsets.append(partitions[0].offset)
        if len(offsets) == 1:
            _press()

    consumer = made(ottla, kafka, topic, on_commit=on_commit)
    for offset in (1, 2):
        consumer.commit(offsets=[ottla.TopicPartition(topic, 0, offset)])
    with pytest.raises(KeyboardInterrupt):
        poll_until(lambda: False, consumer)
    poll_until(lambda: len(offsets) == 2, consumer)
    assert offsets == [1, 2]
    consumer.close()
