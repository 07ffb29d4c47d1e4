"""Programs whose callbacks raise: which exception leaves which call, and that nothing is lost by it."""

from __future__ import annotations

import time
from typing import Any

from tests.python.confluent_kafka.differential.members import BUSY, TOO_LATE, Member, assigned, tell
from tests.python.confluent_kafka.differential.setup import PATIENCE, Setup, attempt, show, until_raised


def _refuse(_: object, partitions: list[Any]) -> None:
    raise LookupError("refused", len(partitions))


def _until_assigned(consumer: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not consumer.assignment() and time.monotonic() < end:
        attempt(lambda: consumer.poll(0.1))


def what_on_revoke_raises_leaves_consume(setup: Setup) -> object:
    """The partitions are gone nonetheless."""
    consumer = setup.consumer()
    consumer.subscribe([setup.topic], on_revoke=_refuse)
    _until_assigned(consumer)
    consumer.unsubscribe()
    raised = until_raised(lambda: consumer.consume(1, 0.5))
    return raised, consumer.assignment(), attempt(lambda: consumer.consume(1, 0.2)), attempt(consumer.close)


def what_on_lost_raises_leaves_poll(setup: Setup) -> object:
    """It joins again after (the original loses a record by the exception)."""
    setup.fill(2)
    lost: list[int] = []

    def on_lost(_: object, partitions: list[Any]) -> None:
        lost.append(len(partitions))
        raise LookupError("lost", len(partitions))

    consumer = setup.consumer(**BUSY)
    consumer.subscribe([setup.topic], on_lost=on_lost)
    first = [show(each.value()) for each in setup.read(consumer, 2)]
    time.sleep(TOO_LATE)
    event = consumer.poll(1.0)
    raised = until_raised(lambda: consumer.poll(0.1))
    until = time.monotonic() + PATIENCE
    while not (last := consumer.poll(0.1)) or (last.offset() != 1 and time.monotonic() < until):
        pass
    consumer.close()
    return first, event.error().name(), raised, lost, show(last.value())


def what_on_commit_raises_leaves_close(setup: Setup) -> object:
    """The offsets are committed, the consumer is closed."""
    setup.fill(3)

    def on_commit(_error: object, _partitions: list[Any]) -> None:
        raise LookupError("from on_commit")

    consumer = setup.consumer(on_commit=on_commit, enable_auto_commit=True)
    consumer.subscribe([setup.topic])
    read = [show(each.value()) for each in setup.read(consumer, 3)]
    told = [attempt(consumer.close), attempt(consumer.close), attempt(lambda: consumer.poll(0))]
    asking = setup.consumer()
    return read, told, tell(asking.committed([setup.partition()], PATIENCE))


def a_close_that_raises_has_left_the_group(setup: Setup) -> object:
    """And has committed: the next member has all at once, and nothing twice."""
    setup.fill(3)
    consumer = setup.consumer(enable_auto_commit=True)
    consumer.subscribe([setup.topic], on_revoke=_refuse)
    read = [show(each.value()) for each in setup.read(consumer, 3)]
    raised = attempt(consumer.close)
    began = time.monotonic()
    after = Member(setup, "b")
    quick = assigned([after], [4]) and time.monotonic() - began < 5
    nothing = after.poll(1.0) is None
    after.consumer.close()
    return read, raised, quick, nothing


def _end(error: Exception | None) -> None:
    if error is not None:
        raise error


def what_leaves_a_context(setup: Setup) -> object:
    """Of the body and of the listener both."""
    told: list[object] = []
    for body in (None, ValueError("from the body")):
        consumer = setup.consumer()
        consumer.subscribe([setup.topic], on_revoke=_refuse)
        try:
            with consumer:
                _until_assigned(consumer)
                _end(body)
        except Exception as error:  # noqa: BLE001  # told
            told += [show(error), show(error.__context__)]
        told.append(attempt(lambda: consumer.poll(0)))  # noqa: B023  # called at once
    return told


def exceptions_that_end_programs(setup: Setup) -> object:
    """SystemExit and KeyboardInterrupt leave poll as they are."""
    told: list[object] = []
    for number, ending in enumerate((SystemExit(3), KeyboardInterrupt("mine"), GeneratorExit())):

        def leave(_: object, __: list[Any], ending: BaseException = ending) -> None:
            raise ending

        consumer = setup.consumer(group_id=f"{setup.topic}-{number}")
        consumer.subscribe([setup.topic], on_assign=leave)
        told += [until_raised(lambda: consumer.poll(0.1)), len(consumer.assignment())]  # noqa: B023  # called at once
        consumer.close()
    return told
