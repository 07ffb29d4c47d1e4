"""The names of confluent-kafka's compiled module, from Ottla's own."""

from ottla._native import (
    ConcurrentModificationException,
    Consumer,
    IllegalStateException,
    KafkaError,
    KafkaException,
    Message,
    NewTopic,
    Producer,
    TopicPartition,
    _AdminClientImpl,
)

__all__ = [
    "OFFSET_BEGINNING",
    "OFFSET_END",
    "OFFSET_INVALID",
    "OFFSET_STORED",
    "TIMESTAMP_CREATE_TIME",
    "TIMESTAMP_LOG_APPEND_TIME",
    "TIMESTAMP_NOT_AVAILABLE",
    "ConcurrentModificationException",
    "Consumer",
    "IllegalStateException",
    "KafkaError",
    "KafkaException",
    "Message",
    "NewTopic",
    "Producer",
    "TopicPartition",
    "_AdminClientImpl",
    "libversion",
    "version",
]

OFFSET_BEGINNING = -2
"""Start with the first record of the partition."""
OFFSET_END = -1
"""Start behind the last record of the partition."""
OFFSET_STORED = -1000
"""Start with the committed offset."""
OFFSET_INVALID = -1001
"""No offset given."""

TIMESTAMP_NOT_AVAILABLE = 0
"""The message has no timestamp."""
TIMESTAMP_CREATE_TIME = 1
"""The timestamp was given by the producer."""
TIMESTAMP_LOG_APPEND_TIME = 2
"""The timestamp was given by the broker."""


def version() -> str:
    """Version of confluent-kafka that this face is like."""
    return "2.16.1"


def libversion() -> tuple[str, int]:
    """Version of librdkafka that this face behaves like, as text and as number. There is no librdkafka."""
    return ("2.16.0", 0x021000FF)
