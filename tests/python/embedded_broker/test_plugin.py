"""The pytest plugin of the wheel, as a user's project finds it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.realkafka import Cluster

_TESTS = """
import pytest
from ottla.confluent_kafka import Consumer, Producer, TopicPartition

def send_and_read(broker, topic):
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce(topic, b"hello")
    assert producer.flush(30) == 0
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    assert consumer.poll(30).value() == b"hello"
    consumer.close()

def test_a_record_comes_back(ottla_broker, ottla_topic):
    send_and_read(ottla_broker, ottla_topic)

def test_it_does_so_in_another_topic(ottla_broker, ottla_topic):
    send_and_read(ottla_broker, ottla_topic)

@pytest.mark.ottla_topic(partitions=5)
def test_a_topic_has_its_partitions(ottla_broker, ottla_topic):
    producer = Producer({"bootstrap.servers": ottla_broker.bootstrap_servers})
    assert len(producer.list_topics(ottla_topic, 30).topics[ottla_topic].partitions) == 5

def test_the_client_survives_a_lost_answer(ottla_broker, ottla_topic, ottla_faults):
    lost = ottla_faults.arm(api="Produce", drop="after")
    send_and_read(ottla_broker, ottla_topic)
    assert lost.fired == 1

def test_a_fault_that_never_fires(ottla_broker, ottla_faults):
    ottla_faults.arm(api="Produce", drop="after")

def test_after_it_there_are_no_faults(ottla_broker, ottla_topic, ottla_faults):
    send_and_read(ottla_broker, ottla_topic)
    assert ottla_faults.unfired == []

def test_it_needs_the_embedded_broker(ottla_broker):
    ottla_broker.kill(1)
    ottla_broker.start(1)
"""


def run(folder: Path, *arguments: str, tests: str = _TESTS) -> str:
    """Run tests in a project of their own; what pytest prints."""
    (folder / "test_user.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "--strict-markers", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def test_the_fixtures_work_on_the_embedded_broker(tmp_path: Path) -> None:
    """Six pass; the one with a fault that never fires ends in an error that names it."""
    printed = run(tmp_path)
    assert "7 passed, 1 error" in printed, printed
    assert "ERROR test_user.py::test_a_fault_that_never_fires" in printed
    assert "FaultNeverFiredError" in printed


@pytest.mark.only_on("real")
def test_the_same_tests_run_on_real_kafka(tmp_path: Path, kafka: Cluster) -> None:
    """Those that need the embedded broker skip and say so."""
    printed = run(tmp_path, f"--kafka-bootstrap={kafka.bootstrap}")
    assert "3 passed, 4 skipped" in printed, printed
    assert "--kafka-bootstrap: faults needs the embedded broker" in printed
    assert "--kafka-bootstrap: killing a broker needs the embedded broker" in printed


def test_the_test_of_the_readme_passes(tmp_path: Path) -> None:
    """As it stands there."""
    section = Path("README.md").read_text().partition("## Test with it")[2]
    (found,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    printed = run(tmp_path, tests=found)
    assert "1 passed" in printed, printed
