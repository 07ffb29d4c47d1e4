"""The errors of the face."""

from .cimpl import KafkaError, KafkaException

__all__ = ["KafkaError", "KafkaException"]
