"""A Kafka for tests, inside the process: `Broker` is a whole cluster on real sockets, ready in milliseconds.

    from ottla.testing import Broker

    with Broker(topics={"orders": 6}) as kafka:
        producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})

Any Kafka client may connect, from this process or another. `Broker.faults` breaks things on purpose, `Broker.kill` and
`Broker.start` end and revive single brokers, `Broker.requests` tells what clients asked. pytest finds the fixtures
`ottla_broker`, `ottla_topic` and `ottla_faults` by itself. ``python -m ottla.testing`` runs a cluster as a process.

It keeps everything in memory, listens on the loopback interface alone, simulates replication (the brokers share their
logs) and protects nothing: it is for tests, not for data.
"""

from ottla.testing._broker import Broker, Group, Member
from ottla.testing._faults import Fault, FaultNeverFiredError, Faults
from ottla.testing._requests import Request

__all__ = ["Broker", "Fault", "FaultNeverFiredError", "Faults", "Group", "Member", "Request"]
