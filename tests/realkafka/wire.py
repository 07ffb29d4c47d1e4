"""The three requests that tell whether brokers serve, written by hand so that the harness depends on no client."""

from __future__ import annotations

import socket
import struct

from tests.realkafka.ports import HOST

_FIND_COORDINATOR, _METADATA, _DESCRIBE_GROUPS = 10, 3, 15
# More names than partitions of the coordinator topics, so that every partition is asked for.
_WARM_UP_NAMES = 16


def request(port: int, api_key: int, version: int, body: bytes, seconds: float = 10) -> bytes:
    """The answer after its correlation id; versions without tagged fields only."""
    with socket.create_connection((HOST, port), 2) as sock:
        sock.settimeout(seconds)
        frame = struct.pack(">hhih7s", api_key, version, 1, 7, b"harness") + body
        sock.sendall(struct.pack(">i", len(frame)) + frame)
        (size,) = struct.unpack(">i", sock.recv(4, socket.MSG_WAITALL))
        return sock.recv(size, socket.MSG_WAITALL)[4:]


def brokers_in_metadata(port: int) -> int:
    """How many brokers the one on `port` knows; -1 while it does not answer."""
    try:
        answer = request(port, _METADATA, 4, struct.pack(">ib", 0, 0))
        return int(struct.unpack(">i", answer[4:8])[0])
    except (OSError, struct.error):
        return -1


def coordinators_ready(ports: dict[int, int]) -> bool:
    """Whether groups and transactions have coordinators; asking makes their topics.

    `ports` has each node's port by its id. Without this the first use of a group fails at times.
    """
    any_port = next(iter(ports.values()))
    try:
        for kind in (0, 1):
            for number in range(_WARM_UP_NAMES):
                name = struct.pack(">h7s", 7, b"warm-%02d" % number)
                answer = request(any_port, _FIND_COORDINATOR, 1, name + bytes([kind]))
                if struct.unpack(">h", answer[4:6])[0]:
                    return False
                text = max(0, struct.unpack(">h", answer[6:8])[0])
                (node,) = struct.unpack(">i", answer[8 + text : 12 + text])
                if kind == 0:
                    answer = request(ports[node], _DESCRIBE_GROUPS, 0, struct.pack(">i", 1) + name)
                    if struct.unpack(">h", answer[4:6])[0]:
                        return False
    except (OSError, struct.error, KeyError):
        return False
    return True
