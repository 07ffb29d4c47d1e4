"""`Broker`: a cluster of embedded brokers as an object of Python. What they do is decided in the native part."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from ottla._native import _Broker
from ottla.testing._faults import Faults
from ottla.testing._requests import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

T = TypeVar("T")

_LOOK_AGAIN_SECONDS = 0.002
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group."""

    member_id: str
    instance_id: str | None
    client_id: str
    #: As the group's leader wrote it: bytes of the consumer protocol.
    assignment: bytes


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group as its coordinator sees it."""

    #: ``"Empty"``, ``"PreparingRebalance"``, ``"CompletingRebalance"``, ``"Stable"`` or ``"Dead"``.
    state: str
    generation: int
    #: The name of the assignor in use; None while there is none.
    protocol: str | None
    leader: str | None
    members: tuple[Member, ...]
    #: Committed offsets by topic and partition.
    offsets: Mapping[tuple[str, int], int]


class Broker:
    """A Kafka cluster of 1 to N brokers (node ids 1..N) inside this process, on ports of 127.0.0.1.

    It listens when the constructor returns. `close`, or leaving a ``with`` or ``async with`` block, ends it; leaving
    the block without an exception while an armed fault never fired raises `FaultNeverFiredError`.

    * `seed`: what every random choice of the cluster comes from.
    * `topics`: created at the start, name to number of partitions.
    * `auto_create`: whether asking for a topic that does not exist creates it, with `default_partitions`.
    * `max_bytes`: of records in all logs together. Nothing is ever dropped: beyond it, producing fails and says why.
    * `ports`: one for each broker, instead of free ones.
    * `group_initial_rebalance_delay_ms`, `group_min_session_timeout_ms`, `message_max_bytes`: as Kafka's settings.

    A thread of its own serves it; that thread never touches Python. A forked child does not inherit it: there every
    call raises RuntimeError. Methods may be called from any thread. Should the broker itself fail, by a defect of its
    own, every call raises RuntimeError and says so, and so does leaving the ``with`` block.
    """

    def __init__(
        self,
        brokers: int = 1,
        *,
        seed: int = 0,
        topics: Mapping[str, int] | None = None,
        auto_create: bool = True,
        default_partitions: int = 1,
        max_bytes: int = 1 << 30,
        ports: Sequence[int] | None = None,
        group_initial_rebalance_delay_ms: int = 0,
        group_min_session_timeout_ms: int = 6_000,
        message_max_bytes: int = 1_048_588,
    ) -> None:
        """Bind the ports, start to serve, create the topics. OSError: a port is taken. ValueError: there is no such."""
        if ports is not None and not all(0 <= port <= _LAST_PORT for port in ports):
            raise ValueError(f"ports must be 0 (any) to {_LAST_PORT}, not {list(ports)}")
        self._native = _Broker(
            brokers=brokers,
            seed=seed,
            auto_create_topics=auto_create,
            default_partitions=default_partitions,
            max_bytes=max_bytes,
            ports=None if ports is None else list(ports),
            group_initial_rebalance_delay_ms=group_initial_rebalance_delay_ms,
            group_min_session_timeout_ms=group_min_session_timeout_ms,
            message_max_bytes=message_max_bytes,
        )
        self._closed = False
        #: Breaks requests on purpose.
        self.faults = Faults(self._native)
        for name, partitions in (topics or {}).items():
            self.topic(name, partitions)

    @property
    def bootstrap_servers(self) -> str:
        """``host:port,...`` of every broker: the setting ``bootstrap.servers`` of clients."""
        return self._native.bootstrap_servers()

    def topic(self, name: str, partitions: int = 1, *, replication_factor: int | None = None) -> str:
        """Create a topic and give its name. ValueError: it exists, or Kafka would refuse it."""
        self._native.create_topic(name, partitions, replication_factor)
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic and its records. ValueError: there is none."""
        self._native.delete_topic(name)

    def kill(self, node: int) -> None:
        """End broker `node` at once, as SIGKILL would: its connections close, others lead its partitions and groups."""
        self._native.kill(node)

    def start(self, node: int) -> None:
        """Let a killed broker listen again, on the same port."""
        self._native.start(node)

    def leader(self, topic: str, partition: int) -> int | None:
        """Which broker leads a partition; None while no live one can. ValueError: no such partition."""
        return self._native.leader(topic, partition)

    def move_leader(self, topic: str, partition: int, node: int) -> None:
        """Let another broker lead a partition. ValueError: no such partition, or the broker is dead."""
        self._native.move_leader(topic, partition, node)

    def coordinator(self, group: str) -> int | None:
        """Which broker coordinates a group."""
        return self._native.coordinator(group)

    def move_coordinator(self, group: str, node: int) -> None:
        """Let another broker coordinate a group. ValueError: the broker is dead."""
        self._native.move_coordinator(group, node)

    def load_coordinator(self, group: str, seconds: float) -> None:
        """Let the group's coordinator answer COORDINATOR_LOAD_IN_PROGRESS for some time."""
        self._native.load_coordinator(group, round(seconds * 1_000))

    def log_end(self, topic: str, partition: int) -> int:
        """The offset that the next record gets. ValueError: no such partition."""
        return self._native.log_end(topic, partition)

    def group(self, name: str) -> Group | None:
        """A consumer group as its coordinator sees it now; None for one that does not exist."""
        found = self._native.group(name)
        if found is None:
            return None
        state, generation, protocol, leader, members, offsets = found
        return Group(state, generation, protocol, leader, tuple(Member(*member) for member in members), offsets)

    @property
    def requests(self) -> list[Request]:
        """Every request so far (the last 100,000), oldest first."""
        return [Request(*entry) for entry in self._native.requests()]

    def wait_for(self, condition: Callable[[], T], timeout: float = 10.0) -> T:
        """Call `condition` until it gives something true, and give that. TimeoutError after `timeout` seconds.

        kafka.wait_for(lambda: any(request.api == "JoinGroup" for request in kafka.requests))
        """
        until = time.monotonic() + timeout
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > until:
                self.check()
                raise TimeoutError(f"still not so after {timeout} s; the last answer was {found!r}")
            time.sleep(_LOOK_AGAIN_SECONDS)

    def check(self) -> None:
        """RuntimeError: the broker has failed, by a defect of its own, or has been closed."""
        self._native.check()

    def close(self) -> None:
        """End every broker and forget all records. May be called twice.

        RuntimeError: the broker had failed before, by a defect of its own, and nothing has said so yet.
        """
        self._closed = True
        self._native.stop()

    def __enter__(self) -> Self:
        """The cluster listens already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """End it; an armed fault that never fired is an error, unless there is one already, or it was closed before."""
        try:
            if kind is None and not self._closed:
                self.faults.check()
        finally:
            self.close()

    async def __aenter__(self) -> Self:
        """As ``with``: nothing waits."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """As ``with``."""
        self.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        """With the addresses."""
        return f"<ottla.testing.Broker {self.bootstrap_servers}>"
