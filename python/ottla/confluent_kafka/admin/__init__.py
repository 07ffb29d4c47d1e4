"""The admin client of confluent-kafka: topics, by operations that futures answer."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any

from ottla._completion import completions
from ottla.confluent_kafka.cimpl import KafkaError, KafkaException, NewTopic, _AdminClientImpl

from ._metadata import BrokerMetadata, ClusterMetadata, PartitionMetadata, TopicMetadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ottla._completion import Completions, Outcome

    _Futures = dict[str, concurrent.futures.Future[None]]

__all__ = [
    "AdminClient",
    "BrokerMetadata",
    "ClusterMetadata",
    "KafkaError",
    "KafkaException",
    "NewTopic",
    "PartitionMetadata",
    "TopicMetadata",
]


def _futures(topics: Iterable[str]) -> _Futures:
    futures: _Futures = {}
    for topic in topics:
        future: concurrent.futures.Future[None] = concurrent.futures.Future()
        # Under way from the start: it cannot be cancelled.
        future.set_running_or_notify_cancel()
        futures[topic] = future
    return futures


def _deliver(futures: _Futures, outcome: Outcome) -> None:
    """Complete each topic's future."""
    if isinstance(outcome, KafkaException):
        for future in futures.values():
            future.set_exception(outcome)
        return
    by_name = {str(topic): future for topic, future in futures.items()}
    for topic, error in outcome:
        future_of = by_name.pop(topic, None)
        if future_of is None:
            continue
        if error is None:
            future_of.set_result(None)
        else:
            future_of.set_exception(KafkaException(error))


class AdminClient(_AdminClientImpl):
    """Creates and deletes topics, and describes the cluster.

    Operations are carried out whether or not their futures are looked at.
    """

    def __init__(self, conf: dict[str, Any], **kwargs: object) -> None:
        """Take a configuration dict with librdkafka's keys; keywords add to it."""
        super().__init__(conf, **kwargs)

    def create_topics(self, new_topics: list[NewTopic], **kwargs: float) -> _Futures:
        """Create topics: a future for each by its name, whose result is None.

        `operation_timeout` and `request_timeout` are seconds; with `validate_only` it is only checked whether they
        could be created.
        """
        futures = _futures([topic.topic for topic in new_topics])
        self._start(futures, lambda all_, number: self._create_topics(all_.answers, number, new_topics, **kwargs))
        return futures

    def delete_topics(self, topics: list[str], **kwargs: float) -> _Futures:
        """Delete topics: a future for each by its name, whose result is None.

        `operation_timeout` and `request_timeout` are seconds.
        """
        futures = _futures(topics)
        self._start(futures, lambda all_, number: self._delete_topics(all_.answers, number, topics, **kwargs))
        return futures

    def _start(self, futures: _Futures, start: Callable[[Completions, int], None]) -> None:
        # The client lives until its operation is done.
        def deliver(outcome: Outcome, client: AdminClient = self) -> None:
            _deliver(futures, outcome)
            del client

        running = completions()
        number = running.expect(deliver)
        try:
            start(running, number)
        except BaseException:
            running.forget(number)
            raise
