"""Programs whose consumers are members of a group."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.python.confluent_kafka.differential.members import BUSY, TOO_LATE, Member, assigned, poll_until, tell
from tests.python.confluent_kafka.differential.setup import PATIENCE, Setup, attempt, show, until_raised

if TYPE_CHECKING:
    from collections.abc import Callable


def a_lone_member_gets_all(setup: Setup) -> object:
    """on_assign before the first record; offsets as they are shown there and in the assignment."""
    setup.fill(3)
    member = Member(setup)
    poll_until([member], lambda: len(member.messages) == 3)
    told = [member.events, tell(member.consumer.assignment()), member.values()]
    return told, member.consumer.close(), member.events


def callbacks_come_from_consume_too(setup: Setup) -> object:
    """And from close."""
    setup.fill(5)
    member = Member(setup)
    messages = member.consumer.consume(5, PATIENCE)
    before = len(member.events)
    member.consumer.close()
    return [show(each.value()) for each in messages], before, member.events


def without_callbacks_partitions_come_and_go(setup: Setup) -> object:
    """Assigned and unassigned by the client."""
    setup.fill(2)
    consumer = setup.consumer()
    consumer.subscribe([setup.topic])
    read = [show(each.value()) for each in setup.read(consumer, 2)]
    there = tell(consumer.assignment())
    consumer.unsubscribe()
    end = time.monotonic() + PATIENCE
    while consumer.assignment() and time.monotonic() < end:
        consumer.poll(0.1)
    return read, there, consumer.assignment(), show(consumer.poll(0.2))


def _two(setup: Setup, **config: Any) -> tuple[Member, Member]:
    first = Member(setup, "a", **config)
    assigned([first], [4])
    second = Member(setup, "b", **config)
    assigned([first, second], [2, 2])
    return first, second


def two_members_share_by_range(setup: Setup) -> object:
    """The default: neighbours to one member."""
    first, second = _two(setup)
    told = [first.partitions(), second.partitions(), first.events, second.events]
    second.consumer.close()
    back = assigned([first], [4])
    first.consumer.close()
    return told, back, first.events, second.events


def two_members_share_by_roundrobin(setup: Setup) -> object:
    """In turn."""
    first, second = _two(setup, partition_assignment_strategy="roundrobin")
    told = [first.partitions(), second.partitions()]
    first.consumer.close()
    back = assigned([second], [4])
    second.consumer.close()
    return told, back, first.events, second.events


def more_members_than_partitions(setup: Setup) -> object:
    """Some have none, and are told so."""
    members = [Member(setup, name) for name in "abcde"]
    # The last one has to be told that it has none.
    done = assigned(members, [1, 1, 1, 1, 0]) and poll_until(members, lambda: bool(members[-1].events))
    told = [member.partitions() for member in members]
    last = members[-1].events[-1]
    members[0].consumer.close()
    moved = assigned(members[1:], [1, 1, 1, 1])
    for member in members[1:]:
        member.consumer.close()
    return done, told, last, moved, [member.events[-1][0] for member in members]


def each_record_comes_once_while_members_come_and_go(setup: Setup) -> object:
    """With commits on the way."""
    for number in range(4):
        setup.fill(50, number)
    first = Member(setup, "a", enable_auto_commit=True)
    poll_until([first], lambda: len(first.messages) >= 30)
    second = Member(setup, "b", enable_auto_commit=True)
    assigned([first, second], [2, 2])
    poll_until([first, second], lambda: len(first.messages) + len(second.messages) >= 120)
    first.consumer.close()
    poll_until([second], lambda: len(first.messages) + len(second.messages) >= 200)
    second.poll(0.5)
    every = sorted((each.partition(), each.offset()) for each in first.messages + second.messages)
    return every == [(partition, offset) for partition in range(4) for offset in range(50)]


def members_of_different_subscriptions(setup: Setup) -> object:
    """Each gets of what it asked for."""
    other = f"{setup.topic}-other"
    admin = setup.admin_client()
    admin.create_topics([setup.admin.NewTopic(other, 2, 1)])[other].result(PATIENCE)
    first = Member(setup, "a", [setup.topic, other])
    second = Member(setup, "b", [other])
    done = poll_until([first, second], lambda: len(second.partitions()) == 1 and len(first.partitions()) == 5)
    told = [[each.topic == other, each.partition] for each in first.consumer.assignment()]
    for member in (first, second):
        member.consumer.close()
    return done, told, second.kinds()[-1]


def _has(member: Member, count: int) -> bool:
    return len(member.partitions()) == count


def a_pattern_is_a_subscription(setup: Setup) -> object:
    """Of every topic that fits, also one that comes later."""
    first = Member(setup, "a", [f"^{setup.topic}-p[0-9]$"], topic_metadata_refresh_interval_ms=500)
    early = first.poll(1.0)
    told = None if early is None else str(early.error().str()).replace(setup.topic, "T")
    admin = setup.admin_client()
    seen = []
    for number in range(2):
        name = f"{setup.topic}-p{number}"
        admin.create_topics([setup.admin.NewTopic(name, 2, 1)])[name].result(PATIENCE)
        seen.append(poll_until([first], functools.partial(_has, first, 2 * number + 2)))
    topics = [each.topic.removeprefix(setup.topic) for each in first.consumer.assignment()]
    first.consumer.close()
    return told, seen, topics


def subscriptions_that_are_refused(setup: Setup) -> object:
    """And those that are taken."""
    consumer = setup.consumer()
    calls: list[Callable[[], object]] = [
        lambda: consumer.subscribe([]),
        lambda: consumer.subscribe(["a", "a"]),
        lambda: consumer.subscribe([""]),
        lambda: consumer.subscribe(["^("]),
        lambda: consumer.subscribe("x"),
        lambda: consumer.subscribe(None),
        lambda: consumer.subscribe(("x",)),
        consumer.subscribe,
        lambda: consumer.subscribe(["x"], 1),
        lambda: consumer.subscribe(["x"], on_assign=None),
        lambda: consumer.subscribe(["x"], on_revoke="f"),
        lambda: consumer.subscribe(["x"], on_lost=[]),
        lambda: consumer.subscribe(["x"], nothing=1),
        lambda: consumer.subscribe([setup.topic], print, print, print),
        consumer.unsubscribe,
        consumer.unsubscribe,
    ]
    return [attempt(call) for call in calls]


def subscribing_anew_replaces(setup: Setup) -> object:
    """Topics and callbacks; leaving and coming back."""
    other = f"{setup.topic}-second"
    admin = setup.admin_client()
    admin.create_topics([setup.admin.NewTopic(other, 1, 1)])[other].result(PATIENCE)
    member = Member(setup)
    told: list[object] = [assigned([member], [4])]
    later: list[str] = []
    member.consumer.subscribe([other], on_assign=lambda *_: later.append("assign"))
    told.append(assigned([member], [1]))
    told.append([each.topic == other for each in member.consumer.assignment()])
    member.consumer.unsubscribe()
    told.append(assigned([member], [0]))
    member.consumer.subscribe([setup.topic], on_revoke=lambda *_: later.append("revoke"))
    told.append(assigned([member], [4]))
    member.consumer.close()
    return told, member.kinds(), later


def an_assignment_in_the_callback_is_honoured(setup: Setup) -> object:
    """With its offsets; and nothing where it gives up all."""
    setup.fill(10, 0)
    setup.fill(10, 1)
    consumer = setup.consumer()

    def assign(consumer: Any, partitions: list[Any]) -> None:
        for each in partitions:
            each.offset = 6
        consumer.assign(partitions[:2])

    consumer.subscribe([setup.topic], on_assign=assign)
    read = sorted((each.partition(), each.offset()) for each in setup.read(consumer, 8))
    there = tell(consumer.assignment())
    consumer.close()
    none = setup.consumer(group_id=f"{setup.topic}-none")
    calls: list[int] = []

    def unassign(consumer: Any, partitions: list[Any]) -> None:
        calls.append(len(partitions))
        consumer.unassign()

    none.subscribe([setup.topic], on_assign=unassign)
    end = time.monotonic() + PATIENCE
    while not calls and time.monotonic() < end:
        none.poll(0.1)
    after = [show(none.poll(0.5)), none.assignment(), calls]
    none.close()
    return read, there, after


def the_callback_uses_the_consumer(setup: Setup) -> object:
    """Watermarks, committed, position, assignment, pause at once."""
    setup.fill(10, 0)
    told: list[object] = []

    def assign(consumer: Any, partitions: list[Any]) -> None:
        told.append(consumer.get_watermark_offsets(partitions[0], PATIENCE))
        told.append(tell(consumer.committed(partitions, PATIENCE)))
        told.append(consumer.assignment())
        told.append([each.error for each in partitions])
        consumer.assign(partitions)
        told.append(tell(consumer.position(partitions)))
        consumer.pause(partitions[1:])

    consumer = setup.consumer()
    consumer.subscribe([setup.topic], on_assign=assign)
    setup.fill(3, 1)
    values = [show(each.value()) for each in setup.read(consumer, 6)]
    held = setup.tell(consumer.poll(0.5))
    consumer.resume([setup.partition(1)])
    return told, values, held, [show(each.value()) for each in setup.read(consumer, 3)]


def what_a_callback_raises_leaves_poll(setup: Setup) -> object:
    """The partitions come and go nonetheless."""
    setup.fill(2)

    def refuse(_: object, partitions: list[Any]) -> None:
        raise LookupError("refused", len(partitions))

    consumer = setup.consumer()
    consumer.subscribe([setup.topic], on_assign=refuse, on_revoke=refuse)
    told: list[object] = [until_raised(lambda: consumer.poll(0.1)), [each.partition for each in consumer.assignment()]]
    told.append([show(each.value()) for each in setup.read(consumer, 2)])
    consumer.unsubscribe()
    told += [until_raised(lambda: consumer.poll(0.1)), consumer.assignment()]
    return told


def what_a_callback_raises_leaves_close(setup: Setup) -> object:
    """And the consumer is closed."""

    def refuse(_: object, partitions: list[Any]) -> None:
        raise LookupError("refused", len(partitions))

    consumer = setup.consumer()
    consumer.subscribe([setup.topic], on_revoke=refuse)
    end = time.monotonic() + PATIENCE
    while not consumer.assignment() and time.monotonic() < end:
        consumer.poll(0.1)
    return attempt(consumer.close), attempt(consumer.close), attempt(lambda: consumer.poll(0))


def a_member_that_polls_too_late_is_told(setup: Setup) -> object:
    """The event, then the loss, then it joins again."""
    setup.fill(2)
    member = Member(setup, **BUSY)
    poll_until([member], lambda: len(member.messages) == 2)
    time.sleep(TOO_LATE)
    member.messages.clear()
    event = member.poll(1.0)
    error = event.error()
    told: list[object] = [error.name(), error.code(), error.fatal(), error.retriable()]
    told += [event.topic(), event.partition(), event.offset(), event.key(), event.headers(), event.timestamp()]
    told.append(error.str().split(" exceeded by ")[0])
    told.append(poll_until([member], lambda: member.kinds().count("assign") == 2))
    setup.fill(1)
    told.append(poll_until([member], lambda: setup.topic in [each.topic() for each in member.messages]))
    member.consumer.close()
    return told, member.events


def commits_of_one_that_was_late_fail_until_it_joins_again(setup: Setup) -> object:
    """Also when it has unsubscribed."""
    setup.fill(2)
    member = Member(setup, **BUSY)
    poll_until([member], lambda: len(member.messages) == 2)
    time.sleep(TOO_LATE)
    commit = functools.partial(member.consumer.commit, offsets=[setup.partition(0, 1)], asynchronous=False)
    stored = functools.partial(member.consumer.commit, asynchronous=False)
    told: list[object] = [attempt(commit), attempt(stored)]
    member.poll(1.0)
    told += [attempt(commit), attempt(stored)]
    member.consumer.unsubscribe()
    told.append(attempt(commit))
    told.append(poll_until([member], lambda: "lost" in member.kinds()))
    told += [attempt(commit), attempt(stored)]
    member.consumer.subscribe([setup.topic])
    told.append(assigned([member], [4]))
    told.append(attempt(commit).startswith("[TopicPartition"))
    member.consumer.close()
    return told


def who_unsubscribes_and_polls_no_more_is_left_for(setup: Setup) -> object:
    """After a session the other has all, and what comes too late to give it up may not commit any more."""
    first, second = _two(setup, session_timeout_ms=2000, heartbeat_interval_ms=500)
    first.consumer.unsubscribe()
    told: list[object] = [assigned([second], [4]), first.kinds()]
    told.append(poll_until([first], lambda: "revoke" in first.kinds()))
    commit = functools.partial(first.consumer.commit, offsets=[setup.partition(0, 1)], asynchronous=False)
    told.append(attempt(commit))
    first.consumer.subscribe([setup.topic])
    told.append(assigned([first, second], [2, 2]))
    first.consumer.close()
    second.consumer.close()
    return told, [str(each.error()) for each in first.messages], second.kinds()


def without_on_lost_on_revoke_hears_of_it(setup: Setup) -> object:
    """As ever."""
    consumer = setup.consumer(**BUSY)
    told: list[object] = []
    consumer.subscribe([setup.topic], on_revoke=lambda _, partitions: told.append(tell(partitions)))
    end = time.monotonic() + PATIENCE
    while not consumer.assignment() and time.monotonic() < end:
        consumer.poll(0.1)
    time.sleep(TOO_LATE)
    event = consumer.poll(1.0)
    end = time.monotonic() + PATIENCE
    while not told and time.monotonic() < end:
        consumer.poll(0.1)
    return event.error().name(), told


def ends_of_partitions_in_a_group(setup: Setup) -> object:
    """Each once."""
    setup.fill(2, 0)
    member = Member(setup, enable_partition_eof=True)
    poll_until([member], lambda: len(member.messages) == 6)
    ends = sorted((each.partition(), each.offset(), each.error().name()) for each in member.messages if each.error())
    return ends, member.values(), show(member.poll(0.5))


def a_topic_that_is_not_there_is_told(setup: Setup) -> object:
    """As an event; the others are read."""
    setup.fill(1)
    member = Member(setup, topics=[setup.topic, f"{setup.topic}-absent"])
    poll_until([member], lambda: len(member.messages) >= 2)
    events = [each for each in member.messages if each.error()]
    told = [[each.error().name(), each.topic().removeprefix(setup.topic), each.partition()] for each in events[:1]]
    text = events[0].error().str().replace(setup.topic, "T") if events else None
    return told, text, member.values(), member.partitions()


def a_static_member_comes_back_unnoticed(setup: Setup) -> object:
    """With the same partitions and no rebalance of the other."""
    first = Member(setup, "a", group_instance_id="one")
    assigned([first], [4])
    second = Member(setup, "b", group_instance_id="two")
    assigned([first, second], [2, 2])
    before, events = second.partitions(), len(first.events)
    second.consumer.close()
    again = Member(setup, "c", group_instance_id="two")
    back = assigned([first, again], [2, 2])
    same = again.partitions() == before
    told = [back, same, len(first.events) == events, second.kinds()]
    first.consumer.close()
    again.consumer.close()
    return told


def a_static_member_that_is_replaced_is_fenced(setup: Setup) -> object:
    """Fatally."""
    first = Member(setup, "a", group_instance_id="one")
    assigned([first], [4])
    second = Member(setup, "b", group_instance_id="one")
    done = poll_until([first, second], lambda: any(each.error() for each in first.messages))
    error = next(each.error() for each in first.messages if each.error())
    message = next(each for each in first.messages if each.error())
    told = [done, error.name(), error.fatal(), error.retriable(), error.str(), message.leader_epoch()]
    settled = assigned([second], [4])
    calls: list[Callable[[], object]] = [
        lambda: first.consumer.subscribe([setup.topic]),
        first.consumer.unsubscribe,
        lambda: first.consumer.commit(offsets=[setup.partition(0, 1)], asynchronous=False),
        lambda: first.consumer.commit(offsets=[setup.partition(0, 1)]),
    ]
    told += [attempt(call) for call in calls]
    return told, settled, attempt(first.consumer.close), second.consumer.close(), second.kinds()


_VICTIM = """
import importlib, sys
package, bootstrap, topic = sys.argv[1:]
consumer = importlib.import_module(package).Consumer(
    {"bootstrap.servers": bootstrap, "group.id": topic, "session.timeout.ms": 6000, "client.id": "b"}
)
consumer.subscribe([topic], on_assign=lambda _, partitions: print(len(partitions), flush=True))
while True:
    consumer.poll(0.1)
"""


def a_killed_member_is_replaced(setup: Setup) -> object:
    """After its session."""
    first = Member(setup, "a")
    assigned([first], [4])
    command = [sys.executable, "-c", _VICTIM, setup.package, setup.bootstrap, setup.topic]
    victim = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    shared = assigned([first], [2])
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    began = time.monotonic()
    back = assigned([first], [4])
    took = time.monotonic() - began
    first.consumer.close()
    return shared, back, 2 < took < 15, first.events


def a_context_revokes_commits_and_leaves(setup: Setup) -> object:
    """And is closed after."""
    setup.fill(4)
    member = Member(setup, enable_auto_commit=True)
    with member.consumer as same:
        poll_until([member], lambda: len(member.messages) == 4)
    began = time.monotonic()
    after = Member(setup, "b")
    quick = assigned([after], [4]) and time.monotonic() - began < 5
    committed = tell(after.consumer.committed([setup.partition()], PATIENCE))
    return same is member.consumer, member.kinds(), attempt(lambda: same.poll(0)), quick, committed


def a_subclass_is_a_member(setup: Setup) -> object:
    """With its own methods as callbacks, and its own arguments."""
    base: Any = setup.ck.Consumer

    class Own(base):  # type: ignore[misc]
        def __init__(self, first: str, setup: Setup) -> None:
            self.first = first
            self.calls: list[object] = []
            super().__init__({"bootstrap.servers": setup.bootstrap, "group.id": setup.topic, "log_level": 0})

        def assigned(self, consumer: Any, partitions: list[Any]) -> None:
            self.calls.append([self.first, consumer is self, len(partitions)])

        def poll(self, timeout: float = 1) -> Any:
            self.calls.append("poll")
            return super().poll(timeout)

    consumer = Own("x", setup)
    consumer.subscribe([setup.topic], on_assign=consumer.assigned)
    end = time.monotonic() + PATIENCE
    while not consumer.assignment() and time.monotonic() < end:
        consumer.poll(0.1)
    consumer.consume(1, 0.1)
    told = [each for each in consumer.calls if each != "poll"]
    consumer.close()
    return told, consumer.calls[-1]


def parts_of_an_assignment(setup: Setup) -> object:
    """Added and taken away outside of a group, and refused within one that hands over whole assignments."""
    setup.fill(3, 0)
    setup.fill(3, 1)
    consumer = setup.consumer()
    partition = setup.partition
    calls: list[Callable[[], object]] = [
        lambda: consumer.incremental_assign([partition(0), partition(0)]),
        lambda: consumer.incremental_assign([partition(0)]),
        lambda: consumer.incremental_assign([partition(0)]),
        lambda: consumer.incremental_assign([partition(2), partition(0)]),
        lambda: consumer.incremental_assign([partition(2, -5)]),
        lambda: consumer.incremental_unassign([partition(3)]),
        lambda: consumer.incremental_assign(1),
        lambda: consumer.incremental_assign([1]),
        consumer.incremental_assign,
        lambda: consumer.incremental_assign([]),
        lambda: consumer.incremental_unassign([]),
    ]
    told = [attempt(call).replace(setup.topic, "T") for call in calls]
    first = [show(each.value()) for each in setup.read(consumer, 2)]
    consumer.incremental_assign([partition(1, 1)])
    second = sorted(f"{each.partition()} {each.value()!r}" for each in setup.read(consumer, 3))
    consumer.incremental_unassign([partition(0)])
    left = tell(consumer.assignment())
    member = Member(setup)
    assigned([member], [4])
    within = [
        attempt(lambda: member.consumer.incremental_assign([partition(0)])),
        attempt(lambda: member.consumer.incremental_unassign([partition(0)])),
        attempt(lambda: member.consumer.incremental_unassign([])),
    ]
    member.consumer.close()
    return told, first, second, left, within


def a_closed_member_refuses(setup: Setup) -> object:
    """Each new call."""
    consumer = setup.consumer()
    consumer.subscribe([setup.topic])
    consumer.close()
    calls: list[Callable[[], object]] = [
        lambda: consumer.subscribe([setup.topic]),
        consumer.subscribe,
        consumer.unsubscribe,
        consumer.commit,
        lambda: consumer.commit(nothing=1),
        lambda: consumer.committed([]),
        consumer.committed,
        lambda: consumer.store_offsets(offsets=[]),
        consumer.store_offsets,
        lambda: consumer.store_offsets(nothing=1),
        lambda: consumer.incremental_assign([]),
        lambda: consumer.incremental_unassign(1),
        consumer.memberid,
        consumer.consumer_group_metadata,
        lambda: consumer.__exit__(None, None, None),
    ]
    return [attempt(call) for call in calls]
