"""Members of groups for the programs: consumers that note what their callbacks are told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.python.confluent_kafka.differential.setup import PATIENCE, Setup

if TYPE_CHECKING:
    from collections.abc import Callable

# Members that poll too late, and when that is: the original looks twice a second. No session may outlast the interval.
BUSY: dict[str, Any] = {"max_poll_interval_ms": 2000, "session_timeout_ms": 2000, "heartbeat_interval_ms": 500}
TOO_LATE = 3.0


class Member:
    """A consumer that is subscribed, with a note of every callback."""

    def __init__(self, setup: Setup, name: str = "a", topics: list[str] | None = None, **config: object) -> None:
        """Subscribe; members are ordered by `name`, with which their ids begin."""
        self.events: list[list[object]] = []
        self.messages: list[Any] = []
        session: dict[str, object] = {"session_timeout_ms": 6000}
        self.consumer = setup.consumer(client_id=name, **(session | config))
        self.consumer.subscribe(
            topics or [setup.topic],
            on_assign=self.note("assign"),
            on_revoke=self.note("revoke"),
            on_lost=self.note("lost"),
        )

    def note(self, kind: str) -> Callable[[Any, list[Any]], None]:
        """Make a listener that notes its call."""

        def listener(consumer: Any, partitions: list[Any]) -> None:
            same = consumer is self.consumer
            self.events.append([kind, same, tell(partitions)])

        return listener

    def poll(self, timeout: float = 0.1) -> Any:
        """Poll once, and keep what comes."""
        message = self.consumer.poll(timeout)
        if message is not None:
            self.messages.append(message)
        return message

    def kinds(self) -> list[object]:
        """Tell which callbacks were called."""
        return [event[0] for event in self.events]

    def partitions(self) -> list[int]:
        """Tell what is assigned."""
        return [each.partition for each in self.consumer.assignment()]

    def values(self) -> list[int]:
        """Tell what came, without the errors."""
        return [int(each.value()) for each in self.messages if each.error() is None]


def tell(partitions: list[Any]) -> list[object]:
    """Tell of partitions what two runs have in common."""
    return [[each.partition, each.offset, each.metadata, each.leader_epoch, repr(each.error)] for each in partitions]


def poll_until(members: list[Member], condition: Callable[[], bool]) -> bool:
    """Poll all in turn until it holds; whether it did in time."""
    end = time.monotonic() + PATIENCE * 2
    while time.monotonic() < end:
        for member in members:
            member.poll(0.05)
        if condition():
            return True
    return False


def assigned(members: list[Member], counts: list[int]) -> bool:
    """Poll until each has so many partitions."""
    return poll_until(members, lambda: [len(member.partitions()) for member in members] == counts)
