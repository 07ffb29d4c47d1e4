"""A TCP proxy before a broker that shows every frame to the test, which may change, hold or drop it, or cut the line.

It changes nothing by itself. Frames are Kafka's: four bytes of length, then as many bytes. A client that comes in here
stays here: the brokers of the harness have a listener that is advertised as the proxy's port.

    proxy.decide = flip_byte(API_FETCH, offset=-3)
    consumer = Consumer({"bootstrap.servers": proxy.bootstrap})
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Self

from tests.realkafka.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

API_PRODUCE, API_FETCH, API_LIST_OFFSETS, API_METADATA = 0, 1, 2, 3
API_VERSIONS, API_CREATE_TOPICS, API_INIT_PRODUCER_ID = 18, 19, 22


class Direction(Enum):
    """Which way a frame goes."""

    REQUEST = "request"
    RESPONSE = "response"


class CutError(Exception):
    """Raised by a decision: close this connection, both sides, at once."""


@dataclass(frozen=True)
class Frame:
    """One request or response, with its length prefix in `data`."""

    direction: Direction
    #: Of a response: that of its request, found by the correlation id.
    api_key: int
    api_version: int
    correlation_id: int
    #: Counts the connections of the proxy from 0.
    connection: int
    data: bytes = field(repr=False)


def pass_through(frame: Frame) -> bytes:
    """The decision that lets everything pass."""
    return frame.data


def flip_byte(api_key: int, offset: int, *, times: int = 1, at_least: int = 0) -> Callable[[Frame], bytes]:
    """Flip one bit of the byte at `offset` of the first `times` responses to `api_key` of `at_least` bytes."""
    lock = threading.Lock()
    left = times

    def decide(frame: Frame) -> bytes:
        nonlocal left
        if frame.direction is not Direction.RESPONSE or frame.api_key != api_key or len(frame.data) < at_least:
            return frame.data
        with lock:
            if left == 0:
                return frame.data
            left -= 1
        damaged = bytearray(frame.data)
        damaged[offset] ^= 0x10
        return bytes(damaged)

    return decide


class Proxy:
    """Accepts on `listen` (0: any port), connects to `target`; both are ports of this machine.

    `decide` is called with every frame, on that connection's thread: what it returns is sent on (``b""`` drops the
    frame; while it waits, that direction of the connection waits), `CutError` closes the connection. `frames` is the
    log of all that came by, in order.

    A client stays behind the proxy if the broker advertises the proxy's port to it. For a broker that cannot,
    `readvertise` replaces the target's address in the answers by the proxy's, before anybody sees them.
    """

    def __init__(self, target: int, listen: int = 0, *, readvertise: bool = False) -> None:
        """Listen; connections are accepted from ``__enter__`` on."""
        self.target = target
        self.readvertise = readvertise
        self.decide: Callable[[Frame], bytes] = pass_through
        self.frames: list[Frame] = []
        self.accepting = True
        self._changed = threading.Condition(threading.RLock())
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._connections = 0
        self._closed = False
        self._listener = socket.create_server((HOST, listen))
        self.port: int = self._listener.getsockname()[1]

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return f"{HOST}:{self.port}"

    def __enter__(self) -> Self:
        """Begin to accept."""
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything and wait for the threads."""
        with self._changed:
            self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()
        for thread in self._threads:
            thread.join(10)

    def cut_all(self) -> None:
        """Close every connection now."""
        with self._changed:
            sockets = list(self._sockets)
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def seen(self, direction: Direction, api_key: int) -> list[Frame]:
        """The frames of one kind so far."""
        with self._changed:
            return [frame for frame in self.frames if frame.direction is direction and frame.api_key == api_key]

    def wait_for(self, direction: Direction, api_key: int, *, count: int = 1, seconds: float = 30) -> list[Frame]:
        """Wait until `count` frames of the kind came by; fail after `seconds`."""
        with self._changed:
            found = self._changed.wait_for(lambda: len(self.seen(direction, api_key)) >= count, seconds)
        assert found, f"{len(self.seen(direction, api_key))} of {count} frames: {direction.value} {api_key}"
        return self.seen(direction, api_key)

    def _spawn(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True, name="test-proxy")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if not self.accepting:
                    raise ConnectionRefusedError
                broker = socket.create_connection((HOST, self.target), 5)
            except OSError:
                client.close()
                continue
            broker.settimeout(None)
            with self._changed:
                if self._closed:
                    client.close()
                    broker.close()
                    return
                self._sockets |= {client, broker}
                number = self._connections
                self._connections += 1
            requests: dict[int, tuple[int, int]] = {}
            self._spawn(self._carry, Direction.REQUEST, client, broker, number, requests)
            self._spawn(self._carry, Direction.RESPONSE, broker, client, number, requests)

    def _carry(
        self,
        direction: Direction,
        source: socket.socket,
        sink: socket.socket,
        number: int,
        requests: dict[int, tuple[int, int]],
    ) -> None:
        with contextlib.suppress(OSError, CutError):
            while data := _read_frame(source):
                if self.readvertise and direction is Direction.RESPONSE:
                    data = data.replace(_address(self.target), _address(self.port))
                frame = _frame(direction, data, number, requests)
                with self._changed:
                    self.frames.append(frame)
                    self._changed.notify_all()
                if decided := self.decide(frame):
                    sink.sendall(decided)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        with self._changed:
            self._sockets.discard(source)
        source.close()


def _address(port: int) -> bytes:
    """Host and port as every answer has them, side by side: the length does not change."""
    return HOST.encode() + struct.pack(">i", port)


def _frame(direction: Direction, data: bytes, number: int, requests: dict[int, tuple[int, int]]) -> Frame:
    if direction is Direction.REQUEST:
        api_key, api_version, correlation_id = struct.unpack_from(">hhi", data, 4)
        requests[correlation_id] = (api_key, api_version)
    else:
        (correlation_id,) = struct.unpack_from(">i", data, 4)
        api_key, api_version = requests.pop(correlation_id, (-1, -1))
    return Frame(direction, api_key, api_version, correlation_id, number, data)


def _read_frame(source: socket.socket) -> bytes:
    prefix = _read_exactly(source, 4)
    if not prefix:
        return b""
    (size,) = struct.unpack(">i", prefix)
    return prefix + _read_exactly(source, size)


def _read_exactly(source: socket.socket, size: int) -> bytes:
    """`size` bytes, or nothing at the end of the stream."""
    parts = bytearray()
    while len(parts) < size:
        part = source.recv(size - len(parts))
        if not part:
            return b""
        parts += part
    return bytes(parts)
