"""The measured loops, the same for every package, and the records that they move.

Each loop stands in a function (globals would cost more than the calls), and does what an application does and nothing
else. Who measures them, and in which process, is left to `worker`.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

PARTITIONS = 12
KEYS = 1_000
VALUE_BYTES = 100
_TIMEOUT = 10.0


def key_value_pairs() -> list[tuple[bytes, bytes]]:
    """1,000 pairs of an 8 byte key and a 100 byte value that looks like what people send, so that lz4 has work."""
    choose = random.Random(9)
    pairs = []
    for number in range(KEYS):
        user, price = choose.getrandbits(24), choose.random() * 1_000
        city = choose.choice(("Tokyo", "Porto", "Lagos", "Lima", "Oslo"))
        note = "".join(choose.choices("etaoin shrdlu", k=60))
        text = f'{{"id":{number},"user":"u{user:06x}","price":{price:.4f},"city":"{city}","note":"{note}"}}'
        pairs.append((b"key%05d" % number, text.encode()[:VALUE_BYTES].ljust(VALUE_BYTES, b".")))
    return pairs


def produce(producer: Any, topic: str, pairs: list[tuple[bytes, bytes]], count: int) -> None:
    """Send and forget."""
    send = producer.produce
    for key, value in itertools.islice(itertools.cycle(pairs), count):
        send(topic, value=value, key=key)
    _flush(producer)


def produce_with_callback(producer: Any, topic: str, pairs: list[tuple[bytes, bytes]], count: int) -> None:
    """A delivery report for each record, served by flush."""
    send, served = producer.produce, _Served()
    on_delivery = served.report
    for key, value in itertools.islice(itertools.cycle(pairs), count):
        send(topic, value=value, key=key, on_delivery=on_delivery)
    _flush(producer)
    served.check(count)


def produce_with_callback_and_poll(producer: Any, topic: str, pairs: list[tuple[bytes, bytes]], count: int) -> None:
    """The loop of the original's own examples: poll(0) after each record."""
    send, poll, served = producer.produce, producer.poll, _Served()
    on_delivery = served.report
    for key, value in itertools.islice(itertools.cycle(pairs), count):
        send(topic, value=value, key=key, on_delivery=on_delivery)
        poll(0)
    _flush(producer)
    served.check(count)


def poll_all(consumer: Any, count: int) -> None:
    """One record at a time, in the loop of the original's own examples: poll, error, value, key.

    `while True`, as there: CPython 3.11 leaves a loop that ends on its condition unspecialised.
    """
    poll, left = consumer.poll, count
    while True:
        message = poll(_TIMEOUT)
        if message is None:
            raise TimeoutError(f"poll gave nothing for {_TIMEOUT} s, {left} records are left")
        if message.error() is not None:
            raise RuntimeError(message.error())
        message.value()
        message.key()
        left -= 1
        if not left:
            break


def consume_all(consumer: Any, count: int) -> None:
    """A thousand records at a time: value and key of each."""
    consume, left = consumer.consume, count
    while left:
        messages = consume(1_000, _TIMEOUT)
        if not messages:
            raise TimeoutError(f"consume gave nothing for {_TIMEOUT} s, {left} records are left")
        for message in messages:
            message.value()
            message.key()
        left -= len(messages)


class _Served:
    """What the callbacks saw; a list append is the least that a callback can do and still be checked."""

    def __init__(self) -> None:
        self.errors: list[object] = []
        self.report = self._report

    def _report(self, error: object, _message: object) -> None:
        self.errors.append(error)

    def check(self, count: int) -> None:
        failed = [error for error in self.errors if error is not None]
        if failed or len(self.errors) != count:
            raise RuntimeError(f"{len(self.errors)} of {count} reports, {len(failed)} errors: {failed[:3]}")


def _flush(producer: Any) -> None:
    left = producer.flush(120)
    if left:
        raise TimeoutError(f"flush left {left} records")


PRODUCE_LOOPS = {
    "produce": produce,
    "produce-callback": produce_with_callback,
    "produce-callback-poll": produce_with_callback_and_poll,
    "produce-lz4": produce,
}
# The rows of a group subscribe, and commit by themselves.
CONSUME_LOOPS = {"poll": poll_all, "consume": consume_all, "poll-group": poll_all, "consume-group": consume_all}
