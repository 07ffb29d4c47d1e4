"""Ottla: an Apache Kafka client with its engine in Rust.

The classes are in the faces: `ottla.confluent_kafka` has the names, signatures and behaviour of confluent-kafka.
"""

import atexit
import os

from ottla._native import _after_fork_in_child, _flush_producers

__version__ = "0.1.0"

__all__ = ["__version__"]

os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_flush_producers)
