"""The harness and the proxy themselves, checked with the original client."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import confluent_kafka
import pytest

from tests.python.proxy import API_METADATA, API_PRODUCE, CutError, Direction, Frame, Proxy, flip_byte
from tests.realkafka import Cluster
from tests.realkafka.broker import process_lives

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def produce_one(bootstrap: str, topic: str, **config: object) -> confluent_kafka.Message:
    """Send one record with the original and give its delivery report."""
    reports: list[confluent_kafka.Message] = []
    dotted = {key.replace("_", "."): value for key, value in config.items()}
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": 20_000} | dotted)
    producer.produce(topic, b"value", on_delivery=lambda _error, message: reports.append(message))
    assert producer.flush(30) == 0
    return reports[0]


def test_what_connects_to_the_proxy_stays_behind_it(proxy: Proxy, topic: str) -> None:
    """The advertised address is the proxy's, so that the Produce request is seen too."""
    assert produce_one(proxy.bootstrap, topic).error() is None
    assert len(proxy.seen(Direction.REQUEST, API_PRODUCE)) == 1
    proxy.wait_for(Direction.RESPONSE, API_PRODUCE)


def test_a_cut_connection_is_seen_by_the_client(proxy: Proxy, topic: str) -> None:
    """The first Produce is cut, the second one goes through: the client must have tried twice."""
    tries: list[Frame] = []

    def decide(frame: Frame) -> bytes:
        if frame.direction is Direction.REQUEST and frame.api_key == API_PRODUCE:
            tries.append(frame)
            if len(tries) == 1:
                raise CutError
        return frame.data

    proxy.decide = decide
    assert produce_one(proxy.bootstrap, topic).error() is None
    assert len(tries) == 2
    assert tries[0].connection != tries[1].connection


def test_a_flipped_byte_arrives_flipped(proxy: Proxy) -> None:
    """A Metadata answer with a damaged length prefix is no answer: the original reports no broker metadata."""
    proxy.decide = flip_byte(API_METADATA, 0, times=1_000)
    admin = confluent_kafka.Producer({"bootstrap.servers": proxy.bootstrap, "log_level": 0})
    with pytest.raises(confluent_kafka.KafkaException):
        admin.list_topics(timeout=3)
    assert proxy.seen(Direction.RESPONSE, API_METADATA)


def test_a_killed_broker_comes_back_with_its_data(kafka3: Cluster, create_topic: Callable[..., str]) -> None:
    """SIGKILL, two brokers go on, restart: all three serve again."""
    topic = create_topic(kafka3, replicas=3)
    victim = kafka3.brokers[0].node_id
    kafka3.kill(victim)
    assert [broker.running for broker in kafka3.brokers] == [False, True, True]
    assert produce_one(kafka3.bootstrap, topic, acks="all", message_timeout_ms=60_000).error() is None
    kafka3.restart(victim)
    assert all(broker.running for broker in kafka3.brokers)


def test_a_killed_test_run_leaves_no_broker_behind() -> None:
    """The process that started the cluster dies of SIGKILL; its broker dies too."""
    program = (
        "import sys; from tests.realkafka import Cluster; c = Cluster(); c.start(); "
        "print(c.brokers[0].pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert process_lives(pid)
        ended = os.pidfd_open(pid)
        owner.send_signal(signal.SIGKILL)
    try:
        assert select.select([ended], [], [], 20)[0], "the broker outlived its owner"
    finally:
        os.close(ended)


def test_up_and_down_by_hand(tmp_path: Path) -> None:
    """What a person does in two terminals: up, kill, start, down."""
    folder = tmp_path / "kafka"

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tests.realkafka", *arguments, "--dir", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "bootstrap" in command("up")
    try:
        assert '"running": false' in command("kill", "--broker", "0")
        assert '"running": true' in command("start", "--broker", "0")
        pid = Cluster.load(folder).brokers[0].pid
    finally:
        command("down")
    assert not process_lives(pid)
    assert not folder.exists()
