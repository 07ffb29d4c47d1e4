"""Callbacks that use their client, raise, close, keep their messages; and the end of a process with records queued.

Ottla alone: the original aborts on a poll inside a callback.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.python.programs import run_program

if TYPE_CHECKING:
    from tests.realkafka import Cluster

PATIENCE = 30.0


def made(ottla: Any, kafka: Cluster, **config: object) -> Any:
    """Make a producer."""
    return ottla.Producer({"bootstrap.servers": kafka.bootstrap} | {k.replace("_", "."): v for k, v in config.items()})


def test_a_report_has_its_headers(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Also after the callback, and None where there are none."""
    producer, kept = made(ottla, kafka), []
    producer.produce(topic, "v", "k", 0, headers=[("a", "x"), ("a", None)], callback=lambda _, m: kept.append(m))
    producer.produce(topic, None, None, 0, callback=lambda _, m: kept.append((m.headers(), m)))
    assert producer.flush(PATIENCE) == 0
    assert kept[0].headers() == [("a", b"x"), ("a", None)]
    assert (kept[0].key(), kept[0].value()) == (b"k", b"v")
    assert kept[1][0] is None
    assert kept[1][1].value() is None


def test_what_is_set_on_a_report_stays(ottla: Any, kafka: Cluster, topic: str) -> None:
    """The borrowed record does not come back over it."""
    producer, kept = made(ottla, kafka), []

    def change(_: object, message: Any) -> None:
        message.set_value("mine")
        message.set_headers([("mine", b"")])
        kept.append(message)

    producer.produce(topic, "v", "k", callback=change)
    producer.flush(PATIENCE)
    assert (kept[0].key(), kept[0].value(), kept[0].headers()) == (b"k", "mine", [("mine", b"")])


def test_nested_polls_serve_two_deep(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Deeper, poll returns 0 and flush what is left, at once."""
    producer, depth, deepest = made(ottla, kafka), [0], []

    def nesting(*_: object) -> None:
        depth[0] += 1
        if depth[0] == 2:
            deepest.append((producer.poll(5), producer.flush(5)))
        else:
            producer.poll(5)
        depth[0] -= 1

    for _ in range(5):
        producer.produce(topic, "v", partition=0, callback=nesting)
    assert producer.flush(PATIENCE) == 0
    assert deepest
    assert all(served == 0 and left > 0 for served, left in deepest)
    assert len(producer) == 0


def test_flush_in_a_callback_does_not_wait_for_itself(ottla: Any, kafka: Cluster, topic: str) -> None:
    """It waits for the others and tells that one is left: its own."""
    producer, left = made(ottla, kafka), []

    def flushing(*_: object) -> None:
        producer.produce(topic, "more")
        left.append(producer.flush(PATIENCE))

    producer.produce(topic, "v", callback=flushing)
    began = time.monotonic()
    assert producer.flush(PATIENCE) == 0
    assert left == [1]
    assert time.monotonic() - began < PATIENCE / 2


def test_every_exception_of_a_flush_is_in_the_chain(ottla: Any, kafka: Cluster, topic: str) -> None:
    """The last one is raised, the earlier ones are its context."""
    producer = made(ottla, kafka)

    def raising(_: object, message: Any) -> None:
        raise ValueError(message.value())

    for number in range(3):
        producer.produce(topic, str(number), partition=0, callback=raising)
    with pytest.raises(ValueError, match="2") as raised:
        producer.flush(PATIENCE)
    chain: list[object] = []
    error: BaseException | None = raised.value
    while error is not None:
        chain.append(error.args[0])
        error = error.__context__
    assert chain == [b"2", b"1", b"0"]
    assert len(producer) == 0


def test_close_in_a_callback_takes_effect_when_it_returns(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Records behind it are still reported."""
    producer = made(ottla, kafka)
    seen: list[object] = []

    def closing(*_: object) -> None:
        seen.append(("close", producer.close()))
        producer.produce(topic, "late", partition=0, callback=lambda *_: seen.append("late"))

    producer.produce(topic, "v", partition=0, callback=closing)
    producer.produce(topic, "w", partition=0, callback=lambda *_: seen.append("w"))
    producer.flush(PATIENCE)
    assert seen[0] == ("close", True)
    assert set(seen[1:]) == {"w", "late"}
    with pytest.raises(RuntimeError, match="Producer has been closed"):
        producer.poll(0)


def test_a_callback_that_cannot_be_called_is_a_type_error(ottla: Any, kafka: Cluster, topic: str) -> None:
    """When its report is served; its record leaves the count."""
    producer = made(ottla, kafka)
    producer.produce(topic, "v", callback=5)
    with pytest.raises(TypeError, match="not callable"):
        producer.flush(PATIENCE)
    assert len(producer) == 0


def test_a_child_closes_what_it_inherited_in_silence() -> None:
    """Its own calls are refused; the parent goes on."""
    program = """
        import os, sys
        from ottla.confluent_kafka import Consumer, KafkaException
        consumer = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0})
        if os.fork() == 0:
            try:
                consumer.poll(0)
            except KafkaException as error:
                print(error.args[0].name(), "parent process" in error.args[0].str(), flush=True)
            consumer.close()
            del consumer
            sys.exit(0)
        print(os.wait()[1], consumer.assignment(), consumer.close())
    """
    ended = run_program(program)
    assert ended.stdout.splitlines() == ["_STATE True", "0 [] None"], ended.stderr


def test_a_full_queue_says_how_many_reports_wait(ottla: Any, kafka: Cluster, topic: str) -> None:
    """A program that never polls is told to; after a poll it goes on."""
    producer = made(ottla, kafka, queue_buffering_max_messages=5)

    def fill() -> None:
        while True:
            try:
                producer.produce(topic, "v", callback=lambda *_: None)
            except BufferError as full:
                if "5 delivery reports" in str(full):
                    raise

    with pytest.raises(BufferError, match="Local: Queue full: 5 delivery reports wait for poll"):
        fill()
    assert producer.poll(PATIENCE) == 5
    producer.produce(topic, "v")
    assert producer.flush(PATIENCE) == 0


def test_an_error_callback_that_raises_keeps_the_others(ottla: Any) -> None:
    """They come with the next poll."""
    seen: list[str] = []

    def raising(error: Any) -> None:
        seen.append(error.name())
        raise ValueError(error.name())

    producer = ottla.Producer({"bootstrap.servers": "127.0.0.1:1", "error_cb": raising, "log_level": 0})
    producer.produce("t")
    for _ in range(2):
        with pytest.raises(ValueError, match="_"):
            producer.poll(PATIENCE)
    assert set(seen) == {"_TRANSPORT", "_ALL_BROKERS_DOWN"}


def test_the_logger_is_served_from_poll(ottla: Any) -> None:
    """In the original's format."""
    lines: list[tuple[object, ...]] = []

    class Logger:
        def log(self, *line: object) -> None:
            lines.append(line)

    consumer = ottla.Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g"}, logger=Logger())
    while not any(line[2] == "FAIL" for line in lines):
        consumer.poll(0.05)
    level, form, facility, name, text = next(line for line in lines if line[2] == "FAIL")
    assert (level, form, facility) == (40, "%s [%s] %s", "FAIL")
    assert str(name).startswith("rdkafka#consumer-")
    assert "127.0.0.1:1/bootstrap" in str(text)


def test_each_record_leaves_after_linger(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Without a flush, also when its topic is long known."""
    producer, offsets = made(ottla, kafka), []
    for _ in range(4):
        producer.produce(topic, "v", partition=0, callback=lambda _, message: offsets.append(message.offset()))
        assert producer.poll(PATIENCE) == 1
    assert offsets == [0, 1, 2, 3]


def test_an_interrupted_consume_loses_nothing(kafka: Cluster, topic: str) -> None:
    """What it had taken comes first with the next call; a seek drops it."""
    program = """
        import os, signal, sys, threading
        from ottla.confluent_kafka import Consumer, Producer, TopicPartition
        producer = Producer({"bootstrap.servers": sys.argv[1]})
        for number in range(20):
            producer.produce(sys.argv[2], str(number), partition=0)
        producer.flush()
        config = {"bootstrap.servers": sys.argv[1], "group.id": "g", "auto.offset.reset": "earliest"}
        consumer, place = Consumer(config), TopicPartition(sys.argv[2], 0, 0)
        consumer.assign([place])

        def interrupted():
            threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                consumer.consume(100, 30)
            except KeyboardInterrupt:
                return consumer.position([place])[0].offset

        print(interrupted(), [int(each.value()) for each in consumer.consume(5, 30)], int(consumer.poll(30).value()))
        interrupted()
        consumer.seek(TopicPartition(sys.argv[2], 0, 17))
        print([int(each.value()) for each in consumer.consume(3, 30)])
    """
    ended = run_program(program, kafka.bootstrap, topic)
    assert ended.stdout.splitlines() == ["0 [0, 1, 2, 3, 4] 5", "[17, 18, 19]"], ended.stderr


def test_what_is_queued_at_exit_is_sent(ottla: Any, kafka: Cluster, topic: str) -> None:
    """Without callbacks."""
    program = """
        import sys
        from ottla.confluent_kafka import Producer
        producer = Producer({"bootstrap.servers": sys.argv[1], "linger.ms": 1000})
        producer.list_topics(timeout=30)  # where no broker was ever reached nothing is waited for
        for number in range(100):
            producer.produce(sys.argv[2], str(number), partition=0, callback=lambda *_: print("called"))
    """
    ended = run_program(program, kafka.bootstrap, topic)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    consumer = ottla.Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.assign([ottla.TopicPartition(topic, 0)])
    assert [int(each.value()) for each in consumer.consume(100, PATIENCE)] == list(range(100))


def test_an_atexit_of_the_program_may_flush(kafka: Cluster, topic: str) -> None:
    """With callbacks: it comes before ours."""
    program = """
        import atexit, sys
        from ottla.confluent_kafka import Producer
        producer = Producer({"bootstrap.servers": sys.argv[1]})
        atexit.register(lambda: print(producer.flush(30)))
        producer.produce(sys.argv[2], "v", callback=lambda error, _: print(error))
    """
    ended = run_program(program, kafka.bootstrap, topic)
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, ["None", "0"], "")


def test_records_that_nobody_can_be_sent_do_not_hold_the_exit() -> None:
    """No broker was ever reached: the loss is told in one line."""
    program = """
        from ottla.confluent_kafka import Producer
        producer = Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
        producer.produce("t", "v")
    """
    ended = run_program(program)
    assert ended.returncode == 0
    assert len(ended.stderr.splitlines()) == 1
    assert "1 messages were not delivered" in ended.stderr
