"""One run: a group reads and a producer writes while brokers are killed, stopped and started again; then the check."""

from __future__ import annotations

import random
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tests.chaos.clients import Member, Read, Writer
from tests.realkafka.wire import request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PARTITIONS = 6
MEMBERS = 3
_PATIENCE = 120.0
_LOOK_AGAIN = 0.05
_PROGRESS = 500
_FIND_COORDINATOR = 10


class Node(Protocol):
    """A broker of the cluster."""

    node_id: int
    port: int


class Brokers(Protocol):
    """What the scenario needs of a cluster of three."""

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""

    @property
    def brokers(self) -> Sequence[Node]:
        """Its brokers."""

    def kill(self, node_id: int) -> None:
        """End one at once."""

    def stop(self, node_id: int) -> None:
        """End one in order."""

    def restart(self, node_id: int) -> None:
        """Start one again, and wait until it serves."""


@dataclass(frozen=True)
class Report:
    """What a run came to; a run with a loss has none, it raises AssertionError."""

    rounds: list[str]
    acknowledged: int
    failed: int
    read: int
    again: int
    rebalances: int
    lost: int
    longest_gap: float
    seconds: float

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{len(self.rounds)} rounds in {self.seconds:.0f} s: {self.acknowledged:,} records acknowledged, "
            f"{self.failed} refused, all acknowledged ones read, {self.again:,} read again after rebalances; "
            f"{self.rebalances} assignments, {self.lost} times lost; longest without a report {self.longest_gap:.1f} s"
        )


def run(
    cluster: Brokers,
    topic: str,
    package: Any,
    *,
    rounds: int,
    seed: int,
    idempotence: bool = True,
    tell: Callable[[str], object] = lambda _line: None,
) -> Report:
    """Run so many rounds over a topic of `PARTITIONS` partitions with a replica on each broker."""
    begun = time.monotonic()
    group = f"{topic}-group"
    read = Read()
    members = [
        Member(package, cluster.bootstrap, topic, group=group, name=f"member-{number}", read=read)
        for number in range(MEMBERS)
    ]
    writer = None
    done: list[str] = []
    try:
        _wait(lambda: shared(members), "every partition has one owner", members)
        writer = Writer(package, cluster.bootstrap, topic, PARTITIONS, idempotence=idempotence)
        faults = random.Random(seed)
        _progress(writer, read, members)
        for number in range(rounds):
            done.append(_round(cluster, group, number, faults))
            tell(f"round {number + 1}: {done[-1]}; {len(writer.acknowledged):,} acknowledged, {read.count:,} read")
            _progress(writer, read, members)
            _wait(lambda: shared(members), "every partition has one owner again", members)
        writer.stop()
        wanted = {place[:2] for place in writer.acknowledged}
        _wait(lambda: read.has(wanted), "every acknowledged record is read", members, read, writer)
    finally:
        if writer is not None:
            writer.stop()
        for member in members:
            member.stop()
    check(writer, read, idempotence=idempotence)
    return Report(
        rounds=done,
        acknowledged=len(writer.acknowledged),
        failed=len(writer.failed),
        read=read.count,
        again=read.again,
        rebalances=sum(member.rebalances for member in members),
        lost=sum(member.lost for member in members),
        longest_gap=writer.longest_gap,
        seconds=time.monotonic() - begun,
    )


def shared(members: list[Member]) -> bool:
    """Whether the members share all partitions, none twice."""
    owned = [partition for member in members for partition in member.assigned]
    return sorted(owned) == list(range(PARTITIONS))


def check(writer: Writer, read: Read, *, idempotence: bool) -> None:
    """Nothing acknowledged lost or changed; with idempotence nothing doubled or overtaken, and nothing refused."""
    assert not read.changed, f"offsets that changed their record: {read.changed[:5]}"
    assert not read.backwards, f"a member read backwards (partition, expected, read): {read.backwards[:5]}"
    lost = [place for place in writer.acknowledged if read.records.get(place[:2]) != place[2]]
    assert not lost, f"{len(lost)} acknowledged records (partition, offset, number) were not read: {lost[:5]}"
    if not idempotence:
        return
    assert not writer.failed, f"{len(writer.failed)} records refused: {writer.failed[:3]}"
    for partition in range(PARTITIONS):
        numbers = [number for (at, _), number in sorted(read.records.items()) if at == partition]
        assert numbers == list(range(partition, writer.written, PARTITIONS)), f"partition {partition} is not in order"


def _round(cluster: Brokers, group: str, number: int, faults: random.Random) -> str:
    """One broker ends and comes back: the group's coordinator first, then any."""
    nodes = [broker.node_id for broker in cluster.brokers]
    victim = coordinator(cluster, group) if number % 2 == 0 else faults.choice(nodes)
    verb = ("kill", "stop")[number // 2 % 2] if number else "kill"
    (cluster.kill if verb == "kill" else cluster.stop)(victim)
    time.sleep(faults.uniform(0.0, 3.0))  # how long it stays away is part of the fault; nothing is waited for
    cluster.restart(victim)
    return f"{verb} and start of broker {victim}"


def coordinator(cluster: Brokers, group: str) -> int:
    """Which broker coordinates the group, by FindCoordinator."""
    name = struct.pack(">h", len(group)) + group.encode() + b"\0"
    until = time.monotonic() + _PATIENCE
    while True:
        for broker in cluster.brokers:
            try:
                answer = request(broker.port, _FIND_COORDINATOR, 1, name)
                (error,) = struct.unpack_from(">h", answer, 4)
                text = max(0, struct.unpack_from(">h", answer, 6)[0])
                if not error:
                    return int(struct.unpack_from(">i", answer, 8 + text)[0])
            except (OSError, struct.error):
                continue
        assert time.monotonic() < until, "no coordinator"
        time.sleep(_LOOK_AGAIN)


def _progress(writer: Writer, read: Read, members: list[Member]) -> None:
    """Wait until some more records went all the way."""
    wanted = max(read.count, len(writer.acknowledged)) + _PROGRESS
    _wait(lambda: read.count >= wanted, "records flow", members, read, writer)


def _wait(
    condition: Callable[[], bool],
    what: str,
    members: list[Member],
    read: Read | None = None,
    writer: Writer | None = None,
) -> None:
    until = time.monotonic() + _PATIENCE
    while not condition():
        for member in members:
            if member.failed is not None:
                raise AssertionError(f"{member.name} ended: {member.failed!r}") from member.failed
        if time.monotonic() > until:
            owned = {member.name: sorted(member.assigned) for member in members}
            counts = f"{read.count if read else 0} read, {len(writer.acknowledged) if writer else 0} acknowledged"
            raise AssertionError(f"not within {_PATIENCE} s: {what}; {owned}, {counts}")
        time.sleep(_LOOK_AGAIN)
