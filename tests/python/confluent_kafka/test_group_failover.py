"""Brokers die and come back under a group that reads: two rounds of `tests.chaos`, whose long run is ``make chaos``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chaos.scenario import PARTITIONS, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.realkafka import Cluster


def rounds(package: Any, kafka3: Cluster, topic: str, *, idempotence: bool) -> None:
    """The coordinator is killed, then another broker; each comes back."""
    report = run(kafka3, topic, package, rounds=2, seed=1, idempotence=idempotence)
    assert report.acknowledged > 1_000, report
    assert report.read >= report.acknowledged, report


def test_nothing_is_lost_under_a_group(package: Any, kafka3: Cluster, create_topic: Callable[..., str]) -> None:
    """With idempotence: every record read, in order, none twice in the log."""
    topic = create_topic(kafka3, partitions=PARTITIONS, replicas=3, min_insync_replicas="2")
    rounds(package, kafka3, topic, idempotence=True)


def test_nothing_acknowledged_is_lost_without_idempotence(
    ottla: Any, kafka3: Cluster, create_topic: Callable[..., str]
) -> None:
    """With acks=all alone: every acknowledged record read."""
    topic = create_topic(kafka3, partitions=PARTITIONS, replicas=3, min_insync_replicas="2")
    rounds(ottla, kafka3, topic, idempotence=False)
