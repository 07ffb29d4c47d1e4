"""Programs that commit and store offsets."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from tests.python.confluent_kafka.differential.members import Member, assigned, poll_until, tell
from tests.python.confluent_kafka.differential.setup import NOBODY, PATIENCE, Setup, attempt, show

if TYPE_CHECKING:
    from collections.abc import Callable


def _committed(setup: Setup, *partitions: int, group: str | None = None) -> list[object]:
    asking = setup.consumer(group_id=group or setup.topic)
    offsets = tell(asking.committed([setup.partition(number) for number in partitions or range(4)], PATIENCE))
    asking.close()
    return offsets


def _poll_until(consumer: Any, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        consumer.poll(0.1)
    return condition()


def _outcome(call: Callable[[], Any]) -> object:
    """What a call raises, or the partitions that it returns."""
    try:
        came = call()
    except Exception as error:  # noqa: BLE001  # whatever it is
        return attempt(functools.partial(_again, error))
    return tell(came) if isinstance(came, list) else show(came)


def _again(error: Exception) -> None:
    raise error


def offsets_are_committed_and_told(setup: Setup) -> object:
    """By position, out of order, with metadata and leader epoch; a later commit may go back."""
    consumer = setup.consumer()
    partition = functools.partial(setup.ck.TopicPartition, setup.topic)
    answers = [
        _outcome(lambda: consumer.commit(offsets=[partition(1, 5, "text", 0), partition(0, 7)], asynchronous=False)),
        _outcome(lambda: consumer.commit(None, [partition(2, 1)], 0)),
        _outcome(lambda: consumer.commit(None, [partition(3, 0)], 1, 0)),
        _outcome(lambda: consumer.commit(offsets=[partition(0, 2)], **{"async": False})),
        _outcome(lambda: consumer.commit(offsets=[partition(0, -1001), partition(1, 6)], asynchronous=False)),
        _outcome(lambda: consumer.commit(offsets=[partition(0, -2), partition(1, -1)], asynchronous=False)),
    ]
    return answers, _committed(setup), _committed(setup, 3, 0, 1)


def commits_that_are_refused(setup: Setup) -> object:
    """By arguments, by the broker, and for want of anything to commit."""
    consumer = setup.consumer()
    known, unknown = setup.partition(0, 5), setup.partition(77, 5)
    elsewhere = setup.ck.TopicPartition("nowhere", 0, 1)
    calls: list[Callable[[], object]] = [
        lambda: consumer.commit(asynchronous=False),
        lambda: consumer.commit(offsets=[], asynchronous=False),
        lambda: consumer.commit(offsets=[unknown], asynchronous=False),
        lambda: consumer.commit(offsets=[known, unknown], asynchronous=False),
        lambda: consumer.commit(offsets=[elsewhere], asynchronous=False),
        lambda: consumer.commit(offsets=[setup.partition(0, 1), setup.partition(0, 2)], asynchronous=False),
        lambda: consumer.commit(message=1),
        lambda: consumer.commit(message=1, offsets=[]),
        lambda: consumer.commit(offsets=1),
        lambda: consumer.commit(offsets=[1]),
        lambda: consumer.commit(offsets=(known,)),
        lambda: consumer.commit(nothing=1),
        lambda: consumer.commit(1, 2, 3, 4, 5),
    ]
    return [str(_outcome(call)).replace(setup.topic, "T") for call in calls]


def commits_of_a_message(setup: Setup) -> object:
    """The offset behind it, with its leader epoch; not of an event."""
    setup.fill(5)
    consumer = setup.consumer(enable_partition_eof=True)
    consumer.assign([setup.partition()])
    messages = setup.read(consumer, 6)
    answers = [
        _outcome(lambda: consumer.commit(messages[2], asynchronous=False)),
        _outcome(lambda: consumer.commit(message=messages[3], asynchronous=True)),
        _outcome(lambda: consumer.commit(messages[5], asynchronous=False)),
        _outcome(lambda: consumer.store_offsets(messages[5])),
    ]
    derived = type("Derived", (setup.ck.Message,), {})(topic=setup.topic, partition=0, offset=1)
    made = setup.ck.Message(topic=setup.topic, partition=1, offset=8)
    answers.append(_outcome(lambda: consumer.commit(derived, asynchronous=False)))
    answers.append(_outcome(lambda: consumer.commit(made, asynchronous=False)))
    return str(answers).replace(setup.topic, "T")


def asynchronous_commits_call_on_commit(setup: Setup) -> object:
    """From poll, in order; synchronous ones do not."""
    calls: list[object] = []
    consumer = setup.consumer(on_commit=lambda error, partitions: calls.append([show(error), tell(partitions)]))
    returned = [
        consumer.commit(offsets=[setup.partition(1, 5), setup.ck.TopicPartition(setup.topic, 0, 4, "m")]),
        consumer.commit(),
        consumer.commit(offsets=[]),
        consumer.commit(offsets=[setup.partition(77, 4)]),
    ]
    consumer.commit(offsets=[setup.partition(2, 2)], asynchronous=False)
    silent = len(calls)
    _poll_until(consumer, lambda: len(calls) >= 4)
    consumer.poll(0.3)
    return returned, silent, sorted(calls, key=repr)


def what_on_commit_raises_leaves_poll(setup: Setup) -> object:
    """And the next call is made with the next poll."""
    calls: list[int] = []

    def on_commit(_error: object, partitions: list[Any]) -> None:
        calls.append(partitions[0].offset)
        if len(calls) == 1:
            raise LookupError("from on_commit")

    consumer = setup.consumer(on_commit=on_commit)
    consumer.commit(offsets=[setup.partition(0, 1)])
    consumer.commit(offsets=[setup.partition(0, 2)])
    raised = "nothing"
    end = time.monotonic() + PATIENCE
    while raised == "nothing" and time.monotonic() < end:
        raised = attempt(lambda: consumer.poll(0.1) and None).replace("None", "nothing")
    return raised, _poll_until(consumer, lambda: len(calls) == 2), calls


def committed_of_every_kind(setup: Setup) -> object:
    """None, some, unknown, in the order of the question, with metadata."""
    consumer = setup.consumer()
    before = tell(consumer.committed([setup.partition(1), setup.partition(0)], PATIENCE))
    consumer.commit(offsets=[setup.ck.TopicPartition(setup.topic, 2, 9, "text", 4)], asynchronous=False)
    asked = [setup.partition(3), setup.partition(2), setup.partition(77), setup.ck.TopicPartition("nowhere", 1)]
    after = tell(consumer.committed(asked, timeout=PATIENCE))
    calls: list[Callable[[], object]] = [
        lambda: consumer.committed([], PATIENCE),
        lambda: setup.consumer(bootstrap_servers=NOBODY).committed([], 1),
        lambda: setup.consumer(bootstrap_servers=NOBODY).committed([setup.partition()], 0),
        lambda: consumer.committed(1),
        lambda: consumer.committed([1]),
        consumer.committed,
        lambda: consumer.committed([], "x"),
    ]
    return before, after, [str(_outcome(call)).replace(setup.topic, "T") for call in calls]


def stored_offsets_are_committed(setup: Setup) -> object:
    """Those of assigned partitions alone; once."""
    setup.fill(10)
    consumer = setup.consumer(enable_auto_offset_store=False)
    early = _outcome(lambda: consumer.store_offsets(offsets=[setup.partition(0, 1)]))
    consumer.assign([setup.partition(0), setup.partition(1)])
    messages = setup.read(consumer, 5)
    unstored = _outcome(lambda: consumer.commit(asynchronous=False))
    stored = _outcome(lambda: consumer.store_offsets(messages[2]))
    first = _outcome(lambda: consumer.commit(asynchronous=False))
    again = _outcome(lambda: consumer.commit(asynchronous=False))
    text = setup.ck.TopicPartition(setup.topic, 1, 1, "text")
    others = _outcome(lambda: consumer.store_offsets(offsets=[text, setup.partition(0, 9), setup.partition(3, 1)]))
    second = _outcome(lambda: consumer.commit(asynchronous=False))
    told = [early, unstored, stored, first, again, others, second]
    return str(told).replace(setup.topic, "T"), _committed(setup)


def stored_offsets_that_are_refused(setup: Setup) -> object:
    """By arguments, by the setting, and for partitions that are not assigned."""
    consumer = setup.consumer(enable_auto_offset_store=False)
    consumer.assign([setup.partition(0)])
    other = setup.consumer()
    other.assign([setup.partition(0)])
    calls: list[Callable[[], object]] = [
        consumer.store_offsets,
        lambda: consumer.store_offsets(offsets=[]),
        lambda: consumer.store_offsets(offsets=[setup.partition(2, 1)]),
        lambda: consumer.store_offsets(offsets=[setup.partition(2, 1), setup.partition(0, 1)]),
        lambda: consumer.store_offsets(offsets=[setup.ck.TopicPartition("nowhere", 0, 1)]),
        lambda: consumer.store_offsets(offsets=[setup.partition(0)]),
        lambda: consumer.store_offsets(message=1),
        lambda: consumer.store_offsets(message=1, offsets=[]),
        lambda: consumer.store_offsets(offsets=1),
        lambda: consumer.store_offsets(nothing=1),
        lambda: other.store_offsets(offsets=[setup.partition(0, 1)]),
        lambda: other.store_offsets(offsets=[]),
    ]
    return [str(_outcome(call)).replace(setup.topic, "T") for call in calls]


def what_poll_and_consume_store(setup: Setup) -> object:
    """Each record that was handed over, no other."""
    setup.fill(20)
    consumer = setup.consumer()
    consumer.assign([setup.partition()])
    told = []
    for take in (functools.partial(setup.read, consumer, 3), functools.partial(consumer.consume, 5, PATIENCE)):
        take()
        told.append(_outcome(lambda: consumer.commit(asynchronous=False)))
    consumer.seek(setup.partition(0, 15))
    told.append(_outcome(lambda: consumer.commit(asynchronous=False)))
    setup.read(consumer, 1)
    told.append(_outcome(lambda: consumer.commit(asynchronous=False)))
    return str(told).replace(setup.topic, "T"), _committed(setup)


def closing_commits_what_was_handed_over(setup: Setup) -> object:
    """With automatic commits, of a subscription and of an assignment; not without."""
    setup.fill(10)
    told = []
    for number, automatic in enumerate((True, False)):
        for subscribed in (True, False):
            group = f"{setup.topic}-{number}-{subscribed}"
            consumer = setup.consumer(group_id=group, enable_auto_commit=automatic)
            if subscribed:
                consumer.subscribe([setup.topic])
            else:
                consumer.assign([setup.partition()])
            setup.read(consumer, 4)
            consumer.close()
            told.append([automatic, subscribed, _committed(setup, 0, group=group)])
    return told


def giving_up_partitions_commits_them(setup: Setup) -> object:
    """Unassign, another assignment, and the next one begins behind what was committed."""
    setup.fill(10)
    calls: list[object] = []
    consumer = setup.consumer(
        enable_auto_commit=True,
        auto_commit_interval_ms=3_600_000,
        on_commit=lambda error, partitions: calls.append([show(error), tell(partitions)]),
    )
    consumer.assign([setup.partition(0), setup.partition(1)])
    setup.read(consumer, 3)
    consumer.unassign()
    first = _poll_until(consumer, lambda: len(calls) == 1)
    consumer.assign([setup.partition()])
    values = [show(each.value()) for each in setup.read(consumer, 2)]
    consumer.assign([setup.partition(1)])
    return first, values, _poll_until(consumer, lambda: len(calls) == 2), calls, _committed(setup)


def automatic_commits_come_by_the_clock(setup: Setup) -> object:
    """Of what was handed over; on_commit is told."""
    setup.fill(6)
    calls: list[object] = []
    consumer = setup.consumer(
        enable_auto_commit=True,
        auto_commit_interval_ms=300,
        on_commit=lambda error, partitions: calls.append([show(error), tell(partitions)]),
    )
    consumer.assign([setup.partition(0), setup.partition(1)])
    messages = setup.read(consumer, 6)
    done = _poll_until(consumer, lambda: bool(calls))
    before = len(calls)
    consumer.poll(1.0)
    return len(messages), done, calls[-1], len(calls) - before, _committed(setup)


def stored_offsets_are_committed_by_the_clock_and_on_close(setup: Setup) -> object:
    """Where the application stores them itself."""
    setup.fill(10)
    consumer = setup.consumer(
        enable_auto_commit=True, enable_auto_offset_store=False, auto_commit_interval_ms=3_600_000
    )
    consumer.subscribe([setup.topic])
    messages = setup.read(consumer, 6)
    consumer.store_offsets(messages[1])
    consumer.close()
    return _committed(setup)


def committed_offsets_are_where_it_begins(setup: Setup) -> object:
    """Assigned with -1001 or -1000, and subscribed; other partitions by the policy."""
    setup.fill(10, 0)
    setup.fill(10, 1)
    first = setup.consumer()
    first.commit(offsets=[setup.partition(0, 7)], asynchronous=False)
    first.close()
    told = []
    for offset in (-1001, -1000):
        consumer = setup.consumer()
        consumer.assign([setup.partition(0, offset), setup.partition(1, offset)])
        read = setup.read(consumer, 13)
        told.append(sorted((each.partition(), each.offset()) for each in read))
        consumer.close()
    member = Member(setup)
    poll_until([member], lambda: len(member.messages) == 13)
    told.append(sorted((each.partition(), each.offset()) for each in member.messages))
    member.consumer.close()
    return told


def a_committed_offset_out_of_range_goes_by_the_policy(setup: Setup) -> object:
    """As any other."""
    setup.fill(3)
    first = setup.consumer()
    first.commit(offsets=[setup.partition(0, 700)], asynchronous=False)
    first.close()
    consumer = setup.consumer()
    consumer.assign([setup.partition()])
    values = [show(each.value()) for each in setup.read(consumer, 3)]
    strict = setup.consumer(auto_offset_reset="error", group_id=f"{setup.topic}-none")
    strict.assign([setup.partition()])
    event = setup.read(strict, 1)[0]
    return values, event.error().name(), event.partition(), show(event.error().str()).replace(setup.topic, "T")


def commits_in_a_revoke_callback_count(setup: Setup) -> object:
    """Of the partitions that go; position and committed are told there."""
    setup.fill(8, 0)
    told: list[object] = []

    def revoke(consumer: Any, partitions: list[Any]) -> None:
        told.append(_outcome(lambda: consumer.commit(asynchronous=False)))
        told.append(tell(consumer.position(partitions)))
        told.append(tell(consumer.committed(partitions, PATIENCE)))
        told.append([each.partition for each in consumer.assignment()])

    consumer = setup.consumer()
    consumer.subscribe([setup.topic], on_revoke=revoke)
    setup.read(consumer, 5)
    consumer.unsubscribe()
    _poll_until(consumer, lambda: len(told) == 4)
    return str(told).replace(setup.topic, "T"), consumer.assignment(), _committed(setup)


def one_member_goes_on_where_another_stopped(setup: Setup) -> object:
    """Nothing twice, nothing left out."""
    for number in range(4):
        setup.fill(10, number)
    first = Member(setup, enable_auto_commit=True)
    poll_until([first], lambda: len(first.messages) >= 17)
    first.consumer.close()
    second = Member(setup, "b", enable_auto_commit=True)
    poll_until([second], lambda: len(first.messages) + len(second.messages) >= 40)
    second.poll(0.5)
    second.consumer.close()
    every = sorted((each.partition(), each.offset()) for each in first.messages + second.messages)
    return every == [(partition, offset) for partition in range(4) for offset in range(10)], _committed(setup)


def who_the_member_is(setup: Setup) -> object:
    """Before, while and after it is one."""

    def identity(consumer: Any) -> list[object]:
        member = consumer.memberid()
        text = consumer.consumer_group_metadata()
        group, name = setup.topic.encode(), (member or "").encode()
        shown = text.replace(group, b"G").replace(name, b"M") if name else text.replace(group, b"G")
        return [None if member is None else member.split("-")[0], type(text).__name__, show(shown)]

    member = Member(setup, "named")  # may be one at once
    told = [identity(setup.consumer(client_id="unsubscribed"))]
    assigned([member], [4])
    told.append(identity(member.consumer))
    member.consumer.unsubscribe()
    poll_until([member], lambda: "revoke" in member.kinds())
    _poll_until(member.consumer, lambda: member.consumer.memberid() is None)
    # The generation after it has left is not compared: the original keeps the last one.
    told.append(identity(member.consumer)[:2])
    member.consumer.close()
    static = Member(setup, "other", group_instance_id="inst")
    assigned([static], [4])
    told.append(identity(static.consumer))
    return told, attempt(member.consumer.memberid), attempt(member.consumer.consumer_group_metadata)
