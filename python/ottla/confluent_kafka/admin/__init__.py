"""The admin client of confluent-kafka: topics."""

from ottla.confluent_kafka.cimpl import KafkaError, KafkaException, NewTopic

from ._client import AdminClient
from ._metadata import BrokerMetadata, ClusterMetadata, PartitionMetadata, TopicMetadata

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
