"""Programs that consume."""

from __future__ import annotations

import functools
import time
from typing import Any

from tests.python.confluent_kafka.differential.setup import PATIENCE, Setup, attempt, show, values


def poll_gives_records_in_order(setup: Setup) -> object:
    """And None when there are no more."""
    setup.fill(20)
    consumer = setup.consumer()
    consumer.assign([setup.partition()])
    messages = setup.read(consumer, 20)
    first = messages[0]
    told = [setup.tell(each) for each in messages]
    return told, first.leader_epoch(), first.latency(), first.delivery_count(), len(first), show(consumer.poll(0.2))


def consume_gives_as_many_as_there_are(setup: Setup) -> object:
    """Within its time."""
    setup.fill(30)
    consumer = setup.consumer()
    consumer.assign([setup.partition()])
    first = consumer.consume(10, PATIENCE)
    rest = consumer.consume(50, 2.0)
    return values(first), values(rest), consumer.consume(5, 0.1), consumer.consume(0, 0)


def consuming_nothing_gives_nothing_at_once(setup: Setup) -> object:
    """Whatever is there, and however long it may take."""
    setup.fill(2)
    consumer = setup.consumer()
    began = time.monotonic()
    told = [show(consumer.consume(0, timeout)) for timeout in (0, 10)]
    consumer.assign([setup.partition()])
    told += [show(consumer.consume(0, timeout)) for timeout in (0, 10)]
    quick = time.monotonic() - began < 5
    return told, quick, [show(each.value()) for each in setup.read(consumer, 2)], show(consumer.consume(0, 10))


def positions_follow_what_was_given(setup: Setup) -> object:
    """Not what was fetched."""
    setup.fill(10)
    consumer = setup.consumer()
    consumer.assign([setup.partition(0), setup.partition(1)])
    before = show(consumer.position([setup.partition(0)])).replace(setup.topic, "T")
    setup.read(consumer, 4)
    after = consumer.position([setup.partition(0), setup.partition(1), setup.partition(3)])
    other = consumer.position([setup.ck.TopicPartition("nowhere", 0)])
    return before, show(after).replace(setup.topic, "T"), show(other)


def assignments_are_told_sorted(setup: Setup) -> object:
    """With the offsets that were asked for."""
    consumer = setup.consumer()
    told = []
    for offsets in ([5, 3], [-2, -1], [0, -1001]):
        consumer.assign([setup.partition(1, offsets[0]), setup.partition(0, offsets[1])])
        told.append([(each.partition, each.offset) for each in consumer.assignment()])
    consumer.unassign()
    return told[:2], [each[0] for each in told[2]], consumer.assignment()


def starts_of_every_kind(setup: Setup) -> object:
    """An offset, the beginning, the end, before the end, none."""
    setup.fill(10)
    outcome = []
    for offset in (4, -2, -2003, -1001, -1000):
        consumer = setup.consumer()
        consumer.assign([setup.partition(0, offset)])
        outcome.append((offset, values(setup.read(consumer, 1))))
        consumer.close()
    return outcome


def the_end_gives_what_comes_after(setup: Setup) -> object:
    """By offset and by auto.offset.reset."""
    setup.fill(5)
    outcome = []
    for config, offset in (({}, -1), ({"auto_offset_reset": "latest"}, -1001)):
        consumer = setup.consumer(enable_partition_eof=True, **config)
        consumer.assign([setup.partition(0, offset)])
        ends = setup.read(consumer, 1)
        setup.fill(1)
        outcome.append((show(ends[0].error().name()), values(setup.read(consumer, 1))))
        consumer.close()
    return outcome


def the_end_of_a_partition_is_an_event(setup: Setup) -> object:
    """Once, with its offset."""
    setup.fill(3)
    consumer = setup.consumer(enable_partition_eof=True)
    consumer.assign([setup.partition()])
    messages = setup.read(consumer, 4)
    end = messages[-1]
    told = [end.partition(), end.offset(), end.error().name(), end.error() == setup.ck.KafkaError._PARTITION_EOF]
    flags = [end.error().fatal(), end.error().retriable(), show(end.key()), show(end.headers()), end.timestamp()]
    again = consumer.poll(0.5)
    setup.fill(1)
    return told, flags, show(again), [show(each.error() and each.error().name()) for each in setup.read(consumer, 2)]


def seek_goes_on_there(setup: Setup) -> object:
    """Forward, back, to the ends, and with the default offset."""
    setup.fill(10)
    consumer = setup.consumer()
    consumer.assign([setup.partition()])
    outcome = [values(setup.read(consumer, 2))]
    for offset in (7, 1, -2, 0):
        consumer.seek(setup.partition(0, offset))
        outcome.append(values(setup.read(consumer, 2)))
    return outcome, attempt(lambda: consumer.seek(setup.partition(0)))


def seek_refuses(setup: Setup) -> object:
    """What is not assigned, and what is no offset."""
    setup.fill(3)
    consumer = setup.consumer()
    unassigned = attempt(lambda: consumer.seek(setup.partition(0, 1)))
    consumer.assign([setup.partition()])
    setup.read(consumer, 1)
    others = [attempt(functools.partial(consumer.seek, setup.partition(number, 1))) for number in (1, -1)]
    elsewhere = attempt(lambda: consumer.seek(setup.ck.TopicPartition("nowhere", 0, 1)))
    return unassigned, others, elsewhere, attempt(lambda: consumer.seek(setup.partition(0, -1000)))


def pause_holds_back_and_resume_goes_on(setup: Setup) -> object:
    """Without loss."""
    setup.fill(10, 0)
    setup.fill(5, 1)
    consumer = setup.consumer()
    consumer.assign([setup.partition(0), setup.partition(1)])
    consumer.pause([setup.partition(0)])
    others = setup.read(consumer, 5)
    held = consumer.poll(0.5)
    consumer.resume([setup.partition(0)])
    rest = setup.read(consumer, 10)
    calls = [attempt(lambda: consumer.pause([setup.partition(3)])), attempt(lambda: consumer.resume([]))]
    calls.append(attempt(lambda: consumer.pause([setup.ck.TopicPartition("nowhere", 0)])))
    return [(each.partition(), show(each.value())) for each in others + rest], show(held), calls


def an_offset_out_of_range_goes_by_the_policy(setup: Setup) -> object:
    """Earliest starts anew; error is an event."""
    setup.fill(5)
    consumer = setup.consumer()
    consumer.assign([setup.partition(0, 500)])
    first = values(setup.read(consumer, 1))
    strict = setup.consumer(auto_offset_reset="error")
    strict.assign([setup.partition(0, 500)])
    event = setup.read(strict, 1)[0]
    return first, [event.error().name(), event.partition(), event.offset()], show(strict.poll(0.3))


def watermarks_asked_and_cached(setup: Setup) -> object:
    """Of known, unknown and unread partitions."""
    setup.fill(7)
    consumer = setup.consumer()
    asked = attempt(lambda: consumer.get_watermark_offsets(setup.partition(), PATIENCE))
    unread = attempt(lambda: consumer.get_watermark_offsets(setup.partition(), cached=True))
    empty = attempt(lambda: consumer.get_watermark_offsets(setup.partition(2), timeout=PATIENCE))
    unknown = attempt(lambda: consumer.get_watermark_offsets(setup.partition(77), timeout=3))
    consumer.assign([setup.partition()])
    setup.read(consumer, 1)
    cached = attempt(lambda: consumer.get_watermark_offsets(setup.partition(), cached=True))
    return asked, unread, empty, unknown, cached


def a_new_assignment_drops_the_old(setup: Setup) -> object:
    """Nothing of it comes any more."""
    setup.fill(50, 0)
    setup.fill(3, 1)
    consumer = setup.consumer()
    consumer.assign([setup.partition(0)])
    setup.read(consumer, 2)
    consumer.assign([setup.partition(1)])
    second = setup.read(consumer, 3)
    consumer.unassign()
    return [(each.partition(), show(each.value())) for each in second], show(consumer.poll(0.3)), consumer.assignment()


def assign_refuses_a_partition_twice(setup: Setup) -> object:
    """And an offset that is none."""
    consumer = setup.consumer()
    twice = attempt(lambda: consumer.assign([setup.partition(), setup.partition()]))
    return twice, attempt(lambda: consumer.assign([setup.partition(0, -5)])), consumer.assignment()


def reading_two_partitions_keeps_each_in_order(setup: Setup) -> object:
    """And gives all."""
    setup.fill(100, 0)
    setup.fill(100, 1)
    consumer = setup.consumer()
    consumer.assign([setup.partition(0), setup.partition(1)])
    by_partition: dict[int, list[int]] = {0: [], 1: []}
    for message in consumer.consume(200, PATIENCE):
        by_partition[message.partition()].append(int(message.value()))
    return by_partition


def a_closed_consumer_refuses(setup: Setup) -> object:
    """But for a second close."""
    consumer = setup.consumer()
    consumer.assign([setup.partition()])
    first = show(consumer.close())
    calls = [
        lambda: consumer.poll(0),
        lambda: consumer.consume(1, 0),
        lambda: consumer.assign([]),
        consumer.unassign,
        consumer.assignment,
        lambda: consumer.position([]),
        lambda: consumer.seek(setup.partition()),
        lambda: consumer.pause([]),
        lambda: consumer.get_watermark_offsets(setup.partition()),
        consumer.list_topics,
        consumer.close,
    ]
    return first, [attempt(call) for call in calls]


def a_message_is_what_it_was(setup: Setup) -> object:
    """Copied by pickle, changed by its setters, compared by its fields."""
    setup.fill(2)
    consumer = setup.consumer()
    consumer.assign([setup.partition()])
    first, second = setup.read(consumer, 2)
    import pickle  # noqa: PLC0415

    again = pickle.loads(pickle.dumps(first))  # noqa: S301  # our own
    same = [first == again, first == second, first.value() is first.value(), bool(first)]
    again.set_value({"a": 1})
    again.set_key("k")
    again.set_headers([("a", b"b")])
    return same, show([again.value(), again.key(), again.headers(), first == again])


def a_wait_lasts_as_long_as_it_says(setup: Setup) -> object:
    """Poll and consume of nothing."""
    consumer = setup.consumer()
    consumer.assign([setup.partition(3)])
    consumer.poll(2.0)
    outcome = []
    for call, *arguments in ((consumer.poll, 0.4), (consumer.consume, 3, 0.4), (consumer.poll, 0)):
        began = time.monotonic()
        came: Any = call(*arguments)
        took = time.monotonic() - began
        outcome.append((show(came), "early" if took < arguments[-1] - 0.05 else "late" if took > 2.0 else "in time"))
    return outcome
