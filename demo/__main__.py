"""Send every line, read it back, check that each came exactly once and in order per partition."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.text import Line, lines
from ottla.confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from ottla.confluent_kafka.admin import AdminClient, NewTopic
from tests.realkafka import Cluster, KafkaUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTITIONS = 6
SECONDS = 30.0
_AT_ONCE = 1_000


class DemoError(Exception):
    """The demo could not run, or its check failed; the text says why."""


@dataclass
class Stopwatch:
    """Wall time and CPU time of all threads of this process."""

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)

    def tell(self, did: str, count: int) -> None:
        """Print what `count` records took."""
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        rate, each = count / wall, cpu / count * 1e9
        print(
            f"{did:<8} {count:>9,} records in {wall:6.2f} s: {rate:>11,.0f} records/s, {each:6,.0f} ns of CPU a record"
        )


def main() -> int:
    """Run the demo; 0 if every line came exactly once and in order."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--file", type=Path, help="send this file's lines, not the repository's")
    parser.add_argument("--bootstrap", help="host:port of a running Kafka, else one is started")
    arguments = parser.parse_args()
    try:
        sent = text_to_send(arguments.file)
        with kafka(arguments.bootstrap) as bootstrap, topic(bootstrap) as name:
            produce(bootstrap, name, sent)
            check(sent, consume(bootstrap, name))
    except (DemoError, KafkaUnavailableError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    return 0


def text_to_send(file: Path | None) -> list[Line]:
    """Every line; an empty file is a mistake of who named it."""
    sent = lines(file)
    if not sent:
        raise DemoError(f"{file or 'the repository'} has no lines of text to send")
    return sent


@contextlib.contextmanager
def kafka(bootstrap: str | None) -> Iterator[str]:
    """The address of the user's Kafka, or of one that lives as long as the demo."""
    if bootstrap:
        yield bootstrap
        return
    print("starting Kafka (the first time its jars are fetched from Maven Central) ...", flush=True)
    with Cluster() as cluster:
        print(f"Kafka {cluster.version} runs at {cluster.bootstrap}")
        yield cluster.bootstrap


@contextlib.contextmanager
def topic(bootstrap: str) -> Iterator[str]:
    """A topic of a name nobody has, deleted at the end."""
    name = f"ottla-demo-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    try:
        admin.create_topics([NewTopic(name, PARTITIONS)], request_timeout=SECONDS)[name].result(2 * SECONDS)
    except KafkaException as error:
        raise DemoError(f"could not create a topic at {bootstrap}: {error}; is a Kafka broker there?") from error
    print(f"created topic {name} with {PARTITIONS} partitions")
    try:
        yield name
    finally:
        admin.delete_topics([name], request_timeout=SECONDS)[name].result(2 * SECONDS)
        print(f"deleted topic {name}")


def produce(bootstrap: str, name: str, sent: list[Line]) -> None:
    """Send every line: the file is the key, so that a file's lines stay in order."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    failed: list[object] = []
    delivered = 0

    def report(error: object, _message: object) -> None:
        nonlocal delivered
        if error is None:
            delivered += 1
        else:
            failed.append(error)

    records = [(line.file, line.text, line.headers) for line in sent]
    watch = Stopwatch()
    for key, value, headers in records:
        while True:
            try:
                producer.produce(name, key=key, value=value, headers=headers, on_delivery=report)
                break
            except BufferError:  # the queue is full: serve reports until there is room
                producer.poll(1)
        producer.poll(0)
    left = producer.flush(4 * SECONDS)
    watch.tell("sent", len(sent))
    if failed or left or delivered != len(sent):
        raise DemoError(f"{delivered} of {len(sent)} lines delivered, {left} not reported, errors: {failed[:3]}")


def consume(bootstrap: str, name: str) -> list[list[tuple[int, bytes, bytes]]]:
    """Read every partition from its beginning to its end: number, key and value of each record, in order."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "ottla-demo", "enable.auto.commit": False})
    partitions = [TopicPartition(name, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)]
    count = sum(consumer.get_watermark_offsets(partition, SECONDS)[1] for partition in partitions)
    messages: list[Any] = []
    watch = Stopwatch()
    consumer.assign(partitions)
    while len(messages) < count:
        taken = consumer.consume(min(_AT_ONCE, count - len(messages)), SECONDS)
        if not taken:
            raise DemoError(f"only {len(messages)} of {count} records came back within {SECONDS} s")
        for message in taken:
            if message.error() is not None:
                raise DemoError(f"reading failed: {message.error()}")
        messages += taken
    watch.tell("read", count)
    consumer.close()
    read: list[list[tuple[int, bytes, bytes]]] = [[] for _ in partitions]
    for message in messages:
        read[message.partition()].append((int(dict(message.headers())["number"]), message.key(), message.value()))
    return read


def check(sent: list[Line], read: list[list[tuple[int, bytes, bytes]]]) -> None:
    """Every line exactly once, none changed, numbers rising in every partition."""
    seen = [0] * len(sent)
    for number, partition in enumerate(read):
        last = -1
        for line, key, value in partition:
            if line <= last:
                raise DemoError(f"partition {number}: line {line} came after line {last}")
            last = line
            seen[line] += 1
            if (key, value) != (sent[line].file, sent[line].text):
                raise DemoError(f"line {line} of {sent[line].file!r} came back changed: {value!r}")
    lost, doubled = seen.count(0), sum(times > 1 for times in seen)
    if lost or doubled:
        raise DemoError(f"{lost} lines were lost, {doubled} came more than once")
    sizes = ", ".join(str(len(partition)) for partition in read)
    print(
        f"checked  {len(sent):>9,} lines of {len({line.file for line in sent})} files: each came exactly once,", end=" "
    )
    print(f"in order in every partition ({sizes})")


if __name__ == "__main__":
    sys.exit(main())
