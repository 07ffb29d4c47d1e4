"""What a program of the differential tests is given: a package, a broker, its topic, and ways to tell what it saw."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PATIENCE = 20.0
NOBODY = "127.0.0.1:1"


@dataclass
class Setup:
    """One program's surroundings."""

    package: str
    bootstrap: str
    topic: str

    def __post_init__(self) -> None:
        """Load the package."""
        self.ck: Any = importlib.import_module(self.package)
        self.admin: Any = importlib.import_module(f"{self.package}.admin")

    def producer(self, **config: object) -> Any:
        """Make a producer; config keys have underscores for dots."""
        return self.ck.Producer(self._config(config))

    def consumer(self, **config: object) -> Any:
        """Make a consumer from the log's start."""
        defaults = {"group_id": self.topic, "auto_offset_reset": "earliest", "enable_auto_commit": False}
        return self.ck.Consumer(self._config(defaults | config))

    def admin_client(self, **config: object) -> Any:
        """Make an admin client."""
        return self.admin.AdminClient(self._config(config))

    def _config(self, config: dict[str, Any]) -> dict[str, object]:
        dotted = {"bootstrap.servers": self.bootstrap, "log_level": 0}
        for key, value in config.items():
            dotted[key if key in {"error_cb", "on_delivery", "on_commit", "logger"} else key.replace("_", ".")] = value
        return dotted

    def partition(self, number: int = 0, *offset: int) -> Any:
        """Make a TopicPartition of the program's topic."""
        return self.ck.TopicPartition(self.topic, number, *offset)

    def fill(self, count: int, partition: int = 0) -> None:
        """Produce the values 0 to count - 1, and wait."""
        producer = self.producer()
        for number in range(count):
            producer.produce(self.topic, str(number), partition=partition)
        assert producer.flush(PATIENCE) == 0

    def read(self, consumer: Any, count: int) -> list[Any]:
        """Poll until so many messages came."""
        messages: list[Any] = []
        end = time.monotonic() + PATIENCE
        while len(messages) < count and time.monotonic() < end:
            message = consumer.poll(1.0)
            if message is not None:
                messages.append(message)
        return messages

    def tell(self, message: Any) -> list[object]:
        """Say all that two runs have in common of a message."""
        if message is None:
            return ["no message"]
        kind, _ = message.timestamp()
        place = [message.topic() == self.topic, message.partition(), message.offset()]
        fields = (message.key(), message.value(), message.headers(), message.error())
        return [*place, *(show(field) for field in fields), kind]


def show(value: object) -> str:
    """Show a value without the package's name."""
    text = repr(value)
    return text.replace("ottla.confluent_kafka.", "").replace("confluent_kafka.", "").replace("cimpl.", "")


def attempt(call: Callable[[], object]) -> str:
    """Call, and show what it returns or raises."""
    try:
        return show(call())
    except Exception as error:  # noqa: BLE001  # whatever it is
        return f"{type(error).__name__}{show(error.args)}"


def until_raised(call: Callable[[], object]) -> str:
    """Call until it raises something, and tell what."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            call()
        except BaseException as raised:  # noqa: BLE001  # the programs compare which
            return show(raised)
    return "nothing"


def values(messages: Iterable[Any]) -> list[str]:
    """Show the values of messages."""
    return [show(message.value()) for message in messages]
