"""Ottla: an Apache Kafka client with its engine in Rust.

The classes are in the faces: `ottla.confluent_kafka` has the names, signatures and behaviour of confluent-kafka.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
