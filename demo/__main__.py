"""Send every line, read it back through a group of two, check that each came exactly once and in order."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from demo.reading import Reader, wait_until_shared
from demo.text import DemoError, Line, lines
from ottla.confluent_kafka import KafkaException, Producer
from ottla.confluent_kafka.admin import AdminClient, NewTopic
from ottla.testing import Broker

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTITIONS = 6
READERS = 2
SECONDS = 30.0


@dataclass
class Stopwatch:
    """Wall time and CPU time of all threads of this process."""

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)

    def tell(self, did: str, count: int) -> None:
        """Print what `count` records took."""
        wall = time.perf_counter() - self.wall
        print(f"{did:<8} {count:>9,} records in {wall:6.2f} s: {count / wall:>11,.0f} records/s")

    def tell_cpu(self, what: str, count: int) -> None:
        """Print the CPU time of `count` records."""
        each = (time.process_time() - self.cpu) / count * 1e9
        print(f"{'CPU':<8} {each:>9,.0f} ns a record, for {what}")


def main() -> int:
    """Run the demo; 0 if every line came exactly once and in order."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--file", type=Path, help="send this file's lines, not the repository's")
    parser.add_argument("--bootstrap", help="host:port of a running Kafka, else the embedded broker is used")
    arguments = parser.parse_args()
    try:
        sent = text_to_send(arguments.file)
        with kafka(arguments.bootstrap) as bootstrap, topic(bootstrap) as name:
            check(sent, send_and_read(bootstrap, name, sent, embedded=not arguments.bootstrap))
    except KafkaException as error:
        where = arguments.bootstrap or "the embedded broker"
        print(f"demo: {where}: {error}; is a Kafka broker there, and may you use groups and topics?", file=sys.stderr)
        return 1
    except (DemoError, OSError) as error:
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
    """The address of the user's Kafka, or of an embedded broker that lives as long as the demo."""
    if bootstrap:
        yield bootstrap
        return
    begun = time.perf_counter()
    with Broker() as broker:
        took = (time.perf_counter() - begun) * 1e3
        print(f"embedded broker at {broker.bootstrap_servers}, ready in {took:.1f} ms")
        yield broker.bootstrap_servers


@contextlib.contextmanager
def topic(bootstrap: str) -> Iterator[str]:
    """A topic of a name nobody has, deleted at the end."""
    name = f"ottla-demo-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(name, PARTITIONS)], request_timeout=SECONDS)[name].result(2 * SECONDS)
    print(f"created topic {name} with {PARTITIONS} partitions")
    try:
        yield name
    finally:
        admin.delete_topics([name], request_timeout=SECONDS)[name].result(2 * SECONDS)
        print(f"deleted topic {name}")


def send_and_read(bootstrap: str, name: str, sent: list[Line], *, embedded: bool) -> list[Reader]:
    """Let two consumers share the partitions, then send all lines while they read."""
    end = threading.Event()
    readers = [Reader(bootstrap, name, end) for _ in range(READERS)]
    with ThreadPoolExecutor(READERS) as threads:
        reading = [threads.submit(reader.run) for reader in readers]
        try:
            wait_until_shared(readers, reading, PARTITIONS, SECONDS)
            shares = " and ".join(str(sorted(reader.assigned)) for reader in readers)
            print(f"{READERS} consumers of one group own the partitions {shares}")
            watch = Stopwatch()
            produce(bootstrap, name, sent, watch)
            wait_until_read(readers, len(sent))
            watch.tell("read", len(sent))
            watch.tell_cpu(f"sending and reading{', the broker included' if embedded else ''}", len(sent))
        finally:
            end.set()
        for done in reading:
            done.result()
    return readers


def produce(bootstrap: str, name: str, sent: list[Line], watch: Stopwatch) -> None:
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

    for line in sent:
        while True:
            try:
                producer.produce(name, key=line.file, value=line.text, headers=line.headers, on_delivery=report)
                break
            except BufferError:  # the queue is full: serve reports until there is room
                producer.poll(1)
        producer.poll(0)
    left = producer.flush(4 * SECONDS)
    watch.tell("sent", len(sent))
    if failed or left or delivered != len(sent):
        raise DemoError(f"{delivered} of {len(sent)} lines delivered, {left} not reported, errors: {failed[:3]}")


def wait_until_read(readers: list[Reader], count: int) -> None:
    """Wait until so many records came, as long as some still come."""
    until, last = time.monotonic() + SECONDS, 0
    while (read := sum(len(reader.messages) for reader in readers)) < count:
        if read > last:
            until, last = time.monotonic() + SECONDS, read
        if time.monotonic() > until or any(reader.ended for reader in readers):
            raise DemoError(f"only {read} of {count} records came back, and none for {SECONDS} s")
        time.sleep(0.001)


def check(sent: list[Line], readers: list[Reader]) -> None:
    """Every line exactly once, none changed, numbers rising in every partition."""
    seen = [0] * len(sent)
    last = [-1] * PARTITIONS
    for message in (message for reader in readers for message in reader.messages):
        partition, line = message.partition(), int(dict(message.headers())["number"])
        if line <= last[partition]:
            raise DemoError(f"partition {partition}: line {line} came after line {last[partition]}")
        last[partition] = line
        seen[line] += 1
        if (message.key(), message.value()) != (sent[line].file, sent[line].text):
            raise DemoError(f"line {line} of {sent[line].file!r} came back changed: {message.value()!r}")
    lost, doubled = seen.count(0), sum(times > 1 for times in seen)
    if lost or doubled:
        raise DemoError(f"{lost} lines were lost, {doubled} came more than once")
    shares = " and ".join(f"{len(reader.messages):,}" for reader in readers)
    files = len({line.file for line in sent})
    print(f"checked  {len(sent):>9,} lines of {files} files: each came exactly once, in order in every partition")
    print(f"         the consumers read {shares} of them")


if __name__ == "__main__":
    sys.exit(main())
