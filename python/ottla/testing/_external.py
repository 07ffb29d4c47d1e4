"""A Kafka that somebody else runs, in the place of the embedded broker: what it cannot do skips the test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from ottla.testing._broker import Broker

if TYPE_CHECKING:
    from ottla.confluent_kafka.admin import AdminClient
    from ottla.testing._broker import Group
    from ottla.testing._faults import Faults
    from ottla.testing._requests import Request

_SECONDS = 60.0
_BETWEEN_LOOKS = 0.05


class External(Broker):
    """`Broker` over the Kafka of ``--kafka-bootstrap``: its address and topics; all else skips the test."""

    def __init__(self, bootstrap: str) -> None:
        """Nothing is asked before a topic is wanted."""
        self._bootstrap = bootstrap

    @property
    def bootstrap_servers(self) -> str:
        """As it was given."""
        return self._bootstrap

    def topic(self, name: str, partitions: int = 1, *, replication_factor: int | None = None) -> str:
        """Create a topic; when this returns, its partitions have leaders, as on the embedded broker.

        Kafka says that a topic is made before every broker knows it.
        """
        from ottla.confluent_kafka.admin import AdminClient, NewTopic  # noqa: PLC0415

        admin = AdminClient({"bootstrap.servers": self._bootstrap})
        wanted = NewTopic(name, partitions, replication_factor or -1)
        admin.create_topics([wanted], request_timeout=_SECONDS)[name].result(_SECONDS)
        until = time.monotonic() + _SECONDS
        while not _is_led(admin, name, partitions):
            if time.monotonic() > until:
                raise TimeoutError(
                    f"topic {name} was made, but has no leaders within {_SECONDS:.0f} s: check the brokers"
                )
            time.sleep(_BETWEEN_LOOKS)
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic."""
        from ottla.confluent_kafka.admin import AdminClient  # noqa: PLC0415

        admin = AdminClient({"bootstrap.servers": self._bootstrap})
        admin.delete_topics([name], request_timeout=_SECONDS)[name].result(_SECONDS)

    @property
    def faults(self) -> Faults:  # type: ignore[override]
        """Skips."""
        _skip("faults")

    @property
    def requests(self) -> list[Request]:
        """Skips."""
        _skip("the log of requests")

    def kill(self, node: int) -> None:  # noqa: ARG002
        """Skip."""
        _skip("killing a broker")

    def start(self, node: int) -> None:  # noqa: ARG002
        """Skip."""
        _skip("starting a broker")

    def leader(self, topic: str, partition: int) -> int | None:  # noqa: ARG002
        """Skip."""
        _skip("the leader of a partition")

    def move_leader(self, topic: str, partition: int, node: int) -> None:  # noqa: ARG002
        """Skip."""
        _skip("moving a leader")

    def coordinator(self, group: str) -> int | None:  # noqa: ARG002
        """Skip."""
        _skip("the coordinator of a group")

    def move_coordinator(self, group: str, node: int) -> None:  # noqa: ARG002
        """Skip."""
        _skip("moving a coordinator")

    def load_coordinator(self, group: str, seconds: float) -> None:  # noqa: ARG002
        """Skip."""
        _skip("a loading coordinator")

    def log_end(self, topic: str, partition: int) -> int:  # noqa: ARG002
        """Skip."""
        _skip("the end of a log")

    def group(self, name: str) -> Group | None:  # noqa: ARG002
        """Skip."""
        _skip("the state of a group")

    def check(self) -> None:
        """Nobody looks."""

    def close(self) -> None:
        """It stays as it is."""


def _is_led(admin: AdminClient, name: str, partitions: int) -> bool:
    found = admin.list_topics(name, _SECONDS).topics[name].partitions
    return len(found) == partitions and all(each.leader >= 0 for each in found.values())


def _skip(what: str) -> NoReturn:
    pytest.skip(f"--kafka-bootstrap: {what} needs the embedded broker")
