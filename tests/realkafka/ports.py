"""Free ports for brokers that are killed and started again.

Ports come from below the system's range of local ports. A port inside it could be taken by anybody's outgoing
connection while its broker is down, and a client that reconnects to it over loopback can even connect to itself.
"""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

from tests.realkafka.errors import KafkaUnavailableError

HOST = "127.0.0.1"
_LOWEST = 12_000
_TRIES = 1_000


def free_ports(count: int) -> list[int]:
    """Distinct ports nobody listens on at this moment."""
    ports: list[int] = []
    choose = random.SystemRandom()  # two processes started together must not choose alike
    with contextlib.ExitStack() as held:
        for _ in range(_TRIES):
            if len(ports) == count:
                return ports
            port = choose.randrange(_LOWEST, _local_range_begin())
            sock = held.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                sock.bind((HOST, port))
                sock.listen(1)
                ports.append(port)
    message = f"no {count} free ports between {_LOWEST} and {_local_range_begin()}"
    raise KafkaUnavailableError(message)


def _local_range_begin() -> int:
    try:
        begin = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768
    return begin if begin > _LOWEST + _TRIES else 32_768
