"""The embedded broker in the place of real Kafka: the same verbs as `tests.realkafka.Cluster`, the same settings.

The tests know `Cluster`; what they use of it is here too, so that one suite runs on both. Node ids begin with 1 here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ottla.testing import Broker

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


@dataclass
class EmbeddedNode:
    """One broker of the cluster, as `tests.realkafka.broker.Broker` looks to a test."""

    node_id: int
    port: int
    running: bool = True

    @property
    def proxied_port(self) -> int:
        """It has one listener; the proxy changes the addresses in its answers."""
        return self.port

    #: Any free one.
    proxy_port: int = 0


class EmbeddedCluster:
    """A cluster of embedded brokers with the settings that the harness gives real ones."""

    version = "embedded"
    #: The proxy must change addresses: there is no listener that is advertised as the proxy.
    readvertise = True

    def __init__(self, brokers: int = 1) -> None:
        """Start it."""
        self.broker = Broker(brokers, default_partitions=4, group_min_session_timeout_ms=1_000)
        ports = [int(address.rpartition(":")[2]) for address in self.bootstrap.split(",")]
        self.brokers = [EmbeddedNode(number, port) for number, port in enumerate(ports, 1)]

    @property
    def bootstrap(self) -> str:
        """``host:port,...`` of every broker."""
        return self.broker.bootstrap_servers

    def kill(self, node_id: int) -> None:
        """End one broker at once."""
        self.broker.kill(node_id)
        self.brokers[node_id - 1].running = False

    #: An orderly end differs from a death in nothing here: leaders move at once.
    stop = kill

    def launch(self, node_id: int) -> None:
        """Start one broker again."""
        self.broker.start(node_id)
        self.brokers[node_id - 1].running = True

    #: It serves when it has started.
    restart = launch

    def wait_until_serving(self, node_id: int) -> None:
        """It does."""

    def keep_logs(self, target: Path) -> list[Path]:  # noqa: ARG002  # as that of the real one
        """There are none."""
        return []

    def close(self) -> None:
        """End every broker."""
        self.broker.close()

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """End it."""
        self.close()
