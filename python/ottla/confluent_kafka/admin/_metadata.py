"""What `list_topics` answers: the cluster, its brokers, its topics and their partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ottla.confluent_kafka.cimpl import KafkaError

    _Partition: TypeAlias = tuple[int, int, list[int], list[int], KafkaError | None]
    _Topic: TypeAlias = tuple[str, KafkaError | None, list[_Partition]]


class ClusterMetadata:
    """The cluster as a broker described it."""

    def __init__(self) -> None:
        """Describe nothing yet."""
        self.cluster_id: str | None = None
        """The cluster's id."""
        self.controller_id: int = -1
        """Id of the controller, -1 where it is not known."""
        self.brokers: dict[int, BrokerMetadata] = {}
        """Brokers by id."""
        self.topics: dict[str, TopicMetadata] = {}
        """Topics by name."""
        self.orig_broker_id: int = -1
        """Id of the broker that answered."""
        self.orig_broker_name: str | None = None
        """Name of the broker that answered."""

    def __repr__(self) -> str:
        """Show the id."""
        return f"ClusterMetadata({self.cluster_id})"

    def __str__(self) -> str:
        """The id."""
        return str(self.cluster_id)


class BrokerMetadata:
    """A broker and its address."""

    def __init__(self) -> None:
        """Describe nothing yet."""
        self.id: int = -1
        """Broker id."""
        self.host: str | None = None
        """Host name."""
        self.port: int = -1
        """Port."""

    def __repr__(self) -> str:
        """Show id and address."""
        return f"BrokerMetadata({self.id}, {self.host}:{self.port})"

    def __str__(self) -> str:
        """Address and id."""
        return f"{self.host}:{self.port}/{self.id}"


class TopicMetadata:
    """A topic and its partitions."""

    def __init__(self) -> None:
        """Describe nothing yet."""
        self.topic: str | None = None
        """Topic name."""
        self.partitions: dict[int, PartitionMetadata] = {}
        """Partitions by id."""
        self.error: KafkaError | None = None
        """The topic's error, or None."""

    def __repr__(self) -> str:
        """Show name, number of partitions and error."""
        error = "" if self.error is None else f", {self.error}"
        return f"TopicMetadata({self.topic}, {len(self.partitions)} partitions{error})"

    def __str__(self) -> str:
        """The name."""
        return str(self.topic)


class PartitionMetadata:
    """A partition and the brokers that keep it. A broker named here may be missing in `ClusterMetadata.brokers`."""

    def __init__(self) -> None:
        """Describe nothing yet."""
        self.id: int = -1
        """Partition id."""
        self.leader: int = -1
        """Id of the leader, -1 for none."""
        self.replicas: list[int] = []
        """Ids of the brokers with a replica."""
        self.isrs: list[int] = []
        """Ids of the brokers whose replica is in sync."""
        self.error: KafkaError | None = None
        """The partition's error, or None."""

    def __repr__(self) -> str:
        """Show id and error."""
        error = "" if self.error is None else f", {self.error}"
        return f"PartitionMetadata({self.id}{error})"

    def __str__(self) -> str:
        """The id."""
        return f"{self.id}"


def _partition(row: _Partition) -> PartitionMetadata:
    partition = PartitionMetadata()
    partition.id, partition.leader, partition.replicas, partition.isrs, partition.error = row
    return partition


def _topic(row: _Topic) -> TopicMetadata:
    topic = TopicMetadata()
    topic.topic, topic.error, partitions = row
    topic.partitions = {partition[0]: _partition(partition) for partition in partitions}
    return topic


def _cluster(
    cluster_id: str | None,
    controller_id: int,
    origin: tuple[int, str],
    brokers: Iterable[tuple[int, str, int]],
    topics: Iterable[_Topic],
) -> ClusterMetadata:
    """Make it of the rows that the native code gives."""
    cluster = ClusterMetadata()
    cluster.cluster_id = cluster_id
    cluster.controller_id = controller_id
    cluster.orig_broker_id, cluster.orig_broker_name = origin
    for row in brokers:
        broker = BrokerMetadata()
        broker.id, broker.host, broker.port = row
        cluster.brokers[broker.id] = broker
    cluster.topics = {row[0]: _topic(row) for row in topics}
    return cluster
