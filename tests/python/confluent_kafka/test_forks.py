"""Forks of a process whose producer has records queued and whose consumer is a member: children end in every way.

What the first use of an inherited client does is in `test_applications` and `test_groups`; here it is the
parent that must notice nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.python.programs import run_program
from tests.python.reading import partitions_of

if TYPE_CHECKING:
    from tests.realkafka import Cluster

_MEMBER = """
import gc, multiprocessing, os, sys, time
from ottla import confluent_kafka
bootstrap, topic = sys.argv[1:]
events = []
config = {"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest"}
consumer = confluent_kafka.Consumer(config | {"session.timeout.ms": 2000, "heartbeat.interval.ms": 300})
consumer.subscribe(
    [topic],
    on_assign=lambda _, partitions: events.append(f"assign {len(partitions)}"),
    on_revoke=lambda *_: events.append("revoke"),
    on_lost=lambda *_: events.append("lost"),
)
producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 3000})
producer.list_topics(topic, timeout=30)
while not events:
    consumer.poll(0.1)
member = consumer.memberid()
reports = []
for number in range(1000):
    producer.produce(topic, str(number), partition=0, on_delivery=lambda error, _: reports.append(error))

def ends_as_programs_do():
    sys.exit(0)

def closes():
    consumer.close()
    producer.close()
    sys.exit(0)

def drops():
    global consumer, producer
    del consumer, producer
    gc.collect()
    sys.exit(0)

def makes_its_own():
    own = confluent_kafka.Consumer(config | {"group.id": topic + "-child"})
    own.subscribe([topic])
    while not own.assignment():
        own.poll(0.1)
    own.close()
    sys.exit(0)

def own_process():
    other = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
    other.produce(topic, "child", partition=1)
    assert other.flush(30) == 0

children = []
for kind in (ends_as_programs_do, closes, drops, makes_its_own):
    child = os.fork()
    if child == 0:
        kind()
    children.append(child)
process = multiprocessing.get_context("fork").Process(target=own_process)
process.start()
read = []
# As long as two sessions after the last of them has ended.
until = None
while until is None or time.monotonic() < until:
    message = consumer.poll(0.1)
    if message is not None:
        read.append((message.partition(), message.value()))
    producer.poll(0)
    for child in list(children):
        if os.waitpid(child, os.WNOHANG)[0]:
            children.remove(child)
    if until is None and not children and not process.is_alive():
        until = time.monotonic() + 4
assert process.exitcode == 0, process.exitcode
assert producer.flush(30) == 0
assert reports == [None] * 1000, len(reports)
while len(read) < 1001:
    message = consumer.poll(1)
    if message is not None:
        read.append((message.partition(), message.value()))
assert (1, b"child") in read
assert [value for partition, value in read if partition == 0] == [b"%d" % number for number in range(1000)]
assert events == ["assign 4"], events
assert consumer.memberid() == member
print("parent", events)
consumer.close()
"""

_IN_A_CALLBACK = """
import os, sys
from ottla import confluent_kafka
bootstrap, topic, callback = sys.argv[1:]
children, called = [], []

def fork(name):
    def listener(*_):
        called.append(name)
        if name == callback and not children:
            children.append(os.fork())
    return listener

config = {"bootstrap.servers": bootstrap, "group.id": topic, "enable.auto.commit": False}
consumer = confluent_kafka.Consumer(config | {"on_commit": fork("on_commit")})
consumer.subscribe([topic], on_assign=fork("on_assign"), on_revoke=fork("on_revoke"))
try:
    while not consumer.assignment():
        consumer.poll(0.1)
    consumer.commit(offsets=[confluent_kafka.TopicPartition(topic, 0, 7)])
    while "on_commit" not in called:
        consumer.poll(0.1)
    if callback == "on_close":
        fork("on_close")()
    consumer.close()
except confluent_kafka.KafkaException as error:
    told = children == [0] and "makes its own Consumer" in str(error)
    consumer.close()
    sys.exit(0 if told else 77)
if children[0] == 0:
    # close() ends quietly in a child: all that it inherited is its parent's.
    sys.exit(0 if callback in ("on_revoke", "on_close") else 78)
_, status = os.waitpid(children[0], 0)
assert os.waitstatus_to_exitcode(status) == 0, os.waitstatus_to_exitcode(status)
asking = confluent_kafka.Consumer(config)
assert asking.committed([confluent_kafka.TopicPartition(topic, 0)], 30)[0].offset == 7
asking.close()
print("parent", *called)
"""


def test_a_parent_keeps_its_place_and_its_queue_whatever_its_children_do(
    ottla: Any, kafka: Cluster, topic: str
) -> None:
    """They exit as programs do, close, drop what they inherited, make their own: no rebalance, each record once."""
    assert ottla.Consumer
    done = run_program(_MEMBER, kafka.bootstrap, topic)
    assert (done.returncode, done.stdout, done.stderr) == (0, "parent ['assign 4']\n", "")
    assert len(partitions_of(kafka, topic)[0]) == 1_000


@pytest.mark.parametrize("callback", ["on_assign", "on_commit", "on_revoke", "on_close"])
def test_each_callback_of_a_member_may_fork(ottla: Any, kafka: Cluster, topic: str, callback: str) -> None:
    """The child's call is told what to do, or ends quietly where it closes; the parent's goes on and commits."""
    assert ottla.Consumer
    done = run_program(_IN_A_CALLBACK, kafka.bootstrap, topic, callback)
    assert done.returncode == 0, done.stderr
    expected = ["on_assign", "on_commit"] + (["on_close"] if callback == "on_close" else []) + ["on_revoke"]
    assert done.stdout.split() == ["parent", *expected], done.stderr
