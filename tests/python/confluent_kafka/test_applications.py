"""What applications do with the clients: threads, callbacks, finalisers, forks, codecs, transactions of others."""

from __future__ import annotations

import gc
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import confluent_kafka
import pytest

from tests.python.programs import run_program
from tests.python.reading import partitions_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.realkafka import Cluster

_SECONDS = 30.0
_CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def consumer_at_begin(package: Any, cluster: Cluster, topic: str, **config: object) -> Any:
    """A consumer of partition 0 from its first record."""
    dotted = {key.replace("_", "."): value for key, value in config.items()}
    consumer = package.Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": topic} | dotted)
    consumer.assign([package.TopicPartition(topic, 0, 0)])
    return consumer


def take(consumer: Any, count: int) -> list[Any]:
    """The next `count` messages, none of them an error."""
    messages: list[Any] = []
    until = time.monotonic() + _SECONDS
    while len(messages) < count and time.monotonic() < until:
        messages += consumer.consume(count - len(messages), 1)
    assert len(messages) == count
    assert [message.error() for message in messages if message.error() is not None] == []
    return messages


@pytest.mark.parametrize("codec", _CODECS)
def test_every_codec_is_written_and_read(package: Any, kafka: Cluster, topic: str, codec: str) -> None:
    """What the package writes the original reads, and what the original writes the package reads."""
    values = [b"%d " % number * 200 for number in range(500)]
    for writer in (package, confluent_kafka):
        producer = writer.Producer({"bootstrap.servers": kafka.bootstrap, "compression.type": codec})
        for value in values:
            producer.produce(topic, value, partition=0, headers={"codec": codec})
        assert producer.flush(_SECONDS) == 0
    assert [message.value() for message in partitions_of(kafka, topic)[0]] == values * 2
    consumer = consumer_at_begin(package, kafka, topic)
    messages = take(consumer, len(values) * 2)
    assert [message.value() for message in messages] == values * 2
    assert messages[-1].headers() == [("codec", codec.encode())]
    consumer.close()


@pytest.mark.parametrize("acks", [0, 1, "all"])
def test_every_acks_delivers(package: Any, kafka: Cluster, topic: str, acks: object) -> None:
    """A report without an error; with acks=0 nobody knows the offset."""
    leading = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap})
    leading.produce(topic, b"v", partition=0)
    assert leading.flush(_SECONDS) == 0  # the broker leads the partition by now: without acks it would drop the record
    producer = package.Producer({"bootstrap.servers": kafka.bootstrap, "acks": acks})
    reports: list[object] = []
    producer.produce(
        topic, b"v", partition=0, on_delivery=lambda error, message: reports.append((error, message.offset()))
    )
    assert producer.flush(_SECONDS) == 0
    assert reports == [(None, None if acks == 0 else 1)]
    consumer = consumer_at_begin(confluent_kafka, kafka, topic)  # waits: nobody said that it is there
    assert [message.value() for message in take(consumer, 2)] == [b"v", b"v"]
    consumer.close()


def test_a_record_of_nearly_a_megabyte_passes(package: Any, kafka: Cluster, topic: str) -> None:
    """Larger than any chunk, between small ones, in order."""
    values = [b"small", os.urandom(900_000), b"small again", b"\0" * 900_000, b"last"]
    producer = package.Producer({"bootstrap.servers": kafka.bootstrap})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(_SECONDS) == 0
    consumer = consumer_at_begin(package, kafka, topic)
    assert [message.value() for message in take(consumer, len(values))] == values
    consumer.close()


def test_aborted_records_are_not_seen(package: Any, kafka: Cluster, topic: str) -> None:
    """The original writes one transaction and aborts it between two committed ones; offsets jump over the markers."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic})
    producer.init_transactions(_SECONDS)
    for value, end in ((b"one", "commit"), (b"aborted", "abort"), (b"two", "commit")):
        producer.begin_transaction()
        for _ in range(3):
            producer.produce(topic, value, partition=0)
        producer.flush(_SECONDS)
        producer.commit_transaction(_SECONDS) if end == "commit" else producer.abort_transaction(_SECONDS)
    committed = consumer_at_begin(package, kafka, topic, enable_partition_eof=True)
    seen = [committed.poll(_SECONDS) for _ in range(7)]
    assert [message.value() for message in seen[:6]] == [b"one"] * 3 + [b"two"] * 3
    assert [message.offset() for message in seen[:6]] == [0, 1, 2, 8, 9, 10]
    assert seen[6].error().code() == package.KafkaError._PARTITION_EOF
    committed.close()
    uncommitted = consumer_at_begin(package, kafka, topic, isolation_level="read_uncommitted")
    assert [message.value() for message in take(uncommitted, 9)] == [b"one"] * 3 + [b"aborted"] * 3 + [b"two"] * 3
    uncommitted.close()


def test_eight_threads_produce_at_once(package: Any, kafka: Cluster, topic: str) -> None:
    """Every record once, each thread's in its order; one more thread polls."""
    producer = package.Producer({"bootstrap.servers": kafka.bootstrap})
    served: list[object] = []
    done = threading.Event()

    def produce(thread: int) -> None:
        for number in range(2_000):
            producer.produce(
                topic, b"%d:%d" % (thread, number), partition=0, on_delivery=lambda error, _: served.append(error)
            )

    def poll() -> None:
        while not done.is_set():
            producer.poll(0.01)

    threads = [threading.Thread(target=produce, args=(number,)) for number in range(8)]
    poller = threading.Thread(target=poll)
    for thread in (*threads, poller):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    poller.join()
    assert producer.flush(_SECONDS) == 0
    assert served == [None] * 16_000
    orders: dict[bytes, list[int]] = {}
    for message in partitions_of(kafka, topic)[0]:
        thread_name, number = (message.value() or b"").split(b":")
        orders.setdefault(thread_name, []).append(int(number))
    assert list(orders.values()) == [list(range(2_000))] * 8


def test_callbacks_may_use_the_producer(ottla: Any, kafka: Cluster, topic: str) -> None:
    """A report produces the next record, and polls; a chain of ten comes to its end in one flush or a few.

    The original ends the process here.
    """
    producer = ottla.Producer({"bootstrap.servers": kafka.bootstrap})
    order: list[int] = []

    def produce(number: int) -> None:
        def report(error: object, _message: object) -> None:
            assert error is None
            order.append(number)
            producer.poll(0)
            if number < 9:
                produce(number + 1)

        producer.produce(topic, b"%d" % number, partition=0, on_delivery=report)

    produce(0)
    until = time.monotonic() + _SECONDS
    while len(order) < 10 and time.monotonic() < until:
        producer.flush(1)
    assert order == list(range(10))


def test_what_a_callback_raises_leaves_poll(package: Any, kafka: Cluster, topic: str) -> None:
    """The report after it waits for the next call: nothing is lost by an exception."""
    # Quiet: the original's client never ends after this, and would log until the test run does.
    producer = package.Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    served: list[int] = []

    def report(number: int) -> Callable[[object, object], None]:
        def serve(_error: object, _message: object) -> None:
            served.append(number)
            if number == 0:
                raise LookupError("from the callback")

        return serve

    for number in range(3):
        producer.produce(topic, b"v", partition=0, on_delivery=report(number))
    until = time.monotonic() + _SECONDS
    raised: list[LookupError] = []
    while not raised and time.monotonic() < until:
        try:
            producer.poll(0.1)
        except LookupError as error:
            raised.append(error)
    assert [str(error) for error in raised] == ["from the callback"]
    assert served == [0]
    while len(served) < 3 and time.monotonic() < until:
        producer.poll(0.1)
    assert served == [0, 1, 2]


def test_a_finaliser_may_produce(package: Any, kafka: Cluster, topic: str) -> None:
    """``__del__`` runs wherever the collector does, also within a call to the producer."""
    producer = package.Producer({"bootstrap.servers": kafka.bootstrap})

    class Late:
        def __init__(self) -> None:
            self.me = self  # a cycle: only the collector frees it

        def __del__(self) -> None:
            producer.produce(topic, b"late", partition=0)

    for number in range(300):
        Late()
        producer.produce(topic, b"%d" % number, partition=0, headers=[("h", b"%d" % number)])
    gc.collect()
    assert producer.flush(_SECONDS) == 0
    values = [message.value() or b"" for message in partitions_of(kafka, topic)[0]]
    assert [value for value in values if value != b"late"] == [b"%d" % number for number in range(300)]
    assert values.count(b"late") == 300


_FORKING = """
import os, sys
from ottla import confluent_kafka
bootstrap, topic = sys.argv[1:]
producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 1000})
consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "fork"})
producer.list_topics(topic, timeout=30)
producer.produce(topic, b"parent before", partition=0)
child = os.fork()
if child == 0:
    code = 1
    try:
        assert len(producer) == 0, "the parent's queue is the parent's"
        producer.produce(topic, b"child", partition=0)
        assert producer.flush(30) == 0
        try:
            consumer.poll(0)
        except confluent_kafka.KafkaException as error:
            assert "forked" in str(error), error
            code = 0
    finally:
        os._exit(code)
producer.produce(topic, b"parent after", partition=0)
_, status = os.waitpid(child, 0)
assert producer.flush(30) == 0
assert os.waitstatus_to_exitcode(status) == 0, status
"""


def test_a_forked_child_has_a_client_of_its_own(ottla: Any, kafka: Cluster, topic: str) -> None:
    """The child's producer begins anew, its consumer says why it cannot; the parent delivers what was queued."""
    assert ottla.Producer
    done = run_program(_FORKING, kafka.bootstrap, topic)
    assert done.returncode == 0, done.stderr
    values = sorted(message.value() or b"" for message in partitions_of(kafka, topic)[0])
    assert values == [b"child", b"parent after", b"parent before"]


_FORKING_IN_A_CALLBACK = """
import os, sys
from ottla import confluent_kafka
bootstrap, topic = sys.argv[1:]
config = {"bootstrap.servers": bootstrap}
producers = [confluent_kafka.Producer(config | {"linger.ms": 1000}) for _ in range(3)]
first = confluent_kafka.Producer(config)
children = []

def fork(error, message):
    assert error is None, error
    children.append(os.fork())
    if children[0] == 0:
        # Still inside the parent's call of poll(): the child has engines of its own all the same.
        assert [len(producer) for producer in producers] == [0, 0, 0]
        producers[0].produce(topic, b"child, in the callback", partition=0)
        assert producers[0].flush(30) == 0

for number in range(1000):
    producers[number % 3].produce(topic, b"%d" % number, partition=0)
first.produce(topic, b"first", partition=0, on_delivery=fork)
while not children:
    first.poll(1)
if children[0] == 0:
    code = 1
    try:
        assert len(first) == 0
        for producer in (*producers, first):
            producer.produce(topic, b"child, after it", partition=0)
            assert producer.flush(30) == 0
        code = 0
    finally:
        os._exit(code)
_, status = os.waitpid(children[0], 0)
assert all(producer.flush(30) == 0 for producer in (*producers, first))
assert os.waitstatus_to_exitcode(status) == 0, status
"""


def test_a_callback_may_fork_and_queues_stay_with_the_parent(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Three producers have 1,000 records queued: the parent delivers each once, the child's first use works."""
    assert ottla.Producer
    done = run_program(_FORKING_IN_A_CALLBACK, kafka.bootstrap, topic)
    assert done.returncode == 0, done.stderr
    values = sorted(message.value() or b"" for message in partitions_of(kafka, topic)[0])
    queued = [b"%d" % number for number in range(1_000)]
    assert values == sorted([*queued, b"first", b"child, in the callback", *[b"child, after it"] * 4])


_FEW_DESCRIPTORS = """
import os, resource
from ottla.confluent_kafka import KafkaException, Producer
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), hard))
try:
    Producer({"bootstrap.servers": "127.0.0.1:1"})
except KafkaException as refused:
    error = refused.args[0]
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}).close()
print(error.name(), error.str())
"""


def test_an_engine_that_the_system_refuses_is_said_and_the_next_one_works(ottla: Any) -> None:
    """No descriptor is left for the engine: an error that says what to check, and no trace of it afterwards."""
    assert ottla.Producer
    done = run_program(_FEW_DESCRIPTORS)
    assert done.stdout.startswith("_CRIT_SYS_RESOURCE "), done.stderr
    assert "check the limits of threads and open files" in done.stdout


def test_idle_engines_cost_little(ottla: Any, kafka: Cluster) -> None:
    """E4: a hundred idle clients take under 1 % of a core; here 20 take under 5 % over 3 s, for a busy machine."""
    producers = [ottla.Producer({"bootstrap.servers": kafka.bootstrap}) for _ in range(20)]
    for producer in producers:
        producer.list_topics(timeout=_SECONDS)
    begun, cpu = time.monotonic(), time.process_time()
    threading.Event().wait(3)
    assert (time.process_time() - cpu) / (time.monotonic() - begun) < 0.05
    for producer in producers:
        producer.close()
