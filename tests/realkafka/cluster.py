"""A cluster of one or three brokers: properties, start until everything answers, single brokers' faults, end."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.realkafka.broker import Broker, process_lives
from tests.realkafka.errors import KafkaUnavailableError
from tests.realkafka.jars import KAFKA_VERSION, java, kafka_home
from tests.realkafka.ports import HOST, free_ports
from tests.realkafka.wire import brokers_in_metadata, coordinators_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

#: Options of Java for brokers that live shortly: only the quick compiler, small collector threads.
QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
#: Options for brokers under load for long.
LONG_RUN = ("-XX:+UseG1GC",)

_PORTS_PER_BROKER = 4
_START_SECONDS = 120.0
_TEMPORARY = "ottla-kafka-"


class Cluster:
    """Real Kafka, running from `start()` to `close()`; a context manager does both.

    `settings` are further server properties. `folder` holds data and logs; without one a temporary folder is made, and
    removed at the end. `detached` brokers outlive this process (the command line's `up`); others die with it.
    `java_options` are `QUICK_START` unless a benchmark wants `LONG_RUN`.
    """

    def __init__(
        self,
        brokers: int = 1,
        *,
        version: str = KAFKA_VERSION,
        settings: Mapping[str, str] | None = None,
        folder: Path | None = None,
        detached: bool = False,
        java_options: tuple[str, ...] = QUICK_START,
    ) -> None:
        """Choose the settings; nothing starts yet."""
        self.version = version
        self.settings = dict(settings or {})
        self.detached = detached
        self.java_options = java_options
        self.brokers: list[Broker] = []
        self._count = brokers
        self._given_folder = folder
        self._folder: Path | None = folder

    @property
    def bootstrap(self) -> str:
        """``host:port,...`` of every broker."""
        return ",".join(f"{HOST}:{broker.port}" for broker in self.brokers)

    @property
    def folder(self) -> Path:
        """Where data and logs are."""
        if self._folder is None:
            message = "the cluster was not started"
            raise KafkaUnavailableError(message)
        return self._folder

    def __enter__(self) -> Self:
        """Start, and wait until every broker serves."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every broker and remove a temporary folder."""
        self.close()

    def start(self) -> None:
        """Format the storage, launch the brokers, wait until metadata and coordinators answer."""
        home, program = kafka_home(self.version), java()
        if self._folder is None:
            _remove_left_over()
            self._folder = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY}{os.getpid()}-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        heap = "-Xmx1g" if self._count == 1 else "-Xmx512m"
        run_java = [
            program,
            heap,
            "-Xms256m",
            *self.java_options,
            f"-Dlog4j2.configurationFile={home}/log4j2.properties",
        ]
        run_java += ["-cp", f"{home}/libs/*"]
        try:
            self._make_brokers(run_java)
            for broker in self.brokers:
                broker.launch(detached=self.detached)
            for broker in self.brokers:
                self._wait(broker, lambda port=broker.port: brokers_in_metadata(port) == self._count)  # type: ignore[misc]
            ports = {broker.node_id: broker.port for broker in self.brokers}
            self._wait(self.brokers[0], lambda: coordinators_ready(ports))
        except BaseException:
            self.close()
            raise

    def kill(self, node_id: int) -> None:
        """SIGKILL one broker."""
        self.brokers[node_id].end(signal.SIGKILL)

    def stop(self, node_id: int) -> None:
        """SIGTERM one broker and wait for its orderly end."""
        self.brokers[node_id].end(signal.SIGTERM)

    def launch(self, node_id: int) -> None:
        """Start one broker again on its data, without waiting until it serves."""
        broker = self.brokers[node_id]
        if broker.running:
            message = f"broker {node_id} is running"
            raise KafkaUnavailableError(message)
        broker.launch(detached=self.detached)

    def restart(self, node_id: int) -> None:
        """Start one broker again on its data and wait until it serves."""
        self.launch(node_id)
        self.wait_until_serving(node_id)

    def wait_until_serving(self, node_id: int) -> None:
        """Wait until a launched broker knows every running one."""
        broker = self.brokers[node_id]
        running = sum(other.running for other in self.brokers)
        self._wait(broker, lambda: brokers_in_metadata(broker.port) >= running)

    def close(self) -> None:
        """End every broker; may be called twice."""
        if self._given_folder is None:
            for broker in self.brokers:  # the data goes away: no need for an orderly end, which waits for a quorum
                broker.end(signal.SIGKILL)
        else:
            for broker in self.brokers:
                broker.send_signal(signal.SIGTERM)
            for broker in self.brokers:
                broker.end(signal.SIGTERM)
        if self._given_folder is None and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def keep_logs(self, target: Path) -> list[Path]:
        """Copy every broker's log to `target`, for the time after the temporary folder is gone."""
        target.mkdir(parents=True, exist_ok=True)
        return [
            Path(shutil.copy(broker.log, target / f"{self.folder.name}-broker{broker.node_id}.log"))
            for broker in self.brokers
            if broker.log.exists()
        ]

    def save(self) -> None:
        """Write what later commands need to ``cluster.json``."""
        state = {"version": self.version, "brokers": [broker.state() for broker in self.brokers]}
        (self.folder / "cluster.json").write_text(json.dumps(state, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The cluster that `up` left running in `folder`."""
        try:
            state = json.loads((folder / "cluster.json").read_text())
        except OSError as error:
            message = f"no cluster in {folder}"
            raise KafkaUnavailableError(message) from error
        cluster = cls(len(state["brokers"]), version=state["version"], folder=folder, detached=True)
        cluster.brokers = [Broker(**broker) for broker in state["brokers"]]
        return cluster

    def _make_brokers(self, run_java: list[str]) -> None:
        ports = free_ports(_PORTS_PER_BROKER * self._count)
        for node_id in range(self._count):
            folder = self.folder / f"broker{node_id}"
            folder.mkdir()
            plain, controller, proxied, proxy = ports[_PORTS_PER_BROKER * node_id :][:_PORTS_PER_BROKER]
            command = [*run_java, "kafka.Kafka", str(folder / "server.properties")]
            self.brokers.append(Broker(node_id, plain, controller, proxied, proxy, str(folder), command))
        cluster_id = "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]  # must not begin with "-"
        formatting = []
        for broker in self.brokers:
            file = Path(broker.folder) / "server.properties"
            file.write_text("".join(f"{key}={value}\n" for key, value in self._properties(broker).items()))
            command = [*run_java, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(file)]
            formatting.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        for process in formatting:
            output, _ = process.communicate()
            if process.returncode:
                message = f"Kafka could not format its storage:\n{output[-3000:]}"
                raise KafkaUnavailableError(message)

    def _properties(self, broker: Broker) -> dict[str, str]:
        count = self._count
        quorum = ",".join(f"{each.node_id}@{HOST}:{each.controller_port}" for each in self.brokers)
        properties = {
            "process.roles": "broker,controller",
            "node.id": str(broker.node_id),
            "controller.quorum.voters": quorum,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{HOST}:{broker.port},CONTROLLER://{HOST}:{broker.controller_port},"
            f"PROXIED://{HOST}:{broker.proxied_port}",
            # A client that comes through the proxy is told the proxy's port, so that all it does goes through it.
            "advertised.listeners": f"PLAINTEXT://{HOST}:{broker.port},PROXIED://{HOST}:{broker.proxy_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(Path(broker.folder) / "data"),
            "num.partitions": "4",
            "default.replication.factor": str(count),
            "min.insync.replicas": "2" if count > 1 else "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "offsets.topic.replication.factor": str(count),
            "transaction.state.log.replication.factor": str(count),
            "transaction.state.log.min.isr": "2" if count > 1 else "1",
            "share.coordinator.state.topic.replication.factor": str(count),
            "share.coordinator.state.topic.min.isr": "2" if count > 1 else "1",
        }
        return properties | self.settings

    def _wait(self, broker: Broker, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + _START_SECONDS
        while not ready():
            if not broker.running or time.monotonic() > until:
                log = broker.log.read_text(errors="replace")[-3000:]
                state = "did not serve in time" if broker.running else "ended"
                message = f"broker {broker.node_id} {state}; the end of its log:\n{log}"
                raise KafkaUnavailableError(message)
            time.sleep(0.05)


def _remove_left_over() -> None:
    """Remove the folders of runs that were killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*-*"):
        with contextlib.suppress(ValueError):
            if not process_lives(int(folder.name.removeprefix(_TEMPORARY).split("-")[0])):
                shutil.rmtree(folder, ignore_errors=True)
