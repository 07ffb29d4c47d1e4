"""Programs that produce."""

from __future__ import annotations

import time
from typing import Any

from tests.python.confluent_kafka.differential.setup import NOBODY, PATIENCE, Setup, attempt, show


def keys_values_and_headers_come_back(setup: Setup) -> object:
    """Every kind of payload and header that is taken, as a consumer sees it."""
    producer, topic = setup.producer(), setup.topic
    producer.produce(topic, "vé", b"k", 0, headers=[("a", "é"), ("b", None), ("a", b""), (5, b"x")], timestamp=0)
    producer.produce(topic, None, None, 0, headers={"a": "x", "b": b"y"}, timestamp=1234)
    producer.produce(topic, b"", b"", 0, headers=[], timestamp=-5)
    producer.produce(topic, "x" * 5000, "k" * 3000, 0, headers={})
    producer.produce(topic, value="last", key="key", partition=0, headers=[("h" * 300, "v" * 3000)])
    left = producer.flush(PATIENCE)
    consumer = setup.consumer()
    consumer.assign([setup.partition()])
    messages = setup.read(consumer, 5)
    return left, [setup.tell(each) for each in messages], [messages[1].timestamp(), messages[2].timestamp()]


def the_given_headers_stay_as_they_are(setup: Setup) -> object:
    """Neither list nor dict is changed."""
    producer = setup.producer()
    pairs, mapping = [("a", "x"), ("b", None)], {"a": "x"}
    producer.produce(setup.topic, "v", headers=pairs)
    producer.produce(setup.topic, "v", headers=mapping)
    return pairs, mapping, producer.flush(PATIENCE)


def _reports(setup: Setup, config: dict[str, Any], arguments: list[dict[str, Any]]) -> list[object]:
    called: list[object] = []

    def named(name: str) -> Any:
        return lambda error, message: called.append([name, show(error), setup.tell(message)[:5]])

    config = {key: named("config") if key == "on_delivery" else value for key, value in config.items()}
    producer = setup.producer(**config)
    for each in arguments:
        given = {key: named(key) if value is True else value for key, value in each.items()}
        producer.produce(setup.topic, "v", "k", 0, **given)
    called.append(producer.flush(PATIENCE))
    return called


def callback_goes_before_on_delivery(setup: Setup) -> object:
    """Even when it is None."""
    both: list[dict[str, Any]] = [
        {"callback": True, "on_delivery": True},
        {"callback": True, "on_delivery": None},
        {"callback": None, "on_delivery": True},
        {"on_delivery": True},
        {"callback": None},
    ]
    return [_reports(setup, {}, [each]) for each in both]


def the_configured_callback_is_the_default(setup: Setup) -> object:
    """Where a record has none of its own."""
    return _reports(setup, {"on_delivery": True}, [{}, {"callback": True}, {"callback": None}])


def reports_of_errors_alone(setup: Setup) -> object:
    """Nothing calls back for a record that arrived."""
    return _reports(setup, {"delivery_report_only_error": True, "on_delivery": True}, [{}, {"callback": True}])


def reports_come_in_order(setup: Setup) -> object:
    """One partition's reports keep the order of its records."""
    producer, seen = setup.producer(), []
    for number in range(500):
        producer.produce(
            setup.topic, str(number), partition=0, callback=lambda _, message: seen.append(message.value())
        )
    producer.flush(PATIENCE)
    return seen == [str(number).encode() for number in range(500)], len(producer)


def a_message_that_is_kept_outlives_its_report(setup: Setup) -> object:
    """Key and value stay after the callback, the flush, and the producer."""
    producer, kept = setup.producer(), []
    for number in range(10):
        producer.produce(setup.topic, str(number), f"k{number}", 0, callback=lambda _, message: kept.append(message))
    producer.flush(PATIENCE)
    del producer
    return [[show(each.key()), show(each.value()), each.offset()] for each in kept]


def len_counts_what_was_not_reported(setup: Setup) -> object:
    """Within the callbacks it falls by one each."""
    producer, lengths = setup.producer(), []
    for _ in range(4):
        producer.produce(setup.topic, "v", partition=0, callback=lambda *_: lengths.append(len(producer)))
    before = len(producer)
    return before, producer.flush(PATIENCE), lengths, len(producer), bool(producer)


def flush_serves_callbacks_that_raise(setup: Setup) -> object:
    """All of them; the last exception leaves."""
    producer, called = setup.producer(), []

    def raising(_: object, message: Any) -> None:
        called.append(show(message.value()))
        raise ValueError(message.value())

    for number in range(3):
        producer.produce(setup.topic, str(number), partition=0, callback=raising)
    first = attempt(lambda: producer.flush(PATIENCE))
    return first, called, attempt(lambda: producer.flush(PATIENCE)), len(producer)


def poll_stops_at_a_callback_that_raises(setup: Setup) -> object:
    """The others wait for the next poll."""
    producer, called = setup.producer(), []

    def raising(_: object, message: Any) -> None:
        called.append(show(message.value()))
        raise KeyError(message.value())

    for number in range(3):
        producer.produce(setup.topic, str(number), partition=0, callback=raising)
    outcomes = []
    end = time.monotonic() + PATIENCE
    while len(producer) and time.monotonic() < end:
        outcomes.append((attempt(lambda: producer.poll(1.0)), len(called)))
    return [each for each in outcomes if each[0] != "0"], called


def produce_from_a_callback(setup: Setup) -> object:
    """The flush waits for that record too."""
    producer, seen = setup.producer(), []

    def again(_: object, message: Any) -> None:
        seen.append(show(message.value()))
        if len(seen) < 4:
            producer.produce(setup.topic, f"after {len(seen)}", partition=0, callback=again)

    producer.produce(setup.topic, "first", partition=0, callback=again)
    return producer.flush(PATIENCE), seen, len(producer)


def what_a_callback_returns_is_ignored(setup: Setup) -> object:
    """Also for poll's count."""
    producer = setup.producer()
    producer.produce(setup.topic, "v", callback=lambda *_: 77)
    return producer.poll(PATIENCE), producer.flush(PATIENCE)


def an_unknown_partition_of_a_known_topic(setup: Setup) -> object:
    """Is refused at once."""
    producer = setup.producer()
    producer.produce(setup.topic, "v")
    producer.flush(PATIENCE)
    beyond = attempt(lambda: producer.produce(setup.topic, "v", partition=99))
    below = attempt(lambda: producer.produce(setup.topic, "v", partition=-2))
    return beyond, below, len(producer)


def an_unknown_partition_of_a_new_topic(setup: Setup) -> object:
    """Is reported."""
    producer, seen = setup.producer(), []

    def note(error: Any, message: Any) -> None:
        seen.append([show(error), setup.tell(message), show(message.timestamp()), message.leader_epoch()])

    producer.produce(setup.topic, "v", "k", partition=99, callback=note)
    return producer.flush(PATIENCE), seen


def a_topic_with_a_bad_name(setup: Setup) -> object:
    """Is reported, then refused."""
    producer, seen = setup.producer(), []

    def note(error: Any, message: Any) -> None:
        seen.append([show(error), message.partition(), message.offset(), show(message.error() == error)])

    producer.produce("bad name!", "v", callback=note)
    left = producer.flush(PATIENCE)
    return left, seen, attempt(lambda: producer.produce("bad name!", "v", callback=note)), len(producer)


def a_record_that_is_too_large(setup: Setup) -> object:
    """Is refused at once."""
    producer = setup.producer(message_max_bytes=1000)
    large = attempt(lambda: producer.produce(setup.topic, b"x" * 2000))
    fits = attempt(lambda: producer.produce(setup.topic, b"x" * 900))
    return large, fits, producer.flush(PATIENCE)


def a_full_queue_is_a_buffer_error(setup: Setup) -> object:
    """By messages and by bytes."""
    by_count = setup.producer(bootstrap_servers=NOBODY, queue_buffering_max_messages=2, message_timeout_ms=400)
    by_bytes = setup.producer(bootstrap_servers=NOBODY, queue_buffering_max_kbytes=1, message_timeout_ms=400)
    counted = [attempt(lambda: by_count.produce("t", "v")) for _ in range(4)]
    weighed = [attempt(lambda: by_bytes.produce("t", "v" * 500)) for _ in range(5)]
    return counted, weighed


def flush_ends_at_its_deadline(setup: Setup) -> object:
    """With nobody to send to; then the records time out."""
    seen: list[object] = []
    producer = setup.producer(bootstrap_servers=NOBODY, message_timeout_ms=1200)
    for _ in range(3):
        producer.produce("t", "v", "k", callback=lambda error, message: seen.append([show(error), show(message.key())]))
    began = time.monotonic()
    left = producer.flush(0.3)
    took = time.monotonic() - began
    return left, 0.25 < took < 1.0, producer.flush(PATIENCE), seen, len(producer)


def close_waits_and_closes(setup: Setup) -> object:
    """Its reports are served, a second one is silent, other calls are refused."""
    producer, seen = setup.producer(), []
    producer.produce(setup.topic, "v", callback=lambda error, _: seen.append(show(error)))
    first = producer.close()
    refused = [attempt(lambda: producer.produce(setup.topic)), attempt(lambda: producer.poll(0))]
    refused += [attempt(producer.flush), attempt(producer.list_topics)]
    return first, seen, refused, attempt(producer.close), len(producer), bool(producer)


def leaving_the_context_closes(setup: Setup) -> object:
    """And waits before."""
    seen: list[object] = []
    with setup.producer() as producer:
        producer.produce(setup.topic, "v", callback=lambda error, _: seen.append(show(error)))
    return seen, attempt(lambda: producer.produce(setup.topic, "v"))


def acks_of_every_kind(setup: Setup) -> object:
    """0, 1 and all deliver."""
    outcome = []
    for acks in (0, 1, -1, "all"):
        producer = setup.producer(acks=acks)
        seen: list[object] = []

        def note(error: object, _message: object, seen: list[object] = seen) -> None:
            seen.append(show(error))

        producer.produce(setup.topic, "v", partition=0, callback=note)
        outcome.append((producer.flush(PATIENCE), seen))
    return outcome


def every_compression_is_read_back(setup: Setup) -> object:
    """With idempotence."""
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        producer = setup.producer(compression_type=codec, enable_idempotence=True)
        for number in range(50):
            producer.produce(setup.topic, f"{codec} {number} " * 20, partition=0)
        producer.flush(PATIENCE)
    consumer = setup.consumer()
    consumer.assign([setup.partition()])
    messages = setup.read(consumer, 250)
    return [(each.offset(), each.value()[:12].decode()) for each in messages]


def keyed_records_go_where_the_original_sends_them(setup: Setup) -> object:
    """The default partitioner is CRC32 of the key."""
    producer, places = setup.producer(), {}

    def note(_: object, message: Any) -> None:
        places[message.key().decode()] = message.partition()

    for number in range(200):
        producer.produce(setup.topic, "v", f"key-{number}", callback=note)
    producer.flush(PATIENCE)
    return sorted(places.items())


def other_timestamps(setup: Setup) -> object:
    """0 is now, anything else is taken as it is."""
    producer, times = setup.producer(), []
    began = int(time.time() * 1000)
    for given in (0, 1, 1_600_000_000_000, -1):
        producer.produce(
            setup.topic,
            "v",
            partition=0,
            timestamp=given,
            callback=lambda _, message: times.append(message.timestamp()),
        )
    producer.flush(PATIENCE)
    kind, now = times[0]
    return kind, began - 1000 <= now <= began + 60_000, times[1:]


def metadata_of_the_cluster(setup: Setup) -> object:
    """Of a topic, of an unknown one, of a bad one."""
    producer = setup.producer()
    cluster = producer.list_topics(setup.topic, timeout=PATIENCE)
    known = cluster.topics[setup.topic]
    partitions = {number: vars(each) for number, each in known.partitions.items()}
    bad = producer.list_topics("bad name!", PATIENCE).topics["bad name!"]
    every = producer.list_topics(timeout=PATIENCE)
    brokers = [(number, each.id, each.host, each.port > 0) for number, each in cluster.brokers.items()]
    shape = [type(cluster).__name__, type(known).__name__, str(known) == setup.topic, repr(known.partitions[0])]
    # Who answered is not told: the original knows the broker's number only at times.
    flags = [setup.topic in every.topics, isinstance(cluster.cluster_id, str), str(cluster) == cluster.cluster_id]
    named = [list(cluster.topics) == [setup.topic], cluster.controller_id, type(cluster.orig_broker_name).__name__]
    return partitions, show(bad.error), bad.partitions, brokers, shape, flags, named
